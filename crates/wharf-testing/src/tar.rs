//! Archives as `tar` writes them, with the entries that images have. The same entries give the same bytes.

/// The size of a block.
const BLOCK: usize = 512;
/// What the size of an archive is a multiple of.
const RECORD: usize = 20 * BLOCK;

/// An archive that is being written.
#[derive(Clone, Debug, Default)]
pub struct Archive {
    bytes: Vec<u8>,
}

impl Archive {
    /// A regular file. The name of each entry has at most 100 bytes.
    pub fn file(&mut self, name: &str, content: &[u8]) {
        self.header(name, b'0', content.len(), "");
        self.bytes.extend_from_slice(content);
        self.pad(BLOCK);
    }

    /// A directory.
    pub fn folder(&mut self, name: &str) {
        self.header(name, b'5', 0, "");
    }

    /// A symbolic link.
    pub fn link(&mut self, name: &str, to: &str) {
        self.header(name, b'2', 0, to);
    }

    /// Another name of an earlier entry.
    pub fn hard_link(&mut self, name: &str, to: &str) {
        self.header(name, b'1', 0, to);
    }

    /// The whole archive, with its end.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.bytes.resize(self.bytes.len() + 2 * BLOCK, 0);
        self.pad(RECORD);
        self.bytes
    }

    fn pad(&mut self, unit: usize) {
        self.bytes.resize(self.bytes.len().next_multiple_of(unit), 0);
    }

    /// The header of POSIX.1-1988: names of at most 100 bytes, numbers in octal.
    fn header(&mut self, name: &str, kind: u8, size: usize, link: &str) {
        let mut header = [0_u8; BLOCK];
        let mut put = |at: usize, text: &[u8], most: usize| {
            assert!(
                text.len() <= most,
                "{} does not fit",
                String::from_utf8_lossy(text)
            );
            header[at..at + text.len()].copy_from_slice(text);
        };
        put(0, name.as_bytes(), 100);
        put(100, b"0000644\0", 8);
        put(108, b"0000000\0", 8);
        put(116, b"0000000\0", 8);
        put(124, format!("{size:011o}\0").as_bytes(), 12);
        put(136, b"14000000000\0", 12);
        put(148, b"        ", 8);
        put(156, &[kind], 1);
        put(157, link.as_bytes(), 100);
        put(257, b"ustar\x0000", 8);
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.bytes.extend_from_slice(&header);
    }
}
