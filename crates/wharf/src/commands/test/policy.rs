//! Cases of policies.

mod answers;
mod ask;
mod compare;
mod difference;
mod report;

use std::sync::Arc;

use wharf_config::cases::{Form, PolicyCase};
use wharf_loader::Loader;

use super::case::{Case, Outcome, Place};
use super::discovery::CaseFile;
use super::golden;
use crate::commands::policy::report::Telling;

/// What the cases of all files share: each module is compiled once, when its first case wants it.
pub(super) struct Policies {
    loader: Arc<Loader>,
    /// Whether golden reports are written.
    update: bool,
}

impl Policies {
    pub(super) fn new(loader: Arc<Loader>, update: bool) -> Self {
        Self { loader, update }
    }
}

/// The cases of a file.
pub(super) fn cases(
    file: &CaseFile,
    cases: Vec<PolicyCase>,
    policies: &Arc<Policies>,
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
            policies: Arc::clone(policies),
        })
    })
}

/// A case of a policy.
struct OneCase {
    place: Place,
    case: PolicyCase,
    form: Form,
    policies: Arc<Policies>,
}

impl Case for OneCase {
    fn place(&self) -> &Place {
        &self.place
    }

    fn run(&self) -> Outcome {
        let run = match ask::ask(&self.case, &self.policies.loader) {
            Ok(run) => run,
            Err(broken) => return Outcome::broken(broken),
        };
        let failures = compare::compare(&self.case, &run);
        let report = report::text(&run, Telling::GOLDEN);
        let golden = (self.form == Form::Golden).then(|| report.clone());
        golden::outcome(
            &self.place,
            failures,
            report,
            golden.as_deref(),
            self.policies.update,
        )
    }
}
