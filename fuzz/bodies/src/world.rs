//! The world around a guest: it takes call-outs, and keeps what the fuzzer answers and checks.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use wharf_abi_proxy_wasm::shared::QueueListener;
use wharf_abi_proxy_wasm::{
    CallRefused, ContextId, GrpcAction, GrpcCall, HeaderList, Host, HttpCall, LogLevel, PluginContext,
    RefusedCall, Status, StreamProperties, headers,
};
use wharf_engine::Fault;

use crate::guest::SANE;

/// The longest text that is passed on: what a guest writes to its standard streams at once, where each byte that is no
/// text becomes three.
const LONGEST_LINE: usize = 3 << 20;

/// What happened around the VMs of one input.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) refuses_calls: bool,
    pub(crate) quiet: bool,
    /// Open HTTP call-outs: the VM, the root, the id.
    pub(crate) http_calls: Vec<(usize, ContextId, u32)>,
    pub(crate) grpc_calls: Vec<OpenGrpc>,
    /// How often the guest said that a normal call works.
    pub(crate) sane: usize,
    pub(crate) faults: usize,
}

/// A gRPC call-out that was taken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OpenGrpc {
    pub(crate) vm: usize,
    pub(crate) root: ContextId,
    pub(crate) id: u32,
    pub(crate) ended: bool,
}

pub(crate) type SharedWorld = Rc<RefCell<World>>;

/// News of queues: the VM, the root, the queue.
pub(crate) type News = Arc<Mutex<Vec<(usize, ContextId, u32)>>>;

/// The host of one VM.
pub(crate) struct FuzzHost {
    pub(crate) world: SharedWorld,
    pub(crate) news: News,
    /// Which VM this is.
    pub(crate) vm: usize,
}

impl FuzzHost {
    fn refusal(&self) -> Result<(), CallRefused> {
        if self.world.borrow().refuses_calls {
            return Err(CallRefused::new(Status::BadArgument, "there is no such upstream"));
        }
        Ok(())
    }
}

fn check_list(list: &HeaderList) {
    let counted: usize = list
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    assert_eq!(counted, list.byte_size());
    assert!(counted <= headers::MAXIMUM_BYTES && list.len() <= headers::MAXIMUM_COUNT);
}

impl Host for FuzzHost {
    fn log(&mut self, _plugin: Option<&PluginContext>, _level: LogLevel, message: &str) {
        assert!(message.len() <= LONGEST_LINE, "a line of {} bytes", message.len());
        if message == SANE {
            self.world.borrow_mut().sane += 1;
        }
    }

    fn refused(&mut self, _plugin: Option<&PluginContext>, refusal: &RefusedCall<'_>) {
        assert!(refusal.status != Status::Ok && !refusal.reason.is_empty());
        assert!(!refusal.to_string().is_empty());
    }

    fn log_level(&self) -> LogLevel {
        if self.world.borrow().quiet {
            LogLevel::Critical
        } else {
            LogLevel::Trace
        }
    }

    fn realtime_nanoseconds(&mut self) -> u64 {
        u64::MAX
    }

    fn monotonic_nanoseconds(&mut self) -> u64 {
        77
    }

    fn random(&mut self, buffer: &mut [u8]) {
        buffer.fill(0xa5);
    }

    fn set_tick_period(&mut self, _root: ContextId, _period: Option<Duration>) {}

    fn http_call(&mut self, call: HttpCall) -> Result<(), CallRefused> {
        self.refusal()?;
        check_list(&call.headers);
        check_list(&call.trailers);
        assert!(call.headers.get(b":path").is_some(), "the ABI asks for it");
        let mut world = self.world.borrow_mut();
        let open = (self.vm, call.root, call.id);
        assert!(
            call.id != 0 && !world.http_calls.contains(&open),
            "the id is taken"
        );
        world.http_calls.push(open);
        Ok(())
    }

    fn grpc_call(&mut self, call: GrpcCall) -> Result<(), CallRefused> {
        self.refusal()?;
        check_list(&call.metadata);
        assert_eq!(
            call.id % 2 == 1,
            call.message.is_some(),
            "calls are odd, streams are even"
        );
        self.world.borrow_mut().grpc_calls.push(OpenGrpc {
            vm: self.vm,
            root: call.root,
            id: call.id,
            ended: false,
        });
        Ok(())
    }

    fn grpc_action(&mut self, id: u32, action: GrpcAction) {
        let mut world = self.world.borrow_mut();
        let call = world
            .grpc_calls
            .iter_mut()
            .find(|call| (call.vm, call.id) == (self.vm, id));
        let call = call.unwrap_or_else(|| panic!("{action:?} on {id}, which the host has not taken"));
        assert!(!call.ended, "{action:?} on {id}, which has ended");
        call.ended = matches!(action, GrpcAction::Cancel);
    }

    fn queue_listener(&mut self, root: ContextId) -> QueueListener {
        let (news, vm) = (Arc::clone(&self.news), self.vm);
        Arc::new(move |queue| {
            let mut news = news.lock().unwrap_or_else(PoisonError::into_inner);
            news.push((vm, root, queue));
        })
    }

    fn property(&self, path: &[&[u8]]) -> Option<Vec<u8>> {
        (path == [b"node"]).then(|| b"here".to_vec())
    }

    fn foreign_function(&mut self, name: &str, arguments: &[u8]) -> Option<Result<Vec<u8>, CallRefused>> {
        match name {
            "a" => Some(Ok(arguments.iter().rev().copied().collect())),
            "up" => Some(Err(CallRefused::new(Status::Unimplemented, "it is refused here"))),
            _ => None,
        }
    }

    fn faulted(&mut self, _plugin: Option<&PluginContext>, fault: &Fault) {
        assert!(!fault.to_string().is_empty());
        self.world.borrow_mut().faults += 1;
    }
}

/// What is known of a stream.
pub(crate) struct Properties;

impl StreamProperties for Properties {
    fn property(&self, path: &[&[u8]]) -> Option<Vec<u8>> {
        (path == [&b"source"[..], b"address"]).then(|| b"192.0.2.1:5000".to_vec())
    }
}
