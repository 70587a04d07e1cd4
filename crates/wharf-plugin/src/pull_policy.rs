//! When a registry is asked for a plugin.

/// When a registry is asked for a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum PullPolicy {
    /// Only for what the store does not have. A tag then means what it meant when it was fetched first.
    #[default]
    IfNotPresent,
    /// For each fetch, so that a tag means what it means now. Where the registry cannot be reached, what it meant last counts.
    /// A reference with a digest means the same for ever, and is asked for only where the store does not have it.
    Always,
    /// Never: what the store does not have is not to be had.
    Never,
}

impl PullPolicy {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::IfNotPresent, Self::Always, Self::Never];

    /// Its name in configurations.
    pub const fn name(self) -> &'static str {
        match self {
            Self::IfNotPresent => "ifNotPresent",
            Self::Always => "always",
            Self::Never => "never",
        }
    }

    /// The one of a name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.name() == name)
    }
}
