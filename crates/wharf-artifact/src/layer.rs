//! The files of one layer of an image.

mod error;
mod links;
mod pass;
mod stream;

use std::sync::Arc;

pub use error::{LayerError, LayerErrorKind};

use crate::{Flow, Image, Patterns, Problem};

/// Who is told of the files of a layer, on the thread that called [`Image::read_layer`].
///
/// What it is told counts only when `read_layer` gave no error: that the bytes are those of the layer is known at their end.
pub trait LayerVisitor {
    /// Whether a file is wanted, asked before its content is read. The path is relative to the root of the image, cleaned, with `/`.
    ///
    /// The default wants every file.
    fn wants(&mut self, path: &str) -> bool {
        let _ = path;
        true
    }

    /// About every mebibyte of unpacked bytes, with their number so far. For progress, and to stop where no file is wanted.
    fn progress(&mut self, unpacked: u64) -> Flow {
        let _ = unpacked;
        Flow::Continue
    }

    /// A regular file that is wanted and not skipped, or a hard link to one.
    fn file(&mut self, file: LayerFile) -> Flow;

    /// An entry that could not be read; the rest of the layer is.
    fn problem(&mut self, problem: Problem) -> Flow;
}

/// A file of a layer.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LayerFile {
    /// The path relative to the root of the image, cleaned, with `/`. Bytes that are not UTF-8 stand as U+FFFD.
    pub path: String,
    /// All of its bytes.
    pub bytes: Arc<[u8]>,
    /// Its permissions, as the lower twelve bits.
    pub mode: u32,
}

/// How a layer is read.
#[derive(Debug, Clone)]
pub struct LayerOptions {
    /// Directories whose files are passed over, at whatever depth the files are. Default: none.
    pub skip_directories: Patterns,
    /// Files that are passed over. Default: none.
    pub skip_files: Patterns,
    /// Whether hard links to files are given as files of their own. Trivy passes over them. Default: yes.
    pub hard_links: bool,
    /// The most bytes of one file that is given; a larger one that is wanted is a problem. Default: 256 MiB.
    pub most_file: u64,
    /// The most bytes of one path. Default: 32 KiB.
    pub most_path: usize,
    /// The most entries of the layer. Default: 10 million.
    pub most_entries: u64,
    /// The most bytes of names that are remembered: of whiteouts, opaque directories and hard links. Default: 256 MiB.
    pub most_names: usize,
    /// The most hard links that are resolved. Default: 100,000.
    pub most_links: usize,
}

impl Default for LayerOptions {
    fn default() -> Self {
        Self {
            skip_directories: Patterns::none(),
            skip_files: Patterns::none(),
            hard_links: true,
            most_file: 256 << 20,
            most_path: 32 << 10,
            most_entries: 10_000_000,
            most_names: 256 << 20,
            most_links: 100_000,
        }
    }
}

/// What a layer says beside its files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LayerContents {
    /// Paths that the layer removes from those below it (`.wh.NAME`): a file, or a directory with all that is in it. In the layer's order.
    /// Files of this layer at or below such a path stay.
    pub whiteouts: Vec<String>,
    /// Directories that the layer empties of what is below it (`.wh..wh..opq`); the root is the empty path. In the layer's order.
    pub opaque: Vec<String>,
    /// The bytes of the layer as it is stored.
    pub stored: u64,
    /// The bytes of the layer's archive, unpacked.
    pub unpacked: u64,
    /// All entries.
    pub entries: u64,
    /// Regular files that were seen, wanted or not.
    pub files: u64,
    /// Files and hard links that the visitor was given.
    pub given: u64,
    /// Symbolic links, devices and FIFOs, which are passed over.
    pub others: u64,
    /// Problems that the visitor was told.
    pub problems: u64,
}

impl Image {
    /// Reads a layer from its first byte to its last and gives its files to a visitor. May be called from several threads at once.
    ///
    /// `index` counts from 0, the lowest layer. Files come in the layer's order; hard links come last, since their content is that of
    /// another entry: of this layer, which is then read a second time, or of one below it. Each reading opens the blob anew.
    ///
    /// Memory: one file, the names within the options' limit, and up to 128 MiB where zstd asks for it.
    ///
    /// # Errors
    /// Whatever makes the layer as a whole unusable: it is missing, broken, beyond a limit, or its digest is another one. Nothing of
    /// what the visitor was told counts then.
    pub fn read_layer(
        &self,
        index: usize,
        options: &LayerOptions,
        visitor: &mut dyn LayerVisitor,
    ) -> Result<LayerContents, LayerError> {
        pass::read(self, index, options, visitor).map_err(|kind| self.layer_error(index, kind))
    }

    fn layer_error(&self, index: usize, kind: LayerErrorKind) -> LayerError {
        let layer = self.layers().get(index).map(|layer| layer.diff_id.to_string());
        LayerError::new(self.target(), index, layer, kind)
    }
}
