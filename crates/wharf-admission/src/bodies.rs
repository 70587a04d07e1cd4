//! The bodies of reviews, and the memory that all of them may take together.
//!
//! One body is bounded by `admission.bodyLimit`, but any client may open many connections, with many streams each. So what
//! has come of all bodies is counted until their reviews are answered, and where it is too much, the next part of a body
//! ends its review.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use wharf_plugin::ByteSize;

/// What all bodies together may have, where none may be larger than a quarter of it.
const TOGETHER: u64 = 256 << 20;

/// How much memory bodies take.
#[derive(Debug)]
pub(crate) struct Bodies {
    limit: ByteSize,
    together: u64,
    held: AtomicU64,
}

/// The memory of one body, which is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    bodies: Arc<Bodies>,
    bytes: u64,
}

/// Why a body was not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    /// It is larger than any may be.
    #[error("the review has more than {0}, which is `admission.bodyLimit`")]
    TooLarge(ByteSize),
    /// There is no memory for it now.
    #[error(
        "the reviews that are under way have {0} together, and no more are taken in: try again in a second"
    )]
    TooMany(ByteSize),
    /// The connection broke off.
    #[error("the review's body broke off: {0}")]
    Broken(#[source] hyper::Error),
}

impl Bodies {
    /// Bodies of at most `limit` each.
    pub(crate) fn new(limit: ByteSize) -> Arc<Self> {
        Self::with_total(limit, TOGETHER.max(limit.bytes().saturating_mul(4)))
    }

    fn with_total(limit: ByteSize, together: u64) -> Arc<Self> {
        Arc::new(Self {
            limit,
            together,
            held: AtomicU64::new(0),
        })
    }

    /// Reads a body to its end. One part is taken as it came, several are put together.
    pub(crate) async fn read(self: &Arc<Self>, mut body: Incoming) -> Result<(Bytes, Held), BodyError> {
        if body.size_hint().lower() > self.limit.bytes() {
            return Err(BodyError::TooLarge(self.limit));
        }
        let mut held = self.none();
        let mut first = Bytes::new();
        let mut text = Vec::new();
        while let Some(frame) = body.frame().await {
            let Ok(part) = frame.map_err(BodyError::Broken)?.into_data() else {
                continue;
            };
            held.grow(part.len() as u64)?;
            if text.is_empty() && first.is_empty() {
                first = part;
                continue;
            }
            text.extend_from_slice(&std::mem::take(&mut first));
            text.extend_from_slice(&part);
        }
        let bytes = if text.is_empty() { first } else { text.into() };
        Ok((bytes, held))
    }

    fn none(self: &Arc<Self>) -> Held {
        Held {
            bodies: Arc::clone(self),
            bytes: 0,
        }
    }
}

impl Held {
    fn grow(&mut self, more: u64) -> Result<(), BodyError> {
        let Bodies {
            limit,
            together,
            held,
        } = &*self.bodies;
        if self.bytes + more > limit.bytes() {
            return Err(BodyError::TooLarge(*limit));
        }
        let taken = held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| {
            let held = held.checked_add(more)?;
            (held <= *together).then_some(held)
        });
        if taken.is_err() {
            return Err(BodyError::TooMany(ByteSize::from_bytes(*together)));
        }
        self.bytes += more;
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.bodies.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_take_no_more_than_they_may_together() {
        let bodies = Bodies::with_total(ByteSize::from_bytes(10), 15);
        let mut first = bodies.none();
        first.grow(4).unwrap();
        first.grow(6).unwrap();
        assert!(matches!(first.grow(1), Err(BodyError::TooLarge(_))));
        let mut second = bodies.none();
        second.grow(5).unwrap();
        assert!(matches!(second.grow(1), Err(BodyError::TooMany(_))));
        drop(first);
        second.grow(5).unwrap();
        drop(second);
        assert_eq!(bodies.held.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_few_bodies_of_the_largest_size_fit_together() {
        let bodies = Bodies::new(ByteSize::from_mib(100));
        let mut all: Vec<Held> = (0..4).map(|_| bodies.none()).collect();
        for held in &mut all {
            held.grow(100 << 20).unwrap();
        }
    }
}
