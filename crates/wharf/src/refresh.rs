//! What is always asked for, asked anew while it runs: plugins and policies whose tags may have moved.
//!
//! ```text
//! each refreshInterval, and on SIGHUP
//!   proxy      every plugin with `pullPolicy: always` and a tag ─► other bytes ─► tried in a canary VM ─► swapped in
//!   admission  its policies, in the same way
//! whatever goes wrong: what ran goes on, and /readyz, /plugins, the log and a metric say so
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use wharf_config::{Config, ProxyConfig};
use wharf_loader::Loader;
use wharf_plugin::{PluginName, PluginSpec, PullPolicy};
use wharf_proxy::server::{ReplaceError, RunningPlugins};
use wharf_telemetry::{Metrics, RefreshOutcome};

use crate::commands::single::with_causes;
use crate::plugins::{self, Prepared, Problem, Renewed};

/// What is asked anew, whenever it is time.
pub(crate) type Task = Box<dyn FnMut() + Send>;

/// Asks anew, now and then. It ends when it is dropped, once what it does just now is done.
pub(crate) struct Refresher {
    wake: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Refresher {
    /// Does the tasks each interval, on a thread of their own. Nothing where there are none.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub(crate) fn start(interval: Duration, mut tasks: Vec<Task>) -> std::io::Result<Option<Self>> {
        if tasks.is_empty() {
            return Ok(None);
        }
        let (wake, woken) = mpsc::channel::<()>();
        let thread = std::thread::Builder::new()
            .name("wharf-refresh".into())
            .spawn(move || {
                while woken.recv_timeout(interval) != Err(RecvTimeoutError::Disconnected) {
                    tasks.iter_mut().for_each(|task| task());
                }
            })?;
        Ok(Some(Self {
            wake: Some(wake),
            thread: Some(thread),
        }))
    }

    /// Asks now.
    pub(crate) fn ask_now(&self) {
        if let Some(wake) = &self.wake {
            // The thread goes only with this.
            let _ = wake.send(());
        }
    }
}

impl Drop for Refresher {
    fn drop(&mut self) {
        self.wake = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!(
                "The thread that asks registries anew panicked, which is a mistake in Wharf; please report it."
            );
        }
    }
}

/// The proxy's plugins as they are now, for the admin port.
pub(crate) struct CurrentPlugins {
    prepared: ArcSwap<Prepared>,
    /// Those that are not what their registries have now, as far as is known.
    outdated: Mutex<BTreeMap<PluginName, Outdated>>,
}

/// Why a plugin may not be what its registry has now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outdated {
    pub(crate) since: Timestamp,
    pub(crate) reason: String,
}

impl CurrentPlugins {
    pub(crate) fn new(prepared: Prepared) -> Self {
        Self {
            prepared: ArcSwap::from_pointee(prepared),
            outdated: Mutex::default(),
        }
    }

    pub(crate) fn prepared(&self) -> Arc<Prepared> {
        self.prepared.load_full()
    }

    /// Those that are not what their registries have now.
    pub(crate) fn outdated(&self) -> BTreeMap<PluginName, Outdated> {
        self.outdated
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// Asks anew for the plugins of a running proxy.
pub(crate) struct ProxyRefresh {
    current: Arc<CurrentPlugins>,
    running: RunningPlugins,
    loader: Loader,
    proxy: ProxyConfig,
    /// Those whose names may come to mean other bytes.
    names: BTreeSet<PluginName>,
    metrics: Arc<Metrics>,
}

impl ProxyRefresh {
    /// One for the plugins of a configuration whose tags may move; none where there are none. `loader` is that which loaded them,
    /// so that code that has not changed is not compiled again.
    pub(crate) fn new(
        current: &Arc<CurrentPlugins>,
        running: RunningPlugins,
        loader: Loader,
        config: &Config,
        proxy: &ProxyConfig,
        metrics: &Arc<Metrics>,
    ) -> Option<Self> {
        let default = config.registries.pull_policy;
        let prepared = current.prepared();
        let specs = prepared.plugins.iter().map(|plugin| &plugin.spec);
        let names: BTreeSet<_> = specs
            .filter(|spec| moves(spec, default))
            .map(|spec| spec.name.clone())
            .collect();
        (!names.is_empty()).then(|| Self {
            current: Arc::clone(current),
            running,
            loader,
            proxy: proxy.clone(),
            names,
            metrics: Arc::clone(metrics),
        })
    }

    /// Asks now, and swaps in what changed.
    pub(crate) fn ask(&self) {
        let current = self.current.prepared();
        let Renewed { changed, problems } =
            plugins::renew(&current, &self.names, &self.loader, &self.proxy, &self.metrics);
        let mut reasons: BTreeMap<PluginName, String> = problems
            .iter()
            .map(|problem| (problem.plugin.clone(), reason(problem)))
            .collect();
        let mut swapped = BTreeSet::new();
        if let Some(changed) = changed {
            let differs = |name: &PluginName| digest_of(&changed, name) != digest_of(&current, name);
            let names: Vec<_> = self.names.iter().filter(|name| differs(name)).cloned().collect();
            let swap = || {
                let staged = self.running.stage(Arc::clone(&changed.set))?;
                // Its VMs run in all workers by now. Those of the old set are about to end, and nobody is to look at them.
                self.current.prepared.store(Arc::new(changed));
                staged.commit()
            };
            match swap() {
                Ok(()) => swapped.extend(names),
                Err(ReplaceError::Stopping) => return,
                Err(error) => {
                    let reason = with_causes(&error);
                    reasons.extend(names.into_iter().map(|name| (name, reason.clone())));
                }
            }
        }
        self.note(reasons, &swapped);
    }

    /// Tells the metrics, and the log of what is another than before.
    fn note(&self, mut reasons: BTreeMap<PluginName, String>, swapped: &BTreeSet<PluginName>) {
        let mut outdated = self
            .current
            .outdated
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for name in &self.names {
            match reasons.remove(name) {
                Some(reason) => {
                    self.metrics
                        .plugin_refreshed(name.as_str(), RefreshOutcome::Failed);
                    let known = outdated.get(name);
                    if known.is_none_or(|known| known.reason != reason) {
                        tracing::error!(plugin = %name, reason, "A plugin cannot be asked for anew; what runs goes on.");
                    }
                    let since = known.map_or_else(now, |known| known.since);
                    outdated.insert(name.clone(), Outdated { since, reason });
                }
                None => {
                    let outcome = if swapped.contains(name) {
                        tracing::info!(plugin = %name, "A plugin was swapped for what its name means now.");
                        RefreshOutcome::Changed
                    } else {
                        RefreshOutcome::Unchanged
                    };
                    self.metrics.plugin_refreshed(name.as_str(), outcome);
                    if outdated.remove(name).is_some() {
                        tracing::info!(plugin = %name, "A plugin can be asked for again.");
                    }
                }
            }
        }
    }
}

fn digest_of(prepared: &Prepared, name: &PluginName) -> Option<wharf_plugin::Digest> {
    let plugin = prepared.plugins.iter().find(|plugin| plugin.spec.name == *name);
    plugin.map(|plugin| plugin.loaded.digest)
}

/// Whether a plugin is always asked for, and may come to mean other bytes.
fn moves(spec: &PluginSpec, default: PullPolicy) -> bool {
    let is_tag = matches!(spec.source.as_image(), Some(Ok(image)) if image.digest().is_none());
    is_tag && spec.pull_policy.unwrap_or(default) == PullPolicy::Always
}

/// In whole seconds.
fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

fn reason(problem: &Problem) -> String {
    with_causes(problem.error.as_ref())
}
