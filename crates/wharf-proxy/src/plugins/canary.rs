//! A VM that only tries whether its plugins start and accept their configurations, before anything depends on it.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use wharf_abi_proxy_wasm::shared::QueueListener;
use wharf_abi_proxy_wasm::{
    CallRefused, ContextId, GrpcCall, Host, HttpCall, LogLevel, PluginContext, Shared, StartError, Vm,
};
use wharf_engine::Fault;
use wharf_plugin::PluginName;

use super::Blueprint;

/// A plugin that does not start, or refuses its configuration.
#[derive(Debug, thiserror::Error)]
pub struct CanaryError {
    /// The plugin.
    pub plugin: PluginName,
    /// What happened.
    #[source]
    pub error: StartError,
    /// What the plugin logged until then.
    pub log: Vec<(LogLevel, String)>,
}

impl fmt::Display for CanaryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "plugin \"{}\" does not start: {}", self.plugin, self.error)?;
        if let StartError::Fault(fault) = &self.error {
            for frame in fault.backtrace() {
                write!(f, "\n  at {frame}")?;
            }
        }
        if self.log.is_empty() {
            return write!(f, "\n  the plugin logged nothing");
        }
        write!(f, "\n  the plugin logged:")?;
        self.log
            .iter()
            .try_for_each(|(level, line)| write!(f, "\n    {level:?}: {line}"))
    }
}

/// Starts the plugins of a VM as a worker would, with shared data of their own, and throws the VM away.
pub(super) fn check(blueprint: &Blueprint) -> Result<(), CanaryError> {
    let log = Rc::new(RefCell::new(Vec::new()));
    let host = CanaryHost {
        log: Rc::clone(&log),
        blueprint_plugins: blueprint.specs.keys().cloned().collect(),
    };
    let failed = |plugin: &PluginContext, error| CanaryError {
        plugin: plugin.name.clone(),
        error,
        log: log.borrow_mut().drain(..).collect(),
    };
    let first = &blueprint.plugins[0];
    let vm = Vm::new(
        &blueprint.program,
        blueprint.settings.clone(),
        Box::new(host),
        Arc::<Shared>::default(),
    );
    let mut vm = vm.map_err(|error| failed(first, error))?;
    for plugin in &blueprint.plugins {
        vm.add_plugin(plugin.clone())
            .map_err(|error| failed(plugin, error))?;
    }
    // The real VMs will log the same again.
    Ok(())
}

struct CanaryHost {
    log: Rc<RefCell<Vec<(LogLevel, String)>>>,
    blueprint_plugins: Vec<PluginName>,
}

/// The most lines that are kept of a plugin that logs without end.
const MOST_LINES: usize = 100;

impl Host for CanaryHost {
    fn log(&mut self, _plugin: Option<&PluginContext>, level: LogLevel, message: &str) {
        let mut log = self.log.borrow_mut();
        if log.len() < MOST_LINES {
            log.push((level, message.to_owned()));
        }
    }

    fn log_level(&self) -> LogLevel {
        LogLevel::Info
    }

    fn realtime_nanoseconds(&mut self) -> u64 {
        nanoseconds(
            SystemTime::now()
                .duration_since(SystemTime::UNIX_EPOCH)
                .unwrap_or_default(),
        )
    }

    fn monotonic_nanoseconds(&mut self) -> u64 {
        thread_local!(static START: Instant = Instant::now());
        nanoseconds(START.with(Instant::elapsed))
    }

    fn random(&mut self, buffer: &mut [u8]) {
        super::host::fill_random(buffer);
    }

    fn set_tick_period(&mut self, _root: ContextId, _period: Option<Duration>) {}

    /// Nothing is sent before the configuration is accepted: the call is taken and never answered.
    fn http_call(&mut self, _call: HttpCall) -> Result<(), CallRefused> {
        Ok(())
    }

    fn grpc_call(&mut self, _call: GrpcCall) -> Result<(), CallRefused> {
        Ok(())
    }

    fn queue_listener(&mut self, _root: ContextId) -> QueueListener {
        Arc::new(|_| ())
    }

    fn property(&self, _path: &[&[u8]]) -> Option<Vec<u8>> {
        None
    }

    fn faulted(&mut self, plugin: Option<&PluginContext>, fault: &Fault) {
        tracing::debug!(
            plugin = plugin.map(|plugin| plugin.name.as_str()),
            plugins = ?self.blueprint_plugins,
            %fault,
            "A canary VM faulted."
        );
    }
}

pub(super) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
