//! Requests as hyper reads them.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response, Uri};

use super::plain::Fields;

/// A request as hyper has read it.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) target: Uri,
    pub(crate) headers: Fields,
    /// `None` where it was cut off.
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) trailers: Fields,
}

/// All requests that hyper reads in `bytes`, and why it stopped where that was not the end.
pub(crate) fn requests_of_hyper(bytes: &[u8]) -> (Vec<Seen>, Option<hyper::Error>) {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let error = {
        let service = service_fn(|request| serve(Rc::clone(&seen), request));
        let gone = Rc::new(Cell::new(false));
        let client = Client {
            left: bytes,
            gone: Rc::clone(&gone),
        };
        let serving = hyper::server::conn::http1::Builder::new().serve_connection(client, service);
        run(serving, &gone).err()
    };
    (seen.take(), error)
}

async fn serve(
    seen: Rc<RefCell<Vec<Seen>>>,
    request: Request<Incoming>,
) -> Result<Response<Empty<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let mut request = Seen {
        method: head.method.to_string(),
        target: head.uri,
        headers: fields(&head.headers),
        body: None,
        trailers: Fields::new(),
    };
    if let Ok(collected) = body.collect().await {
        request.trailers = collected.trailers().map(fields).unwrap_or_default();
        request.body = Some(collected.to_bytes().to_vec());
    }
    seen.borrow_mut().push(request);
    Ok(Response::new(Empty::new()))
}

fn fields(headers: &HeaderMap) -> Fields {
    let mut fields = Fields::new();
    for (name, value) in headers {
        fields
            .entry(name.as_str().to_owned())
            .or_default()
            .push(value.as_bytes().to_vec());
    }
    fields
}

/// Runs a future that waits for nothing but itself and the client, who leaves when nothing else goes on.
fn run<T>(future: impl Future<Output = T>, gone: &Cell<bool>) -> T {
    let woken = Arc::new(Woken(AtomicBool::new(true)));
    let waker = Waker::from(Arc::clone(&woken));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        if !woken.0.swap(false, Ordering::Relaxed) {
            assert!(!gone.replace(true), "hyper waits for nothing");
        }
    }
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A client that has sent all that it ever will, and reads all that comes. To leave before the answer would be to break off.
struct Client<'a> {
    left: &'a [u8],
    gone: Rc<Cell<bool>>,
}

impl Read for Client<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if self.left.is_empty() && !self.gone.get() {
            return Poll::Pending;
        }
        let (now, left) = self.left.split_at(self.left.len().min(buffer.remaining()));
        buffer.put_slice(now);
        self.left = left;
        Poll::Ready(Ok(()))
    }
}

impl Write for Client<'_> {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
