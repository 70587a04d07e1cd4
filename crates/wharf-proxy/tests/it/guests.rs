//! Small filters in text form, and what is known of their VMs.

use std::sync::{Arc, OnceLock};

use wharf_engine::{Engine, EngineSettings};
use wharf_plugin::{PluginName, PluginSpec, ProxyWasmVersion, Reference, VerifiedArtifact};
use wharf_proxy::plugins::{CompiledPlugin, PluginSet};
use wharf_proxy::status::PluginStatus;
use wharf_testing::eventually;

/// A plugin of this name from a module's fields, with what every module needs before them.
pub(crate) fn plugin(name: &str, fields: &str) -> CompiledPlugin {
    plugin_with(name, fields, |_| ())
}

/// The same, with other settings.
pub(crate) fn plugin_with(name: &str, fields: &str, set: impl FnOnce(&mut PluginSpec)) -> CompiledPlugin {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    let engine = ENGINE.get_or_init(|| Engine::new(EngineSettings::default()).unwrap());
    let source = Reference::File(format!("{name}.wasm").into());
    let bytes = wat::parse_str(format!("(module {IMPORTS} {fields})")).unwrap();
    let mut spec = PluginSpec::new(PluginName::new(name).unwrap(), source.clone());
    set(&mut spec);
    let artifact = VerifiedArtifact::dangerously_unverified(source, bytes);
    CompiledPlugin {
        module: engine.compile(&artifact, &spec.limits).unwrap().0,
        spec: Arc::new(spec),
        version: ProxyWasmVersion::V0_2_1,
    }
}

/// Addresses below 16 are for what the host gives back, and what it allocates is at 4096.
const IMPORTS: &str = r#"
  (import "env" "proxy_add_header_map_value" (func $add (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_get_shared_data" (func $get (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_set_shared_data" (func $set (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_register_shared_queue" (func $register (param i32 i32 i32) (result i32)))
  (import "env" "proxy_enqueue_shared_queue" (func $enqueue (param i32 i32 i32) (result i32)))
  (import "env" "proxy_dequeue_shared_queue" (func $dequeue (param i32 i32 i32) (result i32)))
  (import "env" "proxy_define_metric" (func $define (param i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_increment_metric" (func $increment (param i32 i64) (result i32)))
  (import "env" "proxy_set_tick_period_milliseconds" (func $tick (param i32) (result i32)))
  (import "env" "proxy_done" (func $done (result i32)))
  (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 4096))"#;

/// Says its version in `x-version`, as four digits.
pub(crate) fn stamp(version: u32) -> String {
    format!(
        r#"
  (data (i32.const 16) "x-version") (data (i32.const 32) "{version:04}")
  (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
    (drop (call $add (i32.const 2) (i32.const 16) (i32.const 9) (i32.const 32) (i32.const 4)))
    (i32.const 0))"#
    )
}

/// Counts requests twice: in shared data, said in `x-shared`, and in its own memory, said in `x-own`. Both have one digit.
pub(crate) fn counter(version: u32) -> String {
    format!(
        r#"
  (data (i32.const 16) "x-shared") (data (i32.const 32) "x-own") (data (i32.const 40) "version {version}")
  (global $own (mut i32) (i32.const 48))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (global.set $own (i32.add (global.get $own) (i32.const 1)))
    (i32.store8 (i32.const 64) (i32.const 48))
    (if (i32.eqz (call $get (i32.const 16) (i32.const 8) (i32.const 0) (i32.const 4) (i32.const 8)))
      (then (i32.store8 (i32.const 64) (i32.load8_u (i32.load (i32.const 0))))))
    (i32.store8 (i32.const 64) (i32.add (i32.load8_u (i32.const 64)) (i32.const 1)))
    (drop (call $set (i32.const 16) (i32.const 8) (i32.const 64) (i32.const 1) (i32.const 0)))
    (i32.const 0))
  (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
    (i32.store8 (i32.const 65) (global.get $own))
    (drop (call $add (i32.const 2) (i32.const 16) (i32.const 8) (i32.const 64) (i32.const 1)))
    (drop (call $add (i32.const 2) (i32.const 32) (i32.const 5) (i32.const 65) (i32.const 1)))
    (i32.const 0))"#
    )
}

/// Puts something on a queue with each request, takes it off again and counts that in the metric `heard`. With `alone` only
/// the first VM of all starts, after it has registered the queue.
pub(crate) fn queue(version: u32, alone: bool) -> String {
    let stamp = stamp(version);
    let alone = u32::from(alone);
    format!(
        r#"{stamp}
  (data (i32.const 64) "heard")
  (global $queue (mut i32) (i32.const 0))
  (global $metric (mut i32) (i32.const 0))
  (func (export "proxy_on_vm_start") (param i32 i32) (result i32)
    (drop (call $register (i32.const 64) (i32.const 5) (i32.const 0)))
    (global.set $queue (i32.load (i32.const 0)))
    (drop (call $define (i32.const 0) (i32.const 64) (i32.const 5) (i32.const 0)))
    (global.set $metric (i32.load (i32.const 0)))
    (if (i32.eqz (i32.const {alone})) (then (return (i32.const 1))))
    (if (i32.eqz (call $get (i32.const 32) (i32.const 4) (i32.const 0) (i32.const 4) (i32.const 8)))
      (then (return (i32.const 0))))
    (i32.eqz (call $set (i32.const 32) (i32.const 4) (i32.const 32) (i32.const 1) (i32.const 0))))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (if (call $enqueue (global.get $queue) (i32.const 64) (i32.const 1)) (then (unreachable)))
    (i32.const 0))
  (func (export "proxy_on_queue_ready") (param i32 i32)
    (loop $next
      (if (i32.eqz (call $dequeue (global.get $queue) (i32.const 0) (i32.const 4)))
        (then
          (drop (call $increment (global.get $metric) (i64.const 1)))
          (br $next)))))"#
    )
}

/// Writes how it ends into its shared data, by one letter for each step, under the key `end`: `d` for done, upon which it asks
/// for time; `t` for the tick after that, which says that it is done; `x` for delete.
pub(crate) fn ending(version: u32) -> String {
    let stamp = stamp(version);
    format!(
        r#"{stamp}
  (data (i32.const 64) "end")
  (global $root (mut i32) (i32.const 0))
  (global $ending (mut i32) (i32.const 0))
  (func $write (param $letter i32)
    (i32.store (i32.const 4) (i32.const 0))
    (drop (call $get (i32.const 64) (i32.const 3) (i32.const 0) (i32.const 4) (i32.const 8)))
    (i32.store8 (i32.add (i32.const 4096) (i32.load (i32.const 4))) (local.get $letter))
    (drop (call $set (i32.const 64) (i32.const 3)
      (i32.const 4096) (i32.add (i32.load (i32.const 4)) (i32.const 1)) (i32.const 0))))
  (func (export "proxy_on_vm_start") (param i32 i32) (result i32)
    (global.set $root (local.get 0))
    (i32.eqz (call $tick (i32.const 1))))
  (func (export "proxy_on_tick") (param i32)
    (if (i32.eq (global.get $ending) (i32.const 1))
      (then
        (global.set $ending (i32.const 2))
        (call $write (i32.const 116))
        (drop (call $done)))))
  (func (export "proxy_on_done") (param i32) (result i32)
    (if (i32.ne (local.get 0) (global.get $root)) (then (return (i32.const 1))))
    (call $write (i32.const 100))
    (global.set $ending (i32.const 1))
    (i32.const 0))
  (func (export "proxy_on_delete") (param i32)
    (if (i32.eq (local.get 0) (global.get $root)) (then (call $write (i32.const 120)))))"#
    )
}

/// Traps in each request.
pub(crate) const TRAPS: &str = r#"
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (unreachable))"#;

/// Does not start.
pub(crate) const REFUSES: &str = r#"
  (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 0))"#;

/// How the VMs of a set's only plugin are.
pub(crate) fn status(set: &PluginSet) -> Arc<PluginStatus> {
    let mut all = set.status();
    assert_eq!(all.len(), 1);
    all.remove(0).1
}

/// Waits until nothing is left of VMs with this status but the status itself.
pub(crate) fn eventually_freed(status: &Arc<PluginStatus>) {
    eventually("the VMs and what they were made from are freed", || {
        Arc::strong_count(status) == 1
    });
    assert_eq!((status.running(), status.expected()), (0, 0));
}
