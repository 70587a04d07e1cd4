//! What the engine costs: an instance, a call, a host call, a cache hit. `cargo bench -p wharf-engine`.

use std::path::Path;
use std::time::Duration;

use divan::{Bencher, black_box};
use wharf_engine::{
    Allocation, CacheReport, CompiledCache, Engine, EngineSettings, FaultKind, GuestFunction, GuestMemory,
    HostCall, HostCallEvent, HostCallObserver, Imports, Instance, Linked,
};
use wharf_plugin::{ByteSize, Limits, Reference, VerifiedArtifact};

fn main() {
    divan::main();
}

const DEADLINE: Duration = Duration::from_secs(1);

/// A guest with a page of data, whose exports call nothing, a host function, and one that takes a string, a number of
/// times.
const GUEST: &str = r#"(module
    (import "env" "nothing" (func $nothing (param i32 i32) (result i32)))
    (import "env" "string" (func $string (param i32 i32) (result i32)))
    (memory (export "memory") 4)
    (data (i32.const 1024) "a header value that is about as long as they are")
    (func (export "empty") (param i32))
    (func (export "nothing") (param i32)
        (loop
            (drop (call $nothing (i32.const 1) (i32.const 2)))
            (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
    (func (export "string") (param i32)
        (loop
            (drop (call $string (i32.const 1024) (i32.const 48)))
            (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))"#;

/// How many host calls one measured call makes.
const CALLS: u32 = 1_000;

fn artifact(bytes: Vec<u8>) -> VerifiedArtifact {
    VerifiedArtifact::dangerously_unverified(Reference::File("bench.wasm".into()), bytes)
}

/// The state keeps the last string that the guest gave.
fn linked(allocation: Allocation) -> Linked<Vec<u8>> {
    let mut imports = Imports::new();
    imports.function(
        "env",
        "nothing",
        |_: &mut HostCall<'_, Vec<u8>>, (a, b): (u32, u32)| Ok(black_box(a + b)),
    );
    imports.function(
        "env",
        "string",
        |call: &mut HostCall<'_, Vec<u8>>, (pointer, length): (u32, u32)| {
            let (memory, state) = call.memory_and_state();
            let bytes = memory
                .read(pointer, length)
                .map_err(|error| FaultKind::BadReply {
                    reason: error.to_string(),
                })?;
            state.clear();
            state.extend_from_slice(bytes);
            Ok(0_i32)
        },
    );
    let engine = Engine::new(EngineSettings {
        allocation,
        ..EngineSettings::default()
    })
    .expect("it starts");
    let wasm = wat::parse_str(GUEST).expect("it is a module");
    let (module, _) = engine.compile(&artifact(wasm), &limits()).expect("it compiles");
    module.link(&imports, &limits()).expect("it links")
}

fn limits() -> Limits {
    Limits {
        memory: ByteSize::from_mib(1),
        ..Limits::default()
    }
}

#[divan::bench]
fn instantiate_on_demand(bencher: Bencher) {
    let linked = linked(Allocation::OnDemand);
    bencher.bench_local(|| linked.instantiate(Vec::new()).expect("it starts"));
}

#[divan::bench]
fn instantiate_pooled(bencher: Bencher) {
    let linked = linked(Allocation::Pooled {
        instances: 100,
        memory: ByteSize::from_mib(1),
    });
    bencher.bench_local(|| linked.instantiate(Vec::new()).expect("it starts"));
}

/// Calls the export `name` with `count`, in an instance that `observer` may watch.
fn bench_call(bencher: Bencher, name: &'static str, count: u32, observer: Option<Box<dyn HostCallObserver>>) {
    let mut instance = linked(Allocation::OnDemand)
        .instantiate(Vec::new())
        .expect("it starts");
    instance.observe(observer);
    let function: GuestFunction<u32, ()> = instance
        .function(name)
        .expect("it has the signature")
        .expect("it is exported");
    let call = |instance: &mut Instance<Vec<u8>>| instance.call(&function, black_box(count), DEADLINE);
    bencher.bench_local(|| call(&mut instance).expect("it returns"));
}

#[divan::bench]
fn call(bencher: Bencher) {
    bench_call(bencher, "empty", 0, None);
}

#[divan::bench]
fn thousand_host_calls(bencher: Bencher) {
    bench_call(bencher, "nothing", CALLS, None);
}

#[divan::bench]
fn thousand_host_calls_observed(bencher: Bencher) {
    bench_call(bencher, "nothing", CALLS, Some(Box::new(Counter(0))));
}

#[divan::bench]
fn thousand_host_calls_that_copy_a_string(bencher: Bencher) {
    bench_call(bencher, "string", CALLS, None);
}

/// An observer that does as little as it can.
struct Counter(u64);

impl HostCallObserver for Counter {
    fn before(&mut self, event: &HostCallEvent<'_>, _memory: &GuestMemory<'_>) {
        self.0 += event.arguments.len() as u64;
    }

    fn after(&mut self, event: &HostCallEvent<'_>, _memory: &GuestMemory<'_>) {
        self.0 += u64::from(black_box(event.result.is_some()));
    }
}

/// A filter from a public SDK where it has been built, else a generated module of about the same size.
fn filter() -> VerifiedArtifact {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../guests/rust-headers/rust-headers.wasm");
    let generated = || {
        let body =
            "(drop (i32.mul (i32.add (local.get 0) (i32.const 77)) (i32.load (local.get 0))))".repeat(40);
        let function = format!("(func (param i32) {body})");
        wat::parse_str(format!("(module (memory 1) {})", function.repeat(500))).expect("it is a module")
    };
    artifact(std::fs::read(path).unwrap_or_else(|_| generated()))
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn compile_filter(bencher: Bencher) {
    let engine = Engine::new(EngineSettings::default()).expect("it starts");
    let filter = filter();
    bencher.bench_local(|| engine.compile(&filter, &Limits::default()).expect("it compiles"));
}

#[divan::bench]
fn map_filter_from_the_cache(bencher: Bencher) {
    let directory = tempfile::tempdir().expect("there is a temporary directory");
    let cache = Some(CompiledCache::new(directory.path().join("compiled")));
    let engine = Engine::new(EngineSettings {
        cache,
        ..EngineSettings::default()
    })
    .expect("it starts");
    let filter = filter();
    engine.compile(&filter, &Limits::default()).expect("it compiles");
    bencher.bench_local(|| {
        let (module, report) = engine.compile(&filter, &Limits::default()).expect("it is mapped");
        assert!(matches!(report, CacheReport::Hit { .. }));
        module
    });
}
