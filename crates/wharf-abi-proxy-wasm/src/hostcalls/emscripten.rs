//! What modules that were built with Emscripten import beside the ABI.

use wharf_engine::Imports;

use crate::state::State;

pub(super) fn add(imports: &mut Imports<State>) {
    // `pthread_equal`: whether two threads are the same; there is one.
    imports.function("env", "pthread_equal", |_call, (left, right): (u32, u32)| {
        Ok(i32::from(left == right))
    });
    // `emscripten_notify_memory_growth`: the engine knows that memory has grown.
    imports.function(
        "env",
        "emscripten_notify_memory_growth",
        |_call, (_memory,): (u32,)| Ok(()),
    );
}
