use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

use http::HeaderValue;

use super::*;

/// Counts how often it was woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn waker() -> (Arc<Woken>, Waker) {
    let woken = Arc::new(Woken::default());
    (Arc::clone(&woken), Waker::from(woken))
}

fn poll(reader: &mut Reader, waker: &Waker) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
    Pin::new(reader).poll_frame(&mut Context::from_waker(waker))
}

fn take_data(reader: &mut Reader) -> Bytes {
    match poll(reader, Waker::noop()) {
        Poll::Ready(Some(Ok(frame))) => frame.into_data().expect("a data frame"),
        other => panic!("expected data, got {other:?}"),
    }
}

#[test]
fn data_and_trailers_come_out_in_order_and_then_the_end() {
    let (writer, mut reader) = pipe(100);
    writer.write(Bytes::from_static(b"one")).unwrap();
    writer.write(Bytes::new()).unwrap();
    writer.write(Bytes::from_static(b"two")).unwrap();
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", HeaderValue::from_static("6"));
    writer.write_trailers(trailers).unwrap();
    writer.finish();
    assert_eq!(take_data(&mut reader), "one");
    assert_eq!(take_data(&mut reader), "two");
    assert!(!reader.is_end_stream());
    let Poll::Ready(Some(Ok(frame))) = poll(&mut reader, Waker::noop()) else {
        panic!("no trailers")
    };
    assert_eq!(frame.trailers_ref().unwrap()["x-sum"], "6");
    assert!(reader.is_end_stream());
    assert!(matches!(poll(&mut reader, Waker::noop()), Poll::Ready(None)));
}

#[test]
fn the_writer_waits_while_the_capacity_is_in_the_pipe() {
    let (writer, mut reader) = pipe(4);
    let (woken, waker) = waker();
    let mut cx = Context::from_waker(&waker);
    writer.write(Bytes::from_static(b"abc")).unwrap();
    assert!(
        writer.poll_ready(&mut cx).is_ready(),
        "three of four bytes leave room"
    );
    writer.write(Bytes::from_static(b"defgh")).unwrap();
    assert!(writer.poll_ready(&mut cx).is_pending());
    assert_eq!(writer.buffered(), 8);
    assert_eq!(take_data(&mut reader), "abc");
    assert_eq!(
        woken.0.load(Ordering::Relaxed),
        0,
        "five bytes are still more than the capacity"
    );
    assert_eq!(take_data(&mut reader), "defgh");
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    assert!(writer.poll_ready(&mut cx).is_ready());
    assert_eq!((writer.buffered(), writer.passed()), (0, 8));
}

#[test]
fn a_waiting_reader_is_woken_by_data_by_the_end_and_by_an_error() {
    for act in [
        |writer: &Writer| writer.write(Bytes::from_static(b"x")).unwrap(),
        |writer: &Writer| writer.finish(),
        |writer: &Writer| writer.abort(BodyError::Incomplete),
    ] {
        let (writer, mut reader) = pipe(4);
        let (woken, waker) = waker();
        assert!(poll(&mut reader, &waker).is_pending());
        act(&writer);
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    }
}

#[test]
fn a_writer_that_goes_before_the_end_leaves_an_error_behind_its_data() {
    let (writer, mut reader) = pipe(4);
    writer.write(Bytes::from_static(b"x")).unwrap();
    drop(writer);
    assert_eq!(take_data(&mut reader), "x");
    assert!(!reader.is_end_stream(), "a body that was cut short did not end");
    assert!(matches!(
        poll(&mut reader, Waker::noop()),
        Poll::Ready(Some(Err(BodyError::Incomplete)))
    ));
    assert!(matches!(poll(&mut reader, Waker::noop()), Poll::Ready(None)));
}

#[test]
fn an_abort_after_the_end_changes_nothing() {
    let (writer, mut reader) = pipe(4);
    writer.finish();
    writer.abort(BodyError::Incomplete);
    assert!(reader.is_end_stream());
    assert!(matches!(poll(&mut reader, Waker::noop()), Poll::Ready(None)));
}

#[test]
fn the_writer_sees_that_the_reader_went_away() {
    let (writer, reader) = pipe(1);
    let (woken, waker) = waker();
    let mut cx = Context::from_waker(&waker);
    writer.write(Bytes::from_static(b"full")).unwrap();
    assert!(writer.poll_ready(&mut cx).is_pending());
    assert!(writer.poll_closed(&mut cx).is_pending());
    drop(reader);
    assert_eq!(woken.0.load(Ordering::Relaxed), 2);
    assert_eq!(writer.poll_ready(&mut cx), Poll::Ready(Err(ReaderGone)));
    assert_eq!(writer.poll_closed(&mut cx), Poll::Ready(()));
    assert_eq!(writer.write(Bytes::from_static(b"x")), Err(ReaderGone));
    assert_eq!(writer.buffered(), 0, "what nobody will read is not kept");
}

#[test]
fn the_length_is_known_when_it_was_promised_or_when_all_is_written() {
    let (writer, mut reader) = pipe(100);
    assert_eq!(reader.size_hint().exact(), None);
    writer.promise_length(10);
    assert_eq!(reader.size_hint().exact(), Some(10));
    writer.write(Bytes::from_static(b"1234")).unwrap();
    take_data(&mut reader);
    assert_eq!(reader.size_hint().exact(), Some(6));

    let (writer, reader) = pipe(100);
    writer.write(Bytes::from_static(b"1234")).unwrap();
    assert_eq!(
        (reader.size_hint().lower(), reader.size_hint().exact()),
        (4, None)
    );
    writer.finish();
    assert_eq!(reader.size_hint().exact(), Some(4));
}

#[test]
fn a_body_with_trailers_has_no_exact_length_so_that_it_is_sent_in_chunks() {
    let (writer, reader) = pipe(100);
    writer.write(Bytes::from_static(b"1234")).unwrap();
    writer.write_trailers(HeaderMap::new()).unwrap();
    writer.finish();
    assert_eq!(reader.size_hint().exact(), None);
}
