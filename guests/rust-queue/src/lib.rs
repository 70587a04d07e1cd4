//! Hands the paths of requests from one root context to another over a shared queue.
//!
//! The root whose root id is `consumer`, or whose configuration says `{"role": "consumer"}`, registers the queue, takes
//! the paths off it and logs them. Every other root is a producer and puts the path of each of its requests on it.
//! The configuration is JSON, all optional: `{"role": "producer", "queue": "paths", "vmId": ""}`. `vmId` is the
//! VM id of the consumer, for a producer in another one; empty is the own.
//!
//! | metric | kind | what |
//! |---|---|---|
//! | `rust_queue_produced` | counter | paths put on the queue |
//! | `rust_queue_consumed` | counter | paths taken off it |

use std::cell::Cell;
use std::rc::Rc;

use log::{error, info, warn};
use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel, MetricType, Status};
use serde::Deserialize;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Trace);
    proxy_wasm::set_root_context(|_| Box::<QueueRoot>::default());
}}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
struct Config {
    role: Option<Role>,
    queue: String,
    vm_id: String,
}

impl Default for Config {
    fn default() -> Self {
        Self { role: None, queue: "paths".to_owned(), vm_id: String::new() }
    }
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Role {
    Producer,
    Consumer,
}

#[derive(Default)]
enum QueueRoot {
    #[default]
    Unconfigured,
    Producer(Rc<Producer>),
    Consumer {
        consumed: u32,
    },
}

impl QueueRoot {
    fn configured(&self) -> Result<Self, String> {
        let text = self.get_plugin_configuration().unwrap_or_default();
        let config: Config = if text.is_empty() {
            Config::default()
        } else {
            serde_json::from_slice(&text)
                .map_err(|error| format!("the configuration is not valid: {error}"))?
        };
        let role = config.role.unwrap_or_else(|| self.role_by_root_id());
        Self::of_role(role, config).map_err(|status| format!("the queue could not be set up: {status:?}"))
    }

    fn role_by_root_id(&self) -> Role {
        match self.get_property(vec!["plugin_root_id"]).as_deref() {
            Some(b"consumer") => Role::Consumer,
            _ => Role::Producer,
        }
    }

    fn of_role(role: Role, config: Config) -> Result<Self, Status> {
        Ok(match role {
            Role::Producer => Self::Producer(Rc::new(Producer {
                vm_id: config.vm_id,
                queue: config.queue,
                id: Cell::new(None),
                produced: hostcalls::define_metric(MetricType::Counter, "rust_queue_produced")?,
            })),
            Role::Consumer => {
                let id = hostcalls::register_shared_queue(&config.queue)?;
                info!("rust-queue: consumes {} (queue {id})", config.queue);
                Self::Consumer {
                    consumed: hostcalls::define_metric(MetricType::Counter, "rust_queue_consumed")?,
                }
            }
        })
    }
}

impl Context for QueueRoot {}

impl RootContext for QueueRoot {
    fn on_configure(&mut self, _size: usize) -> bool {
        match self.configured() {
            Ok(configured) => {
                *self = configured;
                true
            }
            Err(reason) => {
                error!("rust-queue: {reason}");
                false
            }
        }
    }

    /// Takes all that is there: with several workers, one call may find what another was announced for.
    fn on_queue_ready(&mut self, queue_id: u32) {
        let Self::Consumer { consumed } = self else { return };
        loop {
            match hostcalls::dequeue_shared_queue(queue_id) {
                Ok(Some(path)) => {
                    info!("rust-queue: consumed {}", String::from_utf8_lossy(&path));
                    if let Err(status) = hostcalls::increment_metric(*consumed, 1) {
                        error!("rust-queue: the counter could not be written: {status:?}");
                    }
                }
                Ok(None) => return,
                Err(status) => return error!("rust-queue: queue {queue_id} could not be read: {status:?}"),
            }
        }
    }

    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        let producer = match self {
            Self::Producer(producer) => Some(Rc::clone(producer)),
            Self::Consumer { .. } | Self::Unconfigured => None,
        };
        Some(Box::new(QueueStream { producer }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

struct Producer {
    vm_id: String,
    queue: String,
    /// Looked up with the first request: the consumer may be configured after the producer.
    id: Cell<Option<u32>>,
    produced: u32,
}

impl Producer {
    fn produce(&self, path: &str) -> Result<(), Status> {
        if self.id.get().is_none() {
            self.id.set(hostcalls::resolve_shared_queue(&self.vm_id, &self.queue)?);
        }
        let Some(id) = self.id.get() else {
            warn!("rust-queue: nobody consumes {}: {path} is dropped", self.queue);
            return Ok(());
        };
        hostcalls::enqueue_shared_queue(id, Some(path.as_bytes()))?;
        hostcalls::increment_metric(self.produced, 1)
    }
}

/// A stream of a consumer has no producer, and lets everything pass.
struct QueueStream {
    producer: Option<Rc<Producer>>,
}

impl Context for QueueStream {}

impl HttpContext for QueueStream {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        let Some(producer) = &self.producer else { return Action::Continue };
        let path = self.get_http_request_header(":path").unwrap_or_default();
        if let Err(status) = producer.produce(&path) {
            error!("rust-queue: {path} could not be queued: {status:?}");
        }
        Action::Continue
    }
}
