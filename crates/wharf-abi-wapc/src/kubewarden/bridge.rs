//! A policy's host calls: decoded, held against what is granted, and passed on.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use serde_json::Value;
use wharf_abi_wasi::Stdio;
use wharf_engine::Deadline;

use super::capability::{CapabilityError, CapabilityRequest, FieldMask, Grants};
use super::host::{PolicyHost, PolicyLog, PolicyLogLevel, RefusedCapability};
use crate::wapc;

/// The one binding that there is.
const BINDING: &str = "kubewarden";

/// How many lines one review may leave in the log, so that a policy cannot fill the disk before its deadline.
const MOST_LINES: u32 = 1_000;

/// Stands between one call of a policy and its host. A clone is for a further call of the same review.
#[derive(Clone)]
pub(super) struct Bridge {
    /// Borrowed for each host call alone, from inside which nobody comes back here.
    host: Rc<RefCell<Box<dyn PolicyHost>>>,
    grants: Arc<Grants>,
    lines: u32,
}

impl Bridge {
    pub(super) fn new(host: Box<dyn PolicyHost>, grants: Arc<Grants>) -> Self {
        Self {
            host: Rc::new(RefCell::new(host)),
            grants,
            lines: 0,
        }
    }

    /// Answers a host call. The texts of refusals are Kubewarden's, since policies and their tests know them.
    ///
    /// # Errors
    /// The text for the policy.
    pub(super) fn call(&mut self, call: &wapc::HostCall<'_>) -> Result<Vec<u8>, String> {
        if call.binding != BINDING {
            return Err(format!("unknown binding: {}", call.binding));
        }
        if (call.namespace, call.operation) == ("tracing", "log") {
            self.log_event(call.payload);
            return Ok(Vec::new());
        }
        if call.namespace != "tracing" {
            self.check_operation(call.namespace, call.operation)?;
        }
        let request = CapabilityRequest::decode(call.namespace, call.operation, call.payload)
            .map_err(|error| error.to_string())?;
        self.check_resource(&request)?;
        self.answer(&request, call.deadline)
            .map_err(|error| format!("Callback evaluation failure: {error}"))
    }

    /// Whether the operation is granted, known or not.
    fn check_operation(&mut self, namespace: &str, operation: &str) -> Result<(), String> {
        let path = format!("{namespace}/{operation}");
        if self.grants.allow_operation(&path) {
            return Ok(());
        }
        self.host
            .borrow_mut()
            .refused(&RefusedCapability::Operation(&path));
        Err(format!(
            "Policy has not been granted access to the '{path}' host capability. The violation has been reported."
        ))
    }

    /// Whether the objects are granted that a request reads.
    fn check_resource(&mut self, request: &CapabilityRequest) -> Result<(), String> {
        let Some((api_version, kind)) = request.resource() else {
            return Ok(());
        };
        if self.grants.allow_resource(api_version, kind) {
            return Ok(());
        }
        self.host.borrow_mut().refused(&RefusedCapability::Resource {
            path: request.path(),
            api_version,
            kind,
        });
        Err(format!(
            "Policy has not been granted access to Kubernetes {api_version}/{kind} resources. The violation has been reported."
        ))
    }

    /// Asks the host, and cuts its answer down to the fields that are wanted.
    fn answer(
        &mut self,
        request: &CapabilityRequest,
        deadline: Deadline,
    ) -> Result<Vec<u8>, CapabilityError> {
        let mask = match request.field_masks() {
            Some(paths) if !paths.is_empty() => {
                let mask = FieldMask::new(paths.iter().map(String::as_str));
                Some(mask.map_err(|error| CapabilityError::Failed(error.to_string()))?)
            }
            _ => None,
        };
        if deadline.has_passed() {
            return Err(CapabilityError::Timeout);
        }
        let answer = self.host.borrow_mut().capabilities().call(request, deadline)?;
        let Some(mask) = mask else {
            return Ok(answer);
        };
        let unreadable = |error: serde_json::Error| {
            CapabilityError::Failed(format!("the host's answer is no JSON: {error}"))
        };
        let mut value: Value = serde_json::from_slice(&answer).map_err(unreadable)?;
        match request {
            CapabilityRequest::KubernetesGetResource(_) => mask.prune_object(&mut value),
            _ => mask.prune_list(&mut value),
        }
        serde_json::to_vec(&value).map_err(unreadable)
    }

    /// What a Rego policy judges by is granted with its resources and needs no operation.
    pub(super) fn context(
        &mut self,
        request: &CapabilityRequest,
        deadline: Deadline,
    ) -> Result<Vec<u8>, CapabilityError> {
        self.answer(request, deadline)
    }

    fn log_event(&mut self, payload: &[u8]) {
        let event = PolicyLog::parse(payload).unwrap_or_else(|problem| {
            let text = format!("the policy logged what is no event: {problem}");
            PolicyLog::line(PolicyLogLevel::Warning, text)
        });
        self.log(&event);
    }

    pub(super) fn log(&mut self, event: &PolicyLog) {
        if self.lines < MOST_LINES {
            self.host.borrow_mut().log(event);
        } else if self.lines == MOST_LINES {
            let text = format!("the policy logged {MOST_LINES} lines in this call; the rest is left out");
            self.host
                .borrow_mut()
                .log(&PolicyLog::line(PolicyLogLevel::Warning, text));
        }
        self.lines = self.lines.saturating_add(1);
    }
}

impl wapc::Host for Bridge {
    fn host_call(&mut self, call: &wapc::HostCall<'_>) -> Result<Vec<u8>, String> {
        self.call(call)
    }

    fn console_log(&mut self, text: &str) {
        self.log(&PolicyLog::line(PolicyLogLevel::Info, text));
    }

    fn output(&mut self, stream: Stdio, text: &str) {
        self.log(&PolicyLog::of_stream(stream, text));
    }

    fn realtime_nanoseconds(&mut self) -> u64 {
        self.host.borrow_mut().realtime_nanoseconds()
    }

    fn monotonic_nanoseconds(&mut self) -> u64 {
        self.host.borrow_mut().monotonic_nanoseconds()
    }

    fn random(&mut self, buffer: &mut [u8]) {
        self.host.borrow_mut().random(buffer);
    }
}
