//! What the tests of this crate share: a guest that does what it is told, a host that notes all that happens, and
//! chains of such guests.

mod guest;
mod host;
mod scenario;
mod script;
mod wat;

pub(crate) use guest::{Allocator, Guest, GuestOptions, link, list, plugin, program};
pub(crate) use host::{FakeHost, SharedWorld, text as header_text};
pub(crate) use scenario::{FilterScript, Scenario, contents, filter};
pub(crate) use script::{Argument, Callback, Step, args, call, functions, turn};

/// Where the memory starts that tests may use: 64 KiB of question marks, at the end of the guest's memory.
pub(crate) const FREE: u32 = 0x40000;
/// The end of the guest's memory.
pub(crate) const END: u32 = 0x50000;
/// A place in the question marks for a host function's answer.
pub(crate) const OUT: u32 = FREE + 0x100;
