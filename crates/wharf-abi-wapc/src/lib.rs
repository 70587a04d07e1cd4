//! waPC guests and admission policies, with no sockets and no clock.
//!
//! [`wapc`] is the call protocol by itself, for any guest that speaks it. [`opa`] runs policies that OPA compiled from Rego.
//! [`kubewarden`] is the policy protocol on top: what a policy is asked, what it answers, and what it may ask of its host,
//! in whichever of the four modes a policy runs.

pub mod kubewarden;
pub mod opa;
pub mod wapc;
