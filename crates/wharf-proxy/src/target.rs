//! The request's target: which host and path a request is for, made unambiguous before anything decides by it.
//!
//! Routes, filters and upstreams must see the same path, or a rule for `/admin` could be passed by asking for
//! `/public/../admin`. So, before routing:
//! - Dot segments are resolved, also where dots are written as `%2e`. A path that climbs above its root is refused.
//! - `%00`, a backslash and its escape `%5c`, and dot segments next to an escaped slash (`..%2f`) are refused: there
//!   is no reading of them on which all servers agree.
//! - Everything else, also doubled slashes and other escapes, stays byte for byte as it was sent.

use bytes::Bytes;
use http::header::{HOST, HeaderValue};
use http::uri::PathAndQuery;
use http::{HeaderMap, Uri, Version, request};

/// Why a target is refused with 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadTarget {
    /// `/..` at the root.
    #[error("the path climbs above its root")]
    AboveRoot,
    /// `%00`.
    #[error("the path contains an escaped NUL")]
    Nul,
    /// `\` or `%5c`.
    #[error("the path contains a backslash")]
    Backslash,
    /// `..%2f` or similar.
    #[error("the path contains a dot segment next to an escaped slash")]
    EscapedSlash,
    /// `%` without two hexadecimal digits.
    #[error("the path contains a broken escape")]
    BrokenEscape,
    /// The target has neither a path nor is it `*`.
    #[error("the target is neither a path nor a URL")]
    Form,
}

/// Brings the target into origin form, resolves its dot segments, and makes `Host` agree with it. Returns the host,
/// with its port if it has one; `None` for an HTTP/1.0 request that names none.
pub(crate) fn settle(head: &mut request::Parts) -> Result<Option<HeaderValue>, BadTarget> {
    let host = settle_host(head)?;
    let settled = match resolve(head.uri.path())? {
        Resolved::AsIs if head.uri.scheme().is_none() => return Ok(host),
        Resolved::AsIs => head.uri.path_and_query().cloned().ok_or(BadTarget::Form)?,
        Resolved::To(path) => with_query(path, head.uri.query())?,
    };
    head.uri = Uri::from(settled);
    Ok(host)
}

/// A target in absolute form overrules `Host`, as RFC 9112 section 3.2.2 demands.
fn settle_host(head: &mut request::Parts) -> Result<Option<HeaderValue>, BadTarget> {
    let Some(authority) = head.uri.authority() else {
        return Ok(host_of(&head.headers, head.version));
    };
    if head.uri.scheme().is_none() {
        return Err(BadTarget::Form);
    }
    let host = HeaderValue::from_str(authority.as_str()).map_err(|_| BadTarget::Form)?;
    head.headers.insert(HOST, host.clone());
    Ok(Some(host))
}

fn host_of(headers: &HeaderMap, version: Version) -> Option<HeaderValue> {
    let host = headers.get(HOST).cloned();
    debug_assert!(
        host.is_some() || version == Version::HTTP_10,
        "the strict reader demands a Host"
    );
    host
}

fn with_query(mut path: Vec<u8>, query: Option<&str>) -> Result<PathAndQuery, BadTarget> {
    if let Some(query) = query {
        path.push(b'?');
        path.extend_from_slice(query.as_bytes());
    }
    PathAndQuery::from_maybe_shared(Bytes::from(path)).map_err(|_| BadTarget::Form)
}

enum Resolved {
    AsIs,
    To(Vec<u8>),
}

fn resolve(path: &str) -> Result<Resolved, BadTarget> {
    let bytes = path.as_bytes();
    if bytes.first() != Some(&b'/') {
        return if path == "*" {
            Ok(Resolved::AsIs)
        } else {
            Err(BadTarget::Form)
        };
    }
    if memchr::memchr3(b'%', b'\\', b'.', bytes).is_none() {
        return Ok(Resolved::AsIs);
    }
    check_escapes(bytes)?;
    if !bytes[1..]
        .split(|byte| *byte == b'/')
        .any(|segment| dots(segment).is_some())
    {
        return Ok(Resolved::AsIs);
    }
    remove_dot_segments(bytes).map(Resolved::To)
}

/// Refuses the escapes and characters that servers read differently.
fn check_escapes(path: &[u8]) -> Result<(), BadTarget> {
    if memchr::memchr(b'\\', path).is_some() {
        return Err(BadTarget::Backslash);
    }
    for at in memchr::memchr_iter(b'%', path) {
        let (Some(high), Some(low)) = (path.get(at + 1), path.get(at + 2)) else {
            return Err(BadTarget::BrokenEscape);
        };
        match (high.to_ascii_lowercase(), low.to_ascii_lowercase()) {
            (b'0', b'0') => return Err(BadTarget::Nul),
            (b'5', b'c') => return Err(BadTarget::Backslash),
            (b'2', b'f') if is_next_to_dots(path, at) => return Err(BadTarget::EscapedSlash),
            (high, low) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {}
            _ => return Err(BadTarget::BrokenEscape),
        }
    }
    Ok(())
}

/// Whether the piece before or after the escaped slash at `at` would be a dot segment, were it a real slash.
fn is_next_to_dots(path: &[u8], at: usize) -> bool {
    let is_slash = |index: usize| {
        path[index] == b'/'
            || (path[index] == b'%'
                && path[index + 1..]
                    .get(..2)
                    .is_some_and(|hex| hex.eq_ignore_ascii_case(b"2f")))
    };
    let before_from = (0..at)
        .rev()
        .find(|index| is_slash(*index))
        .map_or(0, |slash| slash + slash_length(path, slash));
    let after_from = at + 3;
    let after_to = (after_from..path.len())
        .find(|index| is_slash(*index))
        .unwrap_or(path.len());
    dots(&path[before_from..at]).is_some() || dots(&path[after_from..after_to]).is_some()
}

fn slash_length(path: &[u8], at: usize) -> usize {
    if path[at] == b'/' { 1 } else { 3 }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Dots {
    One,
    Two,
}

/// Whether a segment is `.` or `..`, with dots written in either way.
fn dots(mut segment: &[u8]) -> Option<Dots> {
    let mut count = 0;
    while !segment.is_empty() {
        segment = match segment {
            [b'.', rest @ ..] | [b'%', b'2', b'e' | b'E', rest @ ..] => rest,
            _ => return None,
        };
        count += 1;
    }
    match count {
        1 => Some(Dots::One),
        2 => Some(Dots::Two),
        _ => None,
    }
}

/// RFC 3986 section 5.2.4, but climbing above the root is an error.
fn remove_dot_segments(path: &[u8]) -> Result<Vec<u8>, BadTarget> {
    let mut resolved = Vec::with_capacity(path.len());
    let mut segments = path[1..].split(|byte| *byte == b'/').peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match dots(segment) {
            None => {
                resolved.push(b'/');
                resolved.extend_from_slice(segment);
                continue;
            }
            Some(Dots::One) => {}
            Some(Dots::Two) => {
                let parent = memchr::memrchr(b'/', &resolved).ok_or(BadTarget::AboveRoot)?;
                resolved.truncate(parent);
            }
        }
        if last {
            resolved.push(b'/');
        }
    }
    Ok(resolved)
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn settled(target: &str) -> Result<(String, Option<String>), BadTarget> {
        let (mut head, ()) = Request::builder()
            .uri(target)
            .header("host", "from-header")
            .body(())
            .unwrap()
            .into_parts();
        let host = settle(&mut head)?;
        assert_eq!(head.headers.get("host"), host.as_ref());
        Ok((
            head.uri.to_string(),
            host.map(|host| host.to_str().unwrap().to_owned()),
        ))
    }

    #[test]
    fn ordinary_paths_stay_as_they_are() {
        for path in [
            "/",
            "/a",
            "/a/b?c=/../d",
            "/a//b",
            "/a%20b",
            "/a.b/..c/...",
            "/.well-known/x",
            "/a%2fb",
            "/%e2%82%ac",
            "/?",
            "/a/b/?x=%2e%2e/",
            "/..a",
        ] {
            assert_eq!(settled(path).unwrap().0, path);
        }
    }

    #[test]
    fn dot_segments_are_resolved_however_they_are_written() {
        for (path, expected) in [
            ("/a/./b", "/a/b"),
            ("/a/../b", "/b"),
            ("/a/b/..", "/a/"),
            ("/a/b/.", "/a/b/"),
            ("/public/%2e%2E/admin?x=1", "/admin?x=1"),
            ("/public/.%2e/admin", "/admin"),
            ("/a//../b", "/a/b"),
            ("/.", "/"),
            ("/a/..", "/"),
        ] {
            assert_eq!(settled(path).unwrap().0, expected, "{path}");
        }
    }

    #[test]
    fn what_servers_read_differently_is_refused() {
        for (path, error) in [
            ("/..", BadTarget::AboveRoot),
            ("/a/../../b", BadTarget::AboveRoot),
            ("/a%00b", BadTarget::Nul),
            ("/a%5cb", BadTarget::Backslash),
            ("/a%5C..%5Cb", BadTarget::Backslash),
            ("/public/..%2fadmin", BadTarget::EscapedSlash),
            ("/public%2f../admin", BadTarget::EscapedSlash),
            ("/public/%2e%2e%2Fadmin", BadTarget::EscapedSlash),
            ("/public%2f%2e%2e%2fadmin", BadTarget::EscapedSlash),
            ("/a%", BadTarget::BrokenEscape),
            ("/a%zz", BadTarget::BrokenEscape),
            ("/a%2", BadTarget::BrokenEscape),
        ] {
            assert_eq!(settled(path).unwrap_err(), error, "{path}");
        }
    }

    #[test]
    fn a_url_overrules_the_host_and_becomes_a_path() {
        let (target, host) = settled("http://from-url:8080/a/../b?c").unwrap();
        assert_eq!(
            (target.as_str(), host.as_deref()),
            ("/b?c", Some("from-url:8080"))
        );
        let (target, host) = settled("http://from-url").unwrap();
        assert_eq!((target.as_str(), host.as_deref()), ("/", Some("from-url")));
        assert_eq!(settled("/x").unwrap().1.as_deref(), Some("from-header"));
    }

    #[test]
    fn an_asterisk_stays_and_an_authority_is_refused() {
        assert_eq!(settled("*").unwrap().0, "*");
        assert_eq!(settled("example.com:443").unwrap_err(), BadTarget::Form);
    }
}
