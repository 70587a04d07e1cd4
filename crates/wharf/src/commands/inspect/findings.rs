//! What is found in a module.

use std::collections::HashMap;

use wharf_abi_proxy_wasm::{Program, Support, callbacks, host_functions, start_functions};
use wharf_distribution::{FetchError, Fetcher, Provenance};
use wharf_engine::{Engine, ImportProblem};
use wharf_plugin::{
    Abi, Digest, Export, ExternKind, Import, Limits, ModuleSections, ModuleSurface, ProxyWasmVersion,
    Reference, VerifiedArtifact, identify,
};

use super::module::TrivyFindings;
use super::policy::PolicyFindings;
use crate::commands::policy::MEMORY as POLICY_MEMORY;
use crate::commands::single::with_causes;

/// What is known of a module.
pub(super) struct Inspection {
    pub(super) reference: Reference,
    /// The digest and the number of bytes, where the module could be read.
    pub(super) bytes: Option<(Digest, usize)>,
    /// Where it is from, and what was found out about who made it.
    pub(super) provenance: Option<Provenance>,
    pub(super) abis: Vec<Abi>,
    /// What it is as a policy or another waPC guest, where it is no filter.
    pub(super) policy: Option<PolicyFindings>,
    /// What it is as a module of Trivy, where it is neither.
    pub(super) trivy: Option<TrivyFindings>,
    /// Why it would not load; empty where it would.
    pub(super) problems: Vec<Problem>,
    pub(super) surface: ModuleSurface,
    pub(super) sections: ModuleSections,
    /// What the module imports of module `env`.
    pub(super) functions: Vec<Used>,
    /// What it imports of WASI.
    pub(super) wasi: Vec<Used>,
    /// What else it imports.
    pub(super) others: Vec<Used>,
    /// The callbacks that it exports.
    pub(super) callbacks: Vec<(&'static str, Support)>,
}

/// Why a module would not load, and what to do.
pub(super) struct Problem {
    pub(super) text: String,
    pub(super) hint: Option<String>,
}

/// An import, and what Wharf gives for it; `None`: nothing, the name is unknown.
pub(super) struct Used {
    pub(super) import: Import,
    pub(super) support: Option<Support>,
}

impl Inspection {
    /// Looks at a module: fetches it, compiles it and links it, and does not start it.
    pub(super) fn of(reference: &Reference, fetcher: &Fetcher, engine: &Engine) -> Self {
        let mut inspection = Self {
            reference: reference.clone(),
            bytes: None,
            provenance: None,
            abis: Vec::new(),
            policy: None,
            trivy: None,
            problems: Vec::new(),
            surface: ModuleSurface::default(),
            sections: ModuleSections::default(),
            functions: Vec::new(),
            wasi: Vec::new(),
            others: Vec::new(),
            callbacks: Vec::new(),
        };
        match fetcher.fetch(reference) {
            Ok(fetched) => {
                let (artifact, provenance) = fetched.into_parts();
                inspection.provenance = Some(provenance);
                inspection.look_at(&artifact, engine);
            }
            Err(error) => inspection.cannot_be_read(&error),
        }
        inspection
    }

    /// Whether it would load.
    pub(super) fn loads(&self) -> bool {
        self.problems.is_empty()
    }

    /// The newest version of proxy-wasm that it speaks.
    pub(super) fn proxy_wasm(&self) -> Option<ProxyWasmVersion> {
        self.abis.iter().find_map(|abi| match abi {
            Abi::ProxyWasm(version) => Some(*version),
            _ => None,
        })
    }

    /// What such a module may use where nobody says otherwise.
    pub(super) fn limits(&self) -> Limits {
        if self.trivy.is_some() {
            return wharf_abi_trivy::Settings::default().limits;
        }
        let limits = Limits::default();
        match self.policy {
            Some(_) => Limits {
                memory: POLICY_MEMORY,
                ..limits
            },
            None => limits,
        }
    }

    /// As what it would load, with an article.
    pub(super) fn role(&self) -> &'static str {
        match (&self.policy, &self.trivy) {
            (Some(policy), _) => policy.role(),
            (None, Some(_)) => "a module of Trivy",
            (None, None) => "a filter",
        }
    }

    /// The exports that are neither callbacks nor the marker of a version.
    pub(super) fn other_exports(&self) -> impl Iterator<Item = &Export> {
        let is_callback = |name: &str| self.callbacks.iter().any(|(callback, _)| *callback == name);
        self.surface
            .exports
            .iter()
            .filter(move |export| !is_callback(&export.name))
    }

    fn cannot_be_read(&mut self, error: &FetchError) {
        self.add_problem(with_causes(error), error.hint());
    }

    fn add_problem(&mut self, text: String, hint: impl Into<String>) {
        let hint = Some(hint.into()).filter(|hint| !hint.is_empty());
        self.problems.push(Problem { text, hint });
    }

    fn look_at(&mut self, artifact: &VerifiedArtifact, engine: &Engine) {
        let bytes = artifact.bytes();
        self.bytes = Some((artifact.digest(), bytes.len()));
        // Where these cannot be read, `identify` says why.
        self.surface = ModuleSurface::parse(bytes).unwrap_or_default();
        self.sections = ModuleSections::parse(bytes).unwrap_or_default();
        match identify(bytes) {
            Ok(identified) => {
                self.abis.clone_from(&identified.abis);
                self.policy = PolicyFindings::of(&identified);
                if self.policy.is_none() {
                    self.trivy = TrivyFindings::of(&identified);
                }
            }
            Err(error) => self.add_problem(with_causes(&error), error.hint()),
        }
        let version = self.proxy_wasm();
        self.sort_imports(version.unwrap_or(ProxyWasmVersion::V0_2_1));
        self.sort_callbacks(version.unwrap_or(ProxyWasmVersion::V0_2_1));
        match version {
            Some(version) => self.try_to_load(artifact, engine, version),
            None if self.policy.is_some() || self.trivy.is_some() => self.try_other(artifact, engine),
            None if self.problems.is_empty() => self.add_problem(
                "it is no proxy-wasm filter".to_owned(),
                "a filter exports proxy_abi_version_0_1_0, _0_2_0 or _0_2_1; a policy has Kubewarden's metadata, or exports `__guest_call` or \
                 `opa_eval`; a module of Trivy exports `is_analyzer`, `is_post_scanner` and the rest of its API",
            ),
            None => {}
        }
    }

    fn sort_imports(&mut self, version: ProxyWasmVersion) {
        let mut given: HashMap<_, _> = host_functions(version)
            .into_iter()
            .map(|function| ((function.module, function.name), function.support))
            .collect();
        let is_policy = self.policy.is_some() || self.trivy.is_some();
        if self.trivy.is_some() {
            for (module, name, support) in TrivyFindings::host_functions() {
                given.insert((module, name), support);
            }
        }
        if let Some(policy) = &self.policy {
            for name in policy.host_functions() {
                given.entry(name).or_insert(Support::Supported);
            }
        }
        for import in &self.surface.imports {
            let support = given.get(&(&*import.module, import.name.as_str())).copied();
            let used = Used {
                import: import.clone(),
                support: support.filter(|_| import.kind == ExternKind::Function || is_policy),
            };
            match &*import.module {
                "env" => self.functions.push(used),
                _ if is_policy && used.support.is_some() && !import.module.starts_with("wasi_") => {
                    self.functions.push(used);
                }
                module if module.starts_with("wasi_") => self.wasi.push(used),
                _ => self.others.push(used),
            }
        }
        for list in [&mut self.functions, &mut self.wasi, &mut self.others] {
            list.sort_by(|left, right| {
                let key = |used: &Used| (used.import.module.clone(), used.import.name.clone());
                key(left).cmp(&key(right))
            });
        }
    }

    fn sort_callbacks(&mut self, version: ProxyWasmVersion) {
        let exported = callbacks(version)
            .into_iter()
            .filter(|callback| self.surface.export(callback.name).is_some());
        self.callbacks = exported
            .map(|callback| (callback.name, callback.support))
            .collect();
    }

    fn try_other(&mut self, artifact: &VerifiedArtifact, engine: &Engine) {
        let limits = self.limits();
        let compiled = engine
            .check(artifact, &limits)
            .and_then(|()| engine.compile(artifact, &limits));
        let module = match compiled {
            Ok((module, _)) => module,
            Err(error) => return self.add_problem(with_causes(&error), error.hint()),
        };
        if let Some(policy) = &mut self.policy {
            self.problems.extend(policy.look_at(&module, &limits));
        }
        if let Some(trivy) = &mut self.trivy {
            self.problems.extend(trivy.look_at(&module));
        }
    }

    fn try_to_load(&mut self, artifact: &VerifiedArtifact, engine: &Engine, version: ProxyWasmVersion) {
        self.check_exports(version);
        let limits = Limits::default();
        let compiled = engine
            .check(artifact, &limits)
            .and_then(|()| engine.compile(artifact, &limits));
        let module = match compiled {
            Ok((module, _)) => module,
            Err(error) => return self.add_problem(with_causes(&error), error.hint()),
        };
        if let Err(error) = Program::new(&module, version, &limits) {
            for problem in error.problems {
                let (text, hint) = import_problem(&problem);
                self.add_problem(text, hint);
            }
        }
    }

    /// Holds the exports against what starting will look for.
    fn check_exports(&mut self, version: ProxyWasmVersion) {
        let allocators = ["malloc", "proxy_on_memory_allocate"];
        if !allocators.iter().any(|name| self.surface.export(name).is_some()) {
            let text = "it exports no allocator: neither `proxy_on_memory_allocate` nor `malloc`";
            let hint = "SDKs export one by themselves; without it the host can give the filter nothing";
            self.add_problem(text.to_owned(), hint);
        }
        let mut wanted = start_functions();
        wanted.extend(callbacks(version));
        for callback in wanted {
            let Some(export) = self.surface.export(callback.name) else {
                continue;
            };
            let is_called = !matches!(callback.support, Support::No(_));
            if is_called
                && !is_shadowed(&self.surface, callback.name)
                && *export.signature != *callback.signature
            {
                let text = format!(
                    "its `{}` is {}, and proxy-wasm {version} has {} there",
                    callback.name, export.signature, callback.signature
                );
                self.add_problem(
                    text,
                    "build it with an SDK of the version whose marker it exports",
                );
            }
        }
    }
}

/// Whether a function of the start is never looked at, because another one comes before it.
fn is_shadowed(surface: &ModuleSurface, name: &str) -> bool {
    match name {
        "_start" => surface.export("_initialize").is_some(),
        "proxy_on_memory_allocate" => surface.export("malloc").is_some(),
        _ => false,
    }
}

pub(super) fn import_problem(problem: &ImportProblem) -> (String, &'static str) {
    match problem {
        ImportProblem::Missing { module, name, wanted } => (
            format!("it imports `{module}.{name}` as {wanted}, and no such thing is known here"),
            "look which SDK or library asks for it; proxy-wasm and WASI preview 1 are what there is",
        ),
        ImportProblem::Mismatched {
            module,
            name,
            wanted,
            given,
        } => (
            format!("it imports `{module}.{name}` as {wanted}, and it is {given}"),
            "build it with an SDK of the version whose marker it exports",
        ),
    }
}
