//! Writes archives, also those that no program would write.

/// An archive that is being written.
#[derive(Default, Clone)]
pub(crate) struct Tar {
    pub(crate) bytes: Vec<u8>,
}

/// A header as its fields.
pub(crate) struct Header<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) flag: u8,
    pub(crate) size: u64,
    pub(crate) link: &'a [u8],
    pub(crate) gnu: bool,
}

impl Default for Header<'_> {
    fn default() -> Self {
        Self {
            name: b"",
            flag: b'0',
            size: 0,
            link: b"",
            gnu: false,
        }
    }
}

/// A header block with its checksum.
pub(crate) fn header(header: &Header<'_>) -> [u8; 512] {
    let mut block = [0_u8; 512];
    let mut put = |at: usize, text: &[u8]| block[at..at + text.len()].copy_from_slice(text);
    put(0, header.name);
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    if header.size < 1 << 33 {
        put(124, format!("{:011o}\0", header.size).as_bytes());
    } else {
        put(124, &[0x80, 0, 0, 0]);
        put(128, &header.size.to_be_bytes());
    }
    put(136, b"00000000000\0");
    put(156, &[header.flag]);
    put(157, header.link);
    put(257, if header.gnu { b"ustar  \0" } else { b"ustar\x0000" });
    sum(&mut block);
    block
}

/// Sets the checksum.
pub(crate) fn sum(block: &mut [u8; 512]) {
    block[148..156].copy_from_slice(b"        ");
    let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

impl Tar {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// An entry as its header says, with some data, filled up to a whole block.
    pub(crate) fn raw(mut self, block: &[u8; 512], data: &[u8]) -> Self {
        self.bytes.extend_from_slice(block);
        self.bytes.extend_from_slice(data);
        self.bytes.resize(self.bytes.len().next_multiple_of(512), 0);
        self
    }

    pub(crate) fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        let content = content.as_ref();
        let block = header(&Header {
            name: name.as_bytes(),
            size: content.len() as u64,
            ..Header::default()
        });
        self.raw(&block, content)
    }

    pub(crate) fn entry(self, flag: u8, name: &str, link: &str) -> Self {
        let block = header(&Header {
            name: name.as_bytes(),
            flag,
            link: link.as_bytes(),
            ..Header::default()
        });
        self.raw(&block, &[])
    }

    pub(crate) fn directory(self, name: &str) -> Self {
        self.entry(b'5', name, "")
    }

    pub(crate) fn hard_link(self, name: &str, target: &str) -> Self {
        self.entry(b'1', name, target)
    }

    pub(crate) fn symbolic_link(self, name: &str, target: &str) -> Self {
        self.entry(b'2', name, target)
    }

    /// Records about the next entry.
    pub(crate) fn pax(self, records: &[(&str, &str)]) -> Self {
        let mut data = Vec::new();
        for (key, value) in records {
            let rest = key.len() + value.len() + 3;
            let mut length = rest + 1;
            while length != rest + length.to_string().len() {
                length = rest + length.to_string().len();
            }
            data.extend_from_slice(format!("{length} {key}={value}\n").as_bytes());
        }
        let block = header(&Header {
            name: b"pax",
            flag: b'x',
            size: data.len() as u64,
            ..Header::default()
        });
        self.raw(&block, &data)
    }

    /// A name that is too long for a header, as GNU tar writes it.
    pub(crate) fn long(self, flag: u8, name: &str) -> Self {
        let data = [name.as_bytes(), &[0]].concat();
        let block = header(&Header {
            name: b"././@LongLink",
            flag,
            size: data.len() as u64,
            gnu: true,
            ..Header::default()
        });
        self.raw(&block, &data)
    }

    /// The whole archive with its end.
    pub(crate) fn end(mut self) -> Vec<u8> {
        self.bytes.resize(self.bytes.len() + 1024, 0);
        self.bytes
    }
}
