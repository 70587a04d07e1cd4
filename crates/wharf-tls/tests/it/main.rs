//! Real handshakes over sockets of this machine, with certificates that last as long as the test.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod handshake;
mod load;
mod mutual;
mod peers;
mod pki;
mod reload;
mod reload_handshakes;
mod site;
