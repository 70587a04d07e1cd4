//! What a connection's reader and the service on the other side of hyper know of each other.

use std::cell::Cell;

use tokio::time::Instant;

use super::Refusal;

/// Shared between the reader of one connection and its service.
#[derive(Debug)]
pub(crate) struct Wire {
    /// Requests that the service got.
    requests: Cell<u64>,
    refused: Cell<Option<Refused>>,
    in_flight: Cell<bool>,
    idle_since: Cell<Instant>,
    client_is_gone: Cell<bool>,
}

/// A request that is refused, and why. Nothing that comes behind it is read.
#[derive(Clone, Copy, Debug)]
struct Refused {
    /// Counted from 1.
    request: u64,
    part: Part,
    refusal: Refusal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Head,
    Body,
}

impl Wire {
    pub(crate) fn new() -> Wire {
        Wire {
            requests: Cell::new(0),
            refused: Cell::new(None),
            in_flight: Cell::new(false),
            idle_since: Cell::new(Instant::now()),
            client_is_gone: Cell::new(false),
        }
    }

    /// The service got a request. Gives the refusal when the request only stands for one.
    pub(crate) fn request_begins(&self) -> Option<Refusal> {
        let number = self.requests.get() + 1;
        self.requests.set(number);
        self.in_flight.set(true);
        self.refusal_of(number, Part::Head)
    }

    /// The response was handed to hyper as a whole, or given up.
    pub(crate) fn request_ends(&self) {
        self.in_flight.set(false);
        self.idle_since.set(Instant::now());
    }

    /// Why the body of the request that is being served was refused.
    pub(crate) fn body_refusal(&self) -> Option<Refusal> {
        self.refusal_of(self.requests.get(), Part::Body)
    }

    fn refusal_of(&self, request: u64, part: Part) -> Option<Refusal> {
        let meant = |refused: &Refused| refused.request == request && refused.part == part;
        self.refused.get().filter(meant).map(|refused| refused.refusal)
    }

    /// Whether the client closed its side.
    pub(crate) fn client_is_gone(&self) -> bool {
        self.client_is_gone.get()
    }

    pub(super) fn refuse(&self, request: u64, part: Part, refusal: Refusal) {
        self.refused.set(Some(Refused {
            request,
            part,
            refusal,
        }));
    }

    pub(super) fn client_left(&self) {
        self.client_is_gone.set(true);
    }

    pub(super) fn is_in_flight(&self) -> bool {
        self.in_flight.get()
    }

    pub(super) fn idle_since(&self) -> Instant {
        self.idle_since.get()
    }
}
