//! From what a deployer wrote to policies that can be asked.

use std::collections::BTreeMap;
use std::error::Error;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use wharf_abi_wapc::kubewarden::capability::{CapabilityPatterns, Grants};
use wharf_abi_wapc::kubewarden::group::Group;
use wharf_abi_wapc::kubewarden::{
    ContextAwareResource, ExecutionMode, Metadata, Policy, PolicyOptions, Settings,
};
use wharf_config::kubewarden::{
    self, GroupConfig, PolicyConfig, PolicyEntry, PolicyKind, PolicyModule, PolicySet,
};
use wharf_config::{ConfigErrors, Diagnostic};
use wharf_engine::Deadline;
use wharf_loader::{LoadError, LoadedPlugin, Loader};
use wharf_plugin::{Limits, PluginName, PluginSpec};

use super::{Judge, Member, Served, Terms, refresh};
use crate::host::{Asking, HostContext};

/// Makes policies that can be asked of those that were written.
pub(crate) struct Preparer {
    pub(crate) loader: Loader,
    pub(crate) host: Arc<HostContext>,
    /// What policies may cost that do not say otherwise.
    pub(crate) limits: Limits,
    /// How long reviews may take by policies that do not say otherwise.
    pub(crate) timeout: Duration,
}

/// What was made of the policies that were written.
#[derive(Default)]
pub(crate) struct Prepared {
    /// The policies.
    pub(crate) served: ById,
    /// Those that may not be the newest, because their registries could not be asked; with the reasons.
    pub(crate) stale: BTreeMap<String, String>,
}

/// A policy that can be asked.
pub(crate) struct Made {
    pub(crate) served: Arc<Served>,
    /// Why it may not be the newest.
    pub(crate) stale: Option<String>,
}

/// How modules are loaded.
type LoadFn = fn(&Loader, &PluginSpec) -> Result<LoadedPlugin, LoadError>;

/// The policies by their ids.
pub(crate) type ById = BTreeMap<String, Arc<Served>>;

impl Preparer {
    /// Loads the modules, asks each policy about its settings, and gives an outcome for each id. On as many threads as there
    /// are cores. What is the same as in `before` is taken from there.
    pub(crate) fn prepare(&self, set: &PolicySet, before: &ById) -> Prepared {
        let entries: Vec<&PolicyEntry> = set.entries.iter().collect();
        let mut prepared = Prepared::default();
        for (entry, made) in self.each(&entries, before, Loader::load) {
            let served = match made {
                Ok(made) => {
                    let stale = made.stale.map(|error| (entry.id.clone(), error));
                    prepared.stale.extend(stale);
                    made.served
                }
                Err(reason) => self.bad(entry, reason),
            };
            prepared.served.insert(entry.id.clone(), served);
        }
        for bad in &set.bad {
            let served = Served::bad(bad.id.clone(), in_one_line(&bad.errors), self.timeout);
            prepared.served.insert(bad.id.clone(), Arc::new(served));
        }
        prepared
    }

    /// The same of some entries, one by one, without telling the log what was loaded. What is good, or why nothing is.
    pub(crate) fn again<'e>(
        &self,
        entries: &[&'e PolicyEntry],
        before: &ById,
    ) -> Vec<(&'e PolicyEntry, Result<Made, String>)> {
        self.each(entries, before, Loader::load_again)
    }

    /// An entry of which nothing could be made.
    pub(crate) fn bad(&self, entry: &PolicyEntry, reason: String) -> Arc<Served> {
        let mut served = Served::bad(entry.id.clone(), reason, self.timeout);
        served.entry = Some(entry.clone());
        Arc::new(served)
    }

    fn each<'e>(
        &self,
        entries: &[&'e PolicyEntry],
        before: &ById,
        load: LoadFn,
    ) -> Vec<(&'e PolicyEntry, Result<Made, String>)> {
        let next = AtomicUsize::new(0);
        let outcomes = Mutex::new(Vec::with_capacity(entries.len()));
        let work = || {
            while let Some(entry) = entries.get(next.fetch_add(1, Ordering::Relaxed)) {
                let made = self.entry(entry, before.get(&entry.id), load);
                let mut outcomes = outcomes.lock().unwrap_or_else(PoisonError::into_inner);
                outcomes.push((*entry, made));
            }
        };
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        std::thread::scope(|scope| {
            for _ in 1..cores.min(entries.len()) {
                scope.spawn(work);
            }
            work();
        });
        outcomes.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn entry(&self, entry: &PolicyEntry, before: Option<&Arc<Served>>, load: LoadFn) -> Result<Made, String> {
        let loaded = entry
            .modules()
            .into_iter()
            .map(|module| self.load(&entry.id, module, load))
            .collect::<Result<Vec<_>, _>>()?;
        let stale = refresh::stale(&loaded);
        let served = match before {
            Some(before) if is_same(before, entry, &loaded) => Served::current(before),
            _ => self.make(entry, loaded)?,
        };
        Ok(Made { served, stale })
    }

    fn make(&self, entry: &PolicyEntry, loaded: Vec<LoadedPlugin>) -> Result<Arc<Served>, String> {
        let (judge, terms) = match &entry.kind {
            PolicyKind::Policy(policy) => self.policy(&entry.id, policy, loaded)?,
            PolicyKind::Group(group) => self.group(&entry.id, group, loaded)?,
        };
        Ok(Arc::new(Served {
            id: entry.id.as_str().into(),
            entry: Some(entry.clone()),
            judge: Arc::new(judge),
            terms,
            outdated: None,
        }))
    }

    fn policy(
        &self,
        id: &str,
        config: &PolicyConfig,
        loaded: Vec<LoadedPlugin>,
    ) -> Result<(Judge, Terms), String> {
        let member = self.members(id, [&config.module], loaded)?.remove(0);
        let terms = Terms {
            mode: config.mode,
            allowed_to_mutate: config.allowed_to_mutate,
            message: config.message.clone(),
            timeout: member.timeout,
        };
        Ok((Judge::Policy(Box::new(member)), terms))
    }

    fn group(
        &self,
        id: &str,
        config: &GroupConfig,
        loaded: Vec<LoadedPlugin>,
    ) -> Result<(Judge, Terms), String> {
        let names = config.members.keys().map(String::as_str);
        let group =
            Group::new(&config.expression, &config.message, names).map_err(|error| in_full(&error))?;
        let members = self.members(id, config.members.values(), loaded)?;
        let members: BTreeMap<_, _> = config.members.keys().cloned().zip(members).collect();
        // All of them may be asked, one after the other.
        let together = members.values().map(|member| member.timeout).sum();
        let terms = Terms {
            mode: config.mode,
            allowed_to_mutate: false,
            message: None,
            timeout: config.timeout.unwrap_or(together),
        };
        Ok((Judge::Group { group, members }, terms))
    }

    fn members<'a>(
        &self,
        id: &str,
        modules: impl IntoIterator<Item = &'a PolicyModule>,
        loaded: Vec<LoadedPlugin>,
    ) -> Result<Vec<Member>, String> {
        let each = modules.into_iter().zip(loaded);
        each.map(|(module, loaded)| self.member(id, module, loaded))
            .collect()
    }

    fn load(&self, id: &str, module: &PolicyModule, load: LoadFn) -> Result<LoadedPlugin, String> {
        let mut spec = PluginSpec::new(plugin_name(id), module.reference.clone());
        spec.limits = module.limits.or(&self.limits);
        load(&self.loader, &spec).map_err(|error| {
            let hint = error.hint();
            let separator = if hint.is_empty() { "" } else { "; " };
            format!("{}{separator}{hint}", in_full(&error))
        })
    }

    /// Makes a policy, and asks it whether it can work with its settings.
    fn member(&self, id: &str, module: &PolicyModule, loaded: LoadedPlugin) -> Result<Member, String> {
        let identified = loaded.identified();
        let metadata = identified.surface.kubewarden_metadata.as_deref();
        let metadata = metadata
            .map(Metadata::parse)
            .transpose()
            .map_err(|error| in_full(&error))?;
        let grants = grants(module)?;
        if let Some(metadata) = &metadata {
            for missing in metadata.ungranted(&grants) {
                tracing::warn!(
                    policy = id,
                    missing,
                    "A policy asks for what it is not granted; such calls of it will be refused."
                );
            }
        }
        let limits = module.limits.or(&self.limits);
        let startup_deadline = limits.startup_deadline;
        let options = PolicyOptions {
            mode: module.execution_mode.map(execution_mode),
            settings: settings(module)?,
            grants,
            limits,
            ..PolicyOptions::default()
        };
        let policy =
            Policy::new(&loaded.module, identified, metadata, options).map_err(|error| in_full(&error))?;
        let host = self.host.asking(Asking {
            policy: id.to_owned(),
            uid: String::new(),
        });
        let verdict = policy
            .validate_settings(Box::new(host), Deadline::after(startup_deadline))
            .map_err(|fault| format!("the policy did not say whether its settings are valid: {fault}"))?;
        if !verdict.valid {
            let reason = verdict.message.unwrap_or_else(|| "it gives no reason".to_owned());
            return Err(format!("the policy refuses its settings: {reason}"));
        }
        Ok(Member {
            policy,
            loaded,
            timeout: module.timeout.unwrap_or(self.timeout),
        })
    }
}

/// What is wrong with an entry, without the excerpts of its file that are for a terminal.
fn in_one_line(errors: &ConfigErrors) -> String {
    let line = |error: &Diagnostic| {
        let place = error
            .location
            .as_ref()
            .map(|at| format!(":{}:{}", at.line, at.column));
        let file = error.file.display();
        format!("{} ({file}{})", error.message, place.unwrap_or_default())
    };
    errors.errors.iter().map(line).collect::<Vec<_>>().join("; ")
}

/// Whether what is served now was made of the same text and the same bytes.
fn is_same(before: &Served, entry: &PolicyEntry, loaded: &[LoadedPlugin]) -> bool {
    let members = before.members();
    before.entry.as_ref() == Some(entry)
        && members.len() == loaded.len()
        && members
            .iter()
            .zip(loaded)
            .all(|((_, member), loaded)| member.loaded.digest == loaded.digest)
}

fn grants(module: &PolicyModule) -> Result<Grants, String> {
    let resource = |resource: &kubewarden::ContextAwareResource| ContextAwareResource {
        api_version: resource.api_version.clone(),
        kind: resource.kind.clone(),
    };
    Ok(Grants {
        context_aware_resources: module.context_aware_resources.iter().map(resource).collect(),
        host_capabilities: CapabilityPatterns::parse(&module.host_capabilities)
            .map_err(|error| in_full(&error))?,
    })
}

fn settings(module: &PolicyModule) -> Result<Settings, String> {
    let json = Value::Object(module.settings.clone()).to_string();
    Settings::parse(json.as_bytes()).map_err(|error| in_full(&error))
}

fn execution_mode(mode: kubewarden::ExecutionMode) -> ExecutionMode {
    match mode {
        kubewarden::ExecutionMode::KubewardenWapc => ExecutionMode::KubewardenWapc,
        kubewarden::ExecutionMode::Wasi => ExecutionMode::Wasi,
        kubewarden::ExecutionMode::Opa => ExecutionMode::Opa,
        kubewarden::ExecutionMode::Gatekeeper => ExecutionMode::Gatekeeper,
    }
}

/// An id as a plugin's name, in which fewer characters may stand.
fn plugin_name(id: &str) -> PluginName {
    let fit = |character: char| match character.to_ascii_lowercase() {
        character @ ('a'..='z' | '0'..='9' | '-' | '_' | '.') => character,
        _ => '-',
    };
    let name: String = id.chars().map(fit).take(PluginName::MAX_BYTES).collect();
    PluginName::new(name.trim_start_matches(['-', '_', '.']))
        .or_else(|_| PluginName::new("policy"))
        .expect("the word is a good name")
}

/// An error with the reasons behind it.
pub(crate) fn in_full(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(reason) = cause {
        let reason_text = reason.to_string();
        // Where a level adds nothing, it is not said twice.
        if !text.ends_with(&reason_text) {
            text = format!("{text}: {reason_text}");
        }
        cause = reason.source();
    }
    text
}
