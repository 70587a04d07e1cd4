//! Where commands get plugins from: the registries, the store, the lock file and the policy of trust of a configuration.
//!
//! Whatever runs comes through [`Supply::fetcher`], so that one policy decides for every kind of plugin.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use wharf_config::{Config, RegistriesConfig, StoreConfig, TrustConfig};
use wharf_distribution::registry::{AuthorityError, RegistryClient};
use wharf_distribution::{Fetcher, LOCKFILE_NAME, LockMode, Lockfile, LockfileError, Store, StoreError};
use wharf_plugin::{ByteSize, Reference};
use wharf_trust::RootOfTrust;

use crate::commands;
use crate::exit::Code;
use crate::progress::DownloadProgress;
use crate::trust::{self, TrustError};
use crate::words::complain;
use crate::{commands::DEFAULT_CONFIG, registries};

/// Where plugins come from, for commands that are not about one configuration.
#[derive(Debug, Args, Default)]
pub(crate) struct SupplyArguments {
    /// The configuration whose registries, trust, store and lock file count; wharf.yaml in the working directory where there is one
    /// and something is not a file.
    #[arg(long, value_name = "CONFIG")]
    pub(crate) wharf_config: Option<PathBuf>,
    /// Fetch nothing that the lock file beside the configuration does not have.
    #[arg(long)]
    pub(crate) locked: bool,
}

/// Where plugins come from.
pub(crate) struct Supply {
    fetcher: Fetcher,
    client: Arc<RegistryClient>,
    /// The root of trust of the configuration.
    root: RootOfTrust,
    /// Where the lock file is, or would be.
    lock_path: PathBuf,
    /// What the store may hold.
    store_size: ByteSize,
    has_policy: bool,
    docker_config: Option<PathBuf>,
}

/// Why plugins cannot be had, whichever they are.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SupplyError {
    /// A private authority of a registry cannot be used.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// A file that the policy of trust names cannot be used.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The store that the configuration names cannot be used.
    #[error("the store of plugins cannot be used")]
    Store(#[from] StoreError),
    /// The lock file cannot be read.
    #[error(transparent)]
    Lock(#[from] LockfileError),
    /// There is none.
    #[error("--locked is given, and there is no {}", .0.display())]
    NoLock(PathBuf),
}

impl SupplyError {
    /// What to do about it.
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::Authority(error) => error.hint(),
            Self::Trust(error) => error.hint(),
            Self::Store(error) => error.hint(),
            Self::Lock(error) => error.hint(),
            Self::NoLock(_) => "write it with `wharf lock`, and keep it beside the configuration",
        }
    }
}

/// The parts of a configuration that say where plugins come from.
struct Parts<'c> {
    registries: &'c RegistriesConfig,
    store: &'c StoreConfig,
    trust: Option<&'c TrustConfig>,
}

impl Supply {
    /// As a configuration says. `path` is its file; there is a lock file beside it, or there is none.
    ///
    /// # Errors
    /// [`SupplyError`].
    pub(crate) fn of(config: &Config, path: &Path, locked: bool) -> Result<Self, SupplyError> {
        let parts = Parts {
            registries: &config.registries,
            store: &config.store,
            trust: config.trust.as_ref(),
        };
        Self::new(&parts, &path.with_file_name(LOCKFILE_NAME), locked)
    }

    /// As flags say, for some plugins. Says what is wrong.
    pub(crate) fn by_flags<'r>(
        arguments: &SupplyArguments,
        mut references: impl Iterator<Item = &'r Reference>,
    ) -> Result<Self, Code> {
        let any_is_remote = references.any(|reference| reference.as_file().is_none());
        Self::by_flags_for(arguments, any_is_remote)
    }

    /// The same, where it is known whether anything is not a file.
    pub(crate) fn by_flags_for(arguments: &SupplyArguments, is_remote: bool) -> Result<Self, Code> {
        let default = || Some(PathBuf::from(DEFAULT_CONFIG)).filter(|path| is_remote && path.is_file());
        let path = arguments.wharf_config.clone().or_else(default);
        let supply = match &path {
            Some(path) => Self::of(&commands::load(path)?, path, arguments.locked),
            None => {
                let parts = Parts {
                    registries: &RegistriesConfig::default(),
                    store: &StoreConfig::default(),
                    trust: None,
                };
                Self::new(&parts, Path::new(LOCKFILE_NAME), arguments.locked)
            }
        };
        supply.map_err(|error| {
            complain(&error, Some(error.hint()));
            Code::Configuration
        })
    }

    fn new(parts: &Parts<'_>, lock_path: &Path, locked: bool) -> Result<Self, SupplyError> {
        let client = Arc::new(registries::client(parts.registries)?);
        let mut fetcher = Fetcher::new(Arc::clone(&client))
            .with_policy(parts.registries.pull_policy)
            .with_progress(Arc::new(DownloadProgress::new()));
        if let Some(store) = open_store(parts.store)? {
            fetcher = fetcher.with_store(store);
        }
        let root = match parts.trust {
            Some(trust) => {
                let verifier = trust::verifier(trust)?;
                let root = verifier.root().clone();
                fetcher = fetcher.with_verifier(Arc::new(verifier));
                root
            }
            None => RootOfTrust::public(),
        };
        let mode = if locked {
            LockMode::Require
        } else {
            LockMode::Prefer
        };
        if lock_path.is_file() {
            fetcher = fetcher.with_lock(Arc::new(Lockfile::read(lock_path)?), mode);
        } else if locked {
            return Err(SupplyError::NoLock(lock_path.to_owned()));
        }
        Ok(Self {
            fetcher,
            client,
            root,
            lock_path: lock_path.to_owned(),
            store_size: parts.store.size,
            has_policy: parts.trust.is_some(),
            docker_config: parts.registries.docker_config.clone(),
        })
    }

    /// What fetches plugins and asks whether they may run.
    pub(crate) fn fetcher(&self) -> &Fetcher {
        &self.fetcher
    }

    /// The client of registries.
    pub(crate) fn client(&self) -> &Arc<RegistryClient> {
        &self.client
    }

    /// Which authorities and logs are believed.
    pub(crate) fn root(&self) -> &RootOfTrust {
        &self.root
    }

    /// Where the lock file is, or would be.
    pub(crate) fn lock_path(&self) -> &Path {
        &self.lock_path
    }

    /// Takes away what was used least recently where the store has grown beyond its bound, on a thread of its own. What a running
    /// process uses stays.
    pub(crate) fn prune_in_the_background(&self) {
        let Some(store) = self.fetcher.store().cloned() else {
            return;
        };
        let most = self.store_size;
        let prune = move || match store.prune(most) {
            Ok(pruned) if pruned.references.is_empty() && pruned.files == 0 => {}
            Ok(pruned) => tracing::info!(
                plugins = ?pruned.references, files = pruned.files, bytes = pruned.bytes,
                "The store had grown beyond its bound, and was pruned."
            ),
            Err(error) => tracing::warn!(hint = error.hint(), "The store cannot be pruned: {error}"),
        };
        let spawned = std::thread::Builder::new()
            .name("wharf-prune".into())
            .spawn(prune);
        // Without the thread it is pruned at the next start.
        drop(spawned);
    }

    /// What the store may hold.
    pub(crate) fn store_size(&self) -> ByteSize {
        self.store_size
    }

    /// Whether the configuration says whose signatures plugins need.
    pub(crate) fn has_policy(&self) -> bool {
        self.has_policy
    }

    /// Docker's `config.json` of the configuration, where it names one.
    pub(crate) fn docker_config(&self) -> Option<PathBuf> {
        self.docker_config.clone()
    }

    /// The store, where there is one; says why there is none.
    pub(crate) fn store(&self) -> Result<&Store, Code> {
        self.fetcher.store().ok_or_else(|| {
            complain(
                &NoStore,
                Some("set HOME or XDG_CACHE_HOME, or name a directory in `store.directory`"),
            );
            Code::Failure
        })
    }
}

/// Runs what asks registries to its end, on this thread. Says why it cannot be run.
pub(crate) fn block_on<F: Future>(future: F) -> Result<F::Output, Code> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| {
        complain(
            &error,
            Some("raise the limits of this process (`ulimit -n`, `ulimit -u`)"),
        );
        Code::Failure
    })?;
    Ok(runtime.block_on(future))
}

/// There is no directory for a store.
#[derive(Debug, thiserror::Error)]
#[error("there is no store of plugins: this user has no cache directory, or it cannot be written")]
struct NoStore;

/// The store that is configured; the user's own, where it can be used.
fn open_store(config: &StoreConfig) -> Result<Option<Store>, SupplyError> {
    if let Some(directory) = &config.directory {
        return Ok(Some(Store::open(directory)?));
    }
    let Some(directory) = Store::users_directory() else {
        return Ok(None);
    };
    match Store::open(directory) {
        Ok(store) => Ok(Some(store)),
        // Whoever runs files only needs none, and what else is fetched can be had without it.
        Err(error) => {
            tracing::debug!(
                hint = error.hint(),
                "There is no store of plugins, so that each start asks registries anew: {error}"
            );
            Ok(None)
        }
    }
}
