//! The same cases as configurations of either proxy. Both formats are JSON here, which both read.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde_json::{Map, Value, json};

use crate::case::{Case, OnFault};

/// All that a configuration is made of.
pub(crate) struct Setup<'a> {
    pub(crate) cases: &'a [Case],
    /// The modules of each case's filters.
    pub(crate) modules: Vec<Vec<PathBuf>>,
    /// Where the proxy listens for each case.
    pub(crate) addresses: Vec<SocketAddr>,
    /// Where it listens with no filter, to see whether it is there.
    pub(crate) probe: SocketAddr,
    pub(crate) app: SocketAddr,
    pub(crate) service: SocketAddr,
}

impl Setup<'_> {
    fn listeners(
        &self,
        listener: impl Fn(&str, SocketAddr, &[Value]) -> Value,
        filter: Filter,
    ) -> Vec<Value> {
        let mut listeners = vec![listener("probe", self.probe, &[])];
        for (index, case) in self.cases.iter().enumerate() {
            let filters = 0..case.filters.len();
            let filters: Vec<Value> = filters
                .map(|at| filter(case, at, &self.modules[index][at]))
                .collect();
            listeners.push(listener(&case.name, self.addresses[index], &filters));
        }
        listeners
    }

    /// Envoy's bootstrap.
    pub(crate) fn envoy(&self) -> Value {
        json!({ "static_resources": {
            "listeners": self.listeners(envoy_listener, envoy_filter),
            "clusters": [envoy_cluster("app", self.app), envoy_cluster("service", self.service)],
        } })
    }

    /// Wharf's configuration.
    pub(crate) fn wharf(&self) -> Value {
        let mut plugins = Map::new();
        for (case, modules) in self.cases.iter().zip(&self.modules) {
            for (at, module) in modules.iter().enumerate() {
                plugins.insert(case.plugin(at), wharf_plugin(case, at, &module.to_string_lossy()));
            }
        }
        json!({
            "version": 1,
            "plugins": plugins,
            "proxy": {
                "workers": 1,
                "accessLog": "off",
                "listeners": self.listeners(wharf_listener, wharf_filter),
                "upstreams": {
                    "app": { "endpoints": [self.app.to_string()] },
                    "service": { "endpoints": [self.service.to_string()] },
                },
            },
        })
    }
}

type Filter = fn(&Case, usize, &std::path::Path) -> Value;

fn envoy_socket(address: SocketAddr) -> Value {
    json!({ "socket_address": { "address": address.ip().to_string(), "port_value": address.port() } })
}

/// HTTP/1 drops trailers in Envoy unless it is told otherwise, on either side.
fn envoy_cluster(name: &str, address: SocketAddr) -> Value {
    let endpoint = json!({ "endpoint": { "address": envoy_socket(address) } });
    json!({
        "name": name,
        "type": "STATIC",
        "load_assignment": { "cluster_name": name, "endpoints": [{ "lb_endpoints": [endpoint] }] },
        "typed_extension_protocol_options": { "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": { "http_protocol_options": { "enable_trailers": true } },
        } },
    })
}

fn envoy_listener(name: &str, address: SocketAddr, filters: &[Value]) -> Value {
    let mut filters = filters.to_vec();
    filters.push(json!({
        "name": "envoy.filters.http.router",
        "typed_config": { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
    }));
    let route = json!({ "match": { "prefix": "/" }, "route": { "cluster": "app" } });
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name,
        "http_filters": filters,
        "http_protocol_options": { "enable_trailers": true },
        // Wharf always does; Envoy where it is told to.
        "normalize_path": true,
        "route_config": { "virtual_hosts": [{ "name": "all", "domains": ["*"], "routes": [route] }] },
    });
    let filter = json!({ "name": "envoy.filters.network.http_connection_manager", "typed_config": manager });
    json!({ "name": name, "address": envoy_socket(address), "filter_chains": [{ "filters": [filter] }] })
}

fn envoy_filter(case: &Case, at: usize, module: &std::path::Path) -> Value {
    let filter = &case.filters[at];
    let mut config = json!({
        "name": case.plugin(at),
        "root_id": filter.root_id,
        "vm_config": {
            "vm_id": case.vm_id(at),
            "runtime": "envoy.wasm.runtime.v8",
            "code": { "local": { "filename": module } },
            "environment_variables": { "key_values": filter.env },
        },
        "failure_policy": match filter.on_fault {
            OnFault::Closed => "FAIL_CLOSED",
            OnFault::Open => "FAIL_OPEN",
        },
        "allow_on_headers_stop_iteration": filter.allow_on_headers_stop_iteration,
    });
    let text = filter.configuration();
    if !text.is_empty() {
        config["configuration"] =
            json!({ "@type": "type.googleapis.com/google.protobuf.StringValue", "value": text });
    }
    let kind = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";
    json!({ "name": "envoy.filters.http.wasm", "typed_config": { "@type": kind, "config": config } })
}

fn wharf_listener(name: &str, address: SocketAddr, filters: &[Value]) -> Value {
    let route = json!({ "match": { "pathPrefix": "/" }, "filters": filters, "upstream": "app" });
    json!({ "name": name, "bind": address.to_string(), "routes": [route] })
}

fn wharf_filter(case: &Case, at: usize, _module: &std::path::Path) -> Value {
    let text = case.filters[at].configuration();
    if text.is_empty() {
        return json!({ "plugin": case.plugin(at) });
    }
    json!({ "plugin": case.plugin(at), "config": text })
}

fn wharf_plugin(case: &Case, at: usize, module: &str) -> Value {
    let filter = &case.filters[at];
    json!({
        "source": format!("file:{module}"),
        "rootId": filter.root_id,
        "vmId": case.vm_id(at),
        "env": filter.env,
        "onFault": match filter.on_fault {
            OnFault::Closed => "closed",
            OnFault::Open => "open",
        },
        "allowOnHeadersStopIteration": filter.allow_on_headers_stop_iteration,
        "allow": { "upstreams": ["service"] },
    })
}
