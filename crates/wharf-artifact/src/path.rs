//! Paths as text.

/// A path without `.`, without `..` where that can be told from the text, without doubled slashes and without one at its end.
pub(crate) fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}

/// Why a name in an archive is no path below its root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PathFault {
    /// It leaves the root by `..`.
    LeavesRoot,
    /// It has a NUL byte.
    Impossible,
}

/// The name of an entry of an archive as a path below the root: cleaned, without a slash at its start. The root itself is `.`.
pub(crate) fn beneath_root(name: &[u8]) -> Result<String, PathFault> {
    if name.contains(&0) {
        return Err(PathFault::Impossible);
    }
    let cleaned = clean(&String::from_utf8_lossy(name));
    let relative = cleaned.trim_start_matches('/');
    if relative == ".." || relative.starts_with("../") {
        return Err(PathFault::LeavesRoot);
    }
    Ok(if relative.is_empty() {
        ".".to_owned()
    } else {
        relative.to_owned()
    })
}
