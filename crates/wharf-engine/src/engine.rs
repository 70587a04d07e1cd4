//! The engine: settings, compilation, and the clock that holds deadlines.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use wasmtime::{Config, InstanceAllocationStrategy, PoolingAllocationConfig, WasmBacktraceDetails};
use wharf_plugin::{ByteSize, Digest, Limits, VerifiedArtifact};

use crate::cache::{CacheReport, CompiledCache};
use crate::clock::Clock;
use crate::limiter::MOST_TABLES;
use crate::module::{CompileError, Module};
use crate::slots::{Creator, Slots, StartImage, StartPlan};
use crate::{own_memory, requirements, resident};

/// How an [`Engine`] is set up.
#[derive(Debug, Clone)]
pub struct EngineSettings {
    /// How often the clock ticks that holds deadlines. A call ends at most one tick after its deadline.
    /// By default 5 ms; at most 10 ms, at least 1 ms.
    pub tick: Duration,
    /// Where instances get their memory from. By default on demand.
    pub allocation: Allocation,
    /// The compiled code on disk; none by default: every start compiles.
    pub cache: Option<CompiledCache>,
}

/// Where instances get their memory from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allocation {
    /// Each instance maps its own: right for resident instances, of which there are few.
    OnDemand,
    /// Memories are kept from one instance to the next of the same module, and of each only the pages are put back that were
    /// written, so that an instance for each call costs a few microseconds. What no instance uses is kept up to 128 MiB of
    /// written pages and 1 024 memories.
    ///
    /// This needs Linux 6.7, and a memory whose start is known before an instance is made, as compilers have it. Otherwise a
    /// pool is reserved at the start, of at least `instances` × `memory` of address space, of which what lies at the beginning
    /// of a memory is cleared and the rest given back to the kernel. A log line says that the kernel is too old.
    ///
    /// A plugin may have at most 100 000 table elements.
    Pooled {
        /// How many instances can live at once.
        instances: u32,
        /// The most memory that any of them can have.
        memory: ByteSize,
    },
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self {
            tick: Duration::from_millis(5),
            allocation: Allocation::OnDemand,
            cache: None,
        }
    }
}

/// Why an engine cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The clock's thread cannot be started.
    #[error("the engine's clock cannot be started: {0}")]
    Clock(#[source] std::io::Error),
    /// The tick is not between 1 ms and 10 ms.
    #[error("the engine's tick must be from 1 ms to 10 ms, not {0:?}")]
    Tick(Duration),
}

/// Compiles modules and holds the deadlines of their instances. Cloning is cheap and gives the same engine.
///
/// One engine serves all plugins of a process. It starts one thread, the clock, which sleeps while no guest runs and
/// ends with the last clone, module and instance.
///
/// Modules may use WebAssembly 2.0 (SIMD, bulk memory, reference types, several results, sign extension, saturating
/// conversions), tail calls, extended constants and relaxed SIMD. They may not use threads, several memories, 64-bit
/// memories, garbage-collected types or exceptions: no SDK of the supported ABIs needs them, and each would weaken a
/// limit or the isolation. A module that imports its only memory as `env.memory` gets one of its own in its place, of the
/// size that it names, exported as `memory`.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

/// What modules and instances keep of their engine, above all the clock, without which nothing would end them.
pub(crate) struct Shared {
    settings: EngineSettings,
    /// One wasmtime engine for all modules that want it set up in the same way.
    engines: Mutex<HashMap<Setup, wasmtime::Engine>>,
    /// Where there is a pool, and the kernel lets its memories be kept.
    slots: Option<Arc<Slots>>,
    clock: Clock,
}

/// What wasmtime's engines differ in, since it is a setting of the engine and not of a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Setup {
    /// The stack of guests, in bytes.
    stack: u64,
    memory: MemoryOf,
}

/// Where memories come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum MemoryOf {
    /// Each is mapped for its instance.
    OnDemand,
    /// From [`Slots`].
    Slots,
    /// From wasmtime's pool, where so many bytes from the beginning of each stay with it.
    Pool { resident: usize },
}

/// What goes before the digest of a module when the code without the data of its memory is looked for.
const STRIPPED: &[u8] = b"without the data of its memory, ";

impl Engine {
    /// The largest stack that a plugin may have. Guests run on the stack of the thread that calls them, which is
    /// 2 MiB unless its maker said otherwise, and host functions need their part of it.
    pub const MOST_STACK: ByteSize = ByteSize::from_mib(1);

    /// Makes an engine and starts its clock.
    ///
    /// # Errors
    /// [`EngineError`] where the tick is out of range or the clock's thread cannot be started.
    pub fn new(settings: EngineSettings) -> Result<Self, EngineError> {
        if !(Duration::from_millis(1)..=Duration::from_millis(10)).contains(&settings.tick) {
            return Err(EngineError::Tick(settings.tick));
        }
        let clock = Clock::start(settings.tick).map_err(EngineError::Clock)?;
        let slots = match settings.allocation {
            Allocation::OnDemand => None,
            Allocation::Pooled { instances, memory } => Slots::new(instances, memory.as_usize()),
        };
        if settings.allocation != Allocation::OnDemand && slots.is_none() {
            tracing::info!(
                "The kernel does not say which pages of a memory were written (Linux 6.7 does), so the memories of instances are cleared and given back: each call costs more."
            );
        }
        Ok(Self {
            shared: Arc::new(Shared {
                settings,
                engines: Mutex::default(),
                slots,
                clock,
            }),
        })
    }

    /// Compiles `artifact` for instances with these limits, or maps it from the cache.
    ///
    /// It blocks the thread: a module of 2 MB takes about a second to compile, on all cores, and milliseconds to
    /// map. Nothing bounds the time that compiling takes but the size of the module. Any number of threads may compile at once; those that want the same
    /// artifact wait for the first one where there is a cache.
    ///
    /// # Errors
    /// [`CompileError`]: the bytes are no module that the engine accepts, or they need more than `limits` from the
    /// start. A cache that cannot be used is no error: the module is compiled without it and the report says why.
    pub fn compile(
        &self,
        artifact: &VerifiedArtifact,
        limits: &Limits,
    ) -> Result<(Module, CacheReport), CompileError> {
        self.check(artifact, limits)?;
        let reference = || artifact.reference().clone();
        let wasm = own_memory::give(artifact.bytes());
        let start = self.start_of(&wasm);
        let engine = self.engine_for(limits.stack, start.is_some(), artifact.bytes())?;
        // Other bytes give other code, so what was rewritten is not found by the artifact's digest.
        let digest = match &wasm {
            Cow::Borrowed(_) => artifact.digest(),
            Cow::Owned(rewritten) => Digest::of(rewritten),
        };
        let digest = match &start {
            Some(_) => Digest::of(&[STRIPPED, digest.as_bytes()].concat()),
            None => digest,
        };
        let compile = || {
            let stripped = start.as_ref().map(|(plan, _)| plan.strip(&wasm));
            engine
                .precompile_module(stripped.as_deref().unwrap_or(&wasm))
                .map_err(|error| {
                    let reason = error.root_cause().to_string();
                    if requirements::is_valid_elsewhere(artifact.bytes()) {
                        CompileError::Unsupported {
                            reference: reference(),
                            reason,
                        }
                    } else {
                        CompileError::Invalid {
                            reference: reference(),
                            reason,
                        }
                    }
                })
        };
        let cache = self.shared.settings.cache.as_ref();
        let (compiled, report) = crate::cache::load_or_compile(cache, &engine, digest, compile)?;
        Ok((
            Module::new(
                compiled,
                artifact.digest(),
                start.map(|(_, image)| image),
                Arc::clone(&self.shared),
            ),
            report,
        ))
    }

    /// How the memory of a module starts, where it is to come from a slot. Where the system has no room for that, wasmtime's pool
    /// has some of its own.
    fn start_of(&self, wasm: &[u8]) -> Option<(StartPlan, Arc<StartImage>)> {
        let slots = self.shared.slots.as_ref()?;
        let plan = StartPlan::read(wasm, slots.capacity())?;
        let image = slots.image(&plan, wasm).ok()?;
        Some((plan, image))
    }

    /// Says whether `artifact` could start within these limits, as [`Engine::compile`] does before it compiles. It does
    /// not look at the code, so it is cheap, and plugins that share compiled code can each be checked.
    ///
    /// # Errors
    /// [`CompileError`] where it needs more than `limits` from the start, or `limits` are more than this engine gives.
    pub fn check(&self, artifact: &VerifiedArtifact, limits: &Limits) -> Result<(), CompileError> {
        self.check_limits(limits)?;
        requirements::check(artifact.bytes(), limits).map_err(|problem| CompileError::OverLimit {
            reference: artifact.reference().clone(),
            problem,
        })
    }

    /// The settings.
    pub fn settings(&self) -> &EngineSettings {
        &self.shared.settings
    }

    fn check_limits(&self, limits: &Limits) -> Result<(), CompileError> {
        if limits.stack > Self::MOST_STACK {
            return Err(CompileError::Stack {
                stack: limits.stack,
                most: Self::MOST_STACK,
            });
        }
        let Allocation::Pooled { memory, .. } = self.shared.settings.allocation else {
            return Ok(());
        };
        if limits.memory > memory {
            return Err(CompileError::PoolMemory {
                memory: limits.memory,
                most: memory,
            });
        }
        if limits.table_elements > POOLED_TABLE_ELEMENTS {
            return Err(CompileError::PoolTable {
                elements: limits.table_elements,
                most: POOLED_TABLE_ELEMENTS,
            });
        }
        Ok(())
    }

    fn engine_for(
        &self,
        stack: ByteSize,
        is_in_slot: bool,
        wasm: &[u8],
    ) -> Result<wasmtime::Engine, CompileError> {
        let setup = Setup {
            stack: stack.bytes(),
            memory: match self.shared.settings.allocation {
                Allocation::OnDemand => MemoryOf::OnDemand,
                Allocation::Pooled { .. } if is_in_slot => MemoryOf::Slots,
                Allocation::Pooled { .. } => MemoryOf::Pool {
                    resident: resident::of(wasm),
                },
            },
        };
        let mut engines = self.shared.engines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(engine) = engines.get(&setup) {
            return Ok(engine.clone());
        }
        let config = config(&self.shared.settings, setup);
        let engine = wasmtime::Engine::new(&config).map_err(|error| CompileError::Engine {
            stack,
            reason: format!("{error:#}"),
        })?;
        engines.insert(setup, engine.clone());
        self.shared.clock.drive(engine.weak());
        Ok(engine)
    }
}

impl Shared {
    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// How many instances the pool holds; all that there are where there is no pool.
    pub(crate) fn pooled_instances(&self) -> u32 {
        match self.settings.allocation {
            Allocation::Pooled { instances, .. } => instances,
            Allocation::OnDemand => u32::MAX,
        }
    }
}

/// The most elements of a table in the pool, each of which takes 8 bytes of address space in each instance.
const POOLED_TABLE_ELEMENTS: u32 = 100_000;

fn config(settings: &EngineSettings, setup: Setup) -> Config {
    let mut config = Config::new();
    config.epoch_interruption(true);
    config.max_wasm_stack(ByteSize::from_bytes(setup.stack).as_usize());
    config.wasm_backtrace_details(WasmBacktraceDetails::Enable);
    // A pointer of the ABIs has 32 bits and names no memory, so a guest with other memories could not be answered.
    // Threads, garbage collection and exceptions are not compiled in.
    config.wasm_memory64(false);
    config.wasm_multi_memory(false);
    match (setup.memory, &settings.allocation) {
        (MemoryOf::Slots, _) => {
            config.with_host_memory(Arc::new(Creator));
            // The data are taken out of the module, and the memory has them.
            config.memory_init_cow(false);
            // Each address is compared with the size, so that no page behind that has to be inaccessible.
            config.memory_reservation(0);
            config.memory_guard_size(0);
            config.memory_may_move(false);
        }
        (MemoryOf::Pool { resident }, Allocation::Pooled { instances, memory }) => {
            config.memory_init_cow(true);
            let tables = MOST_TABLES;
            let mut pool = PoolingAllocationConfig::new();
            pool.total_core_instances(*instances);
            pool.total_memories(*instances);
            pool.total_tables(instances.saturating_mul(tables));
            pool.max_tables_per_module(tables);
            pool.max_memory_size(memory.as_usize());
            pool.table_elements(POOLED_TABLE_ELEMENTS as usize);
            // What a guest dirties is cleared with memset up to here and given back to the kernel beyond it. `pagemap_scan`
            // stays off: it misses dirty pages that are not present, and an instance would see what another has written.
            pool.linear_memory_keep_resident(resident);
            pool.table_keep_resident(64 << 10);
            config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        }
        // Start images are mapped copy-on-write, so a fresh instance costs no copy of its data segments.
        _ => {
            config.memory_init_cow(true);
        }
    }
    config
}
