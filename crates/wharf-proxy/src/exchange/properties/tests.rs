use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Method, Uri};
use wharf_telemetry::{AccessLog, AccessLogSink, Metrics};

use super::*;
use crate::context::{Listener, Worker};
use crate::record::RequestLine;
use crate::strict::Wire;

const CONFIG: &str = r#"
version: 1
proxy:
  workers: 1
  listeners:
    - { name: web, bind: "127.0.0.1:0", routes: [ { name: all, match: { pathPrefix: / }, upstream: app } ] }
  upstreams: { app: { endpoints: ["127.0.0.1:9000"] } }
"#;

fn properties() -> ExchangeProperties {
    let proxy = wharf_config::parse(CONFIG, Path::new("wharf.yaml"))
        .unwrap()
        .config
        .proxy
        .unwrap();
    let metrics = Arc::new(Metrics::new());
    let log = AccessLog::start(AccessLogSink::Off, metrics.access_log_lost().clone()).unwrap();
    let worker = Rc::new(Worker::new(1, &proxy, metrics, log.buffer()).unwrap());
    let listener = Rc::new(Listener::new(&proxy.listeners[0], &worker).unwrap());
    let addresses = ["192.0.2.1:1234", "192.0.2.2:80"].map(|address| address.parse().unwrap());
    let connection = Rc::new(Connection::new(
        listener,
        addresses[0],
        addresses[1],
        Rc::new(Wire::new()),
    ));
    let request = RequestLine {
        method: Method::GET,
        target: Uri::from_static("/"),
        host: None,
        version: Version::HTTP_11,
    };
    let record = Rc::new(Record::new(
        connection,
        request,
        HeaderValue::from_static("an-id"),
    ));
    ExchangeProperties { record }
}

fn property(properties: &ExchangeProperties, path: &str) -> Option<Vec<u8>> {
    let parts: Vec<_> = path.split('.').map(str::as_bytes).collect();
    properties.property(&parts)
}

fn text(properties: &ExchangeProperties, path: &str) -> Option<String> {
    property(properties, path).map(|value| String::from_utf8(value).unwrap())
}

fn count(properties: &ExchangeProperties, path: &str) -> Option<u64> {
    property(properties, path).map(|value| u64::from_le_bytes(value.try_into().unwrap()))
}

#[test]
fn the_connection_and_the_request() {
    let known = properties();
    assert_eq!(text(&known, "source.address").unwrap(), "192.0.2.1:1234");
    assert_eq!(count(&known, "source.port"), Some(1234));
    assert_eq!(text(&known, "destination.address").unwrap(), "192.0.2.2:80");
    assert_eq!(count(&known, "destination.port"), Some(80));
    assert_eq!(count(&known, "connection.id"), Some((1 << 48) + 1));
    assert_eq!(property(&known, "connection.mtls"), Some(vec![0]));
    assert_eq!(text(&known, "request.protocol").unwrap(), "HTTP/1.1");
    assert_eq!(text(&known, "request.id").unwrap(), "an-id");
    let since_1970 = count(&known, "request.time").unwrap();
    assert_eq!(
        u128::from(since_1970),
        known
            .record
            .time()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap()
            .as_nanos()
    );
    let first = count(&known, "request.duration").unwrap();
    assert!(count(&known, "request.duration").unwrap() >= first);
}

#[test]
fn the_upstream_is_known_once_it_has_answered() {
    let known = properties();
    for path in [
        "upstream.address",
        "upstream.port",
        "response.backend_latency",
        "response.code_details",
    ] {
        assert_eq!(property(&known, path), None, "{path}");
    }
    known
        .record
        .note_upstream(Some(&Rc::from("192.0.2.3:9000")), Duration::from_micros(7));
    known.record.note_details("upstream_stalled");
    assert_eq!(text(&known, "upstream.address").unwrap(), "192.0.2.3:9000");
    assert_eq!(count(&known, "upstream.port"), Some(9000));
    assert_eq!(count(&known, "response.backend_latency"), Some(7000));
    assert_eq!(text(&known, "response.code_details").unwrap(), "upstream_stalled");
    assert_eq!(count(&known, "response.flags"), Some(0));
}

#[test]
fn the_place_in_the_configuration_with_and_without_xds() {
    let known = properties();
    assert_eq!(text(&known, "route_name"), None);
    let route = known.record.connection().listener.route("any", "/").unwrap();
    known.record.choose_route(&route);
    for prefix in ["", "xds."] {
        assert_eq!(text(&known, &format!("{prefix}route_name")).unwrap(), "all");
        assert_eq!(text(&known, &format!("{prefix}cluster_name")).unwrap(), "app");
        assert_eq!(
            text(&known, &format!("{prefix}virtual_host_name")).unwrap(),
            "web"
        );
        assert_eq!(
            count(&known, &format!("{prefix}listener_direction")),
            Some(INBOUND)
        );
    }
}

#[test]
fn what_is_not_known_is_none() {
    let known = properties();
    for path in [
        "",
        "source",
        "source.x",
        "connection.tls_version",
        "a.b.c",
        "xds.filter_chain_name",
        "metadata",
    ] {
        assert_eq!(property(&known, path), None, "{path}");
    }
}
