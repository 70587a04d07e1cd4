//! What is odd about a server's files, and no reason to refuse them.

use crate::certificate::Certificate;
use crate::files::{FileRole, TlsFile};
use crate::timestamp::Timestamp;

/// What is odd about a server's files. Serving with it is the lesser evil, because a server that refuses to start helps nobody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Warning {
    /// A certificate's time is over.
    #[error("certificate {position} in {file} expired at {not_after}")]
    Expired {
        /// The file.
        file: TlsFile,
        /// Which of its certificates, from 1.
        position: usize,
        /// The last moment of its time.
        not_after: Timestamp,
    },
    /// A certificate's time has not come.
    #[error("certificate {position} in {file} is not valid before {not_before}")]
    NotYetValid {
        /// The file.
        file: TlsFile,
        /// Which of its certificates, from 1.
        position: usize,
        /// The first moment of its time.
        not_before: Timestamp,
    },
    /// Each user of the machine can read or change the key.
    #[error("{file} is open to all users (mode {mode:04o})")]
    OpenKey {
        /// The file.
        file: TlsFile,
        /// Its permission bits.
        mode: u32,
    },
    /// The server's certificate has no subject alternative names, and clients no longer look at the common name.
    #[error("certificate 1 in {file} has no subject alternative names")]
    NoNames {
        /// The file.
        file: TlsFile,
    },
}

impl Warning {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Expired { file, .. } if file.role == FileRole::ClientCa => {
                "clients whose certificates it issued are still let in: take it out of the file to end that"
                    .to_owned()
            }
            Self::Expired { .. } => "renew it; a new one is taken without a restart".to_owned(),
            Self::NotYetValid { .. } => "check this machine's clock, or wait".to_owned(),
            Self::OpenKey { file, .. } => format!(
                "take the rights away with `chmod o-rwx {}`; for a Kubernetes secret set `defaultMode: 0440` and `fsGroup`",
                file.path.display()
            ),
            Self::NoNames { .. } => "have it issued again with the names by which clients call it".to_owned(),
        }
    }
}

/// What is odd about the dates of a file's certificates, by this clock.
pub(crate) fn of_dates(file: &TlsFile, certificates: &[Certificate], now: Timestamp) -> Vec<Warning> {
    let dated = (1..)
        .zip(certificates)
        .filter_map(|(position, certificate)| Some((position, certificate.validity?)));
    dated
        .filter_map(|(position, validity)| {
            let file = file.clone();
            if now > validity.not_after {
                let not_after = validity.not_after;
                Some(Warning::Expired {
                    file,
                    position,
                    not_after,
                })
            } else if now < validity.not_before {
                let not_before = validity.not_before;
                Some(Warning::NotYetValid {
                    file,
                    position,
                    not_before,
                })
            } else {
                None
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificate::Validity;

    /// A certificate that is valid from 100 to 200 has this to say at a time.
    fn at(seconds: u64) -> Vec<String> {
        let file = TlsFile {
            role: FileRole::Certificate,
            path: "tls.crt".into(),
        };
        let undated = Certificate::of(b"");
        let dated = Certificate {
            validity: Some(Validity {
                not_before: Timestamp::from_unix_seconds(100),
                not_after: Timestamp::from_unix_seconds(200),
            }),
            ..undated.clone()
        };
        let warnings = of_dates(&file, &[undated, dated], Timestamp::from_unix_seconds(seconds));
        warnings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn both_ends_of_the_time_are_part_of_it() {
        let early = "certificate 2 in the certificate file tls.crt is not valid before 1970-01-01T00:01:40Z";
        let late = "certificate 2 in the certificate file tls.crt expired at 1970-01-01T00:03:20Z";
        for (seconds, expected) in [(99, &[early][..]), (100, &[]), (200, &[]), (201, &[late])] {
            assert_eq!(at(seconds), expected, "{seconds}");
        }
    }
}
