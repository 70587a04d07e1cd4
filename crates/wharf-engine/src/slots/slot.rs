//! One stretch of address space for the memory of one instance after the other.

use std::io;
use std::ops::Range;
use std::ptr::{self, NonNull};
use std::sync::Arc;

use rustix::mm::{
    Advice, MapFlags, MprotectFlags, ProtFlags, madvise, mmap, mmap_anonymous, mprotect, munmap,
};

use super::dirty::PageMap;
use super::{Slots, StartImage, StartPlan};

/// How many bytes before and behind a memory are never accessible.
const GUARD: usize = 64 << 10;
/// How many bytes of written pages stay with a slot. What an instance wrote beyond that is given back to the kernel.
const MOST_KEPT: usize = 4 << 20;

/// A stretch of address space that begins as its image says, in all that is accessible of it.
pub(super) struct Slot {
    /// Behind the first guard.
    base: NonNull<u8>,
    /// Without the guards.
    capacity: usize,
    /// What was made readable and writable, from the beginning. It becomes more and never less.
    accessible: usize,
    /// The bytes of written pages that it keeps.
    resident: usize,
}

#[expect(unsafe_code, reason = "a slot is nothing but its addresses")]
// SAFETY: the mapping belongs to the slot alone, wherever it is used from.
unsafe impl Send for Slot {}
#[expect(unsafe_code, reason = "as above")]
// SAFETY: what takes `&self` only tells where it is.
unsafe impl Sync for Slot {}

impl Slot {
    /// A new one, of which as much is accessible as the image says.
    pub(super) fn new(image: &StartImage, capacity: usize) -> io::Result<Self> {
        let whole = capacity.checked_add(2 * GUARD);
        let whole = whole.ok_or_else(|| io::Error::other("it is too large"))?;
        #[expect(unsafe_code, reason = "memory is mapped")]
        // SAFETY: the kernel chooses addresses that nobody uses.
        let start = unsafe {
            mmap_anonymous(
                ptr::null_mut(),
                whole,
                ProtFlags::empty(),
                MapFlags::PRIVATE | MapFlags::NORESERVE,
            )
        }?;
        let base = start.cast::<u8>().wrapping_add(GUARD);
        let mut slot = Self {
            base: NonNull::new(base).ok_or_else(|| io::Error::other("it is nowhere"))?,
            capacity,
            accessible: 0,
            resident: 0,
        };
        #[expect(unsafe_code, reason = "advice is given for the slot's own memory")]
        // SAFETY: it concerns the slot alone. A huge page would be written as a whole, where one byte is.
        let advised = unsafe { madvise(slot.at(0), capacity, Advice::LinuxNoHugepage) };
        // Kernels that know of no huge pages do not make any.
        let _ = advised;
        slot.make_accessible(image.initial())?;
        let within = image.within();
        if !within.is_empty() {
            #[expect(unsafe_code, reason = "the image is mapped over a part of the slot")]
            // SAFETY: an image lies within the initial size, which was made accessible just now, so these addresses belong to
            // the slot.
            unsafe {
                mmap(
                    slot.at(within.start),
                    within.len(),
                    ProtFlags::READ | ProtFlags::WRITE,
                    MapFlags::PRIVATE | MapFlags::FIXED,
                    image.file(),
                    image.offset(),
                )
            }?;
        }
        Ok(slot)
    }

    /// The beginning.
    pub(super) fn base(&self) -> *mut u8 {
        self.base.as_ptr()
    }

    /// The bytes of written pages that it keeps.
    pub(super) fn resident(&self) -> usize {
        self.resident
    }

    /// Makes its first `size` bytes readable and writable.
    pub(super) fn make_accessible(&mut self, size: usize) -> io::Result<()> {
        if size <= self.accessible {
            return Ok(());
        }
        if size > self.capacity {
            return Err(io::Error::other("it is more than the slot has"));
        }
        #[expect(unsafe_code, reason = "access is given to the slot's own memory")]
        // SAFETY: these addresses belong to the slot, and nobody relies on their being inaccessible.
        unsafe {
            mprotect(
                self.at(self.accessible),
                size - self.accessible,
                MprotectFlags::READ | MprotectFlags::WRITE,
            )
        }?;
        self.accessible = size;
        Ok(())
    }

    /// Puts the first `size` bytes back to how they start. An instance that had this size has written nothing behind it.
    ///
    /// # Errors
    /// The slot may have anything in it and must not be used again.
    pub(super) fn reset(&mut self, image: &StartImage, pagemap: &PageMap, size: usize) -> io::Result<()> {
        let base = self.base().addr();
        let page = rustix::param::page_size();
        self.resident = 0;
        let mut at = 0;
        while at < size {
            let left = MOST_KEPT.saturating_sub(self.resident);
            let scanned = match pagemap.written(base + at..base + size, left / page) {
                Ok(scanned) if left > 0 && scanned.end > base + at => scanned,
                _ => return self.give_back(at..size),
            };
            for stretch in scanned.stretches() {
                let (start, end) = (stretch.start.wrapping_sub(base), stretch.end.wrapping_sub(base));
                if start > end || end > size {
                    return Err(io::Error::other("the map of pages is not what it should be"));
                }
                self.restore(image, start..end);
                self.resident += end - start;
            }
            at = scanned.end - base;
        }
        Ok(())
    }

    /// Has the kernel put a part of it back to how it starts.
    fn give_back(&mut self, part: Range<usize>) -> io::Result<()> {
        #[expect(unsafe_code, reason = "pages of the slot's own memory are given back")]
        // SAFETY: these addresses belong to the slot, which nobody uses now. Where its image is mapped they read as the image
        // then, and elsewhere as zeros.
        unsafe { madvise(self.at(part.start), part.len(), Advice::LinuxDontNeed) }?;
        Ok(())
    }

    /// Puts a part of it back to how it starts, by hand.
    fn restore(&mut self, image: &StartImage, part: Range<usize>) {
        let within = image.within();
        // The part of it that has data, which may be nothing.
        let from = within.start.clamp(part.start, part.end);
        let to = within.end.clamp(from, part.end);
        #[expect(unsafe_code, reason = "memory of the slot is written")]
        // SAFETY: `part` lies in what is accessible of the slot, which nobody else uses. `from..to` lies in `part` and, unless
        // it is empty, in the image, of which that part is copied: the image is a mapping of its own.
        unsafe {
            ptr::write_bytes(self.base().add(part.start), 0, from - part.start);
            if from < to {
                let source = image.bytes().add(from - within.start);
                ptr::copy_nonoverlapping(source, self.base().add(from), to - from);
            }
            ptr::write_bytes(self.base().add(to), 0, part.end - to);
        }
    }

    fn at(&self, offset: usize) -> *mut rustix::ffi::c_void {
        self.base().wrapping_add(offset).cast()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let start = self.base().wrapping_sub(GUARD);
        #[expect(unsafe_code, reason = "the slot's own memory is unmapped")]
        // SAFETY: it is what was mapped for the slot, and whoever drops it uses it no more.
        let unmapped = unsafe { munmap(start.cast(), self.capacity + 2 * GUARD) };
        debug_assert!(unmapped.is_ok());
    }
}

/// Whether a slot of these is put back to how it starts, and keeps what was written: whether the kernel does what it says.
pub(super) fn test(slots: &Arc<Slots>) -> bool {
    let page = rustix::param::page_size();
    let test = || -> io::Result<bool> {
        let plan = StartPlan::of_parts(1 << 16, vec![(3 * page, vec![7; 3 * page])]);
        let image = StartImage::of(slots, &plan, &[])?;
        let mut slot = Slot::new(&image, 1 << 16)?;
        let (read, written) = ([0, 4 * page], [page, 3 * page + 1, 15 * page]);
        #[expect(unsafe_code, reason = "memory of the slot is read and written")]
        // SAFETY: all of this lies in what is accessible of the slot, which nobody else knows.
        let mut check = |write: bool| unsafe {
            let base = slot.base();
            if write {
                for at in read {
                    let _ = ptr::read_volatile(base.add(at));
                }
                for at in written {
                    ptr::write_volatile(base.add(at), 1);
                }
            }
            slot.reset(&image, &slots.pagemap, 1 << 16)?;
            let is_as_before = |at: &usize| {
                let expected = if (3 * page..6 * page).contains(at) { 7 } else { 0 };
                ptr::read_volatile(base.add(*at)) == expected
            };
            Ok::<_, io::Error>(read.iter().chain(&written).all(is_as_before) && slot.resident() > 0)
        };
        Ok(check(true)? && check(false)? && check(true)?)
    };
    test().unwrap_or(false)
}
