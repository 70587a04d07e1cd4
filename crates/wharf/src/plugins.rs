//! From a configuration's plugins to filters that can run.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use wharf_config::{Config, ProxyConfig};
use wharf_distribution::registry::RegistryError;
use wharf_distribution::{Fetcher, Origin};
use wharf_engine::{CacheReport, CompiledCache, Engine, EngineError, EngineSettings};
use wharf_loader::{LoadError, LoadedPlugin, Loader};
use wharf_plugin::{Abi, PluginName, PluginSpec};
use wharf_proxy::plugins::{CompiledPlugin, PluginSet, PluginSetError};
use wharf_telemetry::Metrics;

use crate::progress::Progress;

/// A plugin that is ready.
#[derive(Clone)]
pub(crate) struct PreparedPlugin {
    pub(crate) spec: Arc<PluginSpec>,
    pub(crate) loaded: LoadedPlugin,
}

/// All plugins of a configuration.
pub(crate) struct Prepared {
    pub(crate) set: Arc<PluginSet>,
    pub(crate) plugins: Vec<PreparedPlugin>,
}

/// One thing that is wrong with a plugin, and what to do.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) plugin: PluginName,
    pub(crate) error: Box<dyn std::error::Error + Send + Sync>,
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
    let mut plugins = Vec::new();
    for (spec, outcome) in specs.iter().zip(loader.load_all(&specs)) {
        match outcome {
            Err(error) => problems.push(not_loaded(error)),
            Ok(loaded) => {
                note_cache(&loaded, metrics);
                if loaded.proxy_wasm().is_none() {
                    problems.push(not_a_filter(&loaded));
                }
                plugins.push(PreparedPlugin {
                    spec: Arc::clone(spec),
                    loaded,
                });
            }
        }
    }
    match PluginSet::prepare(proxy, &compiled(&plugins), metrics) {
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

/// The filters among some plugins.
fn compiled(plugins: &[PreparedPlugin]) -> BTreeMap<PluginName, CompiledPlugin> {
    let compiled = plugins.iter().filter_map(|plugin| {
        let compiled = CompiledPlugin {
            spec: Arc::clone(&plugin.spec),
            module: plugin.loaded.module.clone(),
            version: plugin.loaded.proxy_wasm()?,
        };
        Some((plugin.spec.name.clone(), compiled))
    });
    compiled.collect()
}

/// What asking anew gave.
pub(crate) struct Renewed {
    /// All plugins as they are now, where at least one is another than before.
    pub(crate) changed: Option<Prepared>,
    /// Why some are still what they were.
    pub(crate) problems: Vec<Problem>,
}

/// Asks anew what the plugins of some names mean, and prepares those of which the bytes are others than `current` has. What cannot
/// be had, or does not start, stays as it is.
pub(crate) fn renew(
    current: &Prepared,
    names: &BTreeSet<PluginName>,
    loader: &Loader,
    proxy: &ProxyConfig,
    metrics: &Metrics,
) -> Renewed {
    let mut problems = Vec::new();
    let mut plugins = current.plugins.clone();
    let mut is_changed = false;
    for plugin in plugins
        .iter_mut()
        .filter(|plugin| names.contains(&plugin.spec.name))
    {
        let loaded = match loader.load_again(&plugin.spec) {
            Ok(loaded) => loaded,
            Err(error) => {
                problems.push(not_loaded(error));
                continue;
            }
        };
        if let Some(problem) = not_asked(&loaded) {
            problems.push(problem);
        } else if loaded.digest == plugin.loaded.digest {
            // The same, though its name may lead to it in another way.
        } else if loaded.proxy_wasm().is_none() {
            problems.push(not_a_filter(&loaded));
        } else {
            loaded.note();
            note_cache(&loaded, metrics);
            tracing::info!(
                plugin = %loaded.name, before = %plugin.loaded.digest, after = %loaded.digest,
                "A plugin means other bytes than before."
            );
            plugin.loaded = loaded;
            is_changed = true;
        }
    }
    let mut changed = None;
    if is_changed {
        match current.set.prepare_next(proxy, &compiled(&plugins), metrics) {
            Ok(set) => {
                changed = Some(Prepared {
                    set: Arc::new(set),
                    plugins,
                });
            }
            Err(errors) => problems.extend(errors.into_iter().map(not_started)),
        }
    }
    Renewed { changed, problems }
}

/// A registry could not be asked, and what the store has was taken.
#[derive(Debug, thiserror::Error)]
#[error("the registry of plugin `{plugin}` cannot be asked")]
struct NotAsked {
    plugin: PluginName,
    source: RegistryError,
}

fn not_asked(loaded: &LoadedPlugin) -> Option<Problem> {
    let provenance = loaded.provenance.as_ref()?;
    let Origin::StoreInstead(error) = &provenance.origin else {
        return None;
    };
    Some(Problem {
        plugin: loaded.name.clone(),
        hint: Some(error.hint().to_owned()),
        notes: Vec::new(),
        error: Box::new(NotAsked {
            plugin: loaded.name.clone(),
            source: error.clone(),
        }),
    })
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
