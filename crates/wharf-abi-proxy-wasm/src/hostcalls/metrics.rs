//! Metrics (specification, "Metrics").

use std::sync::Arc;

use wharf_engine::Imports;

use super::{Call, Named, Refusal, Reply, bad_argument, check_place, function, refuse};
use crate::numbers::{MetricType, Status};
use crate::shared::{GuestMetric, MetricError};
use crate::state::State;

/// The most metrics that one VM may hold.
const MOST_METRICS: usize = 10_000;

/// What the log calls the place for a metric's id.
const ID_OUT: &str = "the place for the metric's id";

pub(super) fn add(imports: &mut Imports<State>) {
    function(imports, "proxy_define_metric", |call, p: (u32, u32, u32, u32)| {
        define(call, p)
    });
    function(imports, "proxy_record_metric", |call, (id, value): (u32, u64)| {
        record(call, id, value)
    });
    function(
        imports,
        "proxy_increment_metric",
        |call, (id, offset): (u32, i64)| increment(call, id, offset),
    );
    function(
        imports,
        "proxy_get_metric",
        |call, (id, value_out): (u32, u32)| get(call, id, value_out),
    );
}

impl From<MetricError> for Refusal {
    fn from(error: MetricError) -> Self {
        let status = match error {
            MetricError::TooMany => Status::InternalFailure,
            MetricError::Name | MetricError::NotAnIncrement(_) | MetricError::Histogram => {
                Status::BadArgument
            }
        };
        Self::Status(status, error.to_string().into())
    }
}

/// The id of the metric at this place of the VM's. It tells what kind it is of, as Envoy's do.
fn id_of(index: usize, kind: MetricType) -> u32 {
    crate::vm::size((index + 1) << 2 | kind as usize)
}

fn metric(state: &State, id: u32) -> Result<&GuestMetric, Refusal> {
    let index = (id as usize >> 2).checked_sub(1);
    let metric = index.and_then(|index| state.metrics.get(index));
    match metric.filter(|metric| metric.kind() as u32 == id & 3) {
        Some(metric) => Ok(metric),
        None => refuse(Status::NotFound, format!("there is no metric {id}")),
    }
}

/// A metric whose value can be read and changed by an offset. An id that neither a counter nor a gauge can have is
/// refused as a histogram is.
fn readable(state: &State, id: u32) -> Result<&GuestMetric, Refusal> {
    match MetricType::from_number(id & 3) {
        Some(MetricType::Counter | MetricType::Gauge) => metric(state, id),
        Some(MetricType::Histogram) => Err(MetricError::Histogram.into()),
        None => bad_argument(format!("{id} is not the id of a metric")),
    }
}

/// `proxy_define_metric`: a metric of the plugin. All VMs of the plugin share it.
///
/// - `kind`: 0 counter, 1 gauge, 2 histogram; BAD_ARGUMENT otherwise.
/// - `name`, `size`: 1 to 1024 bytes of UTF-8; BAD_ARGUMENT otherwise, INVALID_MEMORY_ACCESS.
/// - `id_out`: where the metric's id goes, as u32le; INVALID_MEMORY_ACCESS.
///
/// INTERNAL_FAILURE where the plugin has defined 1000.
fn define(call: &mut Call<'_>, (kind, name, size, id_out): (u32, u32, u32, u32)) -> Reply {
    let Some(kind) = MetricType::from_number(kind) else {
        return bad_argument(format!("{kind} is not a kind of metric"));
    };
    check_place(call, id_out, 4, ID_OUT)?;
    let (memory, state) = call.memory_and_state();
    let name = memory.read(name, size).named("the name")?;
    let Some(plugin) = state.contexts.plugin_name_of(state.effective) else {
        return refuse(Status::InternalFailure, "only a plugin can define a metric");
    };
    let metric = state.shared.metrics.define(&plugin, kind, name)?;
    let known = state.metrics.iter().position(|other| Arc::ptr_eq(other, &metric));
    let index = match known {
        Some(index) => index,
        None if state.metrics.len() >= MOST_METRICS => {
            return refuse(
                Status::InternalFailure,
                format!("this VM holds {MOST_METRICS} metrics already"),
            );
        }
        None => {
            state.metrics.push(metric);
            state.metrics.len() - 1
        }
    };
    call.memory()
        .write_u32(id_out, id_of(index, kind))
        .named(ID_OUT)?;
    Ok(())
}

/// `proxy_record_metric`: adds to a counter, sets a gauge, notes a value in a histogram.
///
/// - `id`: NOT_FOUND where there is none. `value`: as u64.
fn record(call: &mut Call<'_>, id: u32, value: u64) -> Reply {
    metric(call.state(), id)?.record(value);
    Ok(())
}

/// `proxy_increment_metric`: changes a counter or a gauge.
///
/// - `id`: NOT_FOUND where there is none, BAD_ARGUMENT for a histogram's and for one that no metric can have.
/// - `offset`: BAD_ARGUMENT for a counter and an offset below 1.
fn increment(call: &mut Call<'_>, id: u32, offset: i64) -> Reply {
    readable(call.state(), id)?.increment(offset)?;
    Ok(())
}

/// `proxy_get_metric`: the value of a counter or a gauge.
///
/// - `id`: NOT_FOUND where there is none, BAD_ARGUMENT for a histogram's and for one that no metric can have.
/// - `value_out`: where the value goes, as u64le; INVALID_MEMORY_ACCESS.
fn get(call: &mut Call<'_>, id: u32, value_out: u32) -> Reply {
    let value = readable(call.state(), id)?.get()?;
    call.memory()
        .write_u64(value_out, value)
        .named("the place for the value")?;
    Ok(())
}
