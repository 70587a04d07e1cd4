//! The modules of the cases, as files that both proxies can load.

use std::path::{Path, PathBuf};

/// The module of a guest, below `guests/`. One in WebAssembly's text is assembled into `scratch` first, because Envoy reads
/// binaries only.
///
/// # Errors
/// Which guest is missing or not valid.
pub(crate) fn module(guests: &Path, guest: &str, scratch: &Path) -> Result<PathBuf, String> {
    let Some(name) = guest.strip_prefix("wat/") else {
        let path = guests.join(guest).join(format!("{guest}.wasm"));
        return path
            .is_file()
            .then_some(path)
            .ok_or_else(|| format!("there is no guest `{guest}`"));
    };
    let assembled = scratch.join(format!("{name}.wasm"));
    if !assembled.is_file() {
        let source = guests.join("wat").join(format!("{name}.wat"));
        let bytes = wat::parse_file(&source).map_err(|error| error.to_string())?;
        std::fs::write(&assembled, bytes).map_err(|error| format!("{}: {error}", assembled.display()))?;
    }
    Ok(assembled)
}
