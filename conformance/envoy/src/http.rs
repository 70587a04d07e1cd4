//! HTTP/1.1 messages: written as a case says, read as they come, also where they break off.

use std::io::{self, BufRead, Read};

use crate::case::Payload;

/// Names in lower case, with their values, in the order of the message.
pub(crate) type Headers = Vec<(String, String)>;

/// A message, or what came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Message {
    /// The request line or the status line; empty where nothing came.
    pub(crate) start: String,
    pub(crate) headers: Headers,
    /// Without its framing.
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Headers,
    pub(crate) end: End,
}

/// How a message ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum End {
    /// As its framing promised.
    #[default]
    Complete,
    /// The connection was closed before.
    BrokenOff,
    /// Nothing more came, and the connection stayed open.
    TimedOut,
}

/// What decides whether a message has a body.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Request,
    Response,
    ResponseToHead,
}

impl Message {
    /// The word of the start line at this place, from 0.
    pub(crate) fn word(&self, index: usize) -> &str {
        self.start.splitn(3, ' ').nth(index).unwrap_or_default()
    }

    /// The first value of this header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let header = self.headers.iter().find(|(known, _)| known == name)?;
        Some(&header.1)
    }

    fn is_chunked(&self) -> bool {
        self.header("transfer-encoding").is_some()
    }
}

/// Reads a message. What came before an error is kept.
pub(crate) fn read(reader: &mut impl BufRead, kind: Kind) -> Message {
    let mut message = Message::default();
    if let Err(error) = read_into(&mut message, reader, kind) {
        message.end = match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => End::TimedOut,
            _ => End::BrokenOff,
        };
    }
    message
}

fn read_into(message: &mut Message, reader: &mut impl BufRead, kind: Kind) -> io::Result<()> {
    message.start = read_line(reader)?;
    read_headers(reader, &mut message.headers)?;
    let without_body = match kind {
        Kind::Request => false,
        Kind::Response => matches!(message.word(1), "204" | "304") || message.word(1).starts_with('1'),
        Kind::ResponseToHead => true,
    };
    if without_body {
        Ok(())
    } else if message.is_chunked() {
        read_chunks(reader, message)
    } else if let Some(length) = message.header("content-length") {
        let length = length.parse().map_err(io::Error::other)?;
        read_exactly(reader, length, &mut message.body)
    } else if matches!(kind, Kind::Response) {
        reader.read_to_end(&mut message.body).map(drop)
    } else {
        Ok(())
    }
}

fn read_headers(reader: &mut impl BufRead, headers: &mut Headers) -> io::Result<()> {
    loop {
        let line = read_line(reader)?;
        if line.is_empty() {
            return Ok(());
        }
        let (name, value) = line
            .split_once(':')
            .ok_or_else(|| io::Error::other("a header without a colon"))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

fn read_chunks(reader: &mut impl BufRead, message: &mut Message) -> io::Result<()> {
    loop {
        let line = read_line(reader)?;
        let size = line.split(';').next().unwrap_or_default();
        let size = u64::from_str_radix(size, 16).map_err(io::Error::other)?;
        if size == 0 {
            return read_headers(reader, &mut message.trailers);
        }
        read_exactly(reader, size, &mut message.body)?;
        if !read_line(reader)?.is_empty() {
            return Err(io::Error::other("a chunk is longer than its size"));
        }
    }
}

fn read_exactly(reader: &mut impl BufRead, length: u64, into: &mut Vec<u8>) -> io::Result<()> {
    let read = reader.take(length).read_to_end(into)?;
    if (read as u64) < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(())
}

/// A line without its CR LF.
fn read_line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line)?;
    let line = line.strip_suffix(b"\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok(String::from_utf8_lossy(line).into_owned())
}

/// A message as pieces, each to be written by itself.
pub(crate) fn pieces(start: &str, headers: &[String], payload: &Payload, without_body: bool) -> Vec<Vec<u8>> {
    let mut head = format!("{start}\r\n");
    for header in headers {
        head += &format!("{header}\r\n");
    }
    match payload {
        Payload::None => {}
        Payload::Whole(body) => head += &format!("content-length: {}\r\n", body.len()),
        Payload::Chunked { .. } => head += "transfer-encoding: chunked\r\n",
    }
    let mut pieces = vec![(head + "\r\n").into_bytes()];
    match payload {
        _ if without_body => {}
        Payload::None => {}
        Payload::Whole(body) => pieces[0].extend_from_slice(body.as_bytes()),
        Payload::Chunked { chunks, trailers } => {
            let chunk = |text: &String| format!("{:x}\r\n{text}\r\n", text.len()).into_bytes();
            pieces.extend(chunks.iter().map(chunk));
            let trailers: String = trailers.iter().map(|line| format!("{line}\r\n")).collect();
            pieces.push(format!("0\r\n{trailers}\r\n").into_bytes());
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(bytes: &str) -> Message {
        read(&mut bytes.as_bytes(), Kind::Response)
    }

    #[test]
    fn what_was_written_is_read() {
        let payload = Payload::Chunked {
            chunks: vec!["ab".into(), "c".into()],
            trailers: vec!["x-t: 1".into()],
        };
        let bytes = pieces("HTTP/1.1 200 OK", &["X-A: 1".into()], &payload, false).concat();
        let message = read(&mut &*bytes, Kind::Response);
        assert_eq!(
            (message.word(1), &*message.body, message.end),
            ("200", &b"abc"[..], End::Complete)
        );
        assert_eq!(message.header("x-a"), Some("1"));
        assert_eq!(message.trailers, [("x-t".to_owned(), "1".to_owned())]);
    }

    #[test]
    fn what_came_before_the_end_is_kept() {
        let cut = response("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab");
        assert_eq!((&*cut.body, cut.end), (&b"ab"[..], End::BrokenOff));
        assert_eq!(response("").end, End::BrokenOff);
        assert_eq!(
            response("HTTP/1.1 204 No\r\ncontent-length: 5\r\n\r\n").end,
            End::Complete
        );
    }
}
