//! One exchange through a chain: what comes from both sides, in the order that HTTP allows.

use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use wharf_abi_proxy_wasm::{Chain, ChainLimits, Direction, Exchange, Filter, HeaderList, UnavailableFilter};

use crate::checker::Checker;
use crate::world::Properties;

/// How far the input of one direction has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Before,
    Body,
    Ended,
}

/// An exchange under way.
pub(crate) struct Drive {
    pub(crate) chain: Chain,
    pub(crate) checker: Checker,
    /// The body that has come in, by direction.
    pub(crate) came: [Vec<u8>; 2],
    phases: [Phase; 2],
    /// Outputs are taken only when they are asked for.
    lazy: bool,
    next_byte: u8,
}

impl Drive {
    pub(crate) fn new(
        filters: Vec<Result<Filter, UnavailableFilter>>,
        limits: ChainLimits,
        lazy: bool,
    ) -> Self {
        let exchange = Rc::new(RefCell::new(Exchange::new(Box::new(Properties))));
        Self {
            chain: Chain::new(filters, exchange, limits),
            checker: Checker::default(),
            came: [Vec::new(), Vec::new()],
            phases: [Phase::Before; 2],
            lazy,
            next_byte: 0,
        }
    }

    /// Headers, where they have not come; those of a response come after those of the request.
    pub(crate) fn headers(&mut self, direction: Direction, end: bool, is_grpc: bool) {
        let request_began = self.phase(Direction::Request) != Phase::Before;
        if self.phase(direction) != Phase::Before || (direction == Direction::Response && !request_began) {
            return;
        }
        let list: HeaderList = match (direction, is_grpc) {
            (Direction::Request, true) => list(&[
                (":method", "POST"),
                (":path", "/s/m"),
                ("content-type", "application/grpc"),
            ]),
            (Direction::Request, false) => list(&[
                (":method", "POST"),
                (":path", "/?q"),
                (":authority", "up"),
                ("a", "1"),
            ]),
            (Direction::Response, _) => list(&[(":status", "200"), ("a", "1"), ("a", "2")]),
        };
        self.chain.headers(direction, list, end);
        self.set_phase(direction, if end { Phase::Ended } else { Phase::Body });
        self.drain_unless_lazy();
    }

    /// A piece of a body, where one may come.
    pub(crate) fn data(&mut self, direction: Direction, length: usize, end: bool) {
        if self.phase(direction) != Phase::Body {
            return;
        }
        // Each byte of an exchange is another one, so that order is seen.
        let piece: Vec<u8> = (0..length)
            .map(|_| {
                self.next_byte = self.next_byte.wrapping_add(1);
                self.next_byte
            })
            .collect();
        self.came[direction as usize].extend_from_slice(&piece);
        self.chain.data(direction, Bytes::from(piece), end);
        if end {
            self.set_phase(direction, Phase::Ended);
        }
        self.drain_unless_lazy();
    }

    /// Trailers, where they may come.
    pub(crate) fn trailers(&mut self, direction: Direction) {
        if self.phase(direction) != Phase::Body {
            return;
        }
        self.chain
            .trailers(direction, list(&[("t", "1"), ("grpc-status", "0")]));
        self.set_phase(direction, Phase::Ended);
        self.drain_unless_lazy();
    }

    /// Whatever has not come to its end does so.
    pub(crate) fn end_inputs(&mut self) {
        for direction in [Direction::Request, Direction::Response] {
            self.headers(direction, false, false);
            self.data(direction, 0, true);
        }
    }

    pub(crate) fn poll(&mut self) {
        self.chain.poll();
        self.drain_unless_lazy();
    }

    pub(crate) fn drain(&mut self) {
        self.checker.drain(&mut self.chain);
    }

    pub(crate) fn finish(&mut self) {
        self.drain();
        self.chain.finish();
        assert!(self.chain.next_output().is_none(), "nothing comes after the end");
        self.chain.finish();
    }

    fn drain_unless_lazy(&mut self) {
        if self.lazy {
            // Whoever sends asks these while something waits.
            let _ = self.chain.whole_body_waits(Direction::Request);
            let _ = self.chain.whole_body_waits(Direction::Response);
            let _ = self.chain.wants_data(Direction::Request);
        } else {
            self.drain();
        }
    }

    fn phase(&self, direction: Direction) -> Phase {
        self.phases[direction as usize]
    }

    fn set_phase(&mut self, direction: Direction, phase: Phase) {
        self.phases[direction as usize] = phase;
    }
}

pub(crate) fn list(headers: &[(&'static str, &'static str)]) -> HeaderList {
    headers.iter().copied().collect()
}
