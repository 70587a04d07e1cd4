//! `wharf serve`

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use wharf_config::kubewarden::PolicySet;
use wharf_config::{AccessLog as AccessLogConfig, AdmissionConfig, Config};
use wharf_plugin::PullPolicy;
use wharf_proxy::server::StartError;
use wharf_proxy::{Server, ServerSettings};
use wharf_telemetry::{AccessLog, AccessLogSink, Metrics};

use super::check::complain_all;
use super::{NothingToServe, load};
use crate::admin::{self, Admin};
use crate::admission::{self, Admission, PreparedAdmission, ReadPolicies};
use crate::exit::Code;
use crate::plugins;
use crate::refresh::{CurrentPlugins, ProxyRefresh, Refresher, Task};
use crate::supply::Supply;
use crate::words::{complain, say};

/// How long the last lines of the access log have to be written.
const LAST_LINES: Duration = Duration::from_secs(5);

/// Serves until it is told to stop.
pub(super) fn run(path: &Path, locked: bool) -> Code {
    let config = match load(path) {
        Ok(config) => config,
        Err(code) => return code,
    };
    if config.proxy.is_none() && config.admission.is_none() {
        complain(&NothingToServe(path.to_owned()), Some(NothingToServe::HINT));
        return Code::Configuration;
    }
    let supply = match Supply::of(&config, path, locked) {
        Ok(supply) => supply,
        Err(error) => {
            complain(&error, Some(error.hint()));
            return Code::Configuration;
        }
    };
    let reread = path.to_owned();
    let read = Box::new(move || read_policies(&reread));
    let mut files = vec![path.to_owned()];
    if let Some(admission) = &config.admission {
        files.extend(admission.policy_files.iter().cloned());
    }
    match serve(&config, &supply, read, files) {
        Ok(()) => Code::Success,
        Err(code) => code,
    }
}

/// The policies of a configuration, read anew.
fn read_policies(path: &Path) -> Option<PolicySet> {
    match wharf_config::load(path) {
        Ok(loaded) => loaded.config.admission.map(|admission| admission.policies),
        Err(errors) => {
            tracing::error!(
                "The configuration was changed and cannot be used; what was served before goes on.\n{errors}"
            );
            None
        }
    }
}

/// Serves the hosts of a configuration until a signal says to stop. `read` reads the policies anew when one of `files` has
/// changed.
pub(super) fn serve(
    config: &Config,
    supply: &Supply,
    read: ReadPolicies,
    files: Vec<PathBuf>,
) -> Result<(), Code> {
    let began = Instant::now();
    let metrics = Arc::new(Metrics::new());
    let mut loader = None;
    let plugins = match &config.proxy {
        Some(proxy) => {
            let engine = plugins::engine(config).map_err(|error| failed(&error, None))?;
            let loader = loader.insert(plugins::loader(engine, supply.fetcher()));
            let prepared = plugins::prepare(loader, config, proxy, &metrics).map_err(|problems| {
                complain_all(&problems);
                Code::Plugin
            })?;
            Some(Arc::new(CurrentPlugins::new(prepared)))
        }
        None => None,
    };
    let prepare =
        |admission: &AdmissionConfig| admission::prepare(admission, supply, plugins::cache(config), &metrics);
    let admission = config.admission.as_ref().map(prepare).transpose()?;
    // Until here a signal ends the process at once: nothing is served yet, and the cache bears it. From here on it ends
    // in order.
    let signals = Signals::new([SIGTERM, SIGINT, SIGHUP]).map_err(|error| failed(&error, None))?;
    // The admin port is bound first, so that nothing serves yet when it is in use.
    let admin = start_admin(config, &metrics, plugins.clone(), admission.as_ref())?;
    let access_log = AccessLog::start(sink(&config.access_log), metrics.access_log_lost().clone())
        .map_err(|error| failed(&error, None))?;
    let mut hosts = Hosts {
        proxy: match (&config.proxy, &plugins) {
            (Some(config_of_proxy), Some(current)) => {
                let settings = ServerSettings {
                    metrics: Arc::clone(&metrics),
                    access_log: access_log.clone(),
                    plugins: Arc::clone(&current.prepared().set),
                    drain_timeout: config.drain_timeout,
                };
                Some(Server::bind(config_of_proxy, &settings).map_err(|error| {
                    let hint = matches!(error, StartError::Bind(_))
                        .then_some("`bind` of the listener is its address");
                    failed(&error, hint)
                })?)
            }
            _ => None,
        },
        admission: admission
            .map(|prepared| prepared.serve(&metrics, read, files))
            .transpose()
            .map_err(|error| failed(&error, None))?,
    };
    let mut tasks: Vec<Task> = Vec::new();
    if let (Some(proxy), Some(current), Some(server), Some(loader)) =
        (&config.proxy, &plugins, &hosts.proxy, loader)
    {
        let running = server.plugins().clone();
        let refresh = ProxyRefresh::new(current, running, loader, config, proxy, &metrics);
        tasks.extend(refresh.map(|refresh| Box::new(move || refresh.ask()) as Task));
    }
    // Policies say nothing of it themselves.
    let asks_for_policies = config.registries.pull_policy == PullPolicy::Always;
    let admission = hosts.admission.iter().filter(|_| asks_for_policies);
    tasks.extend(admission.map(|admission| Box::new(admission.refresh()) as Task));
    let refresher =
        Refresher::start(config.registries.refresh_interval, tasks).map_err(|error| failed(&error, None))?;
    hosts.announce();
    if let Some(admin) = &admin {
        admin.ready();
        say(format_args!("admin on http://{}", admin.address()));
    }
    tracing::info!(took = ?began.elapsed(), "Serving.");
    supply.prune_in_the_background();
    wait(signals, &mut hosts, admin.as_ref(), refresher);
    hosts.join();
    drop(admin);
    if !access_log.close(LAST_LINES) {
        tracing::warn!("Not all lines of the access log were written.");
    }
    tracing::info!("Stopped.");
    Ok(())
}

fn start_admin(
    config: &Config,
    metrics: &Arc<Metrics>,
    plugins: Option<Arc<CurrentPlugins>>,
    admission: Option<&PreparedAdmission>,
) -> Result<Option<Admin>, Code> {
    let Some(bind) = &config.admin else {
        return Ok(None);
    };
    let policies = admission.map(|admission| Arc::clone(&admission.policies));
    let view = admin::View::new(Arc::clone(metrics), plugins, policies);
    Admin::start(bind.bind, view)
        .map(Some)
        .map_err(|error| failed(&error, Some("`admin.bind`, or --readiness-probe-port of `wharf admission`, is the address of the admin port")))
}

/// What serves.
struct Hosts {
    proxy: Option<Server>,
    admission: Option<Admission>,
}

impl Hosts {
    fn announce(&self) {
        for listener in self.proxy.iter().flat_map(Server::listeners) {
            say(format_args!(
                "listening on http://{} ({})",
                listener.address, listener.name
            ));
        }
        if let Some(admission) = &self.admission {
            say(format_args!(
                "admission on {}://{}",
                admission.scheme(),
                admission.address()
            ));
        }
    }

    fn drain(&mut self) {
        if let Some(proxy) = &self.proxy {
            proxy.drain();
        }
        if let Some(admission) = &mut self.admission {
            admission.drain();
        }
    }

    fn join(self) {
        if let Some(proxy) = self.proxy {
            proxy.join();
        }
        if let Some(admission) = self.admission {
            admission.join();
        }
    }
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

/// Waits for the first signal that ends, and then leaves somebody waiting for the second.
fn wait(mut signals: Signals, hosts: &mut Hosts, admin: Option<&Admin>, refresher: Option<Refresher>) {
    for signal in signals.forever() {
        if signal != SIGHUP {
            tracing::info!("Told to stop: finishing what is in flight. A second signal ends it at once.");
            break;
        }
        match (&hosts.admission, &refresher) {
            (None, None) => {
                tracing::info!("SIGHUP reads policies anew and asks for moving tags, and there are neither.");
            }
            (admission, refresher) => {
                admission.iter().for_each(Admission::reload);
                refresher.iter().for_each(Refresher::ask_now);
            }
        }
    }
    if let Some(admin) = admin {
        admin.draining();
    }
    hosts.drain();
    let watcher = std::thread::Builder::new()
        .name("wharf-signals".into())
        .spawn(move || {
            if signals.forever().any(|signal| signal != SIGHUP) {
                exit_now();
            }
        });
    if let Err(error) = watcher {
        tracing::warn!(%error, "A second signal will not be heeded.");
    }
    // What it may be asking for just now is of no use any more. That may take a while, and a second signal ends it.
    drop(refresher);
}

#[expect(clippy::exit, reason = "the second signal asks for just this")]
fn exit_now() {
    say("ended by a second signal");
    std::process::exit(Code::Failure as i32);
}
