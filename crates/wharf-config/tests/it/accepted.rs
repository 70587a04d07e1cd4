//! What good files mean.

use std::path::{Path, PathBuf};
use std::time::Duration;

use expect_test::expect;
use wharf_config::{AccessLog, Config, EndpointsConfig, HostPattern, UpstreamConfig};
use wharf_plugin::{ByteSize, Limits, OnFault, Reference};

use crate::{EXAMPLE, check, parse};

/// The configuration of a text that is accepted without a warning.
fn config(text: &str) -> Config {
    match parse(text) {
        Ok(loaded) => {
            assert_eq!(loaded.warnings, [], "no warning was expected");
            loaded.config
        }
        Err(errors) => panic!("{errors}"),
    }
}

#[test]
fn the_example_means_what_it_says() {
    let config = config(EXAMPLE);
    let greet = &config.plugins["greet"];
    assert_eq!(
        greet.source,
        Reference::File("guests/rust-headers/rust-headers.wasm".into())
    );
    assert_eq!(
        greet.limits,
        Limits {
            deadline: Duration::from_millis(20),
            ..Limits::default()
        }
    );
    assert_eq!(greet.on_fault, OnFault::Closed);
    assert_eq!(greet.env["GREETING"], "hello");
    assert!(greet.required);
    assert_eq!(config.plugins["count"].limits, Limits::default());

    let proxy = config.proxy.expect("the example has a proxy");
    let web = &proxy.listeners[0];
    assert_eq!(
        (web.name.as_str(), web.bind),
        ("web", "127.0.0.1:8080".parse().unwrap())
    );
    let [api, rest] = web.routes.as_slice() else {
        panic!("two routes were written")
    };
    assert_eq!((api.name.as_str(), rest.name.as_str()), ("web/0", "web/1"));
    assert_eq!(api.hosts, [HostPattern::Any]);
    assert_eq!(rest.hosts, [HostPattern::Any]);
    assert_eq!(
        (api.path_prefix.as_str(), rest.path_prefix.as_str()),
        ("/api", "/")
    );
    assert_eq!(api.filters[0].config, br#"{"header":"x-greeting","value":"hi"}"#);
    assert_eq!(api.filters[1].config, b"");
    assert_eq!((api.upstream.as_str(), rest.upstream.as_str()), ("app", "hello"));
    assert_eq!(
        *proxy.upstreams["hello"],
        UpstreamConfig::Respond {
            status: 200,
            headers: vec![("content-type".into(), "text/plain".into())],
            body: "hello from wharf\n".into(),
        }
    );
    assert_eq!(
        *proxy.upstreams["app"],
        UpstreamConfig::Endpoints(EndpointsConfig {
            endpoints: vec!["127.0.0.1:9000".into()],
            connect_timeout: Duration::from_secs(1),
            request_timeout: Duration::from_secs(15),
            idle_timeout: Duration::from_secs(60),
            max_idle: 32,
        })
    );
    assert_eq!(config.admin.unwrap().bind, "127.0.0.1:9901".parse().unwrap());
}

#[test]
fn a_file_with_only_a_version_has_the_defaults() {
    let config = config("version: 1\n");
    assert_eq!(config.proxy, None);
    assert_eq!(config.admin, None);
    assert_eq!(config.cache.directory, None);
    assert_eq!(config.cache.size, ByteSize::from_gib(1));
    assert_eq!(config.access_log, AccessLog::Stdout);
    assert_eq!(config.drain_timeout, Duration::from_secs(30));
}

#[test]
fn keys_without_a_value_count_as_not_given() {
    let empty = "version: 1\nplugins:\nproxy: ~\nadmin:\ncache:\n  size:\n";
    assert_eq!(config(empty), config("version: 1"));
}

#[test]
fn every_key_reaches_its_place() {
    let config = config(
        r#"
version: 1
plugins:
  full:
    source: file:///opt/full.wat
    limits: { memory: 1MiB, tableElements: 7, instances: 8, deadline: 9ms, startupDeadline: 10s, stack: 64KiB }
    onFault: open
    env: { PORT: 8080, RATIO: 1.10, EMPTY: "" }
    rootId: root
    vmId: vm
    vmConfig: { b: 1, a: [true, null, 1.10, "x"] }
    allow: { upstreams: [far] }
    required: false
  text: { source: file:text.wasm, vmConfig: "as it is" }
proxy:
  workers: 3
  drainTimeout: 0s
  accessLog: { file: logs/access.log }
  listeners:
    - bind: "[::1]:0"
      routes:
        - name: only
          match: { hosts: [Example.COM, "*.example.com"], pathPrefix: /x/ }
          filters: [ { plugin: full, config: [1, 2] }, { plugin: text, config: "raw: text" }, { plugin: text, config: 0x10 } ]
          upstream: far
      limits: { headerBytes: 2KiB, headerCount: 3, bodyBuffer: 4B, requestHeaderTimeout: 5ms, idleTimeout: 6s, bodyIdleTimeout: 7m }
    - { bind: 127.0.0.1:0, routes: [ { upstream: near } ] }
  upstreams:
    far: { endpoints: ["[::1]:1", "name.example:2"], connectTimeout: 3ms, requestTimeout: 0s, idleTimeout: 5s, maxIdle: 0 }
    near: { respond: { headers: { X-Count: 5 } } }
cache: { directory: cache, size: 2MiB }
"#,
    );
    let full = &config.plugins["full"];
    assert_eq!(full.source, Reference::File("/opt/full.wat".into()));
    assert_eq!(
        full.limits,
        Limits {
            memory: ByteSize::from_mib(1),
            table_elements: 7,
            instances: 8,
            deadline: Duration::from_millis(9),
            startup_deadline: Duration::from_secs(10),
            stack: ByteSize::from_kib(64),
        }
    );
    assert_eq!(full.on_fault, OnFault::Open);
    let env: Vec<(&str, &str)> = full
        .env
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(env, [("EMPTY", ""), ("PORT", "8080"), ("RATIO", "1.10")]);
    assert_eq!(
        (full.root_id.as_str(), full.vm_id.as_str(), full.required),
        ("root", "vm", false)
    );
    assert_eq!(full.vm_config, br#"{"b":1,"a":[true,null,1.10,"x"]}"#);
    assert!(full.allowed_upstreams.iter().eq(["far"]));
    assert_eq!(config.plugins["text"].vm_config, b"as it is");

    assert_eq!(config.access_log, AccessLog::File("logs/access.log".into()));
    assert_eq!(config.drain_timeout, Duration::ZERO);
    assert_eq!(config.cache.directory, Some(PathBuf::from("cache")));
    assert_eq!(config.cache.size, ByteSize::from_mib(2));
    let proxy = config.proxy.unwrap();
    assert_eq!(proxy.workers.get(), 3);
    let [first, second] = proxy.listeners.as_slice() else {
        panic!("two listeners were written")
    };
    assert_eq!(
        (first.name.as_str(), second.name.as_str()),
        ("listener-0", "listener-1")
    );
    assert_eq!(first.limits.header_bytes, ByteSize::from_kib(2));
    assert_eq!(first.limits.header_count, 3);
    assert_eq!(first.limits.body_buffer, ByteSize::from_bytes(4));
    assert_eq!(first.limits.request_header_timeout, Duration::from_millis(5));
    assert_eq!(first.limits.idle_timeout, Duration::from_secs(6));
    assert_eq!(first.limits.body_idle_timeout, Duration::from_secs(420));
    let route = &first.routes[0];
    assert_eq!(route.name, "only");
    assert!(route.matches("a.example.com:80", "/x/y") && !route.matches("a.example.org", "/x/y"));
    let configs: Vec<&[u8]> = route
        .filters
        .iter()
        .map(|filter| filter.config.as_slice())
        .collect();
    assert_eq!(configs, [&b"[1,2]"[..], b"raw: text", b"16"]);
    assert_eq!(
        *proxy.upstreams["far"],
        UpstreamConfig::Endpoints(EndpointsConfig {
            endpoints: vec!["[::1]:1".into(), "name.example:2".into()],
            connect_timeout: Duration::from_millis(3),
            request_timeout: Duration::ZERO,
            idle_timeout: Duration::from_secs(5),
            max_idle: 0,
        })
    );
    assert_eq!(
        *proxy.upstreams["near"],
        UpstreamConfig::Respond {
            status: 200,
            headers: vec![("x-count".into(), "5".into())],
            body: String::new()
        }
    );
}

/// The defaults that the tables give and those that the types give are written in two places.
#[test]
fn the_defaults_of_listeners_are_those_that_are_documented() {
    let text = "version: 1\nproxy: { listeners: [ { bind: 127.0.0.1:1, routes: [ { upstream: a } ] } ], \
                upstreams: { a: { respond: {} } }, accessLog: off }";
    let config = config(text);
    assert_eq!(config.access_log, AccessLog::Off);
    expect![[r#"
        HttpLimits {
            header_bytes: ByteSize(
                61440,
            ),
            header_count: 100,
            body_buffer: ByteSize(
                1048576,
            ),
            request_header_timeout: 10s,
            idle_timeout: 60s,
            body_idle_timeout: 30s,
        }
    "#]]
    .assert_debug_eq(&config.proxy.unwrap().listeners[0].limits);
}

#[test]
fn paths_are_relative_to_the_file() {
    let text = "version: 1\nplugins: { a: { source: file:a.wasm } }\ncache: { directory: /c }\n";
    let config = wharf_config::parse(text, Path::new("/etc/wharf/wharf.yaml"))
        .unwrap()
        .config;
    assert_eq!(
        config.plugins["a"].source,
        Reference::File("/etc/wharf/a.wasm".into())
    );
    assert_eq!(config.cache.directory, Some("/c".into()));
}

#[test]
fn aliases_stand_for_the_value_they_name() {
    let config = config(
        "version: 1
plugins:
  a: { source: file:a.wasm, limits: &small { memory: 1MiB } }
  b: { source: file:b.wasm, limits: *small }
proxy:
  listeners:
    - bind: 127.0.0.1:1
      routes: [ { filters: [ { plugin: a, config: &shared { x: [1] } }, { plugin: b, config: *shared } ], upstream: u } ]
  upstreams: { u: { respond: { body: &text hi, headers: { x: *text } } } }
",
    );
    assert_eq!(config.plugins["a"].limits, config.plugins["b"].limits);
    let filters = &config.proxy.unwrap().listeners[0].routes[0].filters;
    assert_eq!(filters[0].config, filters[1].config);
    assert_eq!(filters[1].config, br#"{"x":[1]}"#);
}

#[test]
fn windows_line_ends_and_a_byte_order_mark_do_no_harm() {
    assert_eq!(
        config(&format!("\u{feff}{}", EXAMPLE.replace('\n', "\r\n"))),
        config(EXAMPLE)
    );
}

/// A configuration with these routes, all to the same upstream.
fn with_routes(routes: &str) -> String {
    format!(
        "version: 1\nproxy:\n  upstreams: {{ u: {{ respond: {{}} }} }}\n  listeners:\n  - name: web\n    bind: 127.0.0.1:1\n    routes:\n{routes}"
    )
}

#[test]
fn routes_that_no_request_reaches_are_warned_of() {
    check(
        &with_routes(
            "    - { match: { hosts: [a.example] }, upstream: u }
    - { match: { hosts: ['*.b.example'] }, upstream: u }
    - { match: { hosts: [A.example, x.b.example], pathPrefix: /x }, upstream: u }
    - { upstream: u }
    - { name: late, match: { pathPrefix: /api }, upstream: u }
",
        ),
        &expect![[r#"
            warning: no request reaches the route `web/2`
              --> wharf.yaml:10:7
               |
            10 |     - { match: { hosts: [A.example, x.b.example], pathPrefix: /x }, upstream: u }
               |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
               |
              ::: wharf.yaml:9:7
               |
             9 |     - { match: { hosts: ['*.b.example'] }, upstream: u }
               |       -------------------------------------------------- the route `web/1` and those before it take them all
               |
               = hint: put the narrower route first

            warning: no request reaches the route `late`
              --> wharf.yaml:12:7
               |
            12 |     - { name: late, match: { pathPrefix: /api }, upstream: u }
               |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
               |
              ::: wharf.yaml:11:7
               |
            11 |     - { upstream: u }
               |       --------------- the route `web/3` takes them all
               |
               = hint: put the narrower route first"#]],
    );
    let reachable = "    - { match: { pathPrefix: /api }, upstream: u }
    - { match: { pathPrefix: /apix }, upstream: u }
    - { match: { hosts: [a.example] }, upstream: u }
    - { match: { hosts: [a.example, b.example] }, upstream: u }
    - { upstream: u }
";
    config(&with_routes(reachable));
}

#[test]
fn what_nothing_uses_is_warned_of() {
    check(
        &with_routes("    - { upstream: u }\n")
            .replace(
                "version: 1\n",
                "version: 1\nplugins:\n  idle: { source: file:a.wasm }\n",
            )
            .replace("respond: {} }", "respond: {} }, spare: { respond: {} }"),
        &expect![[r#"
            warning: nothing uses the plugin `idle`
             --> wharf.yaml:3:3
              |
            3 |   idle: { source: file:a.wasm }
              |   ^^^^
              |
              = hint: name it under `filters` of a route or under `scan.modules`, or remove it

            warning: nothing uses the upstream `spare`
             --> wharf.yaml:5:36
              |
            5 |   upstreams: { u: { respond: {} }, spare: { respond: {} } }
              |                                    ^^^^^
              |
              = hint: name it in a route or under `allow.upstreams` of a plugin, or remove it"#]],
    );
}
