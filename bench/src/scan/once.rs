//! One scan as a process: how long it takes, and the most memory that it has.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use wait4::Wait4;

use crate::Outcome;

/// What a scan took.
#[derive(Clone, Copy)]
pub(super) struct Scan {
    /// From the start of the process to its end.
    pub(super) time: Duration,
    /// In bytes, of resident memory.
    pub(super) most_memory: u64,
}

/// Runs it, with its report in the file `report` and what it says beside it.
///
/// # Errors
/// When it cannot be started or fails.
pub(super) fn run(mut command: Command, report: &Path) -> Outcome<Scan> {
    let log = report.with_extension("log");
    command
        .stdin(Stdio::null())
        .stdout(File::create(report)?)
        .stderr(File::create(&log)?);
    let began = Instant::now();
    let child = command
        .spawn()
        .map_err(|error| format!("{}: {error}", command.get_program().display()))?;
    let ended = child.wait4()?;
    let time = began.elapsed();
    if !ended.status.success() {
        let log = std::fs::read_to_string(&log)?;
        return Err(format!("{} failed: {log}", command.get_program().display()).into());
    }
    Ok(Scan {
        time,
        most_memory: ended.rusage.maxrss,
    })
}
