//! Sockets, which guests do not have. The ABI's call-outs are the way to a network.

use wharf_engine::HostCall;

use crate::refusal::{Answer, Refusal};
use crate::{Table, WasiHost};

pub(crate) fn add<S: WasiHost + 'static>(table: &mut Table<'_, S>) {
    table
        .add("sock_accept", sock_accept)
        .add("sock_recv", sock_recv)
        .add("sock_send", sock_send)
        .add("sock_shutdown", sock_shutdown);
}

/// `sock_accept(fd, flags, connection)`: always 58, with a 0 (`u32`) at `connection`.
///
/// Gives 21 where `connection` is not inside the memory.
fn sock_accept<S: WasiHost>(
    call: &mut HostCall<'_, S>,
    (_fd, _flags, connection): (u32, u32, u32),
) -> Answer {
    call.memory().write_u32(connection, 0)?;
    Err(Refusal::NotSupported)
}

/// `sock_recv(fd, iovs, iovs_len, flags, received, out_flags)`: always 58, with a 0 (`u32`) at `received` and a 0
/// (`u16`) at `out_flags`.
///
/// Gives 21 where either is not inside the memory; nothing is written then.
fn sock_recv<S: WasiHost>(
    call: &mut HostCall<'_, S>,
    (_fd, _iovs, _iovs_len, _flags, received, out_flags): (u32, u32, u32, u32, u32, u32),
) -> Answer {
    let mut memory = call.memory();
    memory.writable(out_flags, 2)?;
    memory.write_u32(received, 0)?;
    memory.write(out_flags, &[0; 2])?;
    Err(Refusal::NotSupported)
}

/// `sock_send(fd, iovs, iovs_len, flags, sent)`: always 58, with a 0 (`u32`) at `sent`.
///
/// Gives 21 where `sent` is not inside the memory.
fn sock_send<S: WasiHost>(
    call: &mut HostCall<'_, S>,
    (_fd, _iovs, _iovs_len, _flags, sent): (u32, u32, u32, u32, u32),
) -> Answer {
    call.memory().write_u32(sent, 0)?;
    Err(Refusal::NotSupported)
}

/// `sock_shutdown(fd, how)`: always 58.
fn sock_shutdown<S: WasiHost>(_call: &mut HostCall<'_, S>, (_fd, _how): (u32, u32)) -> Answer {
    Err(Refusal::NotSupported)
}

#[cfg(test)]
mod tests {
    use crate::testing::{Guest, PAGE};

    #[test]
    fn sockets_are_not_supported_and_their_results_are_zero() {
        let mut accept = Guest::new("sock_accept", "i32 i32 i32");
        assert_eq!(accept.call((3_u32, 0_u32, 8_u32)), 58);
        accept.assert_memory(&[(8, &[0; 4])]);

        let mut receive = Guest::new("sock_recv", "i32 i32 i32 i32 i32 i32");
        assert_eq!(receive.call((3_u32, 0_u32, 1_u32, 0_u32, 8_u32, 16_u32)), 58);
        receive.assert_memory(&[(8, &[0; 4]), (16, &[0; 2])]);

        let mut send = Guest::new("sock_send", "i32 i32 i32 i32 i32");
        assert_eq!(send.call((3_u32, 0_u32, 1_u32, 0_u32, 8_u32)), 58);
        send.assert_memory(&[(8, &[0; 4])]);

        let mut shutdown = Guest::new("sock_shutdown", "i32 i32");
        assert_eq!(shutdown.call((3_u32, 1_u32)), 58);
        shutdown.assert_memory(&[]);
    }

    #[test]
    fn hostile_pointers_give_fault_and_write_nothing() {
        for pointer in [PAGE - 1, PAGE, u32::MAX] {
            let mut accept = Guest::new("sock_accept", "i32 i32 i32");
            assert_eq!(accept.call((3_u32, 0_u32, pointer)), 21);
            accept.assert_memory(&[]);
            let mut send = Guest::new("sock_send", "i32 i32 i32 i32 i32");
            assert_eq!(send.call((3_u32, 0_u32, 1_u32, 0_u32, pointer)), 21);
            send.assert_memory(&[]);
            for (received, out_flags) in [(pointer, 0), (0, pointer)] {
                let mut receive = Guest::new("sock_recv", "i32 i32 i32 i32 i32 i32");
                assert_eq!(
                    receive.call((3_u32, 0_u32, 1_u32, 0_u32, received, out_flags)),
                    21
                );
                receive.assert_memory(&[]);
            }
        }
    }
}
