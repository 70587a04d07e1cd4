//! Whether a plugin may run: its signatures, found where they lie and held against the deployer's policy.
//!
//! ```text
//! wharf-distribution                      here                                wharf-signature
//!   Fetcher ──── Verifier::verify ──────► TrustVerifier ─── rule_for ───────► TrustPolicy
//!   Attachments ◄─ tag, referrers, blob ─ find.rs
//!                                         examine.rs ────── Verifier::verify ► good, or Refusal
//!   Verified, Refused ◄────────────────── verifier.rs ────── decide ─────────► Verdict
//! ```
//!
//! What signs puts its signatures where all find them with `attach.rs`.
//!
//! This is where the two meet that know nothing of each other: who fetches bytes, and who understands signatures. The clock is
//! read here.

mod attach;
mod examine;
mod find;
mod image;
mod verifier;

pub use attach::{attach_bundle, attach_simple};
pub use examine::{BadSignature, Examination, WhyBad, examine};
pub use find::{Found, FoundSignature, Place, Unreadable, bundle_beside, find};
pub use image::{ImageError, check_image};
pub use verifier::{RootOfTrust, TrustVerifier};

use std::time::{SystemTime, UNIX_EPOCH};

use wharf_signature::Timestamp;

/// What the clock of this machine says.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Timestamp::from_unix_seconds(since.map_or(0, |since| since.as_secs()))
}
