//! How a memory starts: the data of the module, in a file in memory from which slots are mapped.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{FallocateFlags, MemfdFlags, fallocate, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use wasm_encoder::{Encode, Module, RawSection, SectionId};
use wasmparser::{DataKind, Encoding, Operator, Parser, Payload, TypeRef};

use super::Slots;

/// How much larger than its data an image may be, but for the first mebibyte.
const MOST_SPREAD: usize = 8;

/// What a module's memory starts with, and the module without it.
pub(crate) struct StartPlan {
    /// How many bytes it has.
    initial: usize,
    /// Where each piece of data goes, and where it is in the module or what it is.
    parts: Vec<(usize, Part)>,
    /// Each section's number and the range of its contents, in their order; empty where there is no module.
    sections: Vec<(u8, Range<usize>)>,
    /// The segments, each as it is where it has no data of the start.
    segments: Vec<Segment>,
}

enum Part {
    /// So much of the module.
    Of(Range<usize>),
    These(Vec<u8>),
}

/// A segment of data.
enum Segment {
    /// It is taken out.
    Taken,
    /// It stays.
    Left(Range<usize>),
}

impl StartPlan {
    /// What the memory of a module starts with. Nothing where it has none of its own, or where that is only known when it is
    /// made; and where it would be no module without its data.
    ///
    /// Bytes that cannot be read are none either: compiling them says what is wrong with them.
    pub(crate) fn read(bytes: &[u8], capacity: usize) -> Option<Self> {
        let mut initial = None;
        let mut plan = Self {
            initial: 0,
            parts: Vec::new(),
            sections: Vec::new(),
            segments: Vec::new(),
        };
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload.ok()?;
            plan.sections.extend(payload.as_section());
            match payload {
                Payload::Version { encoding, .. } if encoding != Encoding::Module => return None,
                Payload::ImportSection(imports) => {
                    let mut imports = imports.into_imports();
                    if imports
                        .any(|import| import.is_ok_and(|import| matches!(import.ty, TypeRef::Memory(_))))
                    {
                        return None;
                    }
                }
                Payload::MemorySection(memories) => {
                    let memory = memories.clone().into_iter().next()?.ok()?;
                    let is_usual = !memory.memory64 && !memory.shared && memory.page_size_log2.is_none();
                    if memories.count() != 1 || !is_usual || initial.is_some() {
                        return None;
                    }
                    initial = usize::try_from(memory.initial.checked_mul(1 << 16)?).ok();
                }
                Payload::DataSection(segments) => {
                    let initial = initial?;
                    for segment in segments {
                        let segment = segment.ok()?;
                        plan.take(initial, &segment)?;
                    }
                }
                _ => {}
            }
        }
        plan.initial = initial.filter(|initial| *initial <= capacity)?;
        let bytes = plan.parts.iter().map(|(_, part)| part.len()).sum::<usize>();
        let most = bytes.saturating_mul(MOST_SPREAD).saturating_add(1 << 20);
        (plan.within().len() <= most).then_some(plan)
    }

    /// One of a memory that starts with these parts.
    pub(super) fn of_parts(initial: usize, parts: Vec<(usize, Vec<u8>)>) -> Self {
        let parts = parts.into_iter().map(|(at, bytes)| (at, Part::These(bytes)));
        Self {
            initial,
            parts: parts.collect(),
            sections: Vec::new(),
            segments: Vec::new(),
        }
    }

    fn take(&mut self, initial: usize, segment: &wasmparser::Data<'_>) -> Option<()> {
        let DataKind::Active {
            memory_index: 0,
            offset_expr,
        } = &segment.kind
        else {
            self.segments.push(Segment::Left(segment.range.clone()));
            return matches!(segment.kind, DataKind::Passive).then_some(());
        };
        let mut operators = offset_expr.get_operators_reader();
        let Operator::I32Const { value } = operators.read().ok()? else {
            return None;
        };
        if !matches!(operators.read().ok()?, Operator::End) {
            return None;
        }
        let at = usize::try_from(value.cast_unsigned()).ok()?;
        // One that does not fit is a fault when the instance is made, which the engine tells.
        if at.checked_add(segment.data.len())? > initial {
            return None;
        }
        self.segments.push(Segment::Taken);
        let data = segment.range.end - segment.data.len()..segment.range.end;
        if !data.is_empty() {
            self.parts.push((at, Part::Of(data)));
        }
        Some(())
    }

    /// The pages of the memory that have data.
    fn within(&self) -> Range<usize> {
        let page = rustix::param::page_size();
        let starts = self.parts.iter().map(|(at, _)| *at);
        let ends = self.parts.iter().map(|(at, part)| at + part.len());
        let (Some(start), Some(end)) = (starts.min(), ends.max()) else {
            return 0..0;
        };
        // A memory has whole pages of 64 KiB, and the system's are no larger where this is used.
        start / page * page..end.next_multiple_of(page).min(self.initial)
    }

    /// The module without the data that its memory starts with.
    pub(crate) fn strip(&self, bytes: &[u8]) -> Vec<u8> {
        let is = |id: u8, section: SectionId| id == u8::from(section);
        // Instructions can only name a segment where this section says how many there are.
        let are_named = self.sections.iter().any(|(id, _)| is(*id, SectionId::DataCount));
        let mut module = Module::new();
        for (id, contents) in &self.sections {
            let data = match is(*id, SectionId::Data) {
                true => self.data_section(bytes, are_named),
                false => bytes.get(contents.clone()).unwrap_or_default().to_vec(),
            };
            module.section(&RawSection { id: *id, data: &data });
        }
        module.finish()
    }

    /// The segments that are left. Where they are named, each stays in its place, and one that is taken out is as it would be
    /// once the instance is made: empty.
    fn data_section(&self, bytes: &[u8], are_named: bool) -> Vec<u8> {
        let mut count = 0_u32;
        let mut entries = Vec::new();
        for segment in &self.segments {
            match segment {
                Segment::Left(range) => {
                    entries.extend_from_slice(bytes.get(range.clone()).unwrap_or_default());
                }
                Segment::Taken if are_named => {
                    const PASSIVE: u32 = 1;
                    PASSIVE.encode(&mut entries);
                    0_u32.encode(&mut entries);
                }
                Segment::Taken => continue,
            }
            count += 1;
        }
        let mut data = Vec::new();
        count.encode(&mut data);
        data.extend_from_slice(&entries);
        data
    }
}

impl Part {
    fn len(&self) -> usize {
        match self {
            Self::Of(range) => range.len(),
            Self::These(bytes) => bytes.len(),
        }
    }

    fn bytes<'a>(&'a self, module: &'a [u8]) -> &'a [u8] {
        match self {
            Self::Of(range) => module.get(range.clone()).unwrap_or_default(),
            Self::These(bytes) => bytes,
        }
    }
}

/// A file in memory with all images.
pub(super) struct ImageFile {
    file: File,
    /// How long it is, in whole pages.
    length: Mutex<u64>,
}

impl ImageFile {
    /// An empty one.
    pub(super) fn new() -> io::Result<Self> {
        let file = memfd_create("wharf-images", MemfdFlags::CLOEXEC)?;
        Ok(Self {
            file: file.into(),
            length: Mutex::new(0),
        })
    }

    /// Makes room for so many bytes.
    fn reserve(&self, bytes: usize) -> io::Result<u64> {
        let mut length = self.length.lock().unwrap_or_else(PoisonError::into_inner);
        let offset = *length;
        let longer = offset.checked_add(bytes as u64);
        let longer = longer.ok_or_else(|| io::Error::from(io::ErrorKind::FileTooLarge))?;
        self.file.set_len(longer)?;
        *length = longer;
        Ok(offset)
    }
}

/// How a memory starts. It lives as long as the module, and each of its instances.
pub(crate) struct StartImage {
    id: u64,
    slots: Arc<Slots>,
    initial: usize,
    /// The pages of the memory that have data.
    within: Range<usize>,
    /// Where they are in the file.
    offset: u64,
    /// Where they are mapped to be read; dangling where there are none.
    bytes: NonNull<u8>,
}

#[expect(unsafe_code, reason = "the pointer is one to bytes that nobody changes")]
// SAFETY: the mapping can only be read, and lives as long as the image.
unsafe impl Send for StartImage {}
#[expect(unsafe_code, reason = "as above")]
// SAFETY: as above.
unsafe impl Sync for StartImage {}

impl StartImage {
    /// The image of a plan that was read from these bytes.
    pub(super) fn of(slots: &Arc<Slots>, plan: &StartPlan, module: &[u8]) -> io::Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let within = plan.within();
        let images = &slots.images;
        let mut image = Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            slots: Arc::clone(slots),
            initial: plan.initial,
            within: 0..0,
            offset: 0,
            bytes: NonNull::dangling(),
        };
        if within.is_empty() {
            return Ok(image);
        }
        let offset = images.reserve(within.len())?;
        for (at, part) in &plan.parts {
            let place = offset + (at - within.start) as u64;
            images.file.write_all_at(part.bytes(module), place)?;
        }
        #[expect(unsafe_code, reason = "the image is mapped to be read")]
        // SAFETY: the kernel chooses addresses that nobody uses, and nobody writes to this part of the file any more.
        let mapped = unsafe {
            mmap(
                ptr::null_mut(),
                within.len(),
                ProtFlags::READ,
                MapFlags::SHARED,
                &images.file,
                offset,
            )
        }?;
        image.bytes = NonNull::new(mapped.cast()).ok_or_else(|| io::Error::other("it is nowhere"))?;
        image.within = within;
        image.offset = offset;
        Ok(image)
    }

    /// What distinguishes it from all others.
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn slots(&self) -> &Arc<Slots> {
        &self.slots
    }

    /// How many bytes the memory has at its start.
    pub(super) fn initial(&self) -> usize {
        self.initial
    }

    /// The pages of the memory that are in the image. All others start with zeros.
    pub(super) fn within(&self) -> Range<usize> {
        self.within.clone()
    }

    /// The bytes of these pages.
    pub(super) fn bytes(&self) -> *const u8 {
        self.bytes.as_ptr()
    }

    /// The file that has these pages too.
    pub(super) fn file(&self) -> &File {
        &self.slots.images.file
    }

    /// Where they are in the file.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }
}

impl Drop for StartImage {
    fn drop(&mut self) {
        self.slots.forget(self.id);
        if self.within.is_empty() {
            return;
        }
        #[expect(unsafe_code, reason = "the image's own mapping is unmapped")]
        // SAFETY: it is what was mapped for the image, and whoever drops it uses it no more.
        let unmapped = unsafe { munmap(self.bytes.as_ptr().cast(), self.within.len()) };
        debug_assert!(unmapped.is_ok());
        // No slot is mapped from it any more. Where this fails, its memory stays until the engine ends.
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        let _ = fallocate(self.file(), flags, self.offset, self.within.len() as u64);
    }
}
