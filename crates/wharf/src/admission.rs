//! The admission server of a configuration: its policies, its certificate, and how they change while it serves.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use wharf_admission::{
    AdmissionServer, AdmissionSettings, Bound, CapabilityLimits, Change, ClusterCapabilities, ConnectError,
    PreparedPolicies, StartError,
};
use wharf_config::kubewarden::{PolicyModule, PolicySet};
use wharf_config::{AdmissionConfig, AdmissionTls, OnBadPolicy};
use wharf_engine::{Allocation, CompiledCache, Engine, EngineError, EngineSettings};
use wharf_loader::Loader;
use wharf_plugin::{ByteSize, Digest};
use wharf_telemetry::Metrics;
use wharf_tls::{AlpnProtocol, ReloadReport, ServerTls, ServerTlsSettings, WATCH_INTERVAL, Watcher};

use crate::exit::Code;
use crate::progress::Progress;
use crate::supply::Supply;
use crate::words::{complain, say};

/// How often the files of the policies are looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);

/// Reads the policies anew. What is wrong with the files has been said when it gives none.
pub(crate) type ReadPolicies = Box<dyn Fn() -> Option<PolicySet> + Send>;

/// An admission server that is ready to serve.
pub(crate) struct PreparedAdmission {
    config: AdmissionConfig,
    bound: Bound,
    tls: Option<ServerTls>,
    pub(crate) policies: Arc<PreparedPolicies>,
    runtime: Arc<tokio::runtime::Runtime>,
}

/// An admission server that serves.
pub(crate) struct Admission {
    server: Arc<AdmissionServer>,
    is_tls: bool,
    tls_watcher: Option<Watcher>,
    policy_watcher: Option<PolicyWatcher>,
}

/// Why an admission server cannot be had, before its policies are looked at.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AdmissionError {
    /// The certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] wharf_tls::LoadError),
    /// The engine cannot be made.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The cluster that policies may ask does not answer.
    #[error(transparent)]
    Cluster(#[from] ConnectError),
    /// Its threads or its socket cannot be had.
    #[error(transparent)]
    Start(#[from] StartError),
}

impl AdmissionError {
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Tls(error) => Some(error.hint()),
            Self::Cluster(_) => Some(
                "`admission.kubernetes` or the variable KUBECONFIG says where the cluster is; with \
                 `ignoreConnectionFailure: true`, or --ignore-kubernetes-connection-failure, policies that ask it fail until \
                 it answers"
                    .to_owned(),
            ),
            Self::Engine(_) | Self::Start(StartError::Threads(_)) => None,
            Self::Start(_) => Some("`admission.bind`, or --addr and --port, is the address of the admission server".to_owned()),
        }
    }

    pub(crate) fn code(&self) -> Code {
        match self {
            Self::Tls(_) => Code::Configuration,
            Self::Engine(_) | Self::Cluster(_) | Self::Start(_) => Code::Failure,
        }
    }
}

/// What policies may reach while they are loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Nothing: nothing is sent.
    Nothing,
    /// What they may reach while they serve.
    Cluster,
}

/// The policies and the certificate of an admission server; nothing is bound yet.
pub(crate) struct LoadedAdmission {
    tls: Option<ServerTls>,
    pub(crate) policies: Arc<PreparedPolicies>,
    runtime: Arc<tokio::runtime::Runtime>,
}

/// Loads the policies and the certificate.
///
/// # Errors
/// [`AdmissionError`]. Policies that are bad are none: [`PreparedPolicies::bad`] has them.
pub(crate) fn load(
    config: &AdmissionConfig,
    supply: &Supply,
    cache: Option<CompiledCache>,
    metrics: &Arc<Metrics>,
    reach: Reach,
) -> Result<LoadedAdmission, AdmissionError> {
    let tls = load_tls(&config.tls)?;
    let engine = Engine::new(EngineSettings {
        cache,
        allocation: pool(config),
        ..EngineSettings::default()
    })?;
    let runtime = AdmissionServer::runtime()?;
    let settings = AdmissionSettings {
        loader: Loader::new(engine, Arc::new(Progress::new())).with_fetcher(supply.fetcher().clone()),
        metrics: Arc::clone(metrics),
        capabilities: match reach {
            Reach::Nothing => Arc::new(()),
            Reach::Cluster => Arc::new(
                connect(config, &runtime, metrics)?
                    .with_registries(Arc::clone(supply.client()))
                    .with_trust(supply.root().clone()),
            ),
        },
    };
    Ok(LoadedAdmission {
        tls,
        policies: Arc::new(PreparedPolicies::load(config, settings)),
        runtime,
    })
}

/// Loads the policies and the certificate, and listens; nothing is answered yet. Says what is wrong.
pub(crate) fn prepare(
    config: &AdmissionConfig,
    supply: &Supply,
    cache: Option<CompiledCache>,
    metrics: &Arc<Metrics>,
) -> Result<PreparedAdmission, Code> {
    let complained = |error: AdmissionError| {
        complain(&error, error.hint().as_deref());
        error.code()
    };
    let loaded = load(config, supply, cache, metrics, Reach::Cluster).map_err(complained)?;
    let bad = loaded.policies.bad();
    let refuses = config.on_bad_policy == OnBadPolicy::RefuseStart;
    for (id, reason) in &bad {
        let level = if refuses { "error" } else { "warning" };
        say(format_args!(
            "{level}: the policy `{id}` cannot be used: {reason}"
        ));
    }
    if !bad.is_empty() && refuses {
        say("\nhint: with `onBadPolicy: serveOthers` the other policies would be served");
        return Err(Code::Plugin);
    }
    let bound = Bound::new(config.bind).map_err(|error| complained(error.into()))?;
    Ok(PreparedAdmission {
        config: config.clone(),
        bound,
        tls: loaded.tls,
        policies: loaded.policies,
        runtime: loaded.runtime,
    })
}

/// Finds the cluster that policies may ask. One that does not answer ends the start only where a policy is sure to ask it.
fn connect(
    config: &AdmissionConfig,
    runtime: &tokio::runtime::Runtime,
    metrics: &Arc<Metrics>,
) -> Result<ClusterCapabilities, ConnectError> {
    let asks = |policy: &PolicyModule| {
        let named = |pattern: &String| pattern.starts_with("kubernetes/");
        !policy.context_aware_resources.is_empty() || policy.host_capabilities.iter().any(named)
    };
    let mut modules = config.policies.entries.iter().flat_map(|entry| entry.modules());
    let mut kubernetes = config.kubernetes.clone();
    kubernetes.ignore_connection_failure |= !modules.any(asks);
    let limits = CapabilityLimits::default();
    ClusterCapabilities::connect(&kubernetes, runtime.handle(), Arc::clone(metrics), &limits)
}

/// As many instances as reviews can run, and some for settings that are looked at meanwhile.
fn pool(config: &AdmissionConfig) -> Allocation {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let instances = config
        .queue
        .concurrent
        .get()
        .saturating_add(2 * cores)
        .min(10_000);
    let own = |policy: &PolicyModule| policy.limits.or(&config.limits).memory;
    let entries = config.policies.entries.iter().flat_map(|entry| entry.modules());
    let memory = entries
        .map(own)
        .max()
        .unwrap_or(ByteSize::from_mib(0))
        .max(config.limits.memory);
    Allocation::Pooled {
        instances: u32::try_from(instances).unwrap_or(u32::MAX),
        memory,
    }
}

fn load_tls(config: &AdmissionTls) -> Result<Option<ServerTls>, wharf_tls::LoadError> {
    let AdmissionTls::Files(files) = config else {
        return Ok(None);
    };
    let settings = ServerTlsSettings {
        client_ca: files.client_ca.clone(),
        alpn: vec![AlpnProtocol::H2, AlpnProtocol::Http11],
        ..ServerTlsSettings::new(&files.certificate, &files.key)
    };
    ServerTls::load(settings).map(Some)
}

impl PreparedAdmission {
    /// Serves, and looks for changes of the certificate and of the policies' files. `read` reads those anew.
    pub(crate) fn serve(
        self,
        metrics: &Arc<Metrics>,
        read: ReadPolicies,
        files: Vec<PathBuf>,
    ) -> Result<Admission, StartError> {
        let server = AdmissionServer::start(
            self.bound,
            &self.config,
            self.tls.as_ref(),
            Arc::clone(&self.policies),
            self.runtime,
        )?;
        let server = Arc::new(server);
        let is_tls = self.tls.is_some();
        let tls_watcher = self
            .tls
            .map(|tls| watch_tls(&tls, metrics))
            .transpose()
            .map_err(StartError::Threads)?;
        let all_or_nothing = self.config.on_bad_policy == OnBadPolicy::RefuseStart;
        let policy_watcher =
            PolicyWatcher::start(&server, read, files, all_or_nothing).map_err(StartError::Threads)?;
        Ok(Admission {
            server,
            is_tls,
            tls_watcher,
            policy_watcher: Some(policy_watcher),
        })
    }
}

fn watch_tls(tls: &ServerTls, metrics: &Arc<Metrics>) -> std::io::Result<Watcher> {
    let note = |tls: &ServerTls, metrics: &Metrics| {
        let not_after = tls
            .status()
            .chain
            .first()
            .and_then(|certificate| certificate.validity.map(|v| v.not_after));
        if let Some(not_after) = not_after {
            metrics
                .admission()
                .certificate_not_after
                .set(not_after.unix_seconds() as i64);
        }
    };
    note(tls, metrics);
    let (watched, metrics) = (tls.clone(), Arc::clone(metrics));
    tls.watch(WATCH_INTERVAL, move |report| {
        if let ReloadReport::Reloaded(_) = report {
            metrics.admission().certificate_reloads.inc();
            note(&watched, &metrics);
        }
    })
}

impl Admission {
    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// `https`, or `http`.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.is_tls { "https" } else { "http" }
    }

    /// Reads the policies anew now, as on SIGHUP.
    pub(crate) fn reload(&self) {
        if let Some(watcher) = &self.policy_watcher {
            watcher.look_now();
        }
    }

    /// Asks registries anew for policies whose tags may have moved, and serves what changed. It can be asked as long as the server
    /// serves, from another thread.
    pub(crate) fn refresh(&self) -> impl FnMut() + Send + use<> {
        let server = Arc::downgrade(&self.server);
        move || {
            if let Some(server) = server.upgrade() {
                server.refresh();
            }
        }
    }

    /// Takes no more connections, and lets those that are there finish what is under way.
    pub(crate) fn drain(&mut self) {
        self.policy_watcher = None;
        self.tls_watcher = None;
        self.server.drain();
    }

    /// Waits until it has finished.
    pub(crate) fn join(self) {
        if let Ok(server) = Arc::try_unwrap(self.server) {
            server.join();
        }
    }
}

/// Looks at the files of the policies now and then, and at once when told to.
struct PolicyWatcher {
    wake: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl PolicyWatcher {
    fn start(
        server: &Arc<AdmissionServer>,
        read: ReadPolicies,
        files: Vec<PathBuf>,
        all_or_nothing: bool,
    ) -> std::io::Result<Self> {
        let (wake, woken) = mpsc::channel::<()>();
        let server = Arc::clone(server);
        let thread = std::thread::Builder::new()
            .name("wharf-policies".into())
            .spawn(move || {
                let mut taken = fingerprint(&files);
                let mut seen = taken;
                loop {
                    let told = match woken.recv_timeout(LOOK_INTERVAL) {
                        Ok(()) => true,
                        Err(RecvTimeoutError::Timeout) => false,
                        Err(RecvTimeoutError::Disconnected) => return,
                    };
                    let now = fingerprint(&files);
                    // Somebody may still be writing: a change is taken once two looks have seen the same.
                    let settled = std::mem::replace(&mut seen, now) == now;
                    if told || (settled && now != taken) {
                        taken = now;
                        if let Some(set) = read() {
                            report(&server.reload(&set, all_or_nothing));
                        }
                    }
                }
            })?;
        Ok(Self {
            wake: Some(wake),
            thread: Some(thread),
        })
    }

    fn look_now(&self) {
        if let Some(wake) = &self.wake {
            // The thread goes only with this watcher.
            let _ = wake.send(());
        }
    }
}

impl Drop for PolicyWatcher {
    fn drop(&mut self) {
        self.wake = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!(
                "The thread that watches policies panicked, which is a mistake in Wharf; please report it."
            );
        }
    }
}

/// What is in the files, or that they cannot be read.
fn fingerprint(files: &[PathBuf]) -> Digest {
    let mut all = Vec::new();
    for file in files {
        match std::fs::read(file) {
            Ok(bytes) => all.extend_from_slice(Digest::of(&bytes).to_string().as_bytes()),
            Err(error) => all.extend_from_slice(error.kind().to_string().as_bytes()),
        }
        all.push(b'\n');
    }
    Digest::of(&all)
}

fn report(change: &Change) {
    for (id, reason) in &change.bad {
        tracing::error!(
            policy = id,
            reason,
            "A policy cannot be used; what was served before goes on."
        );
    }
    tracing::info!(
        taken = ?change.taken,
        removed = ?change.removed,
        bad = change.bad.len(),
        "The policies were read anew."
    );
}
