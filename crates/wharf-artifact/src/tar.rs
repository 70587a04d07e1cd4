//! Reading tar archives that nobody vouches for.
//!
//! A reader of its own, so that each fault has a type and a place, everything that an archive declares is bounded before memory is
//! taken for it, and names and sizes are understood as container runtimes understand them: a second reading of the same bytes
//! would show the scan other files than those that run.

mod fields;
mod header;
mod pax;
mod reader;
mod sparse;

pub(crate) use header::Kind;
pub(crate) use reader::{Entry, Input, Reader};

use std::io;

/// The bytes of a block.
pub(crate) const BLOCK: usize = 512;
/// The most bytes of a long name or of one extended header, as in other readers.
const MOST_EXTENDED: u64 = 1 << 20;

/// Why an archive cannot be read on.
#[derive(Debug)]
pub(crate) enum TarError {
    /// The bytes end within an entry.
    Truncated {
        /// How many bytes there were.
        position: u64,
    },
    /// A header that is none.
    Header {
        /// Where the header starts, in bytes from the start of the archive.
        position: u64,
        /// What is wrong with it.
        fault: HeaderFault,
    },
    /// The bytes could not be had.
    Input(io::Error),
}

/// What is wrong with a header of a tar archive.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeaderFault {
    /// The sum over its bytes is another one than it says.
    #[error("its checksum is wrong")]
    Checksum,
    /// A field that should be a number is none, or a size below zero.
    #[error("the field `{field}` is not a number that it may be")]
    Number {
        /// The field's name.
        field: &'static str,
    },
    /// A long name or an extended header that is larger than one may be.
    #[error("an extended header of {size} bytes is larger than {limit} bytes")]
    TooLarge {
        /// The size that it declares, in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// A record of an extended header that is not `LENGTH KEY=VALUE`.
    #[error("a record of the extended header is malformed")]
    Record,
    /// The extended header has no entry that it belongs to, or another extended header of its kind does.
    #[error("an extended header is followed by no entry")]
    NoEntry,
    /// A block of zeros, which ends an archive, that something else follows.
    #[error("a block of zeros is followed by something else")]
    AfterEnd,
    /// The map of a sparse file is malformed, or has more parts than one may have.
    #[error("the map of a sparse file is malformed or has more than {limit} parts")]
    SparseMap {
        /// The limit in parts.
        limit: usize,
    },
}
