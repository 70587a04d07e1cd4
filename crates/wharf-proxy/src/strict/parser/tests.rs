use super::*;

const LIMITS: HeadLimits = HeadLimits {
    bytes: 512,
    headers: 8,
};

/// What a whole conversation comes to: bytes accepted, heads counted, and the refusal.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    accepted: Vec<u8>,
    heads: u64,
    refusal: Option<Refusal>,
    in_body: bool,
}

/// Gives the pieces one after the other, as the stream does: what was not accepted is given again.
fn outcome_of<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut parser = Parser::new(LIMITS);
    let (mut held, mut accepted, mut refusal) = (Vec::new(), Vec::new(), None);
    for piece in pieces {
        held.extend_from_slice(piece);
        let scan = parser.scan(&held);
        accepted.extend(held.drain(..scan.accepted));
        if scan.refusal.is_some() {
            refusal = scan.refusal;
            break;
        }
    }
    Outcome {
        accepted,
        heads: parser.heads(),
        refusal,
        in_body: parser.is_in_body(),
    }
}

/// The outcome must not depend on where the bytes are cut.
fn check(bytes: &[u8]) -> Outcome {
    let whole = outcome_of([bytes]);
    for cut in 0..=bytes.len() {
        let (first, second) = bytes.split_at(cut);
        assert_eq!(
            outcome_of([first, second]),
            whole,
            "cut at {cut} of {}",
            bytes.escape_ascii()
        );
    }
    assert_eq!(
        outcome_of(bytes.chunks(1)),
        whole,
        "byte by byte: {}",
        bytes.escape_ascii()
    );
    whole
}

fn accepts(bytes: &[u8], heads: u64) {
    let outcome = check(bytes);
    let expected = Outcome {
        accepted: bytes.to_vec(),
        heads,
        refusal: None,
        in_body: false,
    };
    assert_eq!(outcome, expected, "{}", bytes.escape_ascii());
}

fn refuses(bytes: &[u8], refusal: Refusal) {
    assert_eq!(check(bytes).refusal, Some(refusal), "{}", bytes.escape_ascii());
}

/// A request with these header lines after a good `Host`.
fn with(lines: &str) -> Vec<u8> {
    format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n").into_bytes()
}

fn chunked(body: &str) -> Vec<u8> {
    format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}").into_bytes()
}

#[test]
fn ordinary_requests_pass() {
    accepts(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 1);
    accepts(
        b"GET /a?b=c%20d HTTP/1.1\r\nhOsT:\tEXAMPLE.com:8080 \r\nx-Empty:\r\nx-utf8: \xc3\xa9\r\n\r\n",
        1,
    );
    accepts(b"GET / HTTP/1.0\r\n\r\n", 1);
    accepts(b"OPTIONS * HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", 1);
    accepts(b"GET http://example.com/x HTTP/1.1\r\nHost: other\r\n\r\n", 1);
    accepts(b"M-SEARCH / HTTP/1.1\r\nHost: a\r\n\r\n", 1);
    accepts(b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 1);
}

#[test]
fn bodies_pass_and_the_next_request_is_found_behind_them() {
    accepts(
        b"POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET /2 HTTP/1.1\r\nHost: a\r\n\r\n\
          POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n\
          5\r\nhello\r\n00A;name=\"va;lue\"\r\n0123456789\r\n0\r\nX-Sum: 1\r\nx-other:\r\n\r\n\
          GET /4 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
        4,
    );
}

#[test]
fn a_body_may_contain_anything() {
    accepts(
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n\n\n\0\r\n\xff",
        1,
    );
    accepts(&chunked("6\r\n\n\n\0\r\n\x7f\r\n0\r\n\r\n"), 1);
}

#[test]
fn an_incomplete_head_is_held_back_and_an_incomplete_body_is_not() {
    let outcome = check(b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n");
    assert_eq!((outcome.heads, outcome.in_body), (1, false));
    assert!(outcome.accepted.ends_with(b"\r\n\r\n"));

    let bytes = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel";
    let outcome = check(bytes);
    assert_eq!(
        (outcome.accepted.as_slice(), outcome.in_body),
        (bytes.as_slice(), true)
    );
}

#[test]
fn what_came_before_a_refused_head_is_accepted() {
    let good = b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n";
    let outcome = check(&[good.as_slice(), b"GET /2 HTTP/1.1\nHost: a\r\n\r\n"].concat());
    assert_eq!((outcome.accepted.as_slice(), outcome.heads), (good.as_slice(), 1));
    assert_eq!(outcome.refusal, Some(Refusal::BareLineFeed));
}

#[test]
fn two_readings_of_the_length_are_refused() {
    refuses(
        &with("Content-Length: 5\r\nTransfer-Encoding: chunked"),
        Refusal::LengthAndEncoding,
    );
    refuses(
        &with("Transfer-Encoding: chunked\r\nContent-Length: 5"),
        Refusal::LengthAndEncoding,
    );
    refuses(
        &with("Content-Length: 5\r\nContent-Length: 6"),
        Refusal::RepeatedContentLength,
    );
    refuses(
        &with("Content-Length: 5\r\nContent-Length: 5"),
        Refusal::RepeatedContentLength,
    );
    refuses(
        &with("Transfer-Encoding: chunked\r\ntransfer-encoding: chunked"),
        Refusal::RepeatedTransferEncoding,
    );
    refuses(
        b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        Refusal::EncodingInHttp10,
    );
    for length in [
        "",
        "+5",
        "-5",
        "5, 5",
        "0x5",
        "5 5",
        "5;",
        "9223372036854775808",
        "99999999999999999999999",
    ] {
        refuses(
            &with(&format!("Content-Length: {length}")),
            Refusal::ContentLength,
        );
    }
    for coding in [
        "",
        "gzip, chunked",
        "chunked, chunked",
        "identity",
        "xchunked",
        "chunked;q=1",
        "\"chunked\"",
    ] {
        refuses(
            &with(&format!("Transfer-Encoding: {coding}")),
            Refusal::TransferCoding,
        );
    }
}

#[test]
fn header_lines_that_another_parser_reads_differently_are_refused() {
    refuses(&with("X: a\r\n folded"), Refusal::LineFolding);
    refuses(&with("X: a\r\n\tfolded"), Refusal::LineFolding);
    refuses(&with("X : a"), Refusal::HeaderName);
    refuses(&with("Content-Length\t: 5"), Refusal::HeaderName);
    refuses(&with(": a"), Refusal::HeaderName);
    refuses(&with("no colon"), Refusal::HeaderName);
    refuses(&with("nocolon"), Refusal::HeaderName);
    refuses(&with("X\u{e9}: a"), Refusal::HeaderName);
    refuses(&with("X: a\rb"), Refusal::HeaderValue);
    refuses(&with("X: a\0b"), Refusal::HeaderValue);
    refuses(&with("Transfer-Encoding: \x0bchunked"), Refusal::HeaderValue);
    refuses(&with("X: a\nY: b"), Refusal::BareLineFeed);
    refuses(b"GET / HTTP/1.1\r\nHost: a\r\n\n", Refusal::BareLineFeed);
    refuses(b"GET / HTTP/1.1\nHost: a\n\n", Refusal::BareLineFeed);
    refuses(b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", Refusal::LineFolding);
}

#[test]
fn hosts_must_be_one_and_legal() {
    refuses(b"GET / HTTP/1.1\r\n\r\n", Refusal::MissingHost);
    refuses(&with("Host: a"), Refusal::RepeatedHost);
    refuses(
        b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n",
        Refusal::RepeatedHost,
    );
    for host in [
        "", "a b", "a/b", "user@a", "a:b", "a:80:80", "a:123456", "[::1", "[::1]x", "[]", "[g]", "a,b",
        "\u{e9}", ":80", "a\\b", "a%41",
    ] {
        refuses(
            format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes(),
            Refusal::Host,
        );
    }
}

#[test]
fn request_lines_must_have_three_legal_parts() {
    for (line, refusal) in [
        ("GET", Refusal::RequestLine),
        ("GET /", Refusal::RequestLine),
        ("GET / ", Refusal::RequestLine),
        ("GET / http/1.1", Refusal::RequestLine),
        ("GET / HTTP/1.1 ", Refusal::RequestLine),
        ("GET / HTTP/1.10", Refusal::RequestLine),
        ("GET / HTTP/2.0", Refusal::Version),
        ("GET / HTTP/1.2", Refusal::Version),
        ("GET / HTTP/0.9", Refusal::Version),
        (" GET / HTTP/1.1", Refusal::Method),
        ("G@T / HTTP/1.1", Refusal::Method),
        ("GET  / HTTP/1.1", Refusal::Target),
        ("GET /a b HTTP/1.1", Refusal::Target),
        ("GET /a\tb HTTP/1.1", Refusal::Target),
        ("GET /\u{e9} HTTP/1.1", Refusal::Target),
        ("GET /a#b HTTP/1.1", Refusal::Target),
        ("GET /a<b HTTP/1.1", Refusal::Target),
        ("GET /a>b HTTP/1.1", Refusal::Target),
        ("GET /a`b HTTP/1.1", Refusal::Target),
        ("GET /?a<b HTTP/1.1", Refusal::Target),
        ("GET /?a>b HTTP/1.1", Refusal::Target),
        ("GET /?a=\"b\" HTTP/1.1", Refusal::Target),
        ("GET a HTTP/1.1", Refusal::Target),
        ("GET * HTTP/1.1", Refusal::Target),
        ("GET ftp://a/ HTTP/1.1", Refusal::Target),
        ("GET http:// HTTP/1.1", Refusal::Target),
        ("GET http://user@a/ HTTP/1.1", Refusal::Target),
        ("CONNECT a:443 HTTP/1.1", Refusal::Connect),
    ] {
        refuses(format!("{line}\r\nHost: a\r\n\r\n").as_bytes(), refusal);
    }
    refuses(
        format!("{} / HTTP/1.1\r\n\r\n", "M".repeat(65)).as_bytes(),
        Refusal::Method,
    );
    refuses(b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::EmptyLines);
}

#[test]
fn targets_are_taken_as_hyper_takes_them() {
    for byte in b'!'..=b'~' {
        for before in ["/a", "/?a"] {
            let target = format!("{before}{}", char::from(byte));
            let head = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
            // A URI may have a fragment, a request may not.
            let taken = byte != b'#' && target.parse::<http::Uri>().is_ok();
            assert_eq!(check(head.as_bytes()).refusal.is_none(), taken, "{target}");
        }
    }
}

#[test]
fn chunks_that_another_parser_reads_differently_are_refused() {
    for size in [
        "",
        "g",
        "+5",
        "-1",
        "0x5",
        " 5",
        "5 ",
        "5\t",
        "5\n",
        "00000000000000005",
        "5\rx",
    ] {
        refuses(
            &chunked(&format!("{size}\r\nhello\r\n0\r\n\r\n")),
            Refusal::ChunkSize,
        );
    }
    refuses(&chunked("5\r\nhello!\r\n0\r\n\r\n"), Refusal::ChunkEnd);
    refuses(&chunked("5\r\nhello\n0\r\n\r\n"), Refusal::ChunkEnd);
    refuses(&chunked("5\r\nhello\rx0\r\n\r\n"), Refusal::ChunkEnd);
    refuses(&chunked("5;a\nb\r\nhello\r\n0\r\n\r\n"), Refusal::ChunkExtension);
    refuses(&chunked("5;a\0\r\nhello\r\n0\r\n\r\n"), Refusal::ChunkExtension);
    refuses(&chunked("0\r\n folded: a\r\n\r\n"), Refusal::Trailer);
    refuses(&chunked("0\r\nname : a\r\n\r\n"), Refusal::Trailer);
    refuses(&chunked("0\r\nname: a\nb: c\r\n\r\n"), Refusal::Trailer);
    refuses(&chunked("0\r\nname\r\n\r\n"), Refusal::Trailer);
    refuses(&chunked("0\r\n\n"), Refusal::Trailer);
    refuses(&chunked("0\r\n\rX"), Refusal::Trailer);
}

#[test]
fn good_chunks_before_a_bad_one_are_accepted() {
    let good = chunked("5\r\nhello\r\n");
    let outcome = check(&[good.as_slice(), b"zz\r\n"].concat());
    assert_eq!(
        (outcome.accepted, outcome.refusal),
        (good, Some(Refusal::ChunkSize))
    );
    assert!(outcome.in_body);
}

#[test]
fn heads_and_trailers_are_bounded() {
    let long = "x".repeat(LIMITS.bytes);
    refuses(&with(&format!("X: {long}")), Refusal::HeadTooLarge);
    refuses(
        format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes(),
        Refusal::TargetTooLong,
    );
    refuses(&with(&"X: a\r\n".repeat(8)), Refusal::TooManyHeaders);
    refuses(
        &chunked(&format!("0\r\nX: {long}\r\n\r\n")),
        Refusal::TrailersTooLarge,
    );
    refuses(
        &chunked(&format!("0\r\n{}\r\n", "X: a\r\n".repeat(9))),
        Refusal::TrailersTooLarge,
    );
    accepts(&with(&["X: a"; 7].join("\r\n").replace("POST", "GET")), 1);
}

#[test]
fn a_head_of_exactly_the_limit_passes_and_one_byte_more_does_not() {
    let of_length = |length: usize| {
        let around = "GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n".len();
        format!(
            "GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
            "x".repeat(length - around)
        )
        .into_bytes()
    };
    accepts(&of_length(LIMITS.bytes), 1);
    refuses(&of_length(LIMITS.bytes + 1), Refusal::HeadTooLarge);
}

#[test]
fn extensions_are_bounded_over_the_whole_body() {
    let chunk = format!("1;{}\r\nx\r\n", "e".repeat(1_000));
    let bytes = chunked(&chunk.repeat(17));
    assert_eq!(
        outcome_of([bytes.as_slice()]).refusal,
        Some(Refusal::ChunkExtension)
    );
}
