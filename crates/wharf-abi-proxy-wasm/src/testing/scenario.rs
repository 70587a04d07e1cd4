//! Exchanges through chains of scripted filters, told as stories.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::Duration;

use bytes::Bytes;
use wharf_plugin::{OnFault, ProxyWasmVersion};

use super::guest::{GuestOptions, announce, list, plugin, start, write_script};
use super::host::{FakeProperties, SharedWorld, text};
use super::script::{Callback, Script, Step, Turn, turn};
use crate::body::Body;
use crate::chain::{Chain, ChainLimits, Filter, Output, SharedVm, UnavailableFilter};
use crate::context::{Direction, Exchange};
use crate::headers::HeaderList;
use crate::host::ContextId;

/// What one filter of a chain does.
pub(crate) struct FilterScript {
    name: &'static str,
    script: Script,
    on_fault: OnFault,
    /// The filter before that runs in the same VM.
    same_vm_as: Option<&'static str>,
    unavailable: bool,
    stop_iteration: bool,
    deadline: Duration,
}

/// A filter that lets everything go on until it is told otherwise.
pub(crate) fn filter(name: &'static str) -> FilterScript {
    FilterScript {
        name,
        script: Script::default(),
        on_fault: OnFault::Closed,
        same_vm_as: None,
        unavailable: false,
        stop_iteration: false,
        deadline: Duration::from_secs(30),
    }
}

impl FilterScript {
    /// What it does at each coming of a callback; the last turn is repeated.
    pub(crate) fn turns(mut self, callback: Callback, turns: Vec<Turn>) -> Self {
        self.script.set(callback, turns);
        self
    }

    /// What it does whenever a callback comes.
    pub(crate) fn on(self, callback: Callback, result: u32, steps: impl IntoIterator<Item = Step>) -> Self {
        self.turns(callback, vec![turn(result, steps)])
    }

    /// What it returns from a callback, time after time; the last is repeated.
    pub(crate) fn returns(self, callback: Callback, results: &[u32]) -> Self {
        let turns = results.iter().map(|result| turn(*result, [])).collect();
        self.turns(callback, turns)
    }

    /// It cannot be had.
    pub(crate) fn unavailable(mut self) -> Self {
        self.unavailable = true;
        self
    }

    /// The exchange goes on without it where it faults.
    pub(crate) fn open_on_fault(mut self) -> Self {
        self.on_fault = OnFault::Open;
        self
    }

    /// It is a plugin of the VM of an earlier filter.
    pub(crate) fn in_vm_of(mut self, other: &'static str) -> Self {
        self.same_vm_as = Some(other);
        self
    }

    /// A pause on headers lets body callbacks come.
    pub(crate) fn allows_stop_iteration(mut self) -> Self {
        self.stop_iteration = true;
        self
    }

    /// How long a callback may take.
    pub(crate) fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }
}

/// An exchange under way.
pub(crate) struct Scenario {
    pub(crate) chain: Chain,
    pub(crate) world: SharedWorld,
    vms: Vec<(&'static str, SharedVm, ContextId)>,
}

struct Notes(SharedWorld);

impl Wake for Notes {
    fn wake(self: Arc<Self>) {
        self.0.note("host: the exchange is woken");
    }
}

impl Scenario {
    /// An exchange through these filters.
    pub(crate) fn new(filters: impl IntoIterator<Item = FilterScript>) -> Self {
        Self::with_limits(filters, ChainLimits::default())
    }

    /// An exchange whose filters may hold so many bytes of a body.
    pub(crate) fn holding(bytes: usize, filters: impl IntoIterator<Item = FilterScript>) -> Self {
        Self::with_limits(filters, ChainLimits { body_buffer: bytes })
    }

    pub(crate) fn with_limits(filters: impl IntoIterator<Item = FilterScript>, limits: ChainLimits) -> Self {
        let world = SharedWorld::new(ProxyWasmVersion::V0_2_1);
        let mut vms = Vec::new();
        let filters: Vec<_> = filters
            .into_iter()
            .map(|filter| filter.start(&world, &mut vms))
            .collect();
        let exchange = Exchange::new(Box::new(FakeProperties));
        let mut chain = Chain::new(filters, Rc::new(RefCell::new(exchange)), limits);
        chain.set_waker(&Waker::from(Arc::new(Notes(world.clone()))));
        world.take();
        Self { chain, world, vms }
    }

    /// A second exchange through the same filters; all of them are available and closed.
    pub(crate) fn another_exchange(&self) -> Self {
        let filters: Vec<_> = self
            .vms
            .iter()
            .map(|(_, vm, root)| {
                Ok(Filter {
                    vm: Rc::clone(vm),
                    root: *root,
                    on_fault: OnFault::Closed,
                })
            })
            .collect();
        let exchange = Exchange::new(Box::new(FakeProperties));
        let mut chain = Chain::new(filters, Rc::new(RefCell::new(exchange)), ChainLimits::default());
        chain.set_waker(&Waker::from(Arc::new(Notes(self.world.clone()))));
        Self {
            chain,
            world: self.world.clone(),
            vms: self.vms.clone(),
        }
    }

    /// The filters that are available.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.vms.iter().map(|(name, ..)| *name).collect()
    }

    /// The VM and the root of a filter.
    pub(crate) fn vm(&self, name: &str) -> (SharedVm, ContextId) {
        let found = self.vms.iter().find(|(other, ..)| *other == name);
        let (_, vm, root) = found.expect("a filter of this name");
        (Rc::clone(vm), *root)
    }

    /// A tick of a filter.
    pub(crate) fn tick(&mut self, name: &str) -> &mut Self {
        let (vm, root) = self.vm(name);
        let _ = vm.borrow_mut().on_tick(root);
        self
    }

    pub(crate) fn poll(&mut self) -> &mut Self {
        self.chain.poll();
        self.drain()
    }

    pub(crate) fn headers(
        &mut self,
        direction: Direction,
        headers: &[(&'static str, &'static str)],
        end: bool,
    ) -> &mut Self {
        self.chain.headers(direction, list(headers), end);
        self.drain()
    }

    /// `GET /`, with nothing behind it.
    pub(crate) fn get(&mut self) -> &mut Self {
        self.headers(Direction::Request, &[(":method", "GET"), (":path", "/")], true)
    }

    /// `POST /`, whose body is to come.
    pub(crate) fn post(&mut self) -> &mut Self {
        self.headers(Direction::Request, &[(":method", "POST"), (":path", "/")], false)
    }

    /// A piece of the request body.
    pub(crate) fn upload(&mut self, data: &'static str, end: bool) -> &mut Self {
        self.data(Direction::Request, data, end)
    }

    /// A response of 200, whose body is to come.
    pub(crate) fn ok(&mut self) -> &mut Self {
        self.headers(Direction::Response, &[(":status", "200")], false)
    }

    /// A piece of the response body.
    pub(crate) fn download(&mut self, data: &'static str, end: bool) -> &mut Self {
        self.data(Direction::Response, data, end)
    }

    pub(crate) fn data(&mut self, direction: Direction, data: &'static str, end: bool) -> &mut Self {
        self.chain
            .data(direction, Bytes::from_static(data.as_bytes()), end);
        self.drain()
    }

    pub(crate) fn trailers(
        &mut self,
        direction: Direction,
        trailers: &[(&'static str, &'static str)],
    ) -> &mut Self {
        self.chain.trailers(direction, list(trailers));
        self.drain()
    }

    /// Ends the exchange.
    pub(crate) fn finish(&mut self) -> &mut Self {
        self.chain.finish();
        self.drain()
    }

    /// Which directions more may be read in, and which are paused.
    pub(crate) fn note_state(&mut self) -> &mut Self {
        let directions = [Direction::Request, Direction::Response];
        let wanted: Vec<_> = directions.iter().filter(|d| self.chain.wants_data(**d)).collect();
        let paused: Vec<_> = directions.iter().filter(|d| self.chain.is_paused(**d)).collect();
        self.world
            .note(format!("chain: wants {wanted:?}, paused {paused:?}"));
        self
    }

    /// What has happened since this was last asked.
    pub(crate) fn told(&mut self) -> String {
        self.world.take()
    }

    fn drain(&mut self) -> &mut Self {
        while let Some(output) = self.chain.next_output() {
            let line = self.line(output);
            self.world.note(line);
        }
        self
    }

    fn line(&self, output: Output) -> String {
        let exchange = self.chain.exchange().borrow();
        let list = |list: &Option<HeaderList>| list.as_ref().map(text).unwrap_or_default();
        match output {
            Output::Headers {
                direction,
                end_of_stream,
            } => {
                let headers = match direction {
                    Direction::Request => list(&exchange.request_headers),
                    Direction::Response => list(&exchange.response_headers),
                };
                format!("{} headers [{headers}]{}", arrow(direction), end(end_of_stream))
            }
            Output::Data {
                direction,
                body,
                end_of_stream,
            } => {
                let body = contents(body);
                let body = body.escape_ascii();
                format!("{} data \"{body}\"{}", arrow(direction), end(end_of_stream))
            }
            Output::Trailers { direction } => {
                let trailers = match direction {
                    Direction::Request => list(&exchange.request_trailers),
                    Direction::Response => list(&exchange.response_trailers),
                };
                format!("{} trailers [{trailers}] end", arrow(direction))
            }
            Output::Answered { details } => format!("=> answered: {details}"),
            Output::Reset(reason) => format!("=> reset: {reason:?}"),
        }
    }
}

/// All bytes of a body.
pub(crate) fn contents(mut body: Body) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(part) = body.pop() {
        all.extend_from_slice(&part);
    }
    all
}

fn arrow(direction: Direction) -> &'static str {
    match direction {
        Direction::Request => "=> upstream:",
        Direction::Response => "=> client:",
    }
}

fn end(end_of_stream: bool) -> &'static str {
    if end_of_stream { " end" } else { "" }
}

impl FilterScript {
    fn start(
        self,
        world: &SharedWorld,
        vms: &mut Vec<(&'static str, SharedVm, ContextId)>,
    ) -> Result<Filter, UnavailableFilter> {
        if self.unavailable {
            return Err(UnavailableFilter {
                on_fault: self.on_fault,
            });
        }
        let options = || GuestOptions {
            name: self.name,
            deadline: self.deadline,
            allow_on_headers_stop_iteration: self.stop_iteration,
            ..GuestOptions::default()
        };
        let shared = self
            .same_vm_as
            .and_then(|name| vms.iter().find(|(other, ..)| *other == name));
        let vm = match shared {
            Some((_, vm, _)) => Rc::clone(vm),
            None => Rc::new(RefCell::new(start(options(), world))),
        };
        let root = {
            let mut vm = vm.borrow_mut();
            let root = vm.add_plugin(plugin(&options())).unwrap();
            write_script(&mut vm, root, &self.script, ProxyWasmVersion::V0_2_1);
            announce(&mut vm);
            root
        };
        vms.push((self.name, Rc::clone(&vm), root));
        Ok(Filter {
            vm,
            root,
            on_fault: self.on_fault,
        })
    }
}
