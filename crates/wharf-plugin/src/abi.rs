//! Which ABIs some bytes speak.

use std::fmt;

use crate::{MalformedModule, ModuleSurface};

/// A contract between a guest and its host: which functions each calls, and what their arguments mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Abi {
    /// A filter for a proxy.
    ProxyWasm(ProxyWasmVersion),
    /// A guest that takes calls by name, such as an admission policy.
    WaPc,
    /// A scanner module for Trivy.
    TrivyModule,
    /// A policy compiled from Rego by OPA.
    OpaPolicy,
    /// A program with `_start` that speaks WASI. Only where no other ABI was found, because guests of other ABIs
    /// export `_start` too.
    WasiCommand,
}

/// The versions of proxy-wasm that are understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProxyWasmVersion {
    /// 0.1.0, of which many filters are still around.
    V0_1_0,
    /// 0.2.0, which the Go SDK writes.
    V0_2_0,
    /// 0.2.1, which the Rust and C++ SDKs write.
    V0_2_1,
}

impl ProxyWasmVersion {
    /// All versions, oldest first.
    pub const ALL: [Self; 3] = [Self::V0_1_0, Self::V0_2_0, Self::V0_2_1];

    /// The export by whose presence a module says that it speaks this version.
    pub const fn marker(self) -> &'static str {
        match self {
            Self::V0_1_0 => "proxy_abi_version_0_1_0",
            Self::V0_2_0 => "proxy_abi_version_0_2_0",
            Self::V0_2_1 => "proxy_abi_version_0_2_1",
        }
    }
}

impl fmt::Display for ProxyWasmVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::V0_1_0 => "0.1.0",
            Self::V0_2_0 => "0.2.0",
            Self::V0_2_1 => "0.2.1",
        })
    }
}

impl fmt::Display for Abi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ProxyWasm(version) => write!(f, "proxy-wasm {version}"),
            Self::WaPc => f.write_str("waPC"),
            Self::TrivyModule => f.write_str("Trivy module"),
            Self::OpaPolicy => f.write_str("OPA policy"),
            Self::WasiCommand => f.write_str("WASI command"),
        }
    }
}

/// A module that speaks at least one ABI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentifiedModule {
    /// The ABIs that it speaks, never empty; of several versions of one ABI the newest comes first.
    pub abis: Vec<Abi>,
    /// Its imports and exports.
    pub surface: ModuleSurface,
}

impl IdentifiedModule {
    /// The newest version of proxy-wasm that the module speaks, if it speaks any.
    pub fn proxy_wasm(&self) -> Option<ProxyWasmVersion> {
        self.abis.iter().find_map(|abi| match abi {
            Abi::ProxyWasm(version) => Some(*version),
            _ => None,
        })
    }
}

/// Finds out which ABIs some bytes speak, by the names of their exports. Nothing is compiled or run, and no bytes can
/// make this panic; it takes about a millisecond for a module of a few megabytes.
///
/// # Errors
/// When the bytes are something else than a module, a damaged module, a component, or a module with no known marker.
pub fn identify(bytes: &[u8]) -> Result<IdentifiedModule, IdentifyError> {
    let Some(version) = wasm_version(bytes) else {
        return Err(IdentifyError::NotWasm {
            looks_like: Lookalike::of(bytes),
        });
    };
    if version[2..] == [1, 0] {
        return Err(IdentifyError::Component);
    }
    let surface = ModuleSurface::parse(bytes)?;
    let abis = spoken_abis(&surface);
    if !abis.is_empty() {
        return Ok(IdentifiedModule { abis, surface });
    }
    match surface
        .exports
        .iter()
        .find(|export| export.name.starts_with(PROXY_WASM_MARKER))
    {
        Some(marker) => Err(IdentifyError::UnknownProxyWasmVersion {
            marker: marker.name.clone(),
        }),
        None => Err(IdentifyError::NoMarker {
            surface: Box::new(surface),
        }),
    }
}

const PROXY_WASM_MARKER: &str = "proxy_abi_version_";
const TRIVY_MARKERS: [&str; 3] = ["api_version", "is_analyzer", "is_post_scanner"];

/// The four bytes behind the magic number, where there are any.
fn wasm_version(bytes: &[u8]) -> Option<[u8; 4]> {
    bytes.strip_prefix(b"\0asm")?.first_chunk().copied()
}

fn spoken_abis(surface: &ModuleSurface) -> Vec<Abi> {
    let mut abis: Vec<Abi> = ProxyWasmVersion::ALL
        .into_iter()
        .rev()
        .filter(|version| surface.export(version.marker()).is_some())
        .map(Abi::ProxyWasm)
        .collect();
    if surface.exports_function("__guest_call") {
        abis.push(Abi::WaPc);
    }
    if TRIVY_MARKERS
        .iter()
        .all(|marker| surface.exports_function(marker))
    {
        abis.push(Abi::TrivyModule);
    }
    if surface.exports_function("opa_eval_ctx_new") {
        abis.push(Abi::OpaPolicy);
    }
    let unknown_filter = surface
        .exports
        .iter()
        .any(|export| export.name.starts_with(PROXY_WASM_MARKER));
    if abis.is_empty() && !unknown_filter && surface.exports_function("_start") {
        abis.push(Abi::WasiCommand);
    }
    abis
}

/// Why bytes cannot be used as a plugin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentifyError {
    /// No WebAssembly at all.
    #[error("this is not WebAssembly: {looks_like}")]
    NotWasm {
        /// What it seems to be.
        looks_like: Lookalike,
    },
    /// Begins like a module and goes wrong.
    #[error("this WebAssembly module is damaged")]
    Malformed(#[from] MalformedModule),
    /// A component, where only core modules are run.
    #[error("this is a WebAssembly component, and only core modules can be run")]
    Component,
    /// A proxy-wasm filter of a version that is not known.
    #[error("this filter speaks a version of proxy-wasm that is not known: it exports `{marker}`")]
    UnknownProxyWasmVersion {
        /// The export that names the version.
        marker: String,
    },
    /// A module that does not say for which host it was made.
    #[error("this module speaks no known ABI: it exports no marker of one")]
    NoMarker {
        /// What it imports and exports instead.
        surface: Box<ModuleSurface>,
    },
}

impl IdentifyError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::NotWasm { looks_like } => looks_like.hint().to_owned(),
            Self::Malformed(_) => "the file may have been cut short: build or copy it again".to_owned(),
            Self::Component => "build a core module, for example with `--target wasm32-wasip1`".to_owned(),
            Self::UnknownProxyWasmVersion { .. } => {
                "build the filter with an SDK for proxy-wasm 0.1.0, 0.2.0 or 0.2.1".to_owned()
            }
            Self::NoMarker { surface } if surface.exports.is_empty() => {
                "it exports nothing: was it linked as a library (`crate-type = [\"cdylib\"]`)?".to_owned()
            }
            Self::NoMarker { .. } => {
                "an HTTP filter exports `proxy_abi_version_0_2_1`; SDKs add that export by themselves"
                    .to_owned()
            }
        }
    }
}

/// What bytes that are not WebAssembly seem to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookalike {
    /// No bytes.
    Empty,
    /// A module that ends within its first eight bytes.
    CutShort,
    /// A module in text form.
    WatText,
    /// A web page, as servers give instead of a file that they do not have.
    Html,
    /// JSON, as servers give when something went wrong.
    Json,
    /// The stand-in that a repository has for a large file.
    LargeFilePointer,
    /// Compressed with gzip.
    Gzip,
    /// Compressed with Zstandard.
    Zstd,
    /// A zip archive.
    Zip,
    /// A tar archive.
    Tar,
    /// A native program or object file, also a module that was compiled ahead of time.
    Elf,
    /// Some other text.
    Text,
    /// Something else; its first bytes, at most eight.
    Unknown(Vec<u8>),
}

impl Lookalike {
    /// Guesses from the first bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(&bytes[..bytes.len().min(512)])
            .trim_start()
            .to_ascii_lowercase();
        let starts = |prefix: &[u8]| bytes.starts_with(prefix);
        match () {
            () if bytes.is_empty() => Self::Empty,
            () if starts(b"\0asm") || b"\0asm".starts_with(bytes) => Self::CutShort,
            () if starts(&[0x1f, 0x8b]) => Self::Gzip,
            () if starts(&[0x28, 0xb5, 0x2f, 0xfd]) => Self::Zstd,
            () if starts(b"PK\x03\x04") => Self::Zip,
            () if starts(b"\x7fELF") => Self::Elf,
            () if bytes.get(257..262) == Some(b"ustar") => Self::Tar,
            () if starts(b"version https://git-lfs.github.com/spec/") => Self::LargeFilePointer,
            () if text.starts_with('<') => Self::Html,
            () if text.starts_with("(module") || text.starts_with(";;") || text.starts_with("(;") => {
                Self::WatText
            }
            () if text.starts_with('{') || text.starts_with('[') => Self::Json,
            () if looks_like_text(bytes) => Self::Text,
            () => Self::Unknown(bytes[..bytes.len().min(8)].to_vec()),
        }
    }

    fn hint(&self) -> &'static str {
        match self {
            Self::Empty | Self::CutShort => "the file may have been cut short: build or copy it again",
            Self::WatText => "name the file `.wat`, or turn it into a `.wasm` with `wat2wasm`",
            Self::Html | Self::Json => {
                "open it: it is probably a server's answer that was saved instead of the module"
            }
            Self::LargeFilePointer => "fetch the file itself with `git lfs pull`",
            Self::Gzip | Self::Zstd | Self::Zip | Self::Tar => "unpack it first",
            Self::Elf => "build for a WebAssembly target, for example with `--target wasm32-wasip1`",
            Self::Text | Self::Unknown(_) => "a module begins with the bytes 00 61 73 6d",
        }
    }
}

fn looks_like_text(bytes: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(512)];
    head.iter()
        .all(|&byte| byte >= b' ' || matches!(byte, b'\n' | b'\r' | b'\t'))
}

impl fmt::Display for Lookalike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the file is empty",
            Self::CutShort => "it ends within its header",
            Self::WatText => "it is the text form of a module",
            Self::Html => "it looks like a web page",
            Self::Json => "it looks like JSON",
            Self::LargeFilePointer => "it is a pointer to a file in Git LFS",
            Self::Gzip => "it is compressed with gzip",
            Self::Zstd => "it is compressed with Zstandard",
            Self::Zip => "it is a zip archive",
            Self::Tar => "it is a tar archive",
            Self::Elf => "it is a native program (ELF)",
            Self::Text => "it looks like text",
            Self::Unknown(first) => {
                let first: Vec<String> = first.iter().map(|byte| format!("{byte:02x}")).collect();
                return write!(f, "it begins with the bytes {}", first.join(" "));
            }
        })
    }
}

#[cfg(test)]
mod tests;
