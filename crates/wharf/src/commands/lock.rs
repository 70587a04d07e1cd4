//! `wharf lock`: the digest of each plugin that a configuration names, in the lock file beside it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value, json};
use wharf_config::Config;
use wharf_distribution::Lockfile;
use wharf_plugin::Reference;

use super::load;
use crate::exit::Code;
use crate::supply::Supply;
use crate::words::{complain, print, say};

/// What is locked.
#[derive(Debug, Args)]
pub(crate) struct LockArguments {
    /// The configuration.
    #[arg(value_name = "CONFIG", default_value = super::DEFAULT_CONFIG)]
    config: PathBuf,
    /// Write nothing, and fail where the lock file would become another.
    #[arg(long)]
    check: bool,
    /// Print the lock file on stdout.
    #[arg(long)]
    json: bool,
}

/// Asks the registries what each reference means, and writes it down.
pub(super) fn run(arguments: &LockArguments) -> Code {
    match lock(arguments) {
        Ok(()) => Code::Success,
        Err(code) => code,
    }
}

fn lock(arguments: &LockArguments) -> Result<(), Code> {
    let config = load(&arguments.config)?;
    let supply = Supply::of(&config, &arguments.config, false).map_err(|error| {
        complain(&error, Some(error.hint()));
        Code::Configuration
    })?;
    let references = references(&config);
    let locked = supply.fetcher().lock(&references).map_err(|error| {
        complain(&error, Some(&error.hint()));
        Code::Plugin
    })?;
    let path = supply.lock_path();
    let before = match path.is_file() {
        true => Lockfile::read(path).map_err(|error| {
            complain(&error, Some(error.hint()));
            Code::Configuration
        })?,
        false => Lockfile::default(),
    };
    let changes = changes(&before, &locked);
    if !arguments.check && before != locked {
        locked.write(path).map_err(|error| {
            complain(&error, Some(error.hint()));
            Code::Failure
        })?;
    }
    if arguments.json {
        print(locked.text().trim_end()).map_err(|_| Code::Failure)?;
    }
    for change in &changes {
        say(change);
    }
    let state = match (before == locked, arguments.check) {
        (true, _) => "is as the registries say",
        (false, true) => "is not as the registries say",
        (false, false) => "was written",
    };
    say(format_args!("{} {state}", path.display()));
    if arguments.check && before != locked {
        return Err(Code::Failure);
    }
    Ok(())
}

/// All that a configuration would fetch.
fn references(config: &Config) -> BTreeSet<Reference> {
    let plugins = config.plugins.values().map(|plugin| plugin.source.clone());
    let policies = config
        .admission
        .iter()
        .flat_map(|admission| &admission.policies.entries)
        .flat_map(|entry| entry.modules())
        .map(|module| module.reference.clone());
    plugins.chain(policies).collect()
}

/// What is another than before, a line each.
fn changes(before: &Lockfile, after: &Lockfile) -> Vec<String> {
    let digests = |lockfile: &Lockfile| -> Map<String, Value> {
        lockfile
            .pins()
            .map(|(name, pin)| (name.to_owned(), json!(pin.digest.to_string())))
            .collect()
    };
    let (before, after) = (digests(before), digests(after));
    let mut changes = Vec::new();
    for (name, digest) in &after {
        let digest = digest.as_str().unwrap_or_default();
        match before.get(name).and_then(Value::as_str) {
            None => changes.push(format!("+ {name} {digest}")),
            Some(old) if old != digest => changes.push(format!("~ {name} {old} → {digest}")),
            Some(_) => {}
        }
    }
    let gone = before.iter().filter(|(name, _)| !after.contains_key(*name));
    changes.extend(gone.map(|(name, digest)| format!("- {name} {}", digest.as_str().unwrap_or_default())));
    changes
}
