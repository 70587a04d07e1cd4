//! `wharf check`

use std::path::Path;

use serde_json::{Value, json};
use wharf_telemetry::Metrics;

use super::{load, proxy_of};
use crate::exit::Code;
use crate::plugins::{self, Prepared, Problem};
use crate::words::{complain, print, say};

/// Does all that `serve` would do before it binds anything.
pub(super) fn run(path: &Path, as_json: bool) -> Code {
    if as_json { report(path) } else { speak(path) }
}

fn speak(path: &Path) -> Code {
    let config = match load(path) {
        Ok(config) => config,
        Err(code) => return code,
    };
    let proxy = match proxy_of(&config, path) {
        Ok(proxy) => proxy,
        Err(code) => return code,
    };
    let engine = match plugins::engine(&config) {
        Ok(engine) => engine,
        Err(error) => {
            complain(&error, None);
            return Code::Failure;
        }
    };
    match plugins::prepare(engine, &config, proxy, &Metrics::new()) {
        Ok(prepared) => {
            let count = prepared.plugins.len();
            let plural = if count == 1 { "" } else { "s" };
            say(format_args!("{}: good, with {count} plugin{plural} that started", path.display()));
            Code::Success
        }
        Err(problems) => {
            complain_all(&problems);
            Code::Plugin
        }
    }
}

/// Says each problem.
pub(super) fn complain_all(problems: &[Problem]) {
    for problem in problems {
        complain(problem.error.as_ref(), problem.hint.as_deref());
    }
}

/// The same for programs: one JSON object, `{"ok", "errors", "warnings", "plugins"}`.
fn report(path: &Path) -> Code {
    let (value, code) = match wharf_config::load(path) {
        Err(errors) => {
            let ConfigParts { errors, warnings } = parts(&errors);
            (json!({ "ok": false, "errors": errors, "warnings": warnings, "plugins": [] }), Code::Configuration)
        }
        Ok(loaded) => {
            let warnings = json!(loaded.warnings);
            let outcome = proxy_of(&loaded.config, path).and_then(|proxy| {
                let engine = plugins::engine(&loaded.config).map_err(|_| Code::Failure)?;
                Ok(plugins::prepare(engine, &loaded.config, proxy, &Metrics::new()))
            });
            match outcome {
                Err(code) => (json!({ "ok": false, "errors": [], "warnings": warnings, "plugins": [] }), code),
                Ok(Ok(prepared)) => {
                    let plugins = describe(&prepared);
                    (json!({ "ok": true, "errors": [], "warnings": warnings, "plugins": plugins }), Code::Success)
                }
                Ok(Err(problems)) => {
                    let errors: Vec<_> = problems.iter().map(problem).collect();
                    (json!({ "ok": false, "errors": errors, "warnings": warnings, "plugins": [] }), Code::Plugin)
                }
            }
        }
    };
    match print(format_args!("{value:#}")) {
        Ok(()) => code,
        Err(_) => Code::Failure,
    }
}

struct ConfigParts {
    errors: Value,
    warnings: Value,
}

fn parts(errors: &wharf_config::ConfigErrors) -> ConfigParts {
    ConfigParts { errors: json!(errors.errors), warnings: json!(errors.warnings) }
}

fn problem(problem: &Problem) -> Value {
    let mut reasons = Vec::new();
    let mut cause = problem.error.source();
    while let Some(reason) = cause {
        reasons.push(reason.to_string());
        cause = reason.source();
    }
    json!({ "message": problem.error.to_string(), "causes": reasons, "hint": problem.hint })
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
