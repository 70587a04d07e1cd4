//! What a server's TLS is made of.

use std::fmt;
use std::path::PathBuf;

use rustls::SupportedProtocolVersion;

/// Where a server's certificate is, and what is spoken with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerTlsSettings {
    /// The PEM file of the certificate chain, the server's own certificate first.
    pub certificate: PathBuf,
    /// The PEM file of the key of the first certificate. It may be the same file.
    pub key: PathBuf,
    /// The PEM files of the CAs whose clients are let in. Where there are some, a client without a certificate is refused.
    pub client_ca: Vec<PathBuf>,
    /// The protocols that are offered, the preferred one first. Where it is empty, none is chosen, and a client that
    /// asks for one gets no answer about it.
    pub alpn: Vec<AlpnProtocol>,
    /// The oldest version that is spoken; TLS 1.2 by default.
    pub minimum_version: TlsVersion,
}

impl ServerTlsSettings {
    /// Any client may come, no protocol is named, and TLS 1.2 is the oldest version.
    pub fn new(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> ServerTlsSettings {
        ServerTlsSettings {
            certificate: certificate.into(),
            key: key.into(),
            client_ca: Vec::new(),
            alpn: Vec::new(),
            minimum_version: TlsVersion::Tls12,
        }
    }
}

/// A protocol that is spoken inside of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlpnProtocol {
    /// HTTP/2, `h2`.
    H2,
    /// HTTP/1.1, `http/1.1`.
    Http11,
}

impl AlpnProtocol {
    /// Its name as it is registered and sent.
    pub const fn name(self) -> &'static str {
        match self {
            Self::H2 => "h2",
            Self::Http11 => "http/1.1",
        }
    }

    pub(crate) fn of(name: &[u8]) -> Option<AlpnProtocol> {
        [Self::H2, Self::Http11]
            .into_iter()
            .find(|protocol| protocol.name().as_bytes() == name)
    }
}

impl fmt::Display for AlpnProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The newest one first.
static ALL_VERSIONS: [&SupportedProtocolVersion; 2] = [&rustls::version::TLS13, &rustls::version::TLS12];

/// A version of TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// TLS 1.2.
    #[default]
    Tls12,
    /// TLS 1.3.
    Tls13,
}

impl TlsVersion {
    /// This version and all newer ones.
    pub(crate) fn and_newer(self) -> &'static [&'static SupportedProtocolVersion] {
        match self {
            Self::Tls12 => &ALL_VERSIONS,
            Self::Tls13 => &ALL_VERSIONS[..1],
        }
    }
}

impl fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Tls12 => "TLS 1.2",
            Self::Tls13 => "TLS 1.3",
        })
    }
}
