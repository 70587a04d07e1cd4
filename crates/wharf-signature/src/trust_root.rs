//! The root of trust: which authorities and which logs are believed, and when. Read from a `trusted_root.json`, as
//! Sigstore's own update framework distributes it and `cosign trusted-root create` writes it.

use serde::Deserialize;

use crate::key::{KeyAlgorithm, PublicKey};
use crate::pem::decode_base64;
use crate::time::Timestamp;

/// The most bytes of a `trusted_root.json`.
pub const MOST_TRUST_ROOT: usize = 1 << 20;
/// The most authorities or logs of one kind.
const MOST_ENTRIES: usize = 64;
/// The most certificates of one authority.
const MOST_CERTIFICATES: usize = 8;

/// That of the public instance of Sigstore, as it was when this version of Wharf was built.
const PUBLIC: &str = include_str!("../data/public-trusted-root.json");

/// Which authorities and which logs are believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustRoot {
    /// Those that issue certificates to signers.
    pub(crate) authorities: Vec<Authority>,
    /// The logs of signatures.
    pub(crate) logs: Vec<LogKey>,
    /// The logs of certificates. Where there is none, certificates need not be in one.
    pub(crate) certificate_logs: Vec<LogKey>,
    /// Those that sign when something was.
    pub(crate) timestamp_authorities: Vec<Authority>,
}

/// An authority that issues certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Authority {
    /// The certificate that is believed.
    pub(crate) anchor: Vec<u8>,
    /// Those between it and what it issues, in the order of the file: a timestamp authority's own is the first.
    pub(crate) intermediates: Vec<Vec<u8>>,
    pub(crate) valid: Validity,
}

/// A log and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogKey {
    pub(crate) id: Vec<u8>,
    pub(crate) key: PublicKey,
    pub(crate) valid: Validity,
}

/// From when to when something is believed; both ends belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Validity {
    start: Option<Timestamp>,
    end: Option<Timestamp>,
}

impl Validity {
    pub(crate) fn contains(self, time: Timestamp) -> bool {
        self.start.is_none_or(|start| start <= time) && self.end.is_none_or(|end| time <= end)
    }
}

impl TrustRoot {
    /// Reads a `trusted_root.json`, or the one in Sigstore's ClientTrustConfig.
    ///
    /// Keys of kinds that are not understood are left out: what only they would prove is then not proven.
    ///
    /// # Errors
    /// It is none, is damaged, is larger than 1 MiB, or has nothing in it that could prove anything.
    pub fn from_json(json: &[u8]) -> Result<Self, TrustRootError> {
        if json.len() > MOST_TRUST_ROOT {
            return Err(TrustRootError::TooLarge { bytes: json.len() });
        }
        let bad_json = |error: serde_json::Error| TrustRootError::BadJson {
            reason: error.to_string().chars().take(200).collect(),
        };
        let outer: Outer = serde_json::from_slice(json).map_err(bad_json)?;
        let file = match outer.trusted_root {
            Some(file) if outer.media_type.starts_with(CLIENT_TRUST_CONFIG) => file,
            _ => serde_json::from_slice(json).map_err(bad_json)?,
        };
        if !file
            .media_type
            .starts_with("application/vnd.dev.sigstore.trustedroot")
        {
            return Err(TrustRootError::OtherFormat {
                media_type: file.media_type.chars().take(100).collect(),
            });
        }
        let counts = [
            file.tlogs.len(),
            file.ctlogs.len(),
            file.certificate_authorities.len(),
            file.timestamp_authorities.len(),
        ];
        if counts.iter().any(|count| *count > MOST_ENTRIES) {
            return Err(TrustRootError::TooMany);
        }
        let root = Self {
            authorities: authorities("certificateAuthorities", file.certificate_authorities)?,
            logs: logs("tlogs", file.tlogs)?,
            certificate_logs: logs("ctlogs", file.ctlogs)?,
            timestamp_authorities: authorities("timestampAuthorities", file.timestamp_authorities)?,
        };
        if root.authorities.is_empty() && root.logs.is_empty() && root.timestamp_authorities.is_empty() {
            return Err(TrustRootError::Empty);
        }
        Ok(root)
    }

    /// That of the public instance of Sigstore (sigstore.dev), as it was when this version of Wharf was built. Logs and
    /// authorities that came later are not in it: those who need them give the current file.
    pub fn public() -> Self {
        Self::from_json(PUBLIC.as_bytes()).expect("a test reads the file that is built in")
    }

    pub(crate) fn log(&self, id: &[u8]) -> Option<&LogKey> {
        self.logs.iter().find(|log| log.id == id)
    }
}

/// A text that is no root of trust.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrustRootError {
    /// More bytes than such a file has.
    #[error("a root of trust has at most {MOST_TRUST_ROOT} bytes, and this has {bytes}")]
    TooLarge {
        /// Its bytes.
        bytes: usize,
    },
    /// No JSON, or of another shape.
    #[error("this is no `trusted_root.json`: {reason}")]
    BadJson {
        /// What is wrong, with line and column.
        reason: String,
    },
    /// JSON that calls itself something else.
    #[error("this is no `trusted_root.json`: its `mediaType` is {media_type:?}")]
    OtherFormat {
        /// What it calls itself.
        media_type: String,
    },
    /// A key, a certificate or a time that cannot be read.
    #[error("the {place} of the root of trust has a {part} that cannot be read")]
    Damaged {
        /// In which list.
        place: &'static str,
        /// What cannot be read.
        part: &'static str,
    },
    /// More entries than such a file has.
    #[error("the root of trust has more than {MOST_ENTRIES} logs or authorities of one kind")]
    TooMany,
    /// Nothing in it.
    #[error("the root of trust has neither authorities nor logs")]
    Empty,
}

fn authorities(place: &'static str, files: Vec<AuthorityFile>) -> Result<Vec<Authority>, TrustRootError> {
    let damaged = |part| TrustRootError::Damaged { place, part };
    let mut authorities = Vec::new();
    for file in files {
        let mut certificates = file
            .cert_chain
            .certificates
            .iter()
            .map(|certificate| decode_base64(&certificate.raw_bytes))
            .collect::<Option<Vec<_>>>()
            .ok_or(damaged("certificate"))?;
        if certificates.len() > MOST_CERTIFICATES {
            return Err(TrustRootError::TooMany);
        }
        let anchor = certificates.pop().ok_or(damaged("certificate"))?;
        let der = rustls_pki_types::CertificateDer::from(anchor.as_slice());
        webpki::anchor_from_trusted_cert(&der).map_err(|_| damaged("certificate"))?;
        authorities.push(Authority {
            valid: validity(file.valid_for).ok_or(damaged("time"))?,
            anchor,
            intermediates: certificates,
        });
    }
    Ok(authorities)
}

fn logs(place: &'static str, files: Vec<LogFile>) -> Result<Vec<LogKey>, TrustRootError> {
    let damaged = |part| TrustRootError::Damaged { place, part };
    let mut logs = Vec::new();
    for file in files {
        let raw = decode_base64(&file.public_key.raw_bytes).ok_or(damaged("key"))?;
        let key = match file.public_key.key_details.as_deref() {
            // The older way to write an RSA key is without its SubjectPublicKeyInfo.
            Some(details) if details.starts_with("PKCS1_RSA") => PublicKey::from_raw(KeyAlgorithm::Rsa, &raw),
            _ => PublicKey::from_spki_der(&raw),
        };
        let key = match key {
            Ok(key) => key,
            Err(crate::key::KeyError::Unsupported) => continue,
            Err(_) => return Err(damaged("key")),
        };
        let id = decode_base64(&file.log_id.key_id).filter(|id| id.len() == 32);
        logs.push(LogKey {
            id: id.ok_or(damaged("identifier"))?,
            key,
            valid: validity(file.public_key.valid_for).ok_or(damaged("time"))?,
        });
    }
    Ok(logs)
}

fn validity(file: Option<ValidityFile>) -> Option<Validity> {
    let file = file.unwrap_or_default();
    let moment = |text: Option<String>| match text {
        Some(text) => Timestamp::from_rfc3339(&text).map(Some),
        None => Some(None),
    };
    Some(Validity {
        start: moment(file.start)?,
        end: moment(file.end)?,
    })
}

/// What a ClientTrustConfig calls itself, before its version.
const CLIENT_TRUST_CONFIG: &str = "application/vnd.dev.sigstore.clienttrustconfig";

/// What of a file tells which of the two it is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outer {
    #[serde(default)]
    media_type: String,
    trusted_root: Option<File>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    media_type: String,
    #[serde(default)]
    tlogs: Vec<LogFile>,
    #[serde(default)]
    ctlogs: Vec<LogFile>,
    #[serde(default)]
    certificate_authorities: Vec<AuthorityFile>,
    #[serde(default)]
    timestamp_authorities: Vec<AuthorityFile>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogFile {
    public_key: KeyFile,
    log_id: LogIdFile,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeyFile {
    raw_bytes: String,
    key_details: Option<String>,
    valid_for: Option<ValidityFile>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogIdFile {
    key_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AuthorityFile {
    cert_chain: ChainFile,
    valid_for: Option<ValidityFile>,
}

#[derive(Deserialize)]
struct ChainFile {
    certificates: Vec<CertificateFile>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CertificateFile {
    raw_bytes: String,
}

#[derive(Deserialize, Default)]
struct ValidityFile {
    start: Option<String>,
    end: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_root_that_is_built_in_is_good() {
        let root = TrustRoot::public();
        assert!(!root.authorities.is_empty() && !root.logs.is_empty() && !root.certificate_logs.is_empty());
        let json: serde_json::Value = serde_json::from_str(PUBLIC).unwrap();
        let count = |key: &str| json[key].as_array().unwrap().len();
        assert_eq!(
            [
                root.logs.len(),
                root.certificate_logs.len(),
                root.authorities.len(),
                root.timestamp_authorities.len()
            ],
            [
                count("tlogs"),
                count("ctlogs"),
                count("certificateAuthorities"),
                count("timestampAuthorities")
            ]
        );
    }

    #[test]
    fn what_is_no_root_is_told() {
        let good: serde_json::Value = serde_json::from_str(PUBLIC).unwrap();
        let changed = |pointer: &str, value: serde_json::Value| {
            let mut changed = good.clone();
            *changed.pointer_mut(pointer).unwrap() = value;
            TrustRoot::from_json(changed.to_string().as_bytes()).unwrap_err()
        };
        let damaged = |place, part| TrustRootError::Damaged { place, part };
        assert_eq!(
            changed("/tlogs/0/publicKey/rawBytes", "AAAA".into()),
            damaged("tlogs", "key")
        );
        assert_eq!(
            changed("/ctlogs/0/logId/keyId", "AAAA".into()),
            damaged("ctlogs", "identifier")
        );
        assert_eq!(
            changed(
                "/certificateAuthorities/0/certChain/certificates",
                serde_json::json!([])
            ),
            damaged("certificateAuthorities", "certificate")
        );
        assert_eq!(
            changed("/tlogs/0/publicKey/validFor/start", "yesterday".into()),
            damaged("tlogs", "time")
        );
        assert!(matches!(
            changed("/mediaType", "x".into()),
            TrustRootError::OtherFormat { .. }
        ));
        assert!(matches!(
            TrustRoot::from_json(b"{"),
            Err(TrustRootError::BadJson { .. })
        ));
        assert!(matches!(
            TrustRoot::from_json(b"[]"),
            Err(TrustRootError::BadJson { .. })
        ));
        let empty = br#"{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}"#;
        assert_eq!(TrustRoot::from_json(empty), Err(TrustRootError::Empty));
        assert!(matches!(
            TrustRoot::from_json(&vec![b' '; MOST_TRUST_ROOT + 1]),
            Err(TrustRootError::TooLarge { .. })
        ));
        let log = good["tlogs"][0].clone();
        assert_eq!(
            changed("/tlogs", serde_json::Value::Array(vec![log; 65])),
            TrustRootError::TooMany
        );
    }
}
