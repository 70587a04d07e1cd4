//! What was measured, as a table.

use crate::load::Measurement;

/// One chain's measurements, a round each.
pub(crate) struct Row {
    name: &'static str,
    pub(crate) wharf: Vec<Measurement>,
    pub(crate) envoy: Vec<Measurement>,
}

impl Row {
    pub(crate) fn new(name: &'static str) -> Self {
        Self {
            name,
            wharf: Vec::new(),
            envoy: Vec::new(),
        }
    }
}

/// Prints the medians of each row.
pub(crate) fn print(rows: &[Row], connections: usize) {
    println!(
        "with {connections} connections: CPU time of the proxy for a request, requests a second, latencies"
    );
    println!(
        "  {:<10} {:<6} {:>8} {:>9} {:>9} {:>9}   of Envoy's CPU time",
        "filters", "", "CPU", "rate", "p50", "p99"
    );
    for row in rows {
        line(row.name, "wharf", &row.wharf);
        let (Some(wharf), Some(envoy)) = (cpu(&row.wharf), cpu(&row.envoy)) else {
            println!();
            continue;
        };
        println!("   {:.2}", wharf / envoy);
        line("", "envoy", &row.envoy);
        println!();
    }
}

fn line(name: &str, proxy: &str, rounds: &[Measurement]) {
    let microseconds = |value: f64| format!("{value:.1} µs");
    let shown = |value: Option<f64>| value.map(microseconds).unwrap_or_default();
    let rate = median(rounds.iter().map(|round| round.rate)).unwrap_or_default();
    let p50 = median(rounds.iter().map(|round| round.p50.as_secs_f64() * 1e6));
    let p99 = median(rounds.iter().map(|round| round.p99.as_secs_f64() * 1e6));
    print!(
        "  {name:<10} {proxy:<6} {:>8} {rate:>7.0}/s {:>9} {:>9}",
        shown(cpu(rounds)),
        shown(p50),
        shown(p99)
    );
}

fn cpu(rounds: &[Measurement]) -> Option<f64> {
    median(rounds.iter().map(|round| round.cpu.as_secs_f64() * 1e6))
}

pub(crate) fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
