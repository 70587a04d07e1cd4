//! Who signed a plugin, and whether that is enough.
//!
//! Signatures come as bytes, from wherever ([`SignatureSource`]). A [`Verifier`] says which of them are good and why the
//! others are not ([`Refusal`]); a [`TrustPolicy`] says which signers a reference needs, and [`decide`] whether they
//! signed. A [`PrivateKey`] signs, in the layouts that cosign reads.
//!
//! ```text
//! reference ─► TrustPolicy::rule_for ─► Applicable ──────────────┐
//!                                            │ keys              ▼
//! signatures, artifact, TrustRoot, now ─► Verifier::verify ─► decide ─► Verdict
//! ```
//!
//! This crate reads no file, no clock and no network: bytes and the time come in, a verdict goes out. What it is given may
//! be anybody's. Everything is bounded: [`MOST_SIGNATURES`] signatures, each of at most [`MOST_SIGNATURE_BYTES`] bytes.

mod bundle;
mod certificate;
mod der;
mod envelope;
mod evidence;
mod identity;
mod key;
mod layout;
mod log;
mod pem;
mod policy;
mod refusal;
mod sign;
mod simple_signing;
mod time;
mod timestamp_token;
mod trust_root;
mod verifier;

pub use envelope::Statement;
pub use identity::{
    GITHUB_ACTIONS_ISSUER, Identity, IdentityPattern, SubjectPattern, SubjectRegex, SubjectRegexError,
};
pub use key::{KeyAlgorithm, KeyError, PublicKey};
pub use layout::{
    BUNDLE_MEDIA_TYPE, BUNDLE_MEDIA_TYPE_PREFIX, ENVELOPE_MEDIA_TYPE, SIGN_PREDICATE_TYPE,
    SIMPLE_SIGNING_MEDIA_TYPE, attestation_tag, bundle_annotations, referrers_tag, signature_tag,
};
pub use log::LogEntry;
pub use policy::{
    Applicable, DefaultAction, Denial, Grounds, InVain, LogRule, Missing, Needs, Rule, SignatureRule,
    SignerGroup, SignerPattern, TrustPolicy, Verdict, WantedSigner, decide,
};
pub use refusal::{Fault, LogFault, Refusal};
pub use sign::{PrivateKey, PrivateKeyError, SigningError, SimpleSigned};
pub use time::Timestamp;
pub use trust_root::{MOST_TRUST_ROOT, TrustRoot, TrustRootError};
pub use verifier::{
    Artifact, Checked, MOST_SIGNATURE_BYTES, MOST_SIGNATURES, Purpose, RefusedSignature, SignatureSource,
    Signer, VerifiedSignature, Verifier,
};
