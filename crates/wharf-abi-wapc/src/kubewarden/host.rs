//! What a policy needs from the program around it.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::Value;
use wharf_abi_wasi::Stdio;

use super::capability::Capabilities;
use super::json::{self, JsonProblem};

/// The world of one review by one policy. All calls come from the thread that asks the policy, from inside that call.
pub trait PolicyHost {
    /// Whoever answers what the policy asks and is granted.
    fn capabilities(&mut self) -> &mut dyn Capabilities;

    /// The policy logs an event, or its runtime writes a line.
    fn log(&mut self, event: &PolicyLog);

    /// The policy asked for what it is not granted. It gets an error; the deployer should hear of it.
    fn refused(&mut self, refusal: &RefusedCapability<'_>);

    /// The nanoseconds since 1970-01-01T00:00:00Z.
    fn realtime_nanoseconds(&mut self) -> u64;

    /// Nanoseconds of a clock that never goes back.
    fn monotonic_nanoseconds(&mut self) -> u64;

    /// Fills `buffer`, which is at most 64 KiB, with bytes that nobody can predict.
    fn random(&mut self, buffer: &mut [u8]);
}

/// Something that a policy says for the log.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyLog {
    /// How grave it is.
    pub level: PolicyLogLevel,
    /// In words.
    pub message: String,
    /// What belongs to it, by name.
    pub data: BTreeMap<String, Value>,
}

/// How grave a log event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PolicyLogLevel {
    /// For the policy's author.
    Trace,
    /// For the policy's author.
    Debug,
    /// What happens.
    Info,
    /// Somebody may want to look.
    Warning,
    /// Something went wrong.
    Error,
}

impl<'de> Deserialize<'de> for PolicyLogLevel {
    /// SDKs write the levels in either case.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        Ok(match word.to_ascii_lowercase().as_str() {
            "trace" => Self::Trace,
            "debug" => Self::Debug,
            "info" => Self::Info,
            "warning" | "warn" => Self::Warning,
            "error" => Self::Error,
            _ => return Err(serde::de::Error::custom(format!("unknown log level {word:?}"))),
        })
    }
}

impl PolicyLog {
    /// Reads what a policy gives to `tracing/log`: an object with `level`, `message`, and anything else.
    ///
    /// # Errors
    /// [`JsonProblem`] where it is none.
    pub fn parse(payload: &[u8]) -> Result<Self, JsonProblem> {
        #[derive(Deserialize)]
        struct Event {
            level: PolicyLogLevel,
            #[serde(default)]
            message: Option<String>,
            #[serde(flatten)]
            data: BTreeMap<String, Value>,
        }
        let event: Event = json::decode_object(payload)?;
        Ok(Self {
            level: event.level,
            message: event.message.unwrap_or_default(),
            data: event.data,
        })
    }

    /// A line that belongs to nothing.
    pub(super) fn line(level: PolicyLogLevel, message: impl Into<String>) -> Self {
        Self {
            level,
            message: message.into(),
            data: BTreeMap::new(),
        }
    }

    /// What a runtime wrote to a stream.
    pub(super) fn of_stream(stream: Stdio, text: &str) -> Self {
        let level = match stream {
            Stdio::Stdout => PolicyLogLevel::Info,
            Stdio::Stderr => PolicyLogLevel::Warning,
        };
        Self::line(level, text)
    }
}

/// What a policy asked for and is not granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusedCapability<'a> {
    /// An operation, by namespace and operation.
    Operation(&'a str),
    /// Objects of a kind.
    Resource {
        /// The operation by which it asked.
        path: &'a str,
        /// The version of the kind.
        api_version: &'a str,
        /// The kind.
        kind: &'a str,
    },
}
