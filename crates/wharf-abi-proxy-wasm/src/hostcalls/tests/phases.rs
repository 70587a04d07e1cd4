use std::sync::Arc;

use expect_test::{Expect, expect};
use wharf_plugin::Limits;

use crate::shared::Namespace;
use crate::testing::{FakeHost, SharedWorld, program};
use crate::vm::{Vm, VmSettings};

/// Runs `body` while the module itself starts.
fn check(imports: &str, body: &str, expected: Expect) {
    let world = SharedWorld::new(wharf_plugin::ProxyWasmVersion::V0_2_1);
    let program = program(
        &format!(
            r#"(module {imports}
                (memory (export "memory") 1)
                (data (i32.const 16) "hello")
                (func (export "malloc") (param i32) (result i32) (i32.const 1024))
                (func (export "_initialize") {body}))"#
        ),
        &Limits::default(),
    );
    let settings = VmSettings {
        namespace: Namespace::Named(String::new()),
        vm_id: String::new(),
        configuration: Default::default(),
        environment: Vec::new(),
    };
    let started = Vm::new(
        &program,
        settings,
        Box::new(FakeHost(world.clone())),
        Arc::default(),
    );
    let outcome = started
        .err()
        .map_or("started".to_owned(), |error| error.to_string());
    expected.assert_eq(&format!("{}{outcome}\n", world.take()));
}

#[test]
fn a_module_may_log_while_it_starts() {
    check(
        r#"(import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))"#,
        "(drop (call $log (i32.const 2) (i32.const 16) (i32.const 5)))",
        expect![[r#"
            (vm) Info: hello
            started
        "#]],
    );
}

#[test]
fn a_module_may_ask_for_the_log_level_while_it_starts() {
    check(
        r#"(import "env" "proxy_get_log_level" (func $level (param i32) (result i32)))"#,
        "(if (call $level (i32.const 0)) (then (unreachable)))",
        expect![[r#"
            started
        "#]],
    );
}

#[test]
fn a_module_may_use_wasi_while_it_starts() {
    check(
        r#"(import "wasi_unstable" "sched_yield" (func $yield (result i32)))"#,
        "(if (call $yield) (then (unreachable)))",
        expect![[r#"
            started
        "#]],
    );
}

#[test]
fn nothing_else_may_be_called_while_the_module_starts() {
    check(
        r#"(import "env" "proxy_set_tick_period_milliseconds" (func $tick (param i32) (result i32)))"#,
        "(drop (call $tick (i32.const 100)))",
        expect![[r#"
            host: (vm) faulted in _initialize: the guest gave a bad reply: proxy_set_tick_period_milliseconds was called before the module had started; only logging and WASI can be
            in _initialize: the guest gave a bad reply: proxy_set_tick_period_milliseconds was called before the module had started; only logging and WASI can be
        "#]],
    );
}
