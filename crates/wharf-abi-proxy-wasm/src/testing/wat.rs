//! The scripted guest in text form.

use std::fmt::Write;

use wharf_plugin::ProxyWasmVersion;

use super::script::{Callback, SPECIAL, functions};

/// The scripted guest of a version, in text form.
pub(super) fn scripted_guest(version: ProxyWasmVersion) -> String {
    let functions = functions(version);
    let mut out = String::from("(module\n(type $forward (func (result i32)))\n");
    for (name, parameters) in &functions {
        let types: String = parameters.chars().map(wasm_type).collect();
        let result = if returns(name) { "(result i32)" } else { "" };
        writeln!(
            out,
            r#"(import "env" "{name}" (func ${name} (param{types}) {result}))"#
        )
        .unwrap();
    }
    out.push_str(r#"(import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))"#);
    out.push_str(MACHINE);
    for (name, parameters) in &functions {
        writeln!(out, "{}", forwarder(name, parameters)).unwrap();
    }
    for callback in Callback::ALL {
        writeln!(out, "{}", exported(*callback, version)).unwrap();
    }
    let names = functions
        .iter()
        .map(|(name, _)| *name)
        .chain(SPECIAL.iter().copied());
    let elements: String = names.map(|name| format!(" $do_{name}")).collect();
    writeln!(out, "(table funcref (elem{elements}))\n{}\n)", marker(version)).unwrap();
    out
}

fn wasm_type(letter: char) -> &'static str {
    if letter == 'I' { " i64" } else { " i32" }
}

fn returns(name: &str) -> bool {
    name != "emscripten_notify_memory_growth"
}

fn marker(version: ProxyWasmVersion) -> &'static str {
    match version {
        ProxyWasmVersion::V0_1_0 => r#"(func (export "proxy_abi_version_0_1_0"))"#,
        ProxyWasmVersion::V0_2_0 => r#"(func (export "proxy_abi_version_0_2_0"))"#,
        ProxyWasmVersion::V0_2_1 => r#"(func (export "proxy_abi_version_0_2_1"))"#,
    }
}

/// A function that takes its arguments from the script.
fn forwarder(name: &str, parameters: &str) -> String {
    let load = |(index, letter): (usize, char)| {
        let load = format!("(i64.load offset={} (global.get $arguments))", 8 * index);
        if letter == 'I' {
            load
        } else {
            format!("(i32.wrap_i64 {load})")
        }
    };
    let arguments: String = parameters.chars().enumerate().map(load).collect();
    let nothing = if returns(name) { "" } else { "(i32.const 0)" };
    format!("(func $do_{name} (result i32) (call ${name} {arguments}) {nothing})")
}

/// An exported callback: it announces itself and runs its script.
fn exported(callback: Callback, version: ProxyWasmVersion) -> String {
    let (name, _, default) = callback.export();
    let count = callback.parameters(version);
    let index = callback as u32;
    let parameters = " i32".repeat(count);
    let announced: String = (0..5)
        .map(|at| {
            if at < count {
                format!("(local.get {at})")
            } else {
                "(i32.const 0)".into()
            }
        })
        .collect();
    let adopt = if callback == Callback::ContextCreate {
        "(call $adopt (local.get 0) (local.get 1))"
    } else {
        ""
    };
    let run = format!(
        "(call $run (local.get 0) (i32.const {index}) (i32.const {}))",
        default.unwrap_or(0)
    );
    let (result, run) = match default {
        Some(_) => ("(result i32)", run),
        None => ("", format!("(drop {run})")),
    };
    format!(
        r#"(func (export "{name}") (param{parameters}) {result}
            {adopt} (call $announce (i32.const {index}) {announced}) {run})"#
    )
}

/// What reads scripts, allocates and announces. The layout is that of `script.rs`.
const MACHINE: &str = r#"
(memory (export "memory") 5)
(global $arguments (mut i32) (i32.const 0))
(global $bump (mut i32) (i32.const 0x100))
(global $allocator (mut i32) (i32.const 0))
(global $address (mut i32) (i32.const 0))
(global $announces (mut i32) (i32.const 0))

(func (export "test_allocator") (param i32 i32)
  (global.set $allocator (local.get 0))
  (global.set $address (local.get 1)))
(func (export "test_announce") (global.set $announces (i32.const 1)))

(func (export "proxy_on_memory_allocate") (param $size i32) (result i32)
  (local $at i32)
  (if (i32.eq (global.get $allocator) (i32.const 1)) (then (return (i32.const 0))))
  (if (i32.eq (global.get $allocator) (i32.const 2)) (then (return (global.get $address))))
  (if (i32.eq (global.get $allocator) (i32.const 3)) (then (unreachable)))
  (if (i32.eq (global.get $allocator) (i32.const 4))
    (then (drop (call $proxy_get_current_time_nanoseconds (i32.const 8)))))
  (if (i32.eq (global.get $allocator) (i32.const 5))
    (then (drop (call $proxy_log (i32.const 2) (i32.const 0) (i32.const 3)))))
  (if (i32.gt_u (local.get $size) (i32.const 0x4000))
    (then (return (i32.shl
      (memory.grow (i32.add (i32.shr_u (local.get $size) (i32.const 16)) (i32.const 1)))
      (i32.const 16)))))
  (local.set $at (global.get $bump))
  (global.set $bump (i32.and
    (i32.add (i32.add (local.get $at) (local.get $size)) (i32.const 7))
    (i32.const 0xfff8)))
  (if (i32.lt_u (global.get $bump) (local.get $at))
    (then (local.set $at (i32.const 0x100))
          (global.set $bump (i32.const 0x8000))))
  (local.get $at))

;; The counters and the root of a context.
(func $record (param $context i32) (result i32)
  (i32.add (i32.const 0x30000) (i32.shl (i32.and (local.get $context) (i32.const 255)) (i32.const 7))))

(func $adopt (param $context i32) (param $parent i32)
  (memory.fill (call $record (local.get $context)) (i32.const 0) (i32.const 128))
  (i32.store offset=124 (call $record (local.get $context))
    (select (local.get $parent) (local.get $context) (local.get $parent))))

(func $run (param $context i32) (param $callback i32) (param $default i32) (result i32)
  (local $root i32) (local $entry i32) (local $count i32) (local $counter i32) (local $turn i32)
  (local $steps i32) (local $step i32)
  (local.set $root (i32.load offset=124 (call $record (local.get $context))))
  (if (i32.gt_u (i32.sub (local.get $root) (i32.const 1)) (i32.const 1)) (then (return (local.get $default))))
  (local.set $entry (i32.add (i32.shl (local.get $root) (i32.const 16)) (i32.shl (local.get $callback) (i32.const 3))))
  (local.set $count (i32.load offset=4 (local.get $entry)))
  (if (i32.eqz (local.get $count)) (then (return (local.get $default))))
  (local.set $counter (i32.add (call $record (local.get $context)) (i32.shl (local.get $callback) (i32.const 2))))
  (local.set $turn (i32.load (local.get $counter)))
  (i32.store (local.get $counter) (i32.add (local.get $turn) (i32.const 1)))
  (if (i32.ge_u (local.get $turn) (local.get $count))
    (then (local.set $turn (i32.sub (local.get $count) (i32.const 1)))))
  (local.set $turn (i32.load (i32.add (i32.load (local.get $entry)) (i32.shl (local.get $turn) (i32.const 2)))))
  (local.set $steps (i32.load (local.get $turn)))
  (local.set $step (i32.add (local.get $turn) (i32.const 8)))
  (block $done
    (loop $next
      (br_if $done (i32.eqz (local.get $steps)))
      (global.set $arguments (i32.add (local.get $step) (i32.const 8)))
      (drop (call_indirect (type $forward) (i32.load (local.get $step))))
      (local.set $step (i32.add (local.get $step) (i32.const 104)))
      (local.set $steps (i32.sub (local.get $steps) (i32.const 1)))
      (br $next)))
  (i32.load offset=4 (local.get $turn)))

(func $announce (param $callback i32) (param i32 i32 i32 i32 i32)
  (if (i32.eqz (global.get $announces)) (then (return)))
  (i32.store8 (i32.const 0x3f000) (i32.const 1))
  (i32.store8 (i32.const 0x3f001) (i32.add (i32.const 65) (local.get $callback)))
  (call $letters (i32.const 0x3f002) (local.get 1))
  (call $letters (i32.const 0x3f00a) (local.get 2))
  (call $letters (i32.const 0x3f012) (local.get 3))
  (call $letters (i32.const 0x3f01a) (local.get 4))
  (call $letters (i32.const 0x3f022) (local.get 5))
  (drop (call $proxy_log (i32.const 2) (i32.const 0x3f000) (i32.const 42))))

;; Eight letters from a to p, one for each four bits.
(func $letters (param $at i32) (param $number i32)
  (local $index i32)
  (loop $next
    (i32.store8 (i32.add (local.get $at) (local.get $index))
      (i32.add (i32.const 97) (i32.shr_u (local.get $number) (i32.const 28))))
    (local.set $number (i32.shl (local.get $number) (i32.const 4)))
    (local.set $index (i32.add (local.get $index) (i32.const 1)))
    (br_if $next (i32.lt_u (local.get $index) (i32.const 8)))))

(func $do_trap (result i32) (unreachable))
(func $do_loop (result i32) (loop $for_ever (br $for_ever)) (unreachable))
(func $do_hog (result i32)
  (loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
  (unreachable))
(func $do_exit (result i32) (call $proc_exit (i32.const 3)) (unreachable))
"#;
