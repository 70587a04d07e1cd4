//! What a guest can do that means harm: every pointer and length at and over every edge, numbers that mean nothing, calls
//! at the wrong time, calls from inside its own allocator, and an allocator that does not do what it should. The guest gets
//! the status that it would get in Envoy, or ends with a fault; the host goes on, and the next request is served.
//!
//! All of it is driven by the functions that the linker has: one that is not in [`catalog`] fails every test here.

mod allocator;
mod catalog;
mod contexts;
mod guest;
mod kit;
mod life;
mod numbers;
mod phases;
mod pointers;
mod sequences;

use wharf_plugin::ProxyWasmVersion;

use crate::hostcalls::host_functions;
use crate::testing::functions;

/// The guest that the other tests script has every function too.
#[test]
fn no_function_is_left_out() {
    for version in ProxyWasmVersion::ALL {
        let mut scripted: Vec<_> = functions(version).into_iter().map(|(name, _)| name).collect();
        scripted.sort_unstable();
        let given: Vec<_> = host_functions(version)
            .into_iter()
            .filter(|function| function.module == "env")
            .map(|function| function.name)
            .collect();
        assert_eq!(scripted, given, "{version}");
    }
}
