//! Which headers pass through the proxy, and which it writes itself.
//!
//! A message passes in two steps, with the filters between them:
//!
//! | | request | response |
//! |---|---|---|
//! | on arrival | [`receive_request`]: hop-by-hop headers go, `x-forwarded-*` and `x-request-id` come | [`receive_response`]: hop-by-hop headers go |
//! | on leaving | [`finish_request`]: the framing that fits the body | [`finish_response`]: the framing that fits the body |
//!
//! Decisions that operators ask about:
//! - Hop-by-hop headers are those that `Connection` lists (but never `host`, `content-length` or `trailer`, which a
//!   client must not be able to take away), `connection`, `keep-alive`, `proxy-connection`, `transfer-encoding`,
//!   `upgrade`, and `te` except for `trailers`. Upgrades are not supported: the request goes on without.
//! - `expect` is not passed on. The proxy answers `100-continue` by itself once somebody reads the body.
//! - `x-forwarded-for` gets the client's address appended. `x-forwarded-proto` is set unless it already is `http`
//!   or `https`, and `x-request-id` unless there is a usable one: so a proxy in front of this one is believed.
//! - `via`, `server` and `date` are left as they are; `date` is added to a response that has none.
//! - A 304 loses its `content-length`, because the body it speaks of is not sent.

use bytes::{BufMut, BytesMut};
use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, Entry, HOST, HeaderMap, HeaderName, HeaderValue, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use http::{Method, StatusCode, Version, request, response};

use crate::body::Length;

/// The client's address, and those of the proxies before.
pub const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// `http` or `https`: how the client reached the first proxy.
pub const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// The id of a request on its way through all services.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The same id, on answers that the proxy itself gives.
pub const WHARF_REQUEST_ID: HeaderName = HeaderName::from_static("wharf-request-id");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// Whose request it is.
#[derive(Clone, Debug)]
pub struct Forwarded {
    /// The client's IP address as text.
    pub address: HeaderValue,
    /// `http` or `https`.
    pub scheme: HeaderValue,
}

/// A request has arrived: takes away what belongs to the client's connection and adds whose request it is.
pub fn receive_request(headers: &mut HeaderMap, forwarded: &Forwarded, request_id: &HeaderValue) {
    remove_hop_by_hop(headers);
    headers.remove(EXPECT);
    append_forwarded_for(headers, &forwarded.address);
    match headers.entry(X_FORWARDED_PROTO) {
        Entry::Occupied(mut present) if !is_scheme(present.get()) => {
            present.insert(forwarded.scheme.clone());
        }
        Entry::Occupied(_) => {}
        Entry::Vacant(absent) => {
            absent.insert(forwarded.scheme.clone());
        }
    }
    headers.insert(X_REQUEST_ID, request_id.clone());
}

/// A request leaves for an upstream: makes its framing fit its body, whatever the headers said before. Hop-by-hop headers
/// have been removed.
pub fn finish_request(head: &mut request::Parts, body: Length) {
    head.version = Version::HTTP_11;
    let headers = &mut head.headers;
    match body {
        Length::Empty => match head.method {
            // These are expected to have a body, so its absence is said.
            Method::POST | Method::PUT | Method::PATCH => set_content_length(headers, 0),
            _ => {
                headers.remove(CONTENT_LENGTH);
            }
        },
        Length::Exact(bytes) => set_content_length(headers, bytes),
        Length::Unknown => {
            headers.remove(CONTENT_LENGTH);
            headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
    }
}

/// A response has arrived: takes away what belongs to the upstream's connection.
pub fn receive_response(head: &mut response::Parts) {
    head.version = Version::HTTP_11;
    remove_hop_by_hop(&mut head.headers);
}

/// A response leaves for the client: makes its framing fit its body, whatever the headers said before.
///
/// Hop-by-hop headers have been removed. The answer to a HEAD keeps the length that it speaks of.
pub fn finish_response(head: &mut response::Parts, body: Length, method: &Method) {
    head.version = Version::HTTP_11;
    let bodiless = matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if bodiless {
        head.headers.remove(CONTENT_LENGTH);
        return;
    }
    if method == Method::HEAD {
        keep_one_content_length(&mut head.headers);
        return;
    }
    match body {
        Length::Empty => set_content_length(&mut head.headers, 0),
        Length::Exact(bytes) => set_content_length(&mut head.headers, bytes),
        Length::Unknown => {
            head.headers.remove(CONTENT_LENGTH);
        }
    }
}

/// Says which trailers will follow. HTTP/1.1 sends no trailer that the head did not announce; to a client they are
/// sent only when it asked with `te: trailers`.
pub fn announce_trailers<'a>(headers: &mut HeaderMap, names: impl IntoIterator<Item = &'a HeaderName>) {
    for name in names {
        headers.append(TRAILER, HeaderValue::from_name(name.clone()));
    }
}

/// The trailers that a head announces.
pub fn announced_trailers(headers: &HeaderMap) -> Vec<HeaderName> {
    let names = headers.get_all(TRAILER).iter().flat_map(tokens);
    names
        .filter_map(|name| HeaderName::from_bytes(name).ok())
        .collect()
}

/// The client's `x-request-id` when it can be used as an id: 1 to 128 visible ASCII characters, once.
pub fn usable_request_id(headers: &HeaderMap) -> Option<&HeaderValue> {
    let mut all = headers.get_all(X_REQUEST_ID).iter();
    let id = all.next()?;
    let bytes = id.as_bytes();
    let usable =
        (1..=128).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic) && all.next().is_none();
    usable.then_some(id)
}

/// Removes what belongs to one connection only.
pub fn remove_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        remove_listed(headers);
        headers.remove(CONNECTION);
    }
    for name in [KEEP_ALIVE, PROXY_CONNECTION, TRANSFER_ENCODING, UPGRADE] {
        headers.remove(name);
    }
    if headers.contains_key(TE) {
        let wants_trailers = headers.get_all(TE).iter().flat_map(tokens).any(|coding| {
            let name = coding.split(|byte| *byte == b';').next().unwrap_or_default();
            name.trim_ascii().eq_ignore_ascii_case(b"trailers")
        });
        headers.remove(TE);
        if wants_trailers {
            headers.insert(TE, HeaderValue::from_static("trailers"));
        }
    }
}

/// Whether [`remove_hop_by_hop`] looks at headers of this name.
pub fn is_hop_by_hop(name: &HeaderName) -> bool {
    [
        CONNECTION,
        KEEP_ALIVE,
        PROXY_CONNECTION,
        TRANSFER_ENCODING,
        UPGRADE,
        TE,
    ]
    .contains(name)
}

/// Removes the headers that `Connection` names.
fn remove_listed(headers: &mut HeaderMap) {
    let plain = |value: &HeaderValue| {
        value.as_bytes().eq_ignore_ascii_case(b"keep-alive")
            || value.as_bytes().eq_ignore_ascii_case(b"close")
    };
    if headers.get_all(CONNECTION).iter().all(plain) {
        return;
    }
    let listed: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(tokens)
        .filter_map(|token| HeaderName::from_bytes(token).ok())
        .filter(|name| ![HOST, CONTENT_LENGTH, TRAILER, TE].contains(name))
        .collect();
    for name in listed {
        headers.remove(name);
    }
}

/// The elements of a comma-separated value.
fn tokens(value: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    value
        .as_bytes()
        .split(|byte| *byte == b',')
        .map(<[u8]>::trim_ascii)
        .filter(|token| !token.is_empty())
}

fn append_forwarded_for(headers: &mut HeaderMap, address: &HeaderValue) {
    if !headers.contains_key(X_FORWARDED_FOR) {
        headers.insert(X_FORWARDED_FOR, address.clone());
        return;
    }
    let mut chain = BytesMut::new();
    for value in headers.get_all(X_FORWARDED_FOR) {
        chain.put_slice(value.as_bytes());
        chain.put_slice(b", ");
    }
    chain.put_slice(address.as_bytes());
    let chain = HeaderValue::from_maybe_shared(chain.freeze())
        .expect("header values joined with a comma are a header value");
    headers.insert(X_FORWARDED_FOR, chain);
}

fn is_scheme(value: &HeaderValue) -> bool {
    value.as_bytes().eq_ignore_ascii_case(b"http") || value.as_bytes().eq_ignore_ascii_case(b"https")
}

fn set_content_length(headers: &mut HeaderMap, bytes: u64) {
    if content_length(headers) != Some(bytes) {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes));
    }
}

/// Several equal lengths, which are legal in a response, become one; what is not a length goes.
fn keep_one_content_length(headers: &mut HeaderMap) {
    if !headers.contains_key(CONTENT_LENGTH) || content_length(headers).is_some() {
        return;
    }
    let agreed = agreed_length(headers);
    headers.remove(CONTENT_LENGTH);
    if let Some(bytes) = agreed {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes));
    }
}

fn agreed_length(headers: &HeaderMap) -> Option<u64> {
    let mut lengths = headers
        .get_all(CONTENT_LENGTH)
        .iter()
        .flat_map(tokens)
        .map(parse_length);
    let first = lengths.next().flatten()?;
    lengths.all(|length| length == Some(first)).then_some(first)
}

/// The one well-formed length; `None` when there is none, more than one, or one that is not digits.
fn content_length(headers: &HeaderMap) -> Option<u64> {
    let mut all = headers.get_all(CONTENT_LENGTH).iter();
    let length = parse_length(all.next()?.as_bytes())?;
    all.next().is_none().then_some(length)
}

fn parse_length(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests;
