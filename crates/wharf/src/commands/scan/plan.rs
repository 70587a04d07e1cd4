//! What is to be done, by the flags, the configuration, and Trivy's configuration behind them.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use wharf_abi_trivy::{Clock, Lifetime, Settings};
use wharf_config::trivy::TrivySettings;
use wharf_config::{Config, ModuleFault, ModuleState, ScanConfig, ScanModuleConfig};
use wharf_engine::CompiledCache;
use wharf_plugin::Reference;
use wharf_report::Timestamp;
use wharf_scan::{ModuleSpec, OnFault, ResultCache, ScanSettings};

use super::arguments::{FaultChoice, ScanArguments, TargetChoice};
use super::registry::{self, RemoteName};
use crate::commands::{load, single};
use crate::exit::Code;
use crate::plugins;
use crate::supply::{Supply, SupplyArguments};
use crate::words::{complain, say};

/// What is to be done.
pub(super) struct Plan {
    pub(super) target: Option<PathBuf>,
    pub(super) target_type: TargetChoice,
    /// The image in a registry that the target names, where it does.
    pub(super) remote: Option<RemoteName>,
    pub(super) platform: Option<String>,
    pub(super) report: Option<PathBuf>,
    pub(super) modules: Vec<ModuleSpec>,
    pub(super) supply: Supply,
    pub(super) enabled: Option<Vec<String>>,
    pub(super) settings: ScanSettings,
    pub(super) cache: Option<ResultCache>,
    pub(super) compiled: Option<CompiledCache>,
    pub(super) format: &'static str,
    pub(super) template: Option<String>,
    pub(super) output: Option<PathBuf>,
    pub(super) severities: Option<Vec<&'static str>>,
    pub(super) ignore_unfixed: bool,
    pub(super) ignore_file: Option<PathBuf>,
    pub(super) vex: Vec<PathBuf>,
    pub(super) show_suppressed: bool,
    pub(super) exit_code: u8,
    pub(super) quiet: bool,
    /// What the report says about when it was made: SOURCE_DATE_EPOCH, and otherwise nothing, so that reports are the same from
    /// run to run.
    pub(super) created_at: Option<Timestamp>,
}

impl Plan {
    /// Puts together what is to be done; says what is wrong.
    pub(super) fn of(arguments: &ScanArguments) -> Result<Self, Code> {
        let config = match &arguments.config {
            Some(path) => Some(load(path)?),
            None => None,
        };
        let scan = config
            .as_ref()
            .and_then(|config| config.scan.clone())
            .unwrap_or_default();
        if let Some(path) = &arguments.config
            && config.as_ref().is_some_and(|config| config.scan.is_none())
        {
            say(format_args!("warning: {} has no section `scan:`", path.display()));
        }
        let trivy = match &arguments.trivy_config {
            Some(path) => trivy_settings(path)?,
            None => TrivySettings::default(),
        };
        let remote = match &arguments.target {
            Some(target) => registry::named(target, arguments.target_type)?,
            None => None,
        };
        let modules = modules(arguments, &scan, &trivy)?;
        let supply = supply(arguments, config.as_ref(), &modules, remote.is_some())?;
        let configured = config.as_ref().and_then(|config| config.cache.directory.clone());
        let cache_directory = match configured {
            Some(directory) => Some(directory.join("scan")),
            // Beside the compiled modules.
            None => CompiledCache::default_directory().map(|compiled| compiled.with_file_name("scan")),
        };
        let keeps = scan.cache.enabled && !arguments.no_cache;
        let format = match (arguments.format, scan.format, trivy.format.as_deref()) {
            (Some(format), ..) | (None, Some(format), _) => format,
            (None, None, Some(word)) => known(word, wharf_config::REPORT_FORMATS, "format")?,
            (None, None, None) => "table",
        };
        let severities = match (&arguments.severity, &scan.severities, trivy.severity.as_slice()) {
            (Some(severities), ..) | (None, Some(severities), _) => Some(severities.clone()),
            (None, None, []) => None,
            (None, None, words) => Some(
                words
                    .iter()
                    .map(|word| known(word, wharf_config::SEVERITIES, "severity"))
                    .collect::<Result<_, _>>()?,
            ),
        };
        let template = arguments
            .template
            .clone()
            .or_else(|| scan.template.clone())
            .or_else(|| trivy.template.clone());
        if format == "template" && template.is_none() {
            say("error: the format `template` needs a template\n\nhint: --template @FILE");
            return Err(Code::CommandLine);
        }
        let vex = match arguments.vex.as_slice() {
            [] if scan.vex.is_empty() => trivy.vex.iter().map(PathBuf::from).collect(),
            [] => scan.vex.clone(),
            vex => vex.to_vec(),
        };
        Ok(Self {
            target: arguments.target.clone(),
            target_type: arguments.target_type,
            remote,
            platform: arguments.platform.clone(),
            report: arguments.report.clone(),
            modules,
            supply,
            enabled: arguments
                .enable_modules
                .clone()
                .or_else(|| scan.enable_modules.clone())
                .or_else(|| some(&trivy.enable_modules)),
            settings: ScanSettings {
                skip_directories: patterns(&arguments.skip_dirs, &scan.skip_directories, &trivy.skip_dirs),
                skip_files: patterns(&arguments.skip_files, &scan.skip_files, &trivy.skip_files),
                file_size: scan.limits.file_size,
                files: scan.limits.files,
                image_size: scan.limits.image_size,
                workers: arguments
                    .parallel
                    .or(scan.limits.workers)
                    .or(trivy.parallel.filter(|workers| *workers > 0)),
            },
            cache: cache_directory
                .as_ref()
                .filter(|_| keeps)
                .map(|directory| ResultCache::new(directory.clone(), scan.cache.size)),
            compiled: match &config {
                Some(config) => plugins::cache(config),
                None => CompiledCache::default_directory().map(CompiledCache::new),
            },
            format,
            template: template.filter(|_| format == "template"),
            output: arguments
                .output
                .clone()
                .or_else(|| scan.output.clone())
                .or_else(|| trivy.output.clone()),
            severities,
            ignore_unfixed: arguments.ignore_unfixed
                || scan.ignore_unfixed
                || trivy.ignore_unfixed.unwrap_or(false),
            ignore_file: arguments
                .ignorefile
                .clone()
                .or_else(|| scan.ignore_file.clone())
                .or_else(|| trivy.ignore_file.clone()),
            vex,
            show_suppressed: arguments.show_suppressed
                || scan.show_suppressed
                || trivy.show_suppressed.unwrap_or(false),
            exit_code: arguments
                .exit_code
                .or((scan.exit_code > 0).then_some(scan.exit_code))
                .or(trivy.exit_code)
                .unwrap_or(0),
            quiet: arguments.quiet || trivy.quiet.unwrap_or(false),
            created_at: source_date()?,
        })
    }

    /// The absolute path of a target that is a directory.
    pub(super) fn root(&self) -> Option<String> {
        let target = self.target.as_ref().filter(|target| target.is_dir())?;
        let root = std::fs::canonicalize(target).ok()?;
        Some(root.to_str()?.to_owned())
    }

    /// What the report calls the target: as it was named, but for what a path does not need. An image in a registry is called so
    /// without the scheme, as in Trivy.
    pub(super) fn artifact_name(&self) -> String {
        if let Some(remote) = &self.remote {
            return remote.written.clone();
        }
        let Some(target) = &self.target else {
            return String::new();
        };
        // Leaves out `.` within the path, slashes that are repeated, and one at the end.
        let cleaned: PathBuf = target
            .components()
            .filter(|component| *component != Component::CurDir)
            .collect();
        match cleaned.as_os_str().is_empty() {
            true => ".".to_owned(),
            false => cleaned.to_string_lossy().into_owned(),
        }
    }
}

/// Where the modules come from, and images of registries.
fn supply(
    arguments: &ScanArguments,
    config: Option<&Config>,
    modules: &[ModuleSpec],
    is_remote: bool,
) -> Result<Supply, Code> {
    let (Some(config), Some(path)) = (config, &arguments.config) else {
        let flags = SupplyArguments {
            wharf_config: None,
            locked: arguments.locked,
        };
        let is_remote = is_remote || modules.iter().any(|module| module.source.as_file().is_none());
        return Supply::by_flags_for(&flags, is_remote);
    };
    Supply::of(config, path, arguments.locked).map_err(|error| {
        complain(&error, Some(error.hint()));
        Code::Configuration
    })
}

/// The modules of the configuration, then those of flags, then those of directories, by their paths.
fn modules(
    arguments: &ScanArguments,
    scan: &ScanConfig,
    trivy: &TrivySettings,
) -> Result<Vec<ModuleSpec>, Code> {
    let default = match arguments.on_fault {
        Some(FaultChoice::Fail) => OnFault::Fail,
        Some(FaultChoice::Skip) => OnFault::Skip,
        Some(FaultChoice::Warn) | None => OnFault::Warn,
    };
    let mut modules: Vec<_> = scan
        .modules
        .iter()
        .map(|module| of_config(module, arguments.on_fault))
        .collect();
    modules.extend(arguments.module.iter().map(|source| by_itself(source, default)));
    let directory = arguments
        .module_dir
        .as_ref()
        .or(scan.module_directory.as_ref())
        .or(trivy.module_dir.as_ref());
    if let Some(directory) = directory {
        let files = module_files(directory).map_err(|(path, error)| {
            say(format_args!(
                "error: the directory of modules {} cannot be read: {error}\n\nhint: check --module-dir",
                path.display()
            ));
            Code::Failure
        })?;
        modules.extend(
            files
                .into_iter()
                .map(|path| by_itself(&Reference::File(path), default)),
        );
    }
    Ok(modules)
}

/// A module as the configuration has it; a flag says otherwise of its faults.
pub(super) fn of_config(module: &ScanModuleConfig, on_fault: Option<FaultChoice>) -> ModuleSpec {
    let configured = match module.on_fault {
        ModuleFault::Fail => OnFault::Fail,
        ModuleFault::Warn => OnFault::Warn,
        ModuleFault::Skip => OnFault::Skip,
    };
    ModuleSpec {
        plugin: module.plugin.clone(),
        source: module.source.clone(),
        pull_policy: module.pull_policy,
        settings: Settings {
            limits: module.limits.clone(),
            lifetime: match module.state {
                ModuleState::Pooled => Lifetime::Reusable,
                ModuleState::Shared => Lifetime::Shared,
                ModuleState::Fresh => Lifetime::Fresh,
            },
            clock: if module.real_clock {
                Clock::Real
            } else {
                Clock::Fixed
            },
            ..Settings::default()
        },
        on_fault: match on_fault {
            Some(FaultChoice::Fail) => OnFault::Fail,
            Some(FaultChoice::Warn) => OnFault::Warn,
            Some(FaultChoice::Skip) => OnFault::Skip,
            None => configured,
        },
    }
}

fn by_itself(source: &Reference, on_fault: OnFault) -> ModuleSpec {
    ModuleSpec {
        plugin: single::name_of(source),
        source: source.clone(),
        pull_policy: None,
        settings: Settings::default(),
        on_fault,
    }
}

/// The `.wasm` files below a directory, by their paths. Links to directories are not followed, so that there is an end.
fn module_files(directory: &Path) -> Result<Vec<PathBuf>, (PathBuf, std::io::Error)> {
    let mut files = BTreeSet::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        let failed = |error| (directory.clone(), error);
        for entry in std::fs::read_dir(&directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let path = entry.path();
            let kind = entry.file_type().map_err(failed)?;
            if kind.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "wasm") && path.is_file() {
                files.insert(path);
            }
        }
    }
    Ok(files.into_iter().collect())
}

fn trivy_settings(path: &Path) -> Result<TrivySettings, Code> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            say(format_args!(
                "error: Trivy's configuration {} cannot be read: {error}",
                path.display()
            ));
            return Err(Code::Configuration);
        }
    };
    match wharf_config::trivy::parse_trivy_yaml(path, &text) {
        Ok(settings) => {
            for unused in &settings.unused {
                say(format_args!(
                    "warning: {}:{}: `{}` has no counterpart and does nothing",
                    path.display(),
                    unused.line,
                    unused.key
                ));
            }
            Ok(settings)
        }
        Err(errors) => {
            say(errors.render(crate::words::colours()));
            Err(Code::Configuration)
        }
    }
}

fn known(word: &str, words: &'static [&'static str], what: &str) -> Result<&'static str, Code> {
    let found = words.iter().find(|known| known.eq_ignore_ascii_case(word));
    found.copied().ok_or_else(|| {
        say(format_args!(
            "error: the {what} \"{}\" of Trivy's configuration is not known here\n\nhint: there are {}",
            word.escape_debug(),
            words.join(", ")
        ));
        Code::Configuration
    })
}

fn some(names: &[String]) -> Option<Vec<String>> {
    (!names.is_empty()).then(|| names.to_vec())
}

fn patterns(flag: &Option<Vec<String>>, configured: &[String], trivy: &[String]) -> Vec<String> {
    match flag {
        Some(patterns) => patterns.clone(),
        None if configured.is_empty() => trivy.to_vec(),
        None => configured.to_vec(),
    }
}

/// SOURCE_DATE_EPOCH, which those set who build the same thing twice: the seconds since 1970.
fn source_date() -> Result<Option<Timestamp>, Code> {
    let Some(value) = std::env::var_os("SOURCE_DATE_EPOCH").filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let seconds = value.to_str().and_then(|value| value.parse::<i64>().ok());
    let stamp = seconds.and_then(|seconds| Timestamp::from_unix(seconds, 0));
    stamp.map(Some).ok_or_else(|| {
        say(format_args!(
            "error: SOURCE_DATE_EPOCH is {value:?}, and is to be a number of seconds since 1970"
        ));
        Code::CommandLine
    })
}
