//! One file, and the modules that want it; on as many threads as there are workers.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, Scope};

use crossbeam_channel::{Receiver, Sender};
use wharf_abi_trivy::{AnalysisResult, CallError};
use wharf_artifact::{Flow, FoundFile, Problem, ProblemKind, Stamp};
use wharf_engine::FaultKind;
use wharf_plugin::ByteSize;
use wharf_plugin::units::format_duration;
use wharf_report::{ScanWarning, WarningKind};

use crate::error::ScanError;
use crate::findings::FileFindings;
use crate::interrupt::Interrupt;
use crate::modules::{Modules, OnFault, ScanModule};
use crate::progress::ScanProgress;
use crate::warnings::Warnings;

/// What the files may take together that were read and wait for a worker.
const MOST_WAITING: u64 = 256 << 20;

/// What modules may give in one scan, as JSON: it is all kept until the report is written.
const MOST_FOUND: u64 = 1 << 30;

/// How many files wait for each worker.
const WAITING: usize = 64;

/// What all threads of a scan share.
pub(crate) struct Analysis<'a> {
    pub(crate) modules: &'a Modules,
    pub(crate) interrupt: &'a Interrupt,
    pub(crate) progress: &'a dyn ScanProgress,
    pub(crate) file_size: ByteSize,
    pub(crate) workers: usize,
    pub(crate) warnings: Warnings,
    /// Whether files are of a layer, where one without findings counts as well.
    pub(crate) keeps_all: bool,
    waiting: Budget,
    found: AtomicU64,
    stopped: AtomicBool,
    failure: Mutex<Option<ScanError>>,
}

/// A file that modules want.
pub(crate) struct Job {
    /// The layer, by its place; 0 for a directory.
    pub(crate) layer: usize,
    /// The layer's digest, for warnings.
    pub(crate) layer_name: Option<Arc<str>>,
    pub(crate) path: String,
    pub(crate) wanting: Vec<usize>,
    pub(crate) contents: JobContents,
}

/// Where the bytes of a file are.
pub(crate) enum JobContents {
    /// The worker reads it.
    File(FoundFile),
    /// They were read before, and count among those that wait.
    Bytes(Arc<[u8]>),
}

/// What was found in a file, and whether it may be kept for the next scan.
pub(crate) struct Analyzed {
    pub(crate) layer: usize,
    pub(crate) findings: FileFindings,
    /// The state of the file that the findings are of; none where they are not complete.
    pub(crate) stamp: Option<Stamp>,
    pub(crate) is_complete: bool,
}

impl<'a> Analysis<'a> {
    pub(crate) fn new(
        modules: &'a Modules,
        interrupt: &'a Interrupt,
        progress: &'a dyn ScanProgress,
        file_size: ByteSize,
        workers: usize,
    ) -> Self {
        Self {
            modules,
            interrupt,
            progress,
            file_size,
            workers: workers.max(1),
            warnings: Warnings::default(),
            keeps_all: false,
            waiting: Budget::new(MOST_WAITING),
            found: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
            failure: Mutex::default(),
        }
    }

    /// Whether to go on.
    pub(crate) fn flow(&self) -> Flow {
        match self.is_stopped() {
            true => Flow::Stop,
            false => Flow::Continue,
        }
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed) || self.interrupt.is_interrupted()
    }

    /// Ends the scan with an error; the first one counts.
    pub(crate) fn fail(&self, error: ScanError) {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.get_or_insert(error);
        self.stopped.store(true, Ordering::Relaxed);
        self.waiting.close();
    }

    /// The error that ended the scan, if one did.
    ///
    /// # Errors
    /// That one, or that it was interrupted.
    pub(crate) fn outcome(&self) -> Result<(), ScanError> {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        match failure.take() {
            Some(error) => Err(error),
            None if self.interrupt.is_interrupted() => Err(ScanError::Interrupted),
            None => Ok(()),
        }
    }

    pub(crate) fn tell(&self, problem: &Problem) {
        let kind = match problem.kind() {
            ProblemKind::Unlistable { .. }
            | ProblemKind::Unreadable { .. }
            | ProblemKind::Gone
            | ProblemKind::Replaced => WarningKind::Unreadable,
            ProblemKind::LeavesRoot
            | ProblemKind::ImpossiblePath
            | ProblemKind::DanglingLink { .. }
            | ProblemKind::BadSparseMap => WarningKind::Image,
            _ => WarningKind::Limit,
        };
        self.warnings.add(ScanWarning {
            path: Some(problem.path().to_owned()),
            layer: problem.layer().map(str::to_owned),
            ..ScanWarning::new(kind, with_causes(problem.kind()))
        });
    }

    /// Starts the workers; they end when `jobs` has no sender any more.
    pub(crate) fn start_workers<'scope, 'env>(
        &'env self,
        scope: &'scope Scope<'scope, 'env>,
    ) -> std::io::Result<Workers<'scope>> {
        let (sender, receiver) = crossbeam_channel::bounded(self.workers * WAITING);
        let mut threads = Vec::new();
        for number in 0..self.workers {
            let receiver = receiver.clone();
            let thread = thread::Builder::new()
                .name(format!("wharf-scan-{number}"))
                .spawn_scoped(scope, move || self.work(&receiver));
            match thread {
                Ok(thread) => threads.push(thread),
                // Fewer threads do the same work.
                Err(_) if number > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(Workers { sender, threads })
    }

    fn work(&self, jobs: &Receiver<Job>) -> Vec<Analyzed> {
        let mut analyzed = Vec::new();
        for job in jobs {
            let size = match &job.contents {
                JobContents::Bytes(bytes) => bytes.len() as u64,
                JobContents::File(_) => 0,
            };
            // Those that wait when the scan is stopped are taken, so that nobody waits for their places, and not looked at.
            if !self.is_stopped() {
                analyzed.extend(self.look(job));
            }
            self.waiting.give_back(size);
        }
        analyzed
    }

    /// Hands a file to the workers; waits while too much waits for them.
    pub(crate) fn submit(&self, jobs: &Sender<Job>, job: Job) -> Flow {
        if let JobContents::Bytes(bytes) = &job.contents
            && !self.waiting.take(bytes.len() as u64)
        {
            return Flow::Stop;
        }
        // The workers live as long as the sender.
        let _ = jobs.send(job);
        self.flow()
    }

    fn look(&self, job: Job) -> Option<Analyzed> {
        let (bytes, stamp) = match job.contents {
            JobContents::Bytes(bytes) => (bytes, None),
            JobContents::File(file) => match file.read(self.file_size.bytes()) {
                Ok(contents) => (contents.bytes, contents.unchanged.then(|| file.stamp())),
                Err(problem) => {
                    self.tell(&problem);
                    return None;
                }
            },
        };
        let mut findings = FileFindings {
            path: job.path,
            found: Vec::new(),
        };
        let mut is_complete = true;
        for place in job.wanting {
            let Some(module) = self.modules.at(place) else {
                continue;
            };
            if module.is_left_out() {
                is_complete = false;
                continue;
            }
            match self.ask(module, &findings.path, &bytes) {
                Ok(result) if result.has_nothing() => {}
                Ok(result) => findings.found.push((place, result)),
                Err(error) => {
                    is_complete = false;
                    self.fault(module, Some(&findings.path), job.layer_name.as_deref(), &error);
                }
            }
            if self.is_stopped() {
                return None;
            }
        }
        self.progress.file(&findings.path);
        let is_kept = self.keeps_all || stamp.is_some() || !findings.found.is_empty();
        is_kept.then_some(Analyzed {
            layer: job.layer,
            findings,
            stamp: stamp.filter(|_| is_complete),
            is_complete,
        })
    }

    fn ask(&self, module: &ScanModule, path: &str, bytes: &Arc<[u8]>) -> Result<AnalysisResult, CallError> {
        let json = module
            .trivy
            .analyze_json(path, Arc::clone(bytes), module.trivy.deadline())?;
        let result = AnalysisResult::from_module(&json)?;
        if !result.has_nothing() {
            let before = self.found.fetch_add(json.len() as u64, Ordering::Relaxed);
            if before.saturating_add(json.len() as u64) > MOST_FOUND {
                self.fail(ScanError::TooMuchFound {
                    most: ByteSize::from_bytes(MOST_FOUND),
                    module: module.trivy.name().to_owned(),
                });
            }
        }
        Ok(result)
    }

    /// A call of a module failed: what that does to the scan.
    pub(crate) fn fault(
        &self,
        module: &ScanModule,
        path: Option<&str>,
        layer: Option<&str>,
        error: &CallError,
    ) {
        let name = module.trivy.name();
        let limit = module.trivy.settings().limits.deadline;
        let is_late = matches!(error, CallError::Fault { fault, .. } if matches!(fault.kind(), FaultKind::DeadlineExceeded { .. }));
        let reason = match is_late {
            // The fault says what was left of the deadline when the call began, which is not the same from run to run.
            true => format!("the module ran past its deadline of {}", format_duration(limit)),
            false => with_causes(error),
        };
        tracing::warn!(
            module = name,
            path,
            layer,
            fault = error.label(),
            "a module failed: {reason}; {}",
            error.hint()
        );
        let warn = |message: String| {
            self.warnings.add(ScanWarning {
                module: Some(name.to_owned()),
                path: path.map(str::to_owned),
                layer: layer.map(str::to_owned),
                ..ScanWarning::new(WarningKind::ModuleFault, message)
            });
        };
        match module.on_fault {
            OnFault::Fail => self.fail(ScanError::ModuleFault {
                module: name.to_owned(),
                path: path.map(str::to_owned),
                error: error.clone(),
            }),
            OnFault::Warn => warn(reason),
            OnFault::Skip => {}
        }
        if is_late && module.was_late() {
            let message = "the module reached its deadline too often and is not called any more in this scan";
            tracing::warn!(module = name, "{message}");
            if module.on_fault == OnFault::Warn {
                self.warnings.add(ScanWarning {
                    module: Some(name.to_owned()),
                    ..ScanWarning::new(WarningKind::ModuleFault, message)
                });
            }
        }
    }
}

/// The threads that look at files.
pub(crate) struct Workers<'scope> {
    pub(crate) sender: Sender<Job>,
    threads: Vec<thread::ScopedJoinHandle<'scope, Vec<Analyzed>>>,
}

impl Workers<'_> {
    /// What was found in all files, by layer and path.
    pub(crate) fn finish(self) -> Vec<Analyzed> {
        drop(self.sender);
        let mut analyzed = Vec::new();
        for thread in self.threads {
            match thread.join() {
                Ok(part) => analyzed.extend(part),
                // A panic of the host's own is not hidden.
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        analyzed.sort_by(|a, b| (a.layer, &a.findings.path).cmp(&(b.layer, &b.findings.path)));
        analyzed
    }
}

/// How many bytes may wait.
struct Budget {
    state: Mutex<(u64, bool)>,
    changed: Condvar,
    most: u64,
}

impl Budget {
    fn new(most: u64) -> Self {
        Self {
            state: Mutex::new((most, false)),
            changed: Condvar::new(),
            most,
        }
    }

    /// Waits until there is room; one that is larger than all room waits for all of it. False where nothing more is taken.
    fn take(&self, size: u64) -> bool {
        let size = size.min(self.most);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while state.0 < size && !state.1 {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.1 {
            return false;
        }
        state.0 -= size;
        true
    }

    fn give_back(&self, size: u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 = state.0.saturating_add(size.min(self.most)).min(self.most);
        self.changed.notify_all();
    }

    /// Whoever waits goes on, with nothing.
    fn close(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).1 = true;
        self.changed.notify_all();
    }
}

/// An error with the reasons behind it, in one line.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(reason) = cause {
        text = format!("{text}: {reason}");
        cause = reason.source();
    }
    text
}
