//! A proxy in the test's own process.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use wharf_config::{
    EndpointsConfig, FilterConfig, HttpLimits, ListenerConfig, ProxyConfig, RouteConfig, UpstreamConfig,
};
use wharf_plugin::{ByteSize, PluginName};
use wharf_proxy::plugins::{CompiledPlugin, PluginSet, PluginSetError};
use wharf_proxy::{RunningPlugins, Server, ServerSettings};
use wharf_telemetry::{AccessLog, AccessLogSink, Metrics};
use wharf_testing::{Client, Response, connect, eventually};

pub(crate) struct ProxyBuilder {
    workers: usize,
    routes: Vec<RouteConfig>,
    upstreams: BTreeMap<String, Arc<UpstreamConfig>>,
    plugins: BTreeMap<PluginName, CompiledPlugin>,
    limits: HttpLimits,
    drain_timeout: Duration,
}

/// A proxy with one listener and one worker, and no routes yet.
pub(crate) fn proxy() -> ProxyBuilder {
    ProxyBuilder {
        workers: 1,
        routes: Vec::new(),
        upstreams: BTreeMap::new(),
        plugins: BTreeMap::new(),
        limits: limits(),
        drain_timeout: Duration::from_secs(20),
    }
}

/// A proxy that sends everything to this origin.
pub(crate) fn proxy_to(origin: SocketAddr) -> Proxy {
    proxy().upstream("app", &[origin]).route("/", "app").start()
}

/// The defaults of the configuration.
pub(crate) fn limits() -> HttpLimits {
    HttpLimits {
        header_bytes: ByteSize::from_kib(60),
        header_count: 100,
        body_buffer: ByteSize::from_mib(1),
        request_header_timeout: Duration::from_secs(10),
        idle_timeout: Duration::from_secs(60),
        body_idle_timeout: Duration::from_secs(30),
    }
}

/// An upstream with these endpoints and the defaults of the configuration.
pub(crate) fn endpoints(addresses: &[SocketAddr]) -> EndpointsConfig {
    EndpointsConfig {
        endpoints: addresses.iter().map(ToString::to_string).collect(),
        connect_timeout: Duration::from_secs(1),
        request_timeout: Duration::from_secs(15),
        idle_timeout: Duration::from_secs(60),
        max_idle: 32,
    }
}

impl ProxyBuilder {
    pub(crate) fn workers(mut self, workers: usize) -> ProxyBuilder {
        self.workers = workers;
        self
    }

    pub(crate) fn limits(mut self, change: impl FnOnce(&mut HttpLimits)) -> ProxyBuilder {
        change(&mut self.limits);
        self
    }

    pub(crate) fn drain_timeout(mut self, timeout: Duration) -> ProxyBuilder {
        self.drain_timeout = timeout;
        self
    }

    pub(crate) fn upstream(self, name: &str, addresses: &[SocketAddr]) -> ProxyBuilder {
        self.endpoints(name, endpoints(addresses))
    }

    pub(crate) fn endpoints(mut self, name: &str, config: EndpointsConfig) -> ProxyBuilder {
        self.upstreams
            .insert(name.to_owned(), Arc::new(UpstreamConfig::Endpoints(config)));
        self
    }

    pub(crate) fn respond(mut self, name: &str, status: u16, body: &str) -> ProxyBuilder {
        let headers = vec![("content-type".to_owned(), "text/plain".to_owned())];
        let fixed = UpstreamConfig::Respond {
            status,
            headers,
            body: body.to_owned(),
        };
        self.upstreams.insert(name.to_owned(), Arc::new(fixed));
        self
    }

    pub(crate) fn route(self, path_prefix: &str, upstream: &str) -> ProxyBuilder {
        self.route_for(&["*"], path_prefix, upstream)
    }

    pub(crate) fn route_for(mut self, hosts: &[&str], path_prefix: &str, upstream: &str) -> ProxyBuilder {
        self.routes.push(RouteConfig {
            name: format!("web/{}", self.routes.len()),
            hosts: hosts.iter().map(|host| host.parse().unwrap()).collect(),
            path_prefix: path_prefix.to_owned(),
            filters: Vec::new(),
            upstream: upstream.to_owned(),
        });
        self
    }

    /// A route through this plugin.
    pub(crate) fn filtered(
        mut self,
        path_prefix: &str,
        plugin: &CompiledPlugin,
        upstream: &str,
    ) -> ProxyBuilder {
        let name = plugin.spec.name.clone();
        self.plugins.insert(name.clone(), plugin.clone());
        let mut builder = self.route(path_prefix, upstream);
        let filters = &mut builder.routes.last_mut().unwrap().filters;
        filters.push(FilterConfig {
            plugin: name,
            config: Vec::new(),
        });
        builder
    }

    pub(crate) fn config(self) -> (ProxyConfig, Duration) {
        let listener = ListenerConfig {
            name: "web".to_owned(),
            bind: (Ipv4Addr::LOCALHOST, 0).into(),
            routes: self.routes,
            limits: self.limits,
        };
        let config = ProxyConfig {
            workers: NonZeroUsize::new(self.workers).unwrap(),
            listeners: vec![listener],
            upstreams: self.upstreams,
        };
        (config, self.drain_timeout)
    }

    pub(crate) fn start(self) -> Proxy {
        let plugins = self.plugins.clone();
        let (config, drain_timeout) = self.config();
        let lines = Lines::default();
        let mut settings = settings(&lines, drain_timeout);
        let set = PluginSet::prepare(&config, &plugins, &settings.metrics).expect("the plugins start");
        settings.plugins = Arc::new(set);
        let server = Server::bind(&config, &settings).expect("the proxy starts");
        let address = server.listeners()[0].address;
        Proxy {
            server: Some(server),
            config,
            plugins,
            metrics: settings.metrics,
            lines,
            address,
        }
    }
}

pub(crate) fn settings(lines: &Lines, drain_timeout: Duration) -> ServerSettings {
    let metrics = Arc::new(Metrics::new());
    let sink = AccessLogSink::Writer(Box::new(lines.clone()));
    let access_log = AccessLog::start(sink, metrics.access_log_lost().clone()).unwrap();
    let plugins = Arc::new(PluginSet::default());
    ServerSettings {
        metrics,
        access_log,
        plugins,
        drain_timeout,
    }
}

/// The access log, in memory.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) struct Proxy {
    server: Option<Server>,
    config: ProxyConfig,
    plugins: BTreeMap<PluginName, CompiledPlugin>,
    metrics: Arc<Metrics>,
    lines: Lines,
    address: SocketAddr,
}

impl Proxy {
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn connect(&self) -> Client {
        connect(self.address)
    }

    /// A GET on a connection of its own.
    pub(crate) fn get(&self, target: &str) -> Response {
        self.connect().get(target)
    }

    /// Sends bytes on a connection of its own and reads one response.
    pub(crate) fn answer_to(&self, bytes: impl AsRef<[u8]>) -> Response {
        self.connect().send(bytes).response()
    }

    pub(crate) fn plugins(&self) -> &RunningPlugins {
        self.server.as_ref().unwrap().plugins()
    }

    /// The set that follows the one that runs when one of its plugins has changed.
    pub(crate) fn next_plugins(
        &mut self,
        changed: CompiledPlugin,
    ) -> Result<Arc<PluginSet>, Vec<PluginSetError>> {
        let mut plugins = self.plugins.clone();
        plugins.insert(changed.spec.name.clone(), changed);
        let next = self
            .plugins()
            .current()
            .prepare_next(&self.config, &plugins, &self.metrics)?;
        self.plugins = plugins;
        Ok(Arc::new(next))
    }

    /// Replaces a plugin. Gives the set that ran until now.
    pub(crate) fn replace(&mut self, changed: CompiledPlugin) -> Arc<PluginSet> {
        let before = self.plugins().current();
        let next = self.next_plugins(changed).expect("the plugin starts");
        self.server
            .as_ref()
            .unwrap()
            .replace_plugins(next)
            .expect("the workers build it");
        before
    }

    pub(crate) fn drain(&self) {
        self.server.as_ref().unwrap().drain();
    }

    /// Waits for the end of a drain.
    pub(crate) fn join(&mut self) {
        self.server.take().unwrap().join();
    }

    /// Whether the metrics have this line.
    pub(crate) fn counts(&self, line: &str) -> bool {
        self.metrics.encode().lines().any(|known| known == line)
    }

    pub(crate) fn eventually_counts(&self, line: &str) {
        eventually(line, || self.counts(line));
    }

    /// The access log, once it has this many lines.
    pub(crate) fn log(&self, lines: usize) -> Vec<serde_json::Value> {
        let written = || {
            let bytes = self.lines.0.lock().unwrap();
            let parse = |line: &str| serde_json::from_str(line).expect("a line is JSON");
            std::str::from_utf8(&bytes)
                .unwrap()
                .lines()
                .map(parse)
                .collect::<Vec<_>>()
        };
        eventually("the access log has enough lines", || written().len() >= lines);
        let written = written();
        assert_eq!(written.len(), lines, "{written:#?}");
        written
    }

    /// The only line of the access log.
    pub(crate) fn only_log_line(&self) -> serde_json::Value {
        self.log(1).remove(0)
    }
}
