//! The embedded responder: an upstream that is one response.

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, TRAILER, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use super::{UpstreamBody, UpstreamConfigError, UpstreamResponse};

/// Headers that belong to the connection or follow from the body, which the proxy writes itself.
const OWNED_BY_THE_PROXY: [HeaderName; 5] = [CONNECTION, CONTENT_LENGTH, TRAILER, TRANSFER_ENCODING, UPGRADE];

/// A response that is the same for every request.
#[derive(Debug)]
pub(super) struct Fixed {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Fixed {
    pub(super) fn new(
        upstream: &str,
        status: u16,
        headers: &[(String, String)],
        body: &str,
    ) -> Result<Fixed, UpstreamConfigError> {
        let upstream = || upstream.to_owned();
        let status = StatusCode::from_u16(status)
            .ok()
            .filter(|status| (200..600).contains(&status.as_u16()))
            .ok_or_else(|| UpstreamConfigError::Status {
                upstream: upstream(),
                status,
            })?;
        let mut map = HeaderMap::with_capacity(headers.len());
        for (name, value) in headers {
            let refused = || UpstreamConfigError::Header {
                upstream: upstream(),
                header: name.clone(),
            };
            let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| refused())?;
            if OWNED_BY_THE_PROXY.contains(&parsed) {
                return Err(refused());
            }
            map.append(parsed, HeaderValue::from_str(value).map_err(|_| refused())?);
        }
        let bodiless = status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED;
        let body = if bodiless {
            Bytes::new()
        } else {
            Bytes::copy_from_slice(body.as_bytes())
        };
        Ok(Fixed {
            status,
            headers: map,
            body,
        })
    }

    pub(super) fn answer(&self) -> UpstreamResponse {
        let (mut head, ()) = Response::new(()).into_parts();
        head.status = self.status;
        head.headers = self.headers.clone();
        UpstreamResponse {
            head,
            body: UpstreamBody::fixed(self.body.clone()),
            endpoint: None,
        }
    }
}
