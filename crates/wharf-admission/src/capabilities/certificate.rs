//! `crypto/v1/is_certificate_trusted`: whether a certificate is vouched for. Nothing is asked of anybody for it.
//!
//! The rules and the reasons are those of Kubewarden's server:
//! - The last certificate of the chain is the root, whatever stands before it may be used to get there. Without a chain the
//!   roots are Mozilla's; with an empty one there are none.
//! - `not_after` is the time at which the certificate must be valid; without it that is now. The root's own dates do not
//!   count.
//! - What the certificate may be used for does not count.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeIdIter};
use wharf_abi_wapc::kubewarden::capability::{
    Certificate, CertificateAnswer, CertificateEncoding, CertificateVerification,
};

/// The most certificates of a chain.
const MOST_CHAIN: usize = 32;
/// The most bytes of a certificate.
const MOST_BYTES: usize = 64 << 10;

/// Why it cannot be said whether a certificate is trusted.
#[derive(Debug, thiserror::Error)]
pub(super) enum CertificateError {
    #[error("Certificate PEM data is not valid: {0}")]
    Pem(#[source] rustls::pki_types::pem::Error),
    #[error("Certificate is not a valid end-entity certificate: {0}")]
    NotEndEntity(#[source] webpki::Error),
    #[error("the last certificate of the chain cannot be a root: {0}")]
    NotRoot(#[source] webpki::Error),
    #[error("Timestamp not_after is not in RFC3339 format")]
    Time,
    #[error("a certificate has {0} bytes, and at most {MOST_BYTES} are taken")]
    TooLarge(usize),
    #[error("the chain has {0} certificates, and at most {MOST_CHAIN} are taken")]
    TooMany(usize),
}

/// Whether a certificate is vouched for.
pub(super) fn verify(request: &CertificateVerification) -> Result<CertificateAnswer, CertificateError> {
    let certificate = der(&request.cert)?;
    let certificate = EndEntityCert::try_from(&certificate).map_err(CertificateError::NotEndEntity)?;
    let time = time(request.not_after.as_deref())?;
    let verified = match &request.cert_chain {
        None => path(&certificate, webpki_roots::TLS_SERVER_ROOTS, &[], time),
        Some(chain) if chain.len() > MOST_CHAIN => return Err(CertificateError::TooMany(chain.len())),
        Some(chain) => {
            let mut chain = chain.iter().map(der).collect::<Result<Vec<_>, _>>()?;
            let root = chain.pop();
            let root = root.as_ref().map(webpki::anchor_from_trusted_cert).transpose();
            let root = root.map_err(CertificateError::NotRoot)?;
            path(&certificate, root.as_slice(), &chain, time)
        }
    };
    let reason = verified.err().map(|error| reason(&error));
    Ok(CertificateAnswer {
        trusted: reason.is_none(),
        reason: reason.unwrap_or_default(),
    })
}

fn path(
    certificate: &EndEntityCert<'_>,
    roots: &[TrustAnchor<'_>],
    between: &[CertificateDer<'_>],
    time: UnixTime,
) -> Result<(), webpki::Error> {
    let algorithms = webpki::ALL_VERIFICATION_ALGS;
    let verified = certificate.verify_for_usage(algorithms, roots, between, time, AnyUsage, None, None);
    verified.map(|_| ())
}

fn reason(error: &webpki::Error) -> String {
    match error {
        webpki::Error::CertExpired { .. } => "Certificate is being used after its expiration date".into(),
        webpki::Error::CertNotValidYet { .. } => "Certificate is being used before its validity date".into(),
        webpki::Error::UnknownIssuer | webpki::Error::InvalidSignatureForPublicKey => {
            "Certificate is not trusted by the provided cert chain".into()
        }
        other => format!("Certificate not trusted: {other}"),
    }
}

fn der(certificate: &Certificate) -> Result<CertificateDer<'_>, CertificateError> {
    if certificate.data.len() > MOST_BYTES {
        return Err(CertificateError::TooLarge(certificate.data.len()));
    }
    match certificate.encoding {
        CertificateEncoding::Der => Ok(CertificateDer::from_slice(&certificate.data)),
        CertificateEncoding::Pem => {
            CertificateDer::from_pem_slice(&certificate.data).map_err(CertificateError::Pem)
        }
    }
}

/// The time at which a certificate is to be valid. Before 1970 none was.
fn time(given: Option<&str>) -> Result<UnixTime, CertificateError> {
    let since_1970 = match given {
        Some(text) => {
            let time: Timestamp = text.parse().map_err(|_| CertificateError::Time)?;
            Duration::from_secs(u64::try_from(time.as_second()).unwrap_or(0))
        }
        None => SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default(),
    };
    Ok(UnixTime::since_unix_epoch(since_1970))
}

struct AnyUsage;

impl ExtendedKeyUsageValidator for AnyUsage {
    fn validate(&self, _: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
