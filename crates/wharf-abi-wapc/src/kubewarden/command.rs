//! Policies that are commands: the request comes from stdin and the verdict goes to stdout (execution mode `wasi`).
//!
//! A command is started for each call with the arguments `policy.wasm` and `validate` or `validate-settings`. What it
//! writes to stderr goes to the log, and is the reason where it ends with another code than 0.
//!
//! It calls its host by `call` of module `host`, or of `kubewarden:javy/host` where it is written in JavaScript. The answer
//! is put behind what is left of stdin, with nothing between the two, so a policy has read stdin to its end before.

use std::collections::VecDeque;
use std::io::Read;

use wharf_abi_wasi::{OutputFull, Stdio, WasiHost};
use wharf_engine::{
    Deadline, FaultKind, HostCall, HostFailure, HostResult, Imports, LinkError, Linked, Module,
};
use wharf_plugin::{ByteSize, Limits};

use super::bridge::Bridge;
use super::fault::PolicyFault;
use super::host::{PolicyLog, PolicyLogLevel};
use crate::wapc::{self, CallError, Host as _, PayloadLimits};

/// The modules under which policies import `call`.
const MODULES: [&str; 2] = ["host", "kubewarden:javy/host"];

const START: &str = "_start";

/// A policy that is a command, compiled and linked.
pub(super) struct Command {
    linked: Linked<State>,
    limits: PayloadLimits,
}

/// What the host functions of one run work on.
struct State {
    bridge: Bridge,
    limits: PayloadLimits,
    deadline: Deadline,
    arguments: Vec<String>,
    stdin: VecDeque<u8>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    stdout_full: bool,
}

impl Command {
    pub(super) fn new(module: &Module, limits: &Limits, payload: PayloadLimits) -> Result<Self, LinkError> {
        let mut imports = Imports::new();
        wharf_abi_wasi::add_filter_wasi(&mut imports);
        for module in MODULES {
            imports.function(module, "call", host_call);
        }
        Ok(Self {
            linked: module.link(&imports, limits)?,
            limits: payload,
        })
    }

    /// Runs the command to its end and gives what it wrote to stdout.
    pub(super) fn run(
        &self,
        operation: &str,
        input: Vec<u8>,
        bridge: Bridge,
        deadline: Deadline,
    ) -> Result<Vec<u8>, PolicyFault> {
        let of_guest = |fault| PolicyFault::of_guest(fault, None, deadline);
        let (size, most) = (ByteSize::from_bytes(input.len() as u64), self.limits.request);
        if size > most {
            return Err(PolicyFault::Call(CallError::RequestTooLarge { size, most }));
        }
        wapc::check_time(deadline, START).map_err(of_guest)?;
        let state = State {
            bridge,
            limits: self.limits,
            deadline,
            arguments: vec!["policy.wasm".to_owned(), operation.to_owned()],
            stdin: input.into(),
            stdout: Vec::new(),
            stderr: Vec::new(),
            stdout_full: false,
        };
        let mut instance = self
            .linked
            .instantiate_within(state, deadline.left())
            .map_err(of_guest)?;
        let missing = || {
            let name = START.into();
            wharf_engine::Fault::new(FaultKind::MissingExport { name }, START)
        };
        let outcome = instance
            .function::<(), ()>(START)
            .and_then(|start| start.ok_or_else(missing))
            .and_then(|start| instance.call_start(&start, deadline.left()));
        let mut state = instance.into_state();
        let stderr = state.take_stderr();
        match outcome {
            Ok(()) if state.stdout_full => Err(PolicyFault::OutputTooLarge {
                most: self.limits.response,
            }),
            Ok(()) => {
                state.log_stderr(&stderr);
                Ok(state.stdout)
            }
            Err(fault) => Err(match fault.kind() {
                FaultKind::Exit { code } => PolicyFault::Exit { code: *code, stderr },
                _ => PolicyFault::of_guest(fault, (!stderr.is_empty()).then_some(stderr), deadline),
            }),
        }
    }
}

impl State {
    /// What the command wrote to stderr, without the space around it.
    fn take_stderr(&mut self) -> String {
        let text = String::from_utf8_lossy(&std::mem::take(&mut self.stderr))
            .trim()
            .to_owned();
        self.limits.cut(text)
    }

    fn log_stderr(&mut self, stderr: &str) {
        for line in stderr.lines() {
            self.bridge.log(&PolicyLog::line(PolicyLogLevel::Warning, line));
        }
    }

    /// Puts the host's answer or error behind what is left of stdin. Says whether it was an answer.
    fn ask(&mut self, call: &wapc::HostCall<'_>) -> bool {
        let (text, answered) = match self.bridge.call(call) {
            Ok(answer) => (answer, true),
            Err(text) => (self.limits.cut(text).into_bytes(), false),
        };
        let most = self.limits.host_response;
        if (self.stdin.len() + text.len()) as u64 > most.bytes() {
            let text =
                format!("the host's answers have more than {most} together, which is what a guest is given");
            self.stdin.extend(text.as_bytes());
            return false;
        }
        self.stdin.extend(text);
        answered
    }
}

/// `call(bd_ptr, bd_len, ns_ptr, ns_len, op_ptr, op_len, ptr, len) -> i32`: calls the host.
///
/// * `bd`, `ns`, `op`: the names of the binding, the namespace and the operation, as UTF-8.
/// * `ptr`, `len`: the payload.
///
/// Gives 0 and puts the answer behind what is left of stdin, or 1 and puts the error text there. That is the opposite of
/// waPC's numbers. A range that is not inside the memory and a name that is not text are a fault.
fn host_call(
    call: &mut HostCall<'_, State>,
    (bd_ptr, bd_len, ns_ptr, ns_len, op_ptr, op_len, ptr, len): (u32, u32, u32, u32, u32, u32, u32, u32),
) -> HostResult<u32> {
    let bad = |argument: &str, reason: &dyn std::fmt::Display| -> HostFailure {
        let reason = format!("host.call: {argument}: {reason}");
        FaultKind::BadReply { reason }.into()
    };
    let (memory, state) = call.memory_and_state();
    let bytes = |argument, ptr, len| memory.read(ptr, len).map_err(|error| bad(argument, &error));
    let text = |argument, ptr, len| {
        let bytes = bytes(argument, ptr, len)?;
        std::str::from_utf8(bytes).map_err(|error| bad(argument, &error))
    };
    let request = wapc::HostCall {
        binding: text("the binding", bd_ptr, bd_len)?,
        namespace: text("the namespace", ns_ptr, ns_len)?,
        operation: text("the operation", op_ptr, op_len)?,
        payload: bytes("the payload", ptr, len)?,
        deadline: state.deadline,
    };
    let most = state.limits.host_request;
    if request.payload.len() as u64 > most.bytes() {
        let reason = format!("it has {len} bytes, and at most {most} are taken");
        return Err(bad("the payload", &reason));
    }
    Ok(u32::from(!state.ask(&request)))
}

impl WasiHost for State {
    fn environment(&self) -> &[(String, String)] {
        &[]
    }

    fn arguments(&self) -> &[String] {
        &self.arguments
    }

    fn write(&mut self, stream: Stdio, bytes: &[u8]) {
        let text = self.limits.text_of(bytes);
        self.bridge.log(&PolicyLog::of_stream(stream, &text));
    }

    /// Stdout is the answer and has to fit; of stderr the beginning will do.
    fn output(&mut self, stream: Stdio, bytes: &[u8]) -> Result<(), OutputFull> {
        match stream {
            Stdio::Stdout if over(&self.stdout, bytes, self.limits.response) => {
                self.stdout_full = true;
                return Err(OutputFull);
            }
            Stdio::Stdout => self.stdout.extend_from_slice(bytes),
            Stdio::Stderr => {
                let room = self.limits.text.as_usize().saturating_sub(self.stderr.len());
                self.stderr.extend_from_slice(&bytes[..bytes.len().min(room)]);
            }
        }
        Ok(())
    }

    fn stdin(&mut self) -> Option<&mut dyn Read> {
        Some(&mut self.stdin)
    }

    fn realtime_nanoseconds(&mut self) -> u64 {
        self.bridge.realtime_nanoseconds()
    }

    fn monotonic_nanoseconds(&mut self) -> u64 {
        self.bridge.monotonic_nanoseconds()
    }

    fn random(&mut self, buffer: &mut [u8]) {
        self.bridge.random(buffer);
    }
}

fn over(written: &[u8], more: &[u8], most: ByteSize) -> bool {
    (written.len() + more.len()) as u64 > most.bytes()
}
