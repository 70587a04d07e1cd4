//! `wharf run --review` and `wharf run --operation`: a policy, or any waPC guest, by hand and with no server.

pub(crate) mod arguments;
mod guest;
pub(super) mod host;
pub(super) mod replay;
pub(super) mod report;
pub(super) mod review;

use std::cell::RefCell;
use std::fmt;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use wharf_abi_wapc::kubewarden::capability::{Capabilities, CapabilityPatterns, Grants, PatternError};
use wharf_abi_wapc::kubewarden::{
    AdmissionResponse, Metadata, Policy, PolicyError, PolicyFault, PolicyOptions, PolicyType, RegoError,
    ReviewRequest, Settings, SettingsVerdict,
};
use wharf_config::ConfigErrors;
use wharf_config::cases::{Clock, Randomness};
use wharf_distribution::Fetcher;
use wharf_engine::Deadline;
use wharf_loader::{LoadedPlugin, Loader};
use wharf_plugin::{Abi, ByteSize, Limits, PluginSpec, Reference};

use self::arguments::PolicyFlags;
use self::host::{Notes, RunHost, SharedWorld, World};
use self::replay::Recorded;
use super::single;
use crate::exit::Code;
use crate::plugins;
use crate::words::{colours, complain, explain, print, say};

/// What a review may take where nobody says otherwise, as in `admission:`.
const DEADLINE: Duration = Duration::from_secs(2);

/// What a policy may have where nobody says otherwise, as in `admission:`.
pub(super) const MEMORY: ByteSize = ByteSize::from_mib(256);

/// What is run, and what it may cost.
pub(super) struct Subject<'a> {
    pub(super) module: &'a Reference,
    /// What fetches it.
    pub(super) fetcher: &'a Fetcher,
    pub(super) deadline: Option<Duration>,
    pub(super) memory: Option<ByteSize>,
}

/// How the outcome is told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Output {
    pub(super) json: bool,
    pub(super) times: bool,
}

/// A module that cannot be asked about a review.
#[derive(Debug)]
struct NotAPolicy {
    module: Reference,
    abis: Vec<Abi>,
}

impl fmt::Display for NotAPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spoken: Vec<_> = self.abis.iter().map(ToString::to_string).collect();
        write!(
            f,
            "{} is no policy: its module speaks {}",
            self.module,
            spoken.join(", ")
        )
    }
}

impl std::error::Error for NotAPolicy {}

/// Why there is nothing to tell but an error.
pub(super) enum Stop {
    /// A file that was given cannot be used.
    File(Box<dyn std::error::Error>, String),
    /// The same, with the place in the file.
    Places(ConfigErrors),
    /// The command line is wrong.
    CommandLine(Box<dyn std::error::Error>, String),
    /// The module cannot be used.
    Module(Box<dyn std::error::Error + Send + Sync>, String),
    /// Something failed.
    Failure(Box<dyn std::error::Error>, String),
}

impl Stop {
    /// What happened with its reasons, what to do, and what the process says of it.
    pub(super) fn into_parts(self) -> (String, String, Code) {
        let told = |error: &dyn std::error::Error| single::with_causes(error);
        match self {
            Self::File(error, hint) => (told(error.as_ref()), hint, Code::Configuration),
            Self::Places(errors) => {
                let hint = "the case names this file".to_owned();
                (errors.render(false), hint, Code::Configuration)
            }
            Self::CommandLine(error, hint) => (told(error.as_ref()), hint, Code::CommandLine),
            Self::Module(error, hint) => (told(error.as_ref()), hint, Code::Plugin),
            Self::Failure(error, hint) => (told(error.as_ref()), hint, Code::Failure),
        }
    }

    pub(super) fn tell(self) -> Code {
        match self {
            Self::File(error, hint) => {
                complain(error.as_ref(), Some(&hint));
                Code::Configuration
            }
            Self::Places(errors) => {
                say(errors.render(colours()));
                Code::Configuration
            }
            Self::CommandLine(error, hint) => {
                complain(error.as_ref(), Some(&hint));
                Code::CommandLine
            }
            Self::Module(error, hint) => {
                complain(
                    error.as_ref(),
                    Some(&hint).filter(|hint| !hint.is_empty()).map(String::as_str),
                );
                Code::Plugin
            }
            Self::Failure(error, hint) => {
                complain(error.as_ref(), Some(&hint));
                Code::Failure
            }
        }
    }
}

/// One question to the policy: about its settings, or about the review.
pub(super) struct Stage<T> {
    pub(super) outcome: Result<T, PolicyFault>,
    pub(super) notes: Notes,
    took: Duration,
}

/// All that came of asking a policy.
struct Asked {
    name: String,
    policy: Policy,
    request: ReviewRequest,
    /// What is worth to know and no fault of the policy.
    remarks: Vec<String>,
    settings: Stage<SettingsVerdict>,
    /// None where the settings are refused.
    review: Option<Stage<AdmissionResponse>>,
    deadline: Duration,
}

impl Asked {
    /// Whether a verdict came.
    fn is_well(&self) -> bool {
        self.review.as_ref().is_some_and(|stage| stage.outcome.is_ok())
    }
}

/// Does what the flags ask for. None where they ask for nothing that is about policies.
pub(super) fn run(subject: &Subject<'_>, flags: &PolicyFlags, output: Output) -> Option<Code> {
    let outcome = match (&flags.review, &flags.operation) {
        (Some(review), _) => ask(subject, review, flags).and_then(|asked| tell(&asked, flags, output)),
        (None, Some(operation)) => guest::call(subject, operation, flags.payload.clone(), output),
        (None, None) => return None,
    };
    Some(outcome.unwrap_or_else(Stop::tell))
}

fn tell(asked: &Asked, flags: &PolicyFlags, output: Output) -> Result<Code, Stop> {
    let stages = [
        Some(&asked.settings.notes),
        asked.review.as_ref().map(|stage| &stage.notes),
    ];
    let calls = stages.into_iter().flatten().flat_map(|notes| &notes.calls);
    let (recording, unwritten) = match flags.record {
        Some(_) => replay::record(calls),
        None => Default::default(),
    };
    let printed = if output.json {
        print(format_args!(
            "{:#}",
            report::json(asked, &unwritten, output.times)
        ))
    } else {
        print(report::text(asked, &unwritten).trim_end())
    };
    if let Some(path) = &flags.record {
        std::fs::write(path, recording).map_err(|error| {
            let error = format!("{} cannot be written: {error}", path.display());
            Stop::Failure(
                error.into(),
                "name a file in a folder that can be written".to_owned(),
            )
        })?;
    }
    Ok(match printed {
        Err(_) => Code::Failure,
        Ok(()) if asked.is_well() => Code::Success,
        Ok(()) => Code::Plugin,
    })
}

/// Loads a module within what it may cost.
fn load(subject: &Subject<'_>) -> Result<(LoadedPlugin, Limits), Stop> {
    let engine = single::engine().map_err(|error| {
        let hint = "the machine has no memory, threads or cache folder for compiled modules".to_owned();
        Stop::Failure(error.into(), hint)
    })?;
    let limits = Limits {
        deadline: subject.deadline.unwrap_or(DEADLINE),
        memory: subject.memory.unwrap_or(MEMORY),
        ..Limits::default()
    };
    let loader = plugins::loader(engine, subject.fetcher);
    Ok((load_module(&loader, subject.module, &limits)?, limits))
}

/// Loads a module of any kind.
pub(super) fn load_module(
    loader: &Loader,
    module: &Reference,
    limits: &Limits,
) -> Result<LoadedPlugin, Stop> {
    let mut spec = PluginSpec::new(single::name_of(module), module.clone());
    spec.limits = limits.clone();
    loader.load(&spec).map_err(|error| {
        let own = error.hint();
        let hint = if own.is_empty() { inspect_hint(module) } else { own };
        Stop::Module(error.into(), hint)
    })
}

/// What a policy says of itself.
///
/// # Errors
/// Where the module is no policy, or what it says cannot be read.
pub(super) fn metadata_of(loaded: &LoadedPlugin, module: &Reference) -> Result<Option<Metadata>, Stop> {
    let identified = loaded.identified();
    let is_policy = |abi: &Abi| !matches!(abi, Abi::ProxyWasm(_) | Abi::TrivyModule);
    if !identified.abis.iter().any(is_policy) {
        let error = NotAPolicy {
            module: module.clone(),
            abis: identified.abis.clone(),
        };
        let hint = "only policies are asked about reviews; `wharf run` without --review, and cases with `plugin`, are for filters".to_owned();
        return Err(Stop::Module(error.into(), hint));
    }
    let metadata = identified.surface.kubewarden_metadata.as_deref();
    metadata.map(Metadata::parse).transpose().map_err(|error| {
        Stop::Module(
            single::with_causes(&error).into(),
            "annotate the policy anew with `kwctl annotate`".to_owned(),
        )
    })
}

/// Makes a policy of a module.
pub(super) fn policy_of(
    loaded: &LoadedPlugin,
    module: &Reference,
    metadata: Option<Metadata>,
    options: PolicyOptions,
) -> Result<Policy, Stop> {
    Policy::new(&loaded.module, loaded.identified(), metadata, options).map_err(|error| {
        let hint = hint(&error).map_or_else(|| inspect_hint(module), str::to_owned);
        Stop::Module(error.into(), hint)
    })
}

fn inspect_hint(module: &Reference) -> String {
    format!("`wharf inspect {module}` says what the module is")
}

/// Asks a policy about its settings, and about a review.
fn ask(subject: &Subject<'_>, review: &Path, flags: &PolicyFlags) -> Result<Asked, Stop> {
    let (loaded, limits) = load(subject)?;
    let metadata = metadata_of(&loaded, subject.module)?;
    let grants = grants(flags)?;
    let settings = settings(flags)?;
    let is_raw = flags.raw
        || metadata
            .as_ref()
            .is_some_and(|metadata| metadata.policy_type == PolicyType::Raw);
    let request = review::read(review, is_raw)?;
    let replay = flags.replay.as_deref().map(replay::read).transpose()?;
    let remarks = remarks(metadata.as_ref(), &grants);
    let (startup, deadline) = (limits.startup_deadline, limits.deadline);
    let options = PolicyOptions {
        mode: flags.execution_mode.map(Into::into),
        settings,
        grants,
        limits,
        ..PolicyOptions::default()
    };
    let policy = policy_of(&loaded, subject.module, metadata, options)?;
    let left = replay.as_ref().map(Recorded::shared);
    let capabilities: Box<dyn Capabilities> = match replay {
        Some(recorded) => Box::new(recorded),
        // A connection to a cluster would stand here.
        None => Box::new(()),
    };
    let world = World::new(capabilities, Clock::Real, Randomness::Real);
    let mut asked = Asked {
        name: loaded.name.to_string(),
        settings: stage(&world, startup, |host, deadline| {
            policy.validate_settings(host, deadline)
        }),
        policy,
        request,
        remarks,
        review: None,
        deadline,
    };
    if asked.settings.outcome.as_ref().is_ok_and(|verdict| verdict.valid) {
        let (policy, request) = (&asked.policy, &asked.request);
        asked.review = Some(stage(&world, deadline, |host, deadline| {
            policy.review(request, host, deadline)
        }));
    }
    if let Some(left) = left {
        asked.remarks.extend(left.unused());
    }
    Ok(asked)
}

/// Asks a policy something.
pub(super) fn stage<T>(
    world: &SharedWorld,
    time: Duration,
    ask: impl FnOnce(Box<RunHost>, Deadline) -> Result<T, PolicyFault>,
) -> Stage<T> {
    let started = Instant::now();
    let outcome = ask(Box::new(RunHost(Rc::clone(world))), Deadline::after(time));
    Stage {
        outcome,
        took: started.elapsed(),
        notes: std::mem::take(&mut RefCell::borrow_mut(world).notes),
    }
}

fn grants(flags: &PolicyFlags) -> Result<Grants, Stop> {
    let host_capabilities = CapabilityPatterns::parse(&flags.allow).map_err(|error: PatternError| {
        Stop::CommandLine(
            error.into(),
            "write for example `--allow 'kubernetes/*'`".to_owned(),
        )
    })?;
    Ok(Grants {
        context_aware_resources: flags.resources.iter().cloned().collect(),
        host_capabilities,
    })
}

fn settings(flags: &PolicyFlags) -> Result<Settings, Stop> {
    let Some(path) = &flags.settings else {
        return Ok(Settings::default());
    };
    settings_in(path)
}

/// The settings that a file has.
pub(super) fn settings_in(path: &Path) -> Result<Settings, Stop> {
    let json = wharf_config::kubewarden::read_settings(path).map_err(Stop::Places)?;
    Settings::parse(json.as_bytes()).map_err(|error| {
        let error = format!("{}: {}", path.display(), single::with_causes(&error));
        Stop::File(
            error.into(),
            "write `key: value`; for no settings write `{}`".to_owned(),
        )
    })
}

/// What the policy asks for in its metadata and will not get.
fn remarks(metadata: Option<&Metadata>, grants: &Grants) -> Vec<String> {
    let Some(metadata) = metadata else {
        return vec!["the module has no Kubewarden metadata; `kwctl annotate` adds them".to_owned()];
    };
    let flag = |missing: &String| match missing.split_once(": ") {
        Some(("contextAwareResources", kind)) => format!("--resource {kind}"),
        Some((_, pattern)) => format!("--allow '{pattern}'"),
        None => missing.clone(),
    };
    let missing = metadata.ungranted(grants);
    let flags = missing.iter().map(flag);
    flags
        .map(|flag| format!("its metadata ask for what it is not granted; `{flag}` grants it"))
        .collect()
}

/// What to do about a module that cannot be used.
fn hint(error: &PolicyError) -> Option<&'static str> {
    Some(match error {
        PolicyError::ModeNotNamed => "name it with --execution-mode, or with `executionMode` in a file",
        PolicyError::ModeContradicted { .. } => {
            "leave out --execution-mode, or `executionMode` in a file: the metadata say it"
        }
        PolicyError::WrongMode { .. } => {
            "name another with --execution-mode, or with `executionMode` in a file; or the wrong module was named"
        }
        PolicyError::ProtocolVersion => "build it with a current SDK of Kubewarden",
        PolicyError::Rego(RegoError::Program(error)) => error.hint(),
        PolicyError::NeedsNewer { .. } => "use an older release of the policy",
        _ => return None,
    })
}

/// The frames of the fault inside the guest; none where there are none.
fn backtrace(fault: &PolicyFault) -> Vec<String> {
    match fault {
        PolicyFault::Guest { fault, .. } => super::run::report::backtrace(fault),
        PolicyFault::Rego(wharf_abi_wapc::opa::EvalError::Fault(fault)) => {
            super::run::report::backtrace(fault)
        }
        _ => Vec::new(),
    }
}

/// Tells of an error with what else is known.
fn failed(error: &dyn std::error::Error, notes: &[String], hint: Option<&str>) -> Code {
    explain(error, notes, hint);
    Code::Plugin
}
