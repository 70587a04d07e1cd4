//! What a VM is made of, and which plugins share one.

use crate::harness::{Config, config};
use crate::process::Wharf;

/// Counts the requests of its VM, and says the last digit in `x-vm-count`.
const COUNTS: &str = r#"(module
  (import "env" "proxy_add_header_map_value" (func $add (param i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 4096))
  (data (i32.const 16) "x-vm-count")
  (global $count (mut i32) (i32.const 0))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (global.set $count (i32.add (global.get $count) (i32.const 1)))
    (i32.const 0))
  (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
    (i32.store8 (i32.const 0) (i32.add (i32.const 48) (i32.rem_u (global.get $count) (i32.const 10))))
    (drop (call $add (i32.const 2) (i32.const 16) (i32.const 10) (i32.const 0) (i32.const 1)))
    (i32.const 0)))"#;

/// Logs the configuration of its VM and its root id when it starts.
const TELLS: &str = r#"(module
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (import "env" "proxy_get_buffer_bytes" (func $buffer (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_get_property" (func $property (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 4096))
  (data (i32.const 16) "plugin_root_id")
  (func $tell (drop (call $log (i32.const 2) (i32.load (i32.const 0)) (i32.load (i32.const 4)))))
  (func (export "proxy_on_vm_start") (param i32 i32) (result i32)
    (drop (call $buffer (i32.const 6) (i32.const 0) (local.get 1) (i32.const 0) (i32.const 4)))
    (call $tell)
    (i32.const 1))
  (func (export "proxy_on_configure") (param i32 i32) (result i32)
    (drop (call $property (i32.const 16) (i32.const 14) (i32.const 0) (i32.const 4)))
    (call $tell)
    (i32.const 1)))"#;

fn tells(keys: &str) -> Vec<String> {
    let wharf = config()
        .plugin_of("tells", TELLS, keys)
        .route("/", &["tells"], "hello")
        .start();
    wharf.plugin_log()
}

#[test]
fn the_vms_configuration_is_text_as_it_is_or_json() {
    assert_eq!(
        tells("vmConfig: \"plain text\", rootId: some-root"),
        ["plain text", "some-root"]
    );
    assert_eq!(
        tells("vmConfig: { b: 1, a: [ true ] }, rootId: r"),
        [r#"{"b":1,"a":[true]}"#, "r"]
    );
}

#[test]
fn the_environment_is_what_the_configuration_says_and_nothing_else() {
    let with = |keys| {
        let greet = "rust-headers/rust-headers.wasm";
        let config = config()
            .plugin("greet", greet, keys)
            .route("/", &["greet"], "hello");
        let folder = config.write();
        let mut command = folder.command(&["serve", "wharf.yaml"]);
        command.env("GREETING", "from the host");
        let wharf = Wharf::start_by(folder, command);
        wharf.get("/").header("x-greeting").map(str::to_owned)
    };
    assert_eq!(
        with("env: { GREETING: from the file }").as_deref(),
        Some("from the file")
    );
    assert_eq!(with("").as_deref(), Some("hello"));
}

fn two_counters(first: &str, second: &str) -> Config {
    config()
        .plugin_of("first", COUNTS, first)
        .plugin_of("second", COUNTS, second)
        .route("/first", &["first"], "hello")
        .route("/second", &["second"], "hello")
}

/// What the VMs have counted after a request to the first, the second, and the first again.
fn counts(config: Config) -> Vec<String> {
    let wharf = config.start();
    let mut client = wharf.connect();
    let count = |path| client.get(path).header("x-vm-count").expect("a count").to_owned();
    ["/first", "/second", "/first"].map(count).into()
}

#[test]
fn plugins_of_one_vm_id_and_module_share_a_vm() {
    assert_eq!(counts(two_counters("vmId: one", "vmId: one")), ["1", "2", "3"]);
}

#[test]
fn another_id_configuration_or_environment_is_another_vm() {
    for second in ["vmId: two", "vmId: one, vmConfig: x", "vmId: one, env: { A: b }"] {
        assert_eq!(
            counts(two_counters("vmId: one", second)),
            ["1", "1", "2"],
            "{second}"
        );
    }
}

#[test]
fn one_plugin_with_two_configurations_is_two_roots_of_one_vm() {
    let wharf = config()
        .plugin_of("count", COUNTS, "")
        .plugin("rules", "c-headers/c-headers.wasm", "")
        .route(
            "/a",
            &["count, config: a", "rules, config: \"set x-rule a\""],
            "hello",
        )
        .route(
            "/b",
            &["count, config: b", "rules, config: \"set x-rule b\""],
            "hello",
        )
        .start();
    let mut client = wharf.connect();
    for (path, name, count) in [("/a", "a", "1"), ("/b", "b", "2"), ("/a", "a", "3")] {
        let answer = client.get(path);
        let headers = ["x-rule", "x-vm-count"].map(|header| answer.header(header));
        assert_eq!(headers, [Some(name), Some(count)]);
    }
    assert_eq!(wharf.plugin("count")["vms"]["running"], 1);
}
