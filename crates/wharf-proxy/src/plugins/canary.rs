//! A VM that only tries whether its plugins start and accept their configurations, before anything depends on it.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use wharf_abi_proxy_wasm::shared::QueueListener;
use wharf_abi_proxy_wasm::{
    CallRefused, ContextId, GrpcCall, Host, HttpCall, LogLevel, PluginContext, Shared, StartError, Vm,
};
use wharf_engine::{Fault, FaultKind};
use wharf_plugin::PluginName;

use super::Blueprint;

/// A plugin that does not start, or refuses its configuration.
#[derive(Debug, thiserror::Error)]
#[error("plugin `{plugin}` does not start")]
pub struct CanaryError {
    /// The plugin.
    pub plugin: PluginName,
    /// What happened.
    #[source]
    pub error: StartError,
    /// What the plugin logged until then.
    pub log: Vec<(LogLevel, String)>,
}

impl CanaryError {
    /// What else is known, line by line: where in the guest it happened, and what the plugin logged until then.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if let StartError::Fault(fault) = &self.error
            && !fault.backtrace().is_empty()
        {
            notes.push("the guest was here, the innermost function first:".to_owned());
            notes.extend(fault.backtrace().iter().map(|frame| format!("  {frame}")));
        }
        if self.log.is_empty() {
            notes.push("the plugin logged nothing".to_owned());
        } else {
            notes.push("the plugin logged:".to_owned());
            let line = |(level, line): &(LogLevel, String)| {
                format!("  {}: {line}", format!("{level:?}").to_lowercase())
            };
            notes.extend(self.log.iter().map(line));
        }
        notes
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match &self.error {
            StartError::VmStartRefused => {
                "what it was given is the plugin's `vmConfig`; its log may say what it wants"
            }
            StartError::ConfigurationRefused => {
                "what it was given is the filter's `config` in the route; its log may say what it wants"
            }
            StartError::Fault(fault) => fault_hint(fault.kind()),
            _ => OWN_FAULT,
        }
    }
}

const OWN_FAULT: &str = "the fault is the plugin's own; its author needs the lines above";

fn fault_hint(kind: &FaultKind) -> &'static str {
    match kind {
        FaultKind::DeadlineExceeded { .. } => {
            "each step of starting may take the plugin's `limits.startupDeadline`"
        }
        FaultKind::MemoryLimit { .. } => "it may have the plugin's `limits.memory`",
        FaultKind::TableLimit { .. } => "it may have the plugin's `limits.tableElements`",
        FaultKind::StackExhausted => "it may have the plugin's `limits.stack`",
        FaultKind::MissingExport { .. } | FaultKind::WrongSignature { .. } => {
            "the module does not keep to the ABI that its marker names; was its SDK made for that version?"
        }
        _ => OWN_FAULT,
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
