//! Connections while files change.

use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread;

use rustls::pki_types::CertificateDer;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use wharf_tls::{ClientCertificateProblem, HandshakeError, ReloadReport};

use crate::peers::{Client, Server};
use crate::pki::{Ca, Identity};
use crate::site::{Site, look_twice, reload};

/// A connection that was there before goes on, and the next one gets the new certificate.
async fn rotates(site: &Site, ca: &Ca, old: &Identity, new: &Identity, change: impl FnOnce()) {
    let tls = site.load();
    let server = Server::start(tls.acceptor()).await;
    let client = Client::trusting(ca);
    let mut running = client.connect(server.address).await.unwrap();
    running.echo("before").await.unwrap();
    assert_eq!(running.certificate(), &old.der);

    change();
    let mut next = client.connect(server.address).await.unwrap();
    assert_eq!(next.certificate(), &old.der, "nobody has looked yet");
    reload(&tls);

    for connection in [&mut running, &mut next] {
        connection.echo("after").await.unwrap();
    }
    let mut fresh = Client::trusting(ca).connect(server.address).await.unwrap();
    fresh.echo("new").await.unwrap();
    assert_eq!(fresh.certificate(), &new.der);
    // Also for a client that could resume.
    let mut again = client.connect(server.address).await.unwrap();
    again.echo("again").await.unwrap();
    assert_eq!(again.certificate(), &new.der);
    assert!(!again.was_resumed());
    running.echo("still there").await.unwrap();
}

#[tokio::test]
async fn a_rename_is_taken() {
    let ca = Ca::new("CA");
    let (old, new) = (ca.server(), ca.server());
    let site = Site::of(&old);
    rotates(&site, &ca, &old, &new, || site.rename(&new)).await;
}

#[tokio::test]
async fn a_write_in_place_is_taken() {
    let ca = Ca::new("CA");
    let (old, new) = (ca.server(), ca.server());
    let site = Site::of(&old);
    rotates(&site, &ca, &old, &new, || site.write(&new)).await;
}

#[tokio::test]
async fn a_swapped_link_is_taken() {
    let ca = Ca::new("CA");
    let (old, new) = (ca.server(), ca.server());
    let site = Site::empty();
    site.swap("..2026_01_01", &old);
    rotates(&site, &ca, &old, &new, || {
        site.swap("..2026_01_02", &new);
        // As the kubelet does, once the new version is in place.
        std::fs::remove_dir_all(site.path("..2026_01_01")).unwrap();
    })
    .await;
}

#[tokio::test]
async fn files_that_cannot_be_used_change_nothing_for_clients() {
    let ca = Ca::new("CA");
    let (old, new) = (ca.server(), ca.server());
    let site = Site::of(&old);
    let tls = site.load();
    let server = Server::start(tls.acceptor()).await;
    site.write_key(&new.key_pem);
    assert!(matches!(look_twice(&tls), ReloadReport::Refused(_)));
    let mut connection = Client::trusting(&ca).connect(server.address).await.unwrap();
    connection.echo("hello").await.unwrap();
    assert_eq!(connection.certificate(), &old.der);
}

#[tokio::test]
async fn client_cas_are_rotated_too() {
    let server_ca = Ca::new("server CA");
    let (old, new) = (Ca::new("old"), Ca::new("new"));
    let (old_client, new_client) = (
        Client::identified(&server_ca, &old.client("a")),
        Client::identified(&server_ca, &new.client("b")),
    );
    let site = Site::mutual(&server_ca.server(), &[&old]);
    let tls = site.load();
    let mut server = Server::start(tls.acceptor()).await;
    let mut running = old_client.connect(server.address).await.unwrap();
    running.echo("before").await.unwrap();
    server.peer().await;
    let _ = new_client.connect(server.address).await;
    assert_unknown(&server.error().await);

    // First both, then the new one alone.
    site.write_cas(&[&old, &new]);
    reload(&tls);
    for client in [&old_client, &new_client] {
        let mut connection = client.connect(server.address).await.unwrap();
        connection.echo("both").await.unwrap();
        assert!(
            !connection.was_resumed(),
            "each handshake looks at the certificate"
        );
        server.peer().await;
    }
    site.write_cas(&[&new]);
    reload(&tls);
    let names: Vec<_> = tls
        .status()
        .client_cas
        .into_iter()
        .map(|ca| ca.common_name)
        .collect();
    assert_eq!(names, [Some("new".to_owned())]);
    let _ = old_client.connect(server.address).await;
    assert_unknown(&server.error().await);
    running.echo("a running connection goes on").await.unwrap();
}

#[track_caller]
fn assert_unknown(error: &HandshakeError) {
    let HandshakeError::BadClientCertificate { problem } = error else {
        panic!("{error:?}");
    };
    assert_eq!(problem, &ClientCertificateProblem::UnknownIssuer);
}

#[tokio::test]
async fn sessions_are_resumed_until_a_reload_and_never_with_client_certificates() {
    let ca = Ca::new("CA");
    let site = Site::of(&ca.server());
    let tls = site.load();
    let server = Server::start(tls.acceptor()).await;
    for version in rustls::ALL_VERSIONS {
        let client = Client::speaking(&ca, &[version], None);
        for expected in [false, true] {
            let mut connection = client.connect(server.address).await.unwrap();
            connection.echo("hello").await.unwrap();
            assert_eq!(connection.was_resumed(), expected);
        }
        site.write(&ca.server());
        reload(&tls);
        let mut connection = client.connect(server.address).await.unwrap();
        connection.echo("hello").await.unwrap();
        assert!(!connection.was_resumed());
    }

    let server = Server::start(Site::mutual(&ca.server(), &[&ca]).load().acceptor()).await;
    for version in rustls::ALL_VERSIONS {
        let client = Client::speaking(&ca, &[version], Some(&ca.client("a")));
        for _ in 0..3 {
            let mut connection = client.connect(server.address).await.unwrap();
            connection.echo("hello").await.unwrap();
            assert!(!connection.was_resumed());
        }
    }
}

/// 200 clients connect at once, over and over, while another thread changes the files as often as it can.
#[test]
fn hammer_handshakes_during_reloads() {
    let ca = Ca::new("CA");
    let versions = [ca.server(), ca.server()];
    let site = Site::of(&versions[0]);
    let tls = site.load();
    let client = Client::trusting(&ca);
    let (stop, stopped) = oneshot::channel::<()>();
    let (tell_address, address) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(|| {
            runtime().block_on(async {
                let server = Server::start(tls.acceptor()).await;
                tell_address.send(server.address).unwrap();
                let _ = stopped.await;
            });
        });
        let address = address.recv().unwrap();
        let changes = scope.spawn(|| {
            for round in 0..30 {
                site.rename(&versions[(round + 1) % 2]);
                reload(&tls);
            }
        });
        let last_round = runtime().block_on(async {
            loop {
                let is_last = changes.is_finished();
                let certificates = connect_at_once(&client, address, 200).await;
                for certificate in &certificates {
                    assert!(versions.iter().any(|version| &version.der == certificate));
                }
                if is_last {
                    return certificates;
                }
            }
        });
        assert!(
            last_round
                .iter()
                .all(|certificate| certificate == &versions[0].der)
        );
        drop(stop);
    });
    let status = tls.status();
    assert_eq!((status.reloads, status.refusals), (30, 0));
}

/// The certificates that so many connections got, each of which was used.
async fn connect_at_once(client: &Client, address: SocketAddr, count: usize) -> Vec<CertificateDer<'static>> {
    let mut connections = JoinSet::new();
    for _ in 0..count {
        let client = client.clone();
        connections.spawn(async move {
            let mut connection = client.connect(address).await.unwrap();
            connection.echo("hello").await.unwrap();
            connection.certificate().clone()
        });
    }
    connections.join_all().await
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}
