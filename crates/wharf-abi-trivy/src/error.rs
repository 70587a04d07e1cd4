//! What can go wrong with a module and with a call of it.

use std::fmt;

use wharf_engine::{Fault, FaultKind, LinkError};
use wharf_plugin::ByteSize;

use crate::API_VERSION;
use crate::required::PatternError;
use wharf_report::json::JsonError;

/// Why a module cannot be used. But for [`LoadError::Link`], where either may be, the module is at fault.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// It imports what is not given here.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// It lacks an export that Trivy's API has.
    #[error("the module is no Trivy module: it exports no \"{0}\"")]
    MissingExport(&'static str),
    /// An export has another signature than any that modules have.
    #[error("the module's function \"{name}\" {reason}")]
    WrongSignature {
        /// The function.
        name: &'static str,
        /// What it is.
        reason: String,
    },
    /// It was made for another version of the API.
    #[error("the module \"{}\" speaks version {found} of the module API, and this host version {API_VERSION}", .name.escape_debug(), API_VERSION = API_VERSION)]
    ApiVersion {
        /// Its name.
        name: String,
        /// The version that it speaks.
        found: u32,
    },
    /// What a function gives to describe the module is larger than is read.
    #[error("what the module's function \"{function}\" gives has {size}, and at most {most} are read")]
    TooLarge {
        /// The function.
        function: &'static str,
        /// What it gives.
        size: ByteSize,
        /// [`PayloadLimits::description`](crate::PayloadLimits::description).
        most: ByteSize,
    },
    /// What a function gives to describe the module is not the JSON that it should be.
    #[error("what the module's function \"{function}\" gives is not what Trivy's API has there: {error}")]
    Json {
        /// The function.
        function: &'static str,
        /// What is wrong with it.
        error: JsonError,
    },
    /// One of the patterns of `required` cannot be used.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// The module did not get through its start or through a function that describes it.
    #[error("{fault}{}", last_words(.message.as_deref()))]
    Fault {
        /// What happened.
        fault: Fault,
        /// What it had said last by `env.error` or stderr.
        message: Option<String>,
    },
}

impl LoadError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Link(_) => {
                "build the module with what Trivy gives to modules: `env` and `wasi_snapshot_preview1`"
            }
            Self::MissingExport("malloc" | "free") => {
                "the module's author must export `malloc` and `free`: Trivy's SDK does, and in C `-Wl,--export=malloc,--export=free`"
            }
            Self::MissingExport(_) => {
                "the module's author must export all of `name`, `version`, `api_version`, `is_analyzer`, `is_post_scanner`, \
                 `analyze` and `post_scan`, also those that do nothing"
            }
            Self::WrongSignature { .. } => {
                "the module's author must give it the signature of Trivy's API version 1"
            }
            Self::ApiVersion { .. } => "get the module in a build for this version of the API",
            Self::TooLarge { .. } | Self::Json { .. } => {
                "the module's author must correct what the function gives"
            }
            Self::Pattern(_) => {
                "the module's author must correct the pattern: it has the syntax of Go's package regexp"
            }
            Self::Fault { fault, .. } => match fault.kind() {
                FaultKind::DeadlineExceeded { .. } | FaultKind::MemoryLimit { .. } => {
                    "raise the module's limits, or ask its author why it needs so much to start"
                }
                _ => "ask the module's author: it fails before it has seen a file",
            },
        }
    }
}

/// Why a call of a module gave nothing.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum CallError {
    /// The module gives nothing, which is how those made with Trivy's SDK say that they failed.
    NoResult {
        /// What it had said last by `env.error` or stderr.
        message: Option<String>,
    },
    /// What the module gives is not the JSON that it should be.
    Json(JsonError),
    /// What the module is to be given is larger than it is given.
    RequestTooLarge {
        /// Its size.
        size: ByteSize,
        /// [`PayloadLimits::request`](crate::PayloadLimits::request).
        most: ByteSize,
    },
    /// What the module gives is larger than is read.
    ResponseTooLarge {
        /// Its size.
        size: ByteSize,
        /// [`PayloadLimits::response`](crate::PayloadLimits::response).
        most: ByteSize,
    },
    /// The module did not get to its end, or gave a place outside its memory. Its instance is not used again.
    Fault {
        /// What happened.
        fault: Fault,
        /// What it had said last by `env.error` or stderr, as runtimes do before they abort.
        message: Option<String>,
    },
    /// The instance that was started for the call cannot be used, though the module could be loaded.
    Load(Box<LoadError>),
}

impl CallError {
    /// The kind as one lower-case word, for metrics.
    pub fn label(&self) -> &'static str {
        match self {
            Self::NoResult { .. } => "no_result",
            Self::Json(_) => "bad_json",
            Self::RequestTooLarge { .. } => "request_too_large",
            Self::ResponseTooLarge { .. } => "response_too_large",
            Self::Fault { fault, .. } => fault.kind().label(),
            Self::Load(_) => "load",
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoResult { .. } => "the module says so itself: its log has more",
            Self::Json(_) => "the module's author must correct what it gives",
            Self::RequestTooLarge { .. } => "scan less at once",
            Self::ResponseTooLarge { .. } => "the module's author must let it give less",
            Self::Fault { fault, .. } => match fault.kind() {
                FaultKind::DeadlineExceeded { .. } => {
                    "raise the module's deadline, or ask its author why it takes so long"
                }
                FaultKind::MemoryLimit { .. } => {
                    "raise the module's memory limit, or ask its author why it needs so much"
                }
                FaultKind::InstanceLimit { .. } => {
                    "raise the number of the module's instances, or scan with fewer workers"
                }
                _ => "ask the module's author, with the file and the frames of the fault",
            },
            Self::Load(error) => error.hint(),
        }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoResult { message } => {
                write!(f, "the module gave no result{}", last_words(message.as_deref()))
            }
            Self::Json(error) => write!(f, "the module gave JSON that is not what it should be: {error}"),
            Self::RequestTooLarge { size, most } => {
                write!(
                    f,
                    "the results for the module have {size}, and it is given at most {most}"
                )
            }
            Self::ResponseTooLarge { size, most } => {
                write!(f, "what the module gave has {size}, and at most {most} are read")
            }
            Self::Fault { fault, message } => write!(f, "{fault}{}", last_words(message.as_deref())),
            Self::Load(_) => f.write_str("the module cannot be started again"),
        }
    }
}

impl std::error::Error for CallError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Load(error) => Some(&**error),
            _ => None,
        }
    }
}

fn last_words(message: Option<&str>) -> String {
    message.map_or_else(String::new, |message| {
        format!("; it had said: {}", message.trim_end())
    })
}
