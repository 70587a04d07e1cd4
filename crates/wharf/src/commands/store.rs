//! `wharf ls`, `rm`, `prune`, `save` and `load`: what the store of plugins has.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};
use wharf_distribution::{ArchiveError, Pruned, Record, Store, StoreError};
use wharf_plugin::{ByteSize, Reference};

use super::single;
use crate::exit::Code;
use crate::files;
use crate::supply::{Supply, SupplyArguments};
use crate::words::{complain, print, say};

/// Which store is meant.
#[derive(Debug, Args)]
pub(crate) struct StoreArguments {
    #[command(flatten)]
    supply: SupplyArguments,
    /// Print what happened as JSON on stdout.
    #[arg(long)]
    json: bool,
}

/// What is taken away.
#[derive(Debug, Args)]
pub(crate) struct RemoveArguments {
    /// The plugins, as `wharf ls` shows them.
    #[arg(value_name = "REF", required = true, value_parser = single::artifact)]
    references: Vec<Reference>,
    #[command(flatten)]
    store: StoreArguments,
}

/// How much is to be left.
#[derive(Debug, Args)]
pub(crate) struct PruneArguments {
    /// What the store may hold; `store.size` of the configuration, or 4GiB, by default. 0MiB takes away all that no process uses.
    #[arg(long, value_name = "SIZE")]
    size: Option<ByteSize>,
    #[command(flatten)]
    store: StoreArguments,
}

/// What is written to an archive.
#[derive(Debug, Args)]
pub(crate) struct SaveArguments {
    /// The file, which becomes an OCI layout in an archive of tar.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// The plugins, which must have been pulled; all of the store by default.
    #[arg(value_name = "REF", value_parser = single::artifact)]
    references: Vec<Reference>,
    #[command(flatten)]
    store: StoreArguments,
}

/// What is read from an archive.
#[derive(Debug, Args)]
pub(crate) struct LoadArguments {
    /// The file: an OCI layout in an archive of tar, as `wharf save` writes it; `-` for standard input.
    #[arg(value_name = "FILE")]
    input: PathBuf,
    #[command(flatten)]
    store: StoreArguments,
}

/// Something is not in the store.
#[derive(Debug, thiserror::Error)]
#[error("the store has nothing of {0}")]
struct NotStored(String);

/// Lists what there is.
pub(super) fn list(arguments: &StoreArguments) -> Code {
    with_store(&arguments.supply, |store, _| {
        let mut records = store.records().map_err(|error| failed(&error))?;
        records.sort_by(|left, right| left.reference.cmp(&right.reference));
        if arguments.json {
            let all: Vec<Value> = records.iter().map(described).collect();
            return printed(print(format_args!("{:#}", Value::from(all))));
        }
        for record in &records {
            let size = ByteSize::from_bytes(record.size);
            printed(print(format_args!(
                "{}\n  {}  {}  {size}",
                single::shown(&record.reference),
                record.digest,
                record.layout
            )))?;
        }
        let size = store.size().map_err(|error| failed(&error))?;
        say(format_args!(
            "{} with {} in {}",
            counted(records.len(), "plugin", "plugins"),
            size,
            store.directory().display()
        ));
        Ok(())
    })
}

/// Takes plugins away.
pub(super) fn remove(arguments: &RemoveArguments) -> Code {
    with_store(&arguments.store.supply, |store, _| {
        let known = store.records().map_err(|error| failed(&error))?;
        let mut all = Pruned::default();
        let mut missing = false;
        for reference in &arguments.references {
            let name = reference.canonical();
            if !known.iter().any(|record| record.reference == name) {
                complain(&NotStored(name), Some("`wharf ls` shows what there is"));
                missing = true;
                continue;
            }
            let removed = store.remove(&name).map_err(|error| failed(&error))?;
            all.references.extend(removed.references);
            all.in_use.extend(removed.in_use);
            all.files += removed.files;
            all.bytes += removed.bytes;
        }
        tell_pruned(&all, arguments.store.json)?;
        if missing || !all.in_use.is_empty() {
            return Err(Code::Failure);
        }
        Ok(())
    })
}

/// Takes away what was used least recently.
pub(super) fn prune(arguments: &PruneArguments) -> Code {
    with_store(&arguments.store.supply, |store, supply| {
        let most = arguments.size.unwrap_or_else(|| supply.store_size());
        let pruned = store.prune(most).map_err(|error| failed(&error))?;
        tell_pruned(&pruned, arguments.store.json)
    })
}

/// Writes an archive.
pub(super) fn save(arguments: &SaveArguments) -> Code {
    with_store(&arguments.store.supply, |store, _| {
        let names: Vec<String> = arguments.references.iter().map(Reference::canonical).collect();
        let saved = save_to(store, &names, &arguments.output)?;
        let told = json!({
            "references": saved.references, "blobs": saved.blobs, "bytes": saved.bytes,
            "file": arguments.output.to_string_lossy(),
        });
        if arguments.store.json {
            return printed(print(format_args!("{told:#}")));
        }
        for reference in &saved.references {
            printed(print(single::shown(reference)))?;
        }
        say(format_args!(
            "{} in {}, with {}",
            counted(saved.references.len(), "plugin", "plugins"),
            arguments.output.display(),
            ByteSize::from_bytes(saved.bytes)
        ));
        Ok(())
    })
}

fn save_to(store: &Store, names: &[String], output: &Path) -> Result<wharf_distribution::Saved, Code> {
    let unwritable = |error: &dyn std::fmt::Display| {
        say(format_args!(
            "error: {} cannot be written: {error}",
            output.display()
        ));
        Code::Failure
    };
    let file = files::begin(output).map_err(|error| unwritable(&error))?;
    let mut writer = BufWriter::new(file);
    let saved = store
        .save(names, &mut writer)
        .map_err(|error| archive_failed(&error))?;
    writer.flush().map_err(|error| unwritable(&error))?;
    let file = writer.into_inner().map_err(|error| unwritable(&error))?;
    files::end(file, output).map_err(|error| unwritable(&error))?;
    Ok(saved)
}

/// Reads an archive.
pub(super) fn load(arguments: &LoadArguments) -> Code {
    with_store(&arguments.store.supply, |store, _| {
        let input: Box<dyn Read> = if arguments.input.as_os_str() == "-" {
            Box::new(std::io::stdin().lock())
        } else {
            let opened = File::open(&arguments.input).map_err(|error| {
                say(format_args!(
                    "error: {} cannot be read: {error}\n\nhint: check the path",
                    arguments.input.display()
                ));
                Code::Failure
            })?;
            Box::new(BufReader::new(opened))
        };
        let loaded = store.load(input).map_err(|error| archive_failed(&error))?;
        if arguments.store.json {
            let told =
                json!({ "references": loaded.references, "blobs": loaded.blobs, "bytes": loaded.bytes });
            return printed(print(format_args!("{told:#}")));
        }
        for reference in &loaded.references {
            printed(print(single::shown(reference)))?;
        }
        say(format_args!(
            "{} from {}; `trust` decides whether they may run",
            counted(loaded.references.len(), "plugin", "plugins"),
            arguments.input.display()
        ));
        Ok(())
    })
}

fn with_store(arguments: &SupplyArguments, work: impl FnOnce(&Store, &Supply) -> Result<(), Code>) -> Code {
    let done = Supply::by_flags_for(arguments, true).and_then(|supply| work(supply.store()?, &supply));
    done.err().unwrap_or(Code::Success)
}

fn described(record: &Record) -> Value {
    json!({
        "reference": record.reference,
        "digest": record.digest.to_string(),
        "module": record.module.to_string(),
        "layout": record.layout.to_string(),
        "bytes": record.size,
        "storedBytes": record.stored_bytes(),
        "fetchedAt": record.fetched_at,
    })
}

fn tell_pruned(pruned: &Pruned, as_json: bool) -> Result<(), Code> {
    if as_json {
        let told = json!({
            "references": pruned.references, "files": pruned.files, "bytes": pruned.bytes, "inUse": pruned.in_use,
        });
        return printed(print(format_args!("{told:#}")));
    }
    for reference in &pruned.references {
        printed(print(single::shown(reference)))?;
    }
    for reference in &pruned.in_use {
        say(format_args!(
            "warning: {} stays, because a process uses it",
            single::shown(reference)
        ));
    }
    say(format_args!(
        "{} gone, {} freed",
        counted(pruned.references.len(), "plugin", "plugins"),
        ByteSize::from_bytes(pruned.bytes)
    ));
    Ok(())
}

pub(super) fn counted(count: usize, one: &str, several: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { several })
}

fn printed(outcome: std::io::Result<()>) -> Result<(), Code> {
    outcome.map_err(|_| Code::Failure)
}

fn failed(error: &StoreError) -> Code {
    complain(error, Some(error.hint()));
    Code::Failure
}

fn archive_failed(error: &ArchiveError) -> Code {
    complain(error, Some(error.hint()));
    Code::Failure
}
