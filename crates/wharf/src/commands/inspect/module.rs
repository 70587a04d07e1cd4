//! What a module is as one of Trivy's.

use std::fmt::Write;
use std::sync::Arc;

use serde_json::{Value, json};
use wharf_abi_proxy_wasm::Support;
use wharf_abi_trivy::{Host, LogLine, ModuleInfo, Settings, TrivyModule};
use wharf_engine::Module;
use wharf_plugin::{Abi, IdentifiedModule};

use super::findings::Problem;
use super::report::list;
use crate::commands::single::shown;

/// What a module says that it is.
#[derive(Default)]
pub(super) struct TrivyFindings {
    info: Option<ModuleInfo>,
}

impl TrivyFindings {
    /// None for what is no module of Trivy.
    pub(super) fn of(identified: &IdentifiedModule) -> Option<Self> {
        let is_module = identified.abis.contains(&Abi::TrivyModule) && identified.proxy_wasm().is_none();
        is_module.then(Self::default)
    }

    /// What such a module may import.
    pub(super) fn host_functions() -> Vec<(&'static str, &'static str, Support)> {
        wharf_abi_trivy::host_functions()
            .into_iter()
            .map(|(module, name)| (module, name, Support::Supported))
            .collect()
    }

    /// Why the module cannot be used. Starts it, and asks it what it is.
    pub(super) fn look_at(&mut self, module: &Module) -> Vec<Problem> {
        match TrivyModule::load(module, Settings::default(), Arc::new(Silence)) {
            Ok(loaded) => {
                self.info = Some(loaded.info().clone());
                Vec::new()
            }
            Err(error) => vec![Problem {
                text: error.to_string(),
                hint: Some(error.hint().to_owned()),
            }],
        }
    }

    /// What people read of it. Writing to a text cannot fail, so the results of `writeln!` are not looked at.
    pub(super) fn tell(&self, out: &mut String) {
        let Some(info) = &self.info else {
            return;
        };
        let _ = writeln!(out, "\nmodule {}, version {}", shown(&info.name), info.version);
        if let Some(required) = &info.required {
            let patterns: Vec<_> = required.patterns().iter().map(|pattern| shown(pattern)).collect();
            list(out, "files that it analyzes, by pattern", &patterns);
            if patterns.is_empty() {
                out.push_str("\nit is an analyzer that requires no file, so it is never called\n");
            }
        }
        if let Some(spec) = &info.post_scan {
            let of = match spec.ids.as_slice() {
                [] => String::new(),
                ids => format!(" of {}", shown(&ids.join(", "))),
            };
            let _ = writeln!(out, "\nafter a scan: {}{of}", shown(spec.action.as_str()));
        }
        if info.required.is_none() && info.post_scan.is_none() {
            out.push_str("\nit is neither an analyzer nor a post-scanner, so it is never called\n");
        }
    }

    /// The same for programs.
    pub(super) fn json(&self) -> Value {
        let Some(info) = &self.info else {
            return Value::Null;
        };
        json!({
            "name": info.name,
            "version": info.version,
            "required": info.required.as_ref().map(|required| required.patterns()),
            "postScan": info.post_scan.as_ref().map(|spec| json!({
                "action": spec.action.as_str(),
                "ids": spec.ids,
            })),
        })
    }
}

/// Nobody listens, and the time stands still.
struct Silence;

impl Host for Silence {
    fn log(&self, _line: &LogLine<'_>) {}

    fn realtime_nanoseconds(&self) -> u64 {
        0
    }

    fn monotonic_nanoseconds(&self) -> u64 {
        0
    }
}
