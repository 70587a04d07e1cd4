//! Between hyper's headers and those that filters see.

use http::header::HOST;
use http::uri::{Authority, PathAndQuery};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version, request, response};
use wharf_abi_proxy_wasm::{HeaderError, HeaderList, Name};

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
pub(crate) fn request_list(head: request::Parts, scheme: &HeaderValue) -> Result<HeaderList, HeaderError> {
    let request::Parts {
        method, uri, headers, ..
    } = head;
    let mut list = HeaderList::with_capacity(headers.len() + 4);
    // Looked up and not taken out: taking one header out of the map would change the order of the others.
    let host = headers.get(HOST).cloned();
    list.push(
        Name::Authority,
        host.unwrap_or_else(|| HeaderValue::from_static("")),
    )?;
    let path = uri.path_and_query().map_or("/", PathAndQuery::as_str);
    list.push(
        Name::Path,
        HeaderValue::from_str(path).map_err(|_| HeaderError::Value(":path".into()))?,
    )?;
    list.push(Name::Method, method_value(&method))?;
    list.push(Name::Scheme, scheme.clone())?;
    push_all(&mut list, headers)?;
    Ok(list)
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
pub(crate) fn response_list(head: response::Parts) -> Result<HeaderList, HeaderError> {
    let mut list = HeaderList::with_capacity(head.headers.len() + 1);
    list.push(Name::Status, HeaderValue::from(head.status.as_u16()))?;
    push_all(&mut list, head.headers)?;
    Ok(list)
}

/// Trailers as filters see them.
pub(crate) fn list(headers: HeaderMap) -> Result<HeaderList, HeaderError> {
    let mut list = HeaderList::with_capacity(headers.len());
    push_all(&mut list, headers)?;
    Ok(list)
}

fn push_all(list: &mut HeaderList, headers: HeaderMap) -> Result<(), HeaderError> {
    let mut last = None;
    for (name, value) in headers {
        // A name stands only before the first of its values.
        if let Some(name) = name {
            last = Some(name);
        }
        match &last {
            // Filters see it as `:authority`.
            Some(name) if *name == HOST => {}
            Some(name) => list.push(Name::Field(name.clone()), value)?,
            None => {}
        }
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

/// A request's head from what filters left: target in origin form, and `Host`.
pub(crate) fn request_head(list: &HeaderList) -> Result<request::Parts, BadMessage> {
    let method = pseudo(list, ":method")?;
    let path = pseudo(list, ":path")?;
    let authority = pseudo(list, ":authority")?;
    let (mut head, ()) = Request::new(()).into_parts();
    head.version = Version::HTTP_11;
    head.method = Method::from_bytes(method.as_bytes()).map_err(|_| bad("a method", method))?;
    head.uri = target(path)?;
    if !authority.is_empty() {
        Authority::try_from(authority.as_bytes()).map_err(|_| bad("an authority", authority))?;
    }
    head.headers = map(list);
    head.headers.insert(HOST, authority.clone());
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

/// A response's head from what filters left.
pub(crate) fn response_head(list: &HeaderList) -> Result<response::Parts, BadMessage> {
    let status = pseudo(list, ":status")?;
    let (mut head, ()) = Response::new(()).into_parts();
    let code = StatusCode::from_bytes(status.as_bytes())
        .ok()
        .filter(|code| code.as_u16() >= 200);
    head.status = code.ok_or_else(|| bad("a final status", status))?;
    head.headers = map(list);
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
        request_head(&list.iter().copied().collect())
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
        let list = request_list(head, &HeaderValue::from_static("http")).unwrap();
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
        let head = request_head(&list).unwrap();
        assert_eq!(
            (head.method, head.uri.to_string()),
            (Method::POST, "/a?b=c".to_owned())
        );
        assert_eq!(head.headers.get("host").unwrap(), "example.com");
        assert_eq!(head.headers.get_all("x").iter().count(), 2);
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
            assert!(response_head(&list).is_err(), "{status:?}");
        }
    }
}
