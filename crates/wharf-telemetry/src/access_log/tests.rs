use std::sync::mpsc;
use std::time::UNIX_EPOCH;

use super::*;

fn entry() -> AccessEntry<'static> {
    AccessEntry {
        time: UNIX_EPOCH + Duration::from_micros(1_709_251_199_000_042),
        request_id: "id-1",
        listener: "web",
        route: Some("api"),
        client: "127.0.0.1:4711",
        method: "GET",
        host: b"example.com",
        path: "/a?b=c",
        protocol: "HTTP/1.1",
        status: Some(200),
        details: None,
        bytes_in: 0,
        bytes_out: 5,
        duration: Duration::from_micros(1_234),
        upstream: Some("127.0.0.1:9000"),
        upstream_duration: Some(Duration::from_micros(1_000)),
        filter_duration: Duration::from_micros(17),
        faults: 0,
    }
}

/// Hands every write to the test.
struct Captured(mpsc::Sender<Vec<u8>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .send(bytes.to_vec())
            .map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn capturing() -> (AccessLog, Receiver<Vec<u8>>, Counter) {
    let (sender, received) = mpsc::channel();
    let lost = Counter::default();
    let sink = AccessLogSink::Writer(Box::new(Captured(sender)));
    (AccessLog::start(sink, lost.clone()).unwrap(), received, lost)
}

fn line_of(entry: &AccessEntry<'_>) -> String {
    let mut out = Vec::new();
    format_entry(&mut out, &mut Timestamps::default(), entry);
    String::from_utf8(out).unwrap()
}

#[test]
fn an_entry_is_one_line_with_every_field_in_order() {
    assert_eq!(
        line_of(&entry()),
        concat!(
            r#"{"time":"2024-02-29T23:59:59.000042Z","requestId":"id-1","listener":"web","route":"api","#,
            r#""client":"127.0.0.1:4711","method":"GET","host":"example.com","path":"/a?b=c","#,
            r#""protocol":"HTTP/1.1","status":200,"details":null,"bytesIn":0,"bytesOut":5,"durationUs":1234,"#,
            r#""upstream":"127.0.0.1:9000","upstreamUs":1000,"filterUs":17,"faults":0}"#,
            "\n"
        )
    );
}

#[test]
fn what_is_absent_is_null() {
    let line = line_of(&AccessEntry {
        route: None,
        status: None,
        details: Some("client disconnected"),
        upstream: None,
        upstream_duration: None,
        ..entry()
    });
    let parsed: serde_json::Value = serde_json::from_str(&line).unwrap();
    for key in ["route", "status", "upstream", "upstreamUs"] {
        assert_eq!(parsed[key], serde_json::Value::Null, "{key}");
    }
    assert_eq!(parsed["details"], "client disconnected");
}

#[test]
fn hostile_text_stays_inside_its_string() {
    let every_ascii_character: String = (0..=0x7fu8).map(char::from).collect();
    let line = line_of(&AccessEntry {
        host: b"a\",\"status\":999,\"x\":\"\xff\xfe\xe2\x82",
        path: &every_ascii_character,
        request_id: "ü\u{1f980}\u{2028}",
        ..entry()
    });
    assert_eq!(line.matches('\n').count(), 1, "one entry is one line");
    let parsed: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(parsed["status"], 200);
    assert_eq!(
        parsed["host"],
        "a\",\"status\":999,\"x\":\"\u{fffd}\u{fffd}\u{fffd}"
    );
    assert_eq!(parsed["path"], every_ascii_character);
    assert_eq!(parsed["requestId"], "ü\u{1f980}\u{2028}");
}

#[test]
fn the_largest_numbers_are_whole() {
    let line = line_of(&AccessEntry {
        bytes_in: u64::MAX,
        bytes_out: 10,
        ..entry()
    });
    let parsed: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(parsed["bytesIn"], u64::MAX);
    assert_eq!(parsed["bytesOut"], 10);
}

#[test]
fn lines_are_kept_until_flushed_and_then_written_together() {
    let (log, received, lost) = capturing();
    let mut buffer = log.buffer();
    buffer.write(&entry());
    buffer.write(&entry());
    assert!(
        received.try_recv().is_err(),
        "nothing is written before the flush"
    );
    buffer.flush();
    assert_eq!(received.recv().unwrap(), line_of(&entry()).repeat(2).into_bytes());
    drop(buffer);
    assert!(log.close(Duration::from_secs(10)));
    assert_eq!(lost.get(), 0);
}

#[test]
fn a_full_buffer_flushes_itself_and_a_dropped_one_too() {
    let (log, received, _) = capturing();
    let mut buffer = log.buffer();
    let lines = FLUSH_BYTES / line_of(&entry()).len() + 2;
    for _ in 0..lines {
        buffer.write(&entry());
    }
    assert!(received.recv().unwrap().len() >= FLUSH_BYTES);
    drop(buffer);
    assert!(log.close(Duration::from_secs(10)));
    let rest: usize = received.iter().map(|text| text.len()).sum();
    assert!(rest > 0, "the last lines are written when the buffer goes");
}

#[test]
fn a_stuck_writer_costs_lines_and_not_time() {
    struct Stuck(Receiver<()>);
    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // Until the test lets go.
            let _ = self.0.recv();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let (let_go, stuck) = mpsc::channel();
    let lost = Counter::default();
    let log = AccessLog::start(AccessLogSink::Writer(Box::new(Stuck(stuck))), lost.clone()).unwrap();
    let mut buffer = log.buffer();
    // One batch is with the writer, the queue is full, and the rest finds no room.
    for _ in 0..QUEUED_BUFFERS + 3 {
        buffer.write(&entry());
        buffer.flush();
    }
    assert!((2..=3).contains(&lost.get()), "{} lines were lost", lost.get());
    drop(let_go);
    drop(buffer);
    assert!(log.close(Duration::from_secs(10)));
}

#[test]
fn lines_that_cannot_be_written_are_counted() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let lost = Counter::default();
    let log = AccessLog::start(AccessLogSink::Writer(Box::new(Full)), lost.clone()).unwrap();
    let mut buffer = log.buffer();
    buffer.write(&entry());
    buffer.write(&entry());
    drop(buffer);
    assert!(log.close(Duration::from_secs(10)));
    assert_eq!(lost.get(), 2);
}

#[test]
fn a_file_is_appended_to() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    std::fs::write(&path, "before\n").unwrap();
    let log = AccessLog::start(AccessLogSink::File(path.clone()), Counter::default()).unwrap();
    let mut buffer = log.buffer();
    buffer.write(&entry());
    drop(buffer);
    assert!(log.close(Duration::from_secs(10)));
    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        format!("before\n{}", line_of(&entry()))
    );
}

#[test]
fn a_file_that_cannot_be_opened_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing").join("access.log");
    let error = AccessLog::start(AccessLogSink::File(path.clone()), Counter::default())
        .err()
        .unwrap();
    assert!(error.to_string().contains(&path.display().to_string()), "{error}");
}

#[test]
fn a_log_that_is_off_writes_nothing() {
    let log = AccessLog::start(AccessLogSink::Off, Counter::default()).unwrap();
    let mut buffer = log.buffer();
    buffer.write(&entry());
    assert_eq!(buffer.batch.text.capacity(), 0);
    drop(buffer);
    assert!(log.close(Duration::ZERO));
}
