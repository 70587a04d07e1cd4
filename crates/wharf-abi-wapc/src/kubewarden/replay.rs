//! What policies asked and were answered, written down and played again.
//!
//! The format is that of `kwctl run --record-host-capabilities-interactions`: a list of exchanges, each with a request and
//! a response. The request is itself a text in YAML: the request's name as a tag, and its fields.
//!
//! ```yaml
//! - type: Exchange
//!   request: |
//!     !KubernetesGetResource
//!     api_version: v1
//!     kind: Namespace
//!     name: default
//!     namespace: null
//!     disable_cache: false
//!   response:
//!     type: Success
//!     payload: '{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"default"}}'
//! ```
//!
//! Nothing here reads YAML. Whoever does gives the outer list as [`RecordedExchange`]s, and of each request the tag and the
//! fields to [`Exchange::new`]. The other way, [`RecordedExchange::from`] writes the fields as JSON, which is YAML too.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use wharf_engine::Deadline;

use super::capability::{Capabilities, CapabilityError, CapabilityRequest};
use super::json::{self, JsonProblem};

/// An exchange as it stands in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "Exchange")]
pub struct RecordedExchange {
    /// The request: a text in YAML.
    pub request: String,
    /// What came back.
    pub response: RecordedResponse,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum RecordedResponse {
    /// An answer.
    Success {
        /// The JSON of it.
        payload: String,
    },
    /// An error.
    Error {
        /// Its words.
        message: String,
    },
}

/// An exchange whose request has been read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// What was asked.
    pub request: CapabilityRequest,
    /// What came back.
    pub response: RecordedResponse,
}

impl Exchange {
    /// An exchange, by the tag of its request without the `!`, and the fields below it.
    ///
    /// # Errors
    /// [`JsonProblem`] where there is no such request, or it has other fields.
    pub fn new(tag: &str, fields: Value, response: RecordedResponse) -> Result<Self, JsonProblem> {
        let tagged = Value::Object(Map::from_iter([(tag.to_owned(), fields)]));
        let request = json::from_value(tagged)?;
        Ok(Self { request, response })
    }
}

impl From<&Exchange> for RecordedExchange {
    fn from(exchange: &Exchange) -> Self {
        let tagged =
            serde_json::to_value(&exchange.request).expect("a request has names as keys, and so it is JSON");
        let mut request = String::new();
        for (tag, fields) in tagged.as_object().into_iter().flatten() {
            request.push_str(&format!("!{tag} {fields}"));
        }
        Self {
            request,
            response: exchange.response.clone(),
        }
    }
}

/// Answers requests with what is written down. They must come in the order in which they were recorded.
#[derive(Debug, Clone, Default)]
pub struct Replay {
    exchanges: VecDeque<Exchange>,
}

impl Replay {
    /// Plays these exchanges.
    pub fn new(exchanges: impl IntoIterator<Item = Exchange>) -> Self {
        Self {
            exchanges: exchanges.into_iter().collect(),
        }
    }

    /// What nobody has asked for yet.
    pub fn left(&self) -> impl Iterator<Item = &Exchange> {
        self.exchanges.iter()
    }
}

impl Capabilities for Replay {
    /// The errors for requests that are not the next have Kubewarden's words.
    fn call(&mut self, request: &CapabilityRequest, _deadline: Deadline) -> Result<Vec<u8>, CapabilityError> {
        let Some(next) = self.exchanges.pop_front() else {
            let text = "the list of recorded responses is empty";
            return Err(CapabilityError::Failed(text.into()));
        };
        if next.request != *request {
            return Err(CapabilityError::Failed(format!(
                "Replay error: unexpected request. Was expecting {:?}, got {request:?} instead",
                next.request
            )));
        }
        match next.response {
            RecordedResponse::Success { payload } => Ok(payload.into_bytes()),
            RecordedResponse::Error { message } => Err(CapabilityError::Failed(message)),
        }
    }
}

/// Lets requests through and writes them down with their answers.
#[derive(Debug)]
pub struct Recorder<C> {
    inner: C,
    exchanges: Vec<Exchange>,
    unwritable: Vec<CapabilityRequest>,
}

impl<C: Capabilities> Recorder<C> {
    /// Writes down what `inner` answers.
    pub fn new(inner: C) -> Self {
        Self {
            inner,
            exchanges: Vec::new(),
            unwritable: Vec::new(),
        }
    }

    /// What has been written down.
    pub fn exchanges(&self) -> &[Exchange] {
        &self.exchanges
    }

    /// The requests whose answers are no text, so that they cannot be written down.
    pub fn unwritable(&self) -> &[CapabilityRequest] {
        &self.unwritable
    }
}

impl<C: Capabilities> Capabilities for Recorder<C> {
    fn call(&mut self, request: &CapabilityRequest, deadline: Deadline) -> Result<Vec<u8>, CapabilityError> {
        let answer = self.inner.call(request, deadline);
        let response = match &answer {
            Ok(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => RecordedResponse::Success {
                    payload: text.to_owned(),
                },
                Err(_) => {
                    self.unwritable.push(request.clone());
                    return answer;
                }
            },
            Err(error) => RecordedResponse::Error {
                message: error.to_string(),
            },
        };
        self.exchanges.push(Exchange {
            request: request.clone(),
            response,
        });
        answer
    }
}

#[cfg(test)]
mod tests;
