//! HTTP and TCP streams of a VM: their contexts, and the callbacks that see them.
//!
//! A [`Chain`](crate::Chain) drives HTTP streams through these; TCP streams are driven by their embedder.

use std::task::Waker;

use bytes::Bytes;
use rustc_hash::FxHashMap;
use wharf_engine::Fault;

use crate::body::Body;
use crate::context::{Direction, HttpContext, Kind, SharedExchange, Signals, TcpContext, View};
use crate::exports::HeadersCallback;
use crate::host::{ContextId, StreamProperties};
use crate::numbers::{Action, BodyAction, HeadersAction, PeerType};
use crate::vm::{Vm, call, size};

impl Vm {
    /// Opens an HTTP stream of the plugin `root`.
    ///
    /// # Errors
    /// The [`Fault`].
    pub(crate) fn open_http_stream(
        &mut self,
        root: ContextId,
        exchange: SharedExchange,
    ) -> Result<ContextId, Fault> {
        let id = self.state_mut().contexts.insert(Kind::Http(HttpContext {
            root,
            exchange,
            request: View::default(),
            response: View::default(),
            logging: false,
            signals: Signals::default(),
            answered: false,
            waker: None,
        }));
        self.create(id, root)
    }

    /// Opens a TCP stream of the plugin `root`.
    ///
    /// # Errors
    /// The [`Fault`].
    pub fn open_tcp_stream(
        &mut self,
        root: ContextId,
        properties: Box<dyn StreamProperties>,
    ) -> Result<ContextId, Fault> {
        let id = self.state_mut().contexts.insert(Kind::Tcp(TcpContext {
            root,
            properties,
            filter_state: FxHashMap::default(),
            downstream: Body::new(),
            upstream: Body::new(),
            signals: Signals::default(),
            waker: None,
        }));
        self.create(id, root)
    }

    fn create(&mut self, id: ContextId, root: ContextId) -> Result<ContextId, Fault> {
        let created = call(
            &mut self.instance,
            &self.exports.on_context_create,
            id,
            (id, root),
            self.deadline,
        );
        match created {
            Ok(_) => Ok(id),
            Err(fault) => Err(self.fail(id, fault)),
        }
    }

    /// Ends a stream: done, log, delete. A stream that wants to finish something first stays until it calls
    /// `proxy_done`.
    ///
    /// # Errors
    /// The [`Fault`].
    pub fn close_stream(&mut self, stream: ContextId) -> Result<(), Fault> {
        self.end(stream)?;
        self.finish_done()
    }

    /// Whether the filter has a callback for bodies of this direction.
    pub fn sees_body(&self, direction: Direction) -> bool {
        match direction {
            Direction::Request => self.exports.on_request_body.is_some(),
            Direction::Response => self.exports.on_response_body.is_some(),
        }
    }

    /// What the guest has asked for on this stream since this was last called.
    pub fn take_signals(&mut self, stream: ContextId) -> Signals {
        match self
            .state_mut()
            .contexts
            .get_mut(stream)
            .map(|context| &mut context.kind)
        {
            Some(Kind::Http(http)) => std::mem::take(&mut http.signals),
            Some(Kind::Tcp(tcp)) => std::mem::take(&mut tcp.signals),
            _ => Signals::default(),
        }
    }

    /// Who is woken when something happens to the stream from outside of its own callbacks.
    pub fn set_waker(&mut self, stream: ContextId, waker: &Waker) {
        let slot = match self
            .state_mut()
            .contexts
            .get_mut(stream)
            .map(|context| &mut context.kind)
        {
            Some(Kind::Http(http)) => &mut http.waker,
            Some(Kind::Tcp(tcp)) => &mut tcp.waker,
            _ => return,
        };
        match slot {
            Some(present) if present.will_wake(waker) => {}
            _ => *slot = Some(waker.clone()),
        }
    }

    pub(crate) fn on_headers(
        &mut self,
        stream: ContextId,
        direction: Direction,
        end_of_stream: bool,
    ) -> Result<HeadersAction, Fault> {
        let Some(http) = self.state_mut().contexts.http(stream) else {
            return Ok(HeadersAction::Continue);
        };
        let view = http.view(direction);
        view.headers_visible = true;
        view.end_of_stream = end_of_stream;
        let exchange = http.exchange.borrow();
        let headers = match direction {
            Direction::Request => &exchange.request_headers,
            Direction::Response => &exchange.response_headers,
        };
        let count = size(headers.as_ref().map_or(0, |headers| headers.len()));
        drop(exchange);
        let callback = match direction {
            Direction::Request => &self.exports.on_request_headers,
            Direction::Response => &self.exports.on_response_headers,
        };
        let instance = &mut self.instance;
        let result = match callback {
            None => Ok(0),
            Some(HeadersCallback::V0_1(function)) => {
                crate::vm::invoke(instance, function, stream, (stream, count), self.deadline)
            }
            Some(HeadersCallback::V0_2(function)) => {
                let parameters = (stream, count, u32::from(end_of_stream));
                crate::vm::invoke(instance, function, stream, parameters, self.deadline)
            }
        };
        let result = result.map_err(|fault| self.fail(stream, fault))?;
        let allow = self
            .state()
            .contexts
            .plugin_of(stream)
            .is_some_and(|p| p.allow_on_headers_stop_iteration);
        let action = if self.has_answered(stream) {
            HeadersAction::StopAll
        } else {
            HeadersAction::from_result(result, allow)
        };
        if action == HeadersAction::Continue {
            self.with_view(stream, direction, |view| view.headers_visible = false);
        }
        Ok(action)
    }

    /// Shows the filter what is held of the body of this direction.
    pub(crate) fn on_body(
        &mut self,
        stream: ContextId,
        direction: Direction,
        end_of_stream: bool,
    ) -> Result<BodyAction, Fault> {
        let mut length = 0;
        self.with_view(stream, direction, |view| {
            view.body_visible = true;
            view.end_of_stream = end_of_stream;
            length = size(view.body.len());
        });
        let callback = match direction {
            Direction::Request => &self.exports.on_request_body,
            Direction::Response => &self.exports.on_response_body,
        };
        let parameters = (stream, length, u32::from(end_of_stream));
        let result = call(&mut self.instance, callback, stream, parameters, self.deadline)
            .map_err(|fault| self.fail(stream, fault))?;
        let action = if self.has_answered(stream) {
            BodyAction::StopNoBuffer
        } else {
            BodyAction::from_result(result.unwrap_or(0))
        };
        let stays_visible = matches!(action, BodyAction::StopAndBuffer | BodyAction::StopAndWatermark);
        self.with_view(stream, direction, |view| {
            view.body_visible = stays_visible;
            view.end_of_stream = stays_visible && end_of_stream;
        });
        Ok(action)
    }

    pub(crate) fn on_trailers(&mut self, stream: ContextId, direction: Direction) -> Result<Action, Fault> {
        let Some(http) = self.state_mut().contexts.http(stream) else {
            return Ok(Action::Continue);
        };
        http.view(direction).trailers_visible = true;
        let exchange = http.exchange.borrow();
        let trailers = match direction {
            Direction::Request => &exchange.request_trailers,
            Direction::Response => &exchange.response_trailers,
        };
        let count = size(trailers.as_ref().map_or(0, |trailers| trailers.len()));
        drop(exchange);
        let callback = match direction {
            Direction::Request => &self.exports.on_request_trailers,
            Direction::Response => &self.exports.on_response_trailers,
        };
        let result = call(
            &mut self.instance,
            callback,
            stream,
            (stream, count),
            self.deadline,
        )
        .map_err(|fault| self.fail(stream, fault))?;
        let action = if self.has_answered(stream) {
            Action::Pause
        } else {
            Action::from_result(result.unwrap_or(0))
        };
        if action == Action::Continue {
            self.with_view(stream, direction, |view| view.trailers_visible = false);
        }
        Ok(action)
    }

    /// Lends the body that a stream holds in this direction. It can be had after a fault too.
    pub(crate) fn with_view<R: Default>(
        &mut self,
        stream: ContextId,
        direction: Direction,
        work: impl FnOnce(&mut View) -> R,
    ) -> R {
        self.state_mut()
            .contexts
            .http(stream)
            .map(|http| work(http.view(direction)))
            .unwrap_or_default()
    }

    fn has_answered(&mut self, stream: ContextId) -> bool {
        self.state_mut()
            .contexts
            .http(stream)
            .is_some_and(|http| http.signals.local_response.is_some())
    }

    /// Calls `proxy_on_new_connection` of a TCP stream.
    ///
    /// # Errors
    /// The [`Fault`].
    pub fn on_new_connection(&mut self, stream: ContextId) -> Result<Action, Fault> {
        let callback = &self.exports.on_new_connection;
        let result = call(&mut self.instance, callback, stream, stream, self.deadline);
        self.action(stream, result)
    }

    /// Gives bytes from the TCP client to the filter: `proxy_on_downstream_data`. What goes on to the server is
    /// [`Vm::take_downstream`] once the action is to continue.
    ///
    /// # Errors
    /// The [`Fault`].
    pub fn on_downstream_data(&mut self, stream: ContextId, data: Bytes, end: bool) -> Result<Action, Fault> {
        let length = self.hold_tcp(stream, |tcp| &mut tcp.downstream, data);
        let parameters = (stream, length, u32::from(end));
        let callback = &self.exports.on_downstream_data;
        let result = call(&mut self.instance, callback, stream, parameters, self.deadline);
        self.action(stream, result)
    }

    /// Gives bytes from the TCP server to the filter: `proxy_on_upstream_data`. What goes on to the client is
    /// [`Vm::take_upstream`] once the action is to continue.
    ///
    /// # Errors
    /// The [`Fault`].
    pub fn on_upstream_data(&mut self, stream: ContextId, data: Bytes, end: bool) -> Result<Action, Fault> {
        let length = self.hold_tcp(stream, |tcp| &mut tcp.upstream, data);
        let parameters = (stream, length, u32::from(end));
        let callback = &self.exports.on_upstream_data;
        let result = call(&mut self.instance, callback, stream, parameters, self.deadline);
        self.action(stream, result)
    }

    /// What a TCP callback wants done; a callback that is not there lets everything through.
    fn action(&mut self, stream: ContextId, result: Result<Option<u32>, Fault>) -> Result<Action, Fault> {
        let result = result.map_err(|fault| self.fail(stream, fault))?;
        self.finish_done()?;
        Ok(Action::from_result(result.unwrap_or(0)))
    }

    fn hold_tcp(
        &mut self,
        stream: ContextId,
        side: impl FnOnce(&mut TcpContext) -> &mut Body,
        data: Bytes,
    ) -> u32 {
        let Some(tcp) = self.state_mut().contexts.tcp(stream) else {
            return 0;
        };
        let body = side(tcp);
        body.push(data);
        size(body.len())
    }

    /// Takes what the filter lets through to the TCP server.
    pub fn take_downstream(&mut self, stream: ContextId) -> Body {
        self.state_mut()
            .contexts
            .tcp(stream)
            .map(|tcp| std::mem::take(&mut tcp.downstream))
            .unwrap_or_default()
    }

    /// Takes what the filter lets through to the TCP client.
    pub fn take_upstream(&mut self, stream: ContextId) -> Body {
        self.state_mut()
            .contexts
            .tcp(stream)
            .map(|tcp| std::mem::take(&mut tcp.upstream))
            .unwrap_or_default()
    }

    /// Calls `proxy_on_downstream_connection_close`.
    ///
    /// # Errors
    /// The [`Fault`].
    pub fn on_downstream_connection_close(&mut self, stream: ContextId, by: PeerType) -> Result<(), Fault> {
        let callback = &self.exports.on_downstream_connection_close;
        call(
            &mut self.instance,
            callback,
            stream,
            (stream, by as u32),
            self.deadline,
        )
        .map_err(|fault| self.fail(stream, fault))?;
        self.finish_done()
    }

    /// Calls `proxy_on_upstream_connection_close`.
    ///
    /// # Errors
    /// The [`Fault`].
    pub fn on_upstream_connection_close(&mut self, stream: ContextId, by: PeerType) -> Result<(), Fault> {
        let callback = &self.exports.on_upstream_connection_close;
        call(
            &mut self.instance,
            callback,
            stream,
            (stream, by as u32),
            self.deadline,
        )
        .map_err(|fault| self.fail(stream, fault))?;
        self.finish_done()
    }
}
