//! `docs/metrics.md`, from the registry of wharf-telemetry.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use wharf_telemetry::Metrics;

use super::DocsError;
use crate::repository::Repository;

/// Where the metrics are registered.
pub(super) const SOURCE: &str = "crates/wharf-telemetry/src/metrics.rs";

const HEAD: &str = "\
# Metrics

<!-- Generated from the registry in crates/wharf-telemetry. `cargo xtask docs` writes it anew. -->

The admin port gives them at `/metrics`, as OpenMetrics text, which Prometheus reads. Names are as they are scraped: a
counter ends with `_total`; a histogram has `_bucket`, `_sum` and `_count`. Times are in seconds.

| metric | type | labels | meaning |
|---|---|---|---|
";

const FOOT: &str = "
## Metrics that plugins define

What a plugin defines with `proxy_define_metric` appears as `wharf_guest_<name>`, with the plugin's name in the label
`plugin` and the name that the guest gave in the label `metric`. In the exposed name each character that Prometheus does
not allow is a `_`. All VMs of a plugin, in all workers, share one metric. A plugin may define 1000 of them.

## What to alert on

| what | when |
|---|---|
| a plugin faults | `rate(wharf_plugin_faults_total[5m]) > 0`, by `plugin` and `kind` |
| a plugin is slow | `histogram_quantile(0.99, rate(wharf_plugin_call_duration_seconds_bucket[5m]))` near its deadline |
| a plugin's memory grows | `wharf_plugin_memory_bytes` near `limits.memory` times the number of VMs |
| an upstream is away | `rate(wharf_upstream_connect_failures_total[5m]) > 0` |
| a plugin is not what its registry has | `increase(wharf_plugin_refreshes_total{outcome=\"failed\"}[15m]) > 0`, by `plugin` |
| the access log loses lines | `increase(wharf_access_log_lost_lines_total[5m]) > 0` |
";

/// One family, as it is exposed.
#[derive(Default)]
struct Family {
    kind: String,
    help: String,
    labels: Vec<String>,
}

pub(super) fn generate(repository: &Repository) -> Result<String, DocsError> {
    let families = families(&exposed());
    if let Some(name) = registered(repository).find(|name| !families.contains_key(*name)) {
        return Err(DocsError::UnknownMetric {
            name: name.to_owned(),
        });
    }
    let mut text = HEAD.to_owned();
    for (name, Family { kind, help, labels }) in &families {
        let suffix = if kind == "counter" { "_total" } else { "" };
        let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
        let labels = if labels.is_empty() {
            "–".to_owned()
        } else {
            labels.join(", ")
        };
        writeln!(text, "| `{name}{suffix}` | {kind} | {labels} | {help} |").expect("a string takes all text");
    }
    text.push_str(FOOT);
    Ok(text)
}

/// All metrics with one value each: a family without values is not exposed.
fn exposed() -> String {
    let metrics = Metrics::new();
    metrics.listener("l").refused("r");
    metrics.route("l", "r").finished(Some(200), Duration::ZERO);
    drop(metrics.upstream("u"));
    let plugin = metrics.plugin("p");
    metrics.plugin_refreshed("p", wharf_telemetry::RefreshOutcome::Unchanged);
    plugin.calls("c").inc();
    plugin.faulted("k");
    plugin.logged(0);
    metrics.encode()
}

fn families(exposed: &str) -> BTreeMap<String, Family> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut current = String::new();
    for line in exposed.lines() {
        if let Some((name, help)) = described(line, "# HELP ") {
            current = name.to_owned();
            families.entry(current.clone()).or_default().help = help.trim_end_matches('.').to_owned();
        } else if let Some((name, kind)) = described(line, "# TYPE ") {
            families.entry(name.to_owned()).or_default().kind = kind.to_owned();
        } else if let Some(family) = families.get_mut(&current)
            && family.labels.is_empty()
        {
            family.labels = labels(line);
        }
    }
    families.retain(|name, _| !name.starts_with("wharf_guest_"));
    families
}

fn described<'a>(line: &'a str, what: &str) -> Option<(&'a str, &'a str)> {
    line.strip_prefix(what)?.split_once(' ')
}

fn labels(sample: &str) -> Vec<String> {
    let inside = sample.split_once('{').and_then(|(_, rest)| rest.split_once('}'));
    let names = inside
        .map_or("", |(inside, _)| inside)
        .split(',')
        .filter_map(|label| label.split_once('='));
    names
        .map(|(name, _)| name.to_owned())
        .filter(|name| name != "le")
        .collect()
}

/// The names that stand in the source, above its tests.
fn registered(repository: &Repository) -> impl Iterator<Item = &str> {
    let source = repository.text(SOURCE).unwrap_or_default();
    let source = source.split("#[cfg(test)]").next().unwrap_or_default();
    source.split('"').filter(|literal| {
        literal.starts_with("wharf_") && literal.chars().all(|c| c.is_ascii_lowercase() || c == '_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_read_with_its_labels() {
        let families = families(
            "# HELP a_b What it is.\n# TYPE a_b histogram\na_b_bucket{le=\"1\",x=\"2\",y=\"3\"} 0\n# EOF\n",
        );
        let Family { kind, help, labels } = &families["a_b"];
        assert_eq!((kind.as_str(), help.as_str()), ("histogram", "What it is"));
        assert_eq!(*labels, ["x", "y"]);
    }

    #[test]
    fn a_metric_that_is_not_brought_to_light_is_an_error() {
        let repository = Repository::of(&[(
            SOURCE,
            "add(r, \"wharf_requests\", \"x\"); add(r, \"wharf_new\", \"y\")",
        )]);
        let error = generate(&repository).unwrap_err();
        assert!(matches!(error, DocsError::UnknownMetric { name } if name == "wharf_new"));
    }
}
