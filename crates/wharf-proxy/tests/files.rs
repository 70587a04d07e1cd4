//! A proxy whose process has run out of file descriptors. In a test binary of its own, because the limit is the
//! process's.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use wharf_config::{HttpLimits, ListenerConfig, ProxyConfig, RouteConfig, UpstreamConfig};
use wharf_plugin::ByteSize;
use wharf_proxy::plugins::PluginSet;
use wharf_proxy::{Server, ServerSettings};
use wharf_telemetry::{AccessLog, AccessLogSink, Metrics};
use wharf_testing::{connect, eventually};

#[test]
fn accepting_goes_on_when_there_are_files_again() {
    let limit = rustix::process::Rlimit {
        current: Some(256),
        maximum: Some(256),
    };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).unwrap();
    let metrics = Arc::new(Metrics::new());
    let server = server(&metrics);
    let address = server.listeners()[0].address;
    assert_eq!(connect(address).get("/").text(), "hello");

    let client = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let mut hogs: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    assert!(hogs.len() > 10, "the process is out of files now");
    client.connect(&address.into()).unwrap();
    eventually("accepting failed", || {
        metrics.encode().lines().any(|line| {
            let failures = line.strip_prefix("wharf_accept_failures_total{listener=\"web\"} ");
            failures.is_some_and(|failures| failures != "0")
        })
    });
    hogs.clear();
    assert_eq!(connect(address).get("/").text(), "hello");
}

fn server(metrics: &Arc<Metrics>) -> Server {
    let limits = HttpLimits {
        header_bytes: ByteSize::from_kib(60),
        header_count: 100,
        body_buffer: ByteSize::from_mib(1),
        request_header_timeout: Duration::from_secs(10),
        idle_timeout: Duration::from_secs(60),
        body_idle_timeout: Duration::from_secs(30),
    };
    let route = RouteConfig {
        name: "web/0".to_owned(),
        hosts: vec!["*".parse().unwrap()],
        path_prefix: "/".to_owned(),
        filters: Vec::new(),
        upstream: "hello".to_owned(),
    };
    let bind: SocketAddr = (Ipv4Addr::LOCALHOST, 0).into();
    let hello = UpstreamConfig::Respond {
        status: 200,
        headers: Vec::new(),
        body: "hello".to_owned(),
    };
    let config = ProxyConfig {
        workers: NonZeroUsize::MIN,
        listeners: vec![ListenerConfig {
            name: "web".to_owned(),
            bind,
            routes: vec![route],
            limits,
        }],
        upstreams: [("hello".to_owned(), Arc::new(hello))].into(),
    };
    let access_log = AccessLog::start(AccessLogSink::Off, metrics.access_log_lost().clone()).unwrap();
    let plugins = Arc::new(PluginSet::default());
    let settings = ServerSettings {
        metrics: Arc::clone(metrics),
        access_log,
        plugins,
        drain_timeout: Duration::ZERO,
    };
    Server::bind(&config, &settings).unwrap()
}
