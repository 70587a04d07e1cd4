//! What a filter is given in a case: clocks, random bytes, properties, environment, pieces of bodies.

use super::{code, json, table, transcript};
use crate::harness::Folder;

/// Puts what it sees with each request into the shared data: the time as `time`, eight random bytes as `random`, the
/// property `port` under its own name. Wants a tick each second.
const PROBE: &str = r#"(module
    (import "env" "proxy_get_property" (func $property (param i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_set_shared_data" (func $set (param i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_get_current_time_nanoseconds" (func $time (param i32) (result i32)))
    (import "env" "proxy_set_tick_period_milliseconds" (func $period (param i32) (result i32)))
    (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "proxy_abi_version_0_2_1"))
    (func (export "malloc") (param i32) (result i32) i32.const 4096)
    (data (i32.const 0) "time") (data (i32.const 8) "random") (data (i32.const 16) "port")
    (func (export "proxy_on_configure") (param i32 i32) (result i32)
      (drop (call $period (i32.const 1000))) i32.const 1)
    (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
      (drop (call $time (i32.const 100)))
      (drop (call $set (i32.const 0) (i32.const 4) (i32.const 100) (i32.const 8) (i32.const 0)))
      (drop (call $random (i32.const 200) (i32.const 8)))
      (drop (call $set (i32.const 8) (i32.const 6) (i32.const 200) (i32.const 8) (i32.const 0)))
      (if (i32.eqz (call $property (i32.const 16) (i32.const 4) (i32.const 300) (i32.const 304)))
        (then (drop (call $set (i32.const 16) (i32.const 4)
          (i32.load (i32.const 300)) (i32.load (i32.const 304)) (i32.const 0)))))
      i32.const 0))"#;

/// A case of the probe with these keys.
fn probe(keys: &str) -> Folder {
    table(&format!(
        "plugin: probe.wat\ncases:\n  - name: probes\n    {keys}\n"
    ))
    .with("probe.wat", PROBE)
}

fn passes(folder: &Folder) {
    let text = transcript(folder, &[]);
    assert!(text.starts_with("exit code 0\n"), "{text}");
}

/// A number as the shared data has it.
fn hex(number: u64) -> String {
    number
        .to_le_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

const SECOND: u64 = 1_000_000_000;
const NEW_YEAR_2025: u64 = 1_735_689_600 * SECOND;
const READING: u64 = 1_000;

#[test]
fn the_clock_stands_still_but_for_what_the_case_says() {
    let time = |time: u64| {
        format!(
            "expect: {{ sharedData: {{ time: {{ hex: \"{}\" }} }} }}",
            hex(time)
        )
    };
    passes(&probe(&format!(
        "requests: [{{}}]\n    {}",
        time(NEW_YEAR_2025 + READING)
    )));
    passes(&probe(&format!(
        "start: {{ after: 1s, ticks: 1 }}\n    requests: [{{ ticks: 2 }}, {{ after: 1h }}]\n    {}",
        time(NEW_YEAR_2025 + (1 + 1 + 2 + 3600) * SECOND + 2 * READING)
    )));
    passes(&probe(&format!(
        "clock: 1970-01-02T00:00:00Z\n    requests: [{{}}]\n    {}",
        time(86_400 * SECOND + READING)
    )));
    let real = probe(&format!(
        "clock: real\n    requests: [{{}}]\n    {}",
        time(NEW_YEAR_2025 + READING)
    ));
    assert_eq!(code(&real, &[]), Some(1));
}

#[test]
fn random_bytes_are_the_same_in_each_run_and_not_within_one() {
    let seen = |keys: &str| {
        let folder = probe(&format!(
            "{keys}\n    expect: {{ sharedData: {{ random: null }} }}"
        ));
        let (_, results) = json(&folder, &[]);
        let difference = &results["cases"][0]["failures"][0]["differences"][0];
        difference["message"].as_str().unwrap().to_owned()
    };
    let first = seen("requests: [{}]");
    assert_eq!(first, seen("requests: [{}]"));
    assert_ne!(first, seen("requests: [{}, {}]"));
    assert_ne!(first, seen("random: real\n    requests: [{}]"));
}

#[test]
fn properties_have_the_encodings_of_the_abi() {
    for (given, seen) in [
        ("text", "text"),
        ("'8000'", "'8000'"),
        ("8000", "{ hex: 401f000000000000 }"),
        ("-1", "{ hex: ffffffffffffffff }"),
        ("true", "{ hex: 01 }"),
        ("{ hex: 00 ff }", "{ hex: 00ff }"),
    ] {
        passes(&probe(&format!(
            "properties: {{ port: {given} }}\n    requests: [{{}}]\n    expect: {{ sharedData: {{ port: {seen} }} }}"
        )));
        passes(&probe(&format!(
            "requests: [{{}}, {{ properties: {{ port: {given} }} }}]\n    expect: {{ sharedData: {{ port: {seen} }} }}"
        )));
    }
    passes(&probe(
        "requests: [{}]\n    expect: { sharedData: { port: null } }",
    ));
}

#[test]
fn a_body_comes_in_the_pieces_that_are_given() {
    let wat = r#"(module (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
        (memory (export "memory") 1) (func (export "proxy_abi_version_0_2_1"))
        (func (export "malloc") (param i32) (result i32) i32.const 1024)
        (data (i32.const 0) "0123456789")
        (func (export "proxy_on_request_body") (param i32 i32 i32) (result i32)
          (drop (call $log (local.get 2) (local.get 1) (i32.const 1))) i32.const 0))"#;
    let table = table(
        "plugin: sizes.wat\ncases:\n  - name: sees each piece\n    requests:\n      \
         - request: { body: [abc, \"\", { hex: \"00\" }, { json: [1] }] }\n        \
         expect: { log: [\"trace: 3\", \"trace: 1\", \"debug: 3\"], upstream: { body: \"abc\\0[1]\" } }\n",
    );
    passes(&table.with("sizes.wat", wat));
}

#[test]
fn a_file_may_lie_anywhere() {
    let elsewhere = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(elsewhere.path(), "from elsewhere").unwrap();
    let folder = table(&format!(
        "plugin: guests/rust-headers/rust-headers.wasm\nconfig: {{ file: config.json }}\ncases:\n  - name: reads files\n    \
         requests:\n      - request: {{ body: {{ file: {} }} }}\n        \
         expect: {{ upstream: {{ body: from elsewhere }}, client: {{ headers: [\"x-f: y\"] }} }}\n",
        elsewhere.path().display()
    ));
    passes(&folder.with("config.json", r#"{"header": "x-f", "value": "y"}"#));
}
