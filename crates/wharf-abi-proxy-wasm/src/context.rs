//! The contexts of a VM and what they can see.

use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

use bytes::Bytes;
use rustc_hash::FxHashMap;
use wharf_plugin::PluginName;

use crate::body::Body;
use crate::headers::HeaderList;
use crate::host::{ContextId, HttpCallResponse, PluginContext, StreamProperties};

/// One HTTP exchange as all filters of its chain share it. The headers that a filter changes are these.
pub struct Exchange {
    /// The request's headers, from the time that they came to the end of the exchange.
    pub request_headers: Option<HeaderList>,
    /// The request's trailers, where there are any.
    pub request_trailers: Option<HeaderList>,
    /// The response's headers.
    pub response_headers: Option<HeaderList>,
    /// The response's trailers, where there are any.
    pub response_trailers: Option<HeaderList>,
    /// How many bytes of the request body have come.
    pub request_body_bytes: u64,
    /// How many bytes of the response body have come.
    pub response_body_bytes: u64,
    /// What filters left for later filters with `proxy_set_property`.
    pub filter_state: FxHashMap<Vec<u8>, Bytes>,
    /// What else is known of the exchange.
    pub properties: Box<dyn StreamProperties>,
}

/// An exchange that several contexts hold. Borrows last for one host call or one step of the chain.
pub type SharedExchange = Rc<RefCell<Exchange>>;

impl Exchange {
    /// An exchange of which only `properties` are known yet.
    pub fn new(properties: Box<dyn StreamProperties>) -> Self {
        Self {
            request_headers: None,
            request_trailers: None,
            response_headers: None,
            response_trailers: None,
            request_body_bytes: 0,
            response_body_bytes: 0,
            filter_state: FxHashMap::default(),
            properties,
        }
    }
}

/// A direction of an HTTP exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the upstream.
    Request,
    /// From the upstream to the client.
    Response,
}

/// What a guest asked for, to be done when its call has returned.
#[derive(Debug, Default)]
pub struct Signals {
    /// `proxy_continue_stream` of the request.
    pub resume_request: bool,
    /// `proxy_continue_stream` of the response.
    pub resume_response: bool,
    /// `proxy_close_stream` of the request or of the response: the exchange is reset.
    pub close: bool,
    /// `proxy_continue_stream` of the downstream connection.
    pub resume_downstream: bool,
    /// `proxy_continue_stream` of the upstream connection.
    pub resume_upstream: bool,
    /// `proxy_close_stream` of the downstream connection.
    pub close_downstream: bool,
    /// `proxy_close_stream` of the upstream connection.
    pub close_upstream: bool,
    /// `proxy_send_local_response`; only the first of an exchange counts.
    pub local_response: Option<LocalResponse>,
}

/// A response that a filter gives by itself.
#[derive(Debug, Clone, PartialEq)]
pub struct LocalResponse {
    /// The status, 200 to 599.
    pub status: u16,
    /// Why, for the access log.
    pub details: String,
    /// Further headers.
    pub headers: HeaderList,
    /// The body; may be empty.
    pub body: Bytes,
    /// The gRPC status, for requests that are gRPC; `None` takes it from the HTTP status.
    pub grpc_status: Option<u32>,
}

/// What one filter sees of one direction.
#[derive(Default)]
pub(crate) struct View {
    /// What is held of the body.
    pub(crate) body: Body,
    pub(crate) headers_visible: bool,
    pub(crate) body_visible: bool,
    pub(crate) trailers_visible: bool,
    /// Whether this is the last body callback, in which trailers may be made.
    pub(crate) end_of_stream: bool,
}

/// One filter's part of an HTTP exchange.
pub(crate) struct HttpContext {
    pub(crate) root: ContextId,
    pub(crate) exchange: SharedExchange,
    pub(crate) request: View,
    pub(crate) response: View,
    /// Whether `proxy_on_log` runs, in which all maps can be read.
    pub(crate) logging: bool,
    pub(crate) signals: Signals,
    pub(crate) answered: bool,
    pub(crate) waker: Option<Waker>,
}

impl HttpContext {
    pub(crate) fn view(&mut self, direction: Direction) -> &mut View {
        match direction {
            Direction::Request => &mut self.request,
            Direction::Response => &mut self.response,
        }
    }
}

/// One filter's part of a TCP connection.
pub(crate) struct TcpContext {
    pub(crate) root: ContextId,
    pub(crate) properties: Box<dyn StreamProperties>,
    pub(crate) filter_state: FxHashMap<Vec<u8>, Bytes>,
    pub(crate) downstream: Body,
    pub(crate) upstream: Body,
    pub(crate) signals: Signals,
    pub(crate) waker: Option<Waker>,
}

/// A plugin in the VM.
pub(crate) struct RootContext {
    pub(crate) plugin: Arc<PluginContext>,
    /// Whether `proxy_on_context_create` or `proxy_on_configure` runs: only then can the configuration be read.
    pub(crate) configuring: bool,
    pub(crate) calls: HashSet<u32>,
    pub(crate) grpc: FxHashMap<u32, GrpcState>,
    pub(crate) answer: CallAnswer,
}

/// What is known of an open gRPC call-out.
#[derive(Debug, Default)]
pub(crate) struct GrpcState {
    pub(crate) local_closed: bool,
    pub(crate) remote_closed: bool,
}

/// What a call-out's callback may read.
#[derive(Default)]
pub(crate) struct CallAnswer {
    pub(crate) http: Option<HttpCallResponse>,
    pub(crate) grpc_initial_metadata: Option<HeaderList>,
    pub(crate) grpc_trailing_metadata: Option<HeaderList>,
    pub(crate) grpc_message: Option<Bytes>,
    /// What `proxy_get_status` gives.
    pub(crate) status: (u32, String),
}

/// Why a context waits for `proxy_done`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It goes on.
    No,
    /// Its `proxy_on_done` said no: it ends when the guest calls `proxy_done`.
    Waits,
    /// The guest has called `proxy_done`.
    Done,
}

pub(crate) enum Kind {
    Root(RootContext),
    Http(HttpContext),
    Tcp(TcpContext),
}

pub(crate) struct Context {
    pub(crate) kind: Kind,
    pub(crate) ending: Ending,
}

/// All contexts of a VM.
#[derive(Default)]
pub(crate) struct Contexts {
    by_id: FxHashMap<ContextId, Context>,
    last_id: ContextId,
}

impl Contexts {
    pub(crate) fn insert(&mut self, kind: Kind) -> ContextId {
        loop {
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            if !self.by_id.contains_key(&self.last_id) {
                break;
            }
        }
        self.by_id.insert(
            self.last_id,
            Context {
                kind,
                ending: Ending::No,
            },
        );
        self.last_id
    }

    pub(crate) fn get(&self, id: ContextId) -> Option<&Context> {
        self.by_id.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: ContextId) -> Option<&mut Context> {
        self.by_id.get_mut(&id)
    }

    pub(crate) fn remove(&mut self, id: ContextId) -> Option<Context> {
        self.by_id.remove(&id)
    }

    pub(crate) fn http(&mut self, id: ContextId) -> Option<&mut HttpContext> {
        match self.by_id.get_mut(&id).map(|context| &mut context.kind) {
            Some(Kind::Http(http)) => Some(http),
            _ => None,
        }
    }

    pub(crate) fn tcp(&mut self, id: ContextId) -> Option<&mut TcpContext> {
        match self.by_id.get_mut(&id).map(|context| &mut context.kind) {
            Some(Kind::Tcp(tcp)) => Some(tcp),
            _ => None,
        }
    }

    pub(crate) fn root(&mut self, id: ContextId) -> Option<&mut RootContext> {
        match self.by_id.get_mut(&id).map(|context| &mut context.kind) {
            Some(Kind::Root(root)) => Some(root),
            _ => None,
        }
    }

    /// The root of a context; a root is its own.
    pub(crate) fn root_id_of(&self, id: ContextId) -> Option<ContextId> {
        match &self.by_id.get(&id)?.kind {
            Kind::Root(_) => Some(id),
            Kind::Http(http) => Some(http.root),
            Kind::Tcp(tcp) => Some(tcp.root),
        }
    }

    /// The root of a context.
    pub(crate) fn root_of(&mut self, id: ContextId) -> Option<&mut RootContext> {
        let root = self.root_id_of(id)?;
        self.root(root)
    }

    /// The plugin that a context belongs to.
    pub(crate) fn plugin_of(&self, id: ContextId) -> Option<&Arc<PluginContext>> {
        match &self.by_id.get(&self.root_id_of(id)?)?.kind {
            Kind::Root(root) => Some(&root.plugin),
            _ => None,
        }
    }

    pub(crate) fn plugin_name_of(&self, id: ContextId) -> Option<PluginName> {
        self.plugin_of(id).map(|plugin| plugin.name.clone())
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (ContextId, &mut Context)> {
        self.by_id.iter_mut().map(|(id, context)| (*id, context))
    }

    /// The root contexts, the oldest first.
    pub(crate) fn roots(&self) -> Vec<ContextId> {
        self.ids(|kind| matches!(kind, Kind::Root(_)))
    }

    /// The streams, the oldest first.
    pub(crate) fn stream_ids(&self) -> Vec<ContextId> {
        self.ids(|kind| !matches!(kind, Kind::Root(_)))
    }

    fn ids(&self, wanted: impl Fn(&Kind) -> bool) -> Vec<ContextId> {
        let contexts = self.by_id.iter().filter(|(_, context)| wanted(&context.kind));
        let mut ids: Vec<_> = contexts.map(|(id, _)| *id).collect();
        ids.sort_unstable();
        ids
    }

    /// How many streams there are.
    pub(crate) fn streams(&self) -> usize {
        self.by_id
            .values()
            .filter(|context| !matches!(context.kind, Kind::Root(_)))
            .count()
    }
}

impl Kind {
    /// Wakes whoever drives the stream.
    pub(crate) fn wake(&self) {
        let waker = match self {
            Self::Http(http) => &http.waker,
            Self::Tcp(tcp) => &tcp.waker,
            Self::Root(_) => return,
        };
        if let Some(waker) = waker {
            waker.wake_by_ref();
        }
    }
}
