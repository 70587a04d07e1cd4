use std::sync::Mutex;
use std::sync::mpsc;
use std::time::Duration;

use wharf_testing::{connect, origin, scripted_origin};

use crate::harness::{proxy, proxy_to};

#[test]
fn idle_connections_are_closed_and_new_ones_are_not_accepted() {
    let app = origin().route("/", "ok").start();
    let mut proxy = proxy()
        .workers(2)
        .upstream("app", &[app.address()])
        .route("/", "app")
        .start();
    let mut kept = proxy.connect();
    assert_eq!(kept.get("/").text(), "ok");
    let mut fresh = proxy.connect();
    let mut half = proxy.connect();
    half.send("GET / HTTP/1.1\r\n");
    proxy.eventually_counts("wharf_connections_active{listener=\"web\"} 3");
    proxy.drain();
    kept.expect_close();
    fresh.expect_close();
    half.expect_close();
    let address = proxy.address();
    proxy.join();
    assert!(
        std::net::TcpStream::connect(address).is_err(),
        "nobody listens any more"
    );
    assert_eq!(proxy.log(1)[0]["status"], 200);
}

#[test]
fn requests_in_flight_are_finished_and_their_clients_told_to_close() {
    let (told, in_flight) = mpsc::channel();
    let (go_on, gate) = mpsc::channel::<()>();
    let (told, gate) = (Mutex::new(told), Mutex::new(gate));
    let app = scripted_origin(move |mut conversation| {
        conversation.request();
        told.lock().unwrap().send(()).unwrap();
        gate.lock().unwrap().recv().unwrap();
        conversation.send("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nwhole");
        conversation.wait_for_close();
    });
    let mut proxy = proxy_to(app.address());
    let mut client = proxy.connect();
    client.request("GET", "/");
    in_flight.recv().unwrap();
    proxy.drain();
    // The worker has stopped accepting when it has been told; then the origin answers.
    wharf_testing::eventually("the port is closed", || {
        std::net::TcpStream::connect(proxy.address()).is_err()
    });
    go_on.send(()).unwrap();
    let response = client.response();
    assert_eq!(
        (response.text(), response.header("connection")),
        ("whole", Some("close"))
    );
    client.expect_close();
    proxy.join();
    assert_eq!(proxy.only_log_line()["status"], 200);
}

#[test]
fn what_does_not_end_within_the_drain_timeout_is_broken_off_and_logged() {
    let (told, in_flight) = mpsc::channel();
    let told = Mutex::new(told);
    let app = scripted_origin(move |mut conversation| {
        conversation.request();
        told.lock().unwrap().send(()).unwrap();
        assert!(conversation.wait_for_close());
    });
    let mut proxy = proxy()
        .upstream("app", &[app.address()])
        .route("/", "app")
        .drain_timeout(Duration::from_millis(50))
        .start();
    let mut client = proxy.connect();
    client.request("GET", "/");
    in_flight.recv().unwrap();
    proxy.drain();
    proxy.join();
    client.expect_close();
    assert_eq!(proxy.only_log_line()["status"], serde_json::Value::Null);
}

#[test]
fn dropping_a_server_stops_it_at_once() {
    let app = origin().route("/", "ok").start();
    let proxy = proxy_to(app.address());
    let address = proxy.address();
    let mut client = connect(address);
    assert_eq!(client.get("/").text(), "ok");
    drop(proxy);
    client.expect_close();
    assert!(std::net::TcpStream::connect(address).is_err());
}
