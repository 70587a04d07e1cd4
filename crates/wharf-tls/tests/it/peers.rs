//! A server that sends back what it gets, and its clients.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, HandshakeKind, RootCertStore, SupportedProtocolVersion};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use wharf_tls::{HandshakeError, PeerInfo, TlsAcceptor};

use crate::pki::{Ca, Identity};

/// What came of a connection, as the server saw it.
pub(crate) type Outcome = Result<PeerInfo, HandshakeError>;

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    outcomes: UnboundedReceiver<Outcome>,
}

impl Server {
    /// Serves on this runtime until that ends.
    pub(crate) async fn start(acceptor: TlsAcceptor) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (report, outcomes) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (acceptor, report) = (acceptor.clone(), report.clone());
                tokio::spawn(async move {
                    let accepted = acceptor.accept(stream).await;
                    let stream = match accepted {
                        Ok(stream) => stream,
                        Err(error) => return report.send(Err(error)).unwrap_or_default(),
                    };
                    report.send(Ok(stream.peer().clone())).unwrap_or_default();
                    echo(stream).await;
                });
            }
        });
        Server { address, outcomes }
    }

    pub(crate) async fn outcome(&mut self) -> Outcome {
        self.outcomes.recv().await.unwrap()
    }

    pub(crate) async fn peer(&mut self) -> PeerInfo {
        self.outcome().await.unwrap()
    }

    pub(crate) async fn error(&mut self) -> HandshakeError {
        self.outcome().await.unwrap_err()
    }
}

async fn echo(stream: wharf_tls::TlsStream<TcpStream>) {
    let (mut reader, mut writer) = tokio::io::split(stream);
    // A client that goes away ends it.
    let _ = tokio::io::copy(&mut reader, &mut writer).await;
    let _ = writer.shutdown().await;
}

#[derive(Clone)]
pub(crate) struct Client {
    config: ClientConfig,
}

impl Client {
    /// A client that trusts this CA and has no certificate.
    pub(crate) fn trusting(ca: &Ca) -> Client {
        Client::speaking(ca, rustls::ALL_VERSIONS, None)
    }

    pub(crate) fn speaking(
        ca: &Ca,
        versions: &[&'static SupportedProtocolVersion],
        identity: Option<&Identity>,
    ) -> Client {
        let mut roots = RootCertStore::empty();
        roots.add(ca.der.clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots);
        let config = match identity {
            // Without a look at whether the key fits: a thief would not look either.
            Some(identity) => builder.with_client_cert_resolver(Arc::new(identity.certified())),
            None => builder.with_no_client_auth(),
        };
        Client { config }
    }

    pub(crate) fn identified(ca: &Ca, identity: &Identity) -> Client {
        Client::speaking(ca, rustls::ALL_VERSIONS, Some(identity))
    }

    pub(crate) fn offering(mut self, protocols: &[&str]) -> Client {
        self.config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        self
    }

    pub(crate) async fn connect(&self, address: SocketAddr) -> io::Result<Connection> {
        let stream = self.over(TcpStream::connect(address).await?).await?;
        Ok(Connection { stream })
    }

    pub(crate) async fn over<IO: AsyncRead + AsyncWrite + Unpin>(&self, io: IO) -> io::Result<TlsStream<IO>> {
        let name = ServerName::try_from("localhost").unwrap();
        let connector = TlsConnector::from(Arc::new(self.config.clone()));
        connector.connect(name, io).await
    }
}

#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) stream: TlsStream<TcpStream>,
}

impl Connection {
    /// The server's certificate.
    pub(crate) fn certificate(&self) -> &CertificateDer<'static> {
        &self.stream.get_ref().1.peer_certificates().unwrap()[0]
    }

    pub(crate) fn was_resumed(&self) -> bool {
        self.stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// Sends a text and gets it back.
    pub(crate) async fn echo(&mut self, text: &str) -> io::Result<()> {
        self.stream.write_all(text.as_bytes()).await?;
        self.stream.flush().await?;
        let mut answer = vec![0; text.len()];
        self.stream.read_exact(&mut answer).await?;
        assert_eq!(answer, text.as_bytes());
        Ok(())
    }
}
