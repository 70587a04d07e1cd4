//! What a guest needs from the program around it.

use wharf_abi_wasi::Stdio;
use wharf_engine::Deadline;

/// A guest calls its host.
#[derive(Debug, Clone, Copy)]
pub struct HostCall<'a> {
    /// Whose operations are meant; Kubewarden's are `kubewarden`.
    pub binding: &'a str,
    /// The group of operations, such as `kubernetes`.
    pub namespace: &'a str,
    /// The operation, such as `get_resource`.
    pub operation: &'a str,
    /// What the guest gives with it; the protocol does not say what is in it.
    pub payload: &'a [u8],
    /// The deadline of the guest's call, to which the host call counts: a host that waits for something waits no longer
    /// than this.
    pub deadline: Deadline,
}

/// The world of one call of a guest. All calls come from the thread that calls the guest, from inside that call.
pub trait Host {
    /// The guest calls an operation of the host. It may take as long as the call's deadline says; a guest whose host
    /// returns later ends with the fault of its deadline.
    ///
    /// # Errors
    /// The text that the guest gets as the host's error.
    fn host_call(&mut self, call: &HostCall<'_>) -> Result<Vec<u8>, String>;

    /// The guest logs a line, by `__console_log`.
    fn console_log(&mut self, text: &str);

    /// The guest writes text to stdout or stderr, as runtimes do with the message of a panic. By default it is a line of
    /// the log.
    fn output(&mut self, stream: Stdio, text: &str) {
        let _ = stream;
        self.console_log(text);
    }

    /// The nanoseconds since 1970-01-01T00:00:00Z, for WASI.
    fn realtime_nanoseconds(&mut self) -> u64;

    /// Nanoseconds of a clock that never goes back, for WASI.
    fn monotonic_nanoseconds(&mut self) -> u64;

    /// Fills `buffer`, which is at most 64 KiB, with bytes that nobody can predict, for WASI.
    fn random(&mut self, buffer: &mut [u8]);
}
