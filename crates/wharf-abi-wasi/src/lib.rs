//! The WASI that embedded guests get.
//!
//! Compilers for WASI assume a small operating system, and so a filter that never opens a file still imports the
//! functions for it. This crate gives such guests all of WASI preview 1 under the host's control: the environment,
//! clocks and random bytes come from a [`WasiHost`], text for stdout and stderr goes to it, and files, sockets and
//! sleep are refused with an error number and never with a trap. Nothing of the machine can be reached.
//!
//! A command, which is a guest that runs from `_start` to its end, gets arguments, stdin, and an stdout that is taken
//! byte for byte, where its host gives them: [`WasiHost::arguments`], [`WasiHost::stdin`], [`WasiHost::output`].
//!
//! A guest that looks at one file, such as a scanner's module, gets it at its path in a [`Tree`] that can only be read, by
//! [`add_tree_wasi`]; the other guests are not touched by it.
//!
//! [`add_filter_wasi`] adds the functions to an import table under both names of the interface,
//! `wasi_snapshot_preview1` and the older `wasi_unstable`. The two differ in these places, and the answers here are
//! the same for both but where the table says so:
//!
//! | function | difference | here |
//! |---|---|---|
//! | `fd_seek` | the numbers of `whence` are in another order | as each says in a [`Tree`]; else there is nothing to seek in |
//! | `fd_filestat_get` | the older record is 56 bytes, the newer 64 | both in a [`Tree`]; else the newer is given to commands, the older to nobody |
//! | `path_filestat_get` | the same | both in a [`Tree`], else never written |
//! | `poll_oneoff` | the older subscription is 56 bytes, the newer 48 | never read |
//! | `sock_accept` | only the newer has it | given under both |
//!
//! Each function gives an error number, 0 for success. A pointer that is not inside the guest's memory gives 21
//! (`fault`), and nothing is written or done in that case. The numbers are those that proxies with Google's host
//! give, since guests were tested against them.

mod args;
mod clock;
mod environ;
mod files;
mod poll;
mod process;
mod random;
mod refusal;
mod sockets;
mod stdio;
mod strings;
#[cfg(test)]
mod testing;
mod tree;

use std::io::Read;

use wharf_engine::{HostCall, HostParameters, Imports};

use crate::refusal::{Answer, Refusal};

pub use crate::tree::{Tree, TreeHost};

/// What a guest's WASI calls reach. The state that an import table is over implements it.
pub trait WasiHost {
    /// The environment variables, each a name and a value. Neither may contain a NUL, nor the name a `=`.
    fn environment(&self) -> &[(String, String)];

    /// The arguments; none by default.
    fn arguments(&self) -> &[String] {
        &[]
    }

    /// The guest has written `bytes`, not empty but for a lone line end, to a stream. One line end at the end is taken
    /// off already; there may be others inside. It is at most 1 MiB and any bytes whatever.
    fn write(&mut self, stream: Stdio, bytes: &[u8]);

    /// The guest has written `bytes`, never empty, to a stream; it is at most 1 MiB and any bytes whatever. By default each
    /// call is a line for [`WasiHost::write`]. A host that takes the output of a command implements it, so that no byte
    /// is missing.
    ///
    /// # Errors
    /// [`OutputFull`] where the host takes no more: the guest gets 51 (`nospc`).
    fn output(&mut self, stream: Stdio, bytes: &[u8]) -> Result<(), OutputFull> {
        self.write(stream, bytes.strip_suffix(b"\n").unwrap_or(bytes));
        Ok(())
    }

    /// What the guest reads from file descriptor 0. By default there is none, and reading is refused with 52. What it
    /// gives is asked for at most 1 MiB at a time; 0 bytes are the end of it, and an error is 29 (`io`).
    fn stdin(&mut self) -> Option<&mut dyn Read> {
        None
    }

    /// The nanoseconds since 1970-01-01T00:00:00Z.
    fn realtime_nanoseconds(&mut self) -> u64;

    /// Nanoseconds since some moment, never going back.
    fn monotonic_nanoseconds(&mut self) -> u64;

    /// Fills `buffer`, which is at most 64 KiB, with bytes that nobody can predict.
    fn random(&mut self, buffer: &mut [u8]);
}

/// A stream that a guest writes text to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stdio {
    /// File descriptor 1.
    Stdout,
    /// File descriptor 2.
    Stderr,
}

/// The host takes no more output of this guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the host takes no more output of this guest")]
pub struct OutputFull;

/// The names under which guests import the interface, the older last.
pub const MODULES: [&str; 2] = ["wasi_snapshot_preview1", "wasi_unstable"];

/// Adds all functions of WASI preview 1, as filters get them, under both names of the interface.
pub fn add_filter_wasi<S: WasiHost + 'static>(imports: &mut Imports<S>) {
    let mut table = Table { imports };
    args::add(&mut table);
    environ::add(&mut table);
    clock::add(&mut table);
    random::add(&mut table);
    stdio::add(&mut table);
    files::add(&mut table);
    sockets::add(&mut table);
    poll::add(&mut table);
    process::add(&mut table);
}

/// Adds all functions of WASI preview 1 for a guest that sees one file: those that [`add_filter_wasi`] adds, with those for
/// files and directories replaced.
pub fn add_tree_wasi<S: TreeHost + 'static>(imports: &mut Imports<S>) {
    add_filter_wasi(imports);
    tree::add(&mut Table { imports });
}

/// The import table, with what all functions of the interface have in common.
struct Table<'a, S: 'static> {
    imports: &'a mut Imports<S>,
}

impl<S: 'static> Table<'_, S> {
    /// Adds a function that answers with an error number, under both names of the interface.
    fn add<P>(&mut self, name: &'static str, body: fn(&mut HostCall<'_, S>, P) -> Answer) -> &mut Self
    where
        P: HostParameters<S, i32> + 'static,
    {
        for module in MODULES {
            self.add_to(module, name, body);
        }
        self
    }

    /// Replaces a function under the older name of the interface.
    fn add_unstable<P>(
        &mut self,
        name: &'static str,
        body: fn(&mut HostCall<'_, S>, P) -> Answer,
    ) -> &mut Self
    where
        P: HostParameters<S, i32> + 'static,
    {
        self.add_to(MODULES[1], name, body);
        self
    }

    fn add_to<P>(
        &mut self,
        module: &'static str,
        name: &'static str,
        body: fn(&mut HostCall<'_, S>, P) -> Answer,
    ) where
        P: HostParameters<S, i32> + 'static,
    {
        self.imports
            .function(module, name, move |call: &mut HostCall<'_, S>, parameters: P| {
                Ok(body(call, parameters).map_or_else(|refusal| refused(module, name, &refusal), |()| 0))
            });
    }
}

/// The error number of a refusal, whose reason goes to the log, for the author of the guest.
#[cold]
fn refused(module: &str, name: &str, refusal: &Refusal) -> i32 {
    let errno = refusal.errno();
    tracing::debug!(module, function = name, errno, reason = %refusal, "a host function refused a guest's call");
    errno
}
