//! A trap in every callback of a stream, with either policy. After each the VM is built anew, and the next request is
//! served.

use std::sync::{Mutex, mpsc};

use serde_json::json;
use wharf_testing::{Client, Origin, eventually, scripted_origin};

use crate::harness::config;
use crate::process::Wharf;

/// Reads the whole of each request. Then it answers with a body and a trailer, the head first, and the rest when it
/// is told that the client has the head; `/trap-on-response-headers` gets all at once.
fn origin() -> (Origin, mpsc::Sender<()>) {
    let (client_has_the_head, told) = mpsc::channel::<()>();
    let told = Mutex::new(told);
    let origin = scripted_origin(move |mut conversation| {
        while let Some(request) = conversation.request() {
            conversation.send("HTTP/1.1 200 OK\r\ntrailer: x-end\r\ntransfer-encoding: chunked\r\n\r\n");
            if in_the_response(&request.target) {
                told.lock()
                    .expect("no script panics")
                    .recv()
                    .expect("the test tells it");
            }
            conversation.send("5\r\nhello\r\n0\r\nx-end: yes\r\n\r\n");
        }
    });
    (origin, client_has_the_head)
}

/// Whether the trap comes after the response's headers have left.
fn in_the_response(target: &str) -> bool {
    matches!(target, "/trap-on-response-body" | "/trap-on-response-trailers")
}

fn serve(origin: &Origin, on_fault: &str) -> Wharf {
    config()
        .plugin("trap", "wat/trap.wat", &format!("onFault: {on_fault}"))
        .route("/", &["trap"], "app")
        .upstream("app", origin.address())
        .start()
}

fn send(client: &mut Client, target: &str) {
    client.send(format!(
        "POST {target} HTTP/1.1\r\nHost: test\r\nTE: trailers\r\nTrailer: x-sum\r\n\
         Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nx-sum: 4\r\n\r\n"
    ));
}

fn expect_whole(wharf: &Wharf, target: &str, head_read: &mpsc::Sender<()>) {
    let mut client = wharf.connect();
    send(&mut client, target);
    if in_the_response(target) {
        head_read.send(()).unwrap();
    }
    let answer = client.response();
    assert_eq!((answer.status, answer.text()), (200, "hello"), "{target}");
    assert_eq!(
        answer.trailers,
        [("x-end".to_owned(), "yes".to_owned())],
        "{target}"
    );
}

/// Waits until this many faults have been dealt with, and checks what is shown of them.
fn expect_rebuilt(wharf: &Wharf, callback: &str, faults: u64) {
    eventually(&format!("the VM runs again after a trap in {callback}"), || {
        let plugin = wharf.plugin("trap");
        plugin["faults"] == faults && plugin["rebuilds"] == faults && plugin["vms"]["running"] == 1
    });
    let last = wharf.plugin("trap")["lastFault"].clone();
    let expected =
        format!("in {callback}: the guest trapped: wasm trap: wasm `unreachable` instruction executed");
    assert_eq!(last, expected);
    let metric = |name: &str| wharf.metric(name).map(|value| value as u64);
    assert_eq!(
        metric("wharf_plugin_faults_total{plugin=\"trap\",kind=\"trap\"}"),
        Some(faults)
    );
    assert_eq!(
        metric("wharf_plugin_vm_rebuilds_total{plugin=\"trap\"}"),
        Some(faults)
    );
    assert_eq!(wharf.admin_get("/readyz").status, 200);
}

/// The callbacks of a stream, by what stands in the paths.
const CALLBACKS: [&str; 9] = [
    "request-headers",
    "request-body",
    "request-trailers",
    "response-headers",
    "response-body",
    "response-trailers",
    "done",
    "log",
    "delete",
];

#[test]
fn closed_refuses_with_503_or_breaks_off() {
    let (origin, head_read) = origin();
    let wharf = serve(&origin, "closed");
    for (faults, name) in (1..).zip(CALLBACKS) {
        let target = format!("/trap-on-{name}");
        let callback = format!("proxy_on_{}", name.replace('-', "_"));
        match name {
            "done" | "log" | "delete" => expect_whole(&wharf, &target, &head_read),
            "response-body" | "response-trailers" => {
                let mut client = wharf.connect();
                send(&mut client, &target);
                let mut answer = client.response_head();
                assert_eq!(answer.status, 200);
                head_read.send(()).unwrap();
                client.try_body(&mut answer).expect_err("the body breaks off");
            }
            _ => {
                let mut client = wharf.connect();
                send(&mut client, &target);
                let answer = client.response();
                assert_eq!(
                    (answer.status, answer.text()),
                    (503, "a filter of this route failed\n")
                );
                assert_eq!(
                    answer.header("wharf-request-id"),
                    wharf.access(&target)["requestId"].as_str()
                );
            }
        }
        let line = wharf.access(&target);
        assert_eq!(line["faults"], 1, "{line}");
        let expected = if matches!(name, "done" | "log" | "delete") {
            json!(null)
        } else {
            json!("filter_fault")
        };
        assert_eq!(line["details"], expected, "{line}");
        expect_rebuilt(&wharf, &callback, faults);
        expect_whole(&wharf, "/next", &head_read);
    }
}

#[test]
fn open_goes_on_without_the_filter() {
    let (origin, head_read) = origin();
    let wharf = serve(&origin, "open");
    for (faults, name) in (1..).zip(CALLBACKS) {
        let target = format!("/trap-on-{name}");
        let callback = format!("proxy_on_{}", name.replace('-', "_"));
        expect_whole(&wharf, &target, &head_read);
        let line = wharf.access(&target);
        assert_eq!(
            (&line["status"], &line["details"], &line["faults"]),
            (&200.into(), &json!(null), &1.into())
        );
        expect_rebuilt(&wharf, &callback, faults);
        expect_whole(&wharf, "/next", &head_read);
    }
    let seen: Vec<_> = origin
        .received()
        .iter()
        .map(|request| (request.text().to_owned(), request.trailers.len()))
        .collect();
    assert!(
        seen.iter().all(|request| *request == ("body".to_owned(), 1)),
        "{seen:?}"
    );
}

#[test]
fn closed_gives_503_also_in_the_body_where_nothing_has_left() {
    // The embedded responder has all at once.
    let wharf = config()
        .plugin("trap", "wat/trap.wat", "")
        .route("/", &["trap"], "hello")
        .start();
    let answer = wharf.get("/trap-on-response-body");
    assert_eq!(
        (answer.status, answer.text()),
        (503, "a filter of this route failed\n")
    );
    expect_rebuilt(&wharf, "proxy_on_response_body", 1);
}
