//! A scanner as a process: one scan.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// For a scan of a small target; each needs some seconds to compile a module of 5 MB.
const PATIENCE: Duration = Duration::from_secs(240);
/// How often it is looked whether it has ended.
const PAUSE: Duration = Duration::from_millis(5);

/// What a scan came to.
pub(crate) struct Answer {
    /// The exit code, or what ended it.
    pub(crate) exit: String,
    pub(crate) output: String,
    /// Its standard error.
    pub(crate) log: String,
}

/// Runs a scan in a folder, with an environment that has nothing of the machine but `PATH`. One that does not end in time is
/// ended.
///
/// # Errors
/// When it cannot be started.
pub(crate) fn scan(
    program: &Path,
    arguments: &[String],
    folder: &Path,
    cache: &Path,
) -> Result<Answer, String> {
    let told = |error: std::io::Error| format!("{}: {error}", program.display());
    let (output, log) = (folder.join("output"), folder.join("log"));
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .env("HOME", folder)
        .env("XDG_CACHE_HOME", cache)
        .stdin(Stdio::null())
        .stdout(File::create(&output).map_err(told)?)
        .stderr(File::create(&log).map_err(told)?);
    let mut child = command.spawn().map_err(told)?;
    let until = Instant::now() + PATIENCE;
    let exit = loop {
        if let Some(status) = child.try_wait().map_err(told)? {
            break status
                .code()
                .map_or_else(|| status.to_string(), |code| code.to_string());
        }
        if Instant::now() > until {
            child.kill().and_then(|()| child.wait()).map_err(told)?;
            break "none: it did not end in time".to_owned();
        }
        thread::sleep(PAUSE);
    };
    let text = |path: &Path| {
        let bytes = fs::read(path).map_err(told)?;
        Ok::<_, String>(String::from_utf8_lossy(&bytes).into_owned())
    };
    Ok(Answer {
        exit,
        output: text(&output)?,
        log: text(&log)?,
    })
}
