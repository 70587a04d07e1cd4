//! Requests as `httparse` finds their heads, and as the plainest reading of RFC 9112 finds their bodies.

use std::collections::BTreeMap;

use hyper::Uri;

/// Values by name, in lower case; those of one name in their order.
pub(crate) type Fields = BTreeMap<String, Vec<Vec<u8>>>;

/// A request as it was sent.
#[derive(Debug, Default)]
pub(crate) struct Plain {
    pub(crate) method: String,
    pub(crate) target: String,
    is_http_10: bool,
    pub(crate) headers: Fields,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Fields,
    /// Whether the body is there to its end.
    pub(crate) complete: bool,
}

/// All requests in bytes that were found good.
pub(crate) fn requests(mut bytes: &[u8]) -> Vec<Plain> {
    let mut requests = Vec::new();
    while !bytes.is_empty() {
        let (request, rest) = request(bytes);
        requests.push(request);
        bytes = rest;
    }
    requests
}

fn request(bytes: &[u8]) -> (Plain, &[u8]) {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut parsed = httparse::Request::new(&mut headers);
    let length = match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        other => panic!("httparse says {other:?} to {}", bytes.escape_ascii()),
    };
    let mut request = Plain {
        method: parsed.method.expect("a complete request has a method").to_owned(),
        target: parsed.path.expect("a complete request has a target").to_owned(),
        is_http_10: parsed.version == Some(0),
        headers: fields(parsed.headers),
        ..Plain::default()
    };
    request.check_lines(&bytes[..length]);
    let rest = request.read_body(&bytes[length..]);
    (request, rest)
}

fn fields(headers: &[httparse::Header<'_>]) -> Fields {
    let mut fields = Fields::new();
    for header in headers {
        fields
            .entry(header.name.to_ascii_lowercase())
            .or_default()
            .push(header.value.trim_ascii().to_vec());
    }
    fields
}

impl Plain {
    /// The head by its lines, with no parser at all.
    fn check_lines(&self, head: &[u8]) {
        let head = head.strip_prefix(b"\r\n").unwrap_or(head);
        let head = std::str::from_utf8(head).map_or_else(|_| String::from_utf8_lossy(head), Into::into);
        let mut lines = head.split("\r\n");
        let first: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
        let version = if self.is_http_10 { "HTTP/1.0" } else { "HTTP/1.1" };
        assert_eq!(first, [self.method.as_str(), &self.target, version]);
        let count: usize = self.headers.values().map(Vec::len).sum();
        let lines: Vec<&str> = lines.collect();
        assert_eq!(
            lines.len(),
            count + 2,
            "a line for each header, and the empty one"
        );
        assert!(lines.iter().all(|line| !line.contains(['\r', '\n', '\0'])));
    }

    /// Takes the body; gives what is behind it.
    fn read_body<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        match (
            self.headers.get("transfer-encoding"),
            self.headers.get("content-length"),
        ) {
            (Some(_), Some(_)) => panic!("two ways to find the end"),
            (Some(coding), None) => {
                assert!(coding.len() == 1 && coding[0].eq_ignore_ascii_case(b"chunked") && !self.is_http_10);
                self.read_chunks(bytes)
            }
            (None, length) => {
                let length = length.map_or(0, |values| number(values));
                self.complete = bytes.len() as u64 >= length;
                let (body, rest) =
                    bytes.split_at(usize::try_from(length).unwrap_or(usize::MAX).min(bytes.len()));
                self.body = body.to_vec();
                rest
            }
        }
    }

    fn read_chunks<'a>(&mut self, mut bytes: &'a [u8]) -> &'a [u8] {
        while let Some((line, rest)) = line(bytes) {
            let size = line.split(|byte| *byte == b';').next().unwrap_or_default();
            let size = std::str::from_utf8(size)
                .ok()
                .and_then(|size| u64::from_str_radix(size, 16).ok());
            let size = usize::try_from(size.expect("a good size of a chunk")).unwrap_or(usize::MAX);
            if size == 0 {
                return self.read_trailers(rest);
            }
            let data = &rest[..size.min(rest.len())];
            self.body.extend_from_slice(data);
            let Some(after) = rest[data.len()..].strip_prefix(b"\r\n") else {
                return &[];
            };
            bytes = after;
        }
        &[]
    }

    fn read_trailers<'a>(&mut self, mut bytes: &'a [u8]) -> &'a [u8] {
        while let Some((line, rest)) = line(bytes) {
            if line.is_empty() {
                self.complete = true;
                return rest;
            }
            let colon = line
                .iter()
                .position(|byte| *byte == b':')
                .expect("a good trailer");
            let name = String::from_utf8_lossy(&line[..colon]).to_ascii_lowercase();
            let value = line[colon + 1..].trim_ascii().to_vec();
            self.trailers.entry(name).or_default().push(value);
            bytes = rest;
        }
        &[]
    }

    /// Whether `uri` says what the target says.
    pub(crate) fn is_target_of(&self, uri: &Uri) -> bool {
        let Some((scheme, rest)) = self
            .target
            .split_once("://")
            .filter(|_| !self.target.starts_with('/'))
        else {
            return uri.authority().is_none()
                && uri.path_and_query().is_some_and(|path| *path == *self.target);
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (path, query) = path
            .split_once('?')
            .map_or((path, None), |(path, query)| (path, Some(query)));
        uri.scheme_str()
            .is_some_and(|other| other.eq_ignore_ascii_case(scheme))
            && uri.authority().is_some_and(|other| other.as_str() == authority)
            && uri.path() == if path.is_empty() { "/" } else { path }
            && uri.query() == query
    }

    /// Whether the connection ends with this request.
    pub(crate) fn closes(&self) -> bool {
        let connection = self
            .headers
            .get("connection")
            .map(|values| values.join(&b","[..]));
        let says = |word: &[u8]| {
            let options = connection.as_deref().unwrap_or_default();
            options
                .split(|byte| *byte == b',')
                .any(|option| option.trim_ascii().eq_ignore_ascii_case(word))
        };
        says(b"close") || (self.is_http_10 && !says(b"keep-alive"))
    }
}

fn number(values: &[Vec<u8>]) -> u64 {
    assert_eq!(values.len(), 1, "one length");
    let digits = std::str::from_utf8(&values[0]).expect("digits");
    assert!(digits.bytes().all(|byte| byte.is_ascii_digit()));
    digits.parse().expect("a length in 64 bits")
}

/// The bytes before the first CR LF, and those behind it.
fn line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    Some((&bytes[..end], &bytes[end + 2..]))
}
