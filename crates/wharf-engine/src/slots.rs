//! Memories for instances that live for one call: kept from call to call, and put back to how they start, page by page of what was
//! written.
//!
//! ```text
//! slot   ┆guard│ zeros … │ start image, copy on write │ zeros … up to the size ┆ not accessible … │guard┆
//!
//! take ──► an idle slot of the same image, or a new one ──► the instance runs ──► PAGEMAP_SCAN: which pages were written?
//!           ▲                                                                           │ those are zeroed or copied anew
//!           └───────────────────────── idle ◄───────────────────────────────────────────┘
//! ```
//!
//! wasmtime's own pool clears by hand what lies at the beginning of a memory, touched or not, and gives the rest back to the
//! kernel, which interrupts every other core that runs guests and costs a page fault for each page that is touched again. It
//! also takes the access to what an instance grew by away again, which interrupts them too. Here nothing of that happens: code
//! that runs in such a memory compares each address with the size, so that no page has to be made inaccessible.
//!
//! **Nothing is left over.** What an instance wrote is in a private page of its own, in place or on its way to or from a
//! swap device or another place in memory, and the kernel reports each of these. Where it does not answer, all pages are given
//! back. Where that fails too, the slot is not used again.

mod dirty;
mod image;
mod slot;

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wasmtime::{LinearMemory, MemoryCreator, MemoryType};

use dirty::PageMap;
use image::ImageFile;
use slot::Slot;

pub(crate) use image::{StartImage, StartPlan};

/// The most bytes of written pages that idle slots keep, all together. Beyond that those go that were used least recently.
const MOST_IDLE: usize = 128 << 20;

/// How many idle slots there may be.
const MOST_IDLE_SLOTS: usize = 1024;

/// All slots of an engine.
pub(crate) struct Slots {
    pagemap: PageMap,
    images: ImageFile,
    /// The most bytes of a memory.
    capacity: usize,
    /// How many memories may be in use at once.
    instances: u32,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    in_use: u32,
    idle: HashMap<u64, Vec<Idle>>,
    idle_slots: usize,
    /// The bytes of written pages of all that are idle.
    resident: usize,
    /// Counts what becomes idle.
    clock: u64,
}

struct Idle {
    slot: Slot,
    since: u64,
}

/// Why there is no memory for an instance.
#[derive(Debug)]
pub(crate) enum NoMemory {
    /// As many are in use as may be.
    Full,
    /// The system gives none.
    System(io::Error),
}

impl Slots {
    /// Slots for so many instances at once, of so many bytes each. Nothing where the kernel does not say which pages were
    /// written (before Linux 6.7, in some sandboxes), or says so wrongly.
    pub(crate) fn new(instances: u32, capacity: usize) -> Option<Arc<Self>> {
        let slots = Arc::new(Self {
            pagemap: PageMap::open()?,
            images: ImageFile::new().ok()?,
            capacity,
            instances,
            state: Mutex::default(),
        });
        slot::test(&slots).then_some(slots)
    }

    /// The most bytes of a memory.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// How a memory starts by this plan, which was read from these bytes; and a first one.
    pub(crate) fn image(self: &Arc<Self>, plan: &StartPlan, module: &[u8]) -> io::Result<Arc<StartImage>> {
        let image = StartImage::of(self, plan, module)?;
        self.prepare(&image)?;
        Ok(Arc::new(image))
    }

    /// A memory as an instance finds it at its start.
    pub(crate) fn take(&self, image: &Arc<StartImage>) -> Result<Pages, NoMemory> {
        let idle = {
            let mut state = self.state();
            if state.in_use >= self.instances {
                return Err(NoMemory::Full);
            }
            state.in_use += 1;
            let idle = state.idle.get_mut(&image.id()).and_then(Vec::pop);
            state.goes(idle.as_ref());
            idle
        };
        let slot = match idle {
            Some(idle) => idle.slot,
            None => Slot::new(image, self.capacity).map_err(|error| {
                self.state().in_use -= 1;
                NoMemory::System(error)
            })?,
        };
        Ok(Pages {
            size: image.initial(),
            slot: Some(slot),
            image: Arc::clone(image),
        })
    }

    /// Makes a memory before one is needed: whether the system has one.
    fn prepare(&self, image: &StartImage) -> io::Result<()> {
        let slot = Slot::new(image, self.capacity)?;
        self.state().comes(image.id(), slot);
        Ok(())
    }

    /// Takes a memory back that was put back to how it starts; nothing where that could not be done.
    fn give_back(&self, image: u64, slot: Option<Slot>) {
        let mut gone = Vec::new();
        let mut state = self.state();
        state.in_use -= 1;
        if let Some(slot) = slot {
            state.comes(image, slot);
        }
        while state.resident > MOST_IDLE || state.idle_slots > MOST_IDLE_SLOTS {
            let Some(oldest) = state.oldest() else { break };
            gone.push(oldest);
        }
        // Unmapping takes a while, which nobody else has to wait for.
        drop(state);
        drop(gone);
    }

    /// Gives all idle memories of an image back to the system.
    fn forget(&self, image: u64) {
        let mut state = self.state();
        let gone = state.idle.remove(&image).unwrap_or_default();
        gone.iter().for_each(|idle| state.goes(Some(idle)));
        drop(state);
        drop(gone);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn comes(&mut self, image: u64, slot: Slot) {
        self.resident += slot.resident();
        self.idle_slots += 1;
        self.clock += 1;
        let since = self.clock;
        self.idle.entry(image).or_default().push(Idle { slot, since });
    }

    fn goes(&mut self, idle: Option<&Idle>) {
        if let Some(idle) = idle {
            self.resident -= idle.slot.resident();
            self.idle_slots -= 1;
        }
    }

    /// The slot that has been idle for the longest time.
    fn oldest(&mut self) -> Option<Idle> {
        // In each list those at the front have been idle for longer.
        let since = |idle: &Vec<Idle>| idle.first().map(|idle| idle.since);
        let (_, idle) = self
            .idle
            .iter_mut()
            .filter(|(_, idle)| !idle.is_empty())
            .min_by_key(|(_, idle)| since(idle))?;
        let oldest = idle.remove(0);
        self.goes(Some(&oldest));
        Some(oldest)
    }
}

/// The memory of one instance. It goes back to its slots when it is dropped.
pub(crate) struct Pages {
    /// Nothing only while it is dropped.
    slot: Option<Slot>,
    /// How many bytes the guest has.
    size: usize,
    image: Arc<StartImage>,
}

impl Drop for Pages {
    fn drop(&mut self) {
        let slots = self.image.slots();
        let slot = self.slot.take().and_then(|mut slot| {
            let is_reset = slot.reset(&self.image, &slots.pagemap, self.size);
            is_reset.ok().map(|()| slot)
        });
        slots.give_back(self.image.id(), slot);
    }
}

#[expect(
    unsafe_code,
    reason = "wasmtime believes that what is said of a memory is so, which it is: a slot stays where it is for as long as it lives"
)]
// SAFETY: `as_ptr` gives the beginning of a mapping that belongs to the slot alone and lives as long as it. Its first
// `byte_size` bytes are readable and writable, and zero where they were grown by; `byte_capacity` bytes can be without that it
// moves. Compiled code compares each address with the size, so it needs no guard behind that.
unsafe impl LinearMemory for Pages {
    fn byte_size(&self) -> usize {
        self.size
    }

    fn byte_capacity(&self) -> usize {
        self.image.slots().capacity
    }

    fn grow_to(&mut self, new_size: usize) -> wasmtime::Result<()> {
        let slot = self.slot.as_mut().expect("it is taken away only by its drop");
        slot.make_accessible(new_size)?;
        self.size = new_size;
        Ok(())
    }

    fn as_ptr(&self) -> *mut u8 {
        let slot = self.slot.as_ref().expect("it is taken away only by its drop");
        slot.base()
    }
}

thread_local! {
    /// The memory that the instance gets which this thread is making.
    static HANDED: RefCell<Option<Pages>> = const { RefCell::new(None) };
}

/// Makes an instance, whose memory is this one.
pub(crate) fn with_memory<R>(pages: Pages, instantiate: impl FnOnce() -> R) -> R {
    /// Takes the memory back that nobody wanted, however it ends.
    struct TakenBack;
    impl Drop for TakenBack {
        fn drop(&mut self) {
            HANDED.with(RefCell::take);
        }
    }
    HANDED.set(Some(pages));
    let _taken_back = TakenBack;
    instantiate()
}

/// Gives wasmtime the memory that [`with_memory`] has.
pub(crate) struct Creator;

#[expect(unsafe_code, reason = "as for the memory that it gives")]
// SAFETY: see [`Pages`]. No address space behind the size is relied on, and no guard.
unsafe impl MemoryCreator for Creator {
    fn new_memory(
        &self,
        _ty: MemoryType,
        minimum: usize,
        _maximum: Option<usize>,
        reserved: Option<usize>,
        guard: usize,
    ) -> Result<Box<dyn LinearMemory>, String> {
        let pages = HANDED.with(RefCell::take);
        match pages {
            Some(pages) if pages.size == minimum && (reserved.unwrap_or(0), guard) == (0, 0) => {
                Ok(Box::new(pages))
            }
            _ => Err("there is no memory of this kind for the instance".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests;
