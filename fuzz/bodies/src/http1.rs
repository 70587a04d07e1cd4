//! The strict reader, beside two other readers of HTTP/1.
//!
//! What it lets through must mean one thing: `httparse` reads the same heads, and hyper, which gets the bytes next, reads
//! the same requests with the same bodies.

mod peer;
mod plain;

use wharf_proxy::strict::{HeadLimits, Parser, Refusal};

use self::peer::requests_of_hyper;
use self::plain::{Plain, requests};

/// Smaller than in a proxy, so that inputs can reach them.
pub(crate) const LIMITS: HeadLimits = HeadLimits {
    bytes: 2048,
    headers: 40,
};

/// What a whole conversation comes to.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    accepted: Vec<u8>,
    heads: u64,
    refusal: Option<Refusal>,
    in_body: bool,
}

/// Reads the bytes as what a client sends, whole and in pieces. The outcome does not depend on the pieces, and what was
/// accepted means the same to the other readers.
pub fn http1(bytes: &[u8]) {
    let whole = outcome_of([bytes]);
    for size in [1, 7, bytes.len() / 2 + 1] {
        assert_eq!(outcome_of(bytes.chunks(size)), whole, "in pieces of {size}");
    }
    assert!(bytes.starts_with(&whole.accepted));
    let requests = requests(&whole.accepted);
    assert_eq!(requests.len() as u64, whole.heads, "another number of requests");
    let cut = requests.last().is_some_and(|request| !request.complete);
    assert_eq!(cut, whole.in_body, "another end of the body");
    compare_with_hyper(&whole.accepted, &requests);
}

/// Gives the pieces one after the other, as the stream does: what was not accepted is given again.
fn outcome_of<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut parser = Parser::new(LIMITS);
    let (mut held, mut accepted, mut refusal) = (Vec::new(), Vec::new(), None);
    for piece in pieces {
        held.extend_from_slice(piece);
        let scan = parser.scan(&held);
        assert!(scan.accepted <= held.len());
        accepted.extend(held.drain(..scan.accepted));
        refusal = scan.refusal;
        if refusal.is_some() {
            break;
        }
        assert!(
            held.len() < LIMITS.bytes,
            "a head that is not complete is held without bound"
        );
    }
    Outcome {
        accepted,
        heads: parser.heads(),
        refusal,
        in_body: parser.is_in_body(),
    }
}

fn compare_with_hyper(accepted: &[u8], requests: &[Plain]) {
    let (seen, error) = requests_of_hyper(accepted);
    assert!(seen.len() <= requests.len(), "hyper sees more: {seen:?}");
    for (hyper, plain) in seen.iter().zip(requests) {
        assert_eq!(hyper.method, plain.method);
        assert!(
            plain.is_target_of(&hyper.target),
            "hyper reads {} for {}",
            hyper.target,
            plain.target
        );
        assert_eq!(hyper.headers, plain.headers);
        if plain.complete {
            assert_eq!(hyper.body.as_ref(), Some(&plain.body), "another body");
            assert_eq!(hyper.trailers, plain.trailers, "other trailers");
        } else {
            assert_eq!(hyper.body, None, "hyper takes half a body for a whole one");
        }
    }
    let last = seen.last().and_then(|_| requests.get(seen.len() - 1));
    if seen.len() < requests.len() {
        let why = last.is_some_and(Plain::closes);
        assert!(
            why,
            "hyper stops after {} of {}: {error:?}",
            seen.len(),
            requests.len()
        );
    } else if last.is_none_or(|last| last.complete) {
        assert!(error.is_none(), "hyper refuses what was accepted: {error:?}");
    }
}
