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

use serde::Serialize;
use serde_json::value::RawValue;
use wharf_engine::{Deadline, Module};
use wharf_plugin::{ByteSize, Limits};

use super::bridge::Bridge;
use super::capability::{CapabilityError, CapabilityRequest, Grants, ListAll};
use super::fault::PolicyFault;
use super::host::{PolicyLog, PolicyLogLevel};
use super::inventory::{self, Listed, OfGatekeeper, OfOpa};
use super::json;
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
    /// The memory of an instance, into which the cluster's objects have to go.
    memory: ByteSize,
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
            memory: limits.memory,
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
        let lists = self.lists(request, grants, &mut bridge, deadline)?;
        let (input, data) = match self.mode {
            ExecutionMode::Gatekeeper => for_gatekeeper(request, settings, lists)?,
            _ => for_opa(request, settings, lists, &mut bridge)?,
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
    lists: Option<Vec<Listed<'_>>>,
    bridge: &mut Bridge,
) -> Result<(Vec<u8>, Vec<u8>), PolicyFault> {
    let input = [r#"{"request":"#, request.json(), "}"].concat().into_bytes();
    let settings = settings.json().get();
    let Some(lists) = lists else {
        return Ok((input, settings.as_bytes().to_vec()));
    };
    let settings: BTreeMap<String, &RawValue> =
        json::decode(settings.as_bytes()).map_err(|problem| context("its settings", &problem))?;
    if settings.contains_key(KUBERNETES) {
        let text = "the setting `kubernetes` is replaced by the cluster's objects";
        bridge.log(&PolicyLog::line(PolicyLogLevel::Warning, text));
    }
    let kubernetes = inventory::of_opa(&lists).map_err(|bad| context(&bad.resource, &bad.problem))?;
    let mut data: BTreeMap<String, OpaData<'_>> = settings
        .into_iter()
        .map(|(name, setting)| (name, OpaData::Setting(setting)))
        .collect();
    data.insert(KUBERNETES.to_owned(), OpaData::Kubernetes(kubernetes));
    Ok((input, text(&data)?))
}

const KUBERNETES: &str = "kubernetes";

#[derive(Serialize)]
#[serde(untagged)]
enum OpaData<'a> {
    Setting(&'a RawValue),
    Kubernetes(OfOpa<'a>),
}

/// `input` and `data` of a policy for Gatekeeper.
fn for_gatekeeper(
    request: &ReviewRequest,
    settings: &Settings,
    lists: Option<Vec<Listed<'_>>>,
) -> Result<(Vec<u8>, Vec<u8>), PolicyFault> {
    let (parameters, review) = (settings.json().get(), request.json());
    let input = [r#"{"parameters":"#, parameters, r#","review":"#, review, "}"].concat();
    let Some(lists) = lists else {
        return Ok((input.into_bytes(), b"{}".to_vec()));
    };
    let inventory = inventory::of_gatekeeper(&lists).map_err(|bad| context(&bad.resource, &bad.problem))?;
    let data: BTreeMap<&str, OfGatekeeper<'_>> = [("inventory", inventory)].into();
    Ok((input.into_bytes(), text(&data)?))
}

fn text(data: &impl Serialize) -> Result<Vec<u8>, PolicyFault> {
    serde_json::to_vec(data).map_err(|error| context("the cluster's objects", &error))
}

impl Rego {
    /// All objects of all kinds that the policy is granted; none where it is granted nothing. What has no room in the
    /// policy's memory is not even put together.
    fn lists<'a>(
        &self,
        request: &ReviewRequest,
        grants: &'a Grants,
        bridge: &mut Bridge,
        deadline: Deadline,
    ) -> Result<Option<Vec<Listed<'a>>>, PolicyFault> {
        let for_gatekeeper = self.mode == ExecutionMode::Gatekeeper;
        if for_gatekeeper && matches!(request, ReviewRequest::Raw(_)) {
            return Err(PolicyFault::Unsupported(
                "Gatekeeper does not support raw validation requests",
            ));
        }
        if grants.context_aware_resources.is_empty() {
            return Ok(None);
        }
        let mut room = self.memory.as_usize();
        let mut lists = Vec::new();
        for resource in &grants.context_aware_resources {
            let list = objects(resource, !for_gatekeeper, bridge, deadline)?;
            room = room.checked_sub(list.list.len()).ok_or_else(|| {
                let most = self.memory;
                let reason =
                    format!("with it the objects have more than the policy's memory, which is {most}");
                context(&resource.to_string(), &reason)
            })?;
            lists.push(list);
        }
        Ok(Some(lists))
    }
}

/// All objects of a kind.
fn objects<'a>(
    resource: &'a ContextAwareResource,
    with_plural: bool,
    bridge: &mut Bridge,
    deadline: Deadline,
) -> Result<Listed<'a>, PolicyFault> {
    let mut ask = |request: &CapabilityRequest| {
        bridge
            .context(request, deadline)
            .map_err(|error| of_capability(resource, error, deadline))
    };
    let ContextAwareResource { api_version, kind } = resource.clone();
    let list = ask(&CapabilityRequest::KubernetesListResourceAll(ListAll {
        api_version,
        kind,
        label_selector: None,
        field_selector: None,
        field_masks: None,
    }))?;
    let plural = if with_plural {
        let ContextAwareResource { api_version, kind } = resource.clone();
        let plural = ask(&CapabilityRequest::KubernetesGetResourcePluralName { api_version, kind })?;
        json::decode(&plural).map_err(|problem| context(&resource.to_string(), &problem))?
    } else {
        String::new()
    };
    Ok(Listed {
        resource,
        plural,
        list,
    })
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
