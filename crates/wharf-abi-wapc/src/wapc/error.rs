//! What can go wrong with a guest and with a call.

use std::fmt;

use wharf_engine::{Fault, FaultKind, LinkError};
use wharf_plugin::ByteSize;

/// Why a module cannot be used as a waPC guest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// It imports what a waPC host does not give.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// It lacks an export without which it cannot be called.
    #[error("the module is no waPC guest: it exports no \"{0}\"")]
    MissingExport(&'static str),
}

/// Why a call gave no answer.
///
/// The texts of the first three are those of the waPC host that Kubewarden uses, since they reach the users of policies.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum CallError {
    /// The guest says that it failed, and how.
    Guest(String),
    /// The guest says that it failed, and not how.
    NoMessage,
    /// The guest says that it succeeded, and gave neither an answer nor an error.
    NoResponse,
    /// The payload is larger than a guest is given.
    RequestTooLarge {
        /// Its size.
        size: ByteSize,
        /// [`PayloadLimits::request`](super::PayloadLimits::request).
        most: ByteSize,
    },
    /// The guest did not get to its end.
    Fault {
        /// What happened.
        fault: Fault,
        /// The error text that the guest had set before, as runtimes do before they abort.
        message: Option<String>,
    },
}

impl CallError {
    /// Whether the call ended because it ran past its deadline.
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Fault { fault, .. } if matches!(fault.kind(), FaultKind::DeadlineExceeded { .. }))
    }
}

impl From<Fault> for CallError {
    fn from(fault: Fault) -> Self {
        Self::Fault { fault, message: None }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Guest(message) => write!(f, "Guest call failure: {message}"),
            Self::NoMessage => f.write_str("Guest call failure: No error message set for call failure"),
            Self::NoResponse => {
                f.write_str("Guest call failure: No error message OR response set for call success")
            }
            Self::RequestTooLarge { size, most } => {
                write!(f, "the request has {size}, and a guest is given at most {most}")
            }
            Self::Fault { fault, message: None } => write!(f, "{fault}"),
            Self::Fault {
                fault,
                message: Some(message),
            } => write!(f, "{fault}; it had said: {message}"),
        }
    }
}

impl std::error::Error for CallError {}
