//! Reading a layer's entries.

use std::sync::Arc;

use super::links::{self, Links};
use super::stream::LayerStream;
use super::{LayerContents, LayerErrorKind, LayerFile, LayerOptions, LayerVisitor};
use crate::image::Purpose;
use crate::path::{PathFault, beneath_root};
use crate::tar::{Entry, Kind, Reader};
use crate::{Flow, Image, Problem, ProblemKind};

const WHITEOUT: &str = ".wh.";
const OPAQUE: &str = ".wh..wh..opq";
/// After how many unpacked bytes the visitor is told of the progress.
const STEP: u64 = 1 << 20;

/// Reads a layer, and then the hard links that it left.
pub(super) fn read(
    image: &Image,
    index: usize,
    options: &LayerOptions,
    visitor: &mut dyn LayerVisitor,
) -> Result<LayerContents, LayerErrorKind> {
    let layer = image.layers().get(index).ok_or(LayerErrorKind::NoSuchLayer)?;
    let mut reading = Reading {
        target: Arc::clone(image.target()),
        layer: Arc::from(layer.diff_id.to_string()),
        options,
        visitor,
        contents: LayerContents::default(),
        links: Links::default(),
        names: 0,
        skipped: SkippedDirectory::default(),
    };
    let totals = entries(image, index, Purpose::Files, options, &mut |reader, entry| {
        reading.entry(reader, &entry)
    })?;
    reading.contents.stored = totals.stored;
    reading.contents.unpacked = totals.unpacked;
    reading.contents.entries = totals.entries;
    links::resolve(image, index, &mut reading)?;
    Ok(reading.contents)
}

/// What a pass over a layer came to.
pub(super) struct Totals {
    pub(super) stored: u64,
    pub(super) unpacked: u64,
    pub(super) entries: u64,
}

/// Who takes the entries of a pass.
pub(super) type OnEntry<'f> = dyn FnMut(&mut LayerReader<'_>, Entry) -> Result<(), LayerErrorKind> + 'f;

/// An archive, and the stream that it comes from.
pub(super) struct LayerReader<'a> {
    archive: Reader<LayerStream<'a>>,
}

impl LayerReader<'_> {
    pub(super) fn contents(&mut self, entry: &Entry) -> Result<Arc<[u8]>, LayerErrorKind> {
        match self.archive.contents(entry) {
            Ok(bytes) => Ok(bytes.into()),
            Err(error) => Err(self.archive.input().fault(error)),
        }
    }

    fn unpacked(&self) -> u64 {
        self.archive.input().unpacked()
    }
}

/// One pass over a layer, from its first byte to its last, with all checks.
pub(super) fn entries(
    image: &Image,
    index: usize,
    purpose: Purpose,
    options: &LayerOptions,
    on_entry: &mut OnEntry<'_>,
) -> Result<Totals, LayerErrorKind> {
    let layer = image.layers().get(index).ok_or(LayerErrorKind::NoSuchLayer)?;
    let source = image.open_layer(index)?;
    let stream = LayerStream::new(source, layer, image.unpacking(index, purpose))?;
    let mut reader = LayerReader {
        archive: Reader::new(stream),
    };
    let (mut count, limit) = (0_u64, options.most_entries);
    loop {
        let entry = match reader.archive.next() {
            Ok(Some(entry)) => entry,
            Ok(None) => break,
            Err(error) => return Err(reader.archive.input().fault(error)),
        };
        count += 1;
        if count > limit {
            return Err(LayerErrorKind::TooManyEntries { limit });
        }
        on_entry(&mut reader, entry)?;
    }
    let (stored, unpacked) = reader.archive.into_input().finish()?;
    Ok(Totals {
        stored,
        unpacked,
        entries: count,
    })
}

/// The first pass over a layer.
pub(super) struct Reading<'a> {
    pub(super) target: Arc<str>,
    pub(super) layer: Arc<str>,
    pub(super) options: &'a LayerOptions,
    pub(super) visitor: &'a mut dyn LayerVisitor,
    pub(super) contents: LayerContents,
    pub(super) links: Links,
    /// The bytes of the names that are remembered.
    names: usize,
    skipped: SkippedDirectory,
}

impl Reading<'_> {
    fn entry(&mut self, reader: &mut LayerReader<'_>, entry: &Entry) -> Result<(), LayerErrorKind> {
        let unpacked = reader.unpacked();
        if unpacked.saturating_sub(self.contents.unpacked) >= STEP {
            self.contents.unpacked = unpacked;
            go_on(self.visitor.progress(unpacked))?;
        }
        let path = match beneath_root(&entry.name) {
            Ok(path) => path,
            Err(fault) => {
                let shown = String::from_utf8_lossy(&entry.name).into_owned();
                return self.problem(shown, path_problem(fault));
            }
        };
        let (length, limit) = (path.len(), self.options.most_path);
        if length > limit {
            return self.problem(path, ProblemKind::PathTooLong { length, limit });
        }
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path.as_str()));
        if name == OPAQUE {
            let parent = parent.to_owned();
            self.remember(parent.len())?;
            self.contents.opaque.push(parent);
            return Ok(());
        }
        if let Some(removed) = name.strip_prefix(WHITEOUT) {
            return self.whiteout(parent, removed, &path);
        }
        match entry.kind {
            Kind::File => self.file(reader, entry, path),
            Kind::HardLink => self.hard_link(entry, path),
            Kind::Directory => Ok(()),
            Kind::SymbolicLink | Kind::Other => {
                self.contents.others += 1;
                Ok(())
            }
        }
    }

    fn whiteout(&mut self, parent: &str, removed: &str, path: &str) -> Result<(), LayerErrorKind> {
        // `.wh.` alone, or one that would remove its own directory or what is above it.
        if removed.is_empty() || removed == "." || removed == ".." {
            return self.problem(path.to_owned(), ProblemKind::ImpossiblePath);
        }
        let whole = if parent.is_empty() {
            removed.to_owned()
        } else {
            format!("{parent}/{removed}")
        };
        self.remember(whole.len())?;
        self.contents.whiteouts.push(whole);
        Ok(())
    }

    fn file(
        &mut self,
        reader: &mut LayerReader<'_>,
        entry: &Entry,
        path: String,
    ) -> Result<(), LayerErrorKind> {
        self.contents.files += 1;
        if path == "." {
            return self.problem(path, ProblemKind::ImpossiblePath);
        }
        if !self.is_wanted(&path) {
            return Ok(());
        }
        let (size, limit) = (entry.size, self.options.most_file);
        if size > limit {
            return self.problem(path, ProblemKind::TooLarge { size, limit });
        }
        let bytes = reader.contents(entry)?;
        self.give(LayerFile {
            path,
            bytes,
            mode: entry.mode,
        })
    }

    fn hard_link(&mut self, entry: &Entry, path: String) -> Result<(), LayerErrorKind> {
        if !self.options.hard_links {
            self.contents.others += 1;
            return Ok(());
        }
        let target = match beneath_root(&entry.link) {
            Ok(target) => target,
            Err(fault) => return self.problem(path, path_problem(fault)),
        };
        let wanted = self.is_wanted(&path);
        let limit = self.options.most_links;
        if wanted && self.links.wanted() >= limit {
            // Told once; the rest of them is not scanned either.
            return if self.links.tell_once() {
                self.problem(path, ProblemKind::TooManyLinks { limit })
            } else {
                Ok(())
            };
        }
        self.remember(path.len().saturating_add(target.len()))?;
        self.links.add(path, target, wanted);
        Ok(())
    }

    fn is_wanted(&mut self, path: &str) -> bool {
        !self.options.skip_files.matches(path)
            && !self.skipped.has(path, self.options)
            && self.visitor.wants(path)
    }

    pub(super) fn give(&mut self, file: LayerFile) -> Result<(), LayerErrorKind> {
        self.contents.given += 1;
        go_on(self.visitor.file(file))
    }

    pub(super) fn problem(&mut self, path: String, kind: ProblemKind) -> Result<(), LayerErrorKind> {
        self.contents.problems += 1;
        go_on(
            self.visitor
                .problem(Problem::new(&self.target, Some(&self.layer), path, kind)),
        )
    }

    fn remember(&mut self, bytes: usize) -> Result<(), LayerErrorKind> {
        // Each name costs the place that holds it as well.
        self.names = self
            .names
            .saturating_add(bytes)
            .saturating_add(size_of::<String>());
        let limit = self.options.most_names;
        if self.names > limit {
            Err(LayerErrorKind::TooManyNames { limit })
        } else {
            Ok(())
        }
    }
}

fn path_problem(fault: PathFault) -> ProblemKind {
    match fault {
        PathFault::LeavesRoot => ProblemKind::LeavesRoot,
        PathFault::Impossible => ProblemKind::ImpossiblePath,
    }
}

fn go_on(flow: Flow) -> Result<(), LayerErrorKind> {
    match flow {
        Flow::Continue => Ok(()),
        Flow::Stop => Err(LayerErrorKind::Stopped),
    }
}

/// Whether files are in a directory that is skipped. Most files are in the directory of the one before.
#[derive(Default)]
struct SkippedDirectory {
    parent: String,
    skipped: bool,
}

impl SkippedDirectory {
    fn has(&mut self, path: &str, options: &LayerOptions) -> bool {
        let Some((parent, _)) = path.rsplit_once('/') else {
            return false;
        };
        if options.skip_directories.is_empty() {
            return false;
        }
        if parent != self.parent {
            parent.clone_into(&mut self.parent);
            let ends = parent
                .match_indices('/')
                .map(|(end, _)| end)
                .chain([parent.len()]);
            self.skipped = ends
                .filter_map(|end| parent.get(..end))
                .any(|directory| options.skip_directories.matches(directory));
        }
        self.skipped
    }
}
