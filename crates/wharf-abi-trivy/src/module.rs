//! A module, loaded.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use wharf_engine::{Deadline, Imports, Linked, Module};
use wharf_plugin::Digest;

use crate::analysis::AnalysisResult;
use crate::error::{CallError, LoadError};
use crate::guest::Guest;
use crate::host::Host;
use crate::post_scan::{self, Changes, PostScanSpec};
use crate::required::Required;
use crate::settings::{Lifetime, Settings};
use crate::state::State;
use crate::{API_VERSION, hostcalls};
use wharf_report::ScanResult;
use wharf_report::json::{from_guest, to_vec};

/// The most instances that wait idle for their next call.
const MOST_IDLE: usize = 256;

/// What a module says that it is.
#[derive(Debug, Clone)]
pub struct ModuleInfo {
    /// Its name.
    pub name: String,
    /// The version of the module, not of the API.
    pub version: u32,
    /// The files that it analyzes, where it is an analyzer.
    pub required: Option<Required>,
    /// What it does after the scan, where it is a post-scanner.
    pub post_scan: Option<PostScanSpec>,
}

/// A module that is compiled, linked, and was asked what it is. Any number of threads may call it at once; under
/// [`Lifetime::Shared`] they wait for each other.
pub struct TrivyModule {
    linked: Linked<State>,
    info: ModuleInfo,
    settings: Settings,
    host: Arc<dyn Host>,
    idle: Mutex<Vec<Guest>>,
    shared: Mutex<Option<Guest>>,
}

impl fmt::Debug for TrivyModule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrivyModule")
            .field("info", &self.info)
            .field("digest", &self.digest())
            .finish_non_exhaustive()
    }
}

impl TrivyModule {
    /// Links a module, starts an instance, and asks it what it is, all within the startup deadline for each step. The
    /// instance is kept for the first call, unless the lifetime is [`Lifetime::Fresh`].
    ///
    /// It blocks the thread; compiling is done before.
    ///
    /// # Errors
    /// [`LoadError`]: the module imports what is not given, lacks what Trivy's API has, speaks another version of it, or fails.
    pub fn load(module: &Module, settings: Settings, host: Arc<dyn Host>) -> Result<Self, LoadError> {
        for export in ["memory", "malloc", "free"] {
            if !module.exports(export) {
                return Err(LoadError::MissingExport(export));
            }
        }
        let mut imports = Imports::new();
        hostcalls::add(&mut imports);
        let linked = module.link(&imports, &settings.limits)?;
        let state = State::new(Arc::clone(&host), settings.payload, settings.clock);
        let mut guest = Guest::start(&linked, state)?;
        let info = describe(&mut guest, Deadline::after(settings.limits.startup_deadline))?;
        let loaded = Self {
            linked,
            info,
            settings,
            host,
            idle: Mutex::default(),
            shared: Mutex::default(),
        };
        loaded.put_back(guest);
        Ok(loaded)
    }

    /// What it says that it is.
    pub fn info(&self) -> &ModuleInfo {
        &self.info
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.info.name
    }

    /// The digest of its bytes.
    pub fn digest(&self) -> Digest {
        self.linked.digest()
    }

    /// How it is run.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// A deadline for one call, from now, as the limits have it.
    pub fn deadline(&self) -> Deadline {
        Deadline::after(self.settings.limits.deadline)
    }

    /// Whether it wants to analyze the file at `path`, which is relative to the scanned target and has no slash at its
    /// beginning.
    pub fn wants(&self, path: &str) -> bool {
        self.info
            .required
            .as_ref()
            .is_some_and(|required| required.matches(path))
    }

    /// Lets the module look at a file: it is given the path with a slash before it, and sees the file there and nothing else.
    ///
    /// * `path`: relative to the scanned target, with no slash at its beginning.
    /// * `contents`: of the file; shared, not copied.
    /// * `deadline`: for the call; an instance that has to be started first has the startup deadline for that.
    ///
    /// It blocks the thread.
    ///
    /// # Errors
    /// [`CallError`]: the module says that it failed, gives what cannot be read, or did not get to its end. Other calls are
    /// not affected.
    pub fn analyze(
        &self,
        path: &str,
        contents: Arc<[u8]>,
        deadline: Deadline,
    ) -> Result<AnalysisResult, CallError> {
        AnalysisResult::from_module(&self.analyze_json(path, contents, deadline)?)
    }

    /// The same, and gives the JSON of the module as it is, which [`AnalysisResult::from_module`] reads.
    ///
    /// # Errors
    /// [`CallError`], as for [`TrivyModule::analyze`].
    pub fn analyze_json(
        &self,
        path: &str,
        contents: Arc<[u8]>,
        deadline: Deadline,
    ) -> Result<Vec<u8>, CallError> {
        let path = format!("/{path}");
        self.with_guest(|guest| {
            guest.instance.state_mut().show(&path, contents);
            let outcome = guest.analyze(&path, deadline);
            guest.instance.state_mut().hide();
            outcome
        })
    }

    /// Lets the module look at the results of the scan, and does to them what it says: inserts, updates or removes, by Trivy's
    /// rules. A module that is no post-scanner is not called.
    ///
    /// Trivy calls modules in the order of their names, one for each name, and ends the scan where one fails.
    ///
    /// It blocks the thread.
    ///
    /// # Errors
    /// [`CallError`], as for [`TrivyModule::analyze`]; the results are as they were then.
    pub fn post_scan(&self, results: &mut Vec<ScanResult>, deadline: Deadline) -> Result<Changes, CallError> {
        let Some(spec) = &self.info.post_scan else {
            return Ok(Changes::default());
        };
        let request = to_vec(&post_scan::payload(spec, results));
        let bytes = self.with_guest(|guest| guest.post_scan(&request, deadline))?;
        let given: Vec<ScanResult> = from_guest(&bytes).map_err(CallError::Json)?;
        Ok(post_scan::apply(spec, given, results))
    }

    /// Takes an instance for one call, as the lifetime says, and keeps it where it may be called again.
    fn with_guest<T>(&self, call: impl FnOnce(&mut Guest) -> Result<T, CallError>) -> Result<T, CallError> {
        if self.settings.lifetime == Lifetime::Shared {
            let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
            let mut guest = match shared.take() {
                Some(guest) => guest,
                None => self.start()?,
            };
            let outcome = call(&mut guest);
            *shared = Some(guest).filter(Guest::is_usable);
            return outcome;
        }
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut guest = match idle {
            Some(guest) => guest,
            None => self.start()?,
        };
        let outcome = call(&mut guest);
        self.put_back(guest);
        outcome
    }

    fn start(&self) -> Result<Guest, CallError> {
        let state = State::new(Arc::clone(&self.host), self.settings.payload, self.settings.clock);
        Guest::start(&self.linked, state).map_err(|error| match error {
            LoadError::Fault { fault, message } => CallError::Fault { fault, message },
            error => CallError::Load(Box::new(error)),
        })
    }

    fn put_back(&self, guest: Guest) {
        if !guest.is_usable() {
            return;
        }
        match self.settings.lifetime {
            Lifetime::Fresh => {}
            Lifetime::Shared => {
                *self.shared.lock().unwrap_or_else(PoisonError::into_inner) = Some(guest);
            }
            Lifetime::Reusable => {
                let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
                if idle.len() < MOST_IDLE && !guest.is_worn(self.settings.limits.memory) {
                    idle.push(guest);
                }
            }
        }
    }
}

fn describe(guest: &mut Guest, deadline: Deadline) -> Result<ModuleInfo, LoadError> {
    let name = String::from_utf8_lossy(&guest.description("name", deadline)?).into_owned();
    // Trivy takes the lower half of both.
    let version = guest.number("version", deadline)? as u32;
    let found = guest.number("api_version", deadline)? as u32;
    if found != API_VERSION {
        return Err(LoadError::ApiVersion { name, found });
    }
    let is_analyzer = guest.number("is_analyzer", deadline)? > 0;
    let is_post_scanner = guest.number("is_post_scanner", deadline)? > 0;
    let required = match is_analyzer {
        true => Some(required(guest, deadline)?),
        false => None,
    };
    let post_scan = match is_post_scanner {
        true => Some(post_scan_spec(guest, deadline)?),
        false => None,
    };
    Ok(ModuleInfo {
        name,
        version,
        required,
        post_scan,
    })
}

fn required(guest: &mut Guest, deadline: Deadline) -> Result<Required, LoadError> {
    const NAME: &str = "required";
    let bytes = guest.description(NAME, deadline)?;
    let patterns: Vec<String> = from_guest(&bytes).map_err(|error| LoadError::Json {
        function: NAME,
        error,
    })?;
    Ok(Required::new(patterns)?)
}

fn post_scan_spec(guest: &mut Guest, deadline: Deadline) -> Result<PostScanSpec, LoadError> {
    const NAME: &str = "post_scan_spec";
    let bytes = guest.description(NAME, deadline)?;
    from_guest(&bytes).map_err(|error| LoadError::Json {
        function: NAME,
        error,
    })
}
