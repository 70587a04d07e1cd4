//! Starting, stopping, and the cache of compiled plugins.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::{Mutex, mpsc};

use rustix::process::Signal;
use wharf_testing::{Origin, eventually, scripted_origin};

use crate::harness::{Folder, config};
use crate::process::Wharf;

/// An origin that answers each request when it is told to.
fn patient_origin() -> (Origin, mpsc::Sender<()>) {
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let origin = scripted_origin(move |mut conversation| {
        while conversation.request().is_some() {
            if released.lock().expect("no script panics").recv().is_err() {
                return;
            }
            conversation.send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ndone");
        }
    });
    (origin, release)
}

/// Says in its log when its streams and its root end.
const TELLS_ITS_END: &str = r#"(module
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 4096))
  (global $root (mut i32) (i32.const 0))
  (data (i32.const 0) "root ")
  (data (i32.const 8) "done")
  (data (i32.const 16) "log")
  (data (i32.const 24) "delete")
  (data (i32.const 32) "root done")
  (data (i32.const 48) "root delete")
  (func $tell (param $text i32) (param $size i32)
    (drop (call $log (i32.const 2) (local.get $text) (local.get $size))))
  (func (export "proxy_on_configure") (param i32 i32) (result i32)
    (global.set $root (local.get 0))
    (i32.const 1))
  (func (export "proxy_on_done") (param i32) (result i32)
    (if (i32.eq (local.get 0) (global.get $root))
      (then (call $tell (i32.const 32) (i32.const 9)))
      (else (call $tell (i32.const 8) (i32.const 4))))
    (i32.const 1))
  (func (export "proxy_on_log") (param i32)
    (if (i32.ne (local.get 0) (global.get $root)) (then (call $tell (i32.const 16) (i32.const 3)))))
  (func (export "proxy_on_delete") (param i32)
    (if (i32.eq (local.get 0) (global.get $root))
      (then (call $tell (i32.const 48) (i32.const 11)))
      (else (call $tell (i32.const 24) (i32.const 6))))))"#;

#[test]
fn sigterm_lets_what_is_in_flight_finish() {
    let (origin, release) = patient_origin();
    let wharf = config()
        .plugin_of("tells", TELLS_ITS_END, "")
        .route("/", &["tells"], "app")
        .upstream("app", origin.address())
        .start();
    let mut client = wharf.connect();
    client.request("GET", "/in-flight");
    eventually("the upstream has the request", || origin.received().len() == 1);
    wharf.signal(Signal::TERM);
    eventually("the process is not ready any more", || {
        wharf.admin_get("/readyz").status == 503
    });
    assert_eq!(wharf.admin_get("/readyz").text(), "draining\n");
    eventually("nobody new is let in", || {
        TcpStream::connect(wharf.address()).is_err()
    });
    release.send(()).unwrap();
    let answer = client.response();
    assert_eq!((answer.status, answer.text()), (200, "done"));
    client.expect_close();
    let ended = wharf.wait();
    assert_eq!(ended.code, Some(0));
    assert_eq!(ended.paths(), ["/in-flight"]);
    assert_eq!(
        ended.plugin_log(),
        ["done", "log", "delete", "root done", "root delete"]
    );
    assert_eq!(ended.log.last().unwrap()["message"], "Stopped.");
}

#[test]
fn sigint_does_the_same() {
    let wharf = config().route("/", &[], "hello").start();
    for number in 0..50 {
        wharf.get(&format!("/{number}"));
    }
    wharf.signal(Signal::INT);
    let ended = wharf.wait();
    assert_eq!(
        (ended.code, ended.access_log.len()),
        (Some(0), 50),
        "every request is in the access log"
    );
}

#[test]
fn what_takes_longer_than_the_drain_timeout_is_broken_off() {
    let (origin, _release) = patient_origin();
    let wharf = config()
        .plugin_of("tells", TELLS_ITS_END, "")
        .route("/", &["tells"], "app")
        .upstream("app", origin.address())
        .proxy("drainTimeout: 100ms")
        .start();
    let mut client = wharf.connect();
    client.request("GET", "/hangs");
    eventually("the upstream has the request", || origin.received().len() == 1);
    let ended = wharf.stop();
    client.expect_close();
    assert_eq!((ended.code, ended.paths()), (Some(0), vec!["/hangs"]));
    assert_eq!(
        ended.plugin_log(),
        ["done", "log", "delete", "root done", "root delete"]
    );
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let (origin, _release) = patient_origin();
    let wharf = config()
        .route("/", &[], "app")
        .upstream("app", origin.address())
        .start();
    let mut client = wharf.connect();
    client.request("GET", "/");
    eventually("the upstream has the request", || origin.received().len() == 1);
    wharf.signal(Signal::TERM);
    eventually("it heeds the first", || wharf.admin_get("/readyz").status == 503);
    wharf.signal(Signal::TERM);
    let ended = wharf.wait();
    assert_eq!(ended.code, Some(1));
    assert_eq!(ended.stderr.last().unwrap(), "ended by a second signal");
}

#[test]
fn an_idle_connection_does_not_hold_up_the_end() {
    let wharf = config().route("/", &[], "hello").start();
    let mut idle = wharf.connect();
    assert_eq!(idle.get("/").status, 200);
    let mut silent = TcpStream::connect(wharf.address()).unwrap();
    assert_eq!(wharf.stop().code, Some(0));
    idle.expect_close();
    // It sees the end of the stream, or a reset.
    assert!(!matches!(silent.read(&mut [0]), Ok(1..)));
}

#[test]
fn the_access_log_may_be_a_file_or_nowhere() {
    let wharf = config()
        .route("/", &[], "hello")
        .proxy("accessLog: { file: access.log }")
        .start();
    wharf.get("/one");
    let path = wharf.folder().path().join("access.log");
    eventually("the line is written", || {
        fs::read_to_string(&path).is_ok_and(|text| text.contains("\"/one\""))
    });
    assert!(wharf.stop().access_log.is_empty());
    let wharf = config().route("/", &[], "hello").proxy("accessLog: off").start();
    wharf.get("/one");
    assert!(wharf.stop().access_log.is_empty());
}

/// Serves with a cache of the test's own, and gives what the cache's metrics say: hits and misses.
fn serve_with_cache(folder: Folder) -> (Folder, [Option<f64>; 2], Vec<serde_json::Value>) {
    let path = folder.path().to_owned();
    let mut command = folder.command(&["serve", "wharf.yaml"]);
    command.env("XDG_CACHE_HOME", path.join("cache"));
    let wharf = Wharf::start_by(folder, command);
    assert_eq!(wharf.get("/").header("x-greeting"), Some("hello"));
    let metric = |name| wharf.metric(&format!("wharf_compile_cache_{name}_total"));
    let counts = [metric("hits"), metric("misses")];
    let log = wharf.log();
    (wharf.folder().clone(), counts, log)
}

fn cache_entries(folder: &Folder) -> Vec<PathBuf> {
    let directory = folder.path().join("cache/wharf/compiled");
    let mut files = Vec::new();
    let mut directories = vec![directory];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).expect("the cache is there") {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path)
            } else {
                files.push(path)
            }
        }
    }
    files.retain(|file| fs::metadata(file).is_ok_and(|data| data.len() > 10_000));
    files
}

#[test]
fn the_second_start_finds_compiled_plugins_and_a_damaged_one_is_compiled_again() {
    let greet = config()
        .plugin("greet", "rust-headers/rust-headers.wasm", "")
        .route("/", &["greet"], "hello");
    let (folder, counts, _) = serve_with_cache(greet.write());
    assert_eq!(counts, [Some(0.0), Some(1.0)]);
    let (folder, counts, log) = serve_with_cache(folder);
    assert_eq!(counts, [Some(1.0), Some(0.0)]);
    assert!(
        log.iter()
            .any(|line| line["message"] == "A plugin was loaded from the cache.")
    );

    let entries = cache_entries(&folder);
    assert_eq!(entries.len(), 1, "{entries:?}");
    let mut bytes = fs::read(&entries[0]).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    fs::File::create(&entries[0]).unwrap().write_all(&bytes).unwrap();
    let (folder, counts, log) = serve_with_cache(folder);
    assert_eq!(counts, [Some(0.0), Some(1.0)]);
    let warned = log
        .iter()
        .any(|line| line["message"] == "The cache of compiled modules had a problem.");
    assert!(warned, "{log:#?}");

    let (_, counts, _) = serve_with_cache(folder);
    assert_eq!(counts, [Some(1.0), Some(0.0)], "the new entry is good");
}

#[test]
fn two_that_start_at_once_on_an_empty_cache_both_serve() {
    let greet = config()
        .plugin("greet", "rust-headers/rust-headers.wasm", "")
        .route("/", &["greet"], "hello");
    let folder = greet.write();
    let text = fs::read_to_string(folder.path().join("wharf.yaml")).unwrap();
    let folders = [folder, crate::harness::folder().with("wharf.yaml", text)];
    let cache = folders[0].path().join("cache");
    let commands = folders.map(|folder| {
        let mut command = folder.command(&["serve", "wharf.yaml"]);
        command.env("XDG_CACHE_HOME", &cache);
        (folder, command)
    });
    std::thread::scope(|scope| {
        let starts = commands.map(|(folder, command)| scope.spawn(|| Wharf::start_by(folder, command)));
        for wharf in starts.map(|start| start.join().unwrap()) {
            assert_eq!(wharf.get("/").header("x-greeting"), Some("hello"));
        }
    });
}

#[test]
fn a_cache_that_cannot_be_used_costs_a_warning() {
    let folder = config()
        .plugin("greet", "rust-headers/rust-headers.wasm", "")
        .route("/", &["greet"], "hello")
        .write()
        .with("no-folder", "");
    let mut command = folder.command(&["serve", "wharf.yaml"]);
    command.env("XDG_CACHE_HOME", folder.path().join("no-folder"));
    let wharf = Wharf::start_by(folder, command);
    assert_eq!(wharf.get("/").header("x-greeting"), Some("hello"));
    let log = wharf.log();
    let warning = log
        .iter()
        .find(|line| line["level"] == "WARN")
        .expect("a warning");
    assert_eq!(warning["message"], "The cache of compiled modules had a problem.");
    assert_eq!(
        warning["hint"],
        "choose a cache directory that this user can write"
    );
}
