//! Between hyper's headers and those that filters see.

use http::header::HOST;
use http::uri::{Authority, PathAndQuery};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version, request, response};
use wharf_abi_proxy_wasm::{HeaderError, HeaderList, Name};

use crate::headers;

/// What filters left cannot be sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadMessage {
    /// A pseudo-header is missing.
    #[error("the headers have no {0}")]
    Missing(&'static str),
    /// A pseudo-header is not what it must be.
    #[error("{value:?} cannot be {name}")]
    Bad {
        /// Which.
        name: &'static str,
        /// What it is.
        value: HeaderValue,
    },
    /// There are too many headers.
    #[error(transparent)]
    Headers(#[from] HeaderError),
}

/// A request's head as filters see it: the pseudo-headers first, then the others in the order in which they came.
pub(crate) fn request_list(head: &request::Parts, scheme: &HeaderValue) -> Result<HeaderList, HeaderError> {
    let mut list = HeaderList::with_capacity(head.headers.len() + 4 + ROOM_TO_ADD);
    let host = head.headers.get(HOST).cloned();
    list.push(
        Name::Authority,
        host.unwrap_or_else(|| HeaderValue::from_static("")),
    )?;
    let path = path_of(&head.uri);
    list.push(
        Name::Path,
        HeaderValue::from_str(path).map_err(|_| HeaderError::Value(":path".into()))?,
    )?;
    list.push(Name::Method, method_value(&head.method))?;
    list.push(Name::Scheme, scheme.clone())?;
    push_all(&mut list, &head.headers)?;
    list.mark();
    Ok(list)
}

/// How many headers filters may add before the list has to grow.
const ROOM_TO_ADD: usize = 4;

fn path_of(uri: &Uri) -> &str {
    uri.path_and_query().map_or("/", PathAndQuery::as_str)
}

fn method_value(method: &Method) -> HeaderValue {
    match *method {
        Method::GET => HeaderValue::from_static("GET"),
        Method::POST => HeaderValue::from_static("POST"),
        Method::PUT => HeaderValue::from_static("PUT"),
        Method::HEAD => HeaderValue::from_static("HEAD"),
        ref other => HeaderValue::from_str(other.as_str()).expect("a method is visible ASCII"),
    }
}

/// A response's head as filters see it.
pub(crate) fn response_list(head: &response::Parts) -> Result<HeaderList, HeaderError> {
    let mut list = HeaderList::with_capacity(head.headers.len() + 1 + ROOM_TO_ADD);
    list.push(Name::Status, status_value(head.status))?;
    push_all(&mut list, &head.headers)?;
    list.mark();
    Ok(list)
}

/// Without an allocation for the statuses that most answers have.
fn status_value(status: StatusCode) -> HeaderValue {
    match status {
        StatusCode::OK => HeaderValue::from_static("200"),
        StatusCode::CREATED => HeaderValue::from_static("201"),
        StatusCode::NO_CONTENT => HeaderValue::from_static("204"),
        StatusCode::FOUND => HeaderValue::from_static("302"),
        StatusCode::NOT_MODIFIED => HeaderValue::from_static("304"),
        StatusCode::NOT_FOUND => HeaderValue::from_static("404"),
        other => HeaderValue::from(other.as_u16()),
    }
}

/// Trailers as filters see them.
pub(crate) fn list(headers: &HeaderMap) -> Result<HeaderList, HeaderError> {
    let mut list = HeaderList::with_capacity(headers.len());
    push_all(&mut list, headers)?;
    Ok(list)
}

fn push_all(list: &mut HeaderList, headers: &HeaderMap) -> Result<(), HeaderError> {
    // Filters see `host` as `:authority`.
    for (name, value) in headers.iter().filter(|(name, _)| **name != HOST) {
        list.push(Name::Field(name.clone()), value.clone())?;
    }
    Ok(())
}

/// The headers that are no pseudo-headers, as hyper wants them.
pub(crate) fn map(list: &HeaderList) -> HeaderMap {
    let mut map = HeaderMap::with_capacity(list.len());
    for (name, value) in list.iter() {
        if let Name::Field(name) = name {
            map.append(name.clone(), value.clone());
        }
    }
    map
}

/// The headers that leave: those that came, with what filters have added, or all anew where they changed more. None of
/// them belongs to one connection only.
fn leaving(list: &HeaderList, came: Option<HeaderMap>) -> HeaderMap {
    let (Some(mut headers), Some(added)) = (came, list.added()) else {
        let mut headers = map(list);
        headers::remove_hop_by_hop(&mut headers);
        return headers;
    };
    let mut adds_hop_by_hop = false;
    for (name, value) in added {
        if let Name::Field(name) = name {
            adds_hop_by_hop |= headers::is_hop_by_hop(name);
            headers.append(name.clone(), value.clone());
        }
    }
    if adds_hop_by_hop {
        headers::remove_hop_by_hop(&mut headers);
    }
    headers
}

/// A request's head from what filters left, and the head as it came: target in origin form, and `Host`, and no headers
/// that belong to one connection only.
pub(crate) fn request_head(
    list: &HeaderList,
    came: Option<request::Parts>,
) -> Result<request::Parts, BadMessage> {
    let method = pseudo(list, ":method")?;
    let path = pseudo(list, ":path")?;
    let authority = pseudo(list, ":authority")?;
    let (mut head, ()) = Request::new(()).into_parts();
    head.version = Version::HTTP_11;
    let (came_method, came_uri, came_headers) = match came {
        Some(came) => (Some(came.method), Some(came.uri), Some(came.headers)),
        None => (None, None, None),
    };
    head.method = match came_method.filter(|came| came.as_str().as_bytes() == method.as_bytes()) {
        Some(came) => came,
        None => Method::from_bytes(method.as_bytes()).map_err(|_| bad("a method", method))?,
    };
    let is_same = |came: &Uri| came.authority().is_none() && path_of(came).as_bytes() == path.as_bytes();
    head.uri = match came_uri.filter(is_same) {
        Some(came) => came,
        None => target(path)?,
    };
    let came_host = came_headers.as_ref().and_then(|headers| headers.get(HOST));
    let same_host = came_host.is_some_and(|came| came == authority);
    if !same_host && !authority.is_empty() {
        Authority::try_from(authority.as_bytes()).map_err(|_| bad("an authority", authority))?;
    }
    head.headers = leaving(list, came_headers);
    if !same_host || !head.headers.contains_key(HOST) {
        head.headers.insert(HOST, authority.clone());
    }
    Ok(head)
}

fn target(path: &HeaderValue) -> Result<Uri, BadMessage> {
    if path == "*" {
        return Ok(Uri::from_static("*"));
    }
    let parsed = PathAndQuery::try_from(path.as_bytes())
        .ok()
        .filter(|path| path.as_str().starts_with('/'));
    parsed.map(Uri::from).ok_or_else(|| bad("a path", path))
}

/// A response's head from what filters left, and the headers that came, if any did; none of them belongs to one
/// connection only.
pub(crate) fn response_head(
    list: &HeaderList,
    came: Option<HeaderMap>,
) -> Result<response::Parts, BadMessage> {
    let status = pseudo(list, ":status")?;
    let (mut head, ()) = Response::new(()).into_parts();
    let code = StatusCode::from_bytes(status.as_bytes())
        .ok()
        .filter(|code| code.as_u16() >= 200);
    head.status = code.ok_or_else(|| bad("a final status", status))?;
    head.headers = leaving(list, came);
    Ok(head)
}

fn pseudo<'a>(list: &'a HeaderList, name: &'static str) -> Result<&'a HeaderValue, BadMessage> {
    list.get(name.as_bytes()).ok_or(BadMessage::Missing(name))
}

fn bad(name: &'static str, value: &HeaderValue) -> BadMessage {
    BadMessage::Bad {
        name,
        value: value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(list: &[(&'static str, &'static str)]) -> Result<request::Parts, BadMessage> {
        request_head(&list.iter().copied().collect(), None)
    }

    #[test]
    fn there_and_back() {
        let (head, ()) = Request::builder()
            .method("POST")
            .uri("/a?b=c")
            .header("host", "example.com")
            .header("x", "1")
            .header("y", "2")
            .header("x", "3")
            .body(())
            .unwrap()
            .into_parts();
        let mut list = request_list(&head, &HeaderValue::from_static("http")).unwrap();
        let text: Vec<_> = list
            .iter()
            .map(|(n, v)| format!("{n}={}", v.to_str().unwrap()))
            .collect();
        let expected = [
            ":authority=example.com",
            ":path=/a?b=c",
            ":method=POST",
            ":scheme=http",
            "x=1",
            "x=3",
            "y=2",
        ];
        assert_eq!(text, expected);
        let came = || Some(head.clone());
        for came in [None, came()] {
            let left = request_head(&list, came).unwrap();
            assert_eq!(
                (left.method, left.uri.to_string()),
                (Method::POST, "/a?b=c".to_owned())
            );
            assert_eq!(left.headers.get("host").unwrap(), "example.com");
            assert_eq!(left.headers.get_all("x").iter().count(), 2);
        }
        for (name, value) in [("x", "4"), (":path", "/d"), ("connection", "y"), ("te", "gzip")] {
            list.add(name.as_bytes(), value.as_bytes()).unwrap();
        }
        assert!(list.added().is_some());
        for came in [None, came()] {
            let left = request_head(&list, came).unwrap();
            assert_eq!(left.uri, "/d");
            let names: Vec<_> = left
                .headers
                .iter()
                .map(|(n, v)| format!("{n}={}", v.to_str().unwrap()))
                .collect();
            // What `connection` names has gone with it.
            assert!(
                !names
                    .iter()
                    .any(|n| n.starts_with('y') || n.starts_with('t') || n.starts_with('c')),
                "{names:?}"
            );
            assert_eq!(left.headers.get_all("x").iter().count(), 3);
            assert_eq!(left.headers.get_all("host").iter().count(), 1);
        }
        list.replace(b"host", b"other.example").unwrap();
        list.remove(b"x");
        assert!(list.added().is_none());
        let left = request_head(&list, came()).unwrap();
        assert_eq!(
            left.headers.get_all("host").iter().collect::<Vec<_>>(),
            ["other.example"]
        );
        assert!(!left.headers.contains_key("x"));
    }

    #[test]
    fn a_response_leaves_as_it_came_but_for_what_was_added() {
        let (head, ()) = Response::builder()
            .status(206)
            .header("a", "1")
            .header("b", "2")
            .body(())
            .unwrap()
            .into_parts();
        let mut list = response_list(&head).unwrap();
        list.add(b"a", b"3").unwrap();
        list.replace(b":status", b"404").unwrap();
        let left = response_head(&list, Some(head.headers)).unwrap();
        assert_eq!(left.status, StatusCode::NOT_FOUND);
        assert_eq!(left.headers, response_head(&list, None).unwrap().headers);
        assert_eq!(left.headers.len(), 3);
    }

    #[test]
    fn what_filters_break_is_noticed() {
        let good = [(":method", "GET"), (":path", "/"), (":authority", "a")];
        assert!(request(&good).is_ok());
        for (index, value) in [(0, "G T"), (1, "no-slash"), (1, "http://b/"), (2, "a b")] {
            let mut list = good;
            list[index].1 = value;
            assert!(matches!(request(&list), Err(BadMessage::Bad { .. })), "{value}");
        }
        assert!(matches!(
            request(&good[..2]),
            Err(BadMessage::Missing(":authority"))
        ));
        for status in ["abc", "100", "99", ""] {
            let list: HeaderList = [(":status", status)].into_iter().collect();
            assert!(response_head(&list, None).is_err(), "{status:?}");
        }
    }
}
