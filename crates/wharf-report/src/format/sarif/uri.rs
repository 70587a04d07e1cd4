//! Addresses.

use std::fmt::Write;

use crate::class;

/// The address of a file below the root, or an address as it is where the path is one already.
pub(super) fn of_path(path: &str) -> String {
    if path.contains("://") {
        return of_address(path);
    }
    let address = escaped_path(path);
    let first = address.split('/').next().unwrap_or_default();
    // What stands before a colon would be a scheme.
    match first.contains(':') {
        true => format!("./{address}"),
        false => address,
    }
}

/// `path` with every character escaped that has a meaning in an address or no place in it.
pub(super) fn escaped_path(path: &str) -> String {
    let plain = path.bytes().all(is_kept);
    // Where something must be escaped, Go escapes these as well.
    escaped(path, |byte| {
        is_kept(byte) && (plain || !matches!(byte, b'!' | b'\'' | b'(' | b')' | b'*'))
    })
}

/// A link, where it is one of the web.
pub(super) fn of_link(link: &str) -> Option<String> {
    ["https://", "http://", "ftp://"]
        .iter()
        .any(|scheme| link.starts_with(scheme))
        .then(|| of_address(link))
}

/// An address, with what has no place in one escaped.
fn of_address(address: &str) -> String {
    let part = |text: &str| escaped(text, |byte| is_kept(byte) || matches!(byte, b'?' | b'%'));
    // A percent sign without two digits behind it is one of the text.
    let whole = |text: &str| {
        let mut pieces = text.split('%');
        let mut told = part(pieces.next().unwrap_or_default());
        for piece in pieces {
            let is_escape = piece.len() >= 2 && piece.bytes().take(2).all(|byte| byte.is_ascii_hexdigit());
            told.push_str(if is_escape { "%" } else { "%25" });
            told.push_str(&part(piece));
        }
        told
    };
    match address.split_once('#') {
        Some((before, fragment)) => format!("{}#{}", whole(before), whole(fragment)),
        None => whole(address),
    }
}

fn is_kept(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.~!$&'()*+,;=:@/".contains(&byte)
}

fn escaped(text: &str, keep: impl Fn(u8) -> bool) -> String {
    let mut address = String::with_capacity(text.len());
    for byte in text.bytes() {
        match keep(byte) {
            true => address.push(char::from(byte)),
            false => write!(address, "%{byte:02X}").expect("a string takes every text"),
        }
    }
    address
}

/// The path that stands for a target: of packages of an operating system, the repository without registry, tag, digest and
/// operating system; otherwise the target itself.
pub(in crate::format) fn path_of_target(target: &str, of_class: &str) -> String {
    if of_class != class::OS_PACKAGES {
        return target.to_owned();
    }
    let name = without_parenthesis(target);
    repository(name).unwrap_or_else(|| plain_source(name))
}

/// `app:1` of `app:1 (alpine 3.18)`.
fn without_parenthesis(target: &str) -> &str {
    match target
        .char_indices()
        .find(|(at, character)| *at > 0 && *character == '(')
    {
        Some((at, _)) if target[at..].contains(')') => target[..at].trim_end(),
        _ => target,
    }
}

/// `team/app` of `registry.example/team/app:1.2`, `library/app` of `app`, or `None` where it is no reference.
fn repository(name: &str) -> Option<String> {
    let (name, digest) = name
        .split_once('@')
        .map_or((name, None), |(name, digest)| (name, Some(digest)));
    let is_digest = |digest: &str| {
        digest
            .strip_prefix("sha256:")
            .is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    if digest.is_some_and(|digest| !is_digest(digest)) {
        return None;
    }
    let (name, tag) = match name.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (name, None),
    };
    let is_tag = |tag: &str| {
        (1..=128).contains(&tag.len())
            && tag
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
    };
    if tag.is_some_and(|tag| !is_tag(tag)) {
        return None;
    }
    let (registry, repository) = match name.split_once('/') {
        Some((registry, rest)) if registry.contains(['.', ':']) || registry == "localhost" => {
            (Some(registry), rest)
        }
        _ => (None, name),
    };
    let has_namespace =
        repository.contains('/') || !matches!(registry, None | Some("docker.io" | "index.docker.io"));
    let repository = match has_namespace {
        true => repository.to_owned(),
        false => format!("library/{repository}"),
    };
    let is_repository = (2..=255).contains(&repository.len())
        && repository
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-./".contains(&byte));
    is_repository.then_some(repository)
}

/// The sources of modules of Terraform as paths that can be opened.
pub(super) fn plain_source(source: &str) -> String {
    let source = source.replace('\\', "/");
    if source.starts_with("git@github.com:") {
        return source
            .replace("git@github.com:", "github.com/")
            .replace(".git", "")
            .replace("?ref=", "/tree/");
    }
    if let Some(rest) = source.strip_prefix("git::ssh://") {
        let rest = rest.split_once('@').map_or(source.as_str(), |(_, rest)| rest);
        return rest.replace(".git", "");
    }
    if let Some(rest) = source.strip_prefix("git::") {
        let rest = match rest.strip_prefix("https:/") {
            Some(host) if !host.starts_with('/') => host,
            _ => rest,
        };
        return rest.replace(".git", "");
    }
    if let Some(rest) = source.strip_prefix("hg::") {
        return rest.replace(".hg", "");
    }
    for prefix in ["s3::", "gcs::"] {
        if let Some(rest) = source.strip_prefix(prefix) {
            return rest.to_owned();
        }
    }
    source
}
