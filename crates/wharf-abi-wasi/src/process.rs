//! The end of the program, and its place among others.

use wharf_engine::{FaultKind, HostCall, HostResult};

use crate::refusal::{Answer, Refusal};
use crate::{MODULES, Table, WasiHost};

pub(crate) fn add<S: WasiHost + 'static>(table: &mut Table<'_, S>) {
    for module in MODULES {
        table.imports.function(module, "proc_exit", proc_exit::<S>);
    }
    table
        .add("proc_raise", proc_raise)
        .add("sched_yield", sched_yield);
}

/// `proc_exit(code)`: the guest ends itself, which never returns.
///
/// The call that the host had made ends with [`FaultKind::Exit`], whatever the code is: a guest that has ended cannot
/// answer, and what a code of 0 means is for the ABI to say.
fn proc_exit<S: WasiHost>(_call: &mut HostCall<'_, S>, (code,): (i32,)) -> HostResult<()> {
    Err(FaultKind::Exit { code }.into())
}

/// `proc_raise(signal)`: always 58, there are no signals.
fn proc_raise<S: WasiHost>(_call: &mut HostCall<'_, S>, (_signal,): (u32,)) -> Answer {
    Err(Refusal::NotSupported)
}

/// `sched_yield()`: always 0. The guest is the only one on its thread, and goes on at once.
fn sched_yield<S: WasiHost>(_call: &mut HostCall<'_, S>, (): ()) -> Answer {
    Ok(())
}

#[cfg(test)]
mod tests {
    use wharf_engine::FaultKind;

    use crate::testing::Guest;

    #[test]
    fn an_exit_is_a_fault_with_its_code() {
        for code in [0, 1, -1, i32::MIN] {
            let mut exit = Guest::without_result("proc_exit", "i32");
            let fault = exit.call_without_result((code,)).unwrap_err();
            assert_eq!(fault.kind(), &FaultKind::Exit { code });
            let fault = exit.call_without_result((code,)).unwrap_err();
            assert_eq!(fault.kind(), &FaultKind::AlreadyFaulted);
        }
    }

    #[test]
    fn signals_are_not_supported_and_yielding_does_nothing() {
        assert_eq!(Guest::new("proc_raise", "i32").call((9_u32,)), 58);
        let mut sched_yield = Guest::new("sched_yield", "");
        assert_eq!(sched_yield.call(()), 0);
        sched_yield.assert_memory(&[]);
    }
}
