//! `wharf manifest`: what a cluster needs to ask policies, as YAML for `kubectl apply -f -`.

pub(super) mod build;

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use wharf_abi_wapc::kubewarden::{ExecutionMode, Metadata, MetadataError};
use wharf_plugin::{IdentifyError, Reference, identify};

use self::build::{Deployed, Manifest};
use super::single;
use crate::exit::Code;
use crate::words::{complain, print, say};

#[derive(Debug, Args)]
pub(crate) struct ManifestArguments {
    /// The policies: the paths of files, or references such as `file:greet.wasm`. They are expected in the image at
    /// `/policies/NAME.wasm`.
    #[arg(value_name = "POLICY", required = true, value_parser = single::plugin)]
    policies: Vec<Reference>,
    /// The name of everything that is made.
    #[arg(long, default_value = "wharf-admission", value_parser = dns_label)]
    name: String,
    /// The namespace.
    #[arg(long, default_value = "wharf", value_parser = dns_label)]
    namespace: String,
    /// The name of the Service; by default that of everything.
    #[arg(long, value_parser = dns_label)]
    service: Option<String>,
    /// The CA of the server's certificate, as PEM, for the API server.
    #[arg(long, value_name = "FILE")]
    ca_bundle: Option<PathBuf>,
    /// The image of the Deployment, with Wharf and the policies in it.
    #[arg(long, default_value = "wharf:latest")]
    image: String,
}

/// A name of Kubernetes.
fn dns_label(text: &str) -> Result<String, String> {
    let is_good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let edges = text.starts_with('-') || text.ends_with('-');
    if text.is_empty() || text.len() > 63 || edges || !text.bytes().all(is_good) {
        return Err("a name has a-z, 0-9 and `-` inside, and 63 bytes at most".to_owned());
    }
    Ok(text.to_owned())
}

/// Why a module cannot be deployed as a policy.
#[derive(Debug, thiserror::Error)]
enum NoPolicy {
    #[error("{0} has no Kubewarden metadata")]
    NoMetadata(Reference),
    #[error("{0} judges any JSON (its policyType is raw), and the API server has no webhooks for that")]
    Raw(Reference),
    #[error("{0} is a proxy-wasm filter")]
    Filter(Reference),
    #[error("the metadata of {0} cannot be read")]
    Metadata(Reference, #[source] MetadataError),
    #[error("{0} cannot be a policy")]
    Identify(Reference, #[source] IdentifyError),
    #[error("{0} and {1} would both have the id `{2}`")]
    SameName(Reference, Reference, String),
}

impl NoPolicy {
    fn hint(&self) -> &'static str {
        match self {
            Self::NoMetadata(_) | Self::Metadata(..) => {
                "`kwctl annotate` adds them, with the rules of the webhook"
            }
            Self::Raw(_) => "send raw reviews to `/validate_raw/ID` of a server that you deploy yourself",
            Self::Filter(_) | Self::Identify(..) => "`wharf inspect` says what the module is",
            Self::SameName(..) => "rename one of the files: the ids are made of their names",
        }
    }
}

/// Prints the manifests.
pub(super) fn run(arguments: &ManifestArguments) -> Code {
    let ca_bundle = match arguments.ca_bundle.as_ref().map(std::fs::read).transpose() {
        Ok(ca_bundle) => ca_bundle,
        Err(error) => {
            let path = arguments.ca_bundle.as_deref().unwrap_or_else(|| "".as_ref());
            say(format_args!("error: {} cannot be read: {error}", path.display()));
            return Code::Configuration;
        }
    };
    let mut deployed: Vec<Deployed> = Vec::new();
    for reference in &arguments.policies {
        let artifact = match wharf_distribution::fetch(reference) {
            Ok(artifact) => artifact,
            Err(error) => {
                let hint = error.hint();
                complain(
                    &error,
                    Some(&hint).filter(|hint| !hint.is_empty()).map(String::as_str),
                );
                return Code::Plugin;
            }
        };
        match policy(reference, artifact.bytes(), &deployed) {
            Ok(policy) => deployed.push(policy),
            Err(error) => {
                complain(&error, Some(error.hint()));
                return Code::Plugin;
            }
        }
    }
    if ca_bundle.is_none() {
        say(
            "warning: without --ca-bundle the webhooks have no `caBundle`; have it injected, or the API server trusts no server",
        );
    }
    for policy in deployed.iter().filter(|policy| policy.metadata.rules.is_empty()) {
        say(format_args!(
            "warning: {} has no rules in its metadata, so that the API server never asks it; write them into its webhook",
            policy.reference
        ));
    }
    let manifest = Manifest {
        name: &arguments.name,
        namespace: &arguments.namespace,
        service: arguments.service.as_deref().unwrap_or(&arguments.name),
        image: &arguments.image,
        ca_bundle: ca_bundle.as_deref(),
        policies: &deployed,
    };
    let text = wharf_config::to_yaml_documents(&manifest.documents());
    match print(text.trim_end()) {
        Ok(()) => Code::Success,
        Err(_) => Code::Failure,
    }
}

fn policy(reference: &Reference, bytes: &[u8], others: &[Deployed]) -> Result<Deployed, NoPolicy> {
    let identified = identify(bytes).map_err(|error| NoPolicy::Identify(reference.clone(), error))?;
    if identified.proxy_wasm().is_some() {
        return Err(NoPolicy::Filter(reference.clone()));
    }
    let section: Option<Arc<[u8]>> = identified.surface.kubewarden_metadata;
    let section = section.ok_or_else(|| NoPolicy::NoMetadata(reference.clone()))?;
    let metadata = Metadata::parse(&section).map_err(|error| NoPolicy::Metadata(reference.clone(), error))?;
    if metadata.policy_type == wharf_abi_wapc::kubewarden::PolicyType::Raw {
        return Err(NoPolicy::Raw(reference.clone()));
    }
    // Ids stand in names of webhooks, in which fewer characters may stand than in names of plugins.
    let id = single::name_of(reference).to_string().replace(['_', '.'], "-");
    let id = id.trim_matches('-').to_owned();
    if let Some(other) = others.iter().find(|other| other.id == id) {
        return Err(NoPolicy::SameName(other.reference.clone(), reference.clone(), id));
    }
    Ok(Deployed {
        id,
        reference: reference.clone(),
        needs_mode: metadata.execution_mode != ExecutionMode::KubewardenWapc,
        metadata,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_kubernetes_takes() {
        for good in ["a", "wharf-2", &"x".repeat(63)] {
            assert_eq!(dns_label(good).as_deref(), Ok(good));
        }
        for bad in ["", "-a", "a-", "A", "a.b", "a b", &"x".repeat(64)] {
            assert!(dns_label(bad).is_err(), "{bad:?}");
        }
    }
}
