//! `wharf scan`: a directory, an image or an SBOM, looked at by Trivy's modules.

pub(crate) mod arguments;
mod filters;
mod output;
mod plan;
mod progress;
mod registry;
mod target;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use wharf_config::ScanConfig;
use wharf_engine::{Engine, EngineSettings};
use wharf_loader::Loader;
use wharf_report::{Report, ScanResult, ScanWarning, WarningKind};
use wharf_scan::{
    Interrupt, LoadedModules, ModuleError, Modules, OnFault, Scan, ScanError, Scanned, Target,
    give_fingerprints, give_id,
};

use self::arguments::ScanArguments;
use self::plan::Plan;
use self::progress::Progress;
use crate::exit::Code;
use crate::words::{complain, say};

/// The exit code of a scan that is not complete, since a module failed.
const INCOMPLETE: u8 = 2;

/// The exit code of a scan that was interrupted, as shells have it for SIGINT.
const INTERRUPTED: u8 = 130;

/// How long a scan that was interrupted may take to end by itself: as long as a module may take for the file that it is looking at.
const GRACE: Duration = Duration::from_secs(1);

/// Scans, and writes the report.
pub(super) fn run(arguments: &ScanArguments) -> ExitCode {
    match try_run(arguments) {
        Ok(code) => ExitCode::from(code),
        Err(code) => code.into(),
    }
}

fn try_run(arguments: &ScanArguments) -> Result<u8, Code> {
    let plan = Plan::of(arguments)?;
    let mut filter = filters::read(&plan)?;
    let writer = output::Writer::of(&plan)?;
    let interrupt = Interrupt::new();
    end_on_signals(&interrupt);
    let given = plan.report.as_deref().map(target::read_report).transpose()?;
    let progress = Arc::new(Progress::new(plan.quiet));
    let target = match plan.target.as_deref() {
        Some(path) => match target::open(path, &plan, &interrupt, &progress) {
            Ok(target) => Some(target),
            Err(_) if interrupt.is_interrupted() => return Ok(INTERRUPTED),
            Err(code) => return Err(code),
        },
        None => None,
    };
    let loaded = load(&plan)?;
    let is_searched = matches!(target, Some(Target::Directory(_) | Target::Image(_)));
    if loaded.modules.is_empty() && loaded.failed.is_empty() && is_searched {
        say("warning: there is no module, so nothing is looked for: --module and --module-dir name some");
    }
    let scanned = Scan {
        target: target.as_ref(),
        artifact_name: &plan.artifact_name(),
        findings: given,
        modules: &loaded.modules,
        settings: &plan.settings,
        cache: plan.cache.as_ref(),
        interrupt: &interrupt,
        progress: &*progress,
    }
    .run();
    progress.finish();
    let scanned = match scanned {
        Ok(scanned) => scanned,
        Err(error @ ScanError::Interrupted) => {
            complain(&error, Some(&error.hint()));
            return Ok(INTERRUPTED);
        }
        Err(error) => {
            let hint = registry::hint(&error).map_or_else(|| error.hint(), str::to_owned);
            complain(&error, Some(&hint));
            return Err(match error {
                ScanError::Pattern(_) => Code::CommandLine,
                _ => Code::Failure,
            });
        }
    };
    let (warnings, is_incomplete) = all_warnings(&loaded, &scanned);
    let mut report = scanned.report;
    filter.bom = match &target {
        Some(Target::Sbom(sbom)) => sbom.link.clone(),
        _ => None,
    };
    filter.apply(&mut report);
    give_fingerprints(&mut report);
    report.created_at = plan.created_at.clone();
    give_id(&mut report);
    writer.write(&report, &warnings)?;
    tell(&warnings, writer.shows_warnings());
    Ok(match (is_incomplete, has_findings(&report)) {
        (true, _) => INCOMPLETE,
        (false, true) => plan.exit_code,
        (false, false) => 0,
    })
}

/// Loads the modules of a configuration and asks each what it is: how many can be used, and why others cannot.
pub(super) fn try_modules(loader: &Loader, config: &ScanConfig) -> (usize, Vec<ModuleError>) {
    let specs: Vec<_> = config
        .modules
        .iter()
        .map(|module| plan::of_config(module, None))
        .collect();
    match Modules::load(loader, &specs, None) {
        Ok(loaded) => (
            loaded.modules.len(),
            loaded.failed.into_iter().map(|(error, _)| error).collect(),
        ),
        // Each can be used by itself, which is what is asked here.
        Err(_) => (specs.len(), Vec::new()),
    }
}

fn load(plan: &Plan) -> Result<LoadedModules, Code> {
    let engine = Engine::new(EngineSettings {
        cache: plan.compiled.clone(),
        ..EngineSettings::default()
    });
    let engine = engine.map_err(|error| {
        complain(&error, None);
        Code::Failure
    })?;
    let loader = crate::plugins::loader(engine, plan.supply.fetcher());
    let loaded = Modules::load(&loader, &plan.modules, plan.enabled.as_deref());
    let loaded = loaded.map_err(|error| {
        complain(&error, Some("scan with fewer modules at once: --enable-modules"));
        Code::Plugin
    })?;
    let mut ends = false;
    for (error, on_fault) in &loaded.failed {
        match on_fault {
            OnFault::Fail => {
                complain(error, Some(&error.hint()));
                ends = true;
            }
            OnFault::Warn | OnFault::Skip => {
                tracing::warn!(plugin = %error.plugin, "a module is left out: {}", reason(error));
            }
        }
    }
    if ends { Err(Code::Plugin) } else { Ok(loaded) }
}

/// What is to be told beside the findings, and whether findings of a module may be missing.
fn all_warnings(loaded: &LoadedModules, scanned: &Scanned) -> (Vec<ScanWarning>, bool) {
    let left_out = loaded
        .failed
        .iter()
        .filter(|(_, on_fault)| *on_fault == OnFault::Warn)
        .map(|(error, _)| ScanWarning {
            module: Some(error.plugin.to_string()),
            ..ScanWarning::new(WarningKind::ModuleFault, reason(error))
        });
    let mut warnings: Vec<_> = left_out.collect();
    let is_incomplete = scanned.has_faults || !warnings.is_empty() || !loaded.warnings.is_empty();
    warnings.extend(loaded.warnings.iter().cloned());
    warnings.extend(scanned.warnings.iter().cloned());
    (warnings, is_incomplete)
}

/// Why a module is left out, with what to do.
fn reason(error: &ModuleError) -> String {
    format!(
        "it cannot be used: {}; {}",
        super::single::with_causes(&error.failure),
        error.hint()
    )
}

/// Says on stderr what the report says where nobody may see it: in a file, or in a form for programs.
fn tell(warnings: &[ScanWarning], are_shown: bool) {
    /// So many are said; of more only the number.
    const MOST: usize = 20;
    if are_shown {
        return;
    }
    for warning in warnings.iter().take(MOST) {
        say(format_args!("warning: {warning}"));
    }
    if let Some(more) = warnings.len().checked_sub(MOST).filter(|more| *more > 0) {
        say(format_args!("warning: {more} more, which the report has"));
    }
}

/// Whether something is left that an exit code is for.
fn has_findings(report: &Report) -> bool {
    let found = |result: &ScanResult| {
        let failed = result
            .misconfigurations
            .iter()
            .any(|found| found.status != "PASS");
        failed
            || !result.vulnerabilities.is_empty()
            || !result.secrets.is_empty()
            || !result.licenses.is_empty()
    };
    report.results.iter().any(found)
}

/// The first SIGINT or SIGTERM ends the scan; where it has not ended shortly after, or with the second signal, the process ends.
/// Nothing is lost by that: reports and what is kept for the next scan are written beside their places.
fn end_on_signals(interrupt: &Interrupt) {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let interrupt = interrupt.clone();
    let Ok(mut signals) = signal_hook::iterator::Signals::new([SIGINT, SIGTERM]) else {
        // Without it the signals do what they do by default, which is to end the process.
        return;
    };
    // Where there is no thread, signals are noticed by nobody; the system refuses much else then.
    let _ = std::thread::Builder::new()
        .name("wharf-signals".into())
        .spawn(move || {
            let mut signals = signals.forever();
            if signals.next().is_none() {
                return;
            }
            interrupt.interrupt();
            std::thread::sleep(GRACE);
            say("error: the scan was interrupted, and a module did not come back in time");
            end_at_once(INTERRUPTED);
        });
}

#[expect(
    clippy::exit,
    reason = "modules run on other threads, and there is no other way to end them at once"
)]
fn end_at_once(code: u8) {
    std::process::exit(i32::from(code));
}
