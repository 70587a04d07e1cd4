//! What is expected of a case as a whole.

use std::collections::BTreeMap;

use crate::decode::{Context, Fields, Item};
use crate::table::Kind;

use super::content::{decode_content, decode_contents};
use super::exchange::decode_truth;
use super::expect::{self, LogLine};
use super::tables::{HISTOGRAM, NUMBER, OUTCOME};
use super::{Content, Placed};

/// What is expected of a case as a whole. What is none is not looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OutcomeExpectation {
    /// Metrics by name, after the last request.
    pub metrics: BTreeMap<String, Placed<MetricExpectation>>,
    /// Values of the shared data by key; inner none: it has none.
    pub shared_data: BTreeMap<String, Placed<Option<Content>>>,
    /// What waits in queues by name.
    pub queues: BTreeMap<String, Placed<Vec<Content>>>,
    /// The kind of the fault with which the filter ends, after the last request; one of [`FAULTS`](super::FAULTS).
    pub fault: Option<Placed<&'static str>>,
    /// All lines of the log, from the start to the end.
    pub log: Option<Placed<Vec<LogLine>>>,
    /// Texts that lines of the log contain, written as `level: message`.
    pub log_contains: Vec<Placed<String>>,
}

/// What a metric is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricExpectation {
    /// The value of a counter or a gauge.
    Value(i64),
    /// Of a histogram.
    Histogram {
        /// How many values were recorded.
        count: Option<i64>,
        /// What they are together.
        sum: Option<i64>,
    },
}

/// What is expected of a case, and whether its filter is to refuse to start.
pub(super) fn decode(cx: &mut Context<'_>, case: &Fields<'_>) -> (OutcomeExpectation, Option<Placed<bool>>) {
    let opened = case
        .item("expect")
        .and_then(|item| Fields::open(cx, item, &OUTCOME));
    let Some(fields) = opened else {
        return (OutcomeExpectation::default(), None);
    };
    let refused = decode_truth(cx, &fields, "refused");
    let stage = expect::decode_stage(cx, &fields);
    let expectation = OutcomeExpectation {
        metrics: each(cx, &fields, "metrics", decode_metric),
        shared_data: each(cx, &fields, "sharedData", |cx, item| {
            if item.node.is_null() {
                return Some(None);
            }
            decode_content(cx, item).map(Some)
        }),
        queues: each(cx, &fields, "queues", decode_contents),
        fault: stage.fault,
        log: stage.log,
        log_contains: stage.log_contains,
    };
    (expectation, refused)
}

fn each<T>(
    cx: &mut Context<'_>,
    fields: &Fields<'_>,
    key: &str,
    decode: impl Fn(&mut Context<'_>, &Item<'_>) -> Option<T>,
) -> BTreeMap<String, Placed<T>> {
    let mut found = BTreeMap::new();
    for (entry, item) in fields.map(cx, key).unwrap_or_default() {
        let line = cx.line(&item.at);
        let value = decode(cx, &item);
        found.extend(value.map(|value| (entry.key.clone(), Placed { line, value })));
    }
    found
}

fn decode_metric(cx: &mut Context<'_>, item: &Item<'_>) -> Option<MetricExpectation> {
    if item.is_mapping() {
        let fields = Fields::open(cx, item, &HISTOGRAM)?;
        return Some(MetricExpectation::Histogram {
            count: fields.integer(cx, "count"),
            sum: fields.integer(cx, "sum"),
        });
    }
    let Kind::Integer { min, max } = NUMBER else {
        return None;
    };
    item.integer(cx, &NUMBER, min, max).map(MetricExpectation::Value)
}
