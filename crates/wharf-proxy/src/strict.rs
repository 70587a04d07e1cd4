//! A reader that lets only unambiguous HTTP/1 through to hyper.
//!
//! Two servers in a row that disagree about where a request ends can be made to see different requests: request
//! smuggling. hyper, as most parsers, accepts some bytes that another parser reads differently. So every byte of a
//! client is checked here first, and the first one that is out of order ends the connection:
//!
//! - In a head, the client gets a 4xx or 5xx with the reason. Requests that came before are answered first, in
//!   order: the refused head is replaced by a harmless one, and the service, which counts requests as this reader
//!   counts heads, answers that one with the refusal.
//! - In a body, reading fails; the exchange that the body belongs to gives up, with a 400 when nothing of its
//!   response was sent.
//!
//! Heads are handed on only when they are complete and found good, bodies as they come. In the common case, where
//! a head arrives in one piece, nothing is copied and nothing allocated.

mod chunked;
mod head;
mod parser;
mod refusal;
mod stream;
mod wire;

pub use self::parser::{HeadLimits, Parser, Scan};
pub use self::refusal::Refusal;
pub(crate) use self::stream::{StrictStream, Timeouts};
pub(crate) use self::wire::Wire;
