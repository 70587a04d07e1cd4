//! A certificate for servers that are measured over HTTPS.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use tokio_rustls::TlsConnector;

use crate::Outcome;
use crate::load::SERVER_NAME;

/// A certificate of its own authority, in files for servers, and what clients trust it by.
pub(super) struct Certificate {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
    trusted: Arc<RootCertStore>,
}

impl Certificate {
    /// Makes one for as long as it is measured.
    pub(super) fn make(directory: &Path) -> Outcome<Self> {
        let made = rcgen::generate_simple_self_signed([SERVER_NAME.to_owned()])?;
        let (certificate, key) = (directory.join("server.crt"), directory.join("server.key"));
        std::fs::write(&certificate, made.cert.pem())?;
        std::fs::write(&key, made.signing_key.serialize_pem())?;
        let mut trusted = RootCertStore::empty();
        trusted.add(CertificateDer::from(made.cert.der().to_vec()))?;
        Ok(Self {
            certificate,
            key,
            trusted: Arc::new(trusted),
        })
    }

    /// A client that trusts it and speaks this protocol.
    pub(super) fn connector(&self, protocol: &str) -> Outcome<TlsConnector> {
        let mut config = rustls::ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(Arc::clone(&self.trusted))
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        Ok(TlsConnector::from(Arc::new(config)))
    }
}
