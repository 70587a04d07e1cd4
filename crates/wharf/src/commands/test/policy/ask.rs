//! Asks the policies of a case what it says.

use std::collections::BTreeMap;
use std::rc::Rc;

use wharf_abi_wapc::kubewarden::capability::{CapabilityPatterns, Grants};
use wharf_abi_wapc::kubewarden::group::{Group, GroupVerdict};
use wharf_abi_wapc::kubewarden::{
    AdmissionResponse, ContextAwareResource, DeployerTerms, ExecutionMode, Policy, PolicyFault,
    PolicyOptions, PolicyType, ReviewRequest, Settings, SettingsVerdict,
};
use wharf_config::cases::{Input, Judge, JudgingPolicy, PolicyCase, PolicySetup};
use wharf_config::kubewarden::{ExecutionMode as NamedMode, PolicyMode};
use wharf_engine::Deadline;
use wharf_loader::Loader;

use super::super::case::{Broken, lines_shown};
use super::answers::Answers;
use crate::commands::policy::host::{Notes, RunHost, SharedWorld, World};
use crate::commands::policy::{self, Stage, Stop, replay, review};
use crate::commands::single::{self, shown};
use crate::exit::Code;

/// All that came of asking.
pub(super) struct Run {
    /// Who was asked.
    pub(super) title: String,
    /// Why nobody was: the policy cannot be used.
    pub(super) load_error: Option<Broken>,
    /// What each policy thinks of its settings, the members of a group by their names.
    pub(super) settings: Vec<(Option<String>, Stage<SettingsVerdict>)>,
    /// What was to be asked about.
    pub(super) request: Option<ReviewRequest>,
    /// None where nothing was, or settings were refused.
    pub(super) review: Option<Reviewed>,
}

/// What came of a review.
pub(super) struct Reviewed {
    /// The answer, that to a fault among them.
    pub(super) response: AdmissionResponse,
    /// Why there was no verdict; of a group, those of its members that mattered.
    pub(super) fault: Option<PolicyFault>,
    pub(super) notes: Notes,
}

/// Who decides.
enum Asked {
    Policy(Box<Policy>),
    Group {
        group: Group,
        members: BTreeMap<String, Policy>,
    },
}

impl Run {
    /// Whether all settings are good.
    fn settings_are_good(&self) -> bool {
        let is_good = |(_, stage): &(_, Stage<SettingsVerdict>)| {
            stage.outcome.as_ref().is_ok_and(|verdict| verdict.valid)
        };
        self.settings.iter().all(is_good)
    }
}

/// Asks them.
///
/// # Errors
/// Where a file of the case cannot be used, or a policy cannot and the case does not expect it.
pub(super) fn ask(case: &PolicyCase, loader: &Loader) -> Result<Run, Broken> {
    let PolicyCase { setup, .. } = case;
    let mut run = Run {
        title: String::new(),
        load_error: None,
        settings: Vec::new(),
        request: None,
        review: None,
    };
    let asked = match load(setup, loader) {
        Ok((title, asked)) => {
            run.title = title;
            asked
        }
        Err(stop) => {
            let is_module = matches!(stop, Stop::Module(..));
            let error = broken(stop);
            if case.expect.load_error_contains.is_empty() || !is_module {
                return Err(error);
            }
            run.title = "the policy cannot be used".to_owned();
            run.load_error = Some(error);
            return Ok(run);
        }
    };
    let review = case.review.as_ref().map(|review| &review.value);
    run.request = review
        .map(|review| read_review(review, setup.raw || asked.is_raw()))
        .transpose()?;
    let replay = setup
        .replay
        .as_deref()
        .map(replay::read)
        .transpose()
        .map_err(broken)?;
    let answers = Answers::new(&setup.calls, replay);
    let world = World::new(Box::new(answers), setup.clock, setup.random);
    asked.check_settings(&mut run, setup, &world);
    if run.settings_are_good()
        && let Some(request) = &run.request
    {
        run.review = Some(asked.review(request, setup, &world));
    }
    Ok(run)
}

fn load(setup: &PolicySetup, loader: &Loader) -> Result<(String, Asked), Stop> {
    match &setup.judge {
        Judge::Policy(policy) => {
            let (name, policy) = load_policy(policy, setup, loader)?;
            Ok((
                format!("{name} ({})", policy.mode()),
                Asked::Policy(Box::new(policy)),
            ))
        }
        Judge::Group {
            expression,
            message,
            members,
        } => {
            let names = members.keys().map(String::as_str);
            let group = Group::new(expression, message.clone(), names).map_err(|error| {
                let hint = "a group calls its members by their names, as in `a() && !b()`".to_owned();
                Stop::Module(single::with_causes(&error).into(), hint)
            })?;
            let mut loaded = BTreeMap::new();
            for (name, member) in members {
                loaded.insert(name.clone(), load_policy(member, setup, loader)?.1);
            }
            let asked = Asked::Group {
                group,
                members: loaded,
            };
            Ok((format!("group {expression}"), asked))
        }
    }
}

fn load_policy(
    policy: &JudgingPolicy,
    setup: &PolicySetup,
    loader: &Loader,
) -> Result<(String, Policy), Stop> {
    let loaded = policy::load_module(loader, &policy.module, &setup.limits)?;
    let metadata = policy::metadata_of(&loaded, &policy.module)?;
    let options = PolicyOptions {
        mode: policy.execution_mode.map(mode),
        settings: settings(&policy.settings)?,
        grants: grants(policy)?,
        limits: setup.limits.clone(),
        ..PolicyOptions::default()
    };
    let made = policy::policy_of(&loaded, &policy.module, metadata, options)?;
    Ok((loaded.name.to_string(), made))
}

fn mode(mode: NamedMode) -> ExecutionMode {
    match mode {
        NamedMode::KubewardenWapc => ExecutionMode::KubewardenWapc,
        NamedMode::Wasi => ExecutionMode::Wasi,
        NamedMode::Opa => ExecutionMode::Opa,
        NamedMode::Gatekeeper => ExecutionMode::Gatekeeper,
    }
}

fn settings(input: &Input) -> Result<Settings, Stop> {
    match input {
        Input::File(path) => policy::settings_in(path),
        Input::Json(json) => Settings::parse(json.as_bytes()).map_err(|error| {
            let hint = "write `key: value`; for no settings write `{}`".to_owned();
            Stop::File(single::with_causes(&error).into(), hint)
        }),
    }
}

fn grants(policy: &JudgingPolicy) -> Result<Grants, Stop> {
    let patterns = CapabilityPatterns::parse(&policy.host_capabilities).map_err(|error| {
        let hint = "write for example `hostCapabilities: [kubernetes/*]`".to_owned();
        Stop::File(error.into(), hint)
    })?;
    let resources = policy.context_aware_resources.iter();
    Ok(Grants {
        context_aware_resources: resources
            .map(|resource| ContextAwareResource {
                api_version: resource.api_version.clone(),
                kind: resource.kind.clone(),
            })
            .collect(),
        host_capabilities: patterns,
    })
}

fn read_review(review: &Input, raw: bool) -> Result<ReviewRequest, Broken> {
    match review {
        Input::File(path) => review::read(path, raw).map_err(broken),
        Input::Json(json) => review::of_json(json.as_bytes(), raw).map_err(|reason| Broken {
            message: shown(&format!("the review of the case: {reason}")),
            hint: review::hint(raw).to_owned(),
            code: Code::Configuration,
        }),
    }
}

/// Why a case cannot be run.
fn broken(stop: Stop) -> Broken {
    let (message, hint, code) = stop.into_parts();
    Broken {
        message: lines_shown(&message),
        hint: shown(&hint),
        code,
    }
}

impl Asked {
    fn is_raw(&self) -> bool {
        let is_raw = |policy: &Policy| {
            let metadata = policy.metadata();
            metadata.is_some_and(|metadata| metadata.policy_type == PolicyType::Raw)
        };
        match self {
            Self::Policy(policy) => is_raw(policy),
            Self::Group { members, .. } => members.values().any(is_raw),
        }
    }

    fn check_settings(&self, run: &mut Run, setup: &PolicySetup, world: &SharedWorld) {
        let mut check = |name: Option<&String>, policy: &Policy| {
            let time = setup.limits.startup_deadline;
            let stage = policy::stage(world, time, |host, deadline| {
                policy.validate_settings(host, deadline)
            });
            run.settings.push((name.cloned(), stage));
        };
        match self {
            Self::Policy(policy) => check(None, policy),
            Self::Group { members, .. } => {
                members
                    .iter()
                    .for_each(|(name, policy)| check(Some(name), policy));
            }
        }
    }

    fn review(&self, request: &ReviewRequest, setup: &PolicySetup, world: &SharedWorld) -> Reviewed {
        let uid = request.uid();
        let deadline = Deadline::after(setup.limits.deadline);
        let ask = |policy: &Policy| policy.review(request, Box::new(RunHost(Rc::clone(world))), deadline);
        let (response, fault) = match self {
            Self::Policy(policy) => match ask(policy) {
                Ok(response) => (response, None),
                Err(fault) => (AdmissionResponse::of_fault(uid, ID, &fault), Some(fault)),
            },
            Self::Group { group, members } => {
                let verdict = group.evaluate(|name| {
                    members
                        .get(name)
                        .map(&ask)
                        .unwrap_or(Err(PolicyFault::Unsupported(
                            "the expression of the group names what is no member of it",
                        )))
                });
                let fault = match &verdict {
                    GroupVerdict::Undecided { faults } => faults.values().next().cloned(),
                    _ => None,
                };
                (verdict.into_response(uid), fault)
            }
        };
        let response = match &setup.deployed {
            Some(deployed) => {
                let terms = DeployerTerms {
                    monitor: deployed.mode == PolicyMode::Monitor,
                    allowed_to_mutate: deployed.allowed_to_mutate,
                    message: deployed.message.as_deref(),
                };
                terms.apply(ID, response)
            }
            None => response,
        };
        Reviewed {
            response,
            fault,
            notes: std::mem::take(&mut world.borrow_mut().notes),
        }
    }
}

/// The id that the policy of a case has in messages.
const ID: &str = "test";
