//! The admin port.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use wharf_testing::connect;

use crate::harness::config;
use crate::process::Wharf;

fn serve() -> Wharf {
    config()
        .plugin("greet", "rust-headers/rust-headers.wasm", "")
        .plugin("count", "as-counter/as-counter.wasm", "")
        .plugin("unused", "wat/trap.wat", "")
        .route("/", &["greet", "count"], "hello")
        .start()
}

#[test]
fn health_and_readiness() {
    let wharf = serve();
    for (path, text) in [("/healthz", "ok\n"), ("/readyz", "ready\n")] {
        let answer = wharf.admin_get(path);
        assert_eq!((answer.status, answer.text()), (200, text));
    }
}

#[test]
fn what_is_not_there_and_what_may_not_be_done() {
    let wharf = serve();
    let mut client = connect(wharf.admin());
    let answer = client.get("/nothing");
    assert_eq!(
        (answer.status, answer.text()),
        (
            404,
            "there is /healthz, /readyz, /metrics, /plugins and /policies\n"
        )
    );
    let answer = client.request("POST", "/metrics").response();
    assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD")));
    let answer = client.request("HEAD", "/healthz").response_to_head();
    assert_eq!((answer.status, answer.header("content-length")), (200, Some("3")));
}

#[test]
fn the_plugins_as_json() {
    let wharf = serve();
    wharf.get("/");
    let answer = wharf.admin_get("/plugins");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let mut plugins: Value = serde_json::from_slice(&answer.body).unwrap();
    for plugin in plugins.as_array_mut().unwrap() {
        assert!(plugin["digest"].as_str().unwrap().starts_with("sha256:"));
        assert!(plugin["bytes"].as_u64().unwrap() > 0);
        (plugin["digest"], plugin["bytes"]) = (json!("…"), json!(0));
        assert_eq!(plugin["provenance"]["layout"], "file");
        assert_eq!(plugin["provenance"]["verification"], "unverified");
        plugin.as_object_mut().unwrap().shift_remove("provenance");
    }
    let plugin = |name: &str, source: &str, abi: &str, used: bool| {
        let vms = i32::from(used);
        json!({
            "name": name, "source": format!("file:{source}"), "digest": "…", "bytes": 0, "abis": [abi],
            "refresh": null, "required": true, "used": used, "healthy": used.then_some(true), "vms": { "expected": vms, "running": vms },
            "faults": 0, "rebuilds": 0, "lastFault": null,
        })
    };
    let expected = json!([
        plugin(
            "count",
            "guests/as-counter/as-counter.wasm",
            "proxy-wasm 0.2.0",
            true
        ),
        plugin(
            "greet",
            "guests/rust-headers/rust-headers.wasm",
            "proxy-wasm 0.2.1",
            true
        ),
        plugin("unused", "guests/wat/trap.wat", "proxy-wasm 0.2.1", false),
    ]);
    assert_eq!(plugins, expected, "{plugins:#}");
}

#[test]
fn metrics_are_well_formed_and_say_what_happened() {
    let wharf = serve();
    wharf.get("/");
    wharf.access("/");
    let answer = wharf.admin_get("/metrics");
    let content_type = answer.header("content-type").unwrap();
    assert!(
        content_type.starts_with("application/openmetrics-text; version=1.0.0"),
        "{content_type}"
    );
    let families = parse(answer.text());
    for name in [
        "wharf_requests",
        "wharf_request_duration_seconds",
        "wharf_requests_active",
        "wharf_connections",
        "wharf_plugin_calls",
        "wharf_plugin_seconds",
        "wharf_plugin_call_duration_seconds",
        "wharf_plugin_vm_rebuilds",
        "wharf_plugin_memory_bytes",
        "wharf_plugin_log_lines",
        "wharf_compile_cache_hits",
        "wharf_access_log_lost_lines",
        "wharf_guest_as_counter_requests",
    ] {
        assert!(
            families.contains(name),
            "{name} is missing from\n{}",
            answer.text()
        );
    }
    let metric = |name: &str| wharf.metric(name);
    assert_eq!(
        metric("wharf_requests_total{listener=\"web\",route=\"web/0\",status=\"2xx\"}"),
        Some(1.0)
    );
    assert_eq!(
        metric("wharf_request_duration_seconds_count{listener=\"web\",route=\"web/0\"}"),
        Some(1.0)
    );
    let calls = "wharf_plugin_calls_total{plugin=\"greet\",callback=\"proxy_on_request_headers\"}";
    assert_eq!(metric(calls), Some(1.0));
    assert!(metric("wharf_plugin_seconds_total{plugin=\"greet\"}") > Some(0.0));
    assert!(metric("wharf_plugin_memory_bytes{plugin=\"greet\"}") >= Some(65536.0));
}

/// Reads OpenMetrics text as its grammar has it, as far as Wharf uses it. Gives the names of the families.
fn parse(text: &str) -> BTreeSet<String> {
    let lines = text.strip_suffix("# EOF\n").expect("the end is marked");
    let (mut families, mut current, mut seen) =
        (BTreeSet::new(), (String::new(), String::new()), BTreeSet::new());
    for line in lines.lines() {
        if let Some(typed) = line.strip_prefix("# TYPE ") {
            let (name, kind) = typed.split_once(' ').expect("a type has a name");
            assert!(matches!(kind, "counter" | "gauge" | "histogram"), "{line}");
            assert!(families.insert(name.to_owned()), "{name} is there twice");
            current = (name.to_owned(), kind.to_owned());
        } else if !line.starts_with("# HELP ") && !line.starts_with("# UNIT ") {
            let (sample, value) = line.rsplit_once(' ').expect("a sample has a value");
            assert!(value.parse::<f64>().is_ok(), "{line}");
            assert!(seen.insert(sample.to_owned()), "{sample} is there twice");
            let name = sample.split('{').next().expect("split gives at least one part");
            assert!(sample == name || sample.ends_with("\"}"), "{line}");
            let suffix = name
                .strip_prefix(&current.0)
                .unwrap_or_else(|| panic!("{line} is not of {}", current.0));
            let known: &[&str] = match current.1.as_str() {
                "counter" => &["_total"],
                "gauge" => &[""],
                _ => &["_bucket", "_sum", "_count"],
            };
            assert!(known.contains(&suffix), "{line}");
        }
    }
    families
}

#[test]
fn a_configuration_without_an_admin_port_has_none() {
    let text = config()
        .route("/", &[], "hello")
        .text()
        .replace("admin: { bind: 127.0.0.1:0 }\n", "");
    let wharf = Wharf::start(crate::harness::folder().with("wharf.yaml", text));
    assert_eq!(wharf.get("/").status, 200);
    let ended = wharf.stop();
    assert!(
        !ended.stderr.iter().any(|line| line.starts_with("admin on")),
        "{:?}",
        ended.stderr
    );
}
