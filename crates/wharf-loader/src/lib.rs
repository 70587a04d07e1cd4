//! From a plugin's specification to a compiled module: fetched, identified and compiled, each once.
//!
//! Plugins of the same bytes share the work and the code. A file is read at each load, so that a changed file is seen,
//! but its bytes are identified and compiled only where no living plugin has the same; loads of the same bytes that run
//! at the same time wait for the first one. [`Loader::load_all`] loads different plugins in parallel.

mod error;

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use wharf_distribution::{Fetcher, Layout, Origin, Provenance};
use wharf_engine::{CacheReport, CompileError, Engine, Module};
use wharf_plugin::{
    Abi, ByteSize, Digest, IdentifiedModule, PluginName, PluginSpec, ProxyWasmVersion, Reference,
    Verification, VerifiedArtifact,
};

pub use error::{LoadError, LoadFailure};

/// Loads plugins with one engine. It may be used from any number of threads at once.
pub struct Loader {
    engine: Engine,
    progress: Arc<dyn LoadProgress>,
    fetcher: Option<Fetcher>,
    prepared: Mutex<HashMap<Key, Arc<Slot>>>,
}

/// What must be the same for code to be shared: the bytes, and the stack, which is compiled into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    digest: Digest,
    stack: ByteSize,
}

/// The place where code waits for the next plugin of the same bytes. Whoever prepares it holds the lock, so that the
/// others wait; it is weak, so that code goes with its last plugin.
type Slot = Mutex<Weak<Prepared>>;

/// What plugins of the same bytes share.
#[derive(Clone)]
struct Prepared {
    identified: IdentifiedModule,
    module: Module,
    cache: CacheReport,
}

/// A plugin that can be linked and run.
#[derive(Clone)]
pub struct LoadedPlugin {
    /// The plugin's name.
    pub name: PluginName,
    /// Where its bytes came from.
    pub reference: Reference,
    /// The digest of its bytes.
    pub digest: Digest,
    /// The size of its bytes.
    pub size: ByteSize,
    /// The compiled code. Its instances are counted for this plugin alone, also where others share the code.
    pub module: Module,
    /// What the cache on disk did when the code was prepared.
    pub cache: CacheReport,
    /// Whether the code was there already, from another plugin or an earlier load.
    pub shared: bool,
    /// How long the load took, with the reading and the waiting for others.
    pub load_time: Duration,
    /// Where its bytes are from and what was found out about who made them; none where nobody was asked.
    pub provenance: Option<Provenance>,
    /// Keeps the code for the next plugin of the same bytes.
    prepared: Arc<Prepared>,
}

impl LoadedPlugin {
    /// The ABIs that the module speaks, never empty; of several versions of one ABI the newest comes first.
    pub fn abis(&self) -> &[Abi] {
        &self.prepared.identified.abis
    }

    /// The newest version of proxy-wasm that the module speaks, if it speaks any.
    pub fn proxy_wasm(&self) -> Option<ProxyWasmVersion> {
        self.prepared.identified.proxy_wasm()
    }

    /// Tells the log where its bytes are from and who signed them, as [`Loader::load`] does.
    pub fn note(&self) {
        if let Some(provenance) = &self.provenance {
            note(&self.name, &self.reference, provenance);
        }
    }

    /// What the module imports and exports, and its ABIs.
    pub fn identified(&self) -> &IdentifiedModule {
        &self.prepared.identified
    }
}

/// Hears of the one part of loading that can take seconds. It may be called from several threads at once.
pub trait LoadProgress: Send + Sync {
    /// The module of `plugin`, of `size` bytes, is about to be compiled or mapped from the cache. Plugins that share
    /// the code of another one are not heard of.
    fn compile_started(&self, plugin: &PluginName, size: ByteSize);

    /// It is done, with the cache's report or the reason why it failed. Each start has its end.
    fn compile_ended(&self, plugin: &PluginName, outcome: Result<&CacheReport, &CompileError>);
}

/// Nobody listens.
impl LoadProgress for () {
    fn compile_started(&self, _plugin: &PluginName, _size: ByteSize) {}

    fn compile_ended(&self, _plugin: &PluginName, _outcome: Result<&CacheReport, &CompileError>) {}
}

impl Loader {
    /// A loader that compiles with `engine` and tells `progress` of it; `Arc::new(())` where nobody listens.
    pub fn new(engine: Engine, progress: Arc<dyn LoadProgress>) -> Self {
        Self {
            engine,
            progress,
            fetcher: None,
            prepared: Mutex::default(),
        }
    }

    /// The same with somebody who fetches what is no file, and asks for all whether it may run. Without one, plugins are files, and
    /// nobody is asked.
    #[must_use]
    pub fn with_fetcher(self, fetcher: Fetcher) -> Self {
        Self {
            fetcher: Some(fetcher),
            ..self
        }
    }

    /// The engine that it compiles with.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Loads one plugin. This blocks the thread, for seconds where a large module has to be compiled.
    ///
    /// # Errors
    /// [`LoadError`] names the plugin and the step that failed.
    pub fn load(&self, spec: &PluginSpec) -> Result<LoadedPlugin, LoadError> {
        self.load_and(spec, true)
    }

    /// The same for a plugin of which a version runs, to find out whether there is another one by now. The log does not hear of
    /// it: whoever asks time and again says what has changed, by [`LoadedPlugin::note`]. As long as the version that runs is held
    /// as a [`LoadedPlugin`], the same bytes cost no more than to fetch them.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn load_again(&self, spec: &PluginSpec) -> Result<LoadedPlugin, LoadError> {
        self.load_and(spec, false)
    }

    fn load_and(&self, spec: &PluginSpec, is_noted: bool) -> Result<LoadedPlugin, LoadError> {
        let started = Instant::now();
        self.load_from(spec, started, is_noted)
            .map_err(|failure| LoadError {
                plugin: spec.name.clone(),
                reference: spec.source.clone(),
                failure: Box::new(failure),
            })
    }

    /// Loads several plugins at the same time, on as many threads as there are cores, and gives the outcomes in the
    /// order of `specs`. One that fails does not stop the others.
    pub fn load_all(&self, specs: &[Arc<PluginSpec>]) -> Vec<Result<LoadedPlugin, LoadError>> {
        let outcomes: Vec<_> = specs.iter().map(|_| OnceLock::new()).collect();
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some((spec, outcome)) = {
                let index = next.fetch_add(1, Ordering::Relaxed);
                specs.get(index).zip(outcomes.get(index))
            } {
                // Each index is given out once, so the place is empty.
                let _ = outcome.set(self.load(spec));
            }
        };
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        std::thread::scope(|scope| {
            for _ in 1..cores.min(specs.len()) {
                // Where the system refuses a thread, the others and this one do its work.
                let _ = std::thread::Builder::new()
                    .name("wharf-loader".into())
                    .spawn_scoped(scope, work);
            }
            work();
        });
        outcomes
            .into_iter()
            .map(|outcome| outcome.into_inner().expect("all indices were worked on"))
            .collect()
    }

    fn load_from(
        &self,
        spec: &PluginSpec,
        started: Instant,
        is_noted: bool,
    ) -> Result<LoadedPlugin, LoadFailure> {
        let (artifact, provenance) = match &self.fetcher {
            Some(fetcher) => {
                let fetched = match spec.pull_policy {
                    Some(policy) => fetcher.clone().with_policy(policy).fetch(&spec.source)?,
                    None => fetcher.fetch(&spec.source)?,
                };
                let (artifact, provenance) = fetched.into_parts();
                if is_noted {
                    note(&spec.name, &spec.source, &provenance);
                }
                (artifact, Some(provenance))
            }
            None => (wharf_distribution::fetch(&spec.source)?, None),
        };
        // Code may be shared by plugins whose limits differ, so each plugin's are checked, shared or not.
        self.engine.check(&artifact, &spec.limits)?;
        let (prepared, shared) = self.prepared(spec, &artifact)?;
        Ok(LoadedPlugin {
            name: spec.name.clone(),
            reference: spec.source.clone(),
            digest: artifact.digest(),
            size: size_of(&artifact),
            module: prepared.module.counted_apart(),
            cache: prepared.cache.clone(),
            shared,
            load_time: started.elapsed(),
            provenance,
            prepared,
        })
    }

    /// The code for these bytes, and whether it was there already.
    fn prepared(
        &self,
        spec: &PluginSpec,
        artifact: &VerifiedArtifact,
    ) -> Result<(Arc<Prepared>, bool), LoadFailure> {
        let slot = self.slot(Key {
            digest: artifact.digest(),
            stack: spec.limits.stack,
        });
        let mut waiting = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(prepared) = waiting.upgrade() {
            return Ok((prepared, true));
        }
        let prepared = Arc::new(self.prepare(spec, artifact)?);
        *waiting = Arc::downgrade(&prepared);
        Ok((prepared, false))
    }

    fn slot(&self, key: Key) -> Arc<Slot> {
        let mut slots = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        // A slot that nobody waits at and whose code has gone is of no use; without this, each version of a plugin
        // that is ever loaded would leave one.
        slots.retain(|_, slot| {
            let is_used = Arc::strong_count(slot) > 1;
            is_used || slot.lock().unwrap_or_else(PoisonError::into_inner).strong_count() > 0
        });
        Arc::clone(slots.entry(key).or_default())
    }

    fn prepare(&self, spec: &PluginSpec, artifact: &VerifiedArtifact) -> Result<Prepared, LoadFailure> {
        let identified = wharf_plugin::identify(artifact.bytes())?;
        self.progress.compile_started(&spec.name, size_of(artifact));
        let compiled = self.engine.compile(artifact, &spec.limits);
        self.progress
            .compile_ended(&spec.name, compiled.as_ref().map(|(_, cache)| cache));
        let (module, cache) = compiled?;
        Ok(Prepared {
            identified,
            module,
            cache,
        })
    }
}

/// Tells the log where a plugin's bytes are from, who signed them, and what its deployer should hear of. Of files about which
/// nobody was asked there is nothing to tell.
fn note(plugin: &PluginName, source: &Reference, provenance: &Provenance) {
    if let Origin::StoreInstead(error) = &provenance.origin {
        tracing::warn!(
            %plugin, %source, %error, hint = error.hint(),
            "The registry could not be asked, so that what the store has is used."
        );
    }
    let verified = &provenance.verified;
    for warning in &verified.warnings {
        tracing::warn!(%plugin, %source, "{warning}.");
    }
    if provenance.layout == Layout::File && verified.verification == Verification::Unverified {
        return;
    }
    let signers: Vec<&str> = verified
        .signatures
        .iter()
        .map(|signature| signature.signer.as_str())
        .collect();
    tracing::info!(
        %plugin, %source, resolved = %provenance.resolved, layout = %provenance.layout,
        verification = verified.verification.as_str(), signed_by = ?signers,
        "A plugin was fetched."
    );
}

fn size_of(artifact: &VerifiedArtifact) -> ByteSize {
    ByteSize::from_bytes(artifact.bytes().len() as u64)
}

#[cfg(test)]
mod tests;
