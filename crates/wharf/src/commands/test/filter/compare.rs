//! A run beside what its case expects, part by part.

use wharf_abi_proxy_wasm::{LogLevel, ResetReason, StartError};
use wharf_config::cases::{
    ExchangeCase, FilterCase, MessageExpectation, Placed, ReplyExpectation, StageExpectation,
};
use wharf_engine::Fault;

use super::super::case::{Broken, Failure};
use super::super::difference::Difference;
use super::super::log;
use super::message::{self, Left};
use super::outcome;
use crate::commands::run::exchange::{Message, Outcome};
use crate::commands::run::report::{self, Telling, direction_name, level_name};
use crate::commands::run::world::Notes;
use crate::commands::run::{Run, Stage};

/// All parts of a run that are not as expected.
///
/// # Errors
/// Where a file with what is expected cannot be read.
pub(super) fn compare(case: &FilterCase, run: &Run) -> Result<Vec<Failure>, Broken> {
    let mut failures = Vec::new();
    let mut stages = run.stages.iter();
    if let Some(stage) = stages.next() {
        let differences = start(case, run, stage)?;
        failures.extend(failure(&stage.title, differences, Some(&stage.notes)));
    }
    for (exchange, stage) in case.exchanges.iter().zip(stages.by_ref()) {
        let Some(outcome) = &stage.outcome else { break };
        let differences = compare_exchange(exchange, outcome, &stage.notes)?;
        failures.extend(failure(&stage.title, differences, Some(&stage.notes)));
    }
    if run.left_out > 0 && failures.is_empty() {
        failures.push(not_made(case, run));
    }
    let end = stages.next().filter(|stage| stage.outcome.is_none());
    let nothing = Notes::default();
    let notes = end.map_or(&nothing, |stage| &stage.notes);
    let mut differences = Vec::new();
    faults(
        &mut differences,
        case.line,
        "expect.fault",
        case.expect.fault.as_ref(),
        notes,
    );
    failures.extend(failure("end", differences, Some(notes)));
    let differences = outcome::compare(&case.expect, run)?;
    failures.extend(failure("the case as a whole", differences, None));
    Ok(failures)
}

fn failure(part: &str, differences: Vec<Difference>, notes: Option<&Notes>) -> Option<Failure> {
    let mut told = String::new();
    if let Some(notes) = notes {
        report::show_notes(&mut told, notes, Telling::OF_CASE);
    }
    Failure::of(part, differences, &told)
}

/// Exchanges that were expected and not made, though nothing else is wrong.
fn not_made(case: &FilterCase, run: &Run) -> Failure {
    let index = case.exchanges.len() - run.left_out;
    let line = case
        .exchanges
        .get(index)
        .map_or(case.line, |exchange| exchange.line);
    Failure {
        part: format!("request {}", index + 1),
        differences: vec![Difference::new(
            line,
            "this request was not made, because the filter had faulted before: put it into a case of its own",
        )],
        notes: String::new(),
    }
}

fn start(case: &FilterCase, run: &Run, stage: &Stage) -> Result<Vec<Difference>, Broken> {
    let mut found = Vec::new();
    let refused = match &run.refused {
        Some(StartError::Fault(_)) | None => None,
        Some(refused) => Some(refused),
    };
    let expected = case.start.refused.as_ref();
    match (refused, expected) {
        (Some(refused), None) => {
            found.push(Difference::new(case.line, refused.to_string()));
        }
        (Some(refused), Some(Placed { line, value: false })) => {
            found.push(Difference::new(*line, format!("`start.refused`: {refused}")));
        }
        (None, Some(Placed { line, value: true })) => {
            found.push(Difference::new(
                *line,
                "`start.refused`: the filter was expected to refuse, and did not",
            ));
        }
        (Some(_), Some(_)) | (None, _) => {}
    }
    let expect = &case.start.expect;
    faults(
        &mut found,
        case.line,
        "start.fault",
        expect.fault.as_ref(),
        &stage.notes,
    );
    compare_notes(&mut found, "start.", expect, &stage.notes)?;
    Ok(found)
}

fn compare_exchange(
    exchange: &ExchangeCase,
    outcome: &Outcome,
    notes: &Notes,
) -> Result<Vec<Difference>, Broken> {
    let expect = &exchange.expect;
    let mut found = Vec::new();
    faults(
        &mut found,
        exchange.line,
        "fault",
        expect.stage.fault.as_ref(),
        notes,
    );
    paused(&mut found, exchange, outcome);
    reset(&mut found, exchange, outcome);
    reply(&mut found, exchange, outcome, notes);
    if let Some(expected) = &expect.upstream {
        let left = outcome.upstream.as_ref().map(|message| Left {
            what: "upstream",
            message,
            given: Some(&outcome.sent),
        });
        compare_message(&mut found, "upstream", expected, left)?;
    }
    if let Some(expected) = &expect.client {
        let left = outcome.client.as_ref().map(|message| Left {
            what: "client",
            message,
            given: outcome.answer.as_ref().filter(|_| outcome.answered.is_none()),
        });
        compare_message(&mut found, "client", expected, left)?;
    }
    compare_notes(&mut found, "", &expect.stage, notes)?;
    Ok(found)
}

fn compare_message(
    found: &mut Vec<Difference>,
    what: &str,
    expected: &Placed<Option<MessageExpectation>>,
    left: Option<Left<'_>>,
) -> Result<(), Broken> {
    match (&expected.value, left) {
        (None, None) => {}
        (None, Some(left)) => {
            let text = format!(
                "`{what}`: nothing was expected, and {} came",
                first_line(left.message)
            );
            found.push(Difference::new(expected.line, text));
        }
        (Some(_), None) => {
            let text = format!("`{what}`: nothing came");
            found.push(Difference::new(expected.line, text));
        }
        (Some(message), Some(left)) => found.extend(message::compare(message, &left)?),
    }
    Ok(())
}

/// A message in a few words.
fn first_line(message: &Message) -> String {
    let header = |name| message.headers.get_str(name);
    match (header(":method"), header(":path"), header(":status")) {
        (Some(method), Some(path), _) => format!("{method} {path}"),
        (_, _, Some(status)) => status.to_owned(),
        _ => "a message".to_owned(),
    }
}

/// Faults fail a case unless they are expected.
fn faults(
    found: &mut Vec<Difference>,
    line: usize,
    what: &str,
    expected: Option<&Placed<&'static str>>,
    notes: &Notes,
) {
    // What happened stands in full below it, with the backtrace.
    let tell = |fault: &Fault| format!("{} in {}", fault.kind().label(), fault.callback());
    match (notes.faults.first(), expected) {
        (None, None) => {}
        (Some(fault), None) => {
            let text = format!("the filter faulted: {}", tell(fault));
            found.push(Difference::new(line, text));
        }
        (None, Some(Placed { line, value })) => {
            let text = format!("`{what}`: {value} was expected, and there was no fault");
            found.push(Difference::new(*line, text));
        }
        (Some(fault), Some(Placed { line, value })) if fault.kind().label() != *value => {
            let text = format!("`{what}`: {value} was expected, and this came: {}", tell(fault));
            found.push(Difference::new(*line, text));
        }
        (Some(_), Some(_)) => {}
    }
}

/// Holding for ever fails a case unless it is expected.
fn paused(found: &mut Vec<Difference>, exchange: &ExchangeCase, outcome: &Outcome) {
    let held = outcome.paused.map(direction_name);
    let (line, expected) = match &exchange.expect.paused {
        Some(Placed { line, value }) => (*line, *value),
        None => (exchange.line, None),
    };
    if held == expected {
        return;
    }
    let text = match (held, expected) {
        (Some(held), None) => {
            format!("the filter holds the {held}, and nothing comes any more that would let it go on")
        }
        (Some(held), Some(expected)) => {
            format!("`paused`: it was to hold the {expected}, and holds the {held}")
        }
        (None, _) => format!(
            "`paused`: it was to hold the {}, and does not",
            expected.unwrap_or_default()
        ),
    };
    found.push(Difference::new(line, text));
}

/// Breaking off fails a case unless it is expected, or goes with a fault that is.
fn reset(found: &mut Vec<Difference>, exchange: &ExchangeCase, outcome: &Outcome) {
    let expect = &exchange.expect;
    match (&outcome.reset, &expect.reset) {
        (Some(ResetReason::FilterFault), None) => {}
        (Some(reason), None) => {
            let text = format!("the exchange was broken off: {reason:?}");
            found.push(Difference::new(exchange.line, text));
        }
        (Some(reason), Some(Placed { line, value: false })) => {
            let text = format!("`reset`: the exchange was broken off: {reason:?}");
            found.push(Difference::new(*line, text));
        }
        (None, Some(Placed { line, value: true })) => {
            let text = "`reset`: the exchange was to be broken off, and was not";
            found.push(Difference::new(*line, text));
        }
        (Some(_), Some(_)) | (None, _) => {}
    }
}

/// An answer for a filter that holds too much fails a case unless it is expected; one for a filter that has faulted goes
/// with the fault.
fn reply(found: &mut Vec<Difference>, exchange: &ExchangeCase, outcome: &Outcome, notes: &Notes) {
    let expected = exchange.expect.reply.as_ref();
    let details = outcome.answered.as_deref();
    let (line, reply) = match (expected, details) {
        (None, Some(details)) if outcome.failed && notes.faults.is_empty() => {
            let text = format!("Wharf answered for the filter: {details}");
            found.push(Difference::new(exchange.line, text));
            return;
        }
        (None, _) | (Some(Placed { value: None, .. }), None) => return,
        (Some(Placed { line, value: None }), Some(details)) => {
            let who = if outcome.failed {
                "Wharf answered for the filter"
            } else {
                "the filter answered by itself"
            };
            found.push(Difference::new(*line, format!("`reply`: {who}: {details}")));
            return;
        }
        (
            Some(Placed {
                line,
                value: Some(reply),
            }),
            details,
        ) => (*line, (reply, details)),
    };
    let (reply, Some(details)) = reply else {
        found.push(Difference::new(
            line,
            "`reply`: the filter did not answer by itself",
        ));
        return;
    };
    compare_reply(found, line, reply, details, outcome);
}

fn compare_reply(
    found: &mut Vec<Difference>,
    line: usize,
    reply: &ReplyExpectation,
    details: &str,
    outcome: &Outcome,
) {
    if reply.by_wharf != outcome.failed {
        let text = if outcome.failed {
            "`reply`: Wharf answered for the filter, which did not answer by itself"
        } else {
            "`reply`: the filter answered by itself, and Wharf did not answer for it"
        };
        found.push(Difference::new(line, text));
    }
    if let Some(Placed { line, value }) = &reply.status {
        let client = outcome.client.as_ref();
        let status = client.and_then(|message| message.headers.get_str(":status"));
        let status = status.unwrap_or("nothing");
        if status != value.to_string() {
            let text = format!("`reply.status` is expected to be {value}, and is {status}");
            found.push(Difference::new(*line, text));
        }
    }
    if let Some(Placed { line, value }) = &reply.details
        && value != details
    {
        let details = if details.is_empty() { "not given" } else { details };
        let text = format!("`reply.details` is expected to be {value}, and is {details}");
        found.push(Difference::new(*line, text));
    }
}

/// What any part of a case has: the log and the call-outs.
fn compare_notes(
    found: &mut Vec<Difference>,
    path: &str,
    expected: &StageExpectation,
    notes: &Notes,
) -> Result<(), Broken> {
    let lines: Vec<_> = notes.log.iter().map(log_line).collect();
    log::compare(found, path, expected.log.as_ref(), &expected.log_contains, &lines);
    let Some(Placed { line, value }) = &expected.callouts_made else {
        return Ok(());
    };
    let wanted: Vec<String> = value
        .iter()
        .map(|call| format!("{}: {} {}", call.upstream, call.method, call.path))
        .collect();
    let made: Vec<String> = notes
        .callouts
        .iter()
        .map(|answered| report::call_line(&answered.call))
        .collect();
    let difference = Difference::of_lists(*line, &format!("{path}calloutsMade"), &wanted, &made);
    if let Some(difference) = difference {
        found.push(difference);
        return Ok(());
    }
    for (call, answered) in value.iter().zip(&notes.callouts) {
        found.extend(message::compare_call(call, &answered.call)?);
    }
    Ok(())
}

/// A line of the log as cases have it.
pub(super) fn log_line((level, message): &(LogLevel, String)) -> String {
    format!("{}: {}", level_name(*level), message.trim())
}

#[cfg(test)]
mod tests {
    use wharf_config::cases::{FAULTS, LOG_LEVELS};
    use wharf_engine::FaultKind;

    use super::*;

    #[test]
    fn the_words_for_faults_are_those_of_the_engine() {
        let reason = String::new();
        let name = String::new();
        let kinds = [
            FaultKind::Trap {
                reason: reason.clone(),
            },
            FaultKind::DeadlineExceeded {
                deadline: Default::default(),
            },
            FaultKind::MemoryLimit {
                limit: Default::default(),
                requested: Default::default(),
            },
            FaultKind::TableLimit {
                limit: 0,
                requested: 0,
            },
            FaultKind::StackExhausted,
            FaultKind::Exit { code: 0 },
            FaultKind::BadReply {
                reason: reason.clone(),
            },
            FaultKind::MissingExport { name: name.clone() },
            FaultKind::WrongSignature { name, reason },
            FaultKind::InstanceLimit { limit: 0 },
        ];
        assert_eq!(kinds.each_ref().map(FaultKind::label), FAULTS);
    }

    #[test]
    fn the_words_for_levels_are_those_of_reports() {
        let levels = [
            LogLevel::Trace,
            LogLevel::Debug,
            LogLevel::Info,
            LogLevel::Warn,
            LogLevel::Error,
            LogLevel::Critical,
        ];
        assert_eq!(levels.map(level_name), LOG_LEVELS);
    }
}
