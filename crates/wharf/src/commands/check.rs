//! `wharf check`

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use wharf_admission::PreparedPolicies;
use wharf_config::Config;
use wharf_engine::EngineError;
use wharf_scan::ModuleError;
use wharf_telemetry::Metrics;

use super::{NothingToServe, load, scan};
use crate::admission::{self, AdmissionError, Reach};
use crate::exit::Code;
use crate::plugins::{self, Prepared, Problem};
use crate::supply::{Supply, SupplyError};
use crate::words::{complain, explain, print, say};

/// Does all that `serve` would do before it binds anything.
pub(super) fn run(path: &Path, locked: bool, as_json: bool) -> Code {
    if as_json {
        report(path, locked)
    } else {
        speak(path, locked)
    }
}

fn speak(path: &Path, locked: bool) -> Code {
    let config = match load(path) {
        Ok(config) => config,
        Err(code) => return code,
    };
    let tried = Tried::of(&config, path, locked);
    for (index, failure) in tried.failures.iter().enumerate() {
        if index > 0 {
            say("");
        }
        failure.say();
    }
    if let Some(code) = tried.code() {
        return code;
    }
    let mut found = Vec::new();
    if let Some(prepared) = &tried.plugins {
        found.push(counted(prepared.plugins.len(), "plugin", "plugins"));
    }
    if let Some(policies) = &tried.policies {
        found.push(counted(policies.len(), "policy", "policies"));
    }
    if let Some(modules) = tried.modules {
        found.push(counted(modules, "module", "modules"));
    }
    say(format_args!(
        "{}: good, with {} that started",
        path.display(),
        found.join(" and ")
    ));
    Code::Success
}

fn counted(count: usize, one: &str, several: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { several })
}

/// What came of trying all that a configuration has.
struct Tried {
    plugins: Option<Prepared>,
    policies: Option<Arc<PreparedPolicies>>,
    /// How many modules scans have.
    modules: Option<usize>,
    failures: Vec<Failure>,
}

/// Something that would not serve.
enum Failure {
    Nothing(NothingToServe),
    Supply(SupplyError),
    Module(Box<ModuleError>),
    Engine(EngineError),
    Plugin(Problem),
    Admission(AdmissionError),
    Policy { id: String, reason: String },
}

impl Tried {
    fn of(config: &Config, path: &Path, locked: bool) -> Self {
        let mut tried = Self {
            plugins: None,
            policies: None,
            modules: None,
            failures: Vec::new(),
        };
        if config.proxy.is_none() && config.admission.is_none() && config.scan.is_none() {
            tried
                .failures
                .push(Failure::Nothing(NothingToServe(path.to_owned())));
        }
        let supply = match Supply::of(config, path, locked) {
            Ok(supply) => supply,
            Err(error) => {
                tried.failures.push(Failure::Supply(error));
                return tried;
            }
        };
        let metrics = Arc::new(Metrics::new());
        if let Some(proxy) = &config.proxy {
            match plugins::engine(config) {
                Err(error) => tried.failures.push(Failure::Engine(error)),
                Ok(engine) => {
                    let loader = plugins::loader(engine, supply.fetcher());
                    match plugins::prepare(&loader, config, proxy, &metrics) {
                        Ok(prepared) => tried.plugins = Some(prepared),
                        Err(problems) => tried.failures.extend(problems.into_iter().map(Failure::Plugin)),
                    }
                }
            }
        }
        if let Some(admission) = &config.admission {
            match admission::load(
                admission,
                &supply,
                plugins::cache(config),
                &metrics,
                Reach::Nothing,
            ) {
                Err(error) => tried.failures.push(Failure::Admission(error)),
                Ok(loaded) => {
                    let bad = loaded.policies.bad().into_iter();
                    tried
                        .failures
                        .extend(bad.map(|(id, reason)| Failure::Policy { id, reason }));
                    tried.policies = Some(loaded.policies);
                }
            }
        }
        if let Some(scan) = &config.scan {
            match plugins::engine(config) {
                Err(error) => tried.failures.push(Failure::Engine(error)),
                Ok(engine) => {
                    let (modules, failed) =
                        scan::try_modules(&plugins::loader(engine, supply.fetcher()), scan);
                    tried.modules = Some(modules);
                    tried
                        .failures
                        .extend(failed.into_iter().map(|error| Failure::Module(Box::new(error))));
                }
            }
        }
        tried
    }

    /// The code of the first failure.
    fn code(&self) -> Option<Code> {
        self.failures.first().map(|failure| match failure {
            Failure::Nothing(_) | Failure::Supply(_) => Code::Configuration,
            Failure::Engine(_) => Code::Failure,
            Failure::Plugin(_) | Failure::Policy { .. } | Failure::Module(_) => Code::Plugin,
            Failure::Admission(error) => error.code(),
        })
    }
}

impl Failure {
    fn say(&self) {
        match self {
            Self::Nothing(error) => complain(error, Some(NothingToServe::HINT)),
            Self::Supply(error) => complain(error, Some(error.hint())),
            Self::Module(error) => complain(error.as_ref(), Some(&error.hint())),
            Self::Engine(error) => complain(error, None),
            Self::Plugin(problem) => explain(problem.error.as_ref(), &problem.notes, problem.hint.as_deref()),
            Self::Admission(error) => complain(error, error.hint().as_deref()),
            Self::Policy { id, reason } => {
                say(format_args!("error: the policy `{id}` cannot be used: {reason}"));
            }
        }
    }

    fn as_json(&self) -> Value {
        match self {
            Self::Nothing(error) => as_json(error, &[], Some(NothingToServe::HINT)),
            Self::Supply(error) => as_json(error, &[], Some(error.hint())),
            Self::Module(error) => as_json(error.as_ref(), &[], Some(&error.hint())),
            Self::Engine(error) => as_json(error, &[], None),
            Self::Plugin(problem) => as_json(problem.error.as_ref(), &problem.notes, problem.hint.as_deref()),
            Self::Admission(error) => as_json(error, &[], error.hint().as_deref()),
            Self::Policy { id, reason } => {
                json!({ "message": format!("the policy `{id}` cannot be used"), "causes": [reason], "notes": [], "hint": null })
            }
        }
    }
}

/// Says each problem.
pub(super) fn complain_all(problems: &[Problem]) {
    for (index, problem) in problems.iter().enumerate() {
        if index > 0 {
            say("");
        }
        explain(problem.error.as_ref(), &problem.notes, problem.hint.as_deref());
    }
}

/// The same for programs: one JSON object, `{"ok", "errors", "warnings", "plugins", "policies"}`.
fn report(path: &Path, locked: bool) -> Code {
    let mut report = json!({ "ok": false, "errors": [], "warnings": [], "plugins": [], "policies": [] });
    let code = match wharf_config::load(path) {
        Err(found) => {
            report["errors"] = json!(found.errors);
            report["warnings"] = json!(found.warnings);
            Code::Configuration
        }
        Ok(loaded) => {
            let tried = Tried::of(&loaded.config, path, locked);
            report["errors"] = tried.failures.iter().map(Failure::as_json).collect();
            report["warnings"] = json!(loaded.warnings);
            report["plugins"] = tried.plugins.as_ref().map(describe).unwrap_or_default().into();
            report["policies"] = tried
                .policies
                .as_ref()
                .map_or_else(|| json!([]), |policies| policies.describe());
            tried.code().unwrap_or(Code::Success)
        }
    };
    report["ok"] = json!(code == Code::Success);
    match print(format_args!("{report:#}")) {
        Ok(()) => code,
        Err(_) => Code::Failure,
    }
}

fn as_json(error: &dyn std::error::Error, notes: &[String], hint: Option<&str>) -> Value {
    let mut reasons = Vec::new();
    let mut cause = error.source();
    while let Some(reason) = cause {
        reasons.push(reason.to_string());
        cause = reason.source();
    }
    json!({ "message": error.to_string(), "causes": reasons, "notes": notes, "hint": hint })
}

fn describe(prepared: &Prepared) -> Vec<Value> {
    let describe = |plugin: &plugins::PreparedPlugin| {
        let loaded = &plugin.loaded;
        let abis: Vec<_> = loaded.abis().iter().map(ToString::to_string).collect();
        json!({
            "name": loaded.name.as_str(),
            "source": loaded.reference.to_string(),
            "digest": loaded.digest.to_string(),
            "bytes": loaded.size.bytes(),
            "abis": abis,
        })
    };
    prepared.plugins.iter().map(describe).collect()
}
