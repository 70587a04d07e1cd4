//! Handshakes that succeed, and those that fail with a reason.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wharf_tls::{AlpnProtocol, HandshakeError, ServerTls, TlsVersion};

use crate::peers::{Client, Server};
use crate::pki::Ca;
use crate::site::Site;

/// A limit for clients that keep the server waiting, so that the test does not.
const SHORT: Duration = Duration::from_millis(30);

struct World {
    ca: Ca,
    tls: ServerTls,
    server: Server,
}

async fn world() -> World {
    world_with(|_| {}).await
}

async fn world_with(change: impl FnOnce(&mut Site)) -> World {
    let ca = Ca::new("CA");
    let mut site = Site::of(&ca.server());
    change(&mut site);
    let tls = site.load();
    let server = Server::start(tls.acceptor()).await;
    World { ca, tls, server }
}

/// Sends bytes and gives all that comes back.
async fn send_raw(server: &Server, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn the_protocol_is_the_servers_first_choice_among_the_clients() {
    let mut world = world().await;
    for (offered, expected) in [
        (&["http/1.1", "h2"][..], Some(AlpnProtocol::H2)),
        (&["h2"], Some(AlpnProtocol::H2)),
        (&["http/1.1"], Some(AlpnProtocol::Http11)),
        (&["h3", "http/1.1"], Some(AlpnProtocol::Http11)),
        (&[], None),
    ] {
        let client = Client::trusting(&world.ca).offering(offered);
        let mut connection = client.connect(world.server.address).await.unwrap();
        connection.echo("hello").await.unwrap();
        let peer = world.server.peer().await;
        assert_eq!(peer.protocol, expected, "{offered:?}");
        assert_eq!(peer.version, TlsVersion::Tls13);
        assert_eq!(peer.server_name.as_deref(), Some("localhost"));
        assert_eq!(peer.client, None);
        let chosen = connection.stream.get_ref().1.alpn_protocol();
        assert_eq!(chosen, expected.map(|protocol| protocol.name().as_bytes()));
    }
}

#[tokio::test]
async fn a_server_without_protocols_names_none() {
    let mut world = world_with(|site| site.settings.alpn.clear()).await;
    let client = Client::trusting(&world.ca).offering(&["h2"]);
    let connection = client.connect(world.server.address).await.unwrap();
    assert_eq!(connection.stream.get_ref().1.alpn_protocol(), None);
    assert_eq!(world.server.peer().await.protocol, None);
}

#[tokio::test]
async fn a_client_with_other_protocols_is_refused() {
    let mut world = world().await;
    let client = Client::trusting(&world.ca).offering(&["h3"]);
    client.connect(world.server.address).await.unwrap_err();
    let error = world.server.error().await;
    assert!(matches!(error, HandshakeError::NoSharedProtocol), "{error:?}");
}

#[tokio::test]
async fn old_clients_are_served_unless_the_settings_say_otherwise() {
    let mut lenient = world().await;
    let client = Client::speaking(&lenient.ca, &[&rustls::version::TLS12], None);
    let mut connection = client.connect(lenient.server.address).await.unwrap();
    connection.echo("hello").await.unwrap();
    assert_eq!(lenient.server.peer().await.version, TlsVersion::Tls12);

    let mut strict = world_with(|site| site.settings.minimum_version = TlsVersion::Tls13).await;
    let client = Client::speaking(&strict.ca, &[&rustls::version::TLS12], None);
    client.connect(strict.server.address).await.unwrap_err();
    let error = strict.server.error().await;
    assert!(
        matches!(error, HandshakeError::NoSharedParameters { .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn much_data_goes_through() {
    let world = world().await;
    let mut connection = Client::trusting(&world.ca)
        .connect(world.server.address)
        .await
        .unwrap();
    for length in [0, 1, 16_384, 16_385] {
        connection.echo(&"x".repeat(length)).await.unwrap();
    }
    let sent: Vec<u8> = (0..3_000_000u32).map(|i| (i % 251) as u8).collect();
    let (mut reader, mut writer) = tokio::io::split(connection.stream);
    let mut received = vec![0; sent.len()];
    let (written, read) = tokio::join!(
        async {
            writer.write_all(&sent).await?;
            writer.shutdown().await
        },
        reader.read_exact(&mut received),
    );
    written.unwrap();
    read.unwrap();
    assert!(sent == received);
    assert_eq!(
        reader.read(&mut [0]).await.unwrap(),
        0,
        "the server says that it has ended"
    );
}

#[tokio::test]
async fn a_client_that_does_not_trust_the_server_says_so() {
    let mut world = world().await;
    let client = Client::trusting(&Ca::new("another"));
    client.connect(world.server.address).await.unwrap_err();
    match world.server.error().await {
        HandshakeError::CertificateRefused { alert } => assert_eq!(alert, "UnknownCA"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn plain_http_is_answered_in_http() {
    let mut world = world().await;
    for request in [
        "GET / HTTP/1.1\r\nhost: localhost\r\n\r\n",
        "POST /validate/a-policy-with-a-long-name HTTP/1.1\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "DELETE ",
    ] {
        let answer = String::from_utf8(send_raw(&world.server, request.as_bytes()).await).unwrap();
        assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
        assert!(answer.ends_with("use https://\n"), "{answer}");
        let error = world.server.error().await;
        assert!(matches!(error, HandshakeError::PlainHttp), "{error:?}");
        assert_eq!(
            error.to_string(),
            "the client sent an HTTP request to an HTTPS port"
        );
    }
}

#[tokio::test]
async fn a_request_without_end_is_not_read_for_ever() {
    let mut world = world().await;
    let mut stream = TcpStream::connect(world.server.address).await.unwrap();
    stream.write_all(b"POST / HTTP/1.1\r\n\r\n").await.unwrap();
    // Ends when the server has had enough and closes.
    while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
    let error = world.server.error().await;
    assert!(matches!(error, HandshakeError::PlainHttp), "{error:?}");
}

#[tokio::test]
async fn what_is_neither_tls_nor_http_is_refused() {
    let mut world = world().await;
    for bytes in [
        &b"\0"[..],
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"get / http/1.1\r\n",
        b"\x80\x2e\x01\x03\x01",
        b"PROXY-BUT-NOT-A-METHOD",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    ] {
        let mut stream = TcpStream::connect(world.server.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let error = world.server.error().await;
        assert!(matches!(error, HandshakeError::NotTls), "{bytes:?}: {error:?}");
    }
}

#[tokio::test]
async fn what_only_begins_as_tls_is_refused() {
    let mut world = world().await;
    let mut oversized = vec![0x16, 3, 1, 0xff, 0xff];
    oversized.resize(70_000, 0);
    for bytes in [
        // A record of the type handshake that has no handshake message.
        b"\x16\x03\x01\x00\x05\xff\xff\xff\xff\xff".to_vec(),
        b"\x16\x00\x00\x00\x00\x00\x00\x00".to_vec(),
        b"\x16GET / HTTP/1.1\r\n\r\n".to_vec(),
        oversized,
    ] {
        let mut stream = TcpStream::connect(world.server.address).await.unwrap();
        // The server may close before it has read all.
        let _ = stream.write_all(&bytes).await;
        let error = world.server.error().await;
        assert!(matches!(error, HandshakeError::Misbehaved { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn clients_that_hang_up_are_told_from_those_that_misbehave() {
    let mut world = world().await;
    for bytes in [&b""[..], b"G", b"\x16", b"\x16\x03\x01\x02\x00\x01"] {
        let mut stream = TcpStream::connect(world.server.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        drop(stream);
        let error = world.server.error().await;
        assert!(matches!(error, HandshakeError::HungUp), "{bytes:?}: {error:?}");
    }
}

#[tokio::test]
async fn clients_that_stall_are_left() {
    let world = world().await;
    let acceptor = world.tls.acceptor().with_handshake_timeout(SHORT);
    let mut server = Server::start(acceptor).await;
    for bytes in [
        &b""[..],
        b"G",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
    ] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let error = server.error().await;
        match error {
            // It has its answer, whether it goes or not.
            HandshakeError::PlainHttp => assert!(bytes.starts_with(b"GET")),
            HandshakeError::TimedOut { limit } => assert_eq!(limit, SHORT),
            other => panic!("{bytes:?}: {other:?}"),
        }
        drop(stream);
    }
}

#[tokio::test]
async fn a_limit_beyond_measure_is_no_panic() {
    let world = world().await;
    let acceptor = world.tls.acceptor().with_handshake_timeout(Duration::MAX);
    let server = Server::start(acceptor).await;
    let mut connection = Client::trusting(&world.ca).connect(server.address).await.unwrap();
    connection.echo("hello").await.unwrap();
}

#[tokio::test]
async fn a_handshake_in_very_small_pieces_succeeds() {
    let world = world().await;
    let acceptor = world.tls.acceptor();
    // Less than a record of 6 bytes would make both wait for the other to read.
    let (client_end, server_end) = tokio::io::duplex(8);
    let served = tokio::spawn(async move {
        let mut stream = acceptor.accept(server_end).await.unwrap();
        let mut received = [0; 5];
        stream.read_exact(&mut received).await.unwrap();
        stream.write_all(&received).await.unwrap();
        stream.shutdown().await.unwrap();
    });
    let stream = Client::trusting(&world.ca).over(client_end).await.unwrap();
    // The server sends its tickets for resumption before it reads on, so the client must listen while it speaks.
    let (mut reader, mut writer) = tokio::io::split(stream);
    let mut answer = Vec::new();
    let speak = async {
        writer.write_all(b"hello").await?;
        writer.flush().await
    };
    let (spoken, heard) = tokio::join!(speak, reader.read_to_end(&mut answer));
    spoken.unwrap();
    heard.unwrap();
    assert_eq!(answer, b"hello");
    served.await.unwrap();
}

#[tokio::test]
async fn a_connection_that_is_cut_is_not_taken_for_one_that_ends() {
    let world = world().await;
    let acceptor = world.tls.acceptor();
    let (client_end, server_end) = tokio::io::duplex(64 * 1024);
    let served = tokio::spawn(async move {
        let mut stream = acceptor.accept(server_end).await.unwrap();
        stream.write_all(b"!").await.unwrap();
        stream.flush().await.unwrap();
        let mut received = Vec::new();
        let error = stream.read_to_end(&mut received).await.unwrap_err();
        (received, error.kind())
    });
    let mut stream = Client::trusting(&world.ca).over(client_end).await.unwrap();
    // The server is done with its handshake when this comes.
    stream.read_exact(&mut [0]).await.unwrap();
    stream.write_all(b"half a mess").await.unwrap();
    stream.flush().await.unwrap();
    drop(stream);
    let (received, kind) = served.await.unwrap();
    assert_eq!(received, b"half a mess");
    assert_eq!(kind, io::ErrorKind::UnexpectedEof);
}

#[test]
fn each_error_has_a_word_and_a_hint_of_its_own() {
    let errors = [
        HandshakeError::PlainHttp,
        HandshakeError::NotTls,
        HandshakeError::NoClientCertificate,
        HandshakeError::BadClientCertificate {
            problem: wharf_tls::ClientCertificateProblem::Expired,
        },
        HandshakeError::NoSharedProtocol,
        HandshakeError::NoSharedParameters {
            reason: String::new(),
        },
        HandshakeError::CertificateRefused { alert: String::new() },
        HandshakeError::Alert { alert: String::new() },
        HandshakeError::Misbehaved {
            reason: String::new(),
        },
        HandshakeError::HungUp,
        HandshakeError::TimedOut { limit: SHORT },
        HandshakeError::Io {
            source: io::Error::other("x"),
        },
    ];
    let documented = include_str!("../../../../docs/tls.md");
    for error in errors {
        let word = format!("| `{}` |", error.kind());
        assert!(documented.contains(&word), "docs/tls.md has no {word}");
        assert!(!error.hint().is_empty());
    }
}
