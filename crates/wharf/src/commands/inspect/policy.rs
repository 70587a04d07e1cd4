//! What a module is as a policy.

use std::fmt::Write;

use serde_json::{Value, json};
use wharf_abi_proxy_wasm::Support;
use wharf_abi_wapc::kubewarden::{
    ExecutionMode, Metadata, Operation, Policy, PolicyError, PolicyOptions, PolicyType, RegoError, Rule,
};
use wharf_abi_wapc::opa::{self, ProgramError, Survey};
use wharf_abi_wapc::wapc;
use wharf_engine::{LinkError, Module};
use wharf_plugin::{Abi, IdentifiedModule, Limits};

use super::findings::{Problem, import_problem};
use super::report::{line, list};
use crate::commands::single::{shown, with_causes};

/// What a module says about itself, and what Rego needs.
pub(super) struct PolicyFindings {
    identified: IdentifiedModule,
    metadata: Option<Metadata>,
    /// Why there are no metadata although the section is there.
    bad_metadata: Option<String>,
    rego: Option<Survey>,
}

/// The modules under which commands import `call`.
const COMMAND_HOST: [(&str, &str); 2] = [("host", "call"), ("kubewarden:javy/host", "call")];

impl PolicyFindings {
    /// None for what is no policy and no waPC guest, or is a filter.
    pub(super) fn of(identified: &IdentifiedModule) -> Option<Self> {
        let section = identified.surface.kubewarden_metadata.as_deref();
        let speaks = |abi| identified.abis.contains(&abi);
        let is_policy = section.is_some() || speaks(Abi::WaPc) || speaks(Abi::OpaPolicy);
        if identified.proxy_wasm().is_some() || !is_policy {
            return None;
        }
        let (metadata, bad_metadata) = match section.map(Metadata::parse).transpose() {
            Ok(metadata) => (metadata, None),
            Err(error) => (None, Some(with_causes(&error))),
        };
        Some(Self {
            identified: identified.clone(),
            metadata,
            bad_metadata,
            rego: None,
        })
    }

    /// As what it would load, with an article.
    pub(super) fn role(&self) -> &'static str {
        if self.identified.surface.kubewarden_metadata.is_some() {
            "a Kubewarden policy"
        } else if self.identified.abis.contains(&Abi::OpaPolicy) {
            "a policy in Rego"
        } else {
            "a waPC guest"
        }
    }

    /// What is to be known of a module without metadata.
    pub(super) fn lacking(&self) -> Option<&'static str> {
        if self.identified.surface.kubewarden_metadata.is_some() {
            None
        } else if self.identified.abis.contains(&Abi::OpaPolicy) {
            Some("none: whoever deploys it names its execution mode, `opa` or `gatekeeper`")
        } else {
            Some("none: policy-server takes no policy without them")
        }
    }

    fn mode(&self) -> ExecutionMode {
        match &self.metadata {
            Some(metadata) => metadata.execution_mode,
            None if self.identified.abis.contains(&Abi::OpaPolicy) => ExecutionMode::Opa,
            None => ExecutionMode::KubewardenWapc,
        }
    }

    /// What such a module may import.
    pub(super) fn host_functions(&self) -> Vec<(&'static str, &'static str)> {
        match self.mode() {
            ExecutionMode::KubewardenWapc => wapc::host_functions(),
            ExecutionMode::Wasi => COMMAND_HOST.to_vec(),
            ExecutionMode::Opa | ExecutionMode::Gatekeeper => {
                let mut functions = opa::host_functions();
                functions.push(("env", "memory"));
                functions
            }
        }
    }

    /// Why the module cannot be used. Asks Rego for what it needs.
    pub(super) fn look_at(&mut self, module: &Module, limits: &Limits) -> Vec<Problem> {
        if let Some(text) = &self.bad_metadata {
            let hint = Some("annotate the policy anew with `kwctl annotate`".to_owned());
            return vec![Problem {
                text: text.clone(),
                hint,
            }];
        }
        let mode = self.mode();
        if matches!(mode, ExecutionMode::Opa | ExecutionMode::Gatekeeper) {
            // Why it cannot be asked is told below.
            self.rego = Survey::of(module, limits).ok();
        }
        let options = PolicyOptions {
            mode: Some(mode),
            limits: limits.clone(),
            ..PolicyOptions::default()
        };
        match Policy::new(module, &self.identified, self.metadata.clone(), options) {
            Ok(_) => Vec::new(),
            Err(error) => problems(&error),
        }
    }

    /// What people read of it.
    pub(super) fn tell(&self, out: &mut String) {
        if let Some(metadata) = &self.metadata {
            tell_metadata(out, metadata);
        }
        let Some(rego) = &self.rego else {
            return;
        };
        let entrypoints: Vec<_> = rego.entrypoints.iter().map(|name| shown(name)).collect();
        list(out, "entrypoints", &entrypoints);
        let functions = rego.functions.iter();
        let functions: Vec<_> = functions
            .map(|(name, given)| line(given.then_some(Support::Supported), name))
            .collect();
        list(out, "built-in functions used", &functions);
    }

    /// What programs read of it. The metadata are those of the module.
    pub(super) fn json(&self) -> Value {
        json!({
            "executionMode": self.mode().as_str(),
            // They were made of JSON.
            "metadata": serde_json::to_value(&self.metadata).unwrap_or_default(),
            "entrypoints": self.rego.as_ref().map(|rego| &rego.entrypoints),
            "builtins": self.rego.as_ref().map(|rego| {
                let functions = rego.functions.iter();
                let support = |given: bool| if given { "supported" } else { "unknown" };
                functions
                    .map(|(name, given)| json!({ "name": name, "support": support(*given) }))
                    .collect::<Vec<_>>()
            }),
        })
    }
}

fn problems(error: &PolicyError) -> Vec<Problem> {
    let link = match error {
        PolicyError::Link(error)
        | PolicyError::Wapc(wapc::LoadError::Link(error))
        | PolicyError::Rego(RegoError::Program(ProgramError::Link(error))) => Some(error),
        _ => None,
    };
    if let Some(LinkError { problems, .. }) = link {
        let each = problems.iter().map(import_problem);
        return each
            .map(|(text, _)| Problem {
                text,
                hint: Some("look which SDK or library asks for it".to_owned()),
            })
            .collect();
    }
    let hint = match error {
        PolicyError::WrongMode { .. } => "annotate it with the execution mode that it was built for",
        PolicyError::ProtocolVersion => "build it with a current SDK of Kubewarden",
        PolicyError::NeedsNewer { .. } => "use an older release of the policy",
        PolicyError::Rego(RegoError::Program(error)) => error.hint(),
        _ => "",
    };
    vec![Problem {
        text: with_causes(error),
        hint: Some(hint.to_owned()).filter(|hint| !hint.is_empty()),
    }]
}

fn tell_metadata(out: &mut String, metadata: &Metadata) {
    out.push_str("\npolicy\n");
    let mut fact = |name: &str, value: &str| {
        let lines: Vec<_> = value.trim().lines().map(shown).collect();
        let _ = writeln!(out, "  {name:<11} {}", lines.join("\n              "));
    };
    for name in [
        "title",
        "description",
        "version",
        "author",
        "url",
        "source",
        "severity",
    ] {
        let annotations = metadata.annotations.as_ref();
        let key = format!("io.kubewarden.policy.{name}");
        if let Some(value) = annotations.and_then(|annotations| annotations.get(&key)) {
            fact(name, value);
        }
    }
    fact("mode", metadata.execution_mode.as_str());
    fact(
        "judges",
        match metadata.policy_type {
            PolicyType::Kubernetes => "requests to the Kubernetes API",
            PolicyType::Raw => "any JSON",
        },
    );
    fact("mutating", yes(metadata.mutating));
    fact("audit", yes(metadata.background_audit));
    let protocol = serde_json::to_value(metadata.protocol_version).unwrap_or_default();
    fact("protocol", protocol.as_str().unwrap_or("not named"));
    if let Some(version) = &metadata.minimum_kubewarden_version {
        fact("needs", &format!("Kubewarden {version}"));
    }
    let rows = metadata.rules.iter().map(row);
    let head = ["groups", "versions", "resources", "operations"].map(str::to_owned);
    if !metadata.rules.is_empty() {
        let _ = writeln!(out, "\nrules ({})", metadata.rules.len());
        table(out, &std::iter::once(head).chain(rows).collect::<Vec<_>>());
    }
    let resources = metadata.context_aware_resources.iter();
    let resources = resources.map(|resource| format!("resource    {resource}"));
    let capabilities = metadata.host_capabilities.iter().flatten();
    let capabilities = capabilities.map(|capability| format!("capability  {capability}"));
    let asked: Vec<_> = resources.chain(capabilities).map(|line| shown(&line)).collect();
    list(out, "asks its host for", &asked);
}

fn yes(value: bool) -> &'static str {
    if value { "yes" } else { "no" }
}

fn row(rule: &Rule) -> [String; 4] {
    let join = |words: &[String]| {
        let word = |word: &String| match word.as_str() {
            "" => "(core)".to_owned(),
            word => shown(word),
        };
        words.iter().map(word).collect::<Vec<_>>().join(", ")
    };
    let operations: Vec<_> = rule.operations.iter().map(operation).collect();
    [
        join(&rule.api_groups),
        join(&rule.api_versions),
        join(&rule.resources),
        operations.join(", "),
    ]
}

fn operation(operation: &Operation) -> String {
    let value = serde_json::to_value(operation).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

fn table(out: &mut String, rows: &[[String; 4]]) {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths = [0, 1, 2].map(|column| width(column).unwrap_or_default().min(40));
    for [groups, versions, resources, operations] in rows {
        let [first, second, third] = widths;
        let _ = writeln!(
            out,
            "  {groups:<first$}  {versions:<second$}  {resources:<third$}  {operations}"
        );
    }
}
