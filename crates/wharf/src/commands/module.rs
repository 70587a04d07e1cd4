//! `wharf run --file` and `wharf run --post-scan`: one of Trivy's modules by hand, with no scan around it.

pub(crate) mod arguments;

use std::fmt::Write;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use wharf_abi_trivy::{
    AnalysisResult, CallError, Changes, Host, LogLine, LogSource, ModuleInfo, Settings, TrivyModule,
};
use wharf_engine::Engine;
use wharf_report::{Report, ScanResult};

use self::arguments::ModuleFlags;
use super::policy::{Output, Stop, Subject, load_module};
use super::single::{self, shown};
use crate::exit::Code;
use crate::plugins;
use crate::words::print;

/// The largest file that is read here: the one that is looked at, and a report.
const MOST_BYTES: u64 = 256 << 20;

/// What came of a call.
struct Tried<T> {
    outcome: Result<T, CallError>,
    lines: Vec<Line>,
    took: std::time::Duration,
}

/// What the module said.
struct Line {
    source: LogSource,
    text: String,
}

/// Does what the flags ask for. None where they ask for nothing that is about modules.
pub(super) fn run(subject: &Subject<'_>, flags: &ModuleFlags, output: Output) -> Option<Code> {
    if flags.file.is_none() && flags.post_scan.is_none() {
        return None;
    }
    Some(try_run(subject, flags, output).unwrap_or_else(Stop::tell))
}

fn try_run(subject: &Subject<'_>, flags: &ModuleFlags, output: Output) -> Result<Code, Stop> {
    let host = Arc::new(RunHost::default());
    let module = load(subject, &host)?;
    let start_lines = host.take();
    let looked = match &flags.file {
        Some(file) => Some(analyze(&module, &host, file, flags.path.as_deref())?),
        None => None,
    };
    let scanned = match &flags.post_scan {
        Some(file) => Some(post_scan(&module, &host, file)?),
        None => None,
    };
    let is_well = looked.as_ref().is_none_or(|(_, _, tried)| tried.outcome.is_ok())
        && scanned.as_ref().is_none_or(|(_, tried)| tried.outcome.is_ok());
    let told = Told {
        info: module.info(),
        start_lines,
        looked,
        scanned,
    };
    let printed = if output.json {
        print(format_args!("{:#}", told.json(output.times)))
    } else {
        print(told.text().trim_end())
    };
    Ok(match printed {
        Err(_) => Code::Failure,
        Ok(()) if is_well => Code::Success,
        Ok(()) => Code::Plugin,
    })
}

fn load(subject: &Subject<'_>, host: &Arc<RunHost>) -> Result<TrivyModule, Stop> {
    let engine: Engine = single::engine().map_err(|error| {
        let hint = "the machine has no memory, threads or cache folder for compiled modules".to_owned();
        Stop::Failure(error.into(), hint)
    })?;
    let mut settings = Settings::default();
    if let Some(deadline) = subject.deadline {
        settings.limits.deadline = deadline;
    }
    if let Some(memory) = subject.memory {
        settings.limits.memory = memory;
    }
    let loader = plugins::loader(engine, subject.fetcher);
    let loaded = load_module(&loader, subject.module, &settings.limits)?;
    TrivyModule::load(&loaded.module, settings, Arc::clone(host) as Arc<dyn Host>).map_err(|error| {
        let hint = error.hint().to_owned();
        Stop::Module(format!("{} cannot be used: {error}", subject.module).into(), hint)
    })
}

type Looked = (String, bool, Tried<AnalysisResult>);

fn analyze(module: &TrivyModule, host: &RunHost, file: &Path, path: Option<&str>) -> Result<Looked, Stop> {
    let contents = read(file)?;
    // Modules see paths of a target, from its root on.
    let path = path.map_or_else(|| file.to_string_lossy().into_owned(), str::to_owned);
    let path = path.trim_start_matches("./").trim_start_matches('/').to_owned();
    let is_wanted = module.wants(&path);
    let started = Instant::now();
    let outcome = module.analyze(&path, contents.into(), module.deadline());
    let tried = Tried {
        outcome,
        took: started.elapsed(),
        lines: host.take(),
    };
    Ok((path, is_wanted, tried))
}

type PostScanned = (Vec<ScanResult>, Tried<Changes>);

fn post_scan(module: &TrivyModule, host: &RunHost, file: &Path) -> Result<PostScanned, Stop> {
    let mut results = read_results(file)?;
    let started = Instant::now();
    let outcome = module.post_scan(&mut results, module.deadline());
    let tried = Tried {
        outcome,
        took: started.elapsed(),
        lines: host.take(),
    };
    Ok((results, tried))
}

/// Reads a report of Trivy, or its results alone.
fn read_results(file: &Path) -> Result<Vec<ScanResult>, Stop> {
    let bytes = read(file)?;
    let is_list = bytes
        .iter()
        .find(|byte| !byte.is_ascii_whitespace())
        .is_some_and(|first| *first == b'[');
    let results = match is_list {
        true => wharf_report::json::from_json::<Vec<ScanResult>>(&bytes),
        false => Report::from_json(&bytes).map(|report| report.results),
    };
    results.map_err(|error| {
        Stop::File(
            format!("{} has no results: {error}", file.display()).into(),
            "--post-scan takes a report as `trivy --format json` writes it, or the list of its results"
                .to_owned(),
        )
    })
}

fn read(file: &Path) -> Result<Vec<u8>, Stop> {
    let read = || {
        let mut bytes = Vec::new();
        File::open(file)?.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MOST_BYTES {
            return Err(std::io::Error::other("it is larger than 256 MiB"));
        }
        Ok(bytes)
    };
    read().map_err(|error: std::io::Error| {
        let error = format!("{} cannot be read: {error}", file.display());
        Stop::File(error.into(), "check the path".to_owned())
    })
}

/// Keeps what the module says.
#[derive(Default)]
struct RunHost(Mutex<Vec<Line>>);

impl RunHost {
    fn take(&self) -> Vec<Line> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// So many lines of a module are kept.
const MOST_LINES: usize = 1_000;

impl Host for RunHost {
    fn log(&self, line: &LogLine<'_>) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() < MOST_LINES {
            lines.push(Line {
                source: line.source,
                text: line.text.trim_end().to_owned(),
            });
        }
    }

    fn realtime_nanoseconds(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
    }

    fn monotonic_nanoseconds(&self) -> u64 {
        self.realtime_nanoseconds()
    }
}

/// All that came of it.
struct Told<'a> {
    info: &'a ModuleInfo,
    start_lines: Vec<Line>,
    looked: Option<Looked>,
    scanned: Option<PostScanned>,
}

impl Told<'_> {
    /// As text. Writing to a text cannot fail, so the results of `writeln!` are not looked at.
    fn text(&self) -> String {
        let mut out = format!("{} version {}\n", shown(&self.info.name), self.info.version);
        said(&mut out, &self.start_lines);
        if let Some((path, is_wanted, tried)) = &self.looked {
            let _ = writeln!(out, "\nanalyze {}", shown(path));
            if !is_wanted {
                out.push_str(
                    "  in a scan it would not be asked: no pattern of `required` matches the path\n",
                );
            }
            said(&mut out, &tried.lines);
            match &tried.outcome {
                Ok(result) if result.has_nothing() => out.push_str("  found nothing\n"),
                Ok(result) => indented(&mut out, &wharf_report::to_json_pretty(result)),
                Err(error) => fault(&mut out, error),
            }
            let _ = writeln!(out, "  time: {:?}", tried.took);
        }
        if let Some((results, tried)) = &self.scanned {
            out.push_str("\npost-scan\n");
            said(&mut out, &tried.lines);
            match &tried.outcome {
                Ok(_) if self.info.post_scan.is_none() => {
                    out.push_str("  it is no post-scanner, and was not called\n")
                }
                Ok(changes) => {
                    let _ = writeln!(
                        out,
                        "  {} results inserted, {} findings updated, {} removed",
                        changes.inserted, changes.updated, changes.removed
                    );
                    indented(&mut out, &wharf_report::to_json_pretty(results));
                }
                Err(error) => fault(&mut out, error),
            }
            let _ = writeln!(out, "  time: {:?}", tried.took);
        }
        out
    }

    /// For programs.
    fn json(&self, times: bool) -> Value {
        let mut told = json!({
            "name": self.info.name,
            "version": self.info.version,
            "log": lines(&self.start_lines),
        });
        if let Some((path, is_wanted, tried)) = &self.looked {
            told["analyze"] = json!({
                "path": path,
                "required": is_wanted,
                "result": tried.outcome.as_ref().ok(),
                "fault": tried.outcome.as_ref().err().map(fault_json),
                "log": lines(&tried.lines),
            });
            if times {
                told["analyze"]["microseconds"] = json!(tried.took.as_micros() as u64);
            }
        }
        if let Some((results, tried)) = &self.scanned {
            let changes = tried.outcome.as_ref().ok();
            told["postScan"] = json!({
                "inserted": changes.map(|changes| changes.inserted),
                "updated": changes.map(|changes| changes.updated),
                "removed": changes.map(|changes| changes.removed),
                "results": changes.map(|_| results),
                "fault": tried.outcome.as_ref().err().map(fault_json),
                "log": lines(&tried.lines),
            });
            if times {
                told["postScan"]["microseconds"] = json!(tried.took.as_micros() as u64);
            }
        }
        told
    }
}

fn said(out: &mut String, lines: &[Line]) {
    for line in lines {
        let _ = writeln!(out, "  {}: {}", word(line.source), shown(&line.text));
    }
}

fn fault(out: &mut String, error: &CallError) {
    let _ = writeln!(out, "  fault: {}", shown(&single::with_causes(error)));
    if let CallError::Fault { fault, .. } = error {
        for frame in super::run::report::backtrace(fault) {
            let _ = writeln!(out, "    {}", shown(&frame));
        }
    }
    let _ = writeln!(out, "  hint: {}", error.hint());
}

fn fault_json(error: &CallError) -> Value {
    json!({
        "kind": error.label(),
        "message": single::with_causes(error),
        "hint": error.hint(),
    })
}

/// JSON that a module gave, with its control characters escaped as JSON has them.
fn indented(out: &mut String, json: &[u8]) {
    for line in String::from_utf8_lossy(json).lines() {
        let _ = writeln!(out, "  {}", shown(line));
    }
}

fn lines(lines: &[Line]) -> Vec<Value> {
    lines
        .iter()
        .map(|line| json!({ "source": word(line.source), "text": line.text }))
        .collect()
}

fn word(source: LogSource) -> &'static str {
    match source {
        LogSource::Debug => "debug",
        LogSource::Info => "info",
        LogSource::Warn => "warn",
        LogSource::Error => "error",
        LogSource::Stdout => "stdout",
        LogSource::Stderr => "stderr",
    }
}
