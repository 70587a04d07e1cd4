//! Which pages of a stretch of memory have private contents of their own: `PAGEMAP_SCAN` of Linux 6.7 and later.

use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::ops::Range;

use rustix::ioctl::{Ioctl, IoctlOutput, Opcode, ioctl};

/// How many stretches are told at once.
const AT_ONCE: usize = 64;

/// What a page is, as the kernel's `PAGE_IS_*`.
const FILE: u64 = 1 << 2;
const PRESENT: u64 = 1 << 3;
const SWAPPED: u64 = 1 << 4;

/// The map of this process's pages.
pub(super) struct PageMap {
    file: File,
}

/// What a scan found.
pub(super) struct Scanned {
    regions: [MaybeUninit<Region>; AT_ONCE],
    count: usize,
    /// The address up to which it has looked.
    pub(super) end: usize,
}

/// The kernel's `page_region`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Region {
    start: u64,
    end: u64,
    _categories: u64,
}

/// The kernel's `pm_scan_arg`.
#[repr(C)]
struct Scan {
    size: u64,
    flags: u64,
    start: u64,
    end: u64,
    walk_end: u64,
    regions: u64,
    region_count: u64,
    max_pages: u64,
    category_inverted: u64,
    category_mask: u64,
    category_any_of: u64,
    return_mask: u64,
}

impl PageMap {
    /// Opens it, where there is one.
    pub(super) fn open() -> Option<Self> {
        File::open("/proc/self/pagemap").ok().map(Self::of)
    }

    /// The one that a file is.
    pub(super) fn of(file: File) -> Self {
        Self { file }
    }

    /// The pages of a stretch of memory that are private and in place, swapped out, or on their way: all that were written since
    /// they were mapped from a file or anew, and some that were only read. It stops after `most` pages and after [`AT_ONCE`]
    /// stretches, and says how far it came.
    pub(super) fn written(&self, stretch: Range<usize>, most: usize) -> io::Result<Scanned> {
        let mut scanned = Scanned {
            regions: [MaybeUninit::uninit(); AT_ONCE],
            count: 0,
            end: stretch.start,
        };
        let scan = Scan {
            size: size_of::<Scan>() as u64,
            flags: 0,
            start: stretch.start as u64,
            end: stretch.end as u64,
            walk_end: 0,
            regions: scanned.regions.as_mut_ptr() as u64,
            region_count: AT_ONCE as u64,
            max_pages: most as u64,
            // Those that are the page of a file are as they were.
            category_inverted: FILE,
            category_mask: FILE,
            category_any_of: PRESENT | SWAPPED,
            return_mask: 0,
        };
        #[expect(unsafe_code, reason = "the kernel writes to what the structure points to")]
        // SAFETY: the structure is the kernel's, and it writes no more than `region_count` regions to `regions`, which
        // outlives the call. It changes no page that it looks at.
        let (count, end) = unsafe { ioctl(&self.file, scan) }?;
        let is_sound = count <= AT_ONCE && (stretch.start..=stretch.end).contains(&end);
        if !is_sound {
            return Err(io::Error::other("the map of pages is not what it should be"));
        }
        scanned.count = count;
        scanned.end = end;
        Ok(scanned)
    }
}

impl Scanned {
    /// The stretches of addresses that were found, in their order.
    pub(super) fn stretches(&self) -> impl Iterator<Item = Range<usize>> {
        self.regions.iter().take(self.count).map(|region| {
            #[expect(unsafe_code, reason = "what the kernel has written is known by its count")]
            // SAFETY: the kernel has written the first `count` of them.
            let region = unsafe { region.assume_init() };
            let address = |address: u64| usize::try_from(address).unwrap_or(usize::MAX);
            address(region.start)..address(region.end)
        })
    }
}

#[expect(
    unsafe_code,
    reason = "the structure, its number and its results are the kernel's"
)]
// SAFETY: `_IOWR('f', 16, struct pm_scan_arg)`, whose structure this is. It gives the number of regions, and writes to the
// structure how far it came.
unsafe impl Ioctl for Scan {
    type Output = (usize, usize);

    const IS_MUTATING: bool = true;

    fn opcode(&self) -> Opcode {
        rustix::ioctl::opcode::read_write::<Self>(b'f', 16)
    }

    fn as_ptr(&mut self) -> *mut rustix::ffi::c_void {
        std::ptr::from_mut(self).cast()
    }

    unsafe fn output_from_ptr(
        count: IoctlOutput,
        structure: *mut rustix::ffi::c_void,
    ) -> rustix::io::Result<Self::Output> {
        // SAFETY: it is what `as_ptr` gave.
        let scan = unsafe { &*structure.cast::<Self>() };
        let end = usize::try_from(scan.walk_end).unwrap_or(usize::MAX);
        Ok((usize::try_from(count).unwrap_or(usize::MAX), end))
    }
}
