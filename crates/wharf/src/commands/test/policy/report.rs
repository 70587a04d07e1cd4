//! What came of a case, as text.

use std::fmt::Write as _;

use super::ask::{Reviewed, Run};
use crate::commands::policy::report::{self, Telling, show_fault, show_notes, show_response, show_settings};
use crate::commands::single::shown;

/// The whole report. Equal runs give equal reports.
pub(super) fn text(run: &Run, telling: Telling) -> String {
    let mut out = format!("{}\n", shown(&run.title));
    if let Some(error) = &run.load_error {
        let _ = writeln!(out, "  {}", error.message.replace('\n', "\n  "));
    }
    for (member, stage) in &run.settings {
        let _ = writeln!(out, "\n{}", settings_title(member.as_deref()));
        show_settings(&mut out, stage, telling);
    }
    if let Some(request) = &run.request {
        let _ = writeln!(out, "\nreview {}", shown(&report::title(request)));
        match &run.review {
            Some(review) => show_review(&mut out, review, telling),
            None => out.push_str("  not made, because the settings are not taken\n"),
        }
    }
    out
}

/// Which settings are meant.
pub(super) fn settings_title(member: Option<&str>) -> String {
    match member {
        Some(member) => format!("settings of {member}"),
        None => "settings".to_owned(),
    }
}

/// The answer to a review, and what led to it.
pub(super) fn show_review(out: &mut String, review: &Reviewed, telling: Telling) {
    if let Some(fault) = &review.fault {
        show_fault(out, fault, telling);
    }
    show_response(out, &review.response);
    show_notes(out, &review.notes, telling);
}
