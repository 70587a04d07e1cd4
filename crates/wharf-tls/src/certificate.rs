//! What is shown of a certificate.

use std::fmt;
use std::net::IpAddr;

use sha2::{Digest, Sha256};
use x509_cert::der::Decode;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use crate::timestamp::Timestamp;

/// The most names of a certificate that are kept.
const MOST_NAMES: usize = 16;
/// The most characters of a name that are kept.
const LONGEST_NAME: usize = 256;

/// What is shown of a certificate, for logs and the admin port and not for decisions: names are cut after 256 characters and
/// control characters in them are escaped, and there are at most 16. What the certificate does not say in the usual way is
/// missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The SHA-256 of its DER encoding.
    pub fingerprint: Fingerprint,
    /// The common name of its subject.
    pub common_name: Option<String>,
    /// Its subject alternative names: DNS names, IP addresses, URIs and mail addresses.
    pub names: Vec<String>,
    /// Its serial number in hexadecimal digits.
    pub serial: Option<String>,
    /// From when to when it is valid.
    pub validity: Option<Validity>,
}

/// From when to when a certificate is valid, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first moment.
    pub not_before: Timestamp,
    /// The last moment.
    pub not_after: Timestamp,
}

/// The SHA-256 of a certificate's DER encoding. `Display` gives 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Certificate {
    /// Reads what it can of a certificate.
    pub(crate) fn of(der: &[u8]) -> Certificate {
        let fingerprint = Fingerprint(Sha256::digest(der).into());
        let Ok(parsed) = x509_cert::Certificate::from_der(der) else {
            return Certificate {
                fingerprint,
                common_name: None,
                names: Vec::new(),
                serial: None,
                validity: None,
            };
        };
        let parsed = parsed.tbs_certificate();
        let common_name = parsed.subject().common_name().ok().flatten();
        let moment =
            |time: x509_cert::time::Time| Timestamp::from_unix_seconds(time.to_unix_duration().as_secs());
        Certificate {
            fingerprint,
            common_name: common_name.map(|name| shown(&name.value())),
            names: alternative_names(parsed),
            serial: Some(hexadecimal(parsed.serial_number().as_bytes())),
            validity: Some(Validity {
                not_before: moment(parsed.validity().not_before),
                not_after: moment(parsed.validity().not_after),
            }),
        }
    }
}

fn alternative_names(parsed: &x509_cert::TbsCertificate) -> Vec<String> {
    let Ok(Some((_, SubjectAltName(names)))) = parsed.get_extension::<SubjectAltName>() else {
        return Vec::new();
    };
    names.iter().filter_map(name).take(MOST_NAMES).collect()
}

fn name(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(name)
        | GeneralName::Rfc822Name(name)
        | GeneralName::UniformResourceIdentifier(name) => Some(shown(name.as_str())),
        GeneralName::IpAddress(address) => ip_address(address.as_bytes()).map(|address| address.to_string()),
        _ => None,
    }
}

fn ip_address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = || <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    let v6 = || <[u8; 16]>::try_from(bytes).map(IpAddr::from);
    v4().or_else(|_| v6()).ok()
}

/// A name as a log may have it, whatever its owner wrote into it.
fn shown(name: &str) -> String {
    let mut text = String::new();
    for c in name.chars().take(LONGEST_NAME) {
        if c.is_control() {
            text.extend(c.escape_default());
        } else {
            text.push(c);
        }
    }
    text
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_has_a_fingerprint_and_nothing_else() {
        for bytes in [&b""[..], b"\x30", b"\x30\x84\xff\xff\xff\xff", &[0x30; 4096]] {
            let certificate = Certificate::of(bytes);
            assert_eq!(certificate.common_name, None);
            assert_eq!(certificate.validity, None);
            assert_eq!(certificate.serial, None);
        }
        assert!(
            Certificate::of(b"")
                .fingerprint
                .to_string()
                .starts_with("e3b0c44298fc1c149afbf4c8996fb924")
        );
    }

    #[test]
    fn names_cannot_write_lines_into_a_log() {
        assert_eq!(shown("a\nb\u{1b}[31m"), "a\\nb\\u{1b}[31m");
        assert_eq!(shown(&"x".repeat(1000)).len(), LONGEST_NAME);
    }

    #[test]
    fn addresses_have_four_or_sixteen_bytes() {
        assert_eq!(ip_address(&[127, 0, 0, 1]), Some("127.0.0.1".parse().unwrap()));
        assert_eq!(ip_address(&[0; 16]), Some("::".parse().unwrap()));
        for length in [0, 3, 5, 8, 17, 32] {
            assert_eq!(ip_address(&vec![0; length]), None);
        }
    }
}
