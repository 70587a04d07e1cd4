//! `wharf manifest`: what a cluster needs to ask policies, as YAML for `kubectl apply -f -`.

pub(super) mod build;
mod deployed;
mod file;
mod webhooks;
mod workload;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use wharf_plugin::Reference;

use self::build::Manifest;
use self::deployed::{Deployed, NoPolicy};
use self::file::PolicyFile;
use super::single;
use crate::exit::Code;
use crate::supply::{Supply, SupplyArguments};
use crate::words::{colours, complain, print, say};

#[derive(Debug, Args)]
pub(crate) struct ManifestArguments {
    /// The policies: the paths of files, or references such as `file:greet.wasm`. They are expected in the image at
    /// `/policies/ID.wasm`.
    #[arg(value_name = "POLICY", required_unless_present = "policy_file", value_parser = single::plugin)]
    policies: Vec<Reference>,
    /// The policies as a `policies.yml` or as custom resources of Kubewarden, instead of POLICY; it goes into the ConfigMap
    /// as it is. The paths of its modules are those in the image.
    #[arg(long = "policies", value_name = "FILE", conflicts_with = "policies")]
    policy_file: Option<PathBuf>,
    /// Where the modules of `--policies` are on this machine: the file names are looked for in this folder.
    #[arg(long, value_name = "DIR", requires = "policy_file")]
    modules: Option<PathBuf>,
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
    /// The certificate of cert-manager whose CA it writes into the webhooks.
    #[arg(long, value_name = "NAMESPACE/CERTIFICATE", conflicts_with = "ca_bundle")]
    inject_ca_from: Option<String>,
    /// The image of the Deployment, with Wharf and the policies in it.
    #[arg(long, default_value = "wharf:latest")]
    image: String,
    /// Whether the API server refuses what it could not ask about.
    #[arg(long, value_enum, value_name = "WHAT", default_value = "fail")]
    failure_policy: FailurePolicy,
    /// A namespace whose objects no policy sees, beside the server's own. May be given several times.
    #[arg(
        long = "exempt-namespace",
        value_name = "NAMESPACE",
        default_value = "kube-system",
        value_parser = dns_label
    )]
    exempt_namespaces: Vec<String>,
    /// Print only what is not in the namespace: the webhooks and the right to read what the policies ask for.
    #[arg(long)]
    cluster_wide: bool,
    #[command(flatten)]
    supply: SupplyArguments,
}

/// What happens when there is no answer to a review.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum FailurePolicy {
    /// The object is refused.
    Fail,
    /// The object is accepted.
    Ignore,
}

impl FailurePolicy {
    /// The word of the Kubernetes API.
    fn as_str(self) -> &'static str {
        match self {
            Self::Fail => "Fail",
            Self::Ignore => "Ignore",
        }
    }
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

/// Prints the manifests.
pub(super) fn run(arguments: &ManifestArguments) -> Code {
    match manifests(arguments) {
        Ok(text) => match print(text.trim_end()) {
            Ok(()) => Code::Success,
            Err(_) => Code::Failure,
        },
        Err(code) => code,
    }
}

fn manifests(arguments: &ManifestArguments) -> Result<String, Code> {
    let ca_bundle = arguments.ca_bundle.as_deref().map(read).transpose()?;
    let is_remote =
        arguments.policy_file.is_some() || arguments.policies.iter().any(|policy| policy.as_file().is_none());
    let supply = Supply::by_flags_for(&arguments.supply, is_remote)?;
    let fetcher = supply.fetcher();
    let (policies, policy_file) = match &arguments.policy_file {
        Some(path) => {
            let file = read_policies(path)?;
            let policies = file
                .deployed(fetcher, arguments.modules.as_deref())
                .map_err(|error| refused(&error))?;
            (policies, file.text)
        }
        None => {
            let policies =
                deployed::of_references(fetcher, &arguments.policies).map_err(|error| refused(&error))?;
            let text = deployed::policies_yml(&policies);
            (policies, text)
        }
    };
    warn(
        &policies,
        ca_bundle.is_some() || arguments.inject_ca_from.is_some(),
    );
    let manifest = Manifest {
        name: &arguments.name,
        namespace: &arguments.namespace,
        service: arguments.service.as_deref().unwrap_or(&arguments.name),
        image: &arguments.image,
        ca_bundle: ca_bundle.as_deref(),
        inject_ca_from: arguments.inject_ca_from.as_deref(),
        failure_policy: arguments.failure_policy.as_str(),
        exempt_namespaces: &arguments.exempt_namespaces,
        policies: &policies,
        policy_file: &policy_file,
    };
    let documents = if arguments.cluster_wide {
        manifest.cluster_wide()
    } else {
        manifest.all()
    };
    Ok(wharf_config::to_yaml_documents(&documents))
}

fn read(path: &Path) -> Result<Vec<u8>, Code> {
    std::fs::read(path).map_err(|error| {
        say(format_args!("error: {} cannot be read: {error}", path.display()));
        Code::Configuration
    })
}

fn read_policies(path: &Path) -> Result<PolicyFile, Code> {
    let (file, warnings) = PolicyFile::parse(path, read(path)?).map_err(|errors| {
        say(errors.render(colours()));
        Code::Configuration
    })?;
    warnings.iter().for_each(|warning| say(warning.render(colours())));
    Ok(file)
}

fn refused(error: &NoPolicy) -> Code {
    let hint = error.hint();
    complain(error, Some(hint.as_str()).filter(|hint| !hint.is_empty()));
    Code::Plugin
}

/// Says what whoever applies it should know.
fn warn(policies: &[Deployed], has_ca: bool) {
    if !has_ca {
        say(
            "warning: without --ca-bundle or --inject-ca-from the webhooks have no `caBundle`, and the API server trusts no server",
        );
    }
    for policy in policies.iter().filter(|policy| policy.rules.is_empty()) {
        say(format_args!(
            "warning: {} has no rules in its metadata, so that the API server never asks it; write them into its webhook",
            policy.shown
        ));
    }
    for policy in policies.iter().filter(|policy| policy.outlasts_api_server()) {
        say(format_args!(
            "warning: {} may take longer than the 30 s that the API server waits at most",
            policy.shown
        ));
    }
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
