//! The flags of `wharf run` that are about policies and other waPC guests.

use std::path::PathBuf;

use bytes::Bytes;
use clap::{Args, ValueEnum};
use wharf_abi_wapc::kubewarden::{ContextAwareResource, ExecutionMode};

/// The flags, by their ids, that only filters have.
pub(crate) const OF_FILTERS: [&str; 16] = [
    "requests",
    "headers",
    "bodies",
    "trailers",
    "statuses",
    "response_headers",
    "response_bodies",
    "response_trailers",
    "callouts",
    "ticks",
    "config",
    "vm_config",
    "root_id",
    "env",
    "properties",
    "allow_on_headers_stop_iteration",
];

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Policies and other waPC guests")]
pub(crate) struct PolicyFlags {
    /// Ask the module, as a Kubewarden policy, about this review: an AdmissionReview in JSON, or its request alone.
    #[arg(long, value_name = "FILE", conflicts_with_all = OF_FILTERS)]
    pub(super) review: Option<PathBuf>,
    /// The policy's settings, in YAML or JSON. They are validated first.
    #[arg(long, value_name = "FILE", requires = "review")]
    pub(super) settings: Option<PathBuf>,
    /// How the policy is run, where its metadata do not say it.
    #[arg(long, value_name = "MODE", value_enum, requires = "review")]
    pub(super) execution_mode: Option<Mode>,
    /// Answer the policy's host calls with what is recorded here, in kwctl's format.
    #[arg(long, value_name = "FILE", requires = "review")]
    pub(super) replay: Option<PathBuf>,
    /// Write the policy's host calls and their answers down, in kwctl's format.
    #[arg(long, value_name = "FILE", requires = "review")]
    pub(super) record: Option<PathBuf>,
    /// A host capability that the policy may use, such as `kubernetes/get_resource`, `oci/*` or `*`. None without.
    #[arg(long, value_name = "CAPABILITY", requires = "review")]
    pub(super) allow: Vec<String>,
    /// A kind of Kubernetes objects that the policy may read, such as `v1/Namespace` or `apps/v1/Deployment`.
    #[arg(long = "resource", value_name = "APIVERSION/KIND", requires = "review", value_parser = resource)]
    pub(super) resources: Vec<ContextAwareResource>,
    /// The review is any JSON and no AdmissionReview. A policy whose metadata say so needs no flag.
    #[arg(long, requires = "review")]
    pub(super) raw: bool,
    /// Call this operation of the module, as a waPC guest, and print what it answers.
    #[arg(long, value_name = "NAME", conflicts_with = "review", conflicts_with_all = OF_FILTERS)]
    pub(super) operation: Option<String>,
    /// What the operation is given: a text, or `@` and a file.
    #[arg(long, value_name = "TEXT|@FILE", requires = "operation", conflicts_with = "review", value_parser = crate::commands::run::arguments::content)]
    pub(super) payload: Option<Bytes>,
}

/// The execution modes by their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Mode {
    KubewardenWapc,
    Wasi,
    Opa,
    Gatekeeper,
}

impl From<Mode> for ExecutionMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::KubewardenWapc => Self::KubewardenWapc,
            Mode::Wasi => Self::Wasi,
            Mode::Opa => Self::Opa,
            Mode::Gatekeeper => Self::Gatekeeper,
        }
    }
}

fn resource(text: &str) -> Result<ContextAwareResource, String> {
    match text.rsplit_once('/') {
        Some((version, kind))
            if !version.is_empty() && !kind.is_empty() && version.split('/').count() <= 2 =>
        {
            Ok(ContextAwareResource {
                api_version: version.to_owned(),
                kind: kind.to_owned(),
            })
        }
        _ => Err("write the version and the kind, such as `v1/Namespace` or `apps/v1/Deployment`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_a_version_and_a_kind() {
        let read = |text| resource(text).map(|resource| (resource.api_version, resource.kind));
        let pair = |version: &str, kind: &str| Ok((version.to_owned(), kind.to_owned()));
        assert_eq!(read("v1/Namespace"), pair("v1", "Namespace"));
        assert_eq!(read("apps/v1/Deployment"), pair("apps/v1", "Deployment"));
        for bad in ["", "Namespace", "/Namespace", "v1/", "a/b/c/d"] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }
}
