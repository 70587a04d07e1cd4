//! Policies that OPA compiled, and guests that nobody would compile.

mod compiled;
mod hostile;

use std::time::Duration;

use wharf_engine::{Allocation, Deadline, Engine, EngineSettings};
use wharf_plugin::{ByteSize, Limits, Reference, VerifiedArtifact};

use super::*;

/// Longer than any evaluation takes that is not meant to be ended.
const LONG: Duration = Duration::from_secs(60);

/// A host with a clock that stands still, which remembers what it was told.
#[derive(Default)]
struct Recorder {
    told: Vec<String>,
    asked_for_time: u32,
    dropped: u64,
}

impl Host for Recorder {
    fn now_ns(&mut self) -> i64 {
        self.asked_for_time += 1;
        1_700_000_000_123_456_789
    }

    fn seed(&mut self) -> [u8; 32] {
        [7; 32]
    }

    fn print(&mut self, line: &str) {
        self.told.push(format!("print {line}"));
    }

    fn trace(&mut self, line: &str) {
        self.told.push(format!("trace {line}"));
    }

    fn lines_dropped(&mut self, count: u64) {
        self.dropped += count;
    }
}

fn limits() -> Limits {
    Limits {
        memory: ByteSize::from_mib(16),
        ..Limits::default()
    }
}

/// An engine with a pool, as a server has it.
fn engine() -> Engine {
    let allocation = Allocation::Pooled {
        instances: 8,
        memory: ByteSize::from_mib(64),
    };
    Engine::new(EngineSettings {
        allocation,
        ..EngineSettings::default()
    })
    .unwrap()
}

fn program_within(wasm: &[u8], limits: &Limits) -> Result<Program, ProgramError> {
    let reference = Reference::File("policy.wasm".into());
    let artifact = VerifiedArtifact::dangerously_unverified(reference, wasm.to_vec());
    let (module, _) = engine().compile(&artifact, limits).unwrap();
    Program::new(&module, limits)
}

fn program(wasm: &[u8]) -> Result<Program, ProgramError> {
    program_within(wasm, &limits())
}

fn eval(program: &Program, entrypoint: &str, input: &str, data: &str) -> Result<String, EvalError> {
    eval_in(program, entrypoint, input, data, &mut Recorder::default(), LONG)
}

fn eval_in(
    program: &Program,
    entrypoint: &str,
    input: &str,
    data: &str,
    host: &mut Recorder,
    deadline: Duration,
) -> Result<String, EvalError> {
    let deadline = Deadline::after(deadline);
    let results = program.eval(entrypoint, input.as_bytes(), data.as_bytes(), host, deadline)?;
    Ok(String::from_utf8(results).unwrap())
}
