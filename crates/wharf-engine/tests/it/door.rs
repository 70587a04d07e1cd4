//! The one door to host functions, and who stands at it.

use std::sync::{Arc, Mutex};

use wharf_engine::{GuestMemory, HostCallEvent, HostCallObserver, Value};

use super::*;

/// Writes down each call and what the first bytes of the memory were.
struct Tracer(Arc<Mutex<Vec<String>>>);

impl Tracer {
    fn write(&self, word: &str, event: &HostCallEvent<'_>, memory: &GuestMemory<'_>) {
        let HostCallEvent {
            module,
            name,
            arguments,
            result,
        } = event;
        let memory = memory.read(0, 2).unwrap().escape_ascii();
        self.0.lock().unwrap().push(format!(
            "{word} {module}.{name}{arguments:?} -> {result:?} {memory}"
        ));
    }
}

impl HostCallObserver for Tracer {
    fn before(&mut self, event: &HostCallEvent<'_>, memory: &GuestMemory<'_>) {
        self.write("before", event, memory);
    }

    fn after(&mut self, event: &HostCallEvent<'_>, memory: &GuestMemory<'_>) {
        self.write("after", event, memory);
    }
}

const WAT: &str = r#"(module
    (import "env" "poke" (func $poke (param i32 i64 f32 f64) (result i32)))
    (import "env" "nest" (func $nest))
    (import "env" "fail" (func $fail))
    (memory (export "memory") 1)
    (data (i32.const 0) "??")
    (func (export "poke") (drop (call $poke (i32.const -1) (i64.const 2) (f32.const 0.5) (f64.const 0.25))))
    (func (export "nest") (call $nest))
    (func (export "fail") (call $fail)))"#;

fn instance(state: ()) -> Instance<()> {
    let mut imports = Imports::new();
    imports
        .function(
            "env",
            "poke",
            |call: &mut HostCall<'_, ()>, (a, _, _, _): (i32, u64, f32, f64)| {
                call.memory()
                    .write(0, b"!")
                    .map_err(|error| FaultKind::BadReply {
                        reason: error.to_string(),
                    })?;
                Ok(a)
            },
        )
        .function("env", "nest", |_: &mut HostCall<'_, ()>, (): ()| Ok(()))
        .function(
            "env",
            "fail",
            |_: &mut HostCall<'_, ()>, (): ()| -> Result<(), _> { Err(FaultKind::Exit { code: 1 }.into()) },
        );
    let module = compile_with(&engine(), WAT, &Limits::default()).unwrap();
    module
        .link(&imports, &Limits::default())
        .unwrap()
        .instantiate(state)
        .unwrap()
}

#[test]
fn an_observer_sees_each_call_with_its_arguments_result_and_memory() {
    let trace = Arc::new(Mutex::new(Vec::new()));
    let mut instance = instance(());
    call(&mut instance, "poke").unwrap();
    assert_eq!(trace.lock().unwrap().len(), 0, "nobody looks yet");

    instance.memory().write(0, b"??").unwrap();
    instance.observe(Some(Box::new(Tracer(Arc::clone(&trace)))));
    call(&mut instance, "poke").unwrap();
    call(&mut instance, "nest").unwrap();
    assert_eq!(
        *trace.lock().unwrap(),
        [
            "before env.poke[I32(-1), I64(2), F32(0.5), F64(0.25)] -> None ??",
            "after env.poke[I32(-1), I64(2), F32(0.5), F64(0.25)] -> Some([I32(-1)]) !?",
            "before env.nest[] -> None !?",
            "after env.nest[] -> Some([]) !?",
        ]
    );

    instance.observe(None);
    call(&mut instance, "nest").unwrap();
    assert_eq!(trace.lock().unwrap().len(), 4, "it has gone");
}

#[test]
fn an_observer_sees_a_call_that_ends_the_guests_call() {
    let trace = Arc::new(Mutex::new(Vec::new()));
    let mut instance = instance(());
    instance.observe(Some(Box::new(Tracer(Arc::clone(&trace)))));
    assert_eq!(
        call(&mut instance, "fail").unwrap_err().kind(),
        &FaultKind::Exit { code: 1 }
    );
    assert_eq!(
        *trace.lock().unwrap(),
        ["before env.fail[] -> None ??", "after env.fail[] -> None ??"]
    );
}

#[test]
fn host_functions_call_back_into_the_guest() {
    type Allocate = wharf_engine::GuestFunction<u32, u32>;
    let wat = r#"(module (import "env" "host" (func $host (param i32) (result i32)))
        (memory (export "memory") 1)
        (func $trap unreachable)
        (func (export "allocate") (param i32) (result i32)
            (if (i32.eqz (local.get 0)) (then (call $trap)))
            (i32.const 64))
        (func (export "run") (param i32) (result i32) (call $host (local.get 0))))"#;
    let mut imports = Imports::new();
    imports.function(
        "env",
        "host",
        |call: &mut HostCall<'_, Option<Allocate>>, (size,): (u32,)| {
            let allocate = call.state().clone().expect("it was set before the first call");
            let pointer = call.call_guest(&allocate, size)?;
            let (mut memory, _state) = call.memory_and_state();
            memory
                .write(pointer, b"hello")
                .map_err(|error| FaultKind::BadReply {
                    reason: error.to_string(),
                })?;
            Ok(pointer)
        },
    );
    let module = compile_with(&engine(), wat, &Limits::default()).unwrap();
    let mut instance = module
        .link(&imports, &Limits::default())
        .unwrap()
        .instantiate(None)
        .unwrap();
    *instance.state_mut() = instance.function::<u32, u32>("allocate").unwrap();
    let run = instance.function::<u32, u32>("run").unwrap().unwrap();
    assert_eq!(instance.call(&run, 5, LONG).unwrap(), 64);
    assert_eq!(instance.memory().read(64, 5).unwrap(), b"hello");

    let fault = instance.call(&run, 0, LONG).unwrap_err();
    assert_eq!((fault.kind().label(), fault.callback()), ("trap", "run"));
    let innermost = fault
        .backtrace()
        .first()
        .and_then(|frame| frame.function.as_deref());
    assert_eq!(innermost, Some("trap"), "the nested call's frames are there");
    assert!(instance.into_state().is_some());
}

#[test]
fn values_are_bits_as_the_guest_gave_them() {
    assert_eq!(Value::from(u32::MAX), Value::I32(-1));
    assert_eq!(Value::from(u64::MAX), Value::I64(-1));
}
