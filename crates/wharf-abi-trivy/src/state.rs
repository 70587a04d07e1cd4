//! What the host functions of an instance work on.

use std::io::{self, Read};
use std::sync::Arc;

use wharf_abi_wasi::{Stdio, Tree, TreeHost, WasiHost};

use crate::host::{Host, LogLine, LogSource};
use crate::settings::{Clock, PayloadLimits};

/// 2022-01-01T00:00:00Z.
const FIXED_START: u64 = 1_640_995_200_000_000_000;

/// How much later it is each time that the fixed clock is asked: a millisecond.
const FIXED_STEP: u64 = 1_000_000;

pub(crate) struct State {
    host: Arc<dyn Host>,
    payload: PayloadLimits,
    clock: Clock,
    fixed_realtime: u64,
    fixed_monotonic: u64,
    random: Random,
    stdin: io::Empty,
    tree: Tree,
    /// The file that the module is looking at.
    file: Option<String>,
    /// The last thing that it said by `env.error` or stderr in this call.
    last_words: Option<String>,
}

impl State {
    pub(crate) fn new(host: Arc<dyn Host>, payload: PayloadLimits, clock: Clock) -> Self {
        Self {
            host,
            payload,
            clock,
            fixed_realtime: FIXED_START,
            fixed_monotonic: 0,
            random: Random::default(),
            stdin: io::empty(),
            tree: Tree::new(),
            file: None,
            last_words: None,
        }
    }

    /// A call begins: it is the fixed time again, and what was said before is forgotten.
    pub(crate) fn begin(&mut self) {
        self.fixed_realtime = FIXED_START;
        self.last_words = None;
    }

    /// The module sees this file from now on.
    pub(crate) fn show(&mut self, path: &str, contents: Arc<[u8]>) {
        self.tree.show(path, contents);
        self.file = Some(path.to_owned());
    }

    /// The module sees nothing any more.
    pub(crate) fn hide(&mut self) {
        self.tree.clear();
        self.file = None;
    }

    pub(crate) fn take_last_words(&mut self) -> Option<String> {
        self.last_words.take()
    }

    pub(crate) fn payload(&self) -> &PayloadLimits {
        &self.payload
    }

    pub(crate) fn log(&mut self, source: LogSource, bytes: &[u8]) {
        let text = self.payload.text_of(bytes);
        self.host.log(&LogLine {
            source,
            file: self.file.as_deref(),
            text: &text,
        });
        if matches!(source, LogSource::Error | LogSource::Stderr) {
            self.last_words = Some(text);
        }
    }
}

impl WasiHost for State {
    fn environment(&self) -> &[(String, String)] {
        &[]
    }

    fn write(&mut self, stream: Stdio, bytes: &[u8]) {
        let source = match stream {
            Stdio::Stdout => LogSource::Stdout,
            Stdio::Stderr => LogSource::Stderr,
        };
        self.log(source, bytes);
    }

    fn stdin(&mut self) -> Option<&mut dyn Read> {
        Some(&mut self.stdin)
    }

    fn realtime_nanoseconds(&mut self) -> u64 {
        match self.clock {
            Clock::Fixed => step(&mut self.fixed_realtime),
            Clock::Real => self.host.realtime_nanoseconds(),
        }
    }

    fn monotonic_nanoseconds(&mut self) -> u64 {
        match self.clock {
            Clock::Fixed => step(&mut self.fixed_monotonic),
            Clock::Real => self.host.monotonic_nanoseconds(),
        }
    }

    fn random(&mut self, buffer: &mut [u8]) {
        self.random.fill(buffer);
    }
}

impl TreeHost for State {
    fn tree(&mut self) -> &mut Tree {
        &mut self.tree
    }
}

fn step(time: &mut u64) -> u64 {
    let now = *time;
    *time = now.saturating_add(FIXED_STEP);
    now
}

/// The random bytes of modules, which are the same in each instance, as in Trivy: what a module finds follows from the file
/// alone. Nothing that a module does here needs bytes that nobody can predict.
#[derive(Default)]
struct Random(u64);

impl Random {
    /// Steele, Lea and Flood's SplitMix64.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn fill(&mut self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            let bytes = self.next().to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
    }
}
