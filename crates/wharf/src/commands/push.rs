//! `wharf push`: a plugin pushed to a registry, in a form that others read.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use wharf_abi_wapc::kubewarden::Metadata;
use wharf_distribution::{PushFormat, publish};
use wharf_plugin::{ModuleSections, ModuleSurface, Reference};

use super::single;
use crate::exit::Code;
use crate::supply::{Supply, SupplyArguments};
use crate::words::{complain, print, say};

/// Where a policy's sources are, as its author says it, and as everybody else does.
const KUBEWARDEN_SOURCE: &str = "io.kubewarden.policy.source";
const SOURCE: &str = "org.opencontainers.image.source";

/// What is pushed.
#[derive(Debug, Args)]
pub(crate) struct PushArguments {
    /// The module: a `.wasm` file, or a `.wat` file, which is assembled.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Where it goes: an image with a tag, such as `registry.example/plugins/greet:1.2`.
    #[arg(value_name = "REF", value_parser = single::artifact)]
    reference: Reference,
    /// Who is to read it: cncf (oras and most runtimes), kubewarden (kwctl, policy-server), istio (Istio's agents), trivy.
    /// Wharf reads all of them.
    #[arg(long, value_name = "FORMAT", default_value = "cncf", value_parser = str::parse::<PushFormat>)]
    format: PushFormat,
    /// An annotation of the manifest. It counts before those that the module's own sections say.
    #[arg(short, long = "annotation", value_name = "NAME=VALUE", value_parser = annotation)]
    annotations: Vec<(String, String)>,
    #[command(flatten)]
    supply: SupplyArguments,
    /// Print what was pushed as JSON on stdout.
    #[arg(long)]
    json: bool,
}

/// Reads `NAME=VALUE`.
pub(super) fn annotation(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE".to_owned()),
    }
}

/// Pushes.
pub(super) fn run(arguments: &PushArguments) -> Code {
    let Some(Ok(image)) = arguments.reference.as_image() else {
        say(format_args!(
            "error: {} names no image in a registry\n\nhint: write for example registry.example/plugins/greet:1.2",
            arguments.reference
        ));
        return Code::CommandLine;
    };
    let supply = match Supply::by_flags_for(&arguments.supply, true) {
        Ok(supply) => supply,
        Err(code) => return code,
    };
    // What is pushed may be any file: that it may run is for those to decide who pull it.
    let bytes = match wharf_distribution::fetch(&Reference::File(arguments.file.clone())) {
        Ok(artifact) => artifact.bytes().clone(),
        Err(error) => {
            complain(&error, Some(&error.hint()));
            return Code::Plugin;
        }
    };
    let mut annotations = written_in(&bytes);
    annotations.extend(arguments.annotations.iter().cloned());
    match publish(supply.client(), &image, bytes, arguments.format, &annotations) {
        Err(error) => {
            complain(&error, Some(&error.hint()));
            Code::Failure
        }
        Ok(pushed) => {
            let by_digest = image.with_digest(pushed.digest.clone());
            let printed = if arguments.json {
                let told = json!({
                    "reference": format!("oci:{by_digest}"),
                    "digest": pushed.digest.to_string(),
                    "module": pushed.module.to_string(),
                    "format": arguments.format.to_string(),
                    "annotations": annotations,
                });
                print(format_args!("{told:#}"))
            } else {
                print(format_args!("oci:{by_digest}"))
            };
            printed.map_or(Code::Failure, |()| Code::Success)
        }
    }
}

/// The annotations that a module's own sections say: those of a policy's metadata, and of the sections that tools for WebAssembly
/// write (`description`, `licenses` and so on). Values of several lines are left out: annotations have one.
fn written_in(bytes: &[u8]) -> BTreeMap<String, String> {
    let mut annotations = ModuleSections::annotations(bytes);
    let surface = ModuleSurface::parse(bytes).unwrap_or_default();
    let metadata = surface
        .kubewarden_metadata
        .and_then(|section| Metadata::parse(&section).ok());
    annotations.extend(
        metadata
            .and_then(|metadata| metadata.annotations)
            .unwrap_or_default(),
    );
    annotations.retain(|name, value| !name.is_empty() && !value.contains(['\n', '\r']));
    if let Some(source) = annotations.get(KUBEWARDEN_SOURCE).cloned() {
        annotations.entry(SOURCE.to_owned()).or_insert(source);
    }
    annotations
}
