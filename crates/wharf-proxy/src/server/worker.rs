//! One worker: its thread, its runtime, its accepting, and its end.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{interval, sleep, timeout};
use wharf_config::ProxyConfig;
use wharf_telemetry::{AccessLogBuffer, Metrics, access_log};

use super::connection::serve_connection;
use super::connections::{Connections, Place};
use super::replace::{Replacement, replace_when_told};
use super::{Phase, StartError};
use crate::context::{Listener, Worker};
use crate::plugins::{Generation, PluginSet, WorkerVms};

/// How often pooled connections are looked through for those that are too old.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);
/// How long accepting pauses when the process has no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Files that are kept free of connections: logs, modules, the admin port.
const RESERVED_FILES: u64 = 64;

/// All that a worker is made from; travels to its thread.
pub(super) struct WorkerSeed {
    pub(super) index: usize,
    pub(super) workers: usize,
    pub(super) config: ProxyConfig,
    pub(super) sockets: Vec<StdListener>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) plugins: Arc<PluginSet>,
    pub(super) replacements: UnboundedReceiver<Replacement>,
    pub(super) access_log: AccessLogBuffer,
    pub(super) drain_timeout: Duration,
    pub(super) phase: watch::Receiver<Phase>,
}

/// The worker's thread. Says through `started` whether it serves.
pub(super) fn run_worker(seed: WorkerSeed, started: &mpsc::Sender<Result<(), StartError>>) {
    let index = seed.index;
    let report = |start| {
        // The server waits for every report; when it is gone, nobody needs this one.
        let _ = started.send(start);
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(source) => {
            return report(Err(StartError::Worker {
                worker: index,
                source,
            }));
        }
    };
    let tasks = LocalSet::new();
    tasks.block_on(&runtime, async {
        match Running::start(seed).await {
            Ok(running) => {
                report(Ok(()));
                running.until_stopped().await;
            }
            Err(error) => report(Err(error)),
        }
    });
    // What is still in flight is dropped here, on its own thread, and writes its records.
    drop(tasks);
}

/// A worker that serves.
struct Running {
    worker: Rc<Worker>,
    connections: Rc<Connections>,
    phase: watch::Receiver<Phase>,
    drain_timeout: Duration,
}

impl Running {
    async fn start(seed: WorkerSeed) -> Result<Running, StartError> {
        let worker = Rc::new(Worker::new(
            seed.index,
            &seed.config,
            seed.metrics,
            seed.access_log,
        )?);
        WorkerVms::start(&worker);
        let generation = Generation::build(seed.plugins, &worker)
            .await
            .map_err(|(blueprint, source)| StartError::Plugin {
                worker: seed.index,
                plugins: blueprint.plugin_names(),
                source,
            })?;
        worker.vms.install(generation);
        let limit = connection_limit(seed.workers);
        let connections = Rc::new(Connections::new(limit, seed.sockets.len()));
        let mut listeners = Vec::with_capacity(seed.sockets.len());
        for (config, socket) in seed.config.listeners.iter().zip(seed.sockets) {
            let listener = Rc::new(Listener::new(config, &worker)?);
            let socket = TcpListener::from_std(socket).map_err(|source| StartError::Worker {
                worker: seed.index,
                source,
            })?;
            listeners.push(Rc::clone(&listener));
            spawn_local(accept(
                listener,
                socket,
                Rc::clone(&connections),
                seed.phase.clone(),
            ));
        }
        spawn_local(replace_when_told(
            Rc::clone(&worker),
            listeners,
            seed.replacements,
            seed.phase.clone(),
        ));
        spawn_local(keep_house(Rc::clone(&worker)));
        Ok(Running {
            worker,
            connections,
            phase: seed.phase,
            drain_timeout: seed.drain_timeout,
        })
    }

    async fn until_stopped(mut self) {
        // An error means that the server is gone, which stops its workers too.
        let told = self
            .phase
            .wait_for(|phase| *phase != Phase::Serve)
            .await
            .map(|phase| *phase);
        if matches!(told, Ok(Phase::Drain)) {
            self.connections.drain();
            let drained = async {
                tokio::select! {
                    () = self.connections.all_closed() => {}
                    _ = self.phase.wait_for(|phase| *phase == Phase::Abort) => {}
                }
            };
            if timeout(self.drain_timeout, drained).await.is_err() {
                tracing::warn!(
                    worker = self.worker.index,
                    connections = self.connections.open(),
                    "Not all requests ended within the drain timeout; the rest is broken off."
                );
            }
        }
        self.worker.vms.shut_down().await;
        self.worker.access_log.borrow_mut().flush();
    }
}

/// Accepts until the worker is told to stop. Above the limit, clients wait in the kernel's backlog.
async fn accept(
    listener: Rc<Listener>,
    socket: TcpListener,
    connections: Rc<Connections>,
    mut phase: watch::Receiver<Phase>,
) {
    loop {
        let next = async {
            connections.room().await;
            socket.accept().await
        };
        let accepted = tokio::select! {
            accepted = next => accepted,
            _ = phase.wait_for(|phase| *phase != Phase::Serve) => break,
        };
        match accepted {
            Ok((stream, client)) => admit(&listener, stream, client, &connections),
            Err(error) => pause_after(&listener, &error).await,
        }
    }
    // Who is in this socket's backlog would be reset when it closes.
    while let Some((stream, client)) = accept_now(&socket) {
        admit(&listener, stream, client, &connections);
    }
    connections.accepted_last();
}

fn accept_now(socket: &TcpListener) -> Option<(TcpStream, SocketAddr)> {
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    match socket.poll_accept(&mut cx) {
        std::task::Poll::Ready(Ok(accepted)) => Some(accepted),
        _ => None,
    }
}

fn admit(listener: &Rc<Listener>, stream: TcpStream, client: SocketAddr, connections: &Rc<Connections>) {
    spawn_local(serve_connection(
        Place::take(connections, listener),
        stream,
        client,
    ));
}

/// A client that has gone already is nobody's trouble. Anything else, above all a lack of file descriptors, would
/// come again at once: accepting waits a little, and goes on.
async fn pause_after(listener: &Listener, error: &io::Error) {
    if matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    ) {
        return;
    }
    listener.metrics.accept_failures.inc();
    tracing::error!(listener = %listener.name, %error, "Accepting a connection failed; trying on.");
    sleep(ACCEPT_PAUSE).await;
}

/// What has to happen now and then: the access log's lines move on, and old pooled connections are closed.
async fn keep_house(worker: Rc<Worker>) {
    let mut flush = interval(access_log::FLUSH_INTERVAL);
    let mut sweep = interval(SWEEP_INTERVAL);
    loop {
        tokio::select! {
            _ = flush.tick() => worker.access_log.borrow_mut().flush(),
            _ = sweep.tick() => {
                worker.upstreams.close_idle();
                worker.vms.report_memory();
            }
        }
    }
}

/// Each client may need a connection to an upstream as well, so half of this worker's share of the files.
fn connection_limit(workers: usize) -> usize {
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let share = files.unwrap_or(u64::MAX).saturating_sub(RESERVED_FILES) / 2 / workers as u64;
    usize::try_from(share).unwrap_or(usize::MAX).max(16)
}
