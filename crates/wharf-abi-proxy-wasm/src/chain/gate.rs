//! What waits at one filter in one direction.

use crate::body::Body;

/// Why a gate is closed, or that it is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Hold {
    /// Nothing waits; what comes is shown to the filter.
    #[default]
    Open,
    /// The filter paused on headers: nothing that comes after is shown to it.
    All,
    /// The filter paused on headers and wants to see the body meanwhile.
    Headers,
    /// The filter paused on a body and collects it.
    Body,
    /// The filter paused on a body; past the limit no more is read.
    Watermark,
    /// The filter paused on trailers.
    Trailers,
}

#[derive(Default)]
pub(super) struct Gate {
    pub(super) hold: Hold,
    /// Whether headers wait here.
    pub(super) headers_wait: bool,
    /// What came after headers on which everything stopped.
    pub(super) unseen: Body,
    /// How many bytes wait here, shown or not.
    pub(super) held: usize,
    /// Whether the end has come here.
    pub(super) ended: bool,
    /// Whether trailers have come here that the filter has not seen.
    pub(super) trailers_unseen: bool,
    /// Whether trailers have come here that the filter has seen.
    pub(super) trailers_seen: bool,
    /// Whether the end came with the headers.
    ended_with_headers: bool,
}

impl Gate {
    /// Closes the gate.
    pub(super) fn close(&mut self, hold: Hold) {
        if matches!(hold, Hold::All | Hold::Headers) {
            self.ended_with_headers = self.ended;
        }
        self.hold = hold;
    }

    /// Whether the end came with the headers that waited here, so that nothing follows them.
    pub(super) fn ended_with_headers(&self) -> bool {
        self.headers_wait && self.ended_with_headers
    }

    /// Whether reading waits when too much is held, instead of the exchange being refused.
    pub(super) fn stops_reading(&self) -> bool {
        matches!(self.hold, Hold::All | Hold::Watermark)
    }
}
