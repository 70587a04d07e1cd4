//! An HTTP exchange on its way through a chain of filters.
//!
//! The chain is a state machine without I/O. What comes from the client and from the upstream goes in
//! ([`Chain::headers`], [`Chain::data`], [`Chain::trailers`]); what is to be sent comes out
//! ([`Chain::next_output`]). Requests go through the filters first to last, responses last to first.
//!
//! Each filter has a gate in each direction. A filter that pauses closes its gate, and what comes after waits there
//! until the filter goes on, while the other direction is not touched:
//!
//! ```text
//! client ──► [gate 0] ──► [gate 1] ──► … ──► upstream        gate: what has come and has not gone on,
//!        ◄── [gate 0] ◄── [gate 1] ◄── … ◄──                       and why it waits
//! ```

mod gate;
mod local;
mod output;
mod passing;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::Waker;

use wharf_engine::Fault;
use wharf_plugin::OnFault;

use self::gate::{Gate, Hold};
pub use self::output::{Output, ResetReason};
use crate::body::Body;
use crate::context::{Direction, SharedExchange, Signals};
use crate::headers::HeaderList;
use crate::host::ContextId;
use crate::vm::Vm;

/// A VM that several chains use.
pub type SharedVm = Rc<RefCell<Vm>>;

/// One filter of a chain.
pub struct Filter {
    /// The VM that runs it.
    pub vm: SharedVm,
    /// The plugin in the VM.
    pub root: ContextId,
    /// What happens to the exchange when it faults.
    pub on_fault: OnFault,
}

/// A filter whose VM cannot be had now. With [`OnFault::Closed`] the exchange is refused where it reaches the filter;
/// with [`OnFault::Open`] it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnavailableFilter {
    /// What happens to the exchange.
    pub on_fault: OnFault,
}

/// How much a chain holds.
#[derive(Debug, Clone, Copy)]
pub struct ChainLimits {
    /// The most bytes of a body that one filter may hold in one direction. Past it a request is answered with 413 and
    /// a response with 500; a filter that pauses without buffering only stops the reading. By default 1 MiB.
    pub body_buffer: usize,
}

impl Default for ChainLimits {
    fn default() -> Self {
        Self { body_buffer: 1 << 20 }
    }
}

struct Link {
    vm: Option<SharedVm>,
    root: ContextId,
    on_fault: OnFault,
    /// The filter's stream, once the request's headers have reached it.
    stream: Option<ContextId>,
    /// Whether the exchange goes past this filter: it is not available, or has faulted.
    gone: bool,
    request: Gate,
    response: Gate,
}

impl Link {
    fn gate(&mut self, direction: Direction) -> &mut Gate {
        match direction {
            Direction::Request => &mut self.request,
            Direction::Response => &mut self.response,
        }
    }
}

/// An exchange and the filters that it goes through. Dropping it ends the filters' streams.
pub struct Chain {
    links: Vec<Link>,
    exchange: SharedExchange,
    limits: ChainLimits,
    outputs: VecDeque<Output>,
    waker: Option<Waker>,
    /// Whether response headers have come, from the upstream or from a filter.
    response_started: bool,
    /// Whether response headers have gone out.
    response_sent: bool,
    /// How often a filter or a failure has answered. After the first, nothing from the upstream counts any more; a
    /// later one replaces the one before, where that has not left.
    answers: u32,
    /// Whether the last answer is the chain's own, to a failure.
    failed: bool,
    /// Whether the answer goes past the filters.
    direct: bool,
    reset: bool,
    finished: bool,
    /// Whether the last of the request, or of the response, has gone out.
    request_ended: bool,
    response_ended: bool,
    request_trailers_came: bool,
    response_trailers_came: bool,
}

impl Chain {
    /// A chain for one exchange. A filter's stream is opened when the request's headers reach it.
    pub fn new(
        filters: impl IntoIterator<Item = Result<Filter, UnavailableFilter>>,
        exchange: SharedExchange,
        limits: ChainLimits,
    ) -> Self {
        let links = filters.into_iter().map(|filter| match filter {
            Ok(Filter { vm, root, on_fault }) => Link::new(Some(vm), root, on_fault),
            Err(UnavailableFilter { on_fault }) => Link::new(None, 0, on_fault),
        });
        Self {
            links: links.collect(),
            exchange,
            limits,
            outputs: VecDeque::new(),
            waker: None,
            response_started: false,
            response_sent: false,
            answers: 0,
            failed: false,
            direct: false,
            reset: false,
            finished: false,
            request_ended: false,
            response_ended: false,
            request_trailers_came: false,
            response_trailers_came: false,
        }
    }

    /// The exchange.
    pub fn exchange(&self) -> &SharedExchange {
        &self.exchange
    }

    /// Headers have come from the client or the upstream.
    pub fn headers(&mut self, direction: Direction, headers: HeaderList, end_of_stream: bool) {
        if self.ignores_input() {
            return;
        }
        let mut exchange = self.exchange.borrow_mut();
        match direction {
            Direction::Request => exchange.request_headers = Some(headers),
            Direction::Response => exchange.response_headers = Some(headers),
        }
        drop(exchange);
        self.response_started |= direction == Direction::Response;
        self.pass_headers(direction, 0, end_of_stream);
    }

    /// A piece of a body has come.
    pub fn data(&mut self, direction: Direction, body: impl Into<Body>, end_of_stream: bool) {
        if self.ignores_input() {
            return;
        }
        let body = body.into();
        let mut exchange = self.exchange.borrow_mut();
        match direction {
            Direction::Request => exchange.request_body_bytes += body.len() as u64,
            Direction::Response => exchange.response_body_bytes += body.len() as u64,
        }
        drop(exchange);
        self.pass_data(direction, 0, body, end_of_stream);
    }

    /// Trailers have come; nothing follows in this direction.
    pub fn trailers(&mut self, direction: Direction, trailers: HeaderList) {
        if self.ignores_input() {
            return;
        }
        let mut exchange = self.exchange.borrow_mut();
        match direction {
            Direction::Request => exchange.request_trailers = Some(trailers),
            Direction::Response => exchange.response_trailers = Some(trailers),
        }
        drop(exchange);
        match direction {
            Direction::Request => self.request_trailers_came = true,
            Direction::Response => self.response_trailers_came = true,
        }
        self.pass_trailers(direction, 0);
    }

    /// Whether the response is the chain's own, because a filter failed or holds too much. An embedder may want to add
    /// to it what leads to its log.
    pub fn has_failed(&self) -> bool {
        self.failed
    }

    /// Whether all of the response has come through the filters.
    pub fn response_ended(&self) -> bool {
        self.response_ended
    }

    /// Whether more of a body may come in this direction: no filter holds so much that reading should wait.
    pub fn wants_data(&self, direction: Direction) -> bool {
        if self.ignores_input() {
            return false;
        }
        self.links.iter().all(|link| {
            let gate = match direction {
                Direction::Request => &link.request,
                Direction::Response => &link.response,
            };
            gate.held < self.limits.body_buffer || !gate.stops_reading()
        })
    }

    /// Whether a filter pauses this direction now.
    pub fn is_paused(&self, direction: Direction) -> bool {
        let paused = |link: &Link| match direction {
            Direction::Request => link.request.hold != Hold::Open,
            Direction::Response => link.response.hold != Hold::Open,
        };
        self.links.iter().any(paused)
    }

    /// Who is to call [`Chain::poll`] when something happens to the exchange from outside: a call-out is answered, a
    /// timer fires, another stream resumes this one, a VM faults.
    pub fn set_waker(&mut self, waker: &Waker) {
        if self
            .waker
            .as_ref()
            .is_some_and(|present| present.will_wake(waker))
        {
            return;
        }
        self.waker = Some(waker.clone());
        for link in &self.links {
            if let (Some(vm), Some(stream)) = (&link.vm, link.stream) {
                vm.borrow_mut().set_waker(stream, waker);
            }
        }
    }

    /// Does what filters have asked for from outside of this exchange's own callbacks.
    pub fn poll(&mut self) {
        for index in 0..self.links.len() {
            let link = &self.links[index];
            let (Some(vm), Some(stream), false) = (&link.vm, link.stream, link.gone) else {
                continue;
            };
            let mut vm = vm.borrow_mut();
            if vm.is_faulted() {
                drop(vm);
                self.fault(index);
                continue;
            }
            let signals = vm.take_signals(stream);
            drop(vm);
            self.obey(index, signals);
        }
    }

    /// Ends the filters' streams: done, log, delete. Nothing more comes out.
    pub fn finish(&mut self) {
        if std::mem::replace(&mut self.finished, true) {
            return;
        }
        self.outputs.clear();
        for link in &mut self.links {
            let (Some(vm), Some(stream)) = (&link.vm, link.stream.take()) else {
                continue;
            };
            let mut vm = vm.borrow_mut();
            if !vm.is_faulted() {
                // A fault here has been told to the host; the exchange is over whatever it was.
                let _ = vm.close_stream(stream);
            }
        }
    }

    /// Whether what comes from outside counts no more: once something has answered, only the chain itself feeds the
    /// response.
    fn ignores_input(&self) -> bool {
        self.finished || self.reset || self.answers > 0
    }

    fn index(&self, direction: Direction, position: usize) -> usize {
        match direction {
            Direction::Request => position,
            Direction::Response => self.links.len() - 1 - position,
        }
    }

    fn position(&self, direction: Direction, index: usize) -> usize {
        // The mapping is its own inverse.
        self.index(direction, index)
    }

    /// Whether what goes on in this direction has become pointless.
    fn is_over(&self, direction: Direction) -> bool {
        self.reset || self.finished || (self.answers > 0 && direction == Direction::Request)
    }

    /// Whether the step that began when there were `answers` answers has been overtaken by another one.
    fn is_overtaken(&self, direction: Direction, answers: u32) -> bool {
        self.answers != answers || self.is_over(direction)
    }

    /// Whether headers of this direction enter the filter; opens its stream for a request.
    fn enters(&mut self, direction: Direction, index: usize) -> bool {
        if direction == Direction::Response || self.links[index].gone {
            return self.takes_part(index);
        }
        let link = &mut self.links[index];
        let Some(vm) = link.vm.clone() else {
            self.fault(index);
            return false;
        };
        let mut running = vm.borrow_mut();
        let opened = if running.is_faulted() {
            None
        } else {
            running
                .open_http_stream(link.root, Rc::clone(&self.exchange))
                .ok()
        };
        if let (Some(stream), Some(waker)) = (opened, &self.waker) {
            running.set_waker(stream, waker);
        }
        drop(running);
        link.stream = opened;
        if opened.is_none() {
            self.fault(index);
        }
        opened.is_some()
    }

    fn takes_part(&self, index: usize) -> bool {
        let link = &self.links[index];
        !link.gone && link.stream.is_some()
    }

    /// Calls into a filter. `None`: it faulted, which has been dealt with.
    fn call<R>(
        &mut self,
        index: usize,
        work: impl FnOnce(&mut Vm, ContextId) -> Result<R, Fault>,
    ) -> Option<R> {
        let link = &self.links[index];
        let (Some(vm), Some(stream)) = (link.vm.clone(), link.stream) else {
            return None;
        };
        let outcome = {
            let mut vm = vm.borrow_mut();
            if vm.is_faulted() {
                None
            } else {
                work(&mut vm, stream)
                    .and_then(|r| vm.finish_done().map(|()| r))
                    .ok()
            }
        };
        if outcome.is_none() {
            self.fault(index);
        }
        outcome
    }

    fn obey_after_call(&mut self, index: usize) {
        let link = &self.links[index];
        let (Some(vm), Some(stream)) = (&link.vm, link.stream) else {
            return;
        };
        let signals = vm.borrow_mut().take_signals(stream);
        self.obey(index, signals);
    }

    /// Does what a filter asked for.
    fn obey(&mut self, index: usize, signals: Signals) {
        if let Some(response) = signals.local_response {
            self.answer(response);
            return;
        }
        if signals.close {
            self.reset(ResetReason::ClosedByFilter);
            return;
        }
        if signals.resume_request && !self.is_over(Direction::Request) {
            self.resume(Direction::Request, index);
        }
        if signals.resume_response && !self.is_over(Direction::Response) {
            self.resume(Direction::Response, index);
        }
    }

    /// A filter has faulted or is not there: the exchange goes on without it, or is refused.
    fn fault(&mut self, index: usize) {
        let link = &mut self.links[index];
        if std::mem::replace(&mut link.gone, true) {
            return;
        }
        if link.on_fault == OnFault::Closed {
            let is_there = link.vm.is_some();
            self.refuse_for_fault(is_there);
            return;
        }
        for direction in [Direction::Request, Direction::Response] {
            if !self.is_over(direction) {
                self.release(direction, index);
            }
        }
    }

    /// Lets go on what waits at a filter that is gone.
    fn release(&mut self, direction: Direction, index: usize) {
        let gate = self.links[index].gate(direction);
        if gate.hold == Hold::Open {
            return;
        }
        let unseen = std::mem::take(&mut gate.unseen);
        gate.trailers_seen |= std::mem::take(&mut gate.trailers_unseen);
        if gate.hold == Hold::All {
            gate.hold = Hold::Headers;
        }
        gate.held += unseen.len();
        self.with_held(direction, index, |held| held.append(unseen));
        self.resume(direction, index);
    }
}

impl Link {
    fn new(vm: Option<SharedVm>, root: ContextId, on_fault: OnFault) -> Self {
        Self {
            vm,
            root,
            on_fault,
            stream: None,
            gone: false,
            request: Gate::default(),
            response: Gate::default(),
        }
    }
}

impl Drop for Chain {
    fn drop(&mut self) {
        self.finish();
    }
}
