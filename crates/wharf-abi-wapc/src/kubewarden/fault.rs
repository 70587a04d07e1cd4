//! Why a policy gave no verdict.

use std::fmt;
use std::time::Duration;

use wharf_engine::{Deadline, Fault, FaultKind};
use wharf_plugin::ByteSize;

use super::json::JsonProblem;
use super::patch::PatchTooLarge;
use crate::opa::EvalError;
use crate::wapc::CallError;

/// What users read when a policy took too long; Kubewarden's words, which runbooks look for.
pub const TIMEOUT_MESSAGE: &str =
    "Policy execution interrupted because it exceeded the allowed execution time";

/// Why a policy gave no verdict. The request is then neither accepted nor rejected by the policy: whoever asked it answers
/// with code 500.
///
/// `Display` is for the log; [`PolicyFault::public_message`] is what the user of the cluster reads.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum PolicyFault {
    /// It was not done within its time, host calls included.
    Timeout {
        /// The time that it had.
        allowed: Duration,
    },
    /// The waPC call failed without a fault of the guest: the guest says so, or said nothing.
    Call(CallError),
    /// The guest did not get to its end.
    Guest {
        /// What happened.
        fault: Fault,
        /// What the guest had said before.
        message: Option<String>,
    },
    /// Rego came to no result.
    Rego(EvalError),
    /// A command ended with another code than 0.
    Exit {
        /// The code.
        code: i32,
        /// What it wrote to stderr.
        stderr: String,
    },
    /// A command wrote more than is taken.
    OutputTooLarge {
        /// How much is taken.
        most: ByteSize,
    },
    /// What the policy answered is not an answer.
    UnreadableAnswer {
        /// What it was asked.
        operation: &'static str,
        /// What is wrong with the answer.
        problem: JsonProblem,
    },
    /// The object of the request cannot be read, so that the policy's change of it cannot be told.
    UnreadableObject(JsonProblem),
    /// The policy's change of the object cannot be told.
    Patch(PatchTooLarge),
    /// The policy speaks another protocol.
    ProtocolVersion {
        /// What it says that it speaks.
        answer: String,
    },
    /// Policies of this mode cannot be asked this.
    Unsupported(&'static str),
    /// The Kubernetes objects that a Rego policy judges by cannot be had.
    Context {
        /// Which objects.
        resource: String,
        /// Why not.
        reason: String,
    },
}

impl PolicyFault {
    /// The fault as one lower-case word, for metrics.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Timeout { .. } => "deadline",
            Self::Call(_) => "guest_error",
            Self::Guest { fault, .. } => fault.kind().label(),
            Self::Rego(error) => label(error),
            Self::Exit { .. } => "exit",
            Self::OutputTooLarge { .. } => "output",
            Self::UnreadableAnswer { .. } => "bad_reply",
            Self::UnreadableObject(_) => "bad_request",
            Self::Patch(_) => "patch",
            Self::ProtocolVersion { .. } => "protocol",
            Self::Unsupported(_) => "unsupported",
            Self::Context { .. } => "context",
        }
    }

    /// What the user of the cluster reads. These are Kubewarden's words where it has some.
    pub fn public_message(&self) -> String {
        match self {
            Self::Timeout { .. } => TIMEOUT_MESSAGE.to_owned(),
            Self::Exit { stderr, .. } if !stderr.is_empty() => stderr.clone(),
            other => format!("internal server error: {other}"),
        }
    }

    /// The fault of a guest, which is a timeout where its deadline has passed.
    pub(super) fn of_guest(fault: Fault, message: Option<String>, deadline: Deadline) -> Self {
        match fault.kind() {
            FaultKind::DeadlineExceeded { .. } => Self::Timeout {
                allowed: deadline.given(),
            },
            _ => Self::Guest { fault, message },
        }
    }

    pub(super) fn of_call(error: CallError, deadline: Deadline) -> Self {
        match error {
            CallError::Fault { fault, message } => Self::of_guest(fault, message, deadline),
            other => Self::Call(other),
        }
    }
}

/// The fault of an evaluation as one word, the same as for other guests where it is the same.
fn label(error: &EvalError) -> &'static str {
    match error {
        EvalError::Memory { .. } => "memory",
        EvalError::Instances { .. } => "instances",
        EvalError::Deadline { .. } => "deadline",
        EvalError::BadGuest { .. } => "bad_reply",
        EvalError::NotJson { .. } => "bad_request",
        EvalError::NoEntrypoint { .. } => "missing_export",
        EvalError::Fault(fault) => fault.kind().label(),
        _ => "guest_error",
    }
}

impl fmt::Display for PolicyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout { allowed } => write!(f, "{TIMEOUT_MESSAGE} of {allowed:?}"),
            Self::Call(error) => write!(f, "{error}"),
            Self::Guest { fault, message: None } => write!(f, "{fault}"),
            Self::Guest {
                fault,
                message: Some(message),
            } => write!(f, "{fault}; it had said: {message}"),
            Self::Rego(error) => write!(f, "{error}"),
            Self::Exit { code, stderr } if stderr.is_empty() => {
                write!(f, "the policy ended with exit code {code} and said nothing")
            }
            Self::Exit { code, stderr } => write!(f, "the policy ended with exit code {code}: {stderr}"),
            Self::OutputTooLarge { most } => {
                write!(f, "the policy wrote more than {most}, which is what is taken")
            }
            Self::UnreadableAnswer { operation, problem } => {
                write!(
                    f,
                    "invalid response from policy: its answer to {operation}: {problem}"
                )
            }
            Self::UnreadableObject(problem) => {
                write!(f, "the object of the request cannot be read: {problem}")
            }
            Self::Patch(problem) => write!(f, "the policy's change of the object cannot be told: {problem}"),
            Self::ProtocolVersion { answer } => write!(
                f,
                "the policy speaks protocol version {answer}, and only v1 is known here"
            ),
            Self::Unsupported(what) => f.write_str(what),
            Self::Context { resource, reason } => {
                write!(
                    f,
                    "the policy judges by {resource}, which cannot be had: {reason}"
                )
            }
        }
    }
}

impl std::error::Error for PolicyFault {}
