//! `wharf pull`: plugins fetched into the store, or to a file.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};
use wharf_distribution::{FetchError, Fetcher, Pulled};
use wharf_plugin::{PullPolicy, Reference};

use super::single;
use crate::exit::Code;
use crate::files;
use crate::provenance;
use crate::supply::{Supply, SupplyArguments};
use crate::words::{complain, print, say};

/// What is pulled.
#[derive(Debug, Args)]
pub(crate) struct PullArguments {
    /// The plugins: names of images such as `registry.example/plugins/greet:1.2`, or references.
    #[arg(value_name = "REF", required = true, value_parser = single::artifact)]
    references: Vec<Reference>,
    /// Write the module to this file too.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// When registries are asked: always (the default), ifNotPresent or never.
    #[arg(long, value_name = "POLICY", value_parser = pull_policy)]
    pull_policy: Option<PullPolicy>,
    #[command(flatten)]
    supply: SupplyArguments,
    /// Print what was fetched as JSON on stdout.
    #[arg(long)]
    json: bool,
}

fn pull_policy(text: &str) -> Result<PullPolicy, String> {
    PullPolicy::of_name(text).ok_or_else(|| "it is one of ifNotPresent, always, never".to_owned())
}

/// Fetches.
pub(super) fn run(arguments: &PullArguments) -> Code {
    if arguments.output.is_some() && arguments.references.len() > 1 {
        say(
            "error: --output is one file, and several plugins are named\n\nhint: pull each by itself, or leave --output out",
        );
        return Code::CommandLine;
    }
    let supply = match Supply::by_flags(&arguments.supply, arguments.references.iter()) {
        Ok(supply) => supply,
        Err(code) => return code,
    };
    let policy = arguments.pull_policy.unwrap_or(PullPolicy::Always);
    let fetcher = supply.fetcher().clone().with_policy(policy);
    let mut code = Code::Success;
    let mut all: Vec<Value> = Vec::new();
    for reference in &arguments.references {
        match pull(&fetcher, reference, arguments.output.as_deref()) {
            Ok(pulled) => {
                if arguments.json {
                    all.push(pulled.json());
                } else if print(pulled.text().trim_end()).is_err() {
                    return Code::Failure;
                }
            }
            Err(failed) => code = failed,
        }
    }
    if arguments.json && print(format_args!("{:#}", Value::from(all))).is_err() {
        return Code::Failure;
    }
    code
}

/// What was pulled, and by which reference.
struct Named<'a> {
    reference: &'a Reference,
    pulled: Pulled,
}

fn pull<'a>(fetcher: &Fetcher, reference: &'a Reference, output: Option<&Path>) -> Result<Named<'a>, Code> {
    let failed = |error: FetchError| {
        complain(&error, Some(&error.hint()));
        Code::Plugin
    };
    let Some(path) = output else {
        let pulled = fetcher.pull(reference).map_err(failed)?;
        provenance::warn(&reference.to_string(), &pulled.provenance);
        return Ok(Named { reference, pulled });
    };
    let (artifact, provenance) = fetcher.fetch(reference).map_err(failed)?.into_parts();
    provenance::warn(&reference.to_string(), &provenance);
    files::write(path, artifact.bytes()).map_err(|error| {
        say(format_args!(
            "error: {} cannot be written: {error}",
            path.display()
        ));
        Code::Failure
    })?;
    let pulled = Pulled {
        module: artifact.digest(),
        size: artifact.bytes().len() as u64,
        provenance,
    };
    Ok(Named { reference, pulled })
}

impl Named<'_> {
    fn text(&self) -> String {
        let Pulled {
            module,
            size,
            provenance,
        } = &self.pulled;
        let known = provenance::lines(provenance);
        format!(
            "{}\n  module     {module} ({size} bytes)\n{known}",
            self.reference
        )
    }

    fn json(&self) -> Value {
        json!({
            "reference": self.reference.to_string(),
            "module": self.pulled.module.to_string(),
            "bytes": self.pulled.size,
            "provenance": provenance::json(&self.pulled.provenance),
        })
    }
}
