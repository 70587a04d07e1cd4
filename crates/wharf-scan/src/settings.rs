//! What a scan looks at.

use wharf_plugin::ByteSize;

/// What a scan looks at, and what bounds it.
#[derive(Debug, Clone)]
pub struct ScanSettings {
    /// Directories that are not looked into, as glob patterns. Default: none beside those that never are.
    pub skip_directories: Vec<String>,
    /// Files that are not looked at, as glob patterns. Default: none.
    pub skip_files: Vec<String>,
    /// The largest file that a module is given. Default: 64MiB.
    pub file_size: ByteSize,
    /// The most files of a directory, or entries of a layer. Default: 10 000 000.
    pub files: u64,
    /// The most bytes of an image, unpacked. Default: 64GiB.
    pub image_size: ByteSize,
    /// How many files are looked at at the same time. Default: as many as there are cores.
    pub workers: Option<u32>,
}

impl Default for ScanSettings {
    fn default() -> Self {
        Self {
            skip_directories: Vec::new(),
            skip_files: Vec::new(),
            file_size: ByteSize::from_mib(64),
            files: 10_000_000,
            image_size: ByteSize::from_gib(64),
            workers: None,
        }
    }
}
