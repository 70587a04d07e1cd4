//! Shared queues, from one plugin to another.

use wharf_testing::eventually;

use crate::harness::{Config, config};
use crate::process::Wharf;

const QUEUE: &str = "rust-queue/rust-queue.wasm";

fn consumed(wharf: &Wharf) -> Vec<String> {
    let prefix = "rust-queue: consumed ";
    wharf
        .plugin_log()
        .iter()
        .filter_map(|line| line.strip_prefix(prefix).map(str::to_owned))
        .collect()
}

fn count(wharf: &Wharf, plugin: &str, metric: &str) -> Option<f64> {
    wharf.metric(&format!(
        "wharf_guest_{metric}_total{{plugin=\"{plugin}\",metric=\"{metric}\"}}"
    ))
}

fn check(config: Config) {
    let wharf = config.start();
    let mut client = wharf.connect();
    let paths: Vec<_> = (0..20).map(|number| format!("/produce/{number}")).collect();
    for path in &paths {
        assert_eq!(client.get(path).status, 200);
    }
    eventually("all paths are consumed", || consumed(&wharf).len() >= paths.len());
    let mut got = consumed(&wharf);
    if wharf.plugin("consumer")["vms"]["expected"] != 1 {
        // Several consumers take turns, and what they log may overtake.
        got.sort_by_key(|path| paths.iter().position(|known| known == path));
    }
    assert_eq!(got, paths);
    assert_eq!(count(&wharf, "producer", "rust_queue_produced"), Some(20.0));
    eventually("the consumer has counted", || {
        count(&wharf, "consumer", "rust_queue_consumed") == Some(20.0)
    });
}

#[test]
fn a_plugin_hears_from_another_in_its_vm() {
    check(
        config()
            .plugin("producer", QUEUE, "vmId: queue")
            .plugin("consumer", QUEUE, "vmId: queue, rootId: consumer")
            .route("/produce", &["producer"], "hello")
            .route("/consume", &["consumer"], "hello"),
    );
}

#[test]
fn a_plugin_hears_from_another_vm_of_the_same_id_over_all_workers() {
    check(
        config()
            .plugin("producer", QUEUE, "vmId: queue, env: { MAKES: another VM }")
            .plugin("consumer", QUEUE, "vmId: queue, rootId: consumer")
            .route("/produce", &["producer"], "hello")
            .route("/consume", &["consumer"], "hello")
            .workers(2),
    );
}

#[test]
fn a_plugin_names_the_vm_that_it_speaks_to() {
    check(
        config()
            .plugin("producer", QUEUE, "vmId: here")
            .plugin("consumer", QUEUE, "vmId: there")
            .route("/produce", &["producer, config: { vmId: there }"], "hello")
            .route("/consume", &["consumer, config: { role: consumer }"], "hello"),
    );
}

#[test]
fn what_nobody_consumes_is_dropped_with_a_warning() {
    let wharf = config()
        .plugin("producer", QUEUE, "")
        .route("/", &["producer"], "hello")
        .start();
    assert_eq!(wharf.get("/lost").status, 200);
    wharf.wait_for_plugin_log("rust-queue: nobody consumes paths: /lost is dropped");
}
