//! Listening, workers, and stopping.
//!
//! A worker is a thread with a runtime of its own and a listening socket of its own for each listener; the kernel
//! spreads connections over them (`SO_REUSEPORT`). Whatever belongs to a connection stays on its worker.

mod bind;
mod connection;
mod connections;
mod replace;
mod worker;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::watch;
use wharf_config::ProxyConfig;
use wharf_telemetry::{AccessLog, Metrics};

pub use self::bind::BindError;
use self::bind::bind_all;
pub use self::replace::{ReplaceError, RunningPlugins, StagedPlugins};
use self::worker::{WorkerSeed, run_worker};
use crate::context::ContextError;
use crate::plugins::PluginSet;

/// What a server needs beside its configuration.
pub struct ServerSettings {
    /// Counts everything.
    pub metrics: Arc<Metrics>,
    /// Where exchanges are written.
    pub access_log: AccessLog,
    /// The filters of its routes, to begin with.
    pub plugins: Arc<PluginSet>,
    /// How long requests in flight may take after [`Server::drain`], before they are broken off.
    pub drain_timeout: Duration,
}

/// A listener and the address it got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundListener {
    /// The name in the configuration.
    pub name: String,
    /// The address; its port is the one that was chosen when port 0 was asked for.
    pub address: SocketAddr,
}

/// Why a server could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ContextError),
    /// A VM did not start in a worker, although the same plugins had started in a VM made to try them.
    #[error("the VM of {plugins:?} did not start in worker {worker}")]
    Plugin {
        /// Counts from 0.
        worker: usize,
        /// The plugins of the VM.
        plugins: Vec<String>,
        /// What happened.
        source: wharf_abi_proxy_wasm::StartError,
    },
    /// A thread or its runtime could not be made.
    #[error("cannot start worker {worker}")]
    Worker {
        /// Counts from 0.
        worker: usize,
        /// What the operating system said.
        source: io::Error,
    },
}

/// What the workers are told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Serve,
    Drain,
    Abort,
}

/// A running proxy. Dropping it breaks off everything.
pub struct Server {
    listeners: Vec<BoundListener>,
    phase: watch::Sender<Phase>,
    plugins: RunningPlugins,
    workers: Vec<JoinHandle<()>>,
}

impl Server {
    /// Binds every listener and starts the workers; returns when all of them serve.
    pub fn bind(config: &ProxyConfig, settings: &ServerSettings) -> Result<Server, StartError> {
        let workers = config.workers.get();
        let bound = bind_all(&config.listeners, workers)?;
        let (phase, _) = watch::channel(Phase::Serve);
        let (plugins, replacements) = RunningPlugins::new(Arc::clone(&settings.plugins), workers);
        let mut server = Server {
            listeners: bound.listeners,
            phase,
            plugins,
            workers: Vec::with_capacity(workers),
        };
        let (started, starts) = mpsc::channel();
        let parts = bound.sockets.into_iter().zip(replacements);
        for (index, (sockets, replacements)) in parts.enumerate() {
            let seed = WorkerSeed {
                index,
                workers,
                config: config.clone(),
                sockets,
                metrics: Arc::clone(&settings.metrics),
                plugins: Arc::clone(&settings.plugins),
                replacements,
                access_log: settings.access_log.buffer(),
                drain_timeout: settings.drain_timeout,
                phase: server.phase.subscribe(),
            };
            let started = started.clone();
            let thread = thread::Builder::new()
                .name(format!("wharf-worker-{index}"))
                .spawn(move || run_worker(seed, &started))
                .map_err(|source| StartError::Worker {
                    worker: index,
                    source,
                })?;
            server.workers.push(thread);
        }
        drop(started);
        for start in starts.iter().take(workers) {
            // Dropping the server on the way out stops those that did start.
            start?;
        }
        Ok(server)
    }

    /// Where it listens, in the order of the configuration.
    pub fn listeners(&self) -> &[BoundListener] {
        &self.listeners
    }

    /// The plugins that it runs, for whoever shows them or replaces them.
    pub fn plugins(&self) -> &RunningPlugins {
        &self.plugins
    }

    /// Replaces the plugins: [`RunningPlugins::replace`].
    ///
    /// # Errors
    /// [`ReplaceError`]; the plugins that ran before go on.
    pub fn replace_plugins(&self, plugins: Arc<PluginSet>) -> Result<(), ReplaceError> {
        self.plugins.replace(plugins)
    }

    /// Stops accepting, closes idle connections, and lets requests in flight finish, for at most the drain timeout.
    /// Returns at once; [`Server::join`] waits.
    pub fn drain(&self) {
        self.phase.send_if_modified(|phase| {
            let begins = *phase == Phase::Serve;
            if begins {
                *phase = Phase::Drain;
            }
            begins
        });
    }

    /// Breaks off everything that is in flight.
    pub fn abort(&self) {
        self.phase.send_replace(Phase::Abort);
    }

    /// Waits until every worker has ended, which happens only after [`Server::drain`] or [`Server::abort`]. All
    /// access-log lines are with the writer then.
    pub fn join(mut self) {
        self.join_workers();
    }

    fn join_workers(&mut self) {
        for worker in self.workers.drain(..) {
            if worker.join().is_err() {
                tracing::error!("A worker panicked.");
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.abort();
        self.join_workers();
    }
}
