//! Shared queues (specification, "Shared Queues").

use bytes::Bytes;
use wharf_engine::Imports;

use super::{Call, Named, Refusal, Reply, check_place, check_places, function, give, refuse, shown};
use crate::numbers::Status;
use crate::shared::{Namespace, QueueError};
use crate::state::State;

/// What the log calls the place for a queue's id.
const ID_OUT: &str = "the place for the queue's id";

pub(super) fn add(imports: &mut Imports<State>) {
    function(
        imports,
        "proxy_register_shared_queue",
        |call, (n, s, out): (u32, u32, u32)| register(call, n, s, out),
    );
    function(
        imports,
        "proxy_resolve_shared_queue",
        |call, p: (u32, u32, u32, u32, u32)| resolve(call, p),
    );
    function(
        imports,
        "proxy_enqueue_shared_queue",
        |call, (q, p, s): (u32, u32, u32)| enqueue(call, q, p, s),
    );
    function(
        imports,
        "proxy_dequeue_shared_queue",
        |call, (q, a, l): (u32, u32, u32)| dequeue(call, q, a, l),
    );
}

impl From<QueueError> for Refusal {
    fn from(error: QueueError) -> Self {
        let status = match error {
            QueueError::Unknown(_) => Status::NotFound,
            QueueError::Empty => Status::Empty,
            QueueError::Full | QueueError::TooMany => Status::InternalFailure,
        };
        Self::Status(status, error.to_string().into())
    }
}

/// `proxy_register_shared_queue`: opens a queue of the VM id; `proxy_on_queue_ready` of this plugin, in this worker,
/// hears of each thing that is put on it from now on.
///
/// - `name`, `size`: INVALID_MEMORY_ACCESS.
/// - `id_out`: where the queue's id goes, as u32le; INVALID_MEMORY_ACCESS.
///
/// INTERNAL_FAILURE where there are too many queues.
fn register(call: &mut Call<'_>, name: u32, size: u32, id_out: u32) -> Reply {
    check_place(call, id_out, 4, ID_OUT)?;
    let (memory, state) = call.memory_and_state();
    let name = memory.read(name, size).named("the name")?;
    let Some(root) = state.contexts.root_id_of(state.effective) else {
        return refuse(Status::InternalFailure, "only a plugin can register a queue");
    };
    let listener = state
        .queue_listeners
        .entry(root)
        .or_insert_with(|| state.host.queue_listener(root));
    let id = state.shared.queues.register(&state.namespace, name, listener)?;
    call.memory().write_u32(id_out, id).named(ID_OUT)?;
    Ok(())
}

/// `proxy_resolve_shared_queue`: the id of a queue that somebody has registered.
///
/// - `vm_id`: whose; empty: this VM's own.
/// - `name`: NOT_FOUND where nobody has registered it. INVALID_MEMORY_ACCESS for either.
/// - `id_out`: where the queue's id goes, as u32le; INVALID_MEMORY_ACCESS.
fn resolve(
    call: &mut Call<'_>,
    (vm_id, vm_id_size, name, name_size, id_out): (u32, u32, u32, u32, u32),
) -> Reply {
    let (memory, state) = call.memory_and_state();
    let vm_id = memory.read(vm_id, vm_id_size).named("the VM id")?;
    let name = memory.read(name, name_size).named("the name")?;
    let own = vm_id.is_empty() || vm_id == state.vm_id.as_bytes();
    let namespace = if own {
        state.namespace.clone()
    } else if let Ok(vm_id) = std::str::from_utf8(vm_id) {
        Namespace::Named(vm_id.into())
    } else {
        return refuse(Status::NotFound, format!("no VM has the id {}", shown(vm_id)));
    };
    let Some(id) = state.shared.queues.resolve(&namespace, name) else {
        let reason = format!("nobody has registered a queue {} in {namespace:?}", shown(name));
        return refuse(Status::NotFound, reason);
    };
    call.memory().write_u32(id_out, id).named(ID_OUT)?;
    Ok(())
}

/// `proxy_enqueue_shared_queue`: puts a value on a queue.
///
/// - `queue`: NOT_FOUND where there is none of this id.
/// - `value`, `size`: INVALID_MEMORY_ACCESS. INTERNAL_FAILURE where the queue is full.
fn enqueue(call: &mut Call<'_>, queue: u32, value: u32, size: u32) -> Reply {
    let (memory, state) = call.memory_and_state();
    let value = Bytes::copy_from_slice(memory.read(value, size).named("the value")?);
    state.shared.queues.enqueue(queue, value)?;
    Ok(())
}

/// `proxy_dequeue_shared_queue`: takes the first value of a queue.
///
/// - `queue`: NOT_FOUND where there is none of this id, EMPTY where nothing waits in it.
/// - `address_out`, `length_out`: where the copy's address and length go; INVALID_MEMORY_ACCESS, and the value stays. It
///   is lost where the allocator gives nothing for it.
fn dequeue(call: &mut Call<'_>, queue: u32, address_out: u32, length_out: u32) -> Reply {
    check_places(call, address_out, length_out)?;
    let value = call.state().shared.queues.dequeue(queue)?;
    give(call, &value, address_out, length_out)
}
