//! Why a server's TLS cannot be loaded. All of it is for the operator to mend: clients have no part in it.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::files::{FileRole, MOST_BYTES, TlsFile};

/// Why a server's certificate, key and client CAs cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// There is no such file.
    #[error("{file} does not exist")]
    NotFound {
        /// The file.
        file: TlsFile,
    },
    /// The system refused to open or read the file.
    #[error("{file} cannot be read")]
    Unreadable {
        /// The file.
        file: TlsFile,
        /// The system's reason.
        source: io::Error,
    },
    /// The path leads to something else than a file.
    #[error("{file} is {kind}, not a file")]
    NotAFile {
        /// The file.
        file: TlsFile,
        /// What it is.
        kind: FileKind,
    },
    /// The file is larger than [`MOST_BYTES`].
    #[error("{file} has more than {MOST_BYTES} bytes")]
    TooLarge {
        /// The file.
        file: TlsFile,
    },
    /// The file has no bytes.
    #[error("{file} is empty")]
    Empty {
        /// The file.
        file: TlsFile,
    },
    /// The files changed with each reading.
    #[error("the certificate file {} or those that go with it change while they are read", certificate.display())]
    Changing {
        /// The path of the certificate file.
        certificate: PathBuf,
    },
    /// A section of the file is not PEM as it should be.
    #[error("{file}, line {line}: {problem}")]
    Pem {
        /// The file.
        file: TlsFile,
        /// The line where the section begins, from 1.
        line: usize,
        /// What is wrong with it.
        problem: PemProblem,
    },
    /// The file has no section of the kind that is needed.
    #[error("{file} has no {}: it has {}", needed(file.role), listed(found))]
    NothingOfUse {
        /// The file.
        file: TlsFile,
        /// The labels of the sections that it has.
        found: Vec<String>,
    },
    /// The file is not PEM at all.
    #[error("{file} is {looks_like}, not PEM")]
    NotPem {
        /// The file.
        file: TlsFile,
        /// What it seems to be.
        looks_like: Lookalike,
    },
    /// The key is protected by a passphrase.
    #[error("{file} is encrypted with a passphrase")]
    EncryptedKey {
        /// The file.
        file: TlsFile,
    },
    /// There are several keys, and nothing says which one is meant.
    #[error("{file} has {count} private keys")]
    SeveralKeys {
        /// The file.
        file: TlsFile,
        /// How many.
        count: usize,
    },
    /// A certificate is not one.
    #[error("certificate {position} in {file} cannot be used: {reason}")]
    BadCertificate {
        /// The file.
        file: TlsFile,
        /// Which of its certificates, from 1.
        position: usize,
        /// What the TLS library says of it.
        reason: String,
    },
    /// The key is damaged or of a kind that is not supported.
    #[error("{file} has no usable key: {reason}")]
    BadKey {
        /// The file.
        file: TlsFile,
        /// What the TLS library says of it.
        reason: String,
    },
    /// The key belongs to another certificate.
    #[error("{key} is not the key of the first certificate in {certificate}")]
    KeyMismatch {
        /// The file of the certificate.
        certificate: TlsFile,
        /// The file of the key.
        key: TlsFile,
        /// The certificate of the file that the key belongs to, from 1, if any.
        fits: Option<usize>,
    },
    /// The TLS library does not take what was loaded.
    #[error("the TLS of {certificate} cannot be set up: {reason}")]
    SetUp {
        /// The file of the certificate.
        certificate: TlsFile,
        /// What the library says.
        reason: String,
    },
}

impl LoadError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::NotFound { .. } => {
                "check the path; in Kubernetes, is the secret mounted there, with this key?".to_owned()
            }
            Self::Unreadable { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                "let the user that runs this process read it".to_owned()
            }
            Self::Unreadable { .. } => "check the path, the links in it, and the file system".to_owned(),
            Self::NotAFile { .. } => "name the file itself".to_owned(),
            Self::TooLarge { .. } => {
                "is it the right file? A certificate chain has a few kilobytes".to_owned()
            }
            Self::Empty { .. } => {
                "was it written to the end? Write to another file and rename that".to_owned()
            }
            Self::Changing { .. } => "let what writes them finish, and start again".to_owned(),
            Self::Pem { .. } => {
                "was it written or copied to the end? Each section needs its BEGIN and its END line"
                    .to_owned()
            }
            Self::NothingOfUse { file, .. } => match file.role {
                FileRole::Certificate => {
                    "are the certificate and the key exchanged? Name the file of the certificate"
                }
                FileRole::Key => {
                    "are the certificate and the key exchanged? Name the file of the private key"
                }
                FileRole::ClientCa => "name the file with the certificates of the clients' CAs",
            }
            .to_owned(),
            Self::NotPem { file, looks_like } => looks_like.hint(file),
            Self::EncryptedKey { file } => format!(
                "there is nobody to ask for the passphrase: decrypt it with `openssl pkey -in {}`, and protect the result by its permissions",
                file.path.display()
            ),
            Self::SeveralKeys { .. } => "leave the one of the certificate".to_owned(),
            Self::BadCertificate { .. } => {
                "look at it with `openssl x509 -text`, and have it issued again".to_owned()
            }
            Self::BadKey { .. } => {
                "use RSA of 2048 to 8192 bits, ECDSA on P-256 or P-384, or Ed25519".to_owned()
            }
            Self::KeyMismatch {
                fits: Some(position), ..
            } => {
                format!(
                    "it is the key of certificate {position}: put that one first, and those of its issuers after it"
                )
            }
            Self::KeyMismatch { .. } => {
                "use the certificate and the key of one and the same request; was only one of them renewed?"
                    .to_owned()
            }
            Self::SetUp { .. } => "check the certificates with `openssl verify`".to_owned(),
        }
    }
}

fn needed(role: FileRole) -> &'static str {
    match role {
        FileRole::Certificate => "certificate",
        FileRole::Key => "private key",
        FileRole::ClientCa => "CA certificate",
    }
}

/// At most this many labels are named in an error.
const MOST_LABELS: usize = 4;

fn listed(labels: &[String]) -> String {
    let named: Vec<&str> = labels.iter().take(MOST_LABELS).map(String::as_str).collect();
    let more = if labels.len() > MOST_LABELS { ", …" } else { "" };
    format!("{}{more}", named.join(", "))
}

/// What is wrong with a section of a PEM file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PemProblem {
    /// It begins, and no END line follows.
    Open,
    /// Its END line is of another kind than its BEGIN line.
    OtherEnd,
    /// It is not base64.
    Base64,
}

impl fmt::Display for PemProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Open => "the section that begins here does not end",
            Self::OtherEnd => "the section that begins here ends as one of another kind",
            Self::Base64 => "the section that begins here is not base64",
        })
    }
}

/// What a file seems to be that is not PEM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookalike {
    /// A certificate or a key in its binary form.
    Der,
    /// A PKCS#12 file, often called `.p12` or `.pfx`.
    Pkcs12,
    /// A key store of Java.
    JavaKeyStore,
    /// Nothing but white space.
    Blank,
    /// Some text.
    Text,
    /// Some bytes.
    Binary,
}

impl Lookalike {
    fn hint(self, file: &TlsFile) -> String {
        let path = file.path.display();
        match (self, file.role) {
            (Self::Der, FileRole::Key) => format!("convert it with `openssl pkey -inform DER -in {path}`"),
            (Self::Der, _) => format!("convert it with `openssl x509 -inform DER -in {path}`"),
            (Self::Pkcs12, FileRole::Key) => {
                format!("take the key out of it with `openssl pkcs12 -nocerts -nodes -in {path}`")
            }
            (Self::Pkcs12, _) => {
                format!("take the certificates out of it with `openssl pkcs12 -nokeys -in {path}`")
            }
            (Self::JavaKeyStore, _) => {
                "make a PKCS#12 file of it with `keytool -importkeystore`, and PEM of that".to_owned()
            }
            (Self::Blank, _) => "was it written to the end? Write to another file and rename that".to_owned(),
            (Self::Text | Self::Binary, _) => {
                "name a PEM file: it has lines such as `-----BEGIN CERTIFICATE-----`".to_owned()
            }
        }
    }
}

impl fmt::Display for Lookalike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Der => "DER",
            Self::Pkcs12 => "a PKCS#12 file",
            Self::JavaKeyStore => "a Java key store",
            Self::Blank => "white space",
            Self::Text => "text",
            Self::Binary => "binary data",
        })
    }
}

/// What a path leads to that is not a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A directory.
    Directory,
    /// A named pipe.
    Pipe,
    /// A socket.
    Socket,
    /// A terminal, a disk or another device.
    Device,
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Directory => "a directory",
            Self::Pipe => "a named pipe",
            Self::Socket => "a socket",
            Self::Device => "a device",
        })
    }
}
