//! From a configuration to a server that answers.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use serde_json::Value;
use tokio::runtime::Runtime;
use wharf_config::AdmissionConfig;
use wharf_config::kubewarden::PolicySet;
use wharf_loader::Loader;
use wharf_telemetry::{Metrics, RefreshOutcome};
use wharf_tls::ServerTls;

use crate::bodies::Bodies;
use crate::host::{HostContext, SharedCapabilities};
use crate::http::Service;
use crate::policies::{Change, Failing, Policies, Preparer, Refreshed};
use crate::queue::Queue;
use crate::server::{Bound, Server, StartError};

/// How many threads serve connections, at most, and for how many cores there is one: what is between a socket and a queue is little
/// work beside a guest. Two that have little to do wake each other for each review.
const MOST_IO_THREADS: usize = 4;
const CORES_FOR_ONE: usize = 4;

/// What a server needs beside its configuration.
pub struct AdmissionSettings {
    /// Loads the modules; its engine should have a pool, since each review takes an instance of its own.
    pub loader: Loader,
    /// Counts everything.
    pub metrics: Arc<Metrics>,
    /// Whoever answers what policies ask for; `Arc::new(())` for nobody.
    pub capabilities: Arc<dyn SharedCapabilities>,
}

/// Policies that are loaded and have been asked about their settings.
pub struct PreparedPolicies {
    policies: Arc<Policies>,
    /// What they were made of.
    set: Mutex<Arc<PolicySet>>,
    failing: Failing,
    preparer: Preparer,
    context: Arc<HostContext>,
}

/// A server of policies.
pub struct AdmissionServer {
    server: Server,
    prepared: Arc<PreparedPolicies>,
    /// One reload at a time.
    reloading: Mutex<()>,
    _runtime: Arc<Runtime>,
}

impl PreparedPolicies {
    /// Loads the policies of a configuration. Blocks the thread, for seconds where large modules have to be compiled.
    pub fn load(config: &AdmissionConfig, settings: AdmissionSettings) -> Self {
        let context = Arc::new(HostContext {
            capabilities: settings.capabilities,
            metrics: settings.metrics,
            started: Instant::now(),
        });
        let preparer = Preparer {
            loader: settings.loader,
            host: Arc::clone(&context),
            limits: config.limits.clone(),
            timeout: config.timeout,
        };
        let first = preparer.prepare(&config.policies, &BTreeMap::new());
        let failing = Failing::default();
        failing.replace(first.stale);
        let prepared = Self {
            policies: Arc::new(Policies::new(first.served)),
            set: Mutex::new(Arc::new(config.policies.clone())),
            failing,
            preparer,
            context,
        };
        prepared.count();
        prepared
    }

    /// Those of which nothing could be made, with the reasons.
    pub fn bad(&self) -> BTreeMap<String, String> {
        self.policies.bad()
    }

    /// How many there are, good and bad.
    pub fn len(&self) -> usize {
        self.policies.all().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Those of which it could not be found out at last whether there is another version, or whose other version cannot run; with
    /// the reasons. What ran before goes on.
    pub fn not_refreshed(&self) -> BTreeMap<String, String> {
        self.failing.reasons()
    }

    /// All policies as the admin port shows them.
    pub fn describe(&self) -> Value {
        let all = self.policies.all();
        let all = all.values();
        all.map(|served| served.describe(&self.failing.describe(&served.id)))
            .collect()
    }

    fn count(&self) {
        let all = self.policies.all();
        for state in ["ready", "bad", "outdated"] {
            let count = all.values().filter(|served| served.state() == state).count();
            self.context.metrics.admission().policies(state).set(count as i64);
        }
    }

    fn reload(&self, set: &PolicySet, all_or_nothing: bool) -> Change {
        let next = self.preparer.prepare(set, &self.policies.all());
        let bad: BTreeMap<_, _> = next
            .served
            .values()
            .filter_map(|served| served.reason())
            .collect();
        let metrics = self.context.metrics.admission();
        if all_or_nothing && !bad.is_empty() {
            metrics.reloaded("refused");
            return Change {
                bad,
                ..Change::default()
            };
        }
        let change = self.policies.replace(next.served);
        self.failing.replace(next.stale);
        *self.set.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(set.clone());
        self.count();
        metrics.reloaded(if change.bad.is_empty() { "taken" } else { "partly" });
        change
    }

    fn refresh(&self) -> Refreshed {
        let set = Arc::clone(&self.set.lock().unwrap_or_else(PoisonError::into_inner));
        let refreshed = self.policies.refresh(&set, &self.preparer, &self.failing);
        self.count();
        let Refreshed {
            changed,
            unchanged,
            failed,
        } = &refreshed;
        let metrics = &self.context.metrics;
        for (ids, outcome) in [
            (changed.iter().collect(), RefreshOutcome::Changed),
            (unchanged.iter().collect(), RefreshOutcome::Unchanged),
            (failed.keys().collect::<Vec<_>>(), RefreshOutcome::Failed),
        ] {
            for id in ids {
                metrics.plugin_refreshed(id, outcome);
            }
        }
        refreshed
    }
}

impl AdmissionServer {
    /// Serves policies on a socket.
    ///
    /// # Errors
    /// [`StartError::Threads`].
    pub fn start(
        bound: Bound,
        config: &AdmissionConfig,
        tls: Option<&ServerTls>,
        prepared: Arc<PreparedPolicies>,
        runtime: Arc<Runtime>,
    ) -> Result<Self, StartError> {
        let metrics = Arc::clone(&prepared.context.metrics);
        let queue = Queue::start(config.queue.concurrent.get(), config.queue.waiting, metrics)
            .map_err(StartError::Threads)?;
        let service = Service {
            policies: Arc::clone(&prepared.policies),
            queue,
            context: Arc::clone(&prepared.context),
            bodies: Bodies::new(config.body_limit),
            always_accept: config.always_accept_namespace.as_deref().map(Arc::from),
        };
        let acceptor = tls.map(ServerTls::acceptor);
        let server = Server::start(
            bound,
            acceptor,
            Arc::new(service),
            Arc::clone(&runtime),
            config.drain_timeout,
        )?;
        Ok(Self {
            server,
            prepared,
            reloading: Mutex::new(()),
            _runtime: runtime,
        })
    }

    /// The runtime that serves connections and that capabilities wait on.
    ///
    /// # Errors
    /// [`StartError::Threads`].
    pub fn runtime() -> Result<Arc<Runtime>, StartError> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(cores.div_ceil(CORES_FOR_ONE).min(MOST_IO_THREADS))
            .thread_name("wharf-admission-io")
            .enable_all()
            .build()
            .map(Arc::new)
            .map_err(StartError::Threads)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// The policies.
    pub fn policies(&self) -> &Arc<PreparedPolicies> {
        &self.prepared
    }

    /// Serves other policies from now on. Reviews that are under way keep theirs. One that is bad leaves an older form of
    /// itself in place; with `all_or_nothing` nothing is taken where one is. Blocks the thread while modules are loaded.
    pub fn reload(&self, set: &PolicySet, all_or_nothing: bool) -> Change {
        let _guard = self.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        self.prepared.reload(set, all_or_nothing)
    }

    /// Asks registries whether the tags of the policies' modules mean something else by now, as far as the loader's pull policy
    /// says that they are asked, and serves what they mean. Policies of registries that are not served as they are written are
    /// tried anew. Reviews that are under way keep theirs. A module that is the same is neither compiled nor asked about its
    /// settings again; where it cannot be had, or the other one cannot run, what runs goes on. Blocks the thread while registries
    /// are asked and modules are loaded, and [`AdmissionServer::reload`] as long.
    pub fn refresh(&self) -> Refreshed {
        let _guard = self.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        self.prepared.refresh()
    }

    /// Takes no more connections, and lets those that are there finish what is under way.
    pub fn drain(&self) {
        self.server.drain();
    }

    /// Waits until a drained server has finished, or its drain timeout has passed.
    pub fn join(self) {
        self.server.join();
    }
}
