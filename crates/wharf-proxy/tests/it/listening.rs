use std::net::TcpListener;
use std::time::Duration;

use wharf_proxy::server::StartError;
use wharf_proxy::{BindError, Server};

use crate::harness::{Lines, proxy, settings};

#[test]
fn every_worker_listens_on_the_same_port() {
    let proxy = proxy()
        .workers(3)
        .respond("hello", 200, "hello")
        .route("/", "hello")
        .start();
    assert_ne!(proxy.address().port(), 0);
    for _ in 0..20 {
        assert_eq!(proxy.get("/").text(), "hello");
    }
}

#[test]
fn a_port_that_somebody_has_is_refused_by_name() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let (mut config, _) = proxy().config();
    config.listeners[0].bind = taken.local_addr().unwrap();
    let error = Server::bind(&config, &settings(&Lines::default(), Duration::ZERO))
        .err()
        .unwrap();
    assert!(
        matches!(&error, StartError::Bind(BindError::InUse { .. })),
        "{error:?}"
    );
    let expected = format!(
        "listener `web`: {} is in use by another process",
        taken.local_addr().unwrap()
    );
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_port_that_another_proxy_shares_among_its_workers_is_refused_too() {
    let first = proxy()
        .workers(2)
        .respond("hello", 200, "hello")
        .route("/", "hello")
        .start();
    let (mut config, _) = proxy().config();
    config.listeners[0].bind = first.address();
    let error = Server::bind(&config, &settings(&Lines::default(), Duration::ZERO))
        .err()
        .unwrap();
    assert!(
        matches!(error, StartError::Bind(BindError::InUse { .. })),
        "{error:?}"
    );
    assert_eq!(first.get("/").text(), "hello");
}

#[test]
fn a_port_can_be_taken_again_after_its_proxy_has_ended() {
    let mut first = proxy().respond("hello", 200, "hello").route("/", "hello").start();
    // A connection that the server closed leaves its port in TIME_WAIT.
    let mut client = first.connect();
    client
        .send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .response();
    client.expect_close();
    first.drain();
    first.join();
    let (mut config, _) = proxy().config();
    config.listeners[0].bind = first.address();
    let server = Server::bind(&config, &settings(&Lines::default(), Duration::ZERO)).unwrap();
    assert_eq!(server.listeners()[0].address, first.address());
}
