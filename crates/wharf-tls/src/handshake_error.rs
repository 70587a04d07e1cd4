//! Why a connection did not become one with TLS.

use std::fmt;
use std::io;
use std::time::Duration;

use rustls::{AlertDescription, CertificateError};

/// Why a connection did not become one with TLS. Nothing of it is a reason to stop accepting others.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The client does not know that this port speaks TLS. It has been told so in an answer of HTTP.
    #[error("the client sent an HTTP request to an HTTPS port")]
    PlainHttp,
    /// The client's first bytes are neither TLS nor HTTP.
    #[error("the client sent bytes that are not TLS")]
    NotTls,
    /// Clients must show a certificate, and this one has none that the server's CAs issued.
    #[error("the client showed no certificate, and one is required")]
    NoClientCertificate,
    /// The client showed a certificate that is not good enough.
    #[error("the client's certificate was refused: {problem}")]
    BadClientCertificate {
        /// What is wrong with it.
        problem: ClientCertificateProblem,
    },
    /// The client speaks none of the protocols that the server offers (ALPN).
    #[error("the client speaks none of the protocols that are offered")]
    NoSharedProtocol,
    /// The client and the server have no version, cipher suite, group or signature scheme in common.
    #[error("the client offered nothing that this server accepts: {reason}")]
    NoSharedParameters {
        /// The TLS library's word for what is missing.
        reason: String,
    },
    /// The client does not trust the server's certificate.
    #[error("the client refused this server's certificate with the alert {alert}")]
    CertificateRefused {
        /// The name of the alert that it sent.
        alert: String,
    },
    /// The client gave up for a reason of its own.
    #[error("the client broke the handshake off with the alert {alert}")]
    Alert {
        /// The name of the alert that it sent.
        alert: String,
    },
    /// The client does not keep to the rules of TLS.
    #[error("the client did not keep to the rules of TLS: {reason}")]
    Misbehaved {
        /// The TLS library's words.
        reason: String,
    },
    /// The client went away.
    #[error("the client hung up before the handshake was done")]
    HungUp,
    /// The client took too long.
    #[error("the handshake was not done within {limit:?}")]
    TimedOut {
        /// How long it may take.
        limit: Duration,
    },
    /// The network failed.
    #[error("the connection failed during the handshake")]
    Io {
        /// The system's reason.
        source: io::Error,
    },
}

impl HandshakeError {
    /// A word for metrics and logs, which stays the same when the sentence changes.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::PlainHttp => "plain_http",
            Self::NotTls => "not_tls",
            Self::NoClientCertificate => "no_client_certificate",
            Self::BadClientCertificate { .. } => "bad_client_certificate",
            Self::NoSharedProtocol => "no_shared_protocol",
            Self::NoSharedParameters { .. } => "no_shared_parameters",
            Self::CertificateRefused { .. } => "certificate_refused",
            Self::Alert { .. } => "alert",
            Self::Misbehaved { .. } => "misbehaved",
            Self::HungUp => "hung_up",
            Self::TimedOut { .. } => "timed_out",
            Self::Io { .. } => "io",
        }
    }

    /// What to do about it, where somebody wants to.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::PlainHttp => "let the client use `https://`",
            Self::NotTls => {
                "does something else than a client of TLS reach this port, such as a health check or a scan?"
            }
            Self::NoClientCertificate => {
                "give the client a certificate that one of the server's client CAs issued"
            }
            Self::BadClientCertificate { problem } => problem.hint(),
            Self::NoSharedProtocol => "let the client offer `h2` or `http/1.1`, whichever this server has",
            Self::NoSharedParameters { .. } => "let the client speak TLS 1.2 or 1.3 with the usual ciphers",
            Self::CertificateRefused { .. } => {
                "does the client trust the CA of this server's certificate, and call the server by a name in it? For a webhook see its `caBundle`"
            }
            Self::Alert { .. } => "the client's log says why",
            Self::Misbehaved { .. } => {
                "is something between the client and this server that changes the bytes?"
            }
            Self::HungUp => "nothing, unless it happens all the time: clients and health checks do so",
            Self::TimedOut { .. } => "is the client or the network overloaded?",
            Self::Io { .. } => "look at the network between the client and this server",
        }
    }

    /// What the TLS library and the network say, in our words.
    pub(crate) fn of(error: io::Error) -> HandshakeError {
        let by_library = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<rustls::Error>())
            .map(of_library);
        by_library.unwrap_or_else(|| match error.kind() {
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::NotConnected => HandshakeError::HungUp,
            _ => HandshakeError::Io { source: error },
        })
    }
}

fn of_library(error: &rustls::Error) -> HandshakeError {
    use rustls::Error;
    match error {
        Error::NoCertificatesPresented => HandshakeError::NoClientCertificate,
        Error::InvalidCertificate(error) => HandshakeError::BadClientCertificate {
            problem: ClientCertificateProblem::of(error),
        },
        Error::NoApplicationProtocol => HandshakeError::NoSharedProtocol,
        Error::PeerIncompatible(reason) => HandshakeError::NoSharedParameters {
            reason: format!("{reason:?}"),
        },
        Error::AlertReceived(alert) if is_about_certificate(*alert) => HandshakeError::CertificateRefused {
            alert: format!("{alert:?}"),
        },
        Error::AlertReceived(alert) => HandshakeError::Alert {
            alert: format!("{alert:?}"),
        },
        error => HandshakeError::Misbehaved {
            reason: error.to_string(),
        },
    }
}

fn is_about_certificate(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
    )
}

/// What is wrong with a client's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientCertificateProblem {
    /// It does not lead to one of the server's client CAs.
    UnknownIssuer,
    /// Its time is over.
    Expired,
    /// Its time has not come.
    NotYetValid,
    /// It was not issued for clients.
    NotForClients,
    /// A signature is wrong: of the certificate, or by its key.
    BadSignature,
    /// Anything else, in the TLS library's words.
    Other(String),
}

impl ClientCertificateProblem {
    fn of(error: &CertificateError) -> ClientCertificateProblem {
        match error {
            CertificateError::UnknownIssuer => Self::UnknownIssuer,
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Self::NotYetValid,
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                Self::NotForClients
            }
            CertificateError::BadSignature => Self::BadSignature,
            error => Self::Other(error.to_string()),
        }
    }

    const fn hint(&self) -> &'static str {
        match self {
            Self::UnknownIssuer => {
                "is the CA that issued it in the server's client CA file, and does the client send the intermediates?"
            }
            Self::Expired => "let the client renew it",
            Self::NotYetValid => "check the clocks of the client and of this machine",
            Self::NotForClients => "have it issued with the extended key usage `clientAuth`",
            Self::BadSignature => "does the client's key belong to its certificate?",
            Self::Other(_) => "look at the client's certificate with `openssl x509 -text`",
        }
    }
}

impl fmt::Display for ClientCertificateProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::UnknownIssuer => "none of the server's client CAs issued it",
            Self::Expired => "it has expired",
            Self::NotYetValid => "it is not valid yet",
            Self::NotForClients => "it was not issued for clients",
            Self::BadSignature => "a signature is wrong",
            Self::Other(reason) => reason,
        })
    }
}
