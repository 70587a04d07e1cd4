//! Contexts (specification, "Context lifecycle").

use wharf_engine::Imports;

use super::{Call, Reply, bad_argument, function, refuse};
use crate::context::Ending;
use crate::numbers::Status;
use crate::state::{State, VM_CONTEXT};

pub(super) fn add(imports: &mut Imports<State>) {
    function(
        imports,
        "proxy_set_effective_context",
        |call, (context,): (u32,)| set_effective(call, context),
    );
    function(imports, "proxy_done", |call, (): ()| done(call));
}

/// `proxy_set_effective_context`: lets host functions work on another context until the callback returns.
///
/// - `context`: 0, that of the VM, is the one whose callback runs, as in Envoy. BAD_ARGUMENT where the VM has none of
///   this id.
fn set_effective(call: &mut Call<'_>, context: u32) -> Reply {
    let state = call.state();
    state.effective = match context {
        VM_CONTEXT => state.current,
        context if state.contexts.get(context).is_some() => context,
        _ => return bad_argument(format!("there is no context {context}")),
    };
    Ok(())
}

/// `proxy_done`: the effective context, whose `proxy_on_done` had said no, may end now.
///
/// NOT_FOUND where it does not wait for this.
fn done(call: &mut Call<'_>) -> Reply {
    let state = call.state();
    match state.contexts.get_mut(state.effective) {
        Some(context) if context.ending == Ending::Waits => {
            context.ending = Ending::Done;
            state.waiting -= 1;
            state.done.push(state.effective);
            Ok(())
        }
        _ => refuse(Status::NotFound, "the context does not wait for proxy_done"),
    }
}
