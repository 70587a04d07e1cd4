//! Host functions, called with whatever an input says from wherever it says.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use wharf_abi_proxy_wasm::{
    ChainLimits, ContextId, Direction, Filter, HttpCallResponse, Namespace, PeerType, PluginContext, Shared,
    SharedVm, Vm, VmSettings,
};
use wharf_plugin::{OnFault, PluginName};

use crate::exchange::{Drive, list};
use crate::guest::{SANITY_QUEUE, program};
use crate::observer::Watch;
use crate::plan::{Event, Plan, Vocabulary};
use crate::script::functions;
use crate::world::{FuzzHost, News, Properties, SharedWorld, World};

const EVERYTHING: Vocabulary = Vocabulary {
    names: None,
    pure: &[],
    version: None,
};

/// The most exchanges and connections that are open at once.
const MOST_STREAMS: usize = 4;

/// Lets a guest call any host functions with any arguments, in any callback. Whatever it does, each call answers with a
/// status of the ABI and writes nothing but its answer, what leaves the chains is HTTP, and as long as the guest lives
/// a normal call works.
pub fn host_functions(bytes: &[u8]) {
    let plan = Plan::read(bytes, &EVERYTHING);
    let mut run = Run::new(&plan);
    for event in &plan.events {
        run.happen(*event);
    }
    run.end();
}

/// Starts a VM of the scripted guest with no plugin in it.
pub(crate) fn start(plan: &Plan, vm: usize, world: &SharedWorld, news: &News, shared: &Arc<Shared>) -> Vm {
    let settings = VmSettings {
        namespace: Namespace::Named("vm".into()),
        vm_id: "vm".into(),
        configuration: plan.script.encode().into(),
        environment: vec![("A".into(), "1".into()), ("LONGER".into(), "value".into())],
    };
    let host = Box::new(FuzzHost {
        world: Rc::clone(world),
        news: Arc::clone(news),
        vm,
    });
    let started = Vm::new(program(plan.version), settings, host, Arc::clone(shared));
    started.unwrap_or_else(|error| panic!("nothing of the guest runs yet: {error}"))
}

/// A plugin of the guest; all have one name, which the guest knows.
pub(crate) fn plugin(allow_on_headers_stop_iteration: bool) -> PluginContext {
    PluginContext {
        name: PluginName::new("p").expect("a good name"),
        root_id: "root id".into(),
        configuration: Bytes::from_static(b"configuration"),
        allow_on_headers_stop_iteration,
    }
}

struct Run {
    vm: SharedVm,
    world: SharedWorld,
    news: News,
    roots: Vec<ContextId>,
    exchanges: Vec<Drive>,
    connections: Vec<ContextId>,
    flags: u8,
}

impl Run {
    fn new(plan: &Plan) -> Self {
        let world = Rc::new(RefCell::new(World {
            refuses_calls: plan.flags & 1 != 0,
            quiet: plan.flags & 2 != 0,
            ..World::default()
        }));
        let news = News::default();
        let mut vm = start(plan, 0, &world, &news, &Arc::new(Shared::default()));
        vm.observe(Some(Box::new(Watch::new(functions(plan.version)))));
        let mut run = Self {
            vm: Rc::new(RefCell::new(vm)),
            world,
            news,
            roots: Vec::new(),
            exchanges: Vec::new(),
            connections: Vec::new(),
            flags: plan.flags,
        };
        run.add_plugin();
        run
    }

    fn add_plugin(&mut self) {
        if self.roots.len() < 3 && !self.vm.borrow().is_faulted() {
            let added = self.vm.borrow_mut().add_plugin(plugin(self.flags & 4 != 0));
            // A plugin that refuses to start leaves a VM of no more use, but one that is still asked.
            self.roots.extend(added);
        }
    }

    fn root(&self, detail: u8) -> Option<ContextId> {
        let count = self.roots.len().max(1);
        self.roots.get(usize::from(detail) % count).copied()
    }

    fn happen(&mut self, event: Event) {
        let Event { kind, detail } = event;
        let kind = kind % 29;
        let directions = [Direction::Request, Direction::Response];
        let direction = directions[usize::from(kind & 1)];
        let end = detail & 0x80 != 0;
        match kind {
            0 => self.open_exchange(detail),
            2 | 3 => self.exchange(detail, |exchange| {
                exchange.headers(direction, end, detail & 0x40 != 0)
            }),
            4 | 5 => self.exchange(detail, |exchange| {
                exchange.data(direction, usize::from(detail & 0x7f), end)
            }),
            6 | 7 => self.exchange(detail, |exchange| exchange.trailers(direction)),
            8 => self.exchange(detail, Drive::poll),
            9 => self.exchange(detail, Drive::drain),
            10 => self.close_exchange(detail),
            11 => self.add_plugin(),
            12 => self.with_root(detail, |vm, root| _ = vm.on_tick(root)),
            13 => self.answer_http(detail),
            14..=17 => self.answer_grpc(kind, detail),
            18 => self.pass_news(),
            19 => self.with_root(detail, |vm, root| _ = vm.on_queue_ready(root, u32::from(detail))),
            20 => self.with_root(detail, |vm, root| {
                let arguments = Bytes::from(vec![b'x'; usize::from(detail)]);
                _ = vm.on_foreign_function(root, u32::from(detail), arguments);
            }),
            21 => self.connect(detail),
            22.. => self.connection(kind, detail),
            1 => {}
        }
    }

    fn open_exchange(&mut self, detail: u8) {
        let on_fault = if detail & 1 == 0 {
            OnFault::Closed
        } else {
            OnFault::Open
        };
        if self.exchanges.len() >= MOST_STREAMS {
            return;
        }
        let filters = self.roots.iter().map(|root| {
            Ok(Filter {
                vm: Rc::clone(&self.vm),
                root: *root,
                on_fault,
            })
        });
        let limits = ChainLimits {
            body_buffer: if detail & 2 == 0 { 1 << 20 } else { 50 },
        };
        self.exchanges
            .push(Drive::new(filters.collect(), limits, detail & 4 != 0));
    }

    fn exchange(&mut self, detail: u8, work: impl FnOnce(&mut Drive)) {
        let count = self.exchanges.len().max(1);
        if let Some(exchange) = self.exchanges.get_mut(usize::from(detail) % count) {
            work(exchange);
        }
    }

    fn close_exchange(&mut self, detail: u8) {
        if !self.exchanges.is_empty() {
            let mut exchange = self.exchanges.remove(usize::from(detail) % self.exchanges.len());
            exchange.finish();
        }
    }

    fn with_root(&self, detail: u8, work: impl FnOnce(&mut Vm, ContextId)) {
        if let Some(root) = self.root(detail) {
            self.with_vm(|vm| work(vm, root));
        }
    }

    /// Works with the VM as an embedder does: not when it has faulted.
    fn with_vm(&self, work: impl FnOnce(&mut Vm)) {
        let mut vm = self.vm.borrow_mut();
        if !vm.is_faulted() {
            work(&mut vm);
        }
    }

    fn answer_http(&mut self, detail: u8) {
        let open = {
            let calls = &mut self.world.borrow_mut().http_calls;
            if calls.is_empty() {
                return;
            }
            calls.remove(usize::from(detail) % calls.len())
        };
        let (_, root, id) = open;
        let response = (detail & 0x40 == 0).then(|| HttpCallResponse {
            headers: list(&[(":status", "200"), ("a", "1")]),
            body: Bytes::from(vec![b'b'; usize::from(detail)]),
            trailers: list(&[("t", "1")]),
        });
        self.with_vm(|vm| _ = vm.on_http_call_response(root, id, response));
    }

    fn answer_grpc(&mut self, kind: u8, detail: u8) {
        let count = self.world.borrow().grpc_calls.len().max(1);
        let index = usize::from(detail) % count;
        let Some(call) = self.world.borrow().grpc_calls.get(index).copied() else {
            return;
        };
        let metadata = || list(&[("a", "1"), ("b", "2")]);
        // A call that has ended hears no more; the ABI has to see to that.
        self.with_vm(|vm| match kind {
            14 => _ = vm.on_grpc_initial_metadata(call.root, call.id, metadata()),
            15 => {
                _ = vm.on_grpc_message(call.root, call.id, Bytes::from(vec![b'm'; usize::from(detail)]));
                self.world.borrow_mut().grpc_calls[index].ended |= call.id % 2 == 1;
            }
            16 => _ = vm.on_grpc_trailing_metadata(call.root, call.id, metadata()),
            _ => {
                self.world.borrow_mut().grpc_calls[index].ended = true;
                _ = vm.on_grpc_close(call.root, call.id, u32::from(detail), "over".into());
            }
        });
    }

    fn pass_news(&mut self) {
        let news = std::mem::take(&mut *self.news.lock().unwrap_or_else(PoisonError::into_inner));
        for (_, root, queue) in news {
            self.with_vm(|vm| _ = vm.on_queue_ready(root, queue));
        }
    }

    fn connect(&mut self, detail: u8) {
        if self.connections.len() < MOST_STREAMS
            && let Some(root) = self.root(detail)
            && !self.vm.borrow().is_faulted()
        {
            let opened = self.vm.borrow_mut().open_tcp_stream(root, Box::new(Properties));
            self.connections.extend(opened);
        }
    }

    fn connection(&mut self, kind: u8, detail: u8) {
        let count = self.connections.len().max(1);
        let index = usize::from(detail) % count;
        let Some(stream) = self.connections.get(index).copied() else {
            return;
        };
        let data = || Bytes::from(vec![b'd'; usize::from(detail & 0x7f)]);
        let end = detail & 0x80 != 0;
        self.with_vm(|vm| match kind {
            22 => _ = vm.on_new_connection(stream),
            23 => _ = vm.on_downstream_data(stream, data(), end),
            24 => _ = vm.on_upstream_data(stream, data(), end),
            25 => {
                _ = (
                    vm.take_signals(stream),
                    vm.take_downstream(stream),
                    vm.take_upstream(stream),
                )
            }
            26 => _ = vm.on_downstream_connection_close(stream, PeerType::Remote),
            27 => _ = vm.on_upstream_connection_close(stream, PeerType::Local),
            _ => _ = vm.close_stream(stream),
        });
        if kind == 28 {
            self.connections.remove(index);
        }
    }

    fn end(mut self) {
        self.check_sanity();
        self.exchanges.iter_mut().for_each(Drive::poll);
        self.exchanges.iter_mut().for_each(Drive::finish);
        self.check_sanity();
        let mut vm = self.vm.borrow_mut();
        if let (true, Some(root)) = (vm.is_faulted(), self.roots.first()) {
            assert!(vm.on_tick(*root).is_err(), "nothing runs in it any more");
        } else {
            // What waits for something may wait for ever, and may fault.
            let _ = vm.shut_down();
        }
        assert_eq!(vm.is_faulted(), vm.fault().is_some());
        assert_eq!(
            self.world.borrow().faults,
            usize::from(vm.is_faulted()),
            "a fault is told once"
        );
        assert!(vm.memory_size() <= 1 << 20);
    }

    /// The next normal call works, unless the guest has ended itself.
    fn check_sanity(&self) {
        for root in &self.roots {
            let before = self.world.borrow().sane;
            self.with_vm(|vm| {
                // A context that ends after the call may still fault.
                let _ = vm.on_queue_ready(*root, SANITY_QUEUE);
                assert_eq!(
                    self.world.borrow().sane,
                    before + 1,
                    "the normal call does not work"
                );
            });
        }
    }
}
