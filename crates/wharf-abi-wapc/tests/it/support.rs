//! What all tests have in common: an engine, a deadline, and hosts that write down what they see.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::LazyLock;
use std::time::Duration;

use wharf_abi_wapc::kubewarden::capability::{Capabilities, CapabilityError, CapabilityRequest};
use wharf_abi_wapc::kubewarden::{
    AdmissionRequest, METADATA_SECTION, Metadata, Policy, PolicyError, PolicyHost, PolicyLog, PolicyOptions,
    RefusedCapability, ReviewRequest,
};
use wharf_abi_wapc::wapc::{Host, HostCall, Stdio};
use wharf_engine::{Allocation, Deadline, Engine, EngineSettings, Module};
use wharf_plugin::{ByteSize, Limits, Reference, VerifiedArtifact};

/// Instances from a pool, as a server has them.
static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    Engine::new(EngineSettings {
        allocation: Allocation::Pooled {
            instances: 64,
            memory: ByteSize::from_mib(64),
        },
        ..EngineSettings::default()
    })
    .unwrap()
});

/// Longer than any call of these tests takes that is not meant to be ended.
pub(crate) fn ample() -> Deadline {
    Deadline::after(Duration::from_secs(60))
}

/// Soon over, for guests that would never end.
pub(crate) fn short() -> Deadline {
    Deadline::after(Duration::from_millis(30))
}

pub(crate) fn artifact(bytes: Vec<u8>) -> VerifiedArtifact {
    VerifiedArtifact::dangerously_unverified(Reference::File("guest.wasm".into()), bytes)
}

pub(crate) fn compile(wat: &str) -> Module {
    compile_bytes(wat::parse_str(wat).unwrap_or_else(|error| panic!("{error}\n{wat}")))
}

pub(crate) fn compile_bytes(bytes: Vec<u8>) -> Module {
    let (module, _) = ENGINE.compile(&artifact(bytes), &Limits::default()).unwrap();
    module
}

/// A module with this metadata.
pub(crate) fn with_metadata(wat: &str, metadata: &str) -> Vec<u8> {
    let mut section = leb(METADATA_SECTION.len());
    section.extend(METADATA_SECTION.bytes());
    section.extend(metadata.bytes());
    let mut bytes = wat::parse_str(wat).unwrap_or_else(|error| panic!("{error}\n{wat}"));
    bytes.push(0);
    bytes.extend(leb(section.len()));
    bytes.extend(section);
    bytes
}

fn leb(number: usize) -> Vec<u8> {
    assert!(number < 1 << 14);
    vec![(number & 0x7f) as u8 | 0x80, (number >> 7) as u8]
}

/// The policy that some bytes are.
pub(crate) fn policy_of(bytes: Vec<u8>, options: PolicyOptions) -> Result<Policy, PolicyError> {
    let identified = wharf_plugin::identify(&bytes).unwrap();
    let metadata = Metadata::of_module(&bytes).unwrap();
    Policy::new(&compile_bytes(bytes), &identified, metadata, options)
}

/// A request to create an object.
pub(crate) fn creation(object: &str) -> ReviewRequest {
    let body = format!(
        r#"{{"request":{{"uid":"u-1","kind":{{"group":"","version":"v1","kind":"Pod"}},"resource":{{"group":"","version":"v1","resource":"pods"}},"operation":"CREATE","userInfo":{{}},"object":{object},"oldObject":null}}}}"#
    );
    ReviewRequest::Admission(Box::new(AdmissionRequest::of_review(body.as_bytes()).unwrap()))
}

/// Text as it stands in a data segment.
pub(crate) fn data(text: &str) -> String {
    text.bytes().map(|byte| format!("\\{byte:02x}")).collect()
}

/// What hosts saw, in order.
#[derive(Clone, Default)]
pub(crate) struct Seen(Rc<RefCell<Vec<String>>>);

impl Seen {
    pub(crate) fn note(&self, line: impl Into<String>) {
        self.0.borrow_mut().push(line.into());
    }

    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.borrow_mut())
    }
}

/// A host of waPC guests. It answers `echo` with the payload, `fail` with an error, `large` with as many bytes as the
/// payload says, and `wait` when the deadline has passed.
#[derive(Clone, Default)]
pub(crate) struct TestHost {
    pub(crate) seen: Seen,
}

impl Host for TestHost {
    fn host_call(&mut self, call: &HostCall<'_>) -> Result<Vec<u8>, String> {
        let payload = String::from_utf8_lossy(call.payload);
        let shown: String = payload.chars().take(80).collect();
        let HostCall {
            binding,
            namespace,
            operation,
            ..
        } = call;
        self.seen
            .note(format!("{binding}/{namespace}/{operation}({shown})"));
        match call.operation {
            "fail" => Err(format!("no {payload}")),
            "large" => Ok(vec![b'x'; payload.parse().unwrap()]),
            "wait" => {
                while !call.deadline.has_passed() {
                    std::thread::sleep(Duration::from_millis(1));
                }
                Ok(Vec::new())
            }
            _ => Ok(call.payload.to_vec()),
        }
    }

    fn console_log(&mut self, text: &str) {
        self.seen.note(format!("log: {text}"));
    }

    fn output(&mut self, stream: Stdio, text: &str) {
        self.seen.note(format!("{stream:?}: {text}"));
    }

    fn realtime_nanoseconds(&mut self) -> u64 {
        1
    }

    fn monotonic_nanoseconds(&mut self) -> u64 {
        2
    }

    fn random(&mut self, buffer: &mut [u8]) {
        buffer.fill(3);
    }
}

/// A host of policies. It answers each request with what `answer` gives.
#[derive(Clone)]
pub(crate) struct TestPolicyHost {
    pub(crate) seen: Seen,
    answer: Answer,
}

type Answer = fn(&CapabilityRequest) -> Result<Vec<u8>, CapabilityError>;

impl Default for TestPolicyHost {
    fn default() -> Self {
        Self::answering(|request| panic!("nobody expects {request:?}"))
    }
}

impl TestPolicyHost {
    pub(crate) fn answering(answer: Answer) -> Self {
        Self {
            seen: Seen::default(),
            answer,
        }
    }

    pub(crate) fn boxed(&self) -> Box<dyn PolicyHost> {
        Box::new(self.clone())
    }
}

impl Capabilities for TestPolicyHost {
    fn call(&mut self, request: &CapabilityRequest, deadline: Deadline) -> Result<Vec<u8>, CapabilityError> {
        assert!(!deadline.has_passed());
        self.seen.note(serde_json::to_string(request).unwrap());
        (self.answer)(request)
    }
}

impl PolicyHost for TestPolicyHost {
    fn capabilities(&mut self) -> &mut dyn Capabilities {
        self
    }

    fn log(&mut self, event: &PolicyLog) {
        let mut line = format!("{:?}: {}", event.level, event.message);
        for (name, value) in &event.data {
            line.push_str(&format!(" {name}={value}"));
        }
        self.seen.note(line);
    }

    fn refused(&mut self, refusal: &RefusedCapability<'_>) {
        self.seen.note(format!("{refusal:?}"));
    }

    fn realtime_nanoseconds(&mut self) -> u64 {
        1
    }

    fn monotonic_nanoseconds(&mut self) -> u64 {
        2
    }

    fn random(&mut self, buffer: &mut [u8]) {
        buffer.fill(3);
    }
}
