//! The part of Trivy's module ABI that this module uses, by hand: there is no SDK for Rust. `build.rs` exports `malloc` and
//! `free`.

use std::cell::RefCell;

#[link(wasm_import_module = "env")]
extern "C" {
    #[link_name = "info"]
    fn env_info(pointer: *const u8, size: usize);
    #[link_name = "error"]
    fn env_error(pointer: *const u8, size: usize);
}

pub fn info(text: &str) {
    unsafe { env_info(text.as_ptr(), text.len()) }
}

pub fn error(text: &str) {
    unsafe { env_error(text.as_ptr(), text.len()) }
}

thread_local! {
    /// What was given last. The host has read it when it calls again, and does not free it: `free` has one parameter.
    static GIVEN: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A pointer and a size in one number, for the host.
pub fn give(text: impl Into<Vec<u8>>) -> u64 {
    GIVEN.with_borrow_mut(|given| {
        *given = text.into();
        (given.as_ptr() as u64) << 32 | given.len() as u64
    })
}

/// What the host gave; it frees it itself.
pub unsafe fn taken<'a>(pointer: *const u8, size: usize) -> &'a [u8] {
    std::slice::from_raw_parts(pointer, size)
}
