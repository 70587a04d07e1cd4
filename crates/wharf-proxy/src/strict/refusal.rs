//! Why a client's bytes are refused, and how the client is told.

use http::StatusCode;

/// The first thing that is wrong with what a client sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// A line ends with LF alone.
    BareLineFeed,
    /// An empty line where a request should begin, more than once.
    EmptyLines,
    /// The request line is not `METHOD SP target SP HTTP/1.x`.
    RequestLine,
    /// The method is not a token of at most 64 characters.
    Method,
    /// `CONNECT`: this is no forward proxy.
    Connect,
    /// The target contains a byte that is not visible ASCII or that hyper does not take, or a fragment, or has no legal
    /// form.
    Target,
    /// A version of HTTP that is not 1.0 or 1.1.
    Version,
    /// The request line alone is larger than the limit for heads.
    TargetTooLong,
    /// The head is larger than the limit.
    HeadTooLarge,
    /// There are more headers than the limit.
    TooManyHeaders,
    /// A header line begins with whitespace: an obsolete line folding.
    LineFolding,
    /// A header's name is not a token directly followed by a colon.
    HeaderName,
    /// A header's value contains a control character, such as CR alone or NUL.
    HeaderValue,
    /// HTTP/1.1 without `Host`.
    MissingHost,
    /// More than one `Host`.
    RepeatedHost,
    /// `Host` is not a host name or address with an optional port.
    Host,
    /// `Content-Length` is not digits, or too large.
    ContentLength,
    /// More than one `Content-Length`.
    RepeatedContentLength,
    /// Both `Content-Length` and `Transfer-Encoding`.
    LengthAndEncoding,
    /// A transfer coding other than `chunked`.
    TransferCoding,
    /// More than one `Transfer-Encoding`.
    RepeatedTransferEncoding,
    /// `Transfer-Encoding` in HTTP/1.0.
    EncodingInHttp10,
    /// A chunk's size is not hexadecimal digits, or too large.
    ChunkSize,
    /// A chunk's extension contains a control character, or extensions are too large.
    ChunkExtension,
    /// A chunk's data is not followed by CR LF.
    ChunkEnd,
    /// A trailer is not a legal header line.
    Trailer,
    /// The trailers are larger or more than the limit.
    TrailersTooLarge,
    /// The head was not complete in time.
    HeadTimeout,
    /// Nothing of the body came within the idle timeout.
    BodyTimeout,
}

impl Refusal {
    /// The status of the answer.
    pub fn status(self) -> StatusCode {
        match self {
            Refusal::TargetTooLong => StatusCode::URI_TOO_LONG,
            Refusal::HeadTooLarge | Refusal::TooManyHeaders | Refusal::TrailersTooLarge => {
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
            }
            Refusal::TransferCoding | Refusal::Connect => StatusCode::NOT_IMPLEMENTED,
            Refusal::Version => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Refusal::HeadTimeout | Refusal::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// What the client reads.
    pub fn public_text(self) -> &'static str {
        match self {
            Refusal::BareLineFeed => "a line of the head ends without CR LF",
            Refusal::EmptyLines => "there are empty lines before the request",
            Refusal::RequestLine => "the request line is malformed",
            Refusal::Method => "the method is malformed",
            Refusal::Connect => "CONNECT is not supported",
            Refusal::Target => "the request target is malformed",
            Refusal::Version => "only HTTP/1.0 and HTTP/1.1 are supported",
            Refusal::TargetTooLong => "the request target is too long",
            Refusal::HeadTooLarge => "the request's head is too large",
            Refusal::TooManyHeaders => "the request has too many headers",
            Refusal::LineFolding => "a header is folded over several lines",
            Refusal::HeaderName => "a header's name is malformed",
            Refusal::HeaderValue => "a header's value contains a control character",
            Refusal::MissingHost => "the Host header is missing",
            Refusal::RepeatedHost => "there is more than one Host header",
            Refusal::Host => "the Host header is malformed",
            Refusal::ContentLength => "the Content-Length is malformed",
            Refusal::RepeatedContentLength => "there is more than one Content-Length header",
            Refusal::LengthAndEncoding => "there are both Content-Length and Transfer-Encoding headers",
            Refusal::TransferCoding => "the transfer coding is not supported",
            Refusal::RepeatedTransferEncoding => "there is more than one Transfer-Encoding header",
            Refusal::EncodingInHttp10 => "HTTP/1.0 has no Transfer-Encoding",
            Refusal::ChunkSize => "a chunk's size is malformed",
            Refusal::ChunkExtension => "a chunk's extension is malformed or too large",
            Refusal::ChunkEnd => "a chunk's data is not followed by CR LF",
            Refusal::Trailer => "a trailer is malformed",
            Refusal::TrailersTooLarge => "the trailers are too large",
            Refusal::HeadTimeout => "the request's head was not complete in time",
            Refusal::BodyTimeout => "the request's body did not come in time",
        }
    }

    /// One word for the access log and the metric.
    pub fn details(self) -> &'static str {
        match self {
            Refusal::BareLineFeed => "bare_line_feed",
            Refusal::EmptyLines => "empty_lines",
            Refusal::RequestLine => "bad_request_line",
            Refusal::Method => "bad_method",
            Refusal::Connect => "connect_refused",
            Refusal::Target => "bad_target",
            Refusal::Version => "bad_version",
            Refusal::TargetTooLong => "target_too_long",
            Refusal::HeadTooLarge => "head_too_large",
            Refusal::TooManyHeaders => "too_many_headers",
            Refusal::LineFolding => "line_folding",
            Refusal::HeaderName => "bad_header_name",
            Refusal::HeaderValue => "bad_header_value",
            Refusal::MissingHost => "missing_host",
            Refusal::RepeatedHost => "repeated_host",
            Refusal::Host => "bad_host",
            Refusal::ContentLength => "bad_content_length",
            Refusal::RepeatedContentLength => "repeated_content_length",
            Refusal::LengthAndEncoding => "length_and_encoding",
            Refusal::TransferCoding => "bad_transfer_coding",
            Refusal::RepeatedTransferEncoding => "repeated_transfer_encoding",
            Refusal::EncodingInHttp10 => "encoding_in_http_1_0",
            Refusal::ChunkSize => "bad_chunk_size",
            Refusal::ChunkExtension => "bad_chunk_extension",
            Refusal::ChunkEnd => "bad_chunk_end",
            Refusal::Trailer => "bad_trailer",
            Refusal::TrailersTooLarge => "trailers_too_large",
            Refusal::HeadTimeout => "head_timeout",
            Refusal::BodyTimeout => "body_timeout",
        }
    }
}
