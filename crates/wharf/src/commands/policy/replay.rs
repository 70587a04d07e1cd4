//! Host calls that were recorded, and their recording.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use serde_json::Value;
use wharf_abi_wapc::kubewarden::capability::{Capabilities, CapabilityError, CapabilityRequest};
use wharf_abi_wapc::kubewarden::replay::{Exchange, RecordedExchange, RecordedResponse};
use wharf_config::kubewarden::{RecordedAnswer, read_recording};
use wharf_engine::Deadline;

use super::Stop;
use super::host::Call;

/// How much of a request stands in a message.
const MOST_SHOWN: usize = 400;

/// Answers requests with what was answered to the same ones, in whatever order they come. Of several answers to one
/// request each is given once, in their order, and the last one from then on.
pub(in crate::commands) struct Recorded(Shared);

/// The recording, for whoever wants to know afterwards what was not asked for.
#[derive(Clone)]
pub(in crate::commands) struct Shared {
    file: PathBuf,
    entries: Rc<RefCell<Vec<Entry>>>,
}

struct Entry {
    exchange: Exchange,
    line: usize,
    used: bool,
}

/// Reads a recording.
pub(in crate::commands) fn read(path: &Path) -> Result<Recorded, Stop> {
    let calls = read_recording(path).map_err(Stop::Places)?;
    let entry = |call: wharf_config::kubewarden::RecordedCall| {
        let response = match call.answer {
            RecordedAnswer::Success(payload) => RecordedResponse::Success { payload },
            RecordedAnswer::Error(message) => RecordedResponse::Error { message },
        };
        let exchange = Exchange::new(&call.request, call.fields, response).map_err(|problem| {
            let error = format!(
                "{}:{}: the recorded request: {problem}",
                path.display(),
                call.line
            );
            let hint = "record the calls anew, or write the request as `wharf run --record` writes it";
            Stop::File(error.into(), hint.to_owned())
        })?;
        Ok(Entry {
            exchange,
            line: call.line,
            used: false,
        })
    };
    Ok(Recorded(Shared {
        file: path.to_owned(),
        entries: Rc::new(RefCell::new(
            calls.into_iter().map(entry).collect::<Result<_, _>>()?,
        )),
    }))
}

impl Recorded {
    pub(in crate::commands) fn shared(&self) -> Shared {
        self.0.clone()
    }
}

impl Shared {
    /// What was recorded and not asked for.
    pub(in crate::commands) fn unused(&self) -> Vec<String> {
        let entries = self.entries.borrow();
        let unused = entries.iter().filter(|entry| !entry.used);
        let file = self.file.display();
        unused
            .map(|entry| {
                let what = describe(&entry.exchange.request);
                format!("{file}:{} was not asked for: {what}", entry.line)
            })
            .collect()
    }
}

impl Capabilities for Recorded {
    fn call(&mut self, request: &CapabilityRequest, _: Deadline) -> Result<Vec<u8>, CapabilityError> {
        let mut entries = self.0.entries.borrow_mut();
        let mut same = entries
            .iter_mut()
            .filter(|entry| entry.exchange.request == *request);
        let Some(mut entry) = same.next() else {
            return Err(CapabilityError::Failed(format!(
                "{} has no answer to {}",
                self.0.file.display(),
                describe(request)
            )));
        };
        while entry.used
            && let Some(next) = same.next()
        {
            entry = next;
        }
        entry.used = true;
        match &entry.exchange.response {
            RecordedResponse::Success { payload } => Ok(payload.clone().into_bytes()),
            RecordedResponse::Error { message } => Err(CapabilityError::Failed(message.clone())),
        }
    }
}

/// The operation and what belongs to it.
pub(in crate::commands) fn describe(request: &CapabilityRequest) -> String {
    let mut text = format!("{} {}", request.path(), fields(request));
    if text.len() > MOST_SHOWN {
        text.truncate(text.floor_char_boundary(MOST_SHOWN));
        text.push('…');
    }
    text
}

/// What belongs to a request, as JSON without what is not given.
pub(in crate::commands) fn fields(request: &CapabilityRequest) -> Value {
    // A request has names as keys, and so it is JSON.
    let tagged = serde_json::to_value(request).unwrap_or_default();
    let fields = tagged.as_object().and_then(|tagged| tagged.values().next());
    let mut fields = fields.cloned().unwrap_or_default();
    if let Some(fields) = fields.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    fields
}

/// The text of a recording, and the operations of which it has none: their answers are no text.
pub(super) fn record<'a>(calls: impl Iterator<Item = &'a Call>) -> (String, Vec<String>) {
    let mut unwritten = Vec::new();
    let mut list = Vec::new();
    for call in calls {
        let response = match &call.answer {
            Ok(bytes) => match String::from_utf8(bytes.clone()) {
                Ok(payload) => RecordedResponse::Success { payload },
                Err(_) => {
                    unwritten.push(call.request.path().to_owned());
                    continue;
                }
            },
            Err(error) => RecordedResponse::Error {
                message: error.to_string(),
            },
        };
        let exchange = Exchange {
            request: call.request.clone(),
            response,
        };
        // It has names as keys, and so it is JSON.
        list.push(serde_json::to_value(RecordedExchange::from(&exchange)).unwrap_or_default());
    }
    (wharf_config::to_yaml(&Value::Array(list)), unwritten)
}
