//! The functions of a module, in the signatures that real modules have.

use std::time::Duration;
use wharf_engine::{Fault, FaultKind, GuestFunction, Instance};
use wharf_plugin::ByteSize;

use crate::error::LoadError;
use crate::state::State;

/// What is called in each instance.
#[derive(Clone)]
pub(crate) struct Exports {
    pub(crate) malloc: GuestFunction<u32, u32>,
    pub(crate) free: Free,
    pub(crate) analyze: GuestFunction<(u32, u32), u64>,
    pub(crate) post_scan: GuestFunction<(u32, u32), u64>,
}

/// The function that gives memory back.
#[derive(Clone)]
pub(crate) enum Free {
    /// The C library's.
    Pointer(GuestFunction<u32, ()>),
    /// That of Trivy's SDK.
    PointerAndSize(GuestFunction<(u32, u32), ()>),
}

/// A function without parameters that gives a number of either size.
pub(crate) enum Number {
    Small(GuestFunction<(), u32>),
    Large(GuestFunction<(), u64>),
}

impl Exports {
    pub(crate) fn of(instance: &mut Instance<State>) -> Result<Self, LoadError> {
        Ok(Self {
            malloc: needed(instance, "malloc")?,
            free: Free::of(instance)?,
            analyze: needed(instance, "analyze")?,
            post_scan: needed(instance, "post_scan")?,
        })
    }
}

impl Free {
    fn of(instance: &mut Instance<State>) -> Result<Self, LoadError> {
        const NAME: &str = "free";
        if let Ok(Some(function)) = instance.function(NAME) {
            return Ok(Self::PointerAndSize(function));
        }
        needed(instance, NAME).map(Self::Pointer)
    }
}

impl Number {
    pub(crate) fn of(instance: &mut Instance<State>, name: &'static str) -> Result<Self, LoadError> {
        if let Ok(Some(function)) = instance.function(name) {
            return Ok(Self::Large(function));
        }
        needed(instance, name).map(Self::Small)
    }

    pub(crate) fn call(&self, instance: &mut Instance<State>, deadline: Duration) -> Result<u64, Fault> {
        match self {
            Self::Small(function) => instance.call(function, (), deadline).map(u64::from),
            Self::Large(function) => instance.call(function, (), deadline),
        }
    }
}

/// A function that has to be there.
pub(crate) fn needed<P, R>(
    instance: &mut Instance<State>,
    name: &'static str,
) -> Result<GuestFunction<P, R>, LoadError>
where
    P: wharf_engine::WasmParams,
    R: wharf_engine::WasmResults,
{
    match instance.function(name) {
        Ok(Some(function)) => Ok(function),
        Ok(None) => Err(LoadError::MissingExport(name)),
        Err(fault) => match fault.kind() {
            FaultKind::WrongSignature { reason, .. } => Err(LoadError::WrongSignature {
                name,
                reason: reason.clone(),
            }),
            _ => Err(LoadError::Fault { fault, message: None }),
        },
    }
}

/// A pointer and a size in one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) pointer: u32,
    pub(crate) size: u32,
}

impl Range {
    pub(crate) fn of(number: u64) -> Self {
        Self {
            pointer: (number >> 32) as u32,
            size: number as u32,
        }
    }

    pub(crate) fn byte_size(self) -> ByteSize {
        ByteSize::from_bytes(u64::from(self.size))
    }
}
