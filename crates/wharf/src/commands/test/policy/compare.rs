//! A run beside what its case expects, part by part.

use std::fmt::Display;

use serde_json::Value;
use wharf_abi_wapc::kubewarden::{
    AdmissionResponse, PolicyFault, PolicyLog, PolicyLogLevel, SettingsVerdict, patch,
};
use wharf_config::cases::{HostCallExpectation, Placed, PolicyCase, PolicyExpectation, SettingsExpectation};

use super::super::case::Failure;
use super::super::difference::Difference;
use super::super::log;
use super::ask::{Reviewed, Run};
use super::difference::{named_of, of_patches, of_values};
use super::report::{self as told, settings_title};
use crate::commands::policy::host::{Call, Notes};
use crate::commands::policy::report::{self, Telling};
use crate::commands::policy::{Stage, replay};

/// All parts of a run that are not as expected.
pub(super) fn compare(case: &PolicyCase, run: &Run) -> Vec<Failure> {
    let expect = &case.expect;
    let mut failures = Vec::new();
    failures.extend(loading(case, run));
    if run.load_error.is_some() {
        return failures;
    }
    failures.extend(settings(case, run));
    if let (Some(review), Some(request)) = (&run.review, &run.request) {
        let mut notes = String::new();
        told::show_review(&mut notes, review, Telling::OF_CASE);
        let differences = compare_review(case, run, review);
        let part = format!("review {}", report::title(request));
        failures.extend(Failure::of(&part, differences, &notes));
    }
    let all: Vec<_> = run
        .settings
        .iter()
        .map(|(_, stage)| &stage.notes)
        .chain(run.review.as_ref().map(|review| &review.notes))
        .collect();
    failures.extend(Failure::of("the case as a whole", whole(expect, &all), ""));
    failures
}

/// Whether the policy can be used, where the case expects that it cannot.
fn loading(case: &PolicyCase, run: &Run) -> Option<Failure> {
    let expected = &case.expect.load_error_contains;
    let mut found = Vec::new();
    for Placed { line, value } in expected {
        match &run.load_error {
            Some(error) if error.message.contains(value) => {}
            Some(error) => {
                let text = format!("`loadErrorContains`: `{value}` is not in: {}", error.message);
                found.push(Difference::new(*line, text));
            }
            None => {
                let text = "`loadErrorContains`: the policy was not to load, and does";
                found.push(Difference::new(*line, text));
            }
        }
    }
    Failure::of("loading", found, "")
}

fn settings(case: &PolicyCase, run: &Run) -> Option<Failure> {
    let is_good = |stage: &Stage<SettingsVerdict>| stage.outcome.as_ref().is_ok_and(|verdict| verdict.valid);
    // In a group the first member that refuses counts.
    let mut stages = run.settings.iter();
    let refusing = stages.clone().find(|(_, stage)| !is_good(stage));
    let (member, stage) = refusing.or_else(|| stages.next())?;
    let mut notes = String::new();
    report::show_settings(&mut notes, stage, Telling::OF_CASE);
    let differences = compare_settings(case.line, &case.expect.settings, &stage.outcome);
    Failure::of(&settings_title(member.as_deref()), differences, &notes)
}

fn compare_settings(
    case_line: usize,
    expected: &SettingsExpectation,
    outcome: &Result<SettingsVerdict, PolicyFault>,
) -> Vec<Difference> {
    let mut found = Vec::new();
    faults(
        &mut found,
        case_line,
        "settings.fault",
        expected.fault.as_ref(),
        outcome.as_ref().err(),
    );
    let Ok(verdict) = outcome else { return found };
    let message = verdict.message.as_deref();
    match &expected.valid {
        None if !verdict.valid && expected.fault.is_none() => {
            let reason = message.unwrap_or("no reason was given");
            found.push(Difference::new(
                case_line,
                format!("the policy refused its settings: {reason}"),
            ));
        }
        Some(Placed { line, value }) if *value != verdict.valid => {
            let text = match verdict.valid {
                true => "`settings.valid`: the policy was to refuse its settings, and takes them".to_owned(),
                false => "`settings.valid`: the policy refused its settings".to_owned(),
            };
            found.push(Difference::new(*line, text));
        }
        _ => {}
    }
    compare_option(&mut found, "settings.message", expected.message.as_ref(), message);
    contains(
        &mut found,
        "settings.messageContains",
        &expected.message_contains,
        message,
    );
    found
}

fn compare_review(case: &PolicyCase, run: &Run, review: &Reviewed) -> Vec<Difference> {
    let expect = &case.expect;
    let Reviewed { response, fault, .. } = review;
    let mut found = Vec::new();
    faults(
        &mut found,
        case.line,
        "fault",
        expect.fault.as_ref(),
        fault.as_ref(),
    );
    if let Some(Placed { line, value }) = &expect.allowed
        && *value != response.allowed
    {
        let word = |allowed| if allowed { "allowed" } else { "refused" };
        let text = format!(
            "`allowed`: the request was to be {}, and is {}",
            word(*value),
            word(response.allowed)
        );
        found.push(Difference::new(*line, text));
    }
    let status = response.status.as_ref();
    let message = response.message();
    compare_option(&mut found, "message", expect.message.as_ref(), message);
    contains(&mut found, "messageContains", &expect.message_contains, message);
    let code = status.and_then(|status| status.code).map(i64::from);
    compare_option(&mut found, "code", expect.code.as_ref(), code.as_ref());
    let reason = status.and_then(|status| status.reason.as_deref());
    compare_option(&mut found, "reason", expect.reason.as_ref(), reason);
    if let Some(Placed { line, value }) = &expect.causes {
        let causes: Vec<_> = report::causes(response).collect();
        found.extend(Difference::of_lists(*line, "causes", value, &causes));
    }
    if let Some(Placed { line, value }) = &expect.warnings {
        let warnings = response.warnings.as_deref().unwrap_or_default();
        found.extend(Difference::of_lists(*line, "warnings", value, warnings));
    }
    if let Some(Placed { line, value }) = &expect.audit_annotations {
        let lines = |(name, value): (&String, &String)| format!("{name}: {value}");
        let wanted: Vec<_> = value.iter().map(lines).collect();
        let came: Vec<_> = response.audit_annotations.iter().flatten().map(lines).collect();
        found.extend(Difference::of_lists(*line, "auditAnnotations", &wanted, &came));
    }
    if let Some(Placed { line, value }) = &expect.patch {
        let operations = response
            .patch
            .as_ref()
            .map(report::operations)
            .unwrap_or_default();
        found.extend(of_patches(*line, value, &operations));
    }
    compare_object(&mut found, expect, run, response);
    found
}

/// The object in the end, where the case looks at it.
fn compare_object(
    found: &mut Vec<Difference>,
    expect: &PolicyExpectation,
    run: &Run,
    response: &AdmissionResponse,
) {
    let Some(placed) = expect.object.as_ref().or(expect.object_contains.as_ref()) else {
        return;
    };
    let object = match object_of(run, response) {
        Ok(object) => object,
        Err(reason) => {
            found.push(Difference::new(
                placed.line,
                format!("there is no object: {reason}"),
            ));
            return;
        }
    };
    if let Some(Placed { line, value }) = &expect.object {
        found.extend(of_values(*line, "object", value, &object));
    }
    if let Some(Placed { line, value }) = &expect.object_contains {
        let named = named_of(value, &object);
        found.extend(of_values(*line, "objectContains", value, &named));
    }
}

fn object_of(run: &Run, response: &AdmissionResponse) -> Result<Value, String> {
    let Some(request) = &run.request else {
        return Err("nothing was asked about".to_owned());
    };
    let original = request.original().map_err(|problem| problem.to_string())?;
    let Some(original) = original else {
        return Err("the request has none".to_owned());
    };
    match &response.patch {
        Some(patch) => patch::apply(&original, patch).map_err(|misfit| misfit.to_string()),
        None => Ok(original),
    }
}

/// The log and the calls of all parts together.
fn whole(expect: &PolicyExpectation, all: &[&Notes]) -> Vec<Difference> {
    let mut found = Vec::new();
    let lines: Vec<_> = all.iter().flat_map(|notes| &notes.log).map(log_line).collect();
    log::compare(&mut found, "", expect.log.as_ref(), &expect.log_contains, &lines);
    if let Some(expected) = &expect.host_calls {
        let made: Vec<&Call> = all.iter().flat_map(|notes| &notes.calls).collect();
        compare_calls(&mut found, expected, &made);
    }
    if let Some(Placed { line, value }) = &expect.refused_calls {
        let refused = all.iter().flat_map(|notes| &notes.refused);
        let refused: Vec<_> = refused.map(|(what, _)| what.clone()).collect();
        found.extend(Difference::of_lists(*line, "refusedCalls", value, &refused));
    }
    found
}

fn compare_calls(found: &mut Vec<Difference>, expected: &Placed<Vec<HostCallExpectation>>, made: &[&Call]) {
    let wanted: Vec<_> = expected.value.iter().map(|call| call.call.to_owned()).collect();
    let came: Vec<_> = made.iter().map(|call| call.request.path().to_owned()).collect();
    let difference = Difference::of_lists(expected.line, "hostCalls", &wanted, &came);
    if let Some(difference) = difference {
        found.push(difference);
        return;
    }
    for (wanted, call) in expected.value.iter().zip(made) {
        let request = Value::Object(wanted.request.clone());
        let came = named_of(&request, &replay::fields(&call.request));
        let what = format!("hostCalls: {}", wanted.call);
        found.extend(of_values(wanted.line, &what, &request, &came));
    }
}

/// A line of the log as cases have it.
fn log_line(event: &PolicyLog) -> String {
    let level = match event.level {
        PolicyLogLevel::Warning => "warn",
        other => report::level(other),
    };
    format!("{level}: {}", event.message.trim())
}

/// Faults fail a case unless they are expected.
fn faults(
    found: &mut Vec<Difference>,
    line: usize,
    what: &str,
    expected: Option<&Placed<&'static str>>,
    came: Option<&PolicyFault>,
) {
    match (came, expected) {
        (None, None) => {}
        (Some(fault), None) => {
            let text = format!("the policy gave no verdict: {}", fault.label());
            found.push(Difference::new(line, text));
        }
        (None, Some(Placed { line, value })) => {
            let text = format!("`{what}`: {value} was expected, and there was no fault");
            found.push(Difference::new(*line, text));
        }
        (Some(fault), Some(Placed { line, value })) if fault.label() != *value => {
            let text = format!("`{what}`: {value} was expected, and this came: {}", fault.label());
            found.push(Difference::new(*line, text));
        }
        (Some(_), Some(_)) => {}
    }
}

/// Something that may not be there.
fn compare_option<T: PartialEq + Display + ?Sized, W: std::borrow::Borrow<T>>(
    found: &mut Vec<Difference>,
    what: &str,
    expected: Option<&Placed<Option<W>>>,
    came: Option<&T>,
) {
    let Some(Placed { line, value }) = expected else {
        return;
    };
    let wanted = value.as_ref().map(std::borrow::Borrow::borrow);
    let text = match (wanted, came) {
        (wanted, came) if wanted == came => return,
        (Some(wanted), Some(came)) => format!("`{what}` is expected to be {wanted}, and is {came}"),
        (Some(wanted), None) => format!("`{what}` is expected to be {wanted}, and there is none"),
        (None, Some(came)) => format!("`{what}`: none was expected, and it is {came}"),
        (None, None) => return,
    };
    found.push(Difference::new(*line, text));
}

fn contains(found: &mut Vec<Difference>, what: &str, expected: &[Placed<String>], came: Option<&str>) {
    for Placed { line, value } in expected {
        let text = match came {
            Some(came) if came.contains(value) => continue,
            Some(came) => format!("`{what}`: `{value}` is not in the message: {came}"),
            None => format!("`{what}`: `{value}` is in no message, because there is none"),
        };
        found.push(Difference::new(*line, text));
    }
}
