//! Replacing the plugins of a running proxy.
//!
//! Each worker builds the VMs of the new set on its own thread, beside those that serve; when all workers have them, each
//! uses them for new exchanges. Where one cannot build them, none does. Exchanges in flight go on with the filters that they
//! began with.

use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};

use tokio::sync::{mpsc as async_mpsc, oneshot, watch};

use super::Phase;
use crate::context::{Listener, Worker};
use crate::plugins::{Generation, PluginSet};
use crate::routes::{RouteError, Routes};

/// The plugins of a running proxy, which can be replaced. Cloning it is cheap; it does not keep the proxy running.
#[derive(Clone)]
pub struct RunningPlugins(Arc<Inner>);

struct Inner {
    current: Mutex<Arc<PluginSet>>,
    /// Whoever replaces the plugins holds it, so that they are replaced by one after the other.
    turn: Mutex<()>,
    workers: Vec<async_mpsc::UnboundedSender<Replacement>>,
}

/// Why plugins were not replaced. Those that ran before go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplaceError {
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
    /// A route of the proxy names a plugin or a configuration of it that is not in the new set: that was prepared from another
    /// configuration.
    #[error(transparent)]
    Route(#[from] RouteError),
    /// The proxy drains, or has ended.
    #[error("the proxy is stopping")]
    Stopping,
}

impl ReplaceError {
    /// What to do about it; empty where there is nothing.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Plugin { .. } => {
                "the plugins that ran before go on; the plugin's own log may say what it did not find"
            }
            Self::Route(_) => {
                "the set is to be prepared from the configuration that the proxy was started with"
            }
            Self::Stopping => "",
        }
    }
}

/// What each worker is asked to do.
pub(super) struct Replacement {
    plugins: Arc<PluginSet>,
    staged: mpsc::Sender<Result<(), ReplaceError>>,
    /// Dropped where another worker cannot follow.
    commit: oneshot::Receiver<()>,
    committed: mpsc::Sender<Result<(), ReplaceError>>,
}

impl RunningPlugins {
    /// The plugins of a proxy that is about to start, and for each worker what tells it to replace them.
    pub(super) fn new(
        plugins: Arc<PluginSet>,
        workers: usize,
    ) -> (Self, Vec<async_mpsc::UnboundedReceiver<Replacement>>) {
        let (workers, receivers) = (0..workers).map(|_| async_mpsc::unbounded_channel()).unzip();
        let inner = Inner {
            current: Mutex::new(plugins),
            turn: Mutex::default(),
            workers,
        };
        (Self(Arc::new(inner)), receivers)
    }

    /// The set that new exchanges use.
    pub fn current(&self) -> Arc<PluginSet> {
        Arc::clone(&self.0.current.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the plugins: [`RunningPlugins::stage`] and [`StagedPlugins::commit`] at once.
    ///
    /// # Errors
    /// [`ReplaceError`]; the plugins that ran before go on.
    pub fn replace(&self, plugins: Arc<PluginSet>) -> Result<(), ReplaceError> {
        self.stage(plugins)?.commit()
    }

    /// Builds the VMs of a set in all workers, beside those that serve. Prepare it with [`PluginSet::prepare_next`] from
    /// [`RunningPlugins::current`], so that what plugins share stays, and what has not changed goes on as it is.
    ///
    /// Waits until all workers have built them, and until whoever replaces plugins at this time is done: call it on a thread
    /// that may wait. Each VM that is built keeps its worker from serving for as long as it takes to start, at most
    /// the plugin's `startupDeadline` for each step.
    ///
    /// # Errors
    /// [`ReplaceError`]; the VMs that were built end.
    pub fn stage(&self, plugins: Arc<PluginSet>) -> Result<StagedPlugins<'_>, ReplaceError> {
        let turn = self.0.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let (staged, answers) = mpsc::channel();
        let (confirm, committed) = mpsc::channel();
        let mut commits = Vec::with_capacity(self.0.workers.len());
        for worker in &self.0.workers {
            let (go, commit) = oneshot::channel();
            let replacement = Replacement {
                plugins: Arc::clone(&plugins),
                staged: staged.clone(),
                commit,
                committed: confirm.clone(),
            };
            worker.send(replacement).map_err(|_| ReplaceError::Stopping)?;
            commits.push(go);
        }
        drop((staged, confirm));
        let staged = StagedPlugins {
            running: self,
            plugins,
            commits,
            committed,
            _turn: turn,
        };
        staged.wait_for_all(&answers)?;
        Ok(staged)
    }
}

/// Plugins whose VMs run in all workers and that no exchange uses yet. They end where this is dropped.
pub struct StagedPlugins<'a> {
    running: &'a RunningPlugins,
    plugins: Arc<PluginSet>,
    commits: Vec<oneshot::Sender<()>>,
    committed: mpsc::Receiver<Result<(), ReplaceError>>,
    _turn: MutexGuard<'a, ()>,
}

impl StagedPlugins<'_> {
    /// Uses these plugins for new exchanges. When this returns, all workers do.
    ///
    /// # Errors
    /// [`ReplaceError::Stopping`].
    pub fn commit(mut self) -> Result<(), ReplaceError> {
        let commits = std::mem::take(&mut self.commits);
        let workers = commits.len();
        for commit in commits {
            commit.send(()).map_err(|()| ReplaceError::Stopping)?;
        }
        *self
            .running
            .0
            .current
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Arc::clone(&self.plugins);
        answers_of(workers, &self.committed)?;
        tracing::info!("The plugins were replaced.");
        Ok(())
    }

    fn wait_for_all(&self, answers: &mpsc::Receiver<Result<(), ReplaceError>>) -> Result<(), ReplaceError> {
        answers_of(self.commits.len(), answers)
    }
}

/// Waits for the answers of so many workers, or for the first that is an error. A worker that ends drops its end of the
/// channel.
fn answers_of(
    workers: usize,
    answers: &mpsc::Receiver<Result<(), ReplaceError>>,
) -> Result<(), ReplaceError> {
    (0..workers).try_for_each(|_| answers.recv().unwrap_or(Err(ReplaceError::Stopping)))
}

/// Replaces the plugins of a worker whenever it is told to.
pub(super) async fn replace_when_told(
    worker: Rc<Worker>,
    listeners: Vec<Rc<Listener>>,
    mut replacements: async_mpsc::UnboundedReceiver<Replacement>,
    phase: watch::Receiver<Phase>,
) {
    let serves = || match *phase.borrow() {
        Phase::Serve => Ok(()),
        Phase::Drain | Phase::Abort => Err(ReplaceError::Stopping),
    };
    while let Some(replacement) = replacements.recv().await {
        let staged = match serves() {
            Ok(()) => stage(&worker, &listeners, replacement.plugins).await,
            Err(error) => Err(error),
        };
        let (answer, staged) = match staged {
            Ok(staged) => (Ok(()), Some(staged)),
            Err(error) => (Err(error), None),
        };
        // Whoever replaces the plugins may have given up by now.
        let _ = replacement.staged.send(answer);
        if let (Some((generation, routes)), Ok(())) = (staged, replacement.commit.await) {
            for (listener, routes) in listeners.iter().zip(routes) {
                listener.set_routes(routes);
            }
            worker.vms.install(generation);
            let _ = replacement.committed.send(serves());
        }
    }
}

async fn stage(
    worker: &Rc<Worker>,
    listeners: &[Rc<Listener>],
    plugins: Arc<PluginSet>,
) -> Result<(Generation, Vec<Routes>), ReplaceError> {
    let generation = Generation::build(plugins, worker)
        .await
        .map_err(|(blueprint, source)| ReplaceError::Plugin {
            worker: worker.index,
            plugins: blueprint.plugin_names(),
            source,
        })?;
    let routes = listeners.iter().map(|listener| listener.routes_with(&generation));
    let routes = routes.collect::<Result<_, _>>()?;
    Ok((generation, routes))
}
