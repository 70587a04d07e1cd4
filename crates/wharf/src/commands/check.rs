//! `wharf check`

use std::path::Path;

use serde_json::{Value, json};
use wharf_config::Config;
use wharf_telemetry::Metrics;

use super::{NothingToServe, load, proxy_of};
use crate::exit::Code;
use crate::plugins::{self, Prepared, Problem};
use crate::words::{complain, explain, print, say};

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
        Err(error) => {
            complain(&error, Some(NothingToServe::HINT));
            return Code::Configuration;
        }
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
            say(format_args!(
                "{}: good, with {count} plugin{plural} that started",
                path.display()
            ));
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
    for (index, problem) in problems.iter().enumerate() {
        if index > 0 {
            say("");
        }
        explain(problem.error.as_ref(), &problem.notes, problem.hint.as_deref());
    }
}

/// The same for programs: one JSON object, `{"ok", "errors", "warnings", "plugins"}`.
fn report(path: &Path) -> Code {
    let (code, errors, warnings, plugins) = match wharf_config::load(path) {
        Err(found) => (
            Code::Configuration,
            json!(found.errors),
            json!(found.warnings),
            Vec::new(),
        ),
        Ok(loaded) => {
            let warnings = json!(loaded.warnings);
            match try_plugins(&loaded.config, path) {
                Ok(prepared) => (Code::Success, json!([]), warnings, describe(&prepared)),
                Err((code, errors)) => (code, json!(errors), warnings, Vec::new()),
            }
        }
    };
    let ok = code == Code::Success;
    let report = json!({ "ok": ok, "errors": errors, "warnings": warnings, "plugins": plugins });
    match print(format_args!("{report:#}")) {
        Ok(()) => code,
        Err(_) => Code::Failure,
    }
}

fn try_plugins(config: &Config, path: &Path) -> Result<Prepared, (Code, Vec<Value>)> {
    let proxy = proxy_of(config, path).map_err(|error| {
        (
            Code::Configuration,
            vec![as_json(&error, &[], Some(NothingToServe::HINT))],
        )
    })?;
    let engine =
        plugins::engine(config).map_err(|error| (Code::Failure, vec![as_json(&error, &[], None)]))?;
    plugins::prepare(engine, config, proxy, &Metrics::new()).map_err(|problems| {
        let problem =
            |problem: &Problem| as_json(problem.error.as_ref(), &problem.notes, problem.hint.as_deref());
        (Code::Plugin, problems.iter().map(problem).collect())
    })
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
