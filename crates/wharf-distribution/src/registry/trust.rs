//! Whose certificates are believed.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use wharf_plugin::RegistryHost;

use super::settings::{Authority, HostSettings};
use crate::bounded::read_bounded;

/// The most bytes of a file of authorities.
const MOST_BYTES: u64 = 1 << 20;

/// Whose certificates are believed, by host. The system's authorities are read when somebody is asked first, and private ones
/// count beside them, for the registry that they were given for and for where it leads.
pub(super) struct Trust {
    private: BTreeMap<RegistryHost, Private>,
    system: OnceLock<Arc<RootCertStore>>,
    public: OnceLock<Arc<ClientConfig>>,
}

struct Private {
    authorities: Vec<CertificateDer<'static>>,
    config: OnceLock<Arc<ClientConfig>>,
}

/// Why a private authority cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorityError {
    /// The file cannot be read.
    #[error("the authority of the registry {host} cannot be read from {}", .path.display())]
    Unreadable {
        /// The registry.
        host: RegistryHost,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no certificate in it, or one that is none.
    #[error("the authority of the registry {host}{} is no certificate", place(.path.as_deref()))]
    NoCertificate {
        /// The registry.
        host: RegistryHost,
        /// The file, where it is one.
        path: Option<PathBuf>,
    },
}

fn place(path: Option<&Path>) -> String {
    path.map_or_else(String::new, |path| format!(" in {}", path.display()))
}

impl AuthorityError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "check the path, and that this process's user may read it",
            Self::NoCertificate { .. } => {
                "it is to have certificates between `-----BEGIN CERTIFICATE-----` and `-----END CERTIFICATE-----`, or be \
                 one in DER"
            }
        }
    }
}

impl Trust {
    pub(super) fn new(hosts: &BTreeMap<RegistryHost, HostSettings>) -> Result<Self, AuthorityError> {
        let mut private = BTreeMap::new();
        for (host, settings) in hosts {
            if settings.authorities.is_empty() {
                continue;
            }
            let read = settings.authorities.iter().map(|authority| read(host, authority));
            let authorities: Vec<_> = read.collect::<Result<Vec<_>, _>>()?;
            let known = Private {
                authorities: authorities.into_iter().flatten().collect(),
                config: OnceLock::new(),
            };
            private.insert(host.clone(), known);
        }
        Ok(Self {
            private,
            system: OnceLock::new(),
            public: OnceLock::new(),
        })
    }

    /// What to connect with: by the first of these hosts that has authorities of its own.
    pub(super) fn config(&self, hosts: &[RegistryHost]) -> Arc<ClientConfig> {
        match hosts.iter().find_map(|host| self.private.get(host)) {
            Some(private) => {
                let make = || Arc::new(config(self.with(&private.authorities)));
                Arc::clone(private.config.get_or_init(make))
            }
            None => Arc::clone(
                self.public
                    .get_or_init(|| Arc::new(config(Arc::clone(self.system())))),
            ),
        }
    }

    fn with(&self, authorities: &[CertificateDer<'static>]) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::clone(self.system());
        // What is no certificate was refused when it was read.
        roots.add_parsable_certificates(authorities.iter().cloned());
        Arc::new(roots)
    }

    fn system(&self) -> &Arc<RootCertStore> {
        self.system.get_or_init(|| {
            let mut roots = RootCertStore::empty();
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
            if roots.is_empty() {
                // As in images that have nothing but this program.
                roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
            }
            Arc::new(roots)
        })
    }
}

fn config(roots: Arc<RootCertStore>) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has what TLS 1.2 and 1.3 need")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config
}

fn read(host: &RegistryHost, authority: &Authority) -> Result<Vec<CertificateDer<'static>>, AuthorityError> {
    let (bytes, path) = match authority {
        Authority::Pem(text) => (text.clone().into_bytes(), None),
        Authority::File(path) => {
            let unreadable = |source| AuthorityError::Unreadable {
                host: host.clone(),
                path: path.clone(),
                source,
            };
            (
                read_bounded(path, MOST_BYTES).map_err(unreadable)?,
                Some(path.clone()),
            )
        }
    };
    let none = || AuthorityError::NoCertificate {
        host: host.clone(),
        path: path.clone(),
    };
    let pem: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let certificates = match pem {
        Ok(found) if !found.is_empty() => found,
        Ok(_) => vec![CertificateDer::from(bytes)],
        Err(_) => return Err(none()),
    };
    let mut roots = RootCertStore::empty();
    let all_good = certificates
        .iter()
        .all(|certificate| roots.add(certificate.clone()).is_ok());
    if all_good { Ok(certificates) } else { Err(none()) }
}
