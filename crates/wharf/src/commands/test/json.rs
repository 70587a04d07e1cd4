//! The results for programs. Equal runs give equal results: there are no times in them.

use serde_json::{Value, json};
use wharf_config::ConfigErrors;

use super::case::{Broken, Case, Failure, Place, Verdict};
use super::difference::Difference;
use super::suite::Done;
use super::{Results, Unusable};

/// The cases, where none is run.
pub(super) fn list(cases: &[Box<dyn Case>], unusable: &[Unusable]) -> Value {
    json!({
        "cases": cases.iter().map(|case| place(case.place())).collect::<Vec<_>>(),
        "problems": problems(unusable),
    })
}

/// All results.
pub(super) fn results(results: &Results) -> Value {
    let count = |outcome: &str| {
        let same = |done: &&Done| word(&done.outcome.verdict) == outcome;
        results.done.iter().filter(same).count()
    };
    let (passed, failed, errors) = (count("passed"), count("failed"), count("error"));
    let updated = results
        .done
        .iter()
        .filter_map(|done| done.outcome.updated.as_ref());
    json!({
        "ok": failed + errors == 0 && results.unusable.is_empty(),
        "passed": passed,
        "failed": failed,
        "errors": errors,
        "cases": results.done.iter().map(case).collect::<Vec<_>>(),
        "updated": updated.map(|path| path.to_string_lossy()).collect::<Vec<_>>(),
        "problems": problems(&results.unusable),
    })
}

/// What became of a case, in a word.
fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "passed",
        Verdict::Failed(_) => "failed",
        Verdict::Broken(_) => "error",
    }
}

fn place(place: &Place) -> Value {
    json!({ "file": place.file.to_string_lossy(), "line": place.line, "name": place.name })
}

fn case(done: &Done) -> Value {
    let mut value = place(&done.place);
    value["outcome"] = json!(word(&done.outcome.verdict));
    match &done.outcome.verdict {
        Verdict::Passed => {}
        Verdict::Failed(failures) => value["failures"] = failures.iter().map(failure).collect(),
        Verdict::Broken(Broken { message, hint, .. }) => {
            value["error"] = json!({ "message": message, "hint": hint });
        }
    }
    value["report"] = json!(done.outcome.report);
    value
}

fn failure(failure: &Failure) -> Value {
    json!({
        "part": failure.part,
        "differences": failure.differences.iter().map(difference).collect::<Vec<_>>(),
    })
}

fn difference(difference: &Difference) -> Value {
    let lines = difference.lines.iter();
    json!({
        "line": difference.line,
        "message": difference.message,
        "diff": lines.map(|line| format!("{}{}", line.side.mark(), line.text)).collect::<Vec<_>>(),
    })
}

/// What could not be read, each file with all that is wrong in it.
fn problems(unusable: &[Unusable]) -> Value {
    let problem = |problem: &Unusable| match problem {
        Unusable::File(file, ConfigErrors { errors, omitted, .. }) => json!({
            "file": file.path.to_string_lossy(),
            "errors": errors,
            "omitted": omitted,
        }),
        Unusable::Place(error) => json!({
            "file": error.path.to_string_lossy(),
            "errors": [{ "message": error.message() }],
            "omitted": 0,
        }),
    };
    unusable.iter().map(problem).collect()
}
