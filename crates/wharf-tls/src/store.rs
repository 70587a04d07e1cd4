//! Which certificate a client gets.

use std::sync::Arc;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// The certificates of one server, never changed: a reload makes another store. There is one, whatever name the client asks
/// for; further ones would be found here by `ClientHello::server_name`.
#[derive(Debug)]
pub(crate) struct CertificateStore {
    only: Arc<CertifiedKey>,
}

impl CertificateStore {
    pub(crate) fn of(certificate: CertifiedKey) -> CertificateStore {
        CertificateStore {
            only: Arc::new(certificate),
        }
    }
}

impl ResolvesServerCert for CertificateStore {
    fn resolve(&self, _client_hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.only))
    }
}
