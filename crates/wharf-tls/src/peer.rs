//! What is known of a client after the handshake.

use rustls::{ProtocolVersion, ServerConnection};

use crate::certificate::Certificate;
use crate::settings::{AlpnProtocol, TlsVersion};

/// What is known of a client after the handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerInfo {
    /// The version that is spoken.
    pub version: TlsVersion,
    /// The protocol that was chosen by ALPN; `None` where the client or the server named none, which for HTTP means 1.1.
    pub protocol: Option<AlpnProtocol>,
    /// The name that the client called the server by (SNI).
    pub server_name: Option<String>,
    /// The client's certificate, which one of the client CAs vouches for. For the log: names are cut and escaped.
    pub client: Option<Certificate>,
}

impl PeerInfo {
    pub(crate) fn of(connection: &ServerConnection) -> PeerInfo {
        let is_tls13 = connection.protocol_version() == Some(ProtocolVersion::TLSv1_3);
        let client = connection.peer_certificates().and_then(|chain| chain.first());
        PeerInfo {
            version: if is_tls13 {
                TlsVersion::Tls13
            } else {
                TlsVersion::Tls12
            },
            protocol: connection.alpn_protocol().and_then(AlpnProtocol::of),
            server_name: connection.server_name().map(str::to_owned),
            client: client.map(|der| Certificate::of(der)),
        }
    }
}
