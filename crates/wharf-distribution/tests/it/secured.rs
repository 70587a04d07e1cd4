//! Registries with TLS, and proxies on the way to them.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use wharf_distribution::registry::{
    Authority, AuthorityError, HostSettings, Proxies, RegistryClient, RegistryError, RegistrySettings,
};
use wharf_testing::PATIENCE;
use wharf_testing::registry::{IMAGE_MANIFEST, digest_of, image_manifest};

use crate::harness::{Asking, CONFIG};

/// A server with TLS that gives the same manifest to everybody, and its certificate as PEM.
fn secured() -> (SocketAddr, String) {
    let key = KeyPair::generate().unwrap();
    let names = vec!["127.0.0.1".to_owned(), "registry.test".to_owned()];
    let certificate = CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        );
    let config = Arc::new(config.unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let config = Arc::clone(&config);
            thread::spawn(move || serve(stream, config));
        }
    });
    (address, certificate.pem())
}

fn serve(stream: TcpStream, config: Arc<ServerConfig>) {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
    if head(&mut stream).is_none() {
        return;
    }
    let manifest = image_manifest(CONFIG.as_bytes());
    let answer = format!(
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: {IMAGE_MANIFEST}\r\ncontent-length: {}\r\n\r\n{manifest}",
        manifest.len()
    );
    // The client may have gone.
    let _ = stream.write_all(answer.as_bytes());
    stream.conn.send_close_notify();
    let _ = stream.flush();
}

/// Reads the head of a request; none where it does not come.
fn head(stream: &mut impl Read) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    String::from_utf8(head).ok()
}

fn trusting(host: &str, authority: Authority) -> RegistrySettings {
    let settings = HostSettings {
        plain_http: false,
        mirrors: Vec::new(),
        authorities: vec![authority],
    };
    RegistrySettings {
        hosts: BTreeMap::from([(host.parse().unwrap(), settings)]),
        ..RegistrySettings::default()
    }
}

#[tokio::test]
async fn a_private_authority_is_believed_for_its_registry() {
    let (address, pem) = secured();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ca.pem");
    std::fs::write(&file, &pem).unwrap();
    for authority in [Authority::Pem(pem.clone()), Authority::File(file.clone())] {
        let asking = Asking::with(address, trusting(&address.to_string(), authority));
        let manifest = asking.manifest("app:1").await.unwrap();
        assert_eq!(
            manifest.digest.to_string(),
            digest_of(image_manifest(CONFIG.as_bytes()))
        );
    }
    let named = HostSettings::default();
    let unknown = RegistrySettings {
        hosts: BTreeMap::from([(address.to_string().parse().unwrap(), named)]),
        ..RegistrySettings::default()
    };
    let error = Asking::with(address, unknown)
        .manifest("app:1")
        .await
        .unwrap_err();
    assert!(matches!(&error, RegistryError::Tls { .. }), "{error:?}");
    assert!(error.hint().contains("`ca`"), "{}", error.hint());
}

#[tokio::test]
async fn tls_and_plain_http_are_not_taken_for_each_other() {
    let (address, _) = secured();
    let error = Asking::of(address).manifest("app:1").await.unwrap_err();
    assert!(matches!(error, RegistryError::Broken { .. }), "{error:?}");
    let plain = wharf_testing::scripted_origin(|mut conversation| {
        conversation.send("HTTP/1.1 400 Bad Request\r\n\r\n");
        conversation.wait_for_close();
    });
    let settings = RegistrySettings {
        hosts: BTreeMap::from([(
            plain.address().to_string().parse().unwrap(),
            HostSettings::default(),
        )]),
        ..RegistrySettings::default()
    };
    let error = Asking::with(plain.address(), settings)
        .manifest("app:1")
        .await
        .unwrap_err();
    assert!(matches!(error, RegistryError::Tls { .. }), "{error:?}");
}

#[tokio::test]
async fn what_is_no_authority_is_told_when_the_client_is_made() {
    for text in [
        "",
        "hello",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        let made = RegistryClient::new(trusting("registry.test", Authority::Pem(text.into())));
        let error = made.err().expect("there is no certificate");
        assert!(
            matches!(error, AuthorityError::NoCertificate { .. }),
            "{text}: {error}"
        );
    }
    let made = RegistryClient::new(trusting("registry.test", Authority::File("/nowhere.pem".into())));
    let error = made.err().expect("there is no file");
    assert_eq!(
        error.to_string(),
        "the authority of the registry registry.test cannot be read from /nowhere.pem"
    );
}

/// A proxy that leads every tunnel to one address, and tells the heads of the requests that it gets.
fn proxy(to: SocketAddr, answer: &'static str) -> (SocketAddr, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, heads) = channel();
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            client.set_read_timeout(Some(PATIENCE)).unwrap();
            let Some(head) = head(&mut client) else { continue };
            sender.send(head).unwrap();
            client.write_all(answer.as_bytes()).unwrap();
            if answer.contains(" 200 ") {
                let server = TcpStream::connect(to).unwrap();
                let (mut from, mut into) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                thread::spawn(move || std::io::copy(&mut from, &mut into));
                let (mut from, mut into) = (server, client);
                thread::spawn(move || std::io::copy(&mut from, &mut into));
            }
        }
    });
    (address, heads)
}

fn through(proxy: SocketAddr, authority: String) -> RegistrySettings {
    RegistrySettings {
        proxies: Proxies::parse(&format!("http://user:word@{proxy}"), "", ""),
        ..trusting("registry.test:5000", Authority::Pem(authority))
    }
}

#[tokio::test]
async fn a_proxy_is_gone_through() {
    let (address, pem) = secured();
    let (proxy, heads) = proxy(address, "HTTP/1.1 200 OK\r\n\r\n");
    let client = RegistryClient::new(through(proxy, pem)).unwrap();
    let manifest = client
        .manifest(&"registry.test:5000/app:1".parse().unwrap())
        .await
        .unwrap();
    assert_eq!(manifest.text, image_manifest(CONFIG.as_bytes()));
    let head = heads.recv_timeout(PATIENCE).unwrap();
    assert!(
        head.starts_with("CONNECT registry.test:5000 HTTP/1.1\r\n"),
        "{head}"
    );
    assert!(
        head.contains("proxy-authorization: Basic dXNlcjp3b3Jk\r\n"),
        "{head}"
    );
}

#[tokio::test]
async fn a_proxy_that_refuses_is_told() {
    for (answer, word) in [
        ("HTTP/1.1 407 -\r\ncontent-length: 0\r\n\r\n", "credentials"),
        ("HTTP/1.1 403 -\r\ncontent-length: 0\r\n\r\n", "403"),
    ] {
        let (proxy, _heads) = proxy(wharf_testing::refused_address(), answer);
        let client = RegistryClient::new(through(proxy, secured().1)).unwrap();
        let error = client
            .manifest(&"registry.test:5000/app:1".parse().unwrap())
            .await
            .unwrap_err();
        assert!(matches!(error, RegistryError::Proxy { .. }), "{error:?}");
        assert!(error.to_string().contains(word), "{error}");
        assert!(!format!("{error:?}").contains("word"), "{error:?}");
    }
}

#[tokio::test]
async fn no_proxy_is_asked_for_a_clouds_metadata() {
    let (proxy, heads) = proxy(wharf_testing::refused_address(), "HTTP/1.1 403 -\r\n\r\n");
    let client = RegistryClient::new(through(proxy, secured().1)).unwrap();
    for host in ["169.254.169.254", "metadata.google.internal"] {
        let error = client
            .manifest(&format!("{host}/app:1").parse().unwrap())
            .await
            .unwrap_err();
        assert!(
            matches!(error, RegistryError::ForbiddenAddress { .. }),
            "{error:?}"
        );
    }
    assert!(heads.try_recv().is_err());
}
