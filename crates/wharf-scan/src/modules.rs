//! The modules of a scan: loaded once, asked what they are, and known by their places from then on.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use sha2::{Digest as _, Sha256};
use wharf_abi_trivy::{Clock, Lifetime, LoadError, PatternError, RequiredSet, Settings, TrivyModule};
use wharf_loader::Loader;
use wharf_plugin::{PluginName, PluginSpec};
use wharf_report::{ScanWarning, WarningKind};

use crate::host::ModuleHost;
use crate::parallel;

/// After so many calls of a module that reached their deadlines it is left out of the rest of the scan: a module that loops on
/// every file would take its deadline for each of them.
const MOST_DEADLINES: u32 = 5;

/// A module as its deployer asks for it.
#[derive(Debug, Clone)]
pub struct ModuleSpec {
    /// Its plugin. The limits are those of `settings`.
    pub plugin: PluginName,
    /// Where its bytes are.
    pub source: wharf_plugin::Reference,
    /// When a registry is asked for them; none for what the loader's fetcher says.
    pub pull_policy: Option<wharf_plugin::PullPolicy>,
    /// How it is run.
    pub settings: Settings,
    /// What a fault of it does to the scan.
    pub on_fault: OnFault,
}

/// What a module's fault does to the scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OnFault {
    /// It ends the scan.
    Fail,
    /// The report has a warning, and the scan goes on; whoever reads the outcome learns that it is not complete.
    #[default]
    Warn,
    /// The scan goes on as if the module had found nothing; only the log has a line.
    Skip,
}

impl OnFault {
    /// The word in a configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Warn => "warn",
            Self::Skip => "skip",
        }
    }
}

/// Why a module is not among those of a scan.
#[derive(Debug, thiserror::Error)]
#[error("the module `{plugin}` ({source_reference}) cannot be used")]
pub struct ModuleError {
    /// Its plugin.
    pub plugin: PluginName,
    /// Where its bytes are.
    pub source_reference: wharf_plugin::Reference,
    /// Why.
    #[source]
    pub failure: ModuleFailure,
}

/// What is wrong with a module.
#[derive(Debug, thiserror::Error)]
pub enum ModuleFailure {
    /// It cannot be had or compiled.
    #[error(transparent)]
    Load(Box<wharf_loader::LoadFailure>),
    /// It does not do what Trivy's API asks for.
    #[error(transparent)]
    Module(#[from] LoadError),
}

impl ModuleError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match &self.failure {
            ModuleFailure::Load(failure) => failure.hint(),
            ModuleFailure::Module(error) => error.hint().to_owned(),
        }
    }
}

/// A module that runs.
pub(crate) struct ScanModule {
    pub(crate) plugin: PluginName,
    pub(crate) trivy: TrivyModule,
    pub(crate) on_fault: OnFault,
    deadlines: AtomicU32,
    left_out: AtomicBool,
}

impl ScanModule {
    /// Notes that a call reached its deadline, and says whether the module is left out from now on, which it says once.
    pub(crate) fn was_late(&self) -> bool {
        let count = self.deadlines.fetch_add(1, Ordering::Relaxed) + 1;
        count >= MOST_DEADLINES && !self.left_out.swap(true, Ordering::Relaxed)
    }

    /// Whether it is called no more.
    pub(crate) fn is_left_out(&self) -> bool {
        self.left_out.load(Ordering::Relaxed)
    }

    /// Whether what it finds in a file follows from the file alone.
    fn is_repeatable(&self) -> bool {
        let settings = self.trivy.settings();
        settings.lifetime != Lifetime::Shared && settings.clock == Clock::Fixed
    }
}

/// The modules of a scan, in the order of their names. Cheap to clone.
#[derive(Clone)]
pub struct Modules {
    modules: Arc<[ScanModule]>,
    required: Arc<RequiredSet>,
}

/// What came of loading modules.
pub struct LoadedModules {
    /// Those that can be used.
    pub modules: Modules,
    /// Those that cannot, each with what it would do to the scan.
    pub failed: Vec<(ModuleError, OnFault)>,
    /// What is odd: names that no module has, modules of the same name.
    pub warnings: Vec<ScanWarning>,
}

impl Modules {
    /// Loads modules, as many at once as there are cores: compiles them or maps them from the cache, starts each once, and asks
    /// it what it is.
    ///
    /// * `enabled`: where given, the names of those that are wanted, as the modules say them; empty for none.
    ///
    /// # Errors
    /// [`PatternError`] where the patterns of all modules are too large together. Modules that fail are told of in
    /// [`LoadedModules::failed`].
    pub fn load(
        loader: &Loader,
        specs: &[ModuleSpec],
        enabled: Option<&[String]>,
    ) -> Result<LoadedModules, PatternError> {
        let loaded = parallel::map(specs, |spec| load_one(loader, spec));
        let mut failed = Vec::new();
        let mut modules = Vec::new();
        for (outcome, spec) in loaded.into_iter().zip(specs) {
            match outcome {
                Ok(module) => modules.push(module),
                Err(error) => failed.push((error, spec.on_fault)),
            }
        }
        let mut warnings = unknown_names(enabled, &modules);
        modules.retain(|module| is_enabled(enabled, module.trivy.name()));
        // Stable: of two with one name the first that was given stays.
        modules.sort_by(|a, b| a.trivy.name().cmp(b.trivy.name()));
        let mut names = HashSet::new();
        modules.retain(|module| {
            let is_first = names.insert(module.trivy.name().to_owned());
            if !is_first {
                warnings.push(same_name(module));
            }
            is_first
        });
        let required = RequiredSet::new(modules.iter().map(|module| module.trivy.info().required.as_ref()))?;
        Ok(LoadedModules {
            modules: Self {
                modules: modules.into(),
                required: Arc::new(required),
            },
            failed,
            warnings,
        })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.modules.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.modules.is_empty()
    }

    /// What they say that they are, in the order of their names.
    pub fn infos(&self) -> impl Iterator<Item = &wharf_abi_trivy::ModuleInfo> {
        self.modules.iter().map(|module| module.trivy.info())
    }

    pub(crate) fn at(&self, place: usize) -> Option<&ScanModule> {
        self.modules.get(place)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &ScanModule> {
        self.modules.iter()
    }

    /// The places of those that want to analyze `path`.
    pub(crate) fn wanting(&self, path: &str) -> Vec<usize> {
        self.required.matching(path)
    }

    /// What findings depend on beside the files: the modules and how they are run. None where findings do not follow from the
    /// files alone, since a module keeps something between them or is told the time.
    pub(crate) fn fingerprint(&self) -> Option<[u8; 32]> {
        let mut hash = Sha256::new();
        for module in self.modules.iter() {
            if !module.is_repeatable() {
                return None;
            }
            let settings = module.trivy.settings();
            hash.update(module.trivy.digest().as_bytes());
            hash.update(settings.lifetime.as_str().as_bytes());
            hash.update(settings.limits.memory.bytes().to_le_bytes());
            hash.update(settings.payload.response.bytes().to_le_bytes());
        }
        Some(hash.finalize().into())
    }
}

fn load_one(loader: &Loader, spec: &ModuleSpec) -> Result<ScanModule, ModuleError> {
    let error = |failure: ModuleFailure| ModuleError {
        plugin: spec.plugin.clone(),
        source_reference: spec.source.clone(),
        failure,
    };
    let plugin = PluginSpec {
        limits: spec.settings.limits.clone(),
        pull_policy: spec.pull_policy,
        ..PluginSpec::new(spec.plugin.clone(), spec.source.clone())
    };
    let loaded = loader
        .load(&plugin)
        .map_err(|failed| error(ModuleFailure::Load(failed.failure)))?;
    let host = Arc::new(ModuleHost::new(spec.plugin.clone()));
    let trivy = TrivyModule::load(&loaded.module, spec.settings.clone(), host)
        .map_err(|failed| error(failed.into()))?;
    Ok(ScanModule {
        plugin: spec.plugin.clone(),
        trivy,
        on_fault: spec.on_fault,
        deadlines: AtomicU32::new(0),
        left_out: AtomicBool::new(false),
    })
}

fn is_enabled(enabled: Option<&[String]>, name: &str) -> bool {
    enabled.is_none_or(|enabled| enabled.iter().any(|wanted| wanted == name))
}

/// Names that were asked for and that no module has: a scan without them would find nothing and say nothing.
fn unknown_names(enabled: Option<&[String]>, modules: &[ScanModule]) -> Vec<ScanWarning> {
    let known = |wanted: &String| modules.iter().any(|module| module.trivy.name() == wanted);
    let names: Vec<_> = modules.iter().map(|module| module.trivy.name()).collect();
    enabled
        .unwrap_or_default()
        .iter()
        .filter(|wanted| !known(wanted))
        .map(|wanted| {
            let message = match names.as_slice() {
                [] => "no module has this name: none was loaded".to_owned(),
                names => format!("no module has this name; there are {}", names.join(", ")),
            };
            of_module(wanted, WarningKind::Other, message)
        })
        .collect()
}

fn same_name(module: &ScanModule) -> ScanWarning {
    let message = format!(
        "the module of the plugin `{}` is left out: another has the same name",
        module.plugin
    );
    of_module(module.trivy.name(), WarningKind::Other, message)
}

fn of_module(name: &str, kind: WarningKind, message: String) -> ScanWarning {
    ScanWarning {
        module: Some(name.to_owned()),
        ..ScanWarning::new(kind, message)
    }
}
