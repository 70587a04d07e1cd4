//! What comes out of a chain, checked as it comes: it is an HTTP exchange whatever the filters do.

use wharf_abi_proxy_wasm::{Body, Chain, Direction, HeaderList, Output};

/// What has gone out in one direction.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    pub(crate) headers: bool,
    pub(crate) ended: bool,
    pub(crate) body: Vec<u8>,
}

/// All that has gone out.
#[derive(Debug, Default)]
pub(crate) struct Checker {
    pub(crate) request: Sent,
    pub(crate) response: Sent,
    pub(crate) answered: bool,
    pub(crate) reset: bool,
}

impl Checker {
    /// Takes everything that is to be sent.
    pub(crate) fn drain(&mut self, chain: &mut Chain) {
        while let Some(output) = chain.next_output() {
            check_lists(chain, &output);
            self.take(output);
        }
        assert_eq!(chain.queued_bytes(), 0);
    }

    /// Whether nothing more can come out.
    pub(crate) fn is_over(&self) -> bool {
        self.reset || (self.response.ended && (self.request.ended || self.answered))
    }

    fn take(&mut self, output: Output) {
        assert!(!self.reset, "{output:?} after a reset");
        let direction = match &output {
            Output::Headers { direction, .. }
            | Output::Data { direction, .. }
            | Output::Trailers { direction } => *direction,
            Output::Answered { .. } => {
                assert!(!self.response.headers, "an answer after the response has left");
                self.answered = true;
                return;
            }
            Output::Reset(_) => {
                assert!(!self.is_over(), "a reset of an exchange that is over");
                self.reset = true;
                return;
            }
        };
        assert!(
            !(self.answered && direction == Direction::Request),
            "{output:?} after an answer"
        );
        self.sent(direction).take(output);
    }

    fn sent(&mut self, direction: Direction) -> &mut Sent {
        match direction {
            Direction::Request => &mut self.request,
            Direction::Response => &mut self.response,
        }
    }
}

impl Sent {
    fn take(&mut self, output: Output) {
        assert!(!self.ended, "{output:?} after the end");
        match output {
            Output::Headers { end_of_stream, .. } => {
                assert!(!self.headers, "headers twice");
                (self.headers, self.ended) = (true, end_of_stream);
            }
            Output::Data {
                body, end_of_stream, ..
            } => {
                assert!(self.headers, "a body before its headers");
                assert!(end_of_stream || !body.is_empty(), "no bytes and no end");
                self.body.extend(contents(body));
                self.ended = end_of_stream;
            }
            Output::Trailers { .. } => {
                assert!(self.headers, "trailers before headers");
                self.ended = true;
            }
            Output::Answered { .. } | Output::Reset(_) => {}
        }
    }
}

/// What is announced is there, and counts right.
fn check_lists(chain: &Chain, output: &Output) {
    let exchange = chain.exchange().borrow();
    let list = match output {
        Output::Headers {
            direction: Direction::Request,
            ..
        } => &exchange.request_headers,
        Output::Headers {
            direction: Direction::Response,
            ..
        } => &exchange.response_headers,
        Output::Trailers {
            direction: Direction::Request,
        } => &exchange.request_trailers,
        Output::Trailers {
            direction: Direction::Response,
        } => &exchange.response_trailers,
        _ => return,
    };
    let list = list
        .as_ref()
        .unwrap_or_else(|| panic!("{output:?} and no list of them"));
    let bytes = |list: &HeaderList| {
        list.iter()
            .map(|(name, value)| name.as_str().len() + value.len())
            .sum::<usize>()
    };
    assert_eq!(list.byte_size(), bytes(list));
}

fn contents(mut body: Body) -> Vec<u8> {
    let length = body.len();
    let mut all = Vec::with_capacity(length);
    while let Some(part) = body.pop() {
        all.extend_from_slice(&part);
    }
    assert_eq!(all.len(), length, "a body has as many bytes as it says");
    all
}
