//! Cases of filters.

mod compare;
mod headers;
mod message;
mod outcome;
mod plan;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use wharf_config::cases::{FilterCase, Form};
use wharf_loader::Loader;
use wharf_plugin::{Limits, Reference};

use super::case::{Broken, Case, Outcome, Place, lines_shown};
use super::discovery::CaseFile;
use super::golden;
use crate::commands::run::report::{self, Telling};
use crate::commands::run::{self, NotReady, Ready, Run};
use crate::commands::single::{shown, with_causes};
use crate::exit::Code;

/// What the cases of all files share: each filter is loaded once for each set of limits, when its first case wants it.
pub(super) struct Filters {
    loader: Arc<Loader>,
    ready: Mutex<HashMap<(Reference, Limits), Arc<Slot>>>,
    /// Whether golden reports are written.
    update: bool,
}

/// Where a filter is put that is loaded, or why it cannot be. Whoever loads it makes the others wait.
type Slot = OnceLock<Result<Ready, Broken>>;

impl Filters {
    pub(super) fn new(loader: Arc<Loader>, update: bool) -> Self {
        Self {
            loader,
            ready: Mutex::default(),
            update,
        }
    }

    fn slot(&self, plugin: &Reference, limits: &Limits) -> Arc<Slot> {
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(ready.entry((plugin.clone(), limits.clone())).or_default())
    }

    fn load(&self, plugin: &Reference, limits: &Limits) -> Result<Ready, Broken> {
        run::load(&self.loader, plugin, limits).map_err(|NotReady { error, hint }| Broken {
            message: lines_shown(&with_causes(error.as_ref())),
            hint: shown(&hint),
            code: Code::Plugin,
        })
    }
}

/// The cases of a file.
pub(super) fn cases(
    file: &CaseFile,
    cases: Vec<FilterCase>,
    filters: &Arc<Filters>,
) -> impl Iterator<Item = Box<dyn Case>> {
    cases.into_iter().map(move |case| -> Box<dyn Case> {
        Box::new(OneCase {
            place: Place {
                file: file.path.clone(),
                line: case.line,
                name: case.name.clone(),
            },
            case,
            form: file.form,
            filters: Arc::clone(filters),
        })
    })
}

/// A case of a filter.
struct OneCase {
    place: Place,
    case: FilterCase,
    form: Form,
    filters: Arc<Filters>,
}

impl Case for OneCase {
    fn place(&self) -> &Place {
        &self.place
    }

    fn run(&self) -> Outcome {
        let plan = match plan::of(&self.case) {
            Ok(plan) => plan,
            Err(broken) => return Outcome::broken(broken),
        };
        let (plugin, limits) = (&self.case.setup.plugin, &self.case.setup.limits);
        let slot = self.filters.slot(plugin, limits);
        match slot.get_or_init(|| self.filters.load(plugin, limits)) {
            Ok(ready) => self.judge(&run::drive(ready, &plan)),
            Err(broken) => Outcome::broken(broken.clone()),
        }
    }
}

impl OneCase {
    fn judge(&self, run: &Run) -> Outcome {
        let failures = match compare::compare(&self.case, run) {
            Ok(failures) => failures,
            Err(broken) => return Outcome::broken(broken),
        };
        let golden = (self.form == Form::Golden).then(|| tell(run, Telling::GOLDEN));
        let report = tell(run, Telling::OF_PASSED_CASE);
        golden::outcome(
            &self.place,
            failures,
            report,
            golden.as_deref(),
            self.filters.update,
        )
    }
}

fn tell(run: &Run, telling: Telling) -> String {
    format!("{}\n", report::text(run, telling).trim_end())
}
