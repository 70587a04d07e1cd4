//! What can go wrong inside a guest, as a value.

use std::fmt;
use std::time::Duration;

use wharf_plugin::ByteSize;

/// A guest call that did not end as the ABI says: what happened, in which callback, and where in the guest.
///
/// A fault ends the instance: nothing can be called on it again. `Display` gives one line; [`Fault::backtrace`] has
/// the frames.
#[derive(Debug, Clone)]
pub struct Fault(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    kind: FaultKind,
    callback: &'static str,
    backtrace: Vec<Frame>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FaultKind {
    /// The guest executed an instruction that traps, such as `unreachable` (an abort or a panic), a wild memory
    /// access or a division by zero.
    Trap {
        /// The engine's words for it.
        reason: String,
    },
    /// The call ran longer than its deadline.
    DeadlineExceeded {
        /// The deadline that it had.
        deadline: Duration,
    },
    /// The guest was refused memory past its limit and then trapped, or needs more from the start.
    MemoryLimit {
        /// The limit.
        limit: ByteSize,
        /// The size that it asked for.
        requested: ByteSize,
    },
    /// The guest was refused table elements past its limit and then trapped.
    TableLimit {
        /// The limit, in elements.
        limit: u32,
        /// How many it asked for.
        requested: u64,
    },
    /// The guest recursed deeper than its stack allows, alone or through host functions.
    StackExhausted,
    /// No instance was made, because as many as may live at the same time live already.
    InstanceLimit {
        /// How many may.
        limit: u32,
    },
    /// The guest called `proc_exit`.
    Exit {
        /// Its exit code.
        code: i32,
    },
    /// What the guest returned or asked for cannot be: an impossible value, an unreadable reply.
    BadReply {
        /// What is wrong with it.
        reason: String,
    },
    /// The module lacks a function that the call needs.
    MissingExport {
        /// The function's name.
        name: String,
    },
    /// A function that the module exports has another signature than the ABI gives it.
    WrongSignature {
        /// The function's name.
        name: String,
        /// What it is instead of the ABI's function.
        reason: String,
    },
    /// The instance had faulted before this call.
    AlreadyFaulted,
}

/// A frame of the guest's stack, innermost first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The function's demangled name, where the module has a name section.
    pub function: Option<String>,
    /// Its index in the module.
    pub index: u32,
    /// The offset of the instruction in the module, in bytes.
    pub offset: Option<usize>,
    /// The source file and line, where the module carries debug information.
    pub source: Option<String>,
}

impl Fault {
    /// A fault of `kind` in the guest function `callback`.
    pub fn new(kind: FaultKind, callback: &'static str) -> Self {
        Self(Box::new(Inner {
            kind,
            callback,
            backtrace: Vec::new(),
        }))
    }

    /// A value from the guest in `callback` that cannot be, for `reason`.
    pub fn bad_reply(callback: &'static str, reason: impl Into<String>) -> Self {
        Self::new(
            FaultKind::BadReply {
                reason: reason.into(),
            },
            callback,
        )
    }

    pub(crate) fn with_backtrace(mut self, backtrace: Vec<Frame>) -> Self {
        self.0.backtrace = backtrace;
        self
    }

    /// What happened.
    pub fn kind(&self) -> &FaultKind {
        &self.0.kind
    }

    /// The guest function that the host had called.
    pub fn callback(&self) -> &'static str {
        self.0.callback
    }

    /// The guest's stack at the fault, innermost frame first; empty where the fault has no place in the guest.
    pub fn backtrace(&self) -> &[Frame] {
        &self.0.backtrace
    }
}

impl FaultKind {
    /// The kind as one lower-case word, as it stands in metrics and access logs.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Trap { .. } => "trap",
            Self::DeadlineExceeded { .. } => "deadline",
            Self::MemoryLimit { .. } => "memory",
            Self::TableLimit { .. } => "table",
            Self::StackExhausted => "stack",
            Self::InstanceLimit { .. } => "instances",
            Self::Exit { .. } => "exit",
            Self::BadReply { .. } => "bad_reply",
            Self::MissingExport { .. } => "missing_export",
            Self::WrongSignature { .. } => "wrong_signature",
            Self::AlreadyFaulted => "already_faulted",
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trap { reason } => write!(f, "the guest trapped: {reason}"),
            Self::DeadlineExceeded { deadline } => {
                write!(f, "the guest ran past its deadline of {deadline:?}")
            }
            Self::MemoryLimit { limit, requested } => {
                write!(
                    f,
                    "the guest asked for {requested} of memory, and its limit is {limit}"
                )
            }
            Self::TableLimit { limit, requested } => {
                write!(
                    f,
                    "the guest asked for {requested} table elements, and its limit is {limit}"
                )
            }
            Self::InstanceLimit { limit } => {
                write!(
                    f,
                    "{limit} instances live already, and no more may at the same time"
                )
            }
            Self::StackExhausted => write!(f, "the guest recursed deeper than its stack allows"),
            Self::Exit { code } => write!(f, "the guest called proc_exit with code {code}"),
            Self::BadReply { reason } => write!(f, "the guest gave a bad reply: {reason}"),
            Self::MissingExport { name } => write!(f, "the module exports no function \"{name}\""),
            Self::WrongSignature { name, reason } => write!(f, "the module's function \"{name}\" {reason}"),
            Self::AlreadyFaulted => write!(f, "the instance had faulted before"),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "in {}: {}", self.callback(), self.kind())
    }
}

impl std::error::Error for Fault {}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.function {
            Some(function) => f.write_str(function)?,
            None => write!(f, "function {}", self.index)?,
        }
        if let Some(offset) = self.offset {
            write!(f, " at {offset:#x}")?;
        }
        match &self.source {
            Some(source) => write!(f, " ({source})"),
            None => Ok(()),
        }
    }
}
