//! From a configuration's plugins to filters that can run.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use wharf_config::{Config, ProxyConfig};
use wharf_distribution::Fetcher;
use wharf_engine::{CacheReport, CompiledCache, Engine, EngineError, EngineSettings};
use wharf_loader::{LoadError, LoadedPlugin, Loader};
use wharf_plugin::{Abi, PluginName, PluginSpec};
use wharf_proxy::plugins::{CompiledPlugin, PluginSet, PluginSetError};
use wharf_telemetry::Metrics;

use crate::progress::Progress;

/// A plugin that is ready, for reports.
pub(crate) struct PreparedPlugin {
    pub(crate) loaded: LoadedPlugin,
    pub(crate) required: bool,
}

/// All plugins of a configuration.
pub(crate) struct Prepared {
    pub(crate) set: Arc<PluginSet>,
    pub(crate) plugins: Vec<PreparedPlugin>,
}

/// One thing that is wrong with a plugin, and what to do.
#[derive(Debug)]
pub(crate) struct Problem {
    plugin: PluginName,
    pub(crate) error: Box<dyn std::error::Error>,
    /// What else is known, line by line.
    pub(crate) notes: Vec<String>,
    pub(crate) hint: Option<String>,
}

/// A module that is no proxy-wasm filter, where one is needed.
#[derive(Debug)]
struct NotAFilter {
    plugin: PluginName,
    abis: Vec<Abi>,
}

impl fmt::Display for NotAFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spoken: Vec<_> = self.abis.iter().map(ToString::to_string).collect();
        let Self { plugin, .. } = self;
        write!(
            f,
            "plugin `{plugin}` is no proxy-wasm filter: its module speaks {}",
            spoken.join(", ")
        )
    }
}

impl std::error::Error for NotAFilter {}

/// The cache of compiled modules that a configuration asks for.
pub(crate) fn cache(config: &Config) -> Option<CompiledCache> {
    let directory = config
        .cache
        .directory
        .clone()
        .or_else(CompiledCache::default_directory);
    directory.map(|directory| CompiledCache::new(directory).with_size(config.cache.size))
}

/// Makes the engine for the proxy's filters, which are resident.
pub(crate) fn engine(config: &Config) -> Result<Engine, EngineError> {
    Engine::new(EngineSettings {
        cache: cache(config),
        ..EngineSettings::default()
    })
}

/// The plugins of a configuration but for those that only scans use.
fn filters(config: &Config, proxy: &ProxyConfig) -> Vec<Arc<PluginSpec>> {
    let routes = proxy.listeners.iter().flat_map(|listener| &listener.routes);
    let in_routes: BTreeSet<_> = routes
        .flat_map(|route| &route.filters)
        .map(|filter| &filter.plugin)
        .collect();
    let in_scans: BTreeSet<_> = config
        .scan
        .iter()
        .flat_map(|scan| &scan.modules)
        .map(|module| &module.plugin)
        .collect();
    let specs = config.plugins.values();
    specs
        .filter(|spec| in_routes.contains(&spec.name) || !in_scans.contains(&spec.name))
        .cloned()
        .collect()
}

/// Who loads the proxy's filters.
pub(crate) fn loader(engine: Engine, fetcher: &Fetcher) -> Loader {
    Loader::new(engine, Arc::new(Progress::new())).with_fetcher(fetcher.clone())
}

/// Loads all plugins, links them, and tries each in a canary VM. Finds every problem, not only the first.
pub(crate) fn prepare(
    loader: &Loader,
    config: &Config,
    proxy: &ProxyConfig,
    metrics: &Metrics,
) -> Result<Prepared, Vec<Problem>> {
    let specs = filters(config, proxy);
    let mut problems = Vec::new();
    let mut compiled = BTreeMap::new();
    let mut plugins = Vec::new();
    for (spec, outcome) in specs.iter().zip(loader.load_all(&specs)) {
        let loaded = match outcome {
            Ok(loaded) => loaded,
            Err(error) => {
                problems.push(not_loaded(error));
                continue;
            }
        };
        note_cache(&loaded, metrics);
        match loaded.proxy_wasm() {
            Some(version) => {
                let module = loaded.module.clone();
                compiled.insert(
                    spec.name.clone(),
                    CompiledPlugin {
                        spec: Arc::clone(spec),
                        module,
                        version,
                    },
                );
            }
            None => problems.push(not_a_filter(&loaded)),
        }
        plugins.push(PreparedPlugin {
            loaded,
            required: spec.required,
        });
    }
    match PluginSet::prepare(proxy, &compiled, metrics) {
        Ok(set) if problems.is_empty() => {
            return Ok(Prepared {
                set: Arc::new(set),
                plugins,
            });
        }
        Ok(_) => {}
        Err(errors) => problems.extend(errors.into_iter().map(not_started)),
    }
    problems.sort_by(|left, right| left.plugin.cmp(&right.plugin));
    Err(problems)
}

fn not_loaded(error: LoadError) -> Problem {
    let hint = Some(error.hint()).filter(|hint| !hint.is_empty());
    Problem {
        plugin: error.plugin.clone(),
        error: Box::new(error),
        notes: Vec::new(),
        hint,
    }
}

fn not_started(error: PluginSetError) -> Problem {
    let (plugin, notes, hint) = (error.plugin().clone(), error.notes(), error.hint().to_owned());
    Problem {
        plugin,
        error: Box::new(error),
        notes,
        hint: Some(hint),
    }
}

fn not_a_filter(loaded: &LoadedPlugin) -> Problem {
    let error = NotAFilter {
        plugin: loaded.name.clone(),
        abis: loaded.abis().to_vec(),
    };
    let hint = "a filter exports proxy_abi_version_0_1_0, _0_2_0 or _0_2_1; was the right file named?";
    Problem {
        plugin: loaded.name.clone(),
        error: Box::new(error),
        notes: Vec::new(),
        hint: Some(hint.into()),
    }
}

fn note_cache(loaded: &LoadedPlugin, metrics: &Metrics) {
    let counters = metrics.compile_cache();
    let LoadedPlugin {
        name,
        digest,
        size,
        load_time,
        ..
    } = loaded;
    match &loaded.cache {
        _ if loaded.shared => {}
        CacheReport::Hit { .. } => {
            counters.hits.inc();
            tracing::info!(plugin = %name, %digest, %size, ?load_time, "A plugin was loaded from the cache.");
        }
        CacheReport::Compiled { duration, note, .. } => {
            counters.misses.inc();
            counters.duration.observe(*duration);
            if let Some(note) = note {
                tracing::warn!(plugin = %name, %note, hint = note.hint(), "The cache of compiled modules had a problem.");
            }
            tracing::info!(plugin = %name, %digest, %size, ?load_time, "A plugin was compiled.");
        }
        _ => {
            counters.misses.inc();
            tracing::info!(plugin = %name, %digest, %size, ?load_time, "A plugin was compiled; there is no cache.");
        }
    }
}
