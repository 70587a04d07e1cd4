//! `wharf login` and `wharf logout`: credentials for registries, where Docker's clients keep them too.

use std::io::{IsTerminal as _, Read as _};
use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use wharf_distribution::registry::{KeptIn, LoginError};
use wharf_plugin::RegistryHost;

use crate::exit::Code;
use crate::registries;
use crate::supply::{Supply, SupplyArguments, block_on};
use crate::words::{complain, print, say};

/// The most bytes of a password or token.
const MOST_PASSWORD: u64 = 64 << 10;

/// Who logs in where.
#[derive(Debug, Args)]
pub(crate) struct LoginArguments {
    /// The registry, such as `registry.example` or `127.0.0.1:5000`.
    #[arg(value_name = "HOST")]
    host: RegistryHost,
    /// The user.
    #[arg(short, long, value_name = "NAME")]
    username: String,
    /// Read the password or token from standard input. Without it a terminal is asked.
    #[arg(long)]
    password_stdin: bool,
    #[command(flatten)]
    supply: SupplyArguments,
    /// Print where the credentials are kept as JSON on stdout.
    #[arg(long)]
    json: bool,
}

/// Where somebody logs out.
#[derive(Debug, Args)]
pub(crate) struct LogoutArguments {
    /// The registry.
    #[arg(value_name = "HOST")]
    host: RegistryHost,
    #[command(flatten)]
    supply: SupplyArguments,
    /// Print what happened as JSON on stdout.
    #[arg(long)]
    json: bool,
}

/// Logs in.
pub(super) fn login(arguments: &LoginArguments) -> Code {
    let done = Supply::by_flags_for(&arguments.supply, true).and_then(|supply| {
        let config = docker_config(&supply)?;
        let password = password(arguments)?;
        let host = &arguments.host;
        let kept = block_on(supply.client().login(host, &arguments.username, &password, &config))?;
        let kept = kept.map_err(|error| failed(&error))?;
        if arguments.json {
            let told = match &kept {
                KeptIn::File(path) => json!({ "host": host.as_str(), "file": path.to_string_lossy() }),
                KeptIn::Helper(name) => json!({ "host": host.as_str(), "helper": name }),
            };
            return print(format_args!("{told:#}")).map_err(|_| Code::Failure);
        }
        match kept {
            KeptIn::Helper(name) => say(format_args!(
                "{host}: logged in; the credentials are with docker-credential-{name}"
            )),
            KeptIn::File(path) => say(format_args!(
                "{host}: logged in; the credentials are in {}, where whoever reads it has them: `credsStore` there names a \
                 credential helper",
                path.display()
            )),
        }
        Ok(())
    });
    done.err().unwrap_or(Code::Success)
}

/// Logs out.
pub(super) fn logout(arguments: &LogoutArguments) -> Code {
    let done = Supply::by_flags_for(&arguments.supply, true).and_then(|supply| {
        let config = docker_config(&supply)?;
        let host = &arguments.host;
        let had = block_on(supply.client().logout(host, &config))?.map_err(|error| failed(&error))?;
        if arguments.json {
            let told = json!({ "host": host.as_str(), "forgotten": had });
            return print(format_args!("{told:#}")).map_err(|_| Code::Failure);
        }
        let said = if had { "logged out" } else { "nobody was logged in" };
        say(format_args!("{host}: {said}"));
        Ok(())
    });
    done.err().unwrap_or(Code::Success)
}

fn docker_config(supply: &Supply) -> Result<PathBuf, Code> {
    supply
        .docker_config()
        .or_else(registries::docker_directory)
        .ok_or_else(|| {
            say(
                "error: there is no place for credentials: this user has no home\n\nhint: set DOCKER_CONFIG to a directory",
            );
            Code::Failure
        })
}

fn password(arguments: &LoginArguments) -> Result<String, Code> {
    let wrong = |reason: &str| {
        say(format_args!(
            "error: {reason}\n\nhint: `wharf login HOST -u NAME --password-stdin < FILE`"
        ));
        Code::CommandLine
    };
    let text = if arguments.password_stdin {
        let mut text = String::new();
        std::io::stdin()
            .take(MOST_PASSWORD)
            .read_to_string(&mut text)
            .map_err(|error| wrong(&format!("the password cannot be read: {error}")))?;
        text
    } else if std::io::stdin().is_terminal() {
        rpassword::prompt_password(format!(
            "password of {} for {}: ",
            arguments.username, arguments.host
        ))
        .map_err(|error| wrong(&format!("the password cannot be read: {error}")))?
    } else {
        return Err(wrong("there is no password"));
    };
    let text = text.trim_end_matches(['\n', '\r']);
    if text.is_empty() {
        return Err(wrong("the password is empty"));
    }
    Ok(text.to_owned())
}

fn failed(error: &LoginError) -> Code {
    complain(error, Some(error.hint()));
    Code::Failure
}
