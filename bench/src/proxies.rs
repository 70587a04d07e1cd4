//! The two proxies, with the same routes.

use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::Outcome;
use crate::process::{Process, free_ports};

const RULES: &str = "request add x-added by-a-filter\nresponse add x-answered by-a-filter\n";

/// What a chain is called, and its filters with their configurations.
type ChainOf = (&'static str, &'static [(&'static str, &'static str)]);

/// The chains that are measured.
pub(crate) const CHAINS: &[ChainOf] = &[
    ("no filter", &[]),
    ("one, C", &[("c-headers", RULES)]),
    ("one, Rust", &[("rust-headers", "")]),
    (
        "five",
        &[
            ("rust-headers", ""),
            ("c-headers", RULES),
            ("as-counter", ""),
            ("go-headers", ""),
            ("rust-counter", ""),
        ],
    ),
];

/// Where everything is.
pub(crate) struct Scene {
    /// The origin's port.
    pub(crate) origin: u16,
    /// Where configurations, logs and the cache go.
    pub(crate) directory: PathBuf,
    /// The folder of the filters.
    pub(crate) guests: PathBuf,
}

/// A proxy that runs; dropping it ends it.
pub(crate) struct Proxy {
    pub(crate) process: Process,
    /// The port of each chain.
    pub(crate) ports: Vec<u16>,
    /// From the start of the process to the first answer.
    pub(crate) first_answer: Duration,
}

impl Scene {
    fn module(&self, guest: &str) -> PathBuf {
        self.guests.join(guest).join(format!("{guest}.wasm"))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

impl Proxy {
    /// Starts Wharf with one worker, its access log on and its compiled modules in the cache of this name.
    pub(crate) fn wharf(binary: &Path, scene: &Scene, cache: &str) -> Outcome<Self> {
        let ports = free_ports(CHAINS.len())?;
        let config = scene.file("wharf.yaml");
        std::fs::write(&config, wharf_config(scene, &ports, cache).to_string())?;
        let mut command = Command::new(binary);
        command.args(["--log-level", "warn", "serve"]).arg(&config);
        Self::start(command, scene, "wharf.log", ports)
    }

    /// Starts Envoy with one worker and its access log on.
    pub(crate) fn envoy(binary: &Path, scene: &Scene) -> Outcome<Self> {
        let ports = free_ports(CHAINS.len())?;
        let config = scene.file("envoy.json");
        std::fs::write(&config, envoy_config(scene, &ports).to_string())?;
        let mut command = Command::new(binary);
        command
            .args(["--concurrency", "1", "--log-level", "error", "-c"])
            .arg(&config);
        Self::start(command, scene, "envoy.log", ports)
    }

    fn start(command: Command, scene: &Scene, log: &str, ports: Vec<u16>) -> Outcome<Self> {
        let began = Instant::now();
        let mut process = Process::start(command, scene.file(log))?;
        // The last port has the longest chain.
        let port = *ports.last().ok_or("there are no chains")?;
        process.wait(Duration::from_secs(60), || answers(port))?;
        Ok(Self {
            process,
            ports,
            first_answer: began.elapsed(),
        })
    }
}

fn answers(port: u16) -> bool {
    use std::io::{Read, Write};
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(b"GET / HTTP/1.1\r\nhost: bench.example\r\nconnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer.starts_with(b"HTTP/1.1 200"))
    };
    ask().unwrap_or(false)
}

fn wharf_config(scene: &Scene, ports: &[u16], cache: &str) -> Value {
    let names: std::collections::BTreeSet<&str> = CHAINS
        .iter()
        .flat_map(|(_, filters)| filters.iter().map(|(guest, _)| *guest))
        .collect();
    let plugins: serde_json::Map<String, Value> = names
        .into_iter()
        .map(|guest| {
            (
                guest.to_owned(),
                json!({ "source": format!("file:{}", scene.module(guest).display()) }),
            )
        })
        .collect();
    let listener = |((_, filters), port): (&ChainOf, &u16)| {
        let filters: Vec<_> = filters
            .iter()
            .map(|(guest, config)| json!({ "plugin": guest, "config": config }))
            .collect();
        json!({
            "bind": format!("127.0.0.1:{port}"),
            "routes": [{ "match": { "pathPrefix": "/" }, "filters": filters, "upstream": "origin" }],
        })
    };
    json!({
        "version": 1,
        "plugins": plugins,
        "cache": { "directory": scene.file(cache) },
        "proxy": {
            "workers": 1,
            "accessLog": { "file": scene.file("wharf-access.log") },
            "listeners": CHAINS.iter().zip(ports).map(listener).collect::<Vec<_>>(),
            "upstreams": { "origin": { "endpoints": [format!("127.0.0.1:{}", scene.origin)] } },
        },
    })
}

fn envoy_config(scene: &Scene, ports: &[u16]) -> Value {
    let wasm = |(guest, config): &(&str, &str)| {
        let mut plugin = json!({
            "name": guest,
            "root_id": "",
            "vm_config": {
                "vm_id": guest,
                "runtime": "envoy.wasm.runtime.v8",
                "code": { "local": { "filename": scene.module(guest) } },
            },
        });
        if !config.is_empty() {
            let kind = "type.googleapis.com/google.protobuf.StringValue";
            plugin["configuration"] = json!({ "@type": kind, "value": config });
        }
        let kind = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";
        json!({ "name": "envoy.filters.http.wasm", "typed_config": { "@type": kind, "config": plugin } })
    };
    let listener = |((name, filters), port): (&ChainOf, &u16)| {
        let router = json!({
            "name": "envoy.filters.http.router",
            "typed_config": { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
        });
        let http_filters: Vec<_> = filters.iter().map(wasm).chain([router]).collect();
        json!({
            "address": { "socket_address": { "address": "127.0.0.1", "port_value": port } },
            "filter_chains": [{ "filters": [{
                "name": "envoy.filters.network.http_connection_manager",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                    "stat_prefix": name,
                    "access_log": [{
                        "name": "envoy.access_loggers.file",
                        "typed_config": {
                            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
                            "path": scene.file("envoy-access.log"),
                        },
                    }],
                    "http_filters": http_filters,
                    "route_config": { "virtual_hosts": [{
                        "name": "all",
                        "domains": ["*"],
                        "routes": [{ "match": { "prefix": "/" }, "route": { "cluster": "origin" } }],
                    }] },
                },
            }] }],
        })
    };
    let endpoint =
        json!({ "address": { "socket_address": { "address": "127.0.0.1", "port_value": scene.origin } } });
    json!({ "static_resources": {
        "listeners": CHAINS.iter().zip(ports).map(listener).collect::<Vec<_>>(),
        "clusters": [{
            "name": "origin",
            "type": "STATIC",
            "load_assignment": {
                "cluster_name": "origin",
                "endpoints": [{ "lb_endpoints": [{ "endpoint": endpoint }] }],
            },
        }],
    } })
}
