//! Reading HTTP/1 messages, as simply as possible.

use std::io::{self, BufRead, Read};

/// Headers in the order in which they came, names in lower case.
pub type Headers = Vec<(String, String)>;

/// A request as an origin got it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// The request line's first word.
    pub method: String,
    /// The request line's second word.
    pub target: String,
    /// The request line's last word.
    pub version: String,
    /// All headers.
    pub headers: Headers,
    /// The body without its framing.
    pub body: Vec<u8>,
    /// The trailers of a chunked body.
    pub trailers: Headers,
}

/// A response as a client got it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The status line's last words.
    pub reason: String,
    /// All headers.
    pub headers: Headers,
    /// The body without its framing.
    pub body: Vec<u8>,
    /// The trailers of a chunked body.
    pub trailers: Headers,
}

impl Received {
    /// The value of this header, when there is exactly one.
    pub fn header(&self, name: &str) -> Option<&str> {
        only(&self.headers, name)
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is text")
    }
}

impl Response {
    /// The value of this header, when there is exactly one.
    pub fn header(&self, name: &str) -> Option<&str> {
        only(&self.headers, name)
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is text")
    }
}

fn only<'a>(headers: &'a Headers, name: &str) -> Option<&'a str> {
    let mut values = headers
        .iter()
        .filter(|(known, _)| known == name)
        .map(|(_, value)| value.as_str());
    let value = values.next()?;
    assert!(
        values.next().is_none(),
        "`{name}` is there more than once: {headers:?}"
    );
    Some(value)
}

/// Reads a request's head; `None` at the end of the stream.
pub fn read_request_head(reader: &mut impl BufRead) -> io::Result<Option<Received>> {
    let Some(line) = read_line(reader)? else {
        return Ok(None);
    };
    let mut words = line.splitn(3, ' ').map(str::to_owned);
    let mut word = || words.next().unwrap_or_default();
    let (method, target, version) = (word(), word(), word());
    let headers = read_headers(reader)?;
    Ok(Some(Received {
        method,
        target,
        version,
        headers,
        ..Received::default()
    }))
}

/// Reads the body that belongs to a request's head.
pub fn read_request_body(reader: &mut impl BufRead, request: &mut Received) -> io::Result<()> {
    if only(&request.headers, "transfer-encoding").is_some() {
        (request.body, request.trailers) = read_chunks(reader)?;
    } else if let Some(length) = only(&request.headers, "content-length") {
        request.body = read_exactly(reader, length.parse().map_err(io::Error::other)?)?;
    }
    Ok(())
}

/// Reads a response's head.
pub fn read_response_head(reader: &mut impl BufRead) -> io::Result<Response> {
    let line = read_line(reader)?.ok_or(io::ErrorKind::UnexpectedEof)?;
    let mut words = line.splitn(3, ' ');
    let status = words.nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| io::Error::other(format!("`{line}` is not a status line")))?;
    let reason = words.next().unwrap_or_default().to_owned();
    Ok(Response {
        status,
        reason,
        headers: read_headers(reader)?,
        ..Response::default()
    })
}

/// Reads the body that belongs to a response's head; `to_head` says that the request was a HEAD.
pub fn read_response_body(
    reader: &mut impl BufRead,
    response: &mut Response,
    to_head: bool,
) -> io::Result<()> {
    if to_head || matches!(response.status, 100..=199 | 204 | 304) {
        return Ok(());
    }
    if only(&response.headers, "transfer-encoding").is_some() {
        (response.body, response.trailers) = read_chunks(reader)?;
    } else if let Some(length) = only(&response.headers, "content-length") {
        response.body = read_exactly(reader, length.parse().map_err(io::Error::other)?)?;
    } else {
        reader.read_to_end(&mut response.body)?;
    }
    Ok(())
}

fn read_headers(reader: &mut impl BufRead) -> io::Result<Headers> {
    let mut headers = Headers::new();
    loop {
        let line = read_line(reader)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        if line.is_empty() {
            return Ok(headers);
        }
        let (name, value) = line
            .split_once(':')
            .ok_or_else(|| io::Error::other(format!("`{line}` is not a header")))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

fn read_chunks(reader: &mut impl BufRead) -> io::Result<(Vec<u8>, Headers)> {
    let mut body = Vec::new();
    loop {
        let line = read_line(reader)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let size = line.split(';').next().unwrap_or_default();
        let size = usize::from_str_radix(size, 16)
            .map_err(|_| io::Error::other(format!("`{line}` is not a chunk's size")))?;
        if size == 0 {
            return Ok((body, read_headers(reader)?));
        }
        body.extend(read_exactly(reader, size)?);
        if read_line(reader)?.as_deref() != Some("") {
            return Err(io::Error::other("a chunk is longer than its size"));
        }
    }
}

fn read_exactly(reader: &mut impl BufRead, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(length as u64).read_to_end(&mut bytes)?;
    if bytes.len() < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes)
}

/// A line without its CR LF; `None` at the end of the stream.
fn read_line(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    if reader.read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    let line = line.strip_suffix(b"\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok(Some(String::from_utf8_lossy(line).into_owned()))
}
