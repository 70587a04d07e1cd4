//! HTTP as it comes, through routes that have filters.

use std::fs;
use std::sync::{Mutex, mpsc};

use wharf_testing::{Client, Conversation, Origin, connect, eventually, scripted_origin};

use crate::harness::{Config, HELLO, config};
use crate::process::{Wharf, post};

/// Two filters of which neither holds anything.
fn filtered(upstream: &str) -> Config {
    config()
        .plugin("greet", "rust-headers/rust-headers.wasm", "")
        .plugin("count", "as-counter/as-counter.wasm", "")
        .route("/", &["greet", "count"], upstream)
}

fn serve(origin: &Origin) -> Wharf {
    filtered("app").upstream("app", origin.address()).start()
}

/// Answers every request with its own method, target and body.
fn echo() -> Origin {
    scripted_origin(|mut conversation| {
        while let Some(request) = conversation.request() {
            let body = format!("{} {} {}", request.method, request.target, request.text());
            let sent = if request.method == "HEAD" { "" } else { &body };
            conversation.send(format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{sent}",
                body.len()
            ));
        }
    })
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let origin = echo();
    let wharf = serve(&origin);
    let mut client = wharf.connect();
    client.send(
        "GET /1 HTTP/1.1\r\nHost: test\r\n\r\nPOST /2 HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\nbody\
         GET /3 HTTP/1.1\r\nHost: test\r\n\r\n",
    );
    for (number, expected) in [("1", "GET /1 "), ("2", "POST /2 body"), ("3", "GET /3 ")] {
        let answer = client.response();
        assert_eq!((answer.status, answer.text()), (200, expected));
        assert_eq!(answer.header("x-count"), Some(number));
    }
}

#[test]
fn a_head_has_the_length_and_no_body() {
    let origin = echo();
    let wharf = serve(&origin);
    let mut client = wharf.connect();
    let answer = client.request("HEAD", "/h").response_to_head();
    assert_eq!((answer.status, answer.header("content-length")), (200, Some("8")));
    assert_eq!(answer.header("x-greeting"), Some("hello"));
    assert_eq!(client.get("/next").text(), "GET /next ");
}

#[test]
fn a_client_that_waits_for_100_continue_is_told_to_go_on() {
    let origin = echo();
    let wharf = serve(&origin);
    let mut client = wharf.connect();
    client.send("POST /e HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    assert_eq!(client.response_head().status, 100);
    assert_eq!(client.send("body").response().text(), "POST /e body");
}

#[test]
fn an_answer_without_a_body_stays_without_one() {
    let origin = scripted_origin(|mut conversation| {
        while let Some(request) = conversation.request() {
            conversation.send(format!("HTTP/1.1 {} X\r\n\r\n", &request.target[1..]));
        }
    });
    let wharf = serve(&origin);
    let mut client = wharf.connect();
    for status in [204, 304] {
        let answer = client.get(&format!("/{status}"));
        assert_eq!(
            (answer.status, answer.header("x-greeting")),
            (status, Some("hello"))
        );
        assert_eq!(
            (
                answer.header("content-length"),
                answer.header("transfer-encoding")
            ),
            (None, None)
        );
    }
}

#[test]
fn an_old_client_gets_its_answer_until_the_connection_closes() {
    let origin = echo();
    let wharf = serve(&origin);
    let mut client = wharf.connect();
    client.send("GET /old HTTP/1.0\r\n\r\n");
    let text = String::from_utf8(client.read_to_close()).unwrap();
    assert!(
        text.starts_with("HTTP/1.") && text.ends_with("\r\n\r\nGET /old "),
        "{text}"
    );
}

#[test]
fn an_upstream_that_closes_in_mid_body_breaks_the_answer_off() {
    let origin = scripted_origin(|mut conversation| {
        conversation.request();
        conversation.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf");
    });
    let wharf = serve(&origin);
    let mut client = wharf.connect();
    client
        .request("GET", "/half")
        .try_response()
        .expect_err("the body is not whole");
    let line = wharf.access("/half");
    assert_eq!(
        (&line["status"], &line["details"]),
        (&200.into(), &"upstream_broke_off".into())
    );
    assert_eq!(wharf.plugin("greet")["faults"], 0);
}

#[test]
fn an_upstream_that_refuses_gives_503_through_the_filters() {
    let wharf = filtered("app")
        .upstream("app", wharf_testing::refused_address())
        .start();
    let answer = wharf.get("/refused");
    assert_eq!((answer.status, answer.header("x-greeting")), (503, Some("hello")));
    assert_eq!(
        answer.header("wharf-request-id"),
        wharf.access("/refused")["requestId"].as_str()
    );
}

#[test]
fn an_upstream_that_hangs_gives_504_through_the_filters() {
    let origin = scripted_origin(|mut conversation: Conversation| {
        conversation.request();
        conversation.wait_for_close();
    });
    let keys = format!("endpoints: [ \"{}\" ], requestTimeout: 100ms", origin.address());
    let wharf = filtered("app").upstream_with("app", &keys).start();
    let answer = wharf.get("/hangs");
    assert_eq!((answer.status, answer.header("x-greeting")), (504, Some("hello")));
    eventually("the upstream's connection is closed", || origin.open() == 0);
}

#[test]
fn a_client_that_leaves_in_mid_answer_ends_the_upstreams_work_too() {
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let origin = scripted_origin(move |mut conversation| {
        conversation.request();
        conversation.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n");
        released.lock().unwrap().recv().unwrap();
        conversation.wait_for_close();
    });
    let wharf = serve(&origin);
    let mut client = wharf.connect();
    assert_eq!(client.request("GET", "/left").response_head().status, 200);
    drop(client);
    release.send(()).unwrap();
    eventually("the upstream's connection is closed", || origin.open() == 0);
    let line = wharf.access("/left");
    assert_eq!(
        (&line["status"], &line["details"]),
        (&200.into(), &"client_disconnected".into())
    );
}

#[test]
fn memory_does_not_grow_with_a_body_that_a_slow_client_takes() {
    const BODY: usize = 64 << 20;
    let origin = scripted_origin(|mut conversation: Conversation| {
        while conversation.request().is_some() {
            conversation.send(format!("HTTP/1.1 200 OK\r\ncontent-length: {BODY}\r\n\r\n"));
            let piece = vec![b'x'; 1 << 20];
            while conversation.send(&piece) {}
        }
    });
    let wharf = serve(&origin);
    let before = peak_memory(&wharf);
    let mut client = wharf.connect();
    let mut answer = client.request("GET", "/large").response_head();
    // Nothing is read for now, and everything on the way fills up.
    eventually("the request is under way", || {
        wharf.metric("wharf_requests_active{listener=\"web\"}") == Some(1.0)
    });
    client.try_body(&mut answer).expect("the whole body");
    assert_eq!(answer.body.len(), BODY);
    let grown = peak_memory(&wharf).saturating_sub(before);
    assert!(grown < 16 << 20, "it grew by {grown} bytes");
}

/// The most memory that the process has had at once, in bytes.
fn peak_memory(wharf: &Wharf) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", wharf.id())).expect("Linux says so");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .expect("Linux says so");
    let kibibytes: usize = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kibibytes * 1024
}

/// Requests of all kinds at once, of which many go wrong. Every one is answered or broken off, and in the end all is
/// as it was.
#[test]
fn hammer_good_and_bad_requests_on_the_same_vms() {
    const CLIENTS: usize = 8;
    const ROUNDS: usize = 6;
    let origin = echo();
    let wharf = config()
        .plugin("greet", "rust-headers/rust-headers.wasm", "")
        .plugin("trap", "wat/trap.wat", "onFault: open")
        .plugin("exit", "wat/exit.wat", "")
        .plugin(
            "loop",
            "wat/loop.wat",
            "limits: { deadline: 50ms }, onFault: open",
        )
        .plugin(
            "reply",
            "wat/local-reply.wat",
            "allowOnHeadersStopIteration: true",
        )
        .plugin("pause", "wat/pause.wat", "")
        .route("/exit", &["greet", "exit"], "app")
        .route("/body", &["greet", "reply"], "app")
        .route("/pause", &["greet", "pause"], "app")
        .route("/", &["greet", "trap", "loop"], "app")
        .upstream("app", origin.address())
        .limits("bodyIdleTimeout: 300ms")
        .workers(2)
        .start();
    let targets = [
        "/",
        "/trap-on-request-body",
        "/exit",
        "/body",
        "/pause",
        "/trap-on-response-headers",
        "/good",
        "/loop",
        "/trap-on-log",
        "/trap-on-done",
    ];
    let hammer = |client: usize| {
        for round in 0..ROUNDS {
            for step in 0..targets.len() {
                let target = targets[(step * 3 + client + round) % targets.len()];
                let mut connection: Client = connect(wharf.address());
                post(&mut connection, target, b"a body");
                let status = connection.response().status;
                let expected: &[u16] = match target {
                    "/exit" => &[503],
                    "/body" => &[418],
                    "/pause" => &[504],
                    _ => &[200],
                };
                assert!(expected.contains(&status), "{target}: {status}");
            }
        }
    };
    std::thread::scope(|scope| {
        (0..CLIENTS).for_each(|client| drop(scope.spawn(move || hammer(client))));
    });
    for plugin in ["greet", "trap", "exit", "loop", "reply", "pause"] {
        wharf.wait_for_vms(plugin);
    }
    assert_eq!(wharf.get("/good").text(), "GET /good ");
    let ended = wharf.stop();
    assert_eq!(ended.code, Some(0));
    assert_eq!(ended.access_log.len(), CLIENTS * ROUNDS * targets.len() + 1);
}

#[test]
fn a_host_call_that_fails_is_explained_at_the_level_debug() {
    let config = config()
        .plugin("bad", "wat/bad-allocator.wat", "")
        .plugin("auth", "rust-auth/rust-auth.wasm", "")
        .route(
            "/auth",
            &["auth, config: { upstream: nowhere, path: / }"],
            "hello",
        )
        .route("/", &["bad"], "hello");
    let folder = config.write();
    let mut command = folder.command(&["serve", "wharf.yaml"]);
    command.env("WHARF_LOG", "info,wharf::plugin=debug");
    let wharf = Wharf::start_by(folder, command);
    assert_eq!(wharf.get("/").text(), HELLO);
    wharf.wait_for_plugin_log(
        "proxy_get_header_map_value in context 2: InvalidMemoryAccess: the memory that the guest's allocator gave: \
         the range at 0xfffffff0 of 1 bytes is not inside the guest's memory of 65536 bytes",
    );
    assert_eq!(wharf.get("/auth").status, 503);
    wharf.wait_for_plugin_log(
        "proxy_http_call in context 2: BadArgument: the upstream \"nowhere\" is not defined under proxy.upstreams",
    );
    assert_eq!(wharf.access("/auth")["details"], "filter_answered");
}
