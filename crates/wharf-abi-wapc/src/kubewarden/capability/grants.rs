//! What a policy may ask its host.

use std::collections::BTreeSet;
use std::fmt;

use super::super::metadata::ContextAwareResource;
use super::OPERATIONS;

/// What the deployer lets a policy ask. By default nothing.
///
/// Kubernetes objects need both: the operation among the capabilities, and the kind among the resources.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grants {
    /// The kinds of Kubernetes objects that it may read.
    pub context_aware_resources: BTreeSet<ContextAwareResource>,
    /// The operations that it may use.
    pub host_capabilities: CapabilityPatterns,
}

impl Grants {
    /// Whether an operation may be used, by namespace and operation, as `oci/v1/verify`.
    pub fn allow_operation(&self, path: &str) -> bool {
        self.host_capabilities.allow(path)
    }

    /// Whether objects of a kind may be read.
    pub fn allow_resource(&self, api_version: &str, kind: &str) -> bool {
        self.context_aware_resources
            .iter()
            .any(|resource| resource.api_version == api_version && resource.kind == kind)
    }

    /// Whether all that a pattern names may be used. A pattern that names nothing may.
    pub(crate) fn allow_pattern(&self, pattern: &str) -> bool {
        let Ok(wanted) = CapabilityPatterns::parse([pattern]) else {
            return false;
        };
        OPERATIONS
            .iter()
            .map(|(namespace, operation)| format!("{namespace}/{operation}"))
            .filter(|path| wanted.allow(path))
            .all(|path| self.allow_operation(&path))
    }
}

/// Patterns of operations: `*` for all, `oci/*` or `oci/v1/*` for all below, `oci/v1/verify` for one. None allow nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CapabilityPatterns(BTreeSet<Pattern>);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Pattern {
    All,
    /// What paths begin with, with a `/` at its end.
    Below(String),
    Exactly(String),
}

/// Why a pattern is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternError {
    /// It is empty.
    #[error("a host capability's pattern is empty")]
    Empty,
    /// It has a `*` that is not all of its last part.
    #[error("`{0}` is no pattern of host capabilities: a `*` stands for all of the last part, as in `oci/*`")]
    Wildcard(String),
    /// It names no operation.
    #[error("`{pattern}` names no host capability: {choices}")]
    Unknown {
        /// The pattern.
        pattern: String,
        /// What there is instead.
        choices: String,
    },
}

impl CapabilityPatterns {
    /// Reads patterns. Each must name an operation that there is.
    ///
    /// # Errors
    /// [`PatternError`] of the first that does not.
    pub fn parse<T: AsRef<str>>(patterns: impl IntoIterator<Item = T>) -> Result<Self, PatternError> {
        patterns
            .into_iter()
            .map(|pattern| Pattern::parse(pattern.as_ref().trim()))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// All operations, as the pattern `*`.
    pub fn all() -> Self {
        Self([Pattern::All].into())
    }

    /// Whether an operation is among them, by namespace and operation.
    pub fn allow(&self, path: &str) -> bool {
        self.0.iter().any(|pattern| match pattern {
            Pattern::All => true,
            Pattern::Below(prefix) => path.starts_with(prefix.as_str()),
            Pattern::Exactly(exact) => path == exact,
        })
    }
}

impl Pattern {
    fn parse(text: &str) -> Result<Self, PatternError> {
        let pattern = match text {
            "" => return Err(PatternError::Empty),
            "*" => return Ok(Self::All),
            _ => match text.strip_suffix('*') {
                Some(prefix) if prefix.ends_with('/') && !prefix.contains('*') => {
                    Self::Below(prefix.to_owned())
                }
                None if !text.contains('*') => Self::Exactly(text.to_owned()),
                _ => return Err(PatternError::Wildcard(text.to_owned())),
            },
        };
        let known = |(namespace, operation): &(&str, &str)| {
            let path = format!("{namespace}/{operation}");
            match &pattern {
                Self::All => true,
                Self::Below(prefix) => path.starts_with(prefix.as_str()),
                Self::Exactly(exact) => path == *exact,
            }
        };
        if OPERATIONS.iter().any(known) {
            return Ok(pattern);
        }
        Err(PatternError::Unknown {
            pattern: text.to_owned(),
            choices: choices(text),
        })
    }
}

/// What could stand in a pattern's place: those of its namespace, or the namespaces.
fn choices(text: &str) -> String {
    let namespace = text.split('/').next().unwrap_or_default();
    let there: Vec<String> = OPERATIONS
        .iter()
        .filter(|(name, _)| *name == namespace)
        .map(|(name, operation)| format!("{name}/{operation}"))
        .collect();
    if there.is_empty() {
        return "there are crypto/*, kubernetes/*, net/* and oci/*".to_owned();
    }
    format!("there are {namespace}/*, {}", there.join(", "))
}

impl fmt::Display for CapabilityPatterns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let patterns: Vec<String> = self
            .0
            .iter()
            .map(|pattern| match pattern {
                Pattern::All => "*".to_owned(),
                Pattern::Below(prefix) => format!("{prefix}*"),
                Pattern::Exactly(exact) => exact.clone(),
            })
            .collect();
        write!(f, "[{}]", patterns.join(", "))
    }
}
