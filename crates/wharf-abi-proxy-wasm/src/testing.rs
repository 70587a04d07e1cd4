//! What the tests of this crate share: a guest that does what it is told, a host that notes all that happens, and
//! chains of such guests.

mod guest;
mod host;
mod scenario;
mod script;

pub(crate) use guest::{Allocator, Guest, GuestOptions, link, program};
pub(crate) use host::{FakeHost, SharedWorld, World};
pub(crate) use scenario::{FilterScript, Scenario, filter};
pub(crate) use script::{Argument, Callback, FUNCTIONS, Script, Turn, args, call, turn};

/// Where the memory starts that tests may use: 64 KiB of question marks, at the end of the guest's memory.
pub(crate) const FREE: u32 = 0x40000;
/// The end of the guest's memory.
pub(crate) const END: u32 = 0x50000;
