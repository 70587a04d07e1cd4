//! A compiled module, and its linking to a table of host functions.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use wasmtime::{ExternType, FuncType, InstancePre, Linker, ValType};
use wharf_plugin::{ByteSize, Digest, Limits, Reference};

use crate::cache::CompiledCacheError;
use crate::engine::Shared;
use crate::fault::{Fault, FaultKind};
use crate::imports::Imports;
use crate::instance::{Instance, START, Slot};
use crate::requirements::OverLimit;
use crate::slots::{NoMemory, Pages, StartImage};

/// Compiled code of a verified artifact. Cloning is cheap: the code is shared, and so is the count of its instances.
#[derive(Clone)]
pub struct Module {
    compiled: wasmtime::Module,
    digest: Digest,
    /// How its memory starts, where that comes from a slot.
    start: Option<Arc<StartImage>>,
    shared: Arc<Shared>,
    /// How many instances live, over all links of the module.
    living: Arc<AtomicU32>,
}

/// Why a module was not compiled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompileError {
    /// The bytes are not a valid WebAssembly module. The plugin is at fault.
    #[error("{reference} is not a valid WebAssembly module: {reason}")]
    Invalid {
        /// Where the bytes came from.
        reference: Reference,
        /// The engine's words.
        reason: String,
    },
    /// The module is valid and uses a part of WebAssembly that plugins do not get here; see
    /// [`Engine`](crate::Engine).
    #[error("{reference} uses a WebAssembly feature that plugins do not get here: {reason}")]
    Unsupported {
        /// Where the bytes came from.
        reference: Reference,
        /// The engine's words.
        reason: String,
    },
    /// The module needs more than its plugin's limits as soon as it starts.
    #[error("{reference} cannot start within its plugin's limits: {problem}")]
    OverLimit {
        /// Where the bytes came from.
        reference: Reference,
        /// What it needs.
        problem: OverLimit,
    },
    /// The plugin's limits ask for more stack than a thread has.
    #[error("a stack of {stack} is too large: a plugin may have {most}")]
    Stack {
        /// The stack that the plugin's limits ask for.
        stack: ByteSize,
        /// The most that a plugin may have.
        most: ByteSize,
    },
    /// The plugin's limits ask for more memory than the pool gives an instance.
    #[error("a memory limit of {memory} is too large: the pool gives an instance {most}")]
    PoolMemory {
        /// The memory that the plugin's limits ask for.
        memory: ByteSize,
        /// What [`Allocation::Pooled`](crate::Allocation::Pooled) gives.
        most: ByteSize,
    },
    /// The plugin's limits ask for more table elements than the pool gives an instance.
    #[error("a limit of {elements} table elements is too large: the pool gives an instance {most}")]
    PoolTable {
        /// The elements that the plugin's limits ask for.
        elements: u32,
        /// What the pool gives.
        most: u32,
    },
    /// The engine could not be set up for the plugin's limits.
    #[error("the engine cannot be set up with a stack of {stack}: {reason}")]
    Engine {
        /// The stack that the plugin's limits ask for.
        stack: ByteSize,
        /// The engine's words.
        reason: String,
    },
    /// The module was compiled and its code cannot be loaded.
    #[error("the compiled code cannot be loaded")]
    Load(#[source] CompiledCacheError),
}

impl CompileError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Invalid { .. } => "the file may have been damaged or cut short: build or copy it again",
            Self::Unsupported { .. } => {
                "build the plugin without threads, 64-bit memory, exceptions and garbage collection"
            }
            Self::OverLimit { .. } => "raise the plugin's limit, or build it with less",
            Self::Stack { .. } => "lower `limits.stack`; 512KiB is the default",
            Self::PoolMemory { .. } | Self::PoolTable { .. } => {
                "lower the plugin's limit, or enlarge the pool"
            }
            Self::Engine { .. } | Self::Load(_) => {
                "the system refused memory to the engine: look at its limits on memory and address space"
            }
        }
    }
}

/// Why a module cannot be linked: every import that does not fit, not only the first.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct LinkError {
    /// The imports that do not fit, in the module's order.
    pub problems: Vec<ImportProblem>,
}

/// One import that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImportProblem {
    /// Nobody gives it.
    Missing {
        /// The import's module.
        module: String,
        /// The import's name.
        name: String,
        /// What the module wants there.
        wanted: String,
    },
    /// The host gives it with another signature.
    Mismatched {
        /// The import's module.
        module: String,
        /// The import's name.
        name: String,
        /// What the module wants there.
        wanted: String,
        /// What the host has there.
        given: String,
    },
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.problems.len();
        write!(
            f,
            "{count} of the module's imports {} not given by this host:",
            if count == 1 { "is" } else { "are" }
        )?;
        self.problems
            .iter()
            .try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl fmt::Display for ImportProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { module, name, wanted } => write!(f, "{module}.{name}: {wanted}: unknown here"),
            Self::Mismatched {
                module,
                name,
                wanted,
                given,
            } => {
                write!(
                    f,
                    "{module}.{name}: the module wants {wanted}, the host gives {given}"
                )
            }
        }
    }
}

impl Module {
    pub(crate) fn new(
        compiled: wasmtime::Module,
        digest: Digest,
        start: Option<Arc<StartImage>>,
        shared: Arc<Shared>,
    ) -> Self {
        Self {
            compiled,
            digest,
            start,
            shared,
            living: Arc::default(),
        }
    }

    /// The same code with a count of instances of its own, for another plugin that has the same bytes.
    #[must_use]
    pub fn counted_apart(&self) -> Self {
        Self {
            living: Arc::default(),
            ..self.clone()
        }
    }

    /// The digest of the artifact that was compiled.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Whether the module exports something of this name.
    pub fn exports(&self, name: &str) -> bool {
        self.compiled.get_export(name).is_some()
    }

    /// Whether the module imports `module`.`name`.
    pub fn imports(&self, module: &str, name: &str) -> bool {
        self.compiled
            .imports()
            .any(|import| import.module() == module && import.name() == name)
    }

    /// Links the module to `imports`, to be run under `limits`.
    ///
    /// # Errors
    /// [`LinkError`] with every import that nobody gives or that has another signature.
    pub fn link<S: 'static>(&self, imports: &Imports<S>, limits: &Limits) -> Result<Linked<S>, LinkError> {
        let problems = self.import_problems(imports);
        if !problems.is_empty() {
            return Err(LinkError { problems });
        }
        let mut linker = Linker::new(self.compiled.engine());
        linker.allow_shadowing(true);
        for import in self.compiled.imports() {
            imports
                .define(&mut linker, import.module(), import.name())
                .expect("a checked function of the table can be defined, shadowing allowed");
        }
        let pre = linker
            .instantiate_pre(&self.compiled)
            .expect("all imports were checked above");
        Ok(Linked {
            pre,
            limits: limits.clone(),
            module: self.clone(),
        })
    }

    fn import_problems<S: 'static>(&self, imports: &Imports<S>) -> Vec<ImportProblem> {
        let engine = self.compiled.engine();
        let problem = |import: wasmtime::ImportType<'_>| {
            let (module, name) = (import.module().to_owned(), import.name().to_owned());
            let given = imports.signature(engine, &module, &name);
            match (import.ty(), given) {
                (ExternType::Func(wanted), Some(given)) if wanted.matches(&given) => None,
                (ExternType::Func(wanted), Some(given)) => Some(ImportProblem::Mismatched {
                    module,
                    name,
                    wanted: signature(&wanted),
                    given: signature(&given),
                }),
                (ExternType::Func(wanted), None) => Some(ImportProblem::Missing {
                    module,
                    name,
                    wanted: signature(&wanted),
                }),
                (other, _) => Some(ImportProblem::Missing {
                    module,
                    name,
                    wanted: kind(&other).to_owned(),
                }),
            }
        };
        self.compiled.imports().filter_map(problem).collect()
    }
}

/// A signature as people write it: `(i32, i64) -> i32`.
pub(crate) fn signature(ty: &FuncType) -> String {
    let list = |types: &mut dyn Iterator<Item = ValType>| {
        types.map(|ty| ty.to_string()).collect::<Vec<_>>().join(", ")
    };
    let parameters = list(&mut ty.params());
    match ty.results().len() {
        0 => format!("({parameters})"),
        1 => format!("({parameters}) -> {}", list(&mut ty.results())),
        _ => format!("({parameters}) -> ({})", list(&mut ty.results())),
    }
}

fn kind(ty: &ExternType) -> &'static str {
    match ty {
        ExternType::Func(_) => "a function",
        ExternType::Global(_) => "a global",
        ExternType::Table(_) => "a table",
        ExternType::Memory(_) => "a memory",
        ExternType::Tag(_) => "a tag",
    }
}

/// A module that is linked to its host functions: instances of it are cheap to make, from any thread.
pub struct Linked<S: 'static> {
    pre: InstancePre<Slot<S>>,
    limits: Limits,
    module: Module,
}

impl<S: 'static> Linked<S> {
    /// Makes an instance with `state`. The module's start function, if it has one, runs now, under the startup
    /// deadline; the ABI's own entry points do not.
    ///
    /// # Errors
    /// A [`Fault`] in `(start)`: the start function faulted, the module needs more than its limits at once, or as many
    /// instances live as may ([`Limits::instances`], counted over all clones of the [`Module`]).
    pub fn instantiate(&self, state: S) -> Result<Instance<S>, Fault> {
        Instance::start(self, state, self.limits.startup_deadline)
    }

    /// The same under a deadline of its own, for an instance that lives for one call: the module's start function takes
    /// its part of that call's time.
    ///
    /// # Errors
    /// As for [`Linked::instantiate`].
    pub fn instantiate_within(&self, state: S, deadline: Duration) -> Result<Instance<S>, Fault> {
        Instance::start(self, state, deadline)
    }

    /// The limits of its instances.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The digest of the artifact.
    pub fn digest(&self) -> Digest {
        self.module.digest
    }

    pub(crate) fn pre(&self) -> &InstancePre<Slot<S>> {
        &self.pre
    }

    /// The memory of one more instance, where it comes from a slot.
    pub(crate) fn memory(&self) -> Result<Option<Pages>, Fault> {
        let Some(start) = &self.module.start else {
            return Ok(None);
        };
        start.slots().take(start).map(Some).map_err(|none| {
            let kind = match none {
                NoMemory::Full => FaultKind::InstanceLimit {
                    limit: self.module.shared.pooled_instances(),
                },
                NoMemory::System(error) => FaultKind::Trap {
                    reason: format!("the system gives no memory: {error}"),
                },
            };
            Fault::new(kind, START)
        })
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.module.shared
    }

    /// Counts one more instance in, if there may be one.
    pub(crate) fn take_seat(&self) -> Result<Seat, Fault> {
        let limit = self.limits.instances;
        let living = &self.module.living;
        let seated = living.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| {
            (count < limit).then_some(count + 1)
        });
        match seated {
            Ok(_) => Ok(Seat {
                living: Arc::clone(living),
            }),
            Err(_) => Err(Fault::new(FaultKind::InstanceLimit { limit }, START)),
        }
    }
}

/// The place of one living instance among those that its module may have.
pub(crate) struct Seat {
    living: Arc<AtomicU32>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.living.fetch_sub(1, Ordering::Relaxed);
    }
}
