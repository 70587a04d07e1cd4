//! What a run left behind beside what its case expects: metrics, shared data, queues, the whole log.

use std::collections::BTreeMap;

use bytes::Bytes;
use wharf_abi_proxy_wasm::MetricType;
use wharf_config::cases::{Content, MetricExpectation, OutcomeExpectation, Placed};

use super::super::case::Broken;
use super::super::difference::Difference;
use super::super::log;
use super::{compare, plan};
use crate::commands::run::Run;
use crate::commands::run::report::{hex, histogram_count};

/// A metric as it is.
enum Metric {
    Value(i128),
    Histogram { count: u64, sum: u64 },
}

pub(super) fn compare(expected: &OutcomeExpectation, run: &Run) -> Result<Vec<Difference>, Broken> {
    let mut found = Vec::new();
    compare_metrics(&mut found, expected, run);
    for (key, Placed { line, value }) in &expected.shared_data {
        let what = format!("expect.sharedData.{key}");
        let came = run.shared.data.get(&run.namespace, key.as_bytes());
        found.extend(compare_value(
            *line,
            &what,
            value.as_ref(),
            came.map(|(value, _)| value),
        )?);
    }
    for (name, Placed { line, value }) in &expected.queues {
        compare_queue(&mut found, *line, name, value, run)?;
    }
    let log = run.stages.iter().flat_map(|stage| &stage.notes.log);
    let lines: Vec<_> = log.map(compare::log_line).collect();
    let contains = &expected.log_contains;
    log::compare(&mut found, "expect.", expected.log.as_ref(), contains, &lines);
    Ok(found)
}

fn compare_metrics(found: &mut Vec<Difference>, expected: &OutcomeExpectation, run: &Run) {
    if expected.metrics.is_empty() {
        return;
    }
    let mut metrics: BTreeMap<String, Vec<Metric>> = BTreeMap::new();
    run.shared.metrics.for_each(|_, name, metric| {
        let metric = match metric.get() {
            Ok(value) if metric.kind() == MetricType::Gauge => Metric::Value(value.cast_signed().into()),
            Ok(value) => Metric::Value(value.into()),
            Err(_) => Metric::Histogram {
                count: histogram_count(metric),
                sum: metric.histogram_sum(),
            },
        };
        metrics.entry(name.to_owned()).or_default().push(metric);
    });
    for (name, Placed { line, value }) in &expected.metrics {
        let text = match metrics.get(name) {
            None => Some(unknown_metric(&metrics)),
            // Metrics of one name may be of several kinds.
            Some(same) => {
                let mut wrong = same.iter().map(|metric| wrong_metric(value, metric));
                let first = wrong.next().flatten();
                first.filter(|_| wrong.all(|wrong| wrong.is_some()))
            }
        };
        if let Some(text) = text {
            found.push(Difference::new(*line, format!("`expect.metrics.{name}`: {text}")));
        }
    }
}

fn unknown_metric(metrics: &BTreeMap<String, Vec<Metric>>) -> String {
    const MOST: usize = 20;
    if metrics.is_empty() {
        return "the filter has no metrics".to_owned();
    }
    let names: Vec<&str> = metrics.keys().take(MOST).map(String::as_str).collect();
    let more = if metrics.len() > MOST { ", …" } else { "" };
    format!("the filter has no such metric; it has {}{more}", names.join(", "))
}

/// What is wrong with a metric, if anything is.
fn wrong_metric(expected: &MetricExpectation, metric: &Metric) -> Option<String> {
    match (*expected, metric) {
        (MetricExpectation::Value(wanted), Metric::Value(came)) => {
            (i128::from(wanted) != *came).then(|| format!("expected {wanted}, and it is {came}"))
        }
        (
            MetricExpectation::Histogram { count, sum },
            Metric::Histogram {
                count: has,
                sum: adds,
            },
        ) => {
            let differs = |wanted: Option<i64>, came: u64| {
                wanted.is_some_and(|wanted| i128::from(wanted) != came.into())
            };
            (differs(count, *has) || differs(sum, *adds))
                .then(|| format!("it has {has} values, {adds} together"))
        }
        (MetricExpectation::Value(_), Metric::Histogram { .. }) => {
            Some("it is a histogram: write `{ count: …, sum: … }`".to_owned())
        }
        (MetricExpectation::Histogram { .. }, Metric::Value(came)) => {
            Some(format!("it is no histogram, but has the value {came}"))
        }
    }
}

fn compare_value(
    line: usize,
    what: &str,
    expected: Option<&Content>,
    came: Option<Bytes>,
) -> Result<Option<Difference>, Broken> {
    Ok(match (expected, came) {
        (None, None) => None,
        (None, Some(came)) => Some(Difference::new(
            line,
            format!("`{what}`: nothing was expected, and there is {}", told(&came)),
        )),
        (Some(_), None) => Some(Difference::new(line, format!("`{what}`: there is nothing"))),
        (Some(content), Some(came)) => Difference::of_bytes(line, what, &plan::bytes(content)?, &came),
    })
}

fn compare_queue(
    found: &mut Vec<Difference>,
    line: usize,
    name: &str,
    expected: &[Content],
    run: &Run,
) -> Result<(), Broken> {
    let queues = &run.shared.queues;
    let what = format!("expect.queues.{name}");
    let Some(queue) = queues.resolve(&run.namespace, name.as_bytes()) else {
        let text = format!("`{what}`: the filter has not registered this queue");
        found.push(Difference::new(line, text));
        return Ok(());
    };
    let came: Vec<String> = std::iter::from_fn(|| queues.dequeue(queue).ok())
        .map(|item| told(&item))
        .collect();
    let expected = expected
        .iter()
        .map(|content| plan::bytes(content).map(|bytes| told(&bytes)))
        .collect::<Result<Vec<_>, _>>()?;
    found.extend(Difference::of_lists(line, &what, &expected, &came));
    Ok(())
}

/// Bytes as text where they are one, and else as digits.
fn told(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => format!("hex {}", hex(bytes)),
    }
}
