//! Why a plugin cannot be loaded.

use wharf_distribution::FetchError;
use wharf_engine::CompileError;
use wharf_plugin::{IdentifyError, PluginName, Reference};

/// A plugin that cannot be loaded. Its source, [`LoadFailure`], says why.
#[derive(Debug, thiserror::Error)]
#[error("plugin `{plugin}` ({reference}) cannot be loaded")]
pub struct LoadError {
    /// The plugin.
    pub plugin: PluginName,
    /// Where its bytes should come from.
    pub reference: Reference,
    /// What went wrong.
    #[source]
    pub failure: Box<LoadFailure>,
}

/// The step of loading that failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadFailure {
    /// The bytes cannot be had.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The bytes are no module that speaks a known ABI.
    #[error(transparent)]
    Identify(#[from] IdentifyError),
    /// The module cannot be compiled, or not within the plugin's limits.
    #[error(transparent)]
    Compile(#[from] CompileError),
}

impl LoadError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        self.failure.hint()
    }
}

impl LoadFailure {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Fetch(error) => error.hint(),
            Self::Identify(error) => error.hint(),
            Self::Compile(error) => error.hint().to_owned(),
        }
    }
}
