//! The engine as its users see it.

#![expect(
    clippy::unwrap_used,
    reason = "a test whose setting cannot be made fails there"
)]

mod door;
mod faults;
mod limits;
mod linking;
mod modules;
mod own_memory;
mod pools;

use std::time::Duration;

use wharf_engine::{
    Allocation, CompileError, Engine, EngineSettings, Fault, FaultKind, HostCall, Imports, Instance, Linked,
    Module,
};
use wharf_plugin::{ByteSize, Limits, Reference, VerifiedArtifact};

/// Longer than any call of these tests takes that is not meant to be ended.
const LONG: Duration = Duration::from_secs(60);

fn artifact(bytes: impl Into<Vec<u8>>) -> VerifiedArtifact {
    VerifiedArtifact::dangerously_unverified(Reference::File("guest.wasm".into()), bytes.into())
}

fn engine() -> Engine {
    Engine::new(EngineSettings::default()).unwrap()
}

fn pooled(instances: u32, memory: ByteSize) -> Engine {
    let allocation = Allocation::Pooled { instances, memory };
    Engine::new(EngineSettings {
        allocation,
        ..EngineSettings::default()
    })
    .unwrap()
}

fn compile_with(engine: &Engine, wat: &str, limits: &Limits) -> Result<Module, CompileError> {
    engine
        .compile(&artifact(wat::parse_str(wat).unwrap()), limits)
        .map(|(module, _)| module)
}

fn linked(wat: &str, limits: &Limits) -> Linked<()> {
    compile_with(&engine(), wat, limits)
        .unwrap()
        .link(&imports(), limits)
        .unwrap()
}

fn instance(wat: &str) -> Instance<()> {
    linked(wat, &Limits::default()).instantiate(()).unwrap()
}

/// A few host functions that end the guest's call.
fn imports() -> Imports<()> {
    let mut imports = Imports::new();
    imports
        .function(
            "env",
            "exit",
            |_: &mut HostCall<'_, ()>, (code,): (i32,)| -> Result<(), _> {
                Err(FaultKind::Exit { code }.into())
            },
        )
        .function(
            "env",
            "bad_reply",
            |_: &mut HostCall<'_, ()>, (): ()| -> Result<i32, _> {
                Err(FaultKind::BadReply {
                    reason: "seven is not even".into(),
                }
                .into())
            },
        );
    imports
}

/// Calls the export `name`, which takes and gives nothing.
fn call(instance: &mut Instance<()>, name: &'static str) -> Result<(), Fault> {
    call_within(instance, name, LONG)
}

fn call_within(instance: &mut Instance<()>, name: &'static str, deadline: Duration) -> Result<(), Fault> {
    let function = instance.function::<(), ()>(name)?.expect("the module exports it");
    instance.call(&function, (), deadline)
}
