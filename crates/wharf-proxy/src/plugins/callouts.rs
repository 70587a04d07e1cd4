//! HTTP call-outs of filters.

use std::rc::Rc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Request, Uri};
use http_body::Body;
use wharf_abi_proxy_wasm::{HeaderList, HttpCall, HttpCallResponse};

use super::host::OwnVm;
use crate::body::{Length, RequestBody};
use crate::exchange::convert;
use crate::headers;
use crate::upstream::{Upstream, UpstreamResponse};

/// The most bytes of an answer's body that a filter gets; a longer answer counts as none. 4 MiB.
const LARGEST_ANSWER: usize = 4 << 20;
/// How long each piece of an answer's body may take where the filter gave no timeout.
const BODY_IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Runs a call-out and gives its answer to the VM, if that is still there.
pub(super) async fn run(upstream: Rc<Upstream>, call: HttpCall, vm: OwnVm) {
    let HttpCall {
        id,
        root,
        plugin,
        upstream: name,
        headers,
        body,
        trailers,
        timeout,
    } = call;
    if !trailers.is_empty() {
        tracing::debug!(%plugin, upstream = name, "The trailers of a call-out are not sent over HTTP/1.1.");
    }
    let exchange = send(&upstream, &headers, body);
    let outcome = match timeout {
        Some(limit) => tokio::time::timeout(limit, exchange)
            .await
            .unwrap_or_else(|_| Err(format!("no answer came within the filter's timeout of {limit:?}"))),
        None => exchange.await,
    };
    let response = outcome.inspect_err(|reason| {
        tracing::warn!(%plugin, upstream = name, reason, "A plugin's call-out got no answer.");
    });
    let Some(vm) = vm.borrow().upgrade() else { return };
    let mut vm = vm.borrow_mut();
    if !vm.is_faulted() {
        // A fault has been told to the host, which rebuilds the VM.
        let _ = vm.on_http_call_response(root, id, response.ok());
    }
}

async fn send(upstream: &Upstream, headers: &HeaderList, body: Bytes) -> Result<HttpCallResponse, String> {
    let mut head = convert::request_head(headers, None).map_err(|error| error.to_string())?;
    // What a filter writes must not choose another framing than the body's.
    let length = if body.is_empty() {
        Length::Empty
    } else {
        Length::Exact(body.len() as u64)
    };
    headers::finish_request(&mut head, length);
    head.uri = origin_form(&head.uri);
    let request = Request::from_parts(head, RequestBody::from(body));
    let answer = upstream
        .send(request, BODY_IDLE_TIMEOUT)
        .await
        .map_err(|error| error.to_string())?;
    collect(answer).await
}

fn origin_form(uri: &Uri) -> Uri {
    uri.path_and_query()
        .map_or_else(|| Uri::from_static("/"), |path| Uri::from(path.clone()))
}

async fn collect(answer: UpstreamResponse) -> Result<HttpCallResponse, String> {
    let UpstreamResponse { mut head, body, .. } = answer;
    headers::receive_response(&mut head);
    let mut response = HttpCallResponse {
        headers: convert::response_list(&head).map_err(|error| error.to_string())?,
        ..HttpCallResponse::default()
    };
    let mut body = std::pin::pin!(body);
    let mut collected = BytesMut::new();
    while let Some(frame) = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        match frame.map_err(|error| error.to_string())?.into_data() {
            Ok(data) if collected.len() + data.len() > LARGEST_ANSWER => {
                return Err(format!("the answer has more than {LARGEST_ANSWER} bytes"));
            }
            Ok(data) => collected.extend_from_slice(&data),
            Err(frame) => {
                if let Ok(trailers) = frame.into_trailers() {
                    response.trailers = convert::list(&trailers).map_err(|error| error.to_string())?;
                }
            }
        }
    }
    response.body = collected.freeze();
    Ok(response)
}
