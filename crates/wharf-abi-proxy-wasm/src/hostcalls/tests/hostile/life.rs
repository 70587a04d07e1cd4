//! The life around a guest: an exchange, a TCP connection, ticks, queues, call-outs.

use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use wharf_engine::Fault;
use wharf_plugin::OnFault;

use super::guest::Hostile;
use crate::chain::{Chain, ChainLimits, Filter, Output, SharedVm};
use crate::context::{Direction, Exchange};
use crate::host::{ContextId, HttpCallResponse};
use crate::numbers::PeerType;
use crate::testing::{contents, list};

/// What the client and the upstream get of an exchange that nothing disturbs.
pub(super) const UNDISTURBED: &str =
    "request [:method: POST; :path: /; a: 1] \"ping\" [t: 1] response [:status: 200] \"pong\" [u: 2]";

/// Something that happens to the plugin, by the label of its phase.
type Moment<'a> = (&'a str, &'a dyn Fn() -> Result<(), Fault>);

impl Hostile {
    pub(super) fn root_callbacks(&mut self) {
        let root = self.root;
        let vm = Rc::clone(&self.vm);
        // A fault ends what comes behind it, and is in the VM.
        let _ = self.each(&[
            ("tick", &|| vm.borrow_mut().on_tick(root)),
            ("queue ready", &|| vm.borrow_mut().on_queue_ready(root, 1)),
            ("foreign function", &|| {
                vm.borrow_mut()
                    .on_foreign_function(root, 7, Bytes::from_static(b"arguments"))
            }),
            ("answer", &|| answer(&vm, root, true)),
            ("no answer", &|| answer(&vm, root, false)),
            ("grpc metadata", &|| {
                vm.borrow_mut()
                    .on_grpc_initial_metadata(root, 2, list(&[("g", "1")]))
            }),
            ("grpc message", &|| {
                vm.borrow_mut()
                    .on_grpc_message(root, 2, Bytes::from_static(b"grpc"))
            }),
            ("grpc trailers", &|| {
                vm.borrow_mut()
                    .on_grpc_trailing_metadata(root, 2, list(&[("h", "1")]))
            }),
            ("grpc close", &|| {
                vm.borrow_mut().on_grpc_close(root, 2, 13, "broken".into())
            }),
        ]);
    }

    fn each(&mut self, moments: &[Moment<'_>]) -> Result<(), Fault> {
        for (label, work) in moments {
            self.moment(&[label]);
            work()?;
        }
        Ok(())
    }

    /// A whole exchange through the filter. Says what came out on either side.
    pub(super) fn exchange(&mut self) -> String {
        let filter = Filter {
            vm: Rc::clone(&self.vm),
            root: self.root,
            on_fault: OnFault::Closed,
        };
        let exchange = Exchange::new(Box::new(()));
        let mut chain = Chain::new(
            [Ok(filter)],
            Rc::new(RefCell::new(exchange)),
            ChainLimits::default(),
        );
        let mut out = Vec::new();
        let (request, response) = (Direction::Request, Direction::Response);
        self.moment(&["stream", "request headers"]);
        chain.headers(
            request,
            list(&[(":method", "POST"), (":path", "/"), ("a", "1")]),
            false,
        );
        drain(&mut chain, &mut out);
        self.tick(&mut chain, "tick in the request", &mut out);
        self.moment(&["request body"]);
        chain.data(request, Bytes::from_static(b"ping"), false);
        drain(&mut chain, &mut out);
        self.moment(&["request trailers"]);
        chain.trailers(request, list(&[("t", "1")]));
        drain(&mut chain, &mut out);
        self.moment(&["response headers"]);
        chain.headers(response, list(&[(":status", "200")]), false);
        drain(&mut chain, &mut out);
        self.moment(&["response body"]);
        chain.data(response, Bytes::from_static(b"pong"), false);
        drain(&mut chain, &mut out);
        self.tick(&mut chain, "tick in the response", &mut out);
        self.moment(&["response trailers"]);
        chain.trailers(response, list(&[("u", "2")]));
        drain(&mut chain, &mut out);
        self.tick(&mut chain, "tick behind the response", &mut out);
        self.moment(&["done", "log", "delete"]);
        chain.finish();
        out.join(" ")
    }

    /// A tick in the middle of an exchange, where the script is for it.
    fn tick(&mut self, chain: &mut Chain, label: &str, out: &mut Vec<String>) {
        if self.armed.as_ref().is_some_and(|(phase, _)| phase.label == label) {
            self.moment(&[label]);
            // A fault is in the VM.
            let _ = self.vm.borrow_mut().on_tick(self.root);
            chain.poll();
            drain(chain, out);
        }
    }

    pub(super) fn connection(&mut self) {
        // A fault is in the VM.
        let _ = self.try_connection();
    }

    fn try_connection(&mut self) -> Result<(), Fault> {
        self.moment(&["connection"]);
        let vm = Rc::clone(&self.vm);
        let stream = vm.borrow_mut().open_tcp_stream(self.root, Box::new(()))?;
        self.moment(&["new connection"]);
        vm.borrow_mut().on_new_connection(stream)?;
        self.moment(&["downstream data"]);
        vm.borrow_mut()
            .on_downstream_data(stream, Bytes::from_static(b"up"), false)?;
        self.moment(&["upstream data"]);
        vm.borrow_mut()
            .on_upstream_data(stream, Bytes::from_static(b"down"), false)?;
        vm.borrow_mut().take_downstream(stream);
        vm.borrow_mut().take_upstream(stream);
        self.moment(&["downstream close"]);
        vm.borrow_mut()
            .on_downstream_connection_close(stream, PeerType::Remote)?;
        self.moment(&["upstream close"]);
        vm.borrow_mut()
            .on_upstream_connection_close(stream, PeerType::Local)?;
        self.moment(&["connection done"]);
        vm.borrow_mut().take_signals(stream);
        vm.borrow_mut().close_stream(stream)
    }
}

/// The answer to a call-out, or that there is none.
fn answer(vm: &SharedVm, root: ContextId, has_answer: bool) -> Result<(), Fault> {
    let mut vm = vm.borrow_mut();
    if let Some(context) = vm.state_mut().contexts.root(root) {
        context.calls.insert(4242);
    }
    let response = has_answer.then(|| HttpCallResponse {
        headers: list(&[(":status", "200")]),
        body: Bytes::from_static(b"answer"),
        trailers: list(&[("v", "3")]),
    });
    vm.on_http_call_response(root, 4242, response)
}

fn drain(chain: &mut Chain, out: &mut Vec<String>) {
    while let Some(output) = chain.next_output() {
        let line = match output {
            Output::Headers { direction, .. } => {
                let exchange = chain.exchange().borrow();
                let (name, headers) = match direction {
                    Direction::Request => ("request", &exchange.request_headers),
                    Direction::Response => ("response", &exchange.response_headers),
                };
                let headers = headers.as_ref().map(crate::testing::header_text);
                format!("{name} [{}]", headers.unwrap_or_default())
            }
            Output::Data { body, .. } => format!("\"{}\"", contents(body).escape_ascii()),
            Output::Trailers { direction } => {
                let exchange = chain.exchange().borrow();
                let trailers = match direction {
                    Direction::Request => &exchange.request_trailers,
                    Direction::Response => &exchange.response_trailers,
                };
                let trailers = trailers.as_ref().map(crate::testing::header_text);
                format!("[{}]", trailers.unwrap_or_default())
            }
            Output::Answered { details } => format!("answered ({details})"),
            Output::Reset(reason) => format!("reset ({reason:?})"),
        };
        out.push(line);
    }
}
