//! Following a client's bytes from request to request.

use super::Refusal;
use super::chunked::ChunkedCheck;
use super::head::{Framing, HeadCheck};

/// How large a request's head, and separately its trailers, may be.
#[derive(Clone, Copy, Debug)]
pub struct HeadLimits {
    /// Bytes from the request line to the empty line.
    pub bytes: usize,
    /// Header lines.
    pub headers: usize,
}

/// Checks what a client sends, in pieces of any size.
#[derive(Debug)]
pub struct Parser {
    limits: HeadLimits,
    state: State,
    heads: u64,
}

#[derive(Debug)]
enum State {
    Head(HeadCheck),
    Body { left: u64 },
    Chunked(ChunkedCheck),
}

/// What was found in one piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scan {
    /// So many bytes are good. What is behind them is the beginning of a head: it must be given again, together
    /// with what follows it.
    pub accepted: usize,
    /// The byte behind those, or the head that begins there, is refused. Nothing more can be scanned.
    pub refusal: Option<Refusal>,
}

impl Parser {
    /// A parser at the beginning of a connection.
    pub fn new(limits: HeadLimits) -> Parser {
        Parser {
            limits,
            state: State::Head(HeadCheck::default()),
            heads: 0,
        }
    }

    /// How many heads were complete and good.
    pub fn heads(&self) -> u64 {
        self.heads
    }

    /// Whether the next byte belongs to a body.
    pub fn is_in_body(&self) -> bool {
        !matches!(self.state, State::Head(_))
    }

    /// Checks a piece.
    pub fn scan(&mut self, piece: &[u8]) -> Scan {
        let mut at = 0;
        while at < piece.len() {
            match self.advance(&piece[at..]) {
                Ok(0) => break,
                Ok(used) => at += used,
                Err((used, refusal)) => {
                    return Scan {
                        accepted: at + used,
                        refusal: Some(refusal),
                    };
                }
            }
        }
        Scan {
            accepted: at,
            refusal: None,
        }
    }

    /// Checks up to the next border between a head and a body. Zero when the head is not complete.
    fn advance(&mut self, rest: &[u8]) -> Result<usize, (usize, Refusal)> {
        match &mut self.state {
            State::Head(check) => {
                let complete = check
                    .advance(rest, &self.limits)
                    .map_err(|refusal| (0, refusal))?;
                let Some((length, framing)) = complete else {
                    return Ok(0);
                };
                self.heads += 1;
                self.state = match framing {
                    Framing::Length(0) => State::Head(HeadCheck::default()),
                    Framing::Length(left) => State::Body { left },
                    Framing::Chunked => State::Chunked(ChunkedCheck::default()),
                };
                Ok(length)
            }
            State::Body { left } => {
                let used = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                *left -= used as u64;
                if *left == 0 {
                    self.state = State::Head(HeadCheck::default());
                }
                Ok(used)
            }
            State::Chunked(check) => {
                let (used, checked) = check.advance(rest, &self.limits);
                checked.map_err(|refusal| (used, refusal))?;
                if check.is_at_end() {
                    self.state = State::Head(HeadCheck::default());
                }
                Ok(used)
            }
        }
    }
}

#[cfg(test)]
mod tests;
