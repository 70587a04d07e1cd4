//! What a plugin is before anything runs it.
//!
//! A deployer names a plugin ([`PluginName`]), says where its bytes are ([`Reference`]) and what it may cost
//! ([`Limits`]); together that is a [`PluginSpec`]. The bytes, once they may be used, are a [`VerifiedArtifact`]
//! with a [`Digest`]; [`identify`] tells which ABIs they speak.
//!
//! This crate is pure: it reads no file, no clock and no network, and it runs no guest.

mod abi;
mod artifact;
mod digest;
mod hashed;
mod image;
mod limits;
mod name;
mod pattern;
mod pull_policy;
mod reference;
mod sections;
mod spec;
mod surface;
pub mod units;

pub use abi::{Abi, IdentifiedModule, IdentifyError, Lookalike, ProxyWasmVersion, identify};
pub use artifact::{Verification, VerifiedArtifact};
pub use digest::{Digest, DigestError};
pub use hashed::HashedBytes;
pub use image::{
    ContentDigest, ImageReference, ImageReferenceError, ManifestName, RegistryHost, RegistryHostError,
};
pub use limits::{Limits, OnFault};
pub use name::{NameError, PluginName};
pub use pattern::{PlainReference, ReferencePattern, ReferencePatternError, UnclearReference};
pub use pull_policy::PullPolicy;
pub use reference::{Reference, ReferenceError};
pub use sections::{Bounds, ModuleSections, Producer, Section};
pub use spec::PluginSpec;
pub use surface::{Export, ExternKind, Import, MalformedModule, ModuleSurface};
pub use units::ByteSize;
