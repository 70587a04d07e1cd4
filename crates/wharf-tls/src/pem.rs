//! PEM files (RFC 7468) to the certificates and the key in them.

use rustls::pki_types::pem::{PemObject, SectionKind};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::error::{LoadError, Lookalike, PemProblem};
use crate::files::FileContents;

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----";
/// Some editors begin a file with it.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// A label that is longer is cut in errors.
const LONGEST_LABEL: usize = 40;

/// The certificates of a file, in its order; at least one.
pub(crate) fn certificates(contents: &FileContents) -> Result<Vec<CertificateDer<'static>>, LoadError> {
    let sections = sections(contents)?;
    let mut certificates = Vec::new();
    for section in sections.iter().filter(|section| section.label == b"CERTIFICATE") {
        let (_, der) = section.decode(contents)?;
        certificates.push(CertificateDer::from(der));
    }
    if certificates.is_empty() {
        return Err(nothing_of_use(contents, &sections));
    }
    Ok(certificates)
}

/// The one private key of a file.
pub(crate) fn private_key(contents: &FileContents) -> Result<PrivateKeyDer<'static>, LoadError> {
    let sections = sections(contents)?;
    if sections.iter().any(Section::is_encrypted_key) {
        return Err(LoadError::EncryptedKey {
            file: contents.file.clone(),
        });
    }
    let mut keys = Vec::new();
    for section in sections.iter().filter(|section| section.is_key()) {
        let (kind, der) = section.decode(contents)?;
        keys.extend(PrivateKeyDer::from_pem(kind, der));
    }
    match (keys.pop(), keys.len()) {
        (None, _) => Err(nothing_of_use(contents, &sections)),
        (Some(key), 0) => Ok(key),
        (Some(_), others) => Err(LoadError::SeveralKeys {
            file: contents.file.clone(),
            count: others + 1,
        }),
    }
}

/// A section, from its BEGIN line to its END line.
struct Section<'a> {
    label: &'a [u8],
    /// The number of its BEGIN line, from 1.
    line: usize,
    /// With both lines.
    text: &'a [u8],
}

impl Section<'_> {
    fn is_key(&self) -> bool {
        matches!(
            self.label,
            b"PRIVATE KEY" | b"RSA PRIVATE KEY" | b"EC PRIVATE KEY"
        )
    }

    /// Encrypted as PKCS#8 says, or as OpenSSL did before, with headers inside of the section.
    fn is_encrypted_key(&self) -> bool {
        let headers = || {
            self.text
                .split(|byte| *byte == b'\n')
                .any(|line| line.starts_with(b"Proc-Type:") && line.trim_ascii_end().ends_with(b"ENCRYPTED"))
        };
        self.label == b"ENCRYPTED PRIVATE KEY" || (self.is_key() && headers())
    }

    fn decode(&self, contents: &FileContents) -> Result<(SectionKind, Vec<u8>), LoadError> {
        PemObject::from_pem_slice(self.text).map_err(|_| problem(contents, self.line, PemProblem::Base64))
    }
}

/// All sections of a file, of whichever kind. What stands between them is a comment.
fn sections(contents: &FileContents) -> Result<Vec<Section<'_>>, LoadError> {
    let text = &contents.bytes;
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    let mut sections = Vec::new();
    let mut open: Option<(&[u8], usize, usize)> = None;
    let mut at = 0;
    for (number, line) in (1..).zip(text.split_inclusive(|byte| *byte == b'\n')) {
        let start = at;
        at += line.len();
        let line = line.trim_ascii_end();
        if let Some(label) = label(line, BEGIN) {
            if let Some((_, begun, _)) = open {
                return Err(problem(contents, begun, PemProblem::Open));
            }
            open = Some((label, number, start));
        } else if let (Some(end), Some((label, begun, from))) = (label(line, END), open) {
            if end != label {
                return Err(problem(contents, begun, PemProblem::OtherEnd));
            }
            sections.push(Section {
                label,
                line: begun,
                text: &text[from..at],
            });
            open = None;
        }
    }
    match open {
        Some((_, begun, _)) => Err(problem(contents, begun, PemProblem::Open)),
        None => Ok(sections),
    }
}

fn label<'a>(line: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    line.strip_prefix(prefix)?.strip_suffix(DASHES)
}

fn problem(contents: &FileContents, line: usize, problem: PemProblem) -> LoadError {
    LoadError::Pem {
        file: contents.file.clone(),
        line,
        problem,
    }
}

fn nothing_of_use(contents: &FileContents, sections: &[Section<'_>]) -> LoadError {
    let file = contents.file.clone();
    if sections.is_empty() {
        return LoadError::NotPem {
            file,
            looks_like: looks_like(&contents.bytes),
        };
    }
    let printable = |label: &[u8]| -> String {
        let text = String::from_utf8_lossy(label);
        let text = text.chars().map(|c| {
            if c.is_control() {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        });
        text.take(LONGEST_LABEL).collect()
    };
    LoadError::NothingOfUse {
        file,
        found: sections.iter().map(|section| printable(section.label)).collect(),
    }
}

fn looks_like(bytes: &[u8]) -> Lookalike {
    let is_text = || {
        let mut bytes = bytes.iter();
        bytes.all(|byte| !byte.is_ascii_control() || byte.is_ascii_whitespace())
    };
    // The version of PKCS#12, at the beginning of the sequence.
    let is_pkcs12 = || bytes.windows(3).take(8).any(|window| window == [2, 1, 3]);
    match bytes {
        [0x30, 0x80..=0x84, ..] if is_pkcs12() => Lookalike::Pkcs12,
        [0x30, 0x80..=0x84, ..] => Lookalike::Der,
        [0xfe, 0xed, 0xfe, 0xed, ..] => Lookalike::JavaKeyStore,
        _ if bytes.trim_ascii().is_empty() => Lookalike::Blank,
        _ if is_text() => Lookalike::Text,
        _ => Lookalike::Binary,
    }
}
