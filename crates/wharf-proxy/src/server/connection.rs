//! Serving one client's connection.

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use wharf_config::HttpLimits;

use super::connections::Place;
use crate::context::Connection;
use crate::handle::handle;
use crate::strict::{HeadLimits, StrictStream, Timeouts, Wire};

/// What hyper may buffer of a connection in each direction, unless larger heads are allowed.
const BUFFER_BYTES: usize = 128 * 1024;
/// Up to so many headers hyper parses without an allocation.
const HEADERS_ON_THE_STACK: usize = 100;

/// Serves requests until the client or the proxy is done with the connection.
pub(super) async fn serve_connection(place: Place, stream: TcpStream, client: SocketAddr) {
    let listener = Rc::clone(place.listener());
    // Without this the end of a response could wait for an acknowledgement. A client that is already gone fails here.
    let (Ok(()), Ok(local)) = (stream.set_nodelay(true), stream.local_addr()) else {
        return;
    };
    let wire = Rc::new(Wire::new());
    let limits = head_limits(&listener.limits);
    let timeouts = timeouts(&listener.limits);
    let http = http_settings(limits);
    let checked = StrictStream::new(stream, limits, timeouts, Rc::clone(&wire));
    let connection = Rc::new(Connection::new(listener, client, local, wire));
    let service = service_fn(move |request| handle(Rc::clone(&connection), request));
    let mut serving = pin!(http.serve_connection(TokioIo::new(checked), service));
    poll_fn(|cx| {
        place.wake_to_drain(cx.waker());
        Poll::Ready(())
    })
    .await;
    let mut told = false;
    let served = poll_fn(|cx| {
        // What the client has sent already is served first.
        let served = serving.as_mut().poll(cx);
        if served.is_pending() && place.is_draining() && !std::mem::replace(&mut told, true) {
            serving.as_mut().graceful_shutdown();
            return serving.as_mut().poll(cx);
        }
        served
    })
    .await;
    if let Err(error) = served {
        tracing::debug!(%client, %error, "A client's connection ended with an error.");
    }
}

fn head_limits(limits: &HttpLimits) -> HeadLimits {
    HeadLimits {
        bytes: usize::try_from(limits.header_bytes.bytes()).unwrap_or(usize::MAX),
        headers: limits.header_count,
    }
}

fn timeouts(limits: &HttpLimits) -> Timeouts {
    Timeouts {
        head: limits.request_header_timeout,
        idle: limits.idle_timeout,
        body_idle: limits.body_idle_timeout,
    }
}

/// The strict reader has checked and timed everything before hyper sees it; here hyper only gets room for it.
fn http_settings(limits: HeadLimits) -> Builder {
    let mut http = Builder::new();
    http.max_buf_size(BUFFER_BYTES.max(limits.bytes.saturating_mul(2)));
    if limits.headers > HEADERS_ON_THE_STACK {
        http.max_headers(limits.headers);
    }
    http
}
