//! What modules reach: the log, and the clocks where they may.

use std::sync::LazyLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use wharf_abi_trivy::{Host, LogLine, LogSource};
use wharf_plugin::PluginName;

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The world of one module.
pub(crate) struct ModuleHost {
    plugin: PluginName,
}

impl ModuleHost {
    pub(crate) fn new(plugin: PluginName) -> Self {
        Self { plugin }
    }
}

impl Host for ModuleHost {
    fn log(&self, line: &LogLine<'_>) {
        let plugin = self.plugin.as_str();
        let text = line.text.trim_end();
        let file = line.file;
        match line.source {
            LogSource::Debug => tracing::debug!(target: "wharf::plugin", plugin, file, "{text}"),
            LogSource::Info | LogSource::Stdout => {
                tracing::info!(target: "wharf::plugin", plugin, file, "{text}");
            }
            LogSource::Warn | LogSource::Stderr => {
                tracing::warn!(target: "wharf::plugin", plugin, file, "{text}");
            }
            LogSource::Error => tracing::error!(target: "wharf::plugin", plugin, file, "{text}"),
        }
    }

    fn realtime_nanoseconds(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
    }

    fn monotonic_nanoseconds(&self) -> u64 {
        u64::try_from(START.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}
