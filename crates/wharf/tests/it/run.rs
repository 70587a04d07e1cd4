//! `wharf run`: filters by hand.

mod failing;

use expect_test::{Expect, expect};
use serde_json::Value;

use crate::harness::{Folder, folder};

/// Runs a guest, with a deadline that a busy machine does not reach.
fn check(guest: &str, arguments: &[&str], expected: &Expect) {
    check_in(
        &folder(),
        guest,
        &[arguments, &["--deadline", "20s"]].concat(),
        expected,
    );
}

fn check_in(folder: &Folder, guest: &str, arguments: &[&str], expected: &Expect) {
    let guest = format!("guests/{guest}");
    let text = folder.transcript(&[&["run", &guest], arguments].concat());
    // Times differ from run to run; which callbacks there were, a test of its own says.
    let is_time = |line: &&str| *line == "time inside the guest" || line.contains(" together, ");
    let lines = text
        .lines()
        .filter(|line| !is_time(line))
        .map(|line| format!("{line}\n"));
    expected.assert_eq(&lines.collect::<String>());
}

const HEADERS: &str = "rust-headers/rust-headers.wasm";
const BODY: &str = "rust-body/rust-body.wasm";
const AUTH: &str = "rust-auth/rust-auth.wasm";
const COUNTER: &str = "as-counter/as-counter.wasm";
const AUTH_CONFIG: &str = r#"{"upstream": "auth", "path": "/check"}"#;

#[test]
fn headers_on_both_ways() {
    let arguments = [
        "--config",
        r#"{"header": "x-hi", "value": "there"}"#,
        "--request",
        "POST /a?b=c",
        "-H",
        "Host: example.com",
        "-H",
        "Accept: text/plain",
        "--body",
        "ping",
        "--response",
        "201",
        "--response-header",
        "Server: s",
        "--response-body",
        "pong",
    ];
    check(
        HEADERS,
        &arguments,
        &expect![[r#"
            exit code 0
            --- stdout ---
            start
              log
                info     rust-headers: adds x-hi: there

            request 1: POST /a?b=c
              to the upstream
                :method: POST
                :scheme: http
                :authority: example.com
                :path: /a?b=c
                accept: text/plain
                content-length: 4
              + x-hi: there
                (4 bytes)
                | ping
              to the client
                :status: 201
                server: s
                content-length: 4
              + x-hi: there
                (4 bytes)
                | pong
              log
                info     rust-headers: request POST /a?b=c

            memory of the guest: 1088KiB of 64MiB
        "#]],
    );
}

#[test]
fn a_request_body_is_replaced_and_gets_a_trailer() {
    let config = r#"{"replace": "cat", "with": "mouse", "direction": "request", "trailer": {"name": "x-t", "value": "v"}}"#;
    check(
        BODY,
        &[
            "--config",
            config,
            "--request",
            "POST /",
            "--body",
            "a cat\nand a cat",
        ],
        &expect![[r#"
            exit code 0
            --- stdout ---
            request 1: POST /
              to the upstream
                :method: POST
                :scheme: http
                :authority: localhost
                :path: /
              + trailer: x-t
              - content-length: 15
                (19 bytes)
                | a mouse
                | and a mouse
                trailer x-t: v
              to the client
                :status: 200
              refused host calls
                proxy_get_header_map_value in context 2: NotFound: there is no "content-encoding" in RequestHeaders

            memory of the guest: 1088KiB of 64MiB
        "#]],
    );
}

#[test]
fn a_response_body_from_a_file_is_replaced_while_its_headers_wait() {
    let folder = folder()
        .with("answer", "a cat")
        .with("config", r#"{"replace": "cat", "with": "mouse", "hold": true}"#);
    let arguments = [
        "--config",
        "@config",
        "--response-body",
        "@answer",
        "--allow-on-headers-stop-iteration",
        "--deadline",
        "20s",
    ];
    check_in(
        &folder,
        BODY,
        &arguments,
        &expect![[r#"
            exit code 0
            --- stdout ---
            request 1: GET /
              to the upstream
                :method: GET
                :scheme: http
                :authority: localhost
                :path: /
              to the client
                :status: 200
              + content-length: 7
              - content-length: 5
                (7 bytes)
                | a mouse
              refused host calls
                proxy_get_header_map_value in context 2: NotFound: there is no "content-encoding" in ResponseHeaders

            memory of the guest: 1088KiB of 64MiB
        "#]],
    );
}

#[test]
fn trailers_go_through() {
    check(
        "wat/trap.wat",
        &[
            "--body",
            "b",
            "--trailer",
            "x-a: 1",
            "--response-body",
            "c",
            "--response-trailer",
            "x-b: 2",
        ],
        &expect![[r#"
            exit code 0
            --- stdout ---
            request 1: GET /
              to the upstream
                :method: GET
                :scheme: http
                :authority: localhost
                :path: /
                (1 byte)
                | b
                trailer x-a: 1
              to the client
                :status: 200
                (1 byte)
                | c
                trailer x-b: 2

            memory of the guest: 64KiB of 64MiB
        "#]],
    );
}

#[test]
fn a_callout_that_allows_from_a_file() {
    let folder = folder().with("allow", "HTTP/1.1 200 OK\r\nx-user: alice\r\n\r\n");
    let arguments = [
        "--config",
        AUTH_CONFIG,
        "--callout",
        "auth=@allow",
        "-H",
        "authorization: Bearer a",
        "--deadline",
        "20s",
    ];
    check_in(
        &folder,
        AUTH,
        &arguments,
        &expect![[r#"
            exit code 0
            --- stdout ---
            request 1: GET /
              to the upstream
                :method: GET
                :scheme: http
                :authority: localhost
                :path: /
                authorization: Bearer a
              + x-user: alice
              to the client
                :status: 200
              log
                info     rust-auth: alice may pass
              call-outs
                auth: GET /check, 0 bytes: answered with 200

            memory of the guest: 1088KiB of 64MiB
        "#]],
    );
}

#[test]
fn a_callout_that_denies_one_request_and_nobody_who_answers_another() {
    let arguments = [
        "--config",
        AUTH_CONFIG,
        "--request",
        "/a",
        "--callout",
        "auth=403 go away",
        "--request",
        "/b",
    ];
    check(
        AUTH,
        &arguments,
        &expect![[r#"
            exit code 0
            --- stdout ---
            request 1: GET /a
              to the upstream: nothing
              to the client
                :status: 403
                content-type: text/plain
                content-length: 7
                (7 bytes)
                | go away
              the filter answered by itself: no reason was given
              call-outs
                auth: GET /check, 0 bytes: answered with 403
              refused host calls
                proxy_get_header_map_value in context 2: NotFound: there is no "authorization" in RequestHeaders

            request 2: GET /b
              to the upstream: nothing
              to the client
                :status: 503
                content-type: text/plain
                content-length: 29
                (29 bytes)
                | authorization is unavailable
              the filter answered by itself: no reason was given
              log
                warn     rust-auth: auth gave no verdict: no answer
              call-outs
                auth: GET /check, 0 bytes: failed, since no --callout 'auth=STATUS BODY' was given
              refused host calls
                proxy_get_header_map_value in context 3: NotFound: there is no "authorization" in RequestHeaders

            memory of the guest: 1088KiB of 64MiB
        "#]],
    );
}

#[test]
fn requests_share_a_vm() {
    let arguments = ["--json", "--request", "/1", "--request", "/2", "--request", "/3"];
    let output = run(COUNTER, &arguments);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let stages = report["stages"].as_array().unwrap().iter();
    let counts: Vec<_> = stages
        .filter_map(|stage| stage["exchange"]["client"]["headers"].as_array())
        .map(|headers| headers.iter().find(|header| header[0] == "x-count").unwrap()[1].clone())
        .collect();
    assert_eq!(counts, ["1", "2", "3"]);
    let metric = &report["metrics"][0];
    assert_eq!(
        (&metric["name"], &metric["value"]),
        (&"as_counter_requests".into(), &3.into())
    );
    assert_eq!(
        output.stdout,
        run(COUNTER, &arguments).stdout,
        "equal runs give equal reports"
    );
}

fn run(guest: &str, arguments: &[&str]) -> std::process::Output {
    let guest = format!("guests/{guest}");
    folder().run(&[&["run", &guest, "--deadline", "20s"], arguments].concat())
}

#[test]
fn callbacks_are_counted() {
    let text = String::from_utf8(run(COUNTER, &["--request", "/", "--request", "/"]).stdout).unwrap();
    let (_, times) = text.split_once("time inside the guest\n").unwrap();
    let counts = times.lines().filter_map(|line| line.split_once(" together, "));
    let counts: Vec<_> = counts
        .map(|(line, _)| line.rsplit_once(", ").unwrap().0.trim())
        .collect();
    expect![[r#"
        proxy_on_configure: 1 call
        proxy_on_context_create: 3 calls
        proxy_on_delete: 3 calls
        proxy_on_done: 3 calls
        proxy_on_log: 2 calls
        proxy_on_request_headers: 2 calls
        proxy_on_response_headers: 2 calls
        proxy_on_vm_start: 1 call
        proxy_validate_configuration: 1 call"#]]
    .assert_eq(&counts.join("\n"));
}

#[test]
fn times_are_in_the_json_where_they_are_asked_for() {
    let output = run(COUNTER, &["--json", "--times"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let time = &report["callbacks"]["proxy_on_request_headers"]["totalSeconds"];
    assert!(time.as_f64().unwrap() > 0.0, "{report:#}");
}

#[test]
fn ticks_make_metrics_and_reach_a_filter_that_asked_for_them() {
    check(
        "rust-counter/rust-counter.wasm",
        &["--request", "/", "--tick", "2"],
        &expect![[r#"
            exit code 0
            --- stdout ---
            request 1: GET /
              to the upstream
                :method: GET
                :scheme: http
                :authority: localhost
                :path: /
              to the client
                :status: 200
              + x-request-count: 1
              refused host calls
                proxy_get_shared_data in context 2: NotFound: the key "rust-counter" has no value

            metrics
              histogram rust_counter_path_bytes 1 values, 1 together
              counter rust_counter_requests 1
              gauge rust_counter_shared_count 1

            memory of the guest: 1088KiB of 64MiB
        "#]],
    );
}

#[test]
fn a_filter_answers_in_the_place_of_the_upstream() {
    check(
        "wat/local-reply.wat",
        &[
            "--request",
            "/",
            "--request",
            "/response-body",
            "--response-body",
            "x",
        ],
        &expect![[r#"
            exit code 0
            --- stdout ---
            request 1: GET /
              to the upstream: nothing
              to the client
                :status: 418
                x-local-reply: request-headers
                content-length: 16
                content-type: text/plain
                (16 bytes)
                | short and stout
              the filter answered by itself: teapot

            request 2: GET /response-body
              to the upstream
                :method: GET
                :scheme: http
                :authority: localhost
                :path: /response-body
              to the client
                :status: 418
                x-local-reply: response-body
                content-length: 16
                content-type: text/plain
                (16 bytes)
                | short and stout
              the filter answered by itself: teapot

            memory of the guest: 64KiB of 64MiB
        "#]],
    );
}

#[test]
fn a_filter_that_holds_a_request_for_ever() {
    let wat = r#"(module (memory (export "memory") 1) (func (export "proxy_abi_version_0_2_1"))
        (func (export "malloc") (param i32) (result i32) i32.const 1024)
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) i32.const 1))"#;
    let text =
        folder()
            .with("hold.wat", wat)
            .transcript(&["run", "hold.wat", "--tick", "3", "--deadline", "20s"]);
    assert!(text.starts_with("exit code 0"), "{text}");
    assert!(
        text.contains("  the filter holds the request, and nothing comes any more"),
        "{text}"
    );
    assert!(
        text.contains("    no tick came: the filter has set no period for them"),
        "{text}"
    );
}

#[test]
fn a_tick_lets_a_request_go_on_that_waits_for_it() {
    let wat = r#"(module
        (import "env" "proxy_set_tick_period_milliseconds" (func $period (param i32) (result i32)))
        (import "env" "proxy_set_effective_context" (func $effective (param i32) (result i32)))
        (import "env" "proxy_continue_stream" (func $continue (param i32) (result i32)))
        (memory (export "memory") 1) (func (export "proxy_abi_version_0_2_1"))
        (func (export "malloc") (param i32) (result i32) i32.const 1024)
        (func (export "proxy_on_configure") (param i32 i32) (result i32)
          (drop (call $period (i32.const 1000))) i32.const 1)
        (func (export "proxy_on_tick") (param i32)
          (drop (call $effective (i32.const 2))) (drop (call $continue (i32.const 0))))
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) i32.const 1))"#;
    let folder = folder().with("wait.wat", wat);
    let exchange = |ticks: &str| {
        let output = folder.run(&["run", "wait.wat", "--json", "--deadline", "20s", "--tick", ticks]);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let exchange = report["stages"][1]["exchange"].clone();
        (
            exchange["paused"].clone(),
            exchange["client"]["headers"][0][1].clone(),
        )
    };
    assert_eq!(exchange("0"), ("request".into(), Value::Null));
    assert_eq!(exchange("1"), (Value::Null, "200".into()));
}

#[test]
fn properties_are_given_or_said_to_be_missing() {
    let wat = r#"(module
        (import "env" "proxy_get_property" (func $get (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1) (data (i32.const 0) "source\00address")
        (func (export "proxy_abi_version_0_2_1"))
        (func (export "malloc") (param i32) (result i32) i32.const 1024)
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
          (drop (call $get (i32.const 0) (i32.const 14) (i32.const 100) (i32.const 104))) i32.const 0))"#;
    let folder = folder().with("ask.wat", wat);
    let unknown = |arguments: &[&str]| {
        let output = folder.run(&[&["run", "ask.wat", "--json", "--deadline", "20s"], arguments].concat());
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let exchange = report["stages"]
            .as_array()
            .unwrap()
            .iter()
            .find(|stage| stage["exchange"].is_object());
        exchange.unwrap()["unknownProperties"].clone()
    };
    assert_eq!(unknown(&[]), serde_json::json!(["source.address"]));
    assert_eq!(
        unknown(&["--property", "source.address=192.0.2.1:80"]),
        serde_json::json!([])
    );
}
