//! What the host functions of one call work on.

use wharf_abi_wasi::{Stdio, WasiHost};
use wharf_engine::Deadline;

use super::host::Host;
use super::payload::PayloadLimits;

pub(super) struct State {
    pub(super) host: Box<dyn Host>,
    pub(super) limits: PayloadLimits,
    pub(super) deadline: Deadline,
    /// The operation and its payload; none while the guest starts.
    pub(super) request: Option<(String, Vec<u8>)>,
    pub(super) response: Option<Vec<u8>>,
    pub(super) error: Option<String>,
    pub(super) host_response: Option<Vec<u8>>,
    pub(super) host_error: Option<String>,
}

impl State {
    pub(super) fn new(host: Box<dyn Host>, limits: PayloadLimits, deadline: Deadline) -> Self {
        Self {
            host,
            limits,
            deadline,
            request: None,
            response: None,
            error: None,
            host_response: None,
            host_error: None,
        }
    }

    /// The guest has started, and its call begins: what it set before does not count.
    pub(super) fn begin(&mut self, operation: String, payload: Vec<u8>) {
        self.request = Some((operation, payload));
        self.response = None;
        self.error = None;
        self.host_response = None;
        self.host_error = None;
    }
}

impl WasiHost for State {
    fn environment(&self) -> &[(String, String)] {
        &[]
    }

    fn write(&mut self, stream: Stdio, bytes: &[u8]) {
        self.host.output(stream, &self.limits.text_of(bytes));
    }

    fn realtime_nanoseconds(&mut self) -> u64 {
        self.host.realtime_nanoseconds()
    }

    fn monotonic_nanoseconds(&mut self) -> u64 {
        self.host.monotonic_nanoseconds()
    }

    fn random(&mut self, buffer: &mut [u8]) {
        self.host.random(buffer);
    }
}
