//! Credential helpers: programs that Docker's `config.json` names, which give the credentials for a registry.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use super::credentials::{Credentials, CredentialsError, password_of};
use super::error::words;
use super::settings::RegistryLimits;

/// What a helper says that has nothing for a registry. The protocol has no other sign for it.
const NOTHING: &str = "credentials not found";

/// A helper's answer.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

/// Asks a helper for the credentials of a registry. It is ended when it takes too long, or nobody waits any more.
pub(super) async fn ask(
    name: &str,
    server: &str,
    limits: &RegistryLimits,
) -> Result<Credentials, CredentialsError> {
    let program = program_of(name)?;
    ask_program(name, Path::new(&program), server, limits).await
}

/// Has a helper keep (`store`) or forget (`erase`) credentials, for which it is told `input`.
pub(super) async fn tell(
    name: &str,
    verb: &str,
    input: &str,
    limits: &RegistryLimits,
) -> Result<(), CredentialsError> {
    let program = program_of(name)?;
    let running = run(Path::new(&program), verb, input, limits.other.bytes());
    match tokio::time::timeout(limits.helper, running).await {
        Err(_) => Err(failed(name, "took too long, and was ended")),
        Ok(Err(error)) => Err(failed(name, &format!("cannot be run: {error}"))),
        // Docker's own clients take it for forgotten, too.
        Ok(Ok((false, output))) if verb == "erase" && String::from_utf8_lossy(&output).contains(NOTHING) => {
            Ok(())
        }
        Ok(Ok((false, _))) => Err(failed(name, "failed")),
        Ok(Ok((true, _))) => Ok(()),
    }
}

fn program_of(name: &str) -> Result<String, CredentialsError> {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || !name.chars().all(good) {
        return Err(failed(name, "is no name of a program"));
    }
    Ok(format!("docker-credential-{name}"))
}

/// The same with the program itself, which is looked up in `PATH` where it has no directory.
pub(super) async fn ask_program(
    name: &str,
    program: &Path,
    server: &str,
    limits: &RegistryLimits,
) -> Result<Credentials, CredentialsError> {
    let running = run(program, "get", server, limits.other.bytes());
    match tokio::time::timeout(limits.helper, running).await {
        Err(_) => Err(failed(name, "took too long, and was ended")),
        Ok(Err(error)) => Err(failed(name, &format!("cannot be run: {error}"))),
        Ok(Ok((false, output))) if String::from_utf8_lossy(&output).contains(NOTHING) => {
            Ok(Credentials::None)
        }
        // What it says may have a secret in it.
        Ok(Ok((false, _))) => Err(failed(name, "failed")),
        Ok(Ok((true, output))) => match serde_json::from_slice::<Answer>(&output) {
            Ok(answer) => Ok(password_of(&answer.username, &answer.secret)),
            Err(_) => Err(failed(name, "gave an answer that is none")),
        },
    }
}

fn failed(name: &str, reason: &str) -> CredentialsError {
    CredentialsError::Helper {
        name: words(name),
        reason: Arc::from(reason),
    }
}

/// Whether it succeeded, and what it printed.
async fn run(program: &Path, verb: &str, input: &str, most: u64) -> std::io::Result<(bool, Vec<u8>)> {
    let mut child = Command::new(program)
        .arg(verb)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A helper that does not read it has its reasons, and its answer counts.
        let _ = stdin.write_all(input.as_bytes()).await;
    }
    let mut output = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        stdout.take(most).read_to_end(&mut output).await?;
    }
    Ok((child.wait().await?.success(), output))
}
