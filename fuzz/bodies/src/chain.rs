//! A chain of filters that pause, resume, change, answer and fault, while an exchange comes in pieces.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use wharf_abi_proxy_wasm::{
    ChainLimits, ContextId, Direction, Filter, HttpCallResponse, Shared, SharedVm, UnavailableFilter,
};
use wharf_plugin::{OnFault, ProxyWasmVersion};

use crate::exchange::{Drive, list};
use crate::guest::RESUME_QUEUE;
use crate::host_functions::{plugin, start};
use crate::plan::{Event, Nature, Plan, Vocabulary};
use crate::world::{News, SharedWorld, World};

const FILTERS: Vocabulary = Vocabulary {
    names: Some(&[
        "proxy_continue_stream",
        "proxy_send_local_response",
        "proxy_set_buffer_bytes",
        "proxy_http_call",
        "proxy_set_effective_context",
        "proxy_add_header_map_value",
        "proxy_remove_header_map_value",
        "proxy_close_stream",
        "proxy_get_buffer_bytes",
        "proxy_get_property",
        "proxy_done",
    ]),
    pure: &[
        "proxy_continue_stream",
        "proxy_http_call",
        "proxy_set_effective_context",
        "proxy_get_buffer_bytes",
        "proxy_get_property",
        "proxy_done",
    ],
    version: Some(ProxyWasmVersion::V0_2_1),
};

/// As often as this the filters are told to go on before an exchange counts as stuck. A script has fewer turns.
const PATIENCE: usize = 200;

/// Puts one exchange through filters that do as the input says. What goes out is an HTTP exchange that ends once, and
/// where no filter changed anything it has the bytes that came.
pub fn chain(bytes: &[u8]) {
    let plan = Plan::read(bytes, &FILTERS);
    let mut run = Run::new(&plan);
    for event in &plan.events {
        run.happen(*event);
    }
    run.exchange.end_inputs();
    if plan.strays {
        return run.exchange.finish();
    }
    run.resume_until_over();
    assert!(
        run.exchange.checker.is_over(),
        "stuck: {:?}",
        run.exchange.checker
    );
    if plan.nature == Nature::Pure && run.lets_all_through {
        run.check_nothing_changed();
    }
    run.exchange.finish();
}

struct Run {
    vms: Vec<(SharedVm, ContextId)>,
    world: SharedWorld,
    exchange: Drive,
    /// Whether nothing about the chain itself keeps the exchange from going through.
    lets_all_through: bool,
}

impl Run {
    fn new(plan: &Plan) -> Self {
        let flag = |bit: u8| plan.flags & (1 << bit) != 0;
        let on_fault = if flag(6) { OnFault::Open } else { OnFault::Closed };
        let world = Rc::new(RefCell::new(World::default()));
        let mut vms = Vec::new();
        let mut filters = Vec::new();
        for index in 0..=plan.flags & 3 {
            let shares = flag(2) && index == 1;
            let added = if shares {
                add_to_last(&vms, flag(3))
            } else {
                add(plan, vms.len(), &world, flag(3))
            };
            let unavailable = flag(7) && index > 0;
            // The VM's place here is its number, under which it calls out.
            vms.extend(added.clone());
            filters.push(match added {
                Some((vm, root)) if !unavailable => Ok(Filter { vm, root, on_fault }),
                _ => Err(UnavailableFilter { on_fault }),
            });
        }
        let all_there = filters.iter().all(Result::is_ok) || on_fault == OnFault::Open;
        let body_buffer = if flag(4) { 60 } else { 1 << 20 };
        Self {
            vms,
            world,
            exchange: Drive::new(filters, ChainLimits { body_buffer }, flag(5)),
            lets_all_through: all_there && !flag(4),
        }
    }

    fn happen(&mut self, event: Event) {
        let Event { kind, detail } = event;
        let kind = kind % 12;
        let direction = [Direction::Request, Direction::Response][usize::from(kind & 1)];
        let end = detail & 0x80 != 0;
        match kind {
            0 | 1 => self.exchange.headers(direction, end, detail & 0x40 != 0),
            2..=5 => self.exchange.data(direction, usize::from(detail & 0x7f), end),
            6 | 7 => self.exchange.trailers(direction),
            8 => self.exchange.poll(),
            9 => self.tick(detail),
            10 => self.answer(detail),
            _ => self.exchange.drain(),
        }
    }

    fn tick(&mut self, detail: u8) {
        let count = self.vms.len().max(1);
        if let Some((vm, root)) = self.vms.get(usize::from(detail) % count)
            && !vm.borrow().is_faulted()
        {
            let _ = vm.borrow_mut().on_tick(*root);
        }
    }

    /// Answers a call-out, and polls the exchange as whoever was woken does.
    fn answer(&mut self, detail: u8) {
        let calls = std::mem::take(&mut self.world.borrow_mut().http_calls);
        for (vm, root, id) in calls {
            let response = (detail & 1 == 0).then(|| HttpCallResponse {
                headers: list(&[(":status", "200")]),
                body: Bytes::from_static(b"answer"),
                trailers: list(&[]),
            });
            let (vm, _) = &self.vms[vm];
            if !vm.borrow().is_faulted() {
                let _ = vm.borrow_mut().on_http_call_response(root, id, response);
            }
        }
        self.exchange.poll();
    }

    fn resume_until_over(&mut self) {
        for _ in 0..PATIENCE {
            self.exchange.drain();
            if self.exchange.checker.is_over() {
                return;
            }
            for (vm, root) in &self.vms {
                if !vm.borrow().is_faulted() {
                    let _ = vm.borrow_mut().on_queue_ready(*root, RESUME_QUEUE);
                }
            }
            self.exchange.poll();
        }
    }

    fn check_nothing_changed(&self) {
        let Drive { checker, came, .. } = &self.exchange;
        assert!(
            !checker.answered && !checker.reset,
            "nobody asked for that: {checker:?}"
        );
        assert_eq!(came[0], checker.request.body, "the request's body");
        assert_eq!(came[1], checker.response.body, "the response's body");
    }
}

/// Starts a VM with a plugin in it; `None` where the script does not let it start.
fn add(
    plan: &Plan,
    index: usize,
    world: &SharedWorld,
    stop_iteration: bool,
) -> Option<(SharedVm, ContextId)> {
    let mut vm = start(plan, index, world, &News::default(), &Arc::new(Shared::default()));
    let Ok(root) = vm.add_plugin(plugin(stop_iteration)) else {
        // Nobody answers a VM that is gone; the next one gets its number.
        world.borrow_mut().http_calls.retain(|(vm, ..)| *vm != index);
        return None;
    };
    Some((Rc::new(RefCell::new(vm)), root))
}

/// Adds a plugin to the VM before.
fn add_to_last(vms: &[(SharedVm, ContextId)], stop_iteration: bool) -> Option<(SharedVm, ContextId)> {
    let (vm, _) = vms.last()?;
    if vm.borrow().is_faulted() {
        return None;
    }
    let root = vm.borrow_mut().add_plugin(plugin(stop_iteration)).ok()?;
    Some((Rc::clone(vm), root))
}
