//! Cases that fail, and filters that misbehave.

use expect_test::expect;

use super::{check, code, json, table, transcript};
use crate::harness::folder;

#[test]
fn each_difference_is_told_with_its_place() {
    let folder = table(
        r#"plugin: guests/rust-headers/rust-headers.wasm
cases:
  - name: is right
    requests: [{ expect: { client: { status: 200 } } }]
  - name: expects much
    requests:
      - request: { method: POST, path: /p, headers: ["accept: a"], body: "one\ntwo\n" }
        response: { status: 201, body: '{"b": 1, "a": [1]}' }
        expect:
          upstream:
            method: GET
            path: /q
            added: ["x-greeting: hi", x-other]
            removed: [accept]
            headers: ["accept: b", x-missing]
            absent: [x-greeting]
            body: "one\ntwo\nthree\n"
            bodyContains: [four]
            trailers: ["x-t: 1"]
          client: { status: 200, body: { json: { a: [2], b: 1 } } }
          reply: { status: 403 }
          paused: response
          reset: true
          fault: trap
          log: ["warn: greeted"]
          logContains: [nothing]
          calloutsMade: ["auth: GET /check"]
      - expect: { upstream: null, client: { body: x } }
    expect:
      metrics: { greet_total: 1 }
      sharedData: { key: value }
      queues: { paths: [] }
      fault: exit
      log: []
"#,
    );
    check(
        &folder,
        &[],
        &expect![[r#"
            exit code 1
            --- stdout ---
            ok    a.test.yaml: is right
            FAIL  a.test.yaml: expects much

            a.test.yaml:5: expects much
              request 1: POST /p
                a.test.yaml:11: `upstream.method` is expected to be GET, and is POST
                a.test.yaml:12: `upstream.path` is expected to be /q, and is /p
                a.test.yaml:13: `upstream.added` is not as expected
                  --- expected
                  +++ came
                  -x-greeting: hi
                  -x-other
                  +x-greeting: hello
                a.test.yaml:14: `upstream.removed` is not as expected
                  --- expected
                  +++ came
                  -accept
                a.test.yaml:15: `upstream.headers`: accept is expected to be b, and is a
                a.test.yaml:15: `upstream.headers`: there is no x-missing
                a.test.yaml:16: `upstream.absent`: there is x-greeting: hello
                a.test.yaml:17: `upstream.body` is not as expected
                  --- expected
                  +++ came
                  @@ -1,3 +1,2 @@
                   one
                   two
                  -three
                a.test.yaml:18: `upstream.bodyContains`: `four` is not in the body: one\ntwo\n
                a.test.yaml:19: `upstream.trailers` is not as expected
                  --- expected
                  +++ came
                  -x-t: 1
                a.test.yaml:20: `client.status` is expected to be 200, and is 201
                a.test.yaml:20: `client.body` is not as expected
                  --- expected
                  +++ came
                  @@ -1,6 +1,6 @@
                   {
                     "a": [
                  -    2
                  +    1
                     ],
                     "b": 1
                   }
                a.test.yaml:21: `reply`: the filter did not answer by itself
                a.test.yaml:22: `paused`: it was to hold the response, and does not
                a.test.yaml:23: `reset`: the exchange was to be broken off, and was not
                a.test.yaml:24: `fault`: trap was expected, and there was no fault
                a.test.yaml:25: `log` is not as expected
                  --- expected
                  +++ came
                  -warn: greeted
                  +info: rust-headers: request POST /p
                a.test.yaml:26: `logContains`: no line of the log has `nothing`
                a.test.yaml:27: `calloutsMade` is not as expected
                  --- expected
                  +++ came
                  -auth: GET /check
                log
                  info     rust-headers: request POST /p
              request 2: GET /
                a.test.yaml:28: `upstream`: nothing was expected, and GET / came
                a.test.yaml:28: `client.body` is not as expected
                  --- expected
                  +++ came
                  -x
                log
                  info     rust-headers: request GET /
              end
                a.test.yaml:33: `expect.fault`: exit was expected, and there was no fault
              the case as a whole
                a.test.yaml:30: `expect.metrics.greet_total`: the filter has no metrics
                a.test.yaml:31: `expect.sharedData.key`: there is nothing
                a.test.yaml:32: `expect.queues.paths`: the filter has not registered this queue
                a.test.yaml:34: `expect.log` is not as expected
                  --- expected
                  +++ came
                  +info: rust-headers: adds x-greeting: hello
                  +info: rust-headers: request POST /p
                  +info: rust-headers: request GET /

            1 passed, 1 failed
        "#]],
    );
}

#[test]
fn a_filter_that_does_not_start_fails_its_cases() {
    let folder = table(
        r#"plugin: guests/rust-headers/rust-headers.wasm
cases:
  - name: is given a wrong configuration
    config: "{"
    requests: [{}]
  - name: is expected to refuse and does not
    start: { refused: true }
  - name: is expected to trap and does not
    start: { fault: trap }
  - name: refuses and is to trap
    plugin: guests/wat/configure-no.wat
    start: { fault: trap }
  - name: traps and is to refuse
    plugin: guests/wat/trap-on-configure.wat
    start: { refused: true }
"#,
    );
    check(
        &folder,
        &[],
        &expect![[r#"
            exit code 1
            --- stdout ---
            FAIL  a.test.yaml: is given a wrong configuration
            FAIL  a.test.yaml: is expected to refuse and does not
            FAIL  a.test.yaml: is expected to trap and does not
            FAIL  a.test.yaml: refuses and is to trap
            FAIL  a.test.yaml: traps and is to refuse

            a.test.yaml:3: is given a wrong configuration
              start
                a.test.yaml:3: the plugin refused its configuration
                log
                  error    rust-headers: the configuration is not valid: EOF while parsing an object at line 1 column 1

            a.test.yaml:6: is expected to refuse and does not
              start
                a.test.yaml:7: `start.refused`: the filter was expected to refuse, and did not
                log
                  info     rust-headers: adds x-greeting: hello

            a.test.yaml:8: is expected to trap and does not
              start
                a.test.yaml:9: `start.fault`: trap was expected, and there was no fault
                log
                  info     rust-headers: adds x-greeting: hello

            a.test.yaml:10: refuses and is to trap
              start
                a.test.yaml:10: the plugin refused its configuration
                a.test.yaml:12: `start.fault`: trap was expected, and there was no fault
                log
                  info     configure-no: reading the configuration
                  error    configure-no: this filter accepts no configuration

            a.test.yaml:13: traps and is to refuse
              start
                a.test.yaml:13: the filter faulted: trap in proxy_on_configure
                a.test.yaml:15: `start.refused`: the filter was expected to refuse, and did not
                fault in proxy_on_configure: the guest trapped: wasm trap: wasm `unreachable` instruction executed
                  at on_configure at 0xad

            0 passed, 5 failed
        "#]],
    );
}

/// Each guest here does what no filter should.
const MISBEHAVING: &str = r#"
limits: { deadline: 20s }
cases:
  - name: loop
    plugin: guests/wat/loop.wat
    limits: { deadline: 30ms }
    requests: [{ request: { path: /loop }, expect: { fault: deadline, upstream: null, client: { status: 503 } } }]
  - name: loop at the start
    plugin: guests/wat/loop-on-configure.wat
    limits: { startupDeadline: 30ms }
    start: { fault: deadline }
  - name: trap
    plugin: guests/wat/trap.wat
    requests:
      - { request: { path: /quiet }, expect: { client: { status: 200 } } }
      - { request: { path: /trap-on-request-headers }, expect: { fault: trap, client: { status: 503 } } }
  - name: trap when it is too late for an answer
    plugin: guests/wat/trap.wat
    requests: [{ request: { path: /trap-on-response-body }, response: { body: a }, expect: { fault: trap } }]
  - name: trap in a tick
    plugin: guests/wat/trap-on-tick.wat
    start: { ticks: 1, fault: trap }
  - name: hog
    plugin: guests/wat/hog.wat
    limits: { memory: 2MiB }
    requests: [{ request: { path: /hog }, expect: { fault: memory } }]
  - name: exit
    plugin: guests/wat/exit.wat
    requests: [{ request: { path: /exit }, expect: { fault: exit } }]
  - name: pause
    plugin: guests/wat/pause.wat
    requests: [{ request: { path: /pause }, expect: { paused: request, upstream: null, client: null } }]
  - name: bad action
    plugin: guests/wat/bad-action.wat
    requests: [{ request: { path: /bad-action }, expect: { paused: request } }]
  - name: local reply
    plugin: guests/wat/local-reply.wat
    requests: [{ expect: { reply: { status: 418, details: teapot }, client: { bodyContains: [stout] } } }]
  - name: refusal
    plugin: guests/wat/configure-no.wat
    start: { refused: true }
  - name: wrong signature
    plugin: guests/wat/wrong-signature.wat
    start: { fault: wrong_signature }
"#;

#[test]
fn what_misbehaving_filters_do_can_be_expected() {
    let text = transcript(&table(MISBEHAVING), &[]);
    assert!(
        text.starts_with("exit code 0\n") && text.contains("\n12 passed, 0 failed"),
        "{text}"
    );
}

#[test]
fn what_misbehaving_filters_do_fails_where_it_is_not_expected() {
    let without: String = MISBEHAVING
        .lines()
        .map(|line| match line.split_once("expect:") {
            Some((before, _)) => format!("{before}expect: {{}} }}]\n"),
            None => format!("{line}\n"),
        })
        .collect();
    let without = without.replace("expect: {} }]\n      - {", "expect: {} }\n      - {");
    let without = without.replace(
        "expect: {} }]\n  - name: trap when",
        "expect: {} }\n  - name: trap when",
    );
    let without = without
        .replace("start: { ticks: 1, fault: trap }", "start: { ticks: 1 }")
        .replace("start: { fault: deadline }", "start: {}")
        .replace("start: { refused: true }", "start: {}")
        .replace("start: { fault: wrong_signature }", "start: {}");
    check(
        &table(&without),
        &[],
        &expect![[r#"
            exit code 1
            --- stdout ---
            FAIL  a.test.yaml: loop
            FAIL  a.test.yaml: loop at the start
            FAIL  a.test.yaml: trap
            FAIL  a.test.yaml: trap when it is too late for an answer
            FAIL  a.test.yaml: trap in a tick
            FAIL  a.test.yaml: hog
            FAIL  a.test.yaml: exit
            FAIL  a.test.yaml: pause
            FAIL  a.test.yaml: bad action
            ok    a.test.yaml: local reply
            FAIL  a.test.yaml: refusal
            FAIL  a.test.yaml: wrong signature

            a.test.yaml:4: loop
              request 1: GET /loop
                a.test.yaml:7: the filter faulted: deadline in proxy_on_request_headers
                fault in proxy_on_request_headers: the guest ran past its deadline of 30ms
                  at loop_for_ever at 0x14c
                  at on_request_headers at 0x15c

            a.test.yaml:8: loop at the start
              start
                a.test.yaml:8: the filter faulted: deadline in proxy_on_configure
                fault in proxy_on_configure: the guest ran past its deadline of 30ms
                  at on_configure at 0xae

            a.test.yaml:12: trap
              request 2: GET /trap-on-request-headers
                a.test.yaml:16: the filter faulted: trap in proxy_on_request_headers
                fault in proxy_on_request_headers: the guest trapped: wasm trap: wasm `unreachable` instruction executed
                  at trap_when at 0x2b3
                  at on_request_headers at 0x2c7

            a.test.yaml:17: trap when it is too late for an answer
              request 1: GET /trap-on-response-body
                a.test.yaml:19: the filter faulted: trap in proxy_on_response_body
                fault in proxy_on_response_body: the guest trapped: wasm trap: wasm `unreachable` instruction executed
                  at trap_when at 0x2b3
                  at on_response_body at 0x2f3

            a.test.yaml:20: trap in a tick
              start
                a.test.yaml:20: the filter faulted: trap in proxy_on_tick
                fault in proxy_on_tick: the guest trapped: wasm trap: wasm `unreachable` instruction executed
                  at on_tick at 0xf6

            a.test.yaml:23: hog
              request 1: GET /hog
                a.test.yaml:26: the filter faulted: memory in proxy_on_request_headers
                fault in proxy_on_request_headers: the guest asked for 2112KiB of memory, and its limit is 2MiB
                  at take_all_memory at 0x158
                  at on_request_headers at 0x164

            a.test.yaml:27: exit
              request 1: GET /exit
                a.test.yaml:29: the filter faulted: exit in proxy_on_request_headers
                fault in proxy_on_request_headers: the guest called proc_exit with code 3
                  at on_request_headers at 0x17c

            a.test.yaml:30: pause
              request 1: GET /pause
                a.test.yaml:32: the filter holds the request, and nothing comes any more that would let it go on

            a.test.yaml:33: bad action
              request 1: GET /bad-action
                a.test.yaml:35: the filter holds the request, and nothing comes any more that would let it go on

            a.test.yaml:39: refusal
              start
                a.test.yaml:39: the plugin refused its configuration
                log
                  info     configure-no: reading the configuration
                  error    configure-no: this filter accepts no configuration

            a.test.yaml:42: wrong signature
              start
                a.test.yaml:42: the filter faulted: wrong_signature in proxy_on_request_headers
                fault in proxy_on_request_headers: the module's function "proxy_on_request_headers" has the signature (i64) -> i64, which is not the ABI's

            1 passed, 11 failed
        "#]],
    );
}

#[test]
fn requests_behind_a_fault_are_not_made() {
    let folder = table(
        r#"plugin: guests/wat/trap.wat
cases:
  - name: goes on after a trap
    requests:
      - { request: { path: /trap-on-log }, expect: { fault: trap } }
      - { request: { path: /quiet } }
"#,
    );
    check(
        &folder,
        &[],
        &expect![[r#"
        exit code 1
        --- stdout ---
        FAIL  a.test.yaml: goes on after a trap

        a.test.yaml:3: goes on after a trap
          request 2
            a.test.yaml:6: this request was not made, because the filter had faulted before: put it into a case of its own

        0 passed, 1 failed
    "#]],
    );
}

#[test]
fn a_filter_that_cannot_be_loaded_is_an_error_of_its_cases_only() {
    let folder = folder().with("text.wasm", "no module").with(
        "a.test.yaml",
        r#"plugin: guests/rust-headers/rust-headers.wasm
cases:
  - { name: is there }
  - { name: is missing, plugin: build/missing.wasm }
  - { name: is no module, plugin: text.wasm }
  - { name: is a folder, plugin: guests }
  - { name: is no filter, plugin: guests/wat/no-marker.wat }
  - { name: wants what nobody gives, plugin: guests/wat/missing-imports.wat }
  - { name: is elsewhere, plugin: "oci://127.0.0.1:1/a:1" }
"#,
    );
    let text = transcript(&folder, &[]);
    // What is said of other sources is not this command's.
    let (local, _) = text.split_once("\na.test.yaml:9: is elsewhere").unwrap();
    expect![[r#"
        exit code 4
        --- stdout ---
        ok    a.test.yaml: is there
        ERROR a.test.yaml: is missing
        ERROR a.test.yaml: is no module
        ERROR a.test.yaml: is a folder
        ERROR a.test.yaml: is no filter
        ERROR a.test.yaml: wants what nobody gives
        ERROR a.test.yaml: is elsewhere

        a.test.yaml:4: is missing
          plugin `missing` (file:build/missing.wasm) cannot be loaded: there is no file build/missing.wasm
          hint: a relative path in a configuration is relative to its file; was the plugin built?

        a.test.yaml:5: is no module
          plugin `text` (file:text.wasm) cannot be loaded: text.wasm is not a plugin: this is not WebAssembly: it looks like text
          hint: a module begins with the bytes 00 61 73 6d

        a.test.yaml:6: is a folder
          plugin `guests` (file:guests) cannot be loaded: guests is a directory, not a file
          hint: name the `.wasm` or `.wat` file itself

        a.test.yaml:7: is no filter
          plugin `no-marker` (file:guests/wat/no-marker.wat) cannot be loaded: this module speaks no known ABI: it exports no marker of one
          hint: an HTTP filter exports `proxy_abi_version_0_2_1`; SDKs add that export by themselves

        a.test.yaml:8: wants what nobody gives
          3 of the module's imports are not given by this host:
            env.proxy_teleport: (i32, i32) -> i32: unknown here
            env.proxy_brew_coffee: (): unknown here
            another_world.beam_up: (i64) -> i64: unknown here
          hint: `wharf inspect file:guests/wat/missing-imports.wat` says what the module is
    "#]].assert_eq(local);
    assert!(
        text.contains("\n1 passed, 0 failed, 6 could not be run\n"),
        "{text}"
    );
}

#[test]
fn a_wrong_file_does_not_keep_the_others_from_running() {
    let good = "plugin: guests/rust-headers/rust-headers.wasm\ncases: [{ name: starts }]\n";
    let folder = folder()
        .with("a.test.yaml", "plugin: a.wasm\ncases:\n  - nam: x\n")
        .with("b.test.yaml", good)
        .with("c.test.yaml", "")
        .with(
            "d.test.yaml",
            good.replace(
                "starts }",
                "starts, requests: [{ request: { body: { file: missing } } }] }",
            ),
        )
        .with("e.test.yaml", b"\xff\xfe");
    check(
        &folder,
        &[],
        &expect![[r#"
        exit code 3
        --- stdout ---
        ok    b.test.yaml: starts

        1 passed, 0 failed; 4 files are wrong
        --- stderr ---
        error: unknown key `nam` in `cases[0]`
         --> a.test.yaml:3:5
          |
        3 |   - nam: x
          |     ^^^
          |
          = hint: did you mean `name`? the keys here are `name`, `start`, `requests`, `expect`, `plugin`, `config`, `vmConfig`, `rootId`, `vmId`, `env`, `properties`, `allowOnHeadersStopIteration`, `limits`, `clock`, `random`, `callouts`, `sharedData`

        error: `cases[0]` has no `name`
         --> a.test.yaml:3:5
          |
        3 |   - nam: x
          |     ^^^^^^
          |
          = hint: add for example `name: adds the greeting`

        error: the file is empty
         --> c.test.yaml:1:1
          |
        1 |
          | ^
          |
          = hint: begin with `plugin: ../greet.wasm`, then `cases:` and for each `- name:`

        error: the file `missing` does not exist
         --> d.test.yaml:2:63
          |
        2 | cases: [{ name: starts, requests: [{ request: { body: { file: missing } } }] }]
          |                                                               ^^^^^^^
          |
          = hint: the path is relative to the directory of the case file

        error: the case file is UTF-16, not UTF-8
        --> e.test.yaml
         = hint: save it as UTF-8

    "#]],
    );
    let (code, results) = json(&folder, &[]);
    assert_eq!(
        (code, &results["ok"], &results["passed"]),
        (Some(3), &false.into(), &1.into())
    );
    let problems = results["problems"].as_array().unwrap();
    assert_eq!(problems.len(), 4);
    assert_eq!(problems[0]["errors"][0]["line"], 3);
}

#[test]
fn the_exit_code_is_that_of_the_gravest() {
    let case = |name: &str, keys: &str| format!("  - {{ name: {name}, {keys} }}\n");
    let head = "plugin: guests/rust-headers/rust-headers.wasm\ncases:\n";
    let good = case("good", "requests: []");
    let failing = case("failing", "start: { refused: true }");
    let missing = case("missing", "plugin: missing.wasm");
    let of = |cases: &str, further: &str| {
        let folder = table(&format!("{head}{cases}"));
        code(&folder.with("b.test.yaml", further), &[])
    };
    let fine = format!("{head}{good}");
    assert_eq!(of(&good, &fine), Some(0));
    assert_eq!(of(&format!("{good}{failing}"), &fine), Some(1));
    assert_eq!(of(&format!("{failing}{missing}"), &fine), Some(4));
    assert_eq!(of(&format!("{failing}{missing}"), "cases: []"), Some(3));
    assert_eq!(of(&good, "cases: []"), Some(3));
}

#[test]
fn nothing_of_a_guest_reaches_the_terminal_as_it_is() {
    let wat = r#"(module (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
        (memory (export "memory") 1) (func (export "proxy_abi_version_0_2_1"))
        (func (export "malloc") (param i32) (result i32) i32.const 1024)
        (data (i32.const 0) "\1b[31m<&>]]>\07\0d\0a\00\c2\9b31m\ef\bf\bf")
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
          (drop (call $log (i32.const 2) (i32.const 0) (i32.const 23))) i32.const 0))"#;
    let folder = table(
        "plugin: loud.wat\ncases:\n  - name: \"is \\e[31mloud\\u009b\"\n    requests: [{ expect: { log: [] } }]\n",
    )
    .with("loud.wat", wat);
    let is_quiet = |bytes: &[u8]| {
        let text = std::str::from_utf8(bytes).unwrap();
        text.chars()
            .all(|character| !character.is_control() || character == '\n')
    };
    let output = folder.run(&["test", "--junit", "junit.xml"]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(is_quiet(&output.stdout) && is_quiet(&output.stderr), "{text:?}");
    assert!(text.contains("\\u{1b}[31m<&>]]>\\u{7}"), "{text}");
    let xml = super::read(&folder, "junit.xml");
    let document = roxmltree::Document::parse(&xml).unwrap();
    let names: Vec<_> = document
        .descendants()
        .filter_map(|node| node.attribute("name"))
        .collect();
    assert!(names.contains(&"is \u{fffd}[31mloud\u{9b}"), "{names:?}");
    let logged = document
        .descendants()
        .find(|node| node.has_tag_name("system-out"))
        .unwrap();
    assert!(logged.text().unwrap().contains("<&>]]>"));
    let (_, results) = json(&folder, &[]);
    assert_eq!(results["cases"][0]["name"], "is \u{1b}[31mloud\u{9b}");
}
