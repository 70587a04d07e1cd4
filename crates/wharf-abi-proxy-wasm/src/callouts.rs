//! The answers to call-outs, on their way into the VM.

use bytes::Bytes;
use wharf_engine::{Fault, GuestFunction};

use crate::context::{CallAnswer, RootContext};
use crate::exports::Exports;
use crate::headers::HeaderList;
use crate::host::{ContextId, HttpCallResponse};
use crate::vm::{Vm, call, size};

/// What `proxy_get_status` says after a call-out that failed: the connection broke.
const BROKEN_CONNECTION: u32 = 11;

impl Vm {
    /// Gives the answer of an HTTP call-out to the filter; `None` says that there is none, because the upstream could
    /// not be reached or did not answer in time. An answer to a call that is not open is ignored.
    ///
    /// # Errors
    /// The [`Fault`].
    pub fn on_http_call_response(
        &mut self,
        root: ContextId,
        id: u32,
        response: Option<HttpCallResponse>,
    ) -> Result<(), Fault> {
        let Some(context) = self.state_mut().contexts.root(root) else {
            return Ok(());
        };
        if !context.calls.remove(&id) {
            return Ok(());
        }
        let (headers, body, trailers) = response.as_ref().map_or((0, 0, 0), |response| {
            (
                size(response.headers.len()),
                size(response.body.len()),
                size(response.trailers.len()),
            )
        });
        if response.is_none() {
            context.answer.status = (BROKEN_CONNECTION, "reset".into());
        }
        context.answer.http = response;
        let parameters = (root, id, headers, body, trailers);
        let outcome = call(
            &mut self.instance,
            &self.exports.on_http_call_response,
            root,
            parameters,
            self.deadline,
        );
        self.forget_answer(root);
        outcome.map_err(|fault| self.fail(root, fault))?;
        self.finish_done()
    }

    /// Gives the first metadata of a gRPC call-out's answer to the filter.
    ///
    /// # Errors
    /// The [`Fault`].
    pub fn on_grpc_initial_metadata(
        &mut self,
        root: ContextId,
        id: u32,
        metadata: HeaderList,
    ) -> Result<(), Fault> {
        let count = size(metadata.len());
        let store = |answer: &mut CallAnswer| answer.grpc_initial_metadata = Some(metadata);
        self.receive(root, id, count, store, |exports| {
            &exports.on_grpc_receive_initial_metadata
        })
    }

    /// Gives a message of a gRPC call-out's answer to the filter. The one message of a call ends it.
    ///
    /// # Errors
    /// The [`Fault`].
    pub fn on_grpc_message(&mut self, root: ContextId, id: u32, message: Bytes) -> Result<(), Fault> {
        let length = size(message.len());
        let store = |answer: &mut CallAnswer| answer.grpc_message = Some(message);
        self.receive(root, id, length, store, |exports| &exports.on_grpc_receive)?;
        if is_grpc_call(id)
            && let Some(context) = self.state_mut().contexts.root(root)
        {
            context.grpc.remove(&id);
        }
        Ok(())
    }

    /// Gives the last metadata of a gRPC call-out's answer to the filter.
    ///
    /// # Errors
    /// The [`Fault`].
    pub fn on_grpc_trailing_metadata(
        &mut self,
        root: ContextId,
        id: u32,
        metadata: HeaderList,
    ) -> Result<(), Fault> {
        let count = size(metadata.len());
        let store = |answer: &mut CallAnswer| answer.grpc_trailing_metadata = Some(metadata);
        self.receive(root, id, count, store, |exports| {
            &exports.on_grpc_receive_trailing_metadata
        })
    }

    /// Says that a gRPC call-out has ended, with its status. A stream that the guest has not closed stays open on
    /// the guest's side.
    ///
    /// # Errors
    /// The [`Fault`].
    pub fn on_grpc_close(
        &mut self,
        root: ContextId,
        id: u32,
        status: u32,
        message: String,
    ) -> Result<(), Fault> {
        let Some(context) = self.state_mut().contexts.root(root) else {
            return Ok(());
        };
        match context.grpc.get_mut(&id) {
            Some(grpc) if !grpc.remote_closed => grpc.remote_closed = true,
            _ => return Ok(()),
        }
        context.answer.status = (status, message);
        let outcome = call(
            &mut self.instance,
            &self.exports.on_grpc_close,
            root,
            (root, id, status),
            self.deadline,
        );
        self.forget_answer(root);
        outcome.map_err(|fault| self.fail(root, fault))?;
        if let Some(context) = self.state_mut().contexts.root(root)
            && (is_grpc_call(id) || context.grpc.get(&id).is_some_and(|grpc| grpc.local_closed))
        {
            context.grpc.remove(&id);
        }
        self.finish_done()
    }

    /// Gives a part of a gRPC call-out's answer to the filter, where it still waits for any.
    fn receive(
        &mut self,
        root: ContextId,
        id: u32,
        size: u32,
        store: impl FnOnce(&mut CallAnswer),
        callback: impl FnOnce(&Exports) -> &Option<GuestFunction<(u32, u32, u32), ()>>,
    ) -> Result<(), Fault> {
        let Some(context) = self
            .state_mut()
            .contexts
            .root(root)
            .filter(|context| is_receiving(context, id))
        else {
            return Ok(());
        };
        store(&mut context.answer);
        let callback = callback(&self.exports);
        let outcome = call(
            &mut self.instance,
            callback,
            root,
            (root, id, size),
            self.deadline,
        );
        self.forget_answer(root);
        outcome.map_err(|fault| self.fail(root, fault))?;
        self.finish_done()
    }

    fn forget_answer(&mut self, root: ContextId) {
        if let Some(context) = self.state_mut().contexts.root(root) {
            let status = std::mem::take(&mut context.answer.status);
            context.answer = Default::default();
            // The code stays readable after the callback; its message does not.
            context.answer.status.0 = status.0;
        }
    }
}

/// Whether the other side of a gRPC call-out may still send.
fn is_receiving(context: &RootContext, id: u32) -> bool {
    context.grpc.get(&id).is_some_and(|grpc| !grpc.remote_closed)
}

/// Whether a gRPC call can have this id. An id tells what it is of, as Envoy's do.
pub(crate) fn is_grpc_call(id: u32) -> bool {
    id % 4 == 1
}

/// Whether a gRPC stream can have this id.
pub(crate) fn is_grpc_stream(id: u32) -> bool {
    id % 4 == 2
}
