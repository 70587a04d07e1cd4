//! Policies in Rego, compiled to WebAssembly by OPA: those for OPA itself, and those for Gatekeeper.
//!
//! | | OPA | Gatekeeper |
//! |---|---|---|
//! | `input` | `{"request": …}` | `{"parameters": settings, "review": request}` |
//! | `data` | the settings, with `kubernetes` | `{"inventory": …}` |
//! | answer | the response of an AdmissionReview | the violations |
//!
//! `kubernetes` and `inventory` are made of all objects of the kinds that the policy is granted; without grants neither is
//! there.

mod answer;

use std::collections::BTreeMap;

use serde_json::Value;
use wharf_engine::{Deadline, Module};
use wharf_plugin::Limits;

use super::bridge::Bridge;
use super::capability::{CapabilityError, CapabilityRequest, Grants, ListAll};
use super::fault::PolicyFault;
use super::host::{PolicyLog, PolicyLogLevel};
use super::inventory::{self, Listed};
use super::json::{self, JsonProblem};
use super::metadata::{ContextAwareResource, ExecutionMode};
use super::request::ReviewRequest;
use super::settings::Settings;
use super::verdict::Verdict;
use crate::opa::{self, EvalError};
use crate::wapc::Host as _;

/// A policy in Rego, with the entrypoint that is asked.
pub(super) struct Rego {
    program: opa::Program,
    mode: ExecutionMode,
    entrypoint: String,
}

/// Why a module cannot be used as a policy in Rego.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum RegoError {
    /// It cannot be run.
    #[error(transparent)]
    Program(#[from] opa::ProgramError),
    /// It lacks the entrypoint that the deployer names.
    #[error("the policy has no entrypoint \"{name}\": it has {}", list(there))]
    NoSuchEntrypoint {
        /// What the deployer names.
        name: String,
        /// What there is.
        there: Vec<String>,
    },
    /// It has no entrypoint at all.
    #[error("the policy has no entrypoint: build it with `opa build -t wasm -e PACKAGE/RULE`")]
    NoEntrypoint,
}

fn list(names: &[String]) -> String {
    match names.len() {
        0 => "none".to_owned(),
        _ => names.join(", "),
    }
}

impl Rego {
    pub(super) fn new(
        module: &Module,
        mode: ExecutionMode,
        limits: &Limits,
        entrypoint: Option<&str>,
    ) -> Result<Self, RegoError> {
        let program = opa::Program::new(module, limits)?;
        let entrypoint = choose(program.entrypoints(), mode, entrypoint)?;
        Ok(Self {
            program,
            mode,
            entrypoint,
        })
    }

    pub(super) fn mode(&self) -> ExecutionMode {
        self.mode
    }

    pub(super) fn validate(
        &self,
        request: &ReviewRequest,
        settings: &Settings,
        grants: &Grants,
        mut bridge: Bridge,
        deadline: Deadline,
    ) -> Result<Verdict, PolicyFault> {
        let (input, data) = match self.mode {
            ExecutionMode::Gatekeeper => for_gatekeeper(request, settings, grants, &mut bridge, deadline)?,
            _ => for_opa(request, settings, grants, &mut bridge, deadline)?,
        };
        let answer = self
            .program
            .eval(
                &self.entrypoint,
                &input,
                &data,
                &mut Runtime(&mut bridge),
                deadline,
            )
            .map_err(|error| of_eval(error, deadline))?;
        let verdict = match self.mode {
            ExecutionMode::Gatekeeper => answer::of_gatekeeper(&answer),
            _ => answer::of_opa(&answer),
        };
        verdict.map_err(|problem| PolicyFault::UnreadableAnswer {
            operation: "validate",
            problem,
        })
    }
}

/// The entrypoint that the deployer names; or the one of the rule that such policies have; or the first, which is the one
/// that Kubewarden asks.
fn choose(
    entrypoints: &BTreeMap<String, i32>,
    mode: ExecutionMode,
    named: Option<&str>,
) -> Result<String, RegoError> {
    if let Some(name) = named {
        return match entrypoints.contains_key(name) {
            true => Ok(name.to_owned()),
            false => Err(RegoError::NoSuchEntrypoint {
                name: name.to_owned(),
                there: entrypoints.keys().cloned().collect(),
            }),
        };
    }
    let rule = match mode {
        ExecutionMode::Gatekeeper => answer::GATEKEEPER_RULE,
        _ => answer::OPA_RULE,
    };
    let is_rule = |name: &str| name.rsplit('/').next() == Some(rule);
    let first = entrypoints
        .iter()
        .min_by_key(|(name, number)| (!is_rule(name), **number));
    first.map(|(name, _)| name.clone()).ok_or(RegoError::NoEntrypoint)
}

fn of_eval(error: EvalError, deadline: Deadline) -> PolicyFault {
    match error {
        EvalError::Deadline { .. } => PolicyFault::Timeout {
            allowed: deadline.given(),
        },
        other => PolicyFault::Rego(other),
    }
}

/// What Rego's own functions need of the host.
struct Runtime<'a>(&'a mut Bridge);

impl opa::Host for Runtime<'_> {
    fn now_ns(&mut self) -> i64 {
        i64::try_from(self.0.realtime_nanoseconds()).unwrap_or(i64::MAX)
    }

    fn seed(&mut self) -> [u8; 32] {
        let mut seed = [0; 32];
        self.0.random(&mut seed);
        seed
    }

    fn print(&mut self, line: &str) {
        self.0.log(&PolicyLog::line(PolicyLogLevel::Info, line));
    }

    fn trace(&mut self, line: &str) {
        self.0.log(&PolicyLog::line(PolicyLogLevel::Debug, line));
    }

    fn lines_dropped(&mut self, count: u64) {
        let text = format!("{count} more lines of the policy were not kept");
        self.0.log(&PolicyLog::line(PolicyLogLevel::Warning, text));
    }
}

/// `input` and `data` of a policy for OPA.
fn for_opa(
    request: &ReviewRequest,
    settings: &Settings,
    grants: &Grants,
    bridge: &mut Bridge,
    deadline: Deadline,
) -> Result<(Vec<u8>, Vec<u8>), PolicyFault> {
    let input = [r#"{"request":"#, request.json(), "}"].concat().into_bytes();
    let settings = settings.json().get();
    if grants.context_aware_resources.is_empty() {
        return Ok((input, settings.as_bytes().to_vec()));
    }
    let lists = lists(grants, true, bridge, deadline)?;
    let kubernetes =
        inventory::of_opa(lists).map_err(|problem| context("the cluster's objects", &problem))?;
    let mut data: Value =
        json::decode(settings.as_bytes()).map_err(|problem| context("its settings", &problem))?;
    if data.get("kubernetes").is_some() {
        let text = "the setting `kubernetes` is replaced by the cluster's objects";
        bridge.log(&PolicyLog::line(PolicyLogLevel::Warning, text));
    }
    data["kubernetes"] = kubernetes;
    Ok((input, data.to_string().into_bytes()))
}

/// `input` and `data` of a policy for Gatekeeper.
fn for_gatekeeper(
    request: &ReviewRequest,
    settings: &Settings,
    grants: &Grants,
    bridge: &mut Bridge,
    deadline: Deadline,
) -> Result<(Vec<u8>, Vec<u8>), PolicyFault> {
    let ReviewRequest::Admission(_) = request else {
        return Err(PolicyFault::Unsupported(
            "Gatekeeper does not support raw validation requests",
        ));
    };
    let (parameters, review) = (settings.json().get(), request.json());
    let input = [r#"{"parameters":"#, parameters, r#","review":"#, review, "}"].concat();
    if grants.context_aware_resources.is_empty() {
        return Ok((input.into_bytes(), b"{}".to_vec()));
    }
    let lists = lists(grants, false, bridge, deadline)?;
    let inventory =
        inventory::of_gatekeeper(lists).map_err(|problem| context("the cluster's objects", &problem))?;
    let data = serde_json::json!({ "inventory": inventory });
    Ok((input.into_bytes(), data.to_string().into_bytes()))
}

/// All objects of all kinds that the policy is granted.
fn lists<'a>(
    grants: &'a Grants,
    with_plurals: bool,
    bridge: &mut Bridge,
    deadline: Deadline,
) -> Result<Vec<Listed<'a>>, PolicyFault> {
    let mut lists = Vec::new();
    for resource in &grants.context_aware_resources {
        let mut ask = |request: &CapabilityRequest| {
            bridge
                .context(request, deadline)
                .map_err(|error| of_capability(resource, error, deadline))
        };
        let unreadable = |problem: JsonProblem| context(&resource.to_string(), &problem);
        let ContextAwareResource { api_version, kind } = resource.clone();
        let list = ask(&CapabilityRequest::KubernetesListResourceAll(ListAll {
            api_version,
            kind,
            label_selector: None,
            field_selector: None,
            field_masks: None,
        }))?;
        let objects = inventory::objects(&list).map_err(unreadable)?;
        let plural = if with_plurals {
            let ContextAwareResource { api_version, kind } = resource.clone();
            let plural = ask(&CapabilityRequest::KubernetesGetResourcePluralName { api_version, kind })?;
            json::decode(&plural).map_err(unreadable)?
        } else {
            String::new()
        };
        lists.push(Listed {
            resource,
            plural,
            objects,
        });
    }
    Ok(lists)
}

fn of_capability(resource: &ContextAwareResource, error: CapabilityError, deadline: Deadline) -> PolicyFault {
    match error {
        CapabilityError::Timeout => PolicyFault::Timeout {
            allowed: deadline.given(),
        },
        other => context(&resource.to_string(), &other),
    }
}

fn context(resource: &str, reason: &dyn std::fmt::Display) -> PolicyFault {
    PolicyFault::Context {
        resource: resource.to_owned(),
        reason: reason.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entrypoints(names: &[&str]) -> BTreeMap<String, i32> {
        names
            .iter()
            .zip(0..)
            .map(|(name, number)| ((*name).to_owned(), number))
            .collect()
    }

    fn chosen(names: &[&str], mode: ExecutionMode, named: Option<&str>) -> String {
        choose(&entrypoints(names), mode, named).unwrap_or_else(|error| error.to_string())
    }

    #[test]
    fn the_entrypoint_is_that_of_the_rule_or_the_first() {
        let (opa, gatekeeper) = (ExecutionMode::Opa, ExecutionMode::Gatekeeper);
        assert_eq!(chosen(&["z/main", "a/other"], opa, None), "z/main");
        assert_eq!(chosen(&["z/other", "a/main", "b/main"], opa, None), "a/main");
        assert_eq!(chosen(&["z/other", "a/else"], opa, None), "z/other");
        assert_eq!(
            chosen(&["policy", "policy/violation"], gatekeeper, None),
            "policy/violation"
        );
        assert_eq!(chosen(&["policy/main"], gatekeeper, None), "policy/main");
        assert_eq!(chosen(&["policy/main", "x"], gatekeeper, Some("x")), "x");
    }

    #[test]
    fn an_entrypoint_that_is_not_there_is_told() {
        assert_eq!(
            chosen(&["a", "b"], ExecutionMode::Opa, Some("c")),
            "the policy has no entrypoint \"c\": it has a, b"
        );
        assert_eq!(
            chosen(&[], ExecutionMode::Opa, None),
            "the policy has no entrypoint: build it with `opa build -t wasm -e PACKAGE/RULE`"
        );
    }
}
