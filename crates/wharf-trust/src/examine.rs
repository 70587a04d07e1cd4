//! Which of the signatures beside a plugin are good, and why the others are not.

use std::fmt;
use std::future::poll_fn;
use std::task::Poll;

use wharf_distribution::Subject;
use wharf_distribution::registry::RegistryError;
use wharf_signature::{
    Artifact, PublicKey, Purpose, Refusal, Timestamp, TrustRoot, VerifiedSignature, Verifier,
};

use crate::find::{Found, Place, Unreadable, find};

/// What became of all that was found.
#[derive(Debug, Default)]
pub struct Examination {
    /// The good ones, each with where it lies.
    pub good: Vec<(Place, VerifiedSignature)>,
    /// The others.
    pub bad: Vec<BadSignature>,
    /// Why there may be more.
    pub missed: Option<RegistryError>,
}

/// A signature that does not count.
#[derive(Debug)]
pub struct BadSignature {
    /// Where it lies.
    pub place: Place,
    /// Why it does not count.
    pub why: WhyBad,
}

/// Why a signature does not count.
#[derive(Debug, thiserror::Error)]
pub enum WhyBad {
    /// It is not good.
    #[error(transparent)]
    Refused(Refusal),
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(Unreadable),
}

impl WhyBad {
    /// What to do, as a sentence without its full stop.
    pub fn hint(&self) -> &str {
        match self {
            Self::Refused(refusal) => refusal.hint(),
            Self::Unreadable(error) => error.hint(),
        }
    }
}

impl fmt::Display for BadSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.why)
    }
}

/// Finds what lies beside a plugin and checks it with these keys and this root of trust.
///
/// Of a subject whose bytes are not known, nothing is good: there is nothing to hold signatures against.
pub async fn examine(
    subject: &Subject<'_>,
    purpose: Purpose<'_>,
    keys: &[PublicKey],
    root: Option<&TrustRoot>,
    now: Timestamp,
) -> Examination {
    let found = find(subject, purpose).await;
    check(subject, purpose, found, keys, root, now).await
}

async fn check(
    subject: &Subject<'_>,
    purpose: Purpose<'_>,
    found: Found,
    keys: &[PublicKey],
    root: Option<&TrustRoot>,
    now: Timestamp,
) -> Examination {
    let unreadable = found.unreadable.into_iter().map(|(place, error)| BadSignature {
        place,
        why: WhyBad::Unreadable(error),
    });
    let mut examination = Examination {
        good: Vec::new(),
        bad: unreadable.collect(),
        missed: found.missed,
    };
    let Some(artifact) = subject
        .bytes
        .and_then(|bytes| Artifact::new(subject.digest, bytes))
    else {
        return examination;
    };
    let verifier = Verifier::new(root, now);
    for signature in &found.signatures {
        let_others_run().await;
        let checked = verifier.verify(artifact, purpose, &[signature.source()], keys);
        let place = || signature.place.clone();
        let good = checked.verified.into_iter().map(|good| (place(), good));
        examination.good.extend(good);
        let bad = checked.refused.into_iter().map(|refused| BadSignature {
            place: place(),
            why: WhyBad::Refused(refused.refusal),
        });
        examination.bad.extend(bad);
    }
    examination
}

/// Checking is work, and as many signatures as somebody likes lie in a registry: the thread's other tasks go on between two of
/// them, and whoever waits can give up.
async fn let_others_run() {
    let mut has_waited = false;
    poll_fn(|context| {
        if std::mem::replace(&mut has_waited, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl Examination {
    /// The good ones, for who decides.
    pub fn verified(&self) -> Vec<VerifiedSignature> {
        self.good.iter().map(|(_, signature)| signature.clone()).collect()
    }
}
