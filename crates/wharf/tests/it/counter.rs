//! Shared data, metrics and ticks, over several workers.

use std::collections::BTreeSet;

use wharf_testing::eventually;

use crate::harness::config;

#[test]
fn parallel_requests_over_two_workers_are_counted_exactly() {
    const CLIENTS: u64 = 8;
    const REQUESTS: u64 = 40;
    let wharf = config()
        .plugin("count", "rust-counter/rust-counter.wasm", "vmId: counter")
        .route("/", &["count, config: { tickMs: 10 }"], "hello")
        .workers(2)
        .start();
    assert_eq!(wharf.plugin("count")["vms"]["running"], 2);
    let numbers: Vec<u64> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                scope.spawn(|| {
                    // Connections are spread over the workers, so each client uses several.
                    (0..REQUESTS / 10)
                        .flat_map(|_| ten_numbers(&mut wharf.connect()))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        clients
            .into_iter()
            .flat_map(|client| client.join().unwrap())
            .collect()
    });
    let distinct: BTreeSet<u64> = numbers.iter().copied().collect();
    assert_eq!(numbers.len(), distinct.len(), "a number was given twice");
    assert_eq!(distinct, (1..=CLIENTS * REQUESTS).collect());

    let total = (CLIENTS * REQUESTS) as f64;
    let metric = |name: &str, of: &str| {
        wharf.metric(&format!("wharf_guest_{name}{{plugin=\"count\",metric=\"{of}\"}}"))
    };
    assert_eq!(
        metric("rust_counter_requests_total", "rust_counter_requests"),
        Some(total)
    );
    assert_eq!(
        metric("rust_counter_path_bytes_count", "rust_counter_path_bytes"),
        Some(total)
    );
    assert_eq!(
        metric("rust_counter_path_bytes_sum", "rust_counter_path_bytes"),
        Some(total),
        "each path is /"
    );
    eventually("the next tick writes the gauge", || {
        metric("rust_counter_shared_count", "rust_counter_shared_count") == Some(total)
    });
}

fn ten_numbers(client: &mut wharf_testing::Client) -> Vec<u64> {
    let number = |_| {
        client
            .get("/")
            .header("x-request-count")
            .unwrap()
            .parse()
            .unwrap()
    };
    (0..10).map(number).collect()
}

#[test]
fn counters_with_two_keys_do_not_see_each_other() {
    let wharf = config()
        .plugin("count", "rust-counter/rust-counter.wasm", "")
        .route("/a", &["count, config: { key: a, tickMs: 0 }"], "hello")
        .route("/b", &["count, config: { key: b, tickMs: 0 }"], "hello")
        .start();
    let mut client = wharf.connect();
    let counts: Vec<_> = ["/a", "/a", "/b", "/a"]
        .map(|path| client.get(path).header("x-request-count").unwrap().to_owned())
        .into();
    assert_eq!(counts, ["1", "2", "1", "3"]);
}

#[test]
fn shared_data_outlives_a_vm_that_faults() {
    // With the same id, the filter that traps is in another VM than the counter; its trap costs the counter nothing.
    let wharf = config()
        .plugin("count", "rust-counter/rust-counter.wasm", "vmId: one")
        .plugin("trap", "wat/trap.wat", "vmId: one")
        .route("/", &["count, config: { tickMs: 0 }", "trap"], "hello")
        .start();
    let mut client = wharf.connect();
    assert_eq!(client.get("/").header("x-request-count"), Some("1"));
    assert_eq!(client.get("/trap-on-request-headers").status, 503);
    wharf.wait_for_vms("trap");
    assert_eq!(client.get("/").header("x-request-count"), Some("3"));
    assert_eq!(
        (
            wharf.plugin("count")["faults"].as_u64(),
            wharf.plugin("trap")["faults"].as_u64()
        ),
        (Some(0), Some(1))
    );
}
