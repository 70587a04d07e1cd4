//! What comes out of a chain.

use bytes::Bytes;

use super::Chain;
use crate::body::Body;
use crate::context::Direction;

/// What is to be sent, in order for each direction.
#[derive(Debug)]
pub enum Output {
    /// The headers in the exchange, as the filters left them.
    Headers {
        /// To the upstream or to the client.
        direction: Direction,
        /// Whether nothing follows.
        end_of_stream: bool,
    },
    /// A piece of the body.
    Data {
        /// To the upstream or to the client.
        direction: Direction,
        /// The bytes; may be none at the end.
        body: Body,
        /// Whether nothing follows.
        end_of_stream: bool,
    },
    /// The trailers in the exchange; nothing follows.
    Trailers {
        /// To the upstream or to the client.
        direction: Direction,
    },
    /// A filter has answered: the upstream is of no more use, and no more of the request is wanted. The answer follows
    /// as response headers and body.
    Answered {
        /// Why, for the access log.
        details: String,
    },
    /// The exchange cannot go on: both connections are to be broken off.
    Reset(ResetReason),
}

impl Output {
    pub(super) fn is_response(&self) -> bool {
        match self {
            Self::Headers { direction, .. } | Self::Data { direction, .. } | Self::Trailers { direction } => {
                *direction == Direction::Response
            }
            Self::Answered { .. } | Self::Reset(_) => false,
        }
    }
}

/// Why an exchange is broken off.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResetReason {
    /// A filter closed the stream.
    ClosedByFilter,
    /// A filter faulted after the response's headers had left.
    FilterFault,
    /// A filter holds more of the request than it may, and the response's headers have left.
    RequestTooLarge,
    /// A filter holds more of the response than it may, and the headers have left.
    ResponseTooLarge,
    /// A filter wanted to answer after the response's headers had left.
    AnsweredTooLate,
}

impl Chain {
    /// What is to be sent next. Response headers count as sent once they are taken: a filter's answer that comes before
    /// replaces them, one that comes after can only break the exchange off. So whoever wants to leave filters the choice
    /// takes outputs when nothing else is left to do.
    pub fn next_output(&mut self) -> Option<Output> {
        let output = self.outputs.pop_front()?;
        if let Output::Headers {
            direction: Direction::Response,
            ..
        } = output
        {
            self.response_sent = true;
        }
        Some(output)
    }

    /// How many bytes of bodies wait to be taken with [`Chain::next_output`].
    pub fn queued_bytes(&self) -> usize {
        let bytes = |output: &Output| match output {
            Output::Data { body, .. } => body.len(),
            _ => 0,
        };
        self.outputs.iter().map(bytes).sum()
    }

    /// How many bytes the whole body has that follows the headers that came out last, where all of it waits to be taken
    /// with [`Chain::next_output`] and no trailers follow it.
    pub fn whole_body_waits(&self, of: Direction) -> Option<u64> {
        let mut bytes = 0;
        for output in &self.outputs {
            match output {
                Output::Data {
                    direction,
                    body,
                    end_of_stream,
                } if *direction == of => {
                    bytes += body.len() as u64;
                    if *end_of_stream {
                        return Some(bytes);
                    }
                }
                Output::Trailers { direction } if *direction == of => return None,
                _ => {}
            }
        }
        None
    }

    /// Takes the whole body that waits behind the headers that came out last, where [`Chain::whole_body_waits`] says so
    /// and it is in one part. Then nothing more comes out in this direction.
    pub fn take_whole_body(&mut self, of: Direction) -> Option<Bytes> {
        let is_body = |output: &Output| matches!(output, Output::Data { direction, .. } if *direction == of);
        let index = self.outputs.iter().position(is_body)?;
        let Output::Data {
            body,
            end_of_stream: true,
            ..
        } = &mut self.outputs[index]
        else {
            return None;
        };
        match std::mem::take(body).into_single() {
            Ok(bytes) => {
                self.outputs.remove(index);
                Some(bytes)
            }
            Err(parts) => {
                *body = parts;
                None
            }
        }
    }

    pub(super) fn put_out(&mut self, output: Output) {
        let ended = match output {
            Output::Headers {
                direction,
                end_of_stream,
            } => end_of_stream.then_some(direction),
            Output::Data {
                direction,
                end_of_stream,
                ..
            } => end_of_stream.then_some(direction),
            Output::Trailers { direction } => Some(direction),
            Output::Answered { .. } | Output::Reset(_) => None,
        };
        match ended {
            Some(Direction::Request) => self.request_ended = true,
            Some(Direction::Response) => self.response_ended = true,
            None => {}
        }
        self.outputs.push_back(output);
    }
}
