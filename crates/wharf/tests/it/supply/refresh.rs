//! Tags that move while a server runs.

use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::Signal;
use wharf_testing::{connect, eventually};

use super::{Harbour, harbour};
use crate::process::Wharf;

/// A filter that answers each request itself, with this text.
fn says(harbour: &Harbour, tag: &str, text: &str) {
    let module = format!(
        r#"(module
          (import "env" "proxy_send_local_response"
            (func $send (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
          (memory (export "memory") 1)
          (data (i32.const 64) "{text}")
          (func (export "proxy_abi_version_0_2_1"))
          (func (export "malloc") (param i32) (result i32) i32.const 1024)
          (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
            (drop (call $send (i32.const 200) (i32.const 0) (i32.const 0) (i32.const 64) (i32.const {length})
              (i32.const 0) (i32.const 0) (i32.const -1)))
            i32.const 1))"#,
        length = text.len(),
    );
    push(harbour, tag, &module);
}

fn push(harbour: &Harbour, tag: &str, module: &str) {
    std::fs::write(harbour.folder.path().join("filter.wat"), module).unwrap();
    harbour.good(&["push", "filter.wat", &format!("HOST/plugins/says:{tag}")]);
}

const SERVING: &str = "plugins: { says: { source: \"oci:HOST/plugins/says:1\", pullPolicy: always, limits: { deadline: 20s } } }\n\
    proxy:\n  workers: 2\n  listeners: [ { name: web, bind: \"127.0.0.1:0\", routes: [ { match: { pathPrefix: / }, filters: [ { plugin: says } ], upstream: app } ] } ]\n  \
    upstreams: { app: { endpoints: [ \"127.0.0.1:9\" ] } }\n\
    admin: { bind: \"127.0.0.1:0\" }\n";

fn serve(harbour: &Harbour, sections: &str) -> Wharf {
    harbour.write_configuration(&format!("{SERVING}{sections}"));
    let path = harbour.folder.path().join("wharf.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(
        &path,
        text.replace("registries: {", "registries: { refreshInterval: 1s,"),
    )
    .unwrap();
    Wharf::start(harbour.folder.clone())
}

#[test]
fn what_a_tag_means_now_is_swapped_in_and_no_request_is_lost() {
    let harbour = harbour();
    says(&harbour, "1", "one");
    let wharf = serve(&harbour, "");
    assert_eq!(wharf.get("/").text(), "one");
    let swapped = "wharf_plugin_refreshes_total{plugin=\"says\",outcome=\"changed\"}";
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let mut client = connect(wharf.address());
                    let mut seen: Vec<String> = Vec::new();
                    let mut is_last = false;
                    while !is_last {
                        is_last = stop.load(Ordering::Relaxed);
                        let answer = client.get("/");
                        assert_eq!(answer.status, 200);
                        if seen.last().is_none_or(|last| last != answer.text()) {
                            seen.push(answer.text().to_owned());
                        }
                    }
                    seen
                })
            })
            .collect();
        for (count, text) in [(1.0, "two"), (2.0, "three")] {
            says(&harbour, "1", text);
            // It is counted when all workers have it.
            eventually("the tag is asked for anew", || {
                wharf.metric(swapped) == Some(count)
            });
            assert_eq!(wharf.get("/").text(), text);
        }
        stop.store(true, Ordering::Relaxed);
        for client in clients {
            // Each sees them in their order, and never an older one again.
            assert_eq!(client.join().unwrap(), ["one", "two", "three"]);
        }
    });
    let plugin = wharf.plugin("says");
    assert_eq!(plugin["healthy"], true);
    assert_eq!(plugin["refresh"], serde_json::Value::Null);
    assert_eq!(wharf.stop().code, Some(0));
}

#[test]
fn what_cannot_be_swapped_in_leaves_what_runs() {
    let harbour = harbour();
    harbour.keys("author");
    let trust = "trust: { rules: [ { references: [ \"oci:**\" ], signatures: [ { key: author.pub } ] } ] }";
    says(&harbour, "1", "one");
    harbour.good(&["sign", "HOST/plugins/says:1", "--key", "author.key"]);
    let wharf = serve(&harbour, trust);
    let told = |expected: &str| {
        eventually(expected, || {
            let plugin = wharf.plugin("says");
            plugin["refresh"]["error"]
                .as_str()
                .is_some_and(|reason| reason.contains(expected))
        });
        let ready = wharf.admin_get("/readyz");
        assert_eq!(ready.status, 200);
        assert!(
            ready.text().starts_with("ready\nplugin says runs as it was"),
            "{}",
            ready.text()
        );
        assert_eq!(wharf.get("/").text(), "one");
    };

    // Nobody signed what the tag means now.
    says(&harbour, "1", "two");
    told("it has no signature");
    assert!(
        wharf.plugin("says")["refresh"]["since"]
            .as_str()
            .unwrap()
            .ends_with('Z')
    );

    // Somebody did, and it does not start.
    push(
        &harbour,
        "1",
        "(module (memory (export \"memory\") 1) (func (export \"proxy_abi_version_0_2_1\")) (func (export \"malloc\") (param i32) (result i32) i32.const 0) (func (export \"_initialize\") unreachable))",
    );
    harbour.good(&["sign", "HOST/plugins/says:1", "--key", "author.key"]);
    told("does not start");

    // The registry is away.
    harbour.registry.remove("/v2/plugins/says/manifests/1");
    told("has no `1`");
    assert!(wharf.metric("wharf_plugin_refreshes_total{plugin=\"says\",outcome=\"failed\"}") > Some(2.0));

    // All is well again; SIGHUP asks at once.
    says(&harbour, "1", "three");
    harbour.good(&["sign", "HOST/plugins/says:1", "--key", "author.key"]);
    wharf.signal(Signal::HUP);
    eventually("it is swapped in", || wharf.get("/").text() == "three");
    eventually("nothing is wrong any more", || {
        wharf.admin_get("/readyz").text() == "ready\n"
    });
    assert_eq!(wharf.stop().code, Some(0));
}

#[test]
fn what_is_not_always_asked_for_stays() {
    let harbour = harbour();
    says(&harbour, "1", "one");
    harbour.write_configuration(&SERVING.replace("pullPolicy: always, ", ""));
    let wharf = Wharf::start(harbour.folder.clone());
    says(&harbour, "1", "two");
    wharf.signal(Signal::HUP);
    eventually("the signal was heard", || {
        wharf.admin_get("/metrics").status == 200
    });
    assert_eq!(wharf.get("/").text(), "one");
    assert_eq!(wharf.stop().code, Some(0));
}
