//! What was expected and what came, and how answers are held against what was expected.

use std::fmt;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cluster::Answer;

/// How long something may take to come true that is not so at once: an event of a watch, an answer that is kept for some
/// seconds, files that are looked at now and then.
const PATIENCE: Duration = Duration::from_secs(90);
/// How often it is looked at.
const PAUSE: Duration = Duration::from_millis(250);

/// What comes before the host's own words where a policy made with the Rust SDK was refused an answer.
pub(crate) const FAILED_CALL: &str =
    "internal server error: Guest call failure: Host error: Callback evaluation failure: ";

/// Why a check failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) expected: String,
    pub(crate) came: String,
}

/// What a check or a part of it comes to.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    pub(crate) fn new(expected: impl fmt::Display, came: impl fmt::Display) -> Self {
        Self {
            expected: expected.to_string(),
            came: came.to_string(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}; came {}", self.expected, self.came)
    }
}

/// What the API server says when the webhook of a policy refuses.
pub(crate) fn denial(policy: &str, message: &str) -> String {
    format!(
        "admission webhook \"{}\" denied the request: {message}",
        webhook(policy)
    )
}

/// The name of a policy's webhook.
pub(crate) fn webhook(policy: &str) -> String {
    format!("{policy}.conformance.wharf")
}

/// Holds against a refusal by a policy, word for word.
pub(crate) fn refused(answer: &Answer, policy: &str, code: u16, message: &str) -> Outcome {
    let message = denial(policy, message);
    if answer.status == code && answer.message() == message {
        Ok(())
    } else {
        Err(Failure::new(format!("status {code}: {message}"), answer))
    }
}

/// Holds against being let through, with these warnings.
pub(crate) fn accepted(answer: &Answer, warnings: &[&str]) -> Outcome {
    if answer.is_success() && answer.warnings == warnings {
        Ok(())
    } else {
        let expected = format!("a success with the warnings {warnings:?}");
        Err(Failure::new(expected, answer))
    }
}

/// Holds one value against another.
pub(crate) fn same(what: &str, came: &Value, expected: &Value) -> Outcome {
    if came == expected {
        Ok(())
    } else {
        Err(Failure::new(format!("{what}: {expected}"), came))
    }
}

/// Tries until it succeeds, for a while; then what came last is the failure.
pub(crate) async fn eventually<T>(mut attempt: impl AsyncFnMut() -> Outcome<T>) -> Outcome<T> {
    let until = Instant::now() + PATIENCE;
    loop {
        match attempt().await {
            Err(failure) if Instant::now() >= until => {
                let expected = format!("within {PATIENCE:?}: {}", failure.expected);
                return Err(Failure::new(expected, failure.came));
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
            done => return done,
        }
    }
}
