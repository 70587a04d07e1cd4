//! TLS for servers: a certificate with its key, the CAs of clients, and their reload under running listeners.
//!
//! ```no_run
//! # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
//! use wharf_tls::{AlpnProtocol, ServerTls, ServerTlsSettings};
//!
//! let settings = ServerTlsSettings {
//!     alpn: vec![AlpnProtocol::H2, AlpnProtocol::Http11],
//!     ..ServerTlsSettings::new("tls.crt", "tls.key")
//! };
//! let tls = ServerTls::load(settings)?;
//! let _watcher = tls.watch(wharf_tls::WATCH_INTERVAL, |_report| {})?;
//! let acceptor = tls.acceptor();
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8443").await?;
//! loop {
//!     let (stream, _) = listener.accept().await?;
//!     match acceptor.accept(stream).await {
//!         Ok(stream) => println!("{:?}", stream.peer()),
//!         Err(error) => println!("{error}; {}", error.hint()),
//!     }
//! }
//! # }
//! ```
//!
//! # What is spoken
//! TLS 1.3 and TLS 1.2, or 1.3 alone ([`ServerTlsSettings::minimum_version`]), with the cipher suites and groups that rustls
//! chooses; there is nothing older to turn on. No early data, no renegotiation, no compression. Clients may resume with what this
//! process remembers of them, but never across a reload, and never where they show certificates: those would not be looked at
//! again.
//!
//! The cryptography is `ring`: it needs a C compiler and nothing else, and is the smaller of the two that rustls supports; the
//! other one, `aws-lc-rs`, brings the whole of AWS-LC. What `ring` has not: P-521 keys, and the key exchange of X25519 with
//! ML-KEM that also resists quantum computers.
//!
//! # What is read
//! PEM files. The certificate file has the server's certificate first and then those that lead to a root; the key is PKCS#8,
//! PKCS#1 or SEC1, not encrypted: RSA of 2048 bits or more, ECDSA on P-256 or P-384, or Ed25519. Sections of other kinds are
//! passed over, so that one file may hold both. Where [`ServerTlsSettings::client_ca`] is set, each client must show a
//! certificate for client authentication that leads to one of its CAs. There are no revocation lists.
//!
//! # Reload
//! [`ServerTls::watch`] reads the files every [`WATCH_INTERVAL`] and compares their contents, not their times, so that a rename,
//! a write in place and the swap of a symbolic link are all seen, on every file system. New contents are taken when two looks
//! [`SETTLE`] apart saw the same and everything fits together; certificate, key and client CAs always change together. What does
//! not fit is not taken: the old ones go on serving, each reason is logged once, and the next look tries again. A connection
//! keeps what it began with. A handshake takes no lock.
//!
//! # Limits
//! | what | limit |
//! |---|---|
//! | a file | [`MOST_BYTES`] |
//! | a handshake, from the accepted connection on | [`HANDSHAKE_TIMEOUT`], or [`TlsAcceptor::with_handshake_timeout`] |
//! | names kept of a client's certificate for the log | 16, each of 256 characters |
//! | subjects of CAs that are named to clients | 16 KiB together; none are named where there are more |

mod accept;
mod certificate;
mod error;
mod files;
mod first_bytes;
mod handshake_error;
mod loaded;
mod peer;
mod pem;
mod server;
mod settings;
mod store;
mod stream;
mod timestamp;
mod told;
mod warning;
mod watch;

pub use accept::{HANDSHAKE_TIMEOUT, TlsAcceptor};
pub use certificate::{Certificate, Fingerprint, Validity};
pub use error::{FileKind, LoadError, Lookalike, PemProblem};
pub use files::{FileRole, MOST_BYTES, TlsFile};
pub use handshake_error::{ClientCertificateProblem, HandshakeError};
pub use peer::PeerInfo;
pub use server::{Failure, ReloadReport, ServerTls, Status};
pub use settings::{AlpnProtocol, ServerTlsSettings, TlsVersion};
pub use stream::TlsStream;
pub use timestamp::Timestamp;
pub use warning::Warning;
pub use watch::{SETTLE, WATCH_INTERVAL, Watcher};
