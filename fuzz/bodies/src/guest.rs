//! The scripted guest: a filter that calls whatever its script says, from whatever callback it says.

use std::fmt::Write;
use std::sync::OnceLock;
use std::time::Duration;

use wharf_abi_proxy_wasm::Program;
use wharf_engine::{Allocation, Engine, EngineSettings};
use wharf_plugin::{ByteSize, Limits, ProxyWasmVersion, Reference, VerifiedArtifact};

use crate::script::{Callback, Function, SPECIAL, functions};

/// The queue whose news make the guest check that a normal call works.
pub(crate) const SANITY_QUEUE: u32 = u32::MAX;
/// The queue whose news make the guest resume all streams.
pub(crate) const RESUME_QUEUE: u32 = u32::MAX - 1;
/// What the guest logs when the normal call has worked.
pub(crate) const SANE: &str = "sane";

/// How much the guest's memory may grow.
const MEMORY: ByteSize = ByteSize::from_mib(1);

/// The guest of a version, compiled once for the process.
pub(crate) fn program(version: ProxyWasmVersion) -> &'static Program {
    static PROGRAMS: [OnceLock<Program>; 3] = [const { OnceLock::new() }; 3];
    PROGRAMS[version as usize].get_or_init(|| compile(version))
}

fn compile(version: ProxyWasmVersion) -> Program {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    let settings = EngineSettings {
        allocation: Allocation::Pooled {
            instances: 16,
            memory: MEMORY,
        },
        ..EngineSettings::default()
    };
    let engine = ENGINE.get_or_init(|| Engine::new(settings).expect("an engine with these settings starts"));
    let limits = Limits {
        memory: MEMORY,
        // A machine that fuzzes is busy; nothing that the guest does takes long, and libFuzzer has a timeout.
        deadline: Duration::from_secs(60),
        startup_deadline: Duration::from_secs(60),
        ..Limits::default()
    };
    let text = text(version);
    let bytes =
        wat::parse_str(&text).unwrap_or_else(|error| panic!("the guest is good WAT: {error}\n{text}"));
    let artifact = VerifiedArtifact::dangerously_unverified(Reference::File("guest.wat".into()), bytes);
    let (module, _) = engine.compile(&artifact, &limits).expect("the guest compiles");
    Program::new(&module, version, &limits).expect("the guest imports what there is")
}

fn text(version: ProxyWasmVersion) -> String {
    let functions = functions(version);
    let mut out = String::from("(module\n(type $forward (func (result i32)))\n");
    for Function {
        module,
        name,
        parameters,
    } in functions
    {
        let types: String = parameters.chars().map(wasm_types).collect();
        let result = if returns(name) { "(result i32)" } else { "" };
        out += &format!("(import \"{module}\" \"{name}\" (func ${name} (param{types}) {result}))\n");
    }
    out += "(import \"wasi_snapshot_preview1\" \"proc_exit\" (func $proc_exit (param i32)))\n";
    out += MACHINE;
    out += if version == ProxyWasmVersion::V0_1_0 {
        RESUME_0_1_0
    } else {
        RESUME
    };
    for function in functions {
        out += &forwarder(function);
    }
    for callback in Callback::ALL {
        out += &exported(*callback, version);
    }
    let names = functions
        .iter()
        .map(|function| function.name)
        .chain(SPECIAL.iter().copied());
    let elements: String = names.map(|name| format!(" $do_{name}")).collect();
    let marker = version.marker();
    write!(
        out,
        "(table funcref (elem{elements}))\n(func (export \"{marker}\"))\n)"
    )
    .expect("text takes all");
    out
}

fn wasm_types(letter: char) -> &'static str {
    match letter {
        'N' => " i64",
        'p' => " i32 i32",
        _ => " i32",
    }
}

fn returns(name: &str) -> bool {
    name != "emscripten_notify_memory_growth"
}

/// A function that takes its arguments from the script.
fn forwarder(Function { name, parameters, .. }: &Function) -> String {
    let types: String = parameters.chars().map(wasm_types).collect();
    let mut arguments = String::new();
    for (index, kind) in types.split_whitespace().enumerate() {
        let load = format!("(i64.load offset={} (global.get $arguments))", 8 * index);
        arguments += &if kind == "i64" {
            load
        } else {
            format!("(i32.wrap_i64 {load})")
        };
    }
    let nothing = if returns(name) { "" } else { "(i32.const 0)" };
    format!("(func $do_{name} (result i32) (call ${name} {arguments}) {nothing})\n")
}

/// An exported callback: it runs its script.
fn exported(callback: Callback, version: ProxyWasmVersion) -> String {
    let (name, _, default) = callback.export();
    let parameters = " i32".repeat(callback.parameters(version));
    let before = match callback {
        Callback::VmStart => "(call $load (local.get 1))".to_owned(),
        Callback::QueueReady => format!(
            "(if (i32.eq (local.get 1) (i32.const {})) (then (call $sane) (return)))
             (if (i32.eq (local.get 1) (i32.const {})) (then (drop (call $do_resume_all)) (return)))",
            SANITY_QUEUE.cast_signed(),
            RESUME_QUEUE.cast_signed()
        ),
        _ => String::new(),
    };
    let index = callback as u32;
    let run = format!(
        "(call $run (i32.const {index}) (i32.const {}))",
        default.unwrap_or(0)
    );
    let (result, run) = match default {
        Some(_) => ("(result i32)", run),
        None => ("", format!("(drop {run})")),
    };
    format!("(func (export \"{name}\") (param{parameters}) {result} {before} {run})\n")
}

/// What reads the script and allocates. The layout is that of `script.rs`.
const MACHINE: &str = r#"
(memory (export "memory") 3)
(global $arguments (mut i32) (i32.const 0))
(global $bump (mut i32) (i32.const 0x1000))
(global $allocator (mut i32) (i32.const 0))
(global $address (mut i32) (i32.const 0))

;; The script is the VM's configuration. The host writes it where the allocator says, which is where it is read.
(func $load (param $size i32)
  (memory.fill (i32.const 0x20000) (i32.const 63) (i32.const 0x10000))
  (global.set $allocator (i32.const 2))
  (global.set $address (i32.const 0x10000))
  (if (call $proxy_get_buffer_bytes
        (i32.const 6) (i32.const 0) (local.get $size) (i32.const 0x10) (i32.const 0x14))
    (then (unreachable)))
  (global.set $allocator (i32.const 0)))

;; Whoever watches learns from the call of `pthread_equal` what was given.
(func (export "proxy_on_memory_allocate") (param $size i32) (result i32)
  (local $at i32)
  (local.set $at (call $allocate (local.get $size)))
  (drop (call $pthread_equal (local.get $at) (local.get $size)))
  (local.get $at))

(func $allocate (param $size i32) (result i32)
  (local $at i32)
  (if (i32.eq (global.get $allocator) (i32.const 1)) (then (return (i32.const 0))))
  (if (i32.eq (global.get $allocator) (i32.const 2)) (then (return (global.get $address))))
  (if (i32.eq (global.get $allocator) (i32.const 3)) (then (unreachable)))
  (if (i32.eq (global.get $allocator) (i32.const 4))
    (then
      (drop (call $proxy_log (i32.const 2) (global.get $address) (i32.const 3)))
      (drop (call $proxy_get_property
        (i32.const 0) (i32.const 0) (global.get $address) (global.get $address)))))
  (if (i32.or (i32.eq (global.get $allocator) (i32.const 5)) (i32.gt_u (local.get $size) (i32.const 0x4000)))
    (then (return (i32.shl
      (memory.grow (i32.add (i32.shr_u (local.get $size) (i32.const 16)) (i32.const 1)))
      (i32.const 16)))))
  (local.set $at (global.get $bump))
  (if (i32.gt_u (i32.add (local.get $at) (local.get $size)) (i32.const 0x10000))
    (then (local.set $at (i32.const 0x1000))))
  (global.set $bump (i32.and
    (i32.add (i32.add (local.get $at) (local.get $size)) (i32.const 7))
    (i32.const 0xfffffff8)))
  (local.get $at))

(func $run (param $callback i32) (param $default i32) (result i32)
  (local $entry i32) (local $turn i32) (local $steps i32) (local $step i32)
  (local.set $entry (i32.add (i32.const 0x10000) (i32.shl (local.get $callback) (i32.const 3))))
  (if (i32.eqz (i32.load offset=4 (local.get $entry))) (then (return (local.get $default))))
  (i32.store offset=4 (local.get $entry) (i32.sub (i32.load offset=4 (local.get $entry)) (i32.const 1)))
  (local.set $turn (i32.load (local.get $entry)))
  (local.set $steps (i32.load (local.get $turn)))
  (if (i32.gt_u (local.get $steps) (i32.const 16)) (then (local.set $steps (i32.const 16))))
  (local.set $step (i32.add (local.get $turn) (i32.const 8)))
  (i32.store (local.get $entry)
    (i32.add (local.get $step) (i32.mul (local.get $steps) (i32.const 104))))
  (block $done
    (loop $next
      (br_if $done (i32.eqz (local.get $steps)))
      (global.set $arguments (i32.add (local.get $step) (i32.const 8)))
      (drop (call_indirect (type $forward) (i32.load (local.get $step))))
      (local.set $step (i32.add (local.get $step) (i32.const 104)))
      (local.set $steps (i32.sub (local.get $steps) (i32.const 1)))
      (br $next)))
  (i32.load offset=4 (local.get $turn)))

;; A normal call: the property "plugin_name" is one letter. Nothing that has gone before may keep it from working.
(func $sane
  (global.set $allocator (i32.const 0))
  (i64.store (i32.const 0x100) (i64.const 0x6e5f6e6967756c70))
  (i32.store (i32.const 0x108) (i32.const 0x00656d61))
  (if (call $proxy_get_property (i32.const 0x100) (i32.const 11) (i32.const 0x10) (i32.const 0x14))
    (then (return)))
  (if (i32.ne (i32.load (i32.const 0x14)) (i32.const 1)) (then (return)))
  (if (i32.ne (i32.load8_u (i32.load (i32.const 0x10))) (i32.const 112)) (then (return)))
  (i32.store (i32.const 0x100) (i32.const 0x656e6173))
  (drop (call $proxy_log (i32.const 5) (i32.const 0x100) (i32.const 4))))

(func $do_trap (result i32) (unreachable))
(func $do_exit (result i32) (call $proc_exit (i32.const 3)) (unreachable))
(func $do_grow (result i32) (memory.grow (i32.load (global.get $arguments))))
(func $do_allocator (result i32)
  (global.set $allocator (i32.load (global.get $arguments)))
  (global.set $address (i32.load offset=8 (global.get $arguments)))
  (i32.const 0))
(func $do_resume_all (result i32)
  (local $context i32)
  (loop $next
    (local.set $context (i32.add (local.get $context) (i32.const 1)))
    (if (i32.eqz (call $proxy_set_effective_context (local.get $context)))
      (then (call $resume)))
    (br_if $next (i32.lt_u (local.get $context) (i32.const 32))))
  (i32.const 0))
"#;

const RESUME_0_1_0: &str = "
(func $resume
  (drop (call $proxy_continue_request))
  (drop (call $proxy_continue_response)))
";
const RESUME: &str = "
(func $resume
  (drop (call $proxy_continue_stream (i32.const 0)))
  (drop (call $proxy_continue_stream (i32.const 1))))
";
