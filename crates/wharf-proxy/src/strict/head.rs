//! Checking one request's head, line by line (RFC 9112 sections 3 and 5).

use super::Refusal;
use super::parser::HeadLimits;

/// How hyper and the proxy will find the end of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// So many bytes; often none.
    Length(u64),
    /// Chunks.
    Chunked,
}

/// The longest target that can be represented: hyper's and http's limit.
const LONGEST_TARGET: usize = u16::MAX as usize - 1;
const LONGEST_METHOD: usize = 64;

/// How far the check of one head has come. Offsets count from the head's first byte, so that a head can be
/// continued when more of it has come.
#[derive(Debug, Default)]
pub(super) struct HeadCheck {
    /// Where the line that is being read begins.
    line_start: usize,
    /// Up to where there is no LF of this line.
    searched: usize,
    started: bool,
    saw_empty_line: bool,
    is_http_10: bool,
    headers: usize,
    hosts: usize,
    content_length: Option<u64>,
    encodings: usize,
}

impl HeadCheck {
    /// Checks on. `head` begins with the head's first byte and may go on behind its end. Gives the head's length
    /// and framing once it is complete.
    pub(super) fn advance(
        &mut self,
        head: &[u8],
        limits: &HeadLimits,
    ) -> Result<Option<(usize, Framing)>, Refusal> {
        while let Some(distance) = memchr::memchr(b'\n', &head[self.searched..]) {
            let line_feed = self.searched + distance;
            if line_feed >= limits.bytes {
                return Err(self.too_large());
            }
            let line = head[self.line_start..line_feed]
                .strip_suffix(b"\r")
                .ok_or(Refusal::BareLineFeed)?;
            self.line_start = line_feed + 1;
            self.searched = self.line_start;
            if line.is_empty() && self.started {
                return Ok(Some((self.line_start, self.framing()?)));
            }
            self.line(line, limits)?;
        }
        self.searched = head.len();
        if head.len() >= limits.bytes {
            Err(self.too_large())
        } else {
            Ok(None)
        }
    }

    fn too_large(&self) -> Refusal {
        if self.started {
            Refusal::HeadTooLarge
        } else {
            Refusal::TargetTooLong
        }
    }

    fn line(&mut self, line: &[u8], limits: &HeadLimits) -> Result<(), Refusal> {
        if self.started {
            return self.header(line, limits);
        }
        if !line.is_empty() {
            self.started = true;
            return self.request_line(line);
        }
        // One empty line is forgiven: old clients send it after a body.
        if std::mem::replace(&mut self.saw_empty_line, true) {
            Err(Refusal::EmptyLines)
        } else {
            Ok(())
        }
    }

    fn request_line(&mut self, line: &[u8]) -> Result<(), Refusal> {
        let method_end = memchr::memchr(b' ', line).ok_or(Refusal::RequestLine)?;
        let target_end = memchr::memrchr(b' ', line).ok_or(Refusal::RequestLine)?;
        if target_end == method_end {
            return Err(Refusal::RequestLine);
        }
        let (method, target) = (&line[..method_end], &line[method_end + 1..target_end]);
        self.is_http_10 = match &line[target_end + 1..] {
            b"HTTP/1.1" => false,
            b"HTTP/1.0" => true,
            [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => return Err(Refusal::Version),
            _ => return Err(Refusal::RequestLine),
        };
        if method.len() > LONGEST_METHOD || !is_token(method) {
            return Err(Refusal::Method);
        }
        if method == b"CONNECT" {
            return Err(Refusal::Connect);
        }
        check_target(method, target)
    }

    fn header(&mut self, line: &[u8], limits: &HeadLimits) -> Result<(), Refusal> {
        self.headers += 1;
        if self.headers > limits.headers {
            return Err(Refusal::TooManyHeaders);
        }
        if matches!(line[0], b' ' | b'\t') {
            return Err(Refusal::LineFolding);
        }
        let colon = line
            .iter()
            .position(|byte| !TOKEN[usize::from(*byte)])
            .ok_or(Refusal::HeaderName)?;
        if colon == 0 || line[colon] != b':' {
            return Err(Refusal::HeaderName);
        }
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        if !value.iter().all(|byte| VALUE[usize::from(*byte)]) {
            return Err(Refusal::HeaderValue);
        }
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => self.host(value.trim_ascii()),
            14 if name.eq_ignore_ascii_case(b"content-length") => self.content_length(value.trim_ascii()),
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => self.encoding(value.trim_ascii()),
            _ => Ok(()),
        }
    }

    fn host(&mut self, value: &[u8]) -> Result<(), Refusal> {
        self.hosts += 1;
        if self.hosts > 1 {
            return Err(Refusal::RepeatedHost);
        }
        if is_legal_host(value) {
            Ok(())
        } else {
            Err(Refusal::Host)
        }
    }

    fn content_length(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if self.content_length.is_some() {
            return Err(Refusal::RepeatedContentLength);
        }
        if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
            return Err(Refusal::ContentLength);
        }
        let digit = |length: u64, byte: &u8| length.checked_mul(10)?.checked_add(u64::from(byte - b'0'));
        // hyper keeps the two largest numbers for its own marks.
        let length = value
            .iter()
            .try_fold(0, digit)
            .filter(|length| *length <= u64::MAX >> 1);
        self.content_length = Some(length.ok_or(Refusal::ContentLength)?);
        Ok(())
    }

    fn encoding(&mut self, value: &[u8]) -> Result<(), Refusal> {
        self.encodings += 1;
        if self.encodings > 1 {
            return Err(Refusal::RepeatedTransferEncoding);
        }
        if value.eq_ignore_ascii_case(b"chunked") {
            Ok(())
        } else {
            Err(Refusal::TransferCoding)
        }
    }

    fn framing(&self) -> Result<Framing, Refusal> {
        if self.hosts == 0 && !self.is_http_10 {
            return Err(Refusal::MissingHost);
        }
        match (self.encodings, self.content_length) {
            (0, length) => Ok(Framing::Length(length.unwrap_or(0))),
            (_, Some(_)) => Err(Refusal::LengthAndEncoding),
            (_, None) if self.is_http_10 => Err(Refusal::EncodingInHttp10),
            (_, None) => Ok(Framing::Chunked),
        }
    }
}

/// Origin form, absolute form of http, or `*` for OPTIONS; visible ASCII that hyper takes, and no fragment.
fn check_target(method: &[u8], target: &[u8]) -> Result<(), Refusal> {
    if target.len() > LONGEST_TARGET {
        return Err(Refusal::TargetTooLong);
    }
    let query = memchr::memchr(b'?', target).unwrap_or(target.len());
    let (path, query) = target.split_at(query);
    // hyper would refuse the others too, but with an answer of its own that no log has.
    if !is_visible_without(b"#<>`", path) || !is_visible_without(b"#<>\"", query) {
        return Err(Refusal::Target);
    }
    let legal = match target {
        [b'/', ..] => true,
        b"*" => method == b"OPTIONS",
        _ => authority_of(target).is_some_and(is_legal_host),
    };
    if legal { Ok(()) } else { Err(Refusal::Target) }
}

fn is_visible_without(refused: &[u8], text: &[u8]) -> bool {
    text.iter()
        .all(|byte| byte.is_ascii_graphic() && !refused.contains(byte))
}

fn authority_of(target: &[u8]) -> Option<&[u8]> {
    let schemes: [&[u8]; 2] = [b"http://", b"https://"];
    let scheme = schemes.into_iter().find(|scheme| {
        target
            .get(..scheme.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    })?;
    let rest = &target[scheme.len()..];
    let end = rest
        .iter()
        .position(|byte| matches!(byte, b'/' | b'?'))
        .unwrap_or(rest.len());
    Some(&rest[..end])
}

/// A host name, an IPv4 address, or an IPv6 address in brackets, with an optional port. Names are letters, digits,
/// `-`, `.`, `_` and `~`: the characters whose meaning nobody disputes.
fn is_legal_host(host: &[u8]) -> bool {
    let (name_is_legal, port) = if host.first() == Some(&b'[') {
        let Some(end) = memchr::memchr(b']', host) else {
            return false;
        };
        let inside = &host[1..end];
        let legal = !inside.is_empty()
            && inside
                .iter()
                .all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.'));
        (legal, &host[end + 1..])
    } else {
        let end = memchr::memchr(b':', host).unwrap_or(host.len());
        let name = &host[..end];
        let legal = !name.is_empty()
            && name
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~'));
        (legal, &host[end..])
    };
    let port_is_legal = match port {
        [] => true,
        [b':', digits @ ..] => digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    name_is_legal && port_is_legal
}

fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|byte| TOKEN[usize::from(*byte)])
}

/// The characters of a token (RFC 9110 section 5.6.2).
pub(super) static TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        let character = byte as u8;
        table[byte] = character.is_ascii_alphanumeric();
        byte += 1;
    }
    let others = b"!#$%&'*+-.^_`|~";
    let mut at = 0;
    while at < others.len() {
        table[others[at] as usize] = true;
        at += 1;
    }
    table
};

/// The bytes of a header's value: visible ASCII, space, tab, and everything above 127.
pub(super) static VALUE: [bool; 256] = {
    let mut table = [true; 256];
    let mut byte = 0;
    while byte < 32 {
        table[byte] = byte == b'\t' as usize;
        byte += 1;
    }
    table[127] = false;
    table
};
