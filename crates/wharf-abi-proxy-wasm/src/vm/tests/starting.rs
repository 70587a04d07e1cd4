use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use expect_test::{Expect, expect};
use wharf_plugin::{Limits, PluginName, ProxyWasmVersion};

use crate::host::PluginContext;
use crate::shared::Namespace;
use crate::testing::{FakeHost, SharedWorld, link, program};
use crate::vm::{StartError, Vm, VmSettings};

/// A guest of which each function logs one letter.
fn guest(functions: &str) -> String {
    format!(
        r#"(module
            (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (data (i32.const 0) "abcdefgh")
            (func $say (param i32) (drop (call $log (i32.const 2) (local.get 0) (i32.const 1))))
            {functions})"#
    )
}

const ALLOCATOR: &str =
    r#"(func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))"#;

fn start(wat: &str) -> (SharedWorld, Result<Vm, StartError>) {
    let limits = Limits {
        startup_deadline: Duration::from_secs(30),
        ..Limits::default()
    };
    let world = SharedWorld::new(ProxyWasmVersion::V0_2_1);
    let settings = VmSettings {
        namespace: Namespace::Private("key".into()),
        vm_id: String::new(),
        configuration: Bytes::from_static(b"vm"),
        environment: Vec::new(),
    };
    let host = Box::new(FakeHost(world.clone()));
    let vm = Vm::new(&program(wat, &limits), settings, host, Arc::default());
    (world, vm)
}

fn plugin(name: &str) -> PluginContext {
    PluginContext {
        name: PluginName::new(name).unwrap(),
        root_id: String::new(),
        configuration: Bytes::from_static(b"plugin"),
        allow_on_headers_stop_iteration: false,
    }
}

/// Starts a guest with one plugin, and says what happened.
fn check(functions: &str, expected: Expect) {
    let (world, vm) = start(&guest(functions));
    let outcome = vm.and_then(|mut vm| vm.add_plugin(plugin("p")));
    let outcome = match outcome {
        Ok(root) => format!("started as {root}"),
        Err(error) => error.to_string(),
    };
    expected.assert_eq(&format!("{}{outcome}\n", world.take()));
}

#[test]
fn initialize_comes_first_and_main_after_it() {
    check(
        &format!(
            r#"{ALLOCATOR}
            (func (export "_initialize") (call $say (i32.const 0)))
            (func (export "main") (param i32 i32) (result i32) (call $say (i32.const 1)) (i32.const 7))
            (func (export "_start") (call $say (i32.const 2)))"#
        ),
        expect![[r#"
            (vm) Info: a
            (vm) Info: b
            started as 1
        "#]],
    );
    check(
        &format!(
            r#"{ALLOCATOR}
            (func (export "_initialize") (call $say (i32.const 0)))
            (func (export "__main_void") (result i32) (call $say (i32.const 1)) (i32.const 0))"#
        ),
        expect![[r#"
            (vm) Info: a
            (vm) Info: b
            started as 1
        "#]],
    );
}

#[test]
fn start_is_called_where_there_is_no_initialize() {
    check(
        &format!(
            r#"{ALLOCATOR}
            (func (export "main") (param i32 i32) (result i32) (call $say (i32.const 1)) (i32.const 0))
            (func (export "_start") (call $say (i32.const 2)))"#
        ),
        expect![[r#"
            (vm) Info: c
            started as 1
        "#]],
    );
}

#[test]
fn a_plugin_is_created_started_and_configured_in_this_order() {
    check(
        &format!(
            r#"{ALLOCATOR}
            (func (export "proxy_on_context_create") (param i32 i32) (call $say (i32.const 0)))
            (func (export "proxy_on_vm_start") (param i32 i32) (result i32)
              (call $say (i32.const 1)) (i32.eq (local.get 1) (i32.const 2)))
            (func (export "proxy_validate_configuration") (param i32 i32) (result i32)
              (call $say (i32.const 2)) (i32.const 1))
            (func (export "proxy_on_configure") (param i32 i32) (result i32)
              (call $say (i32.const 3)) (i32.eq (local.get 1) (i32.const 6)))"#
        ),
        expect![[r#"
            p Info: a
            p Info: b
            p Info: c
            p Info: d
            started as 1
        "#]],
    );
}

#[test]
fn every_callback_may_be_missing() {
    check(
        ALLOCATOR,
        expect![[r#"
        started as 1
    "#]],
    );
}

#[test]
fn a_plugin_may_refuse_to_start() {
    check(
        &format!(
            r#"{ALLOCATOR} (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 0))"#
        ),
        expect![[r#"
            the plugin refused to start: proxy_on_vm_start returned false
        "#]],
    );
}

#[test]
fn a_plugin_may_refuse_its_configuration() {
    for callback in ["proxy_on_configure", "proxy_validate_configuration"] {
        check(
            &format!(
                r#"{ALLOCATOR} (func (export "{callback}") (param i32 i32) (result i32) (i32.const 0))"#
            ),
            expect!["the plugin refused its configuration\n"],
        );
    }
}

#[test]
fn traps_while_it_starts_say_where() {
    let mut all = String::new();
    for function in [
        r#"(func (export "_initialize") (unreachable))"#,
        r#"(func (export "_start") (unreachable))"#,
        r#"(func (export "_initialize")) (func (export "main") (param i32 i32) (result i32) (unreachable))"#,
        r#"(func (export "proxy_on_context_create") (param i32 i32) (unreachable))"#,
        r#"(func (export "proxy_on_vm_start") (param i32 i32) (result i32) (unreachable))"#,
        r#"(func (export "proxy_on_configure") (param i32 i32) (result i32) (unreachable))"#,
        r#"(func $begin (unreachable)) (start $begin)"#,
    ] {
        let (_, vm) = start(&guest(&format!("{ALLOCATOR} {function}")));
        let error = vm.and_then(|mut vm| vm.add_plugin(plugin("p"))).unwrap_err();
        all += &format!("{error}\n");
    }
    expect![[r#"
        in _initialize: the guest trapped: wasm trap: wasm `unreachable` instruction executed
        in _start: the guest trapped: wasm trap: wasm `unreachable` instruction executed
        in main: the guest trapped: wasm trap: wasm `unreachable` instruction executed
        in proxy_on_context_create: the guest trapped: wasm trap: wasm `unreachable` instruction executed
        in proxy_on_vm_start: the guest trapped: wasm trap: wasm `unreachable` instruction executed
        in proxy_on_configure: the guest trapped: wasm trap: wasm `unreachable` instruction executed
        in (start): the guest trapped: wasm trap: wasm `unreachable` instruction executed
    "#]]
    .assert_eq(&all);
}

#[test]
fn a_guest_without_an_allocator_is_refused() {
    check(
        "",
        expect![[r#"
        in (start): the module exports no function "proxy_on_memory_allocate" or "malloc"
    "#]],
    );
}

#[test]
fn either_name_of_the_allocator_is_good() {
    check(
        r#"(func (export "malloc") (param i32) (result i32) (i32.const 1024))"#,
        expect![[r#"
            started as 1
        "#]],
    );
}

#[test]
fn a_callback_of_another_signature_is_refused() {
    check(
        &format!(r#"{ALLOCATOR} (func (export "proxy_on_tick") (param i64))"#),
        expect![[r#"
            in proxy_on_tick: the module's function "proxy_on_tick" has the signature (i64), which is not the ABI's
        "#]],
    );
    check(
        &format!(
            r#"{ALLOCATOR} (func (export "proxy_on_request_headers") (param i32 i32) (result i32) (i32.const 0))"#
        ),
        expect![[r#"
            in proxy_on_request_headers: the module's function "proxy_on_request_headers" has the signature (i32, i32) -> i32, which is not the ABI's
        "#]],
    );
    check(
        r#"(func (export "malloc") (param i64) (result i64) (i64.const 0))"#,
        expect![[r#"
            in malloc: the module's function "malloc" has the signature (i64) -> i64, which is not the ABI's
        "#]],
    );
}

#[test]
fn headers_callbacks_of_0_1_0_have_two_parameters() {
    let wat = guest(&format!(
        r#"{ALLOCATOR} (func (export "proxy_on_request_headers") (param i32 i32) (result i32) (i32.const 0))"#
    ));
    let world = SharedWorld::new(ProxyWasmVersion::V0_1_0);
    let settings = VmSettings {
        namespace: Namespace::Private("key".into()),
        vm_id: String::new(),
        configuration: Bytes::new(),
        environment: Vec::new(),
    };
    let program = link(&wat, ProxyWasmVersion::V0_1_0).unwrap();
    assert!(Vm::new(&program, settings, Box::new(FakeHost(world)), Arc::default()).is_ok());
}

#[test]
fn every_import_that_nobody_gives_is_named() {
    let error = link(
        r#"(module
            (import "env" "proxy_log" (func (param i32) (result i32)))
            (import "env" "no_such_function" (func))
            (import "other" "thing" (func)))"#,
        ProxyWasmVersion::V0_2_1,
    );
    expect![[r#"
        3 of the module's imports are not given by this host:
          env.proxy_log: the module wants (i32) -> i32, the host gives (i32, i32, i32) -> i32
          env.no_such_function: (): unknown here
          other.thing: (): unknown here"#]]
    .assert_eq(&error.err().unwrap().to_string());
}

#[test]
fn what_a_guest_prints_is_logged() {
    let (world, vm) = start(
        r#"(module
            (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "environ_sizes_get" (func $sizes (param i32 i32) (result i32)))
            (memory (export "memory") 1)
            (data (i32.const 0) "\10\00\00\00\06\00\00\00")
            (data (i32.const 16) "hello\n")
            (func (export "malloc") (param i32) (result i32) (i32.const 1024))
            (func (export "_initialize")
              (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 100)))
              (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 100)))))"#,
    );
    assert!(vm.is_ok());
    expect![[r#"
        (vm) Info: hello
        (vm) Error: hello
    "#]]
    .assert_eq(&world.take());
}
