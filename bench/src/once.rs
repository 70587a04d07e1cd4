//! A command from its start to its end: how long it takes, and what it needs.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use wait4::Wait4;

use crate::Outcome;

/// What a command took.
#[derive(Clone, Copy)]
pub(crate) struct Once {
    /// From the start of the process to its end.
    pub(crate) time: Duration,
    /// Of all its threads, in user and kernel.
    pub(crate) cpu: Duration,
    /// In bytes, of resident memory.
    pub(crate) most_memory: u64,
}

/// Runs it, with its output in the file `report` and what it says beside it.
///
/// # Errors
/// When it cannot be started or fails.
pub(crate) fn run(mut command: Command, report: &Path) -> Outcome<Once> {
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
    Ok(Once {
        time,
        cpu: ended.rusage.utime + ended.rusage.stime,
        most_memory: ended.rusage.maxrss,
    })
}
