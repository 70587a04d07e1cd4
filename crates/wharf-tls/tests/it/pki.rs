//! Certificates for one test.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};

/// A CA that issues what a test needs.
pub(crate) struct Ca {
    pub(crate) pem: String,
    pub(crate) der: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Ca {
    pub(crate) fn new(name: &str) -> Ca {
        Ca::with(name, |_| {})
    }

    pub(crate) fn with(name: &str, change: impl FnOnce(&mut CertificateParams)) -> Ca {
        let mut params = ca_params(name);
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Ca {
            pem: certificate.pem(),
            der: certificate.der().clone(),
            issuer: Issuer::new(params, key),
        }
    }

    /// A CA that this one issued.
    pub(crate) fn intermediate(&self, name: &str) -> Ca {
        let params = ca_params(name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Ca {
            pem: certificate.pem(),
            der: certificate.der().clone(),
            issuer: Issuer::new(params, key),
        }
    }

    /// A certificate for a server that is called `localhost`.
    pub(crate) fn server(&self) -> Identity {
        self.issue(&KeyPair::generate().unwrap(), &server_params())
    }

    pub(crate) fn server_with(&self, change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let mut params = server_params();
        change(&mut params);
        self.issue(&KeyPair::generate().unwrap(), &params)
    }

    /// A server's certificate for a key that came from elsewhere: as PKCS#8, and as it is written to the file.
    pub(crate) fn server_with_key(&self, pkcs8: &str, key_pem: &str) -> Identity {
        let identity = self.issue(&KeyPair::from_pem(pkcs8).unwrap(), &server_params());
        Identity {
            key_pem: key_pem.to_owned(),
            ..identity
        }
    }

    pub(crate) fn client(&self, name: &str) -> Identity {
        self.client_with(name, |_| {})
    }

    pub(crate) fn client_with(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        change(&mut params);
        self.issue(&KeyPair::generate().unwrap(), &params)
    }

    fn issue(&self, key: &KeyPair, params: &CertificateParams) -> Identity {
        let certificate = params.signed_by(key, &self.issuer).unwrap();
        Identity {
            pem: certificate.pem(),
            der: certificate.der().clone(),
            key_pem: key.serialize_pem(),
            key_der: key.serialize_der(),
        }
    }
}

/// A certificate with its key.
pub(crate) struct Identity {
    pub(crate) pem: String,
    pub(crate) der: CertificateDer<'static>,
    pub(crate) key_pem: String,
    key_der: Vec<u8>,
}

impl Identity {
    pub(crate) fn certified(&self) -> SingleCertAndKey {
        let der = PrivateKeyDer::try_from(self.key_der.clone()).unwrap();
        let key = ring::sign::any_supported_type(&der).unwrap();
        CertifiedKey::new(vec![self.der.clone()], key).into()
    }

    /// Another's certificate with this one's key.
    pub(crate) fn with_certificate_of(&self, other: &Identity) -> Identity {
        Identity {
            pem: other.pem.clone(),
            der: other.der.clone(),
            key_pem: self.key_pem.clone(),
            key_der: self.key_der.clone(),
        }
    }
}

fn ca_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

fn server_params() -> CertificateParams {
    let mut params = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, "server");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params
}

/// A time that is over.
pub(crate) fn long_ago(params: &mut CertificateParams) {
    params.not_before = date_time_ymd(2001, 1, 1);
    params.not_after = date_time_ymd(2002, 2, 3);
}

/// A time that has not come.
pub(crate) fn far_away(params: &mut CertificateParams) {
    params.not_before = date_time_ymd(2998, 7, 6);
    params.not_after = date_time_ymd(2999, 1, 1);
}
