//! `wharf serve`

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use wharf_config::{AccessLog as AccessLogConfig, Config};
use wharf_proxy::server::StartError;
use wharf_proxy::{Server, ServerSettings};
use wharf_telemetry::{AccessLog, AccessLogSink, Metrics};

use super::check::complain_all;
use super::{NothingToServe, load, proxy_of};
use crate::admin::{self, Admin};
use crate::exit::Code;
use crate::plugins;
use crate::words::{complain, say};

/// How long the last lines of the access log have to be written.
const LAST_LINES: Duration = Duration::from_secs(5);

/// Serves until it is told to stop.
pub(super) fn run(path: &Path) -> Code {
    let config = match load(path) {
        Ok(config) => config,
        Err(code) => return code,
    };
    match serve(&config, path) {
        Ok(()) => Code::Success,
        Err(code) => code,
    }
}

fn serve(config: &Config, path: &Path) -> Result<(), Code> {
    let began = Instant::now();
    let proxy = proxy_of(config, path).map_err(|error| {
        complain(&error, Some(NothingToServe::HINT));
        Code::Configuration
    })?;
    let engine = plugins::engine(config).map_err(|error| failed(&error, None))?;
    let metrics = Arc::new(Metrics::new());
    let prepared = plugins::prepare(engine, config, proxy, &metrics).map_err(|problems| {
        complain_all(&problems);
        Code::Plugin
    })?;
    // Until here a signal ends the process at once: nothing is served yet, and the cache bears it. From here on it ends
    // in order.
    let signals = Signals::new([SIGTERM, SIGINT]).map_err(|error| failed(&error, None))?;
    let access_log = AccessLog::start(sink(&config.access_log), metrics.access_log_lost().clone())
        .map_err(|error| failed(&error, None))?;
    let settings = ServerSettings {
        metrics: Arc::clone(&metrics),
        access_log: access_log.clone(),
        plugins: Arc::clone(&prepared.set),
        drain_timeout: config.drain_timeout,
    };
    // The admin port is bound first, so that nothing serves yet when it is in use.
    let admin = match &config.admin {
        Some(bind) => Some(
            Admin::start(bind.bind, admin::View::new(metrics, &prepared))
                .map_err(|error| failed(&error, Some("`admin.bind` is the address of the admin port")))?,
        ),
        None => None,
    };
    let server = Server::bind(proxy, &settings).map_err(|error| {
        let hint = matches!(error, StartError::Bind(_)).then_some("`bind` of the listener is its address");
        failed(&error, hint)
    })?;
    drop(settings);
    for listener in server.listeners() {
        say(format_args!(
            "listening on http://{} ({})",
            listener.address, listener.name
        ));
    }
    if let Some(admin) = &admin {
        admin.ready();
        say(format_args!("admin on http://{}", admin.address()));
    }
    tracing::info!(took = ?began.elapsed(), workers = proxy.workers.get(), "Serving.");
    wait(signals, &server, admin.as_ref());
    server.join();
    drop(admin);
    if !access_log.close(LAST_LINES) {
        tracing::warn!("Not all lines of the access log were written.");
    }
    tracing::info!("Stopped.");
    Ok(())
}

fn failed(error: &dyn std::error::Error, hint: Option<&str>) -> Code {
    complain(error, hint);
    Code::Failure
}

fn sink(config: &AccessLogConfig) -> AccessLogSink {
    match config {
        AccessLogConfig::Off => AccessLogSink::Off,
        AccessLogConfig::Stdout => AccessLogSink::Stdout,
        AccessLogConfig::File(path) => AccessLogSink::File(path.clone()),
    }
}

/// Waits for the first signal, and then leaves somebody waiting for the second.
fn wait(mut signals: Signals, server: &Server, admin: Option<&Admin>) {
    if signals.forever().next().is_some() {
        tracing::info!("Told to stop: finishing what is in flight. A second signal ends it at once.");
    }
    if let Some(admin) = admin {
        admin.draining();
    }
    server.drain();
    let watcher = std::thread::Builder::new()
        .name("wharf-signals".into())
        .spawn(move || {
            if signals.forever().next().is_some() {
                exit_now();
            }
        });
    if let Err(error) = watcher {
        tracing::warn!(%error, "A second signal will not be heeded.");
    }
}

#[expect(clippy::exit, reason = "the second signal asks for just this")]
fn exit_now() {
    say("ended by a second signal");
    std::process::exit(Code::Failure as i32);
}
