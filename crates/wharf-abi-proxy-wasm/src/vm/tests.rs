//! The life of a VM and of its contexts, and what comes from outside of streams: ticks, queues, answers to call-outs.

#![expect(
    clippy::needless_pass_by_value,
    reason = "what is expected is written where it is given away"
)]

mod ending;
mod faults;
mod grpc_calls;
mod http_calls;
mod plugins;
mod starting;
mod tcp;
mod ticks_and_queues;

use crate::testing::{Guest, GuestOptions};

/// A scripted guest that announces each callback.
fn announcing(options: GuestOptions) -> Guest {
    let mut guest = Guest::with(options);
    guest.announce();
    guest
}
