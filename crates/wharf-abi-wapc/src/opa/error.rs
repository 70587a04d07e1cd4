//! What can go wrong with a policy, and whose fault it is.

use std::fmt;
use std::time::Duration;

use wharf_engine::{Deadline, Fault, FaultKind, LinkError};
use wharf_plugin::ByteSize;

/// Why a module cannot be used as a policy. It is the module that is at fault.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ProgramError {
    /// It imports what OPA's ABI does not have.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// It speaks another version of the ABI, or none.
    #[error("the module speaks {} of OPA's ABI, and this host speaks version 1", version(*found))]
    Version {
        /// The major version that it says; `None` where it says none.
        found: Option<i32>,
    },
    /// It calls built-in functions of Rego that are not given here.
    #[error("the policy calls built-in functions that are not given here: {}", names.join(", "))]
    MissingFunctions {
        /// All of them, sorted.
        names: Vec<String>,
    },
    /// It faulted while it was asked what it needs, or lacks an export.
    #[error("the module cannot be asked what it needs: {0}")]
    Fault(#[from] Fault),
    /// It aborted while it was asked what it needs.
    #[error("the module aborted when it was asked what it needs: {message}")]
    Aborted {
        /// What it said.
        message: String,
    },
    /// Its list of functions or of entrypoints is none.
    #[error("the module's list of {list} is not what OPA's ABI says: {reason}")]
    BadList {
        /// `built-in functions` or `entrypoints`.
        list: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

fn version(found: Option<i32>) -> String {
    found.map_or_else(|| "no version".to_owned(), |version| format!("version {version}"))
}

impl ProgramError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Link(_) | Self::Version { .. } | Self::BadList { .. } => {
                "build the policy with `opa build -t wasm`"
            }
            Self::MissingFunctions { .. } => "write the policy without them",
            Self::Fault(_) | Self::Aborted { .. } => {
                "build the policy again with a current `opa`, or raise its limits"
            }
        }
    }
}

/// Why an evaluation has no result.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum EvalError {
    /// The policy has no such entrypoint. The caller is at fault.
    #[error("the policy has no entrypoint \"{name}\"")]
    NoEntrypoint {
        /// The name that was asked for.
        name: String,
    },
    /// What the caller gave is no JSON.
    #[error("the policy's {part} is no JSON: {reason}")]
    NotJson {
        /// What it was to be.
        part: Part,
        /// What is wrong with it.
        reason: String,
    },
    /// The policy's runtime gave up, for instance because two rules gave one name different values.
    #[error("the policy aborted: {message}")]
    Aborted {
        /// What it said.
        message: String,
    },
    /// The evaluation took longer than it may.
    #[error("the policy ran past its deadline of {deadline:?}")]
    Deadline {
        /// The deadline that it had.
        deadline: Duration,
    },
    /// The policy needs more memory than it may have.
    #[error("the policy asked for {requested} of memory, and its limit is {limit}")]
    Memory {
        /// What it may have.
        limit: ByteSize,
        /// What it asked for.
        requested: ByteSize,
    },
    /// As many instances live as may.
    #[error("{limit} instances of the policy live already, and no more may at the same time")]
    Instances {
        /// How many may.
        limit: u32,
    },
    /// A function of the host was asked more than it does.
    #[error("{name}: {limit}")]
    Function {
        /// The function's name in Rego.
        name: &'static str,
        /// What was too much.
        limit: &'static str,
    },
    /// The guest gave the host, or was given, something that cannot be: a pointer outside of its memory, a text without an
    /// end, a number of no function. The module is at fault.
    #[error("the policy's module broke OPA's ABI in {place}: {reason}")]
    BadGuest {
        /// The function in which it happened.
        place: String,
        /// What cannot be.
        reason: String,
    },
    /// The guest faulted in another way.
    #[error("the policy faulted {0}")]
    Fault(Fault),
}

/// What the caller of a policy gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What is asked about.
    Input,
    /// What is known.
    Data,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Input => "input",
            Self::Data => "data",
        })
    }
}

/// Who is to act on an [`EvalError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Who calls the policy.
    Caller,
    /// Who wrote or built the policy.
    Policy,
    /// Who runs the host: more was asked of it at once than it was set up for.
    Host,
}

impl EvalError {
    /// Who is to act.
    pub fn side(&self) -> Side {
        match self {
            Self::NoEntrypoint { .. } | Self::NotJson { .. } => Side::Caller,
            Self::Instances { .. } => Side::Host,
            _ => Side::Policy,
        }
    }

    /// The error that an engine's fault is.
    pub(super) fn of(fault: Fault, deadline: Deadline) -> Self {
        match fault.kind() {
            FaultKind::DeadlineExceeded { .. } => Self::Deadline {
                deadline: deadline.given(),
            },
            FaultKind::MemoryLimit { limit, requested } => Self::Memory {
                limit: *limit,
                requested: *requested,
            },
            FaultKind::InstanceLimit { limit } => Self::Instances { limit: *limit },
            FaultKind::BadReply { reason } => Self::BadGuest {
                place: fault.callback().to_owned(),
                reason: reason.clone(),
            },
            _ => Self::Fault(fault),
        }
    }
}
