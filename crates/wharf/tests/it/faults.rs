//! Faults of every kind, what becomes of others meanwhile, and what is told of them.

use std::sync::{Mutex, mpsc};

use wharf_testing::{Client, Origin, eventually, scripted_origin};

use crate::harness::{HELLO, config};
use crate::process::Wharf;

/// Answers `/held` when it is told to, once for each time, and everything else at once.
fn origin() -> (Origin, mpsc::Sender<()>) {
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let origin = scripted_origin(move |mut conversation| {
        while let Some(request) = conversation.request() {
            if request.target == "/held" && released.lock().expect("no script panics").recv().is_err() {
                return;
            }
            conversation.send("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\napp");
        }
    });
    (origin, release)
}

fn serve(origin: &Origin, guest: &str, keys: &str) -> Wharf {
    config()
        .plugin("bad", &format!("wat/{guest}.wat"), keys)
        .route("/", &["bad"], "app")
        .upstream("app", origin.address())
        .workers(1)
        .start()
}

fn held(wharf: &Wharf, origin: &Origin, count: usize) -> Vec<Client> {
    let mut clients: Vec<_> = (0..count).map(|_| wharf.connect()).collect();
    for client in &mut clients {
        client.request("GET", "/held");
    }
    eventually("the upstream has the requests", || {
        origin.received().len() == count
    });
    clients
}

/// Whichever way a VM ends, the streams in it end with it, and the next requests find another.
fn check_closed(guest: &str, keys: &str, target: &str, kind: &str) -> Wharf {
    let (origin, _release) = origin();
    let wharf = serve(&origin, guest, keys);
    let others = held(&wharf, &origin, 4);
    let answer = wharf.get(target);
    assert_eq!(
        (answer.status, answer.text()),
        (503, "a filter of this route failed\n")
    );
    for mut other in others {
        let answer = other.response();
        assert_eq!(
            (answer.status, answer.text()),
            (503, "a filter of this route failed\n")
        );
    }
    let line = wharf.access(target);
    assert_eq!(
        (&line["details"], &line["faults"]),
        (&"filter_fault".into(), &1.into())
    );
    expect_rebuilt(&wharf, kind);
    for _ in 0..3 {
        assert_eq!(wharf.get("/").text(), "app");
    }
    wharf
}

fn check_open(guest: &str, keys: &str, target: &str, kind: &str) {
    let (origin, release) = origin();
    let keys = format!("onFault: open, {keys}");
    let wharf = serve(&origin, guest, &keys);
    let others = held(&wharf, &origin, 4);
    assert_eq!(wharf.get(target).text(), "app");
    (0..others.len()).for_each(|_| release.send(()).unwrap());
    for mut other in others {
        assert_eq!(other.response().text(), "app");
    }
    expect_rebuilt(&wharf, kind);
    assert_eq!(wharf.get("/").text(), "app");
}

fn expect_rebuilt(wharf: &Wharf, kind: &str) {
    eventually("the VM is built anew", || wharf.plugin("bad")["rebuilds"] == 1);
    wharf.wait_for_vms("bad");
    let metric = format!("wharf_plugin_faults_total{{plugin=\"bad\",kind=\"{kind}\"}}");
    assert_eq!(wharf.metric(&metric), Some(1.0), "{}", wharf.plugin("bad"));
}

/// The error in the log.
fn fault_line(wharf: &Wharf) -> serde_json::Value {
    let mut found = None;
    eventually("the fault is in the log", || {
        found = wharf
            .log()
            .into_iter()
            .find(|line| line["level"] == "ERROR" && line["plugin"] == "bad");
        found.is_some()
    });
    found.unwrap()
}

#[test]
fn a_trap_is_told_with_its_backtrace() {
    let wharf = check_closed("trap", "", "/trap-on-request-headers", "trap");
    let line = fault_line(&wharf);
    assert_eq!(
        (&line["kind"], &line["callback"]),
        (&"trap".into(), &"proxy_on_request_headers".into())
    );
    let backtrace = line["backtrace"].as_str().unwrap();
    assert!(
        backtrace.contains("trap_when") && backtrace.contains("on_request_headers"),
        "{backtrace}"
    );
    check_open("trap", "", "/trap-on-request-headers", "trap");
}

#[test]
fn a_loop_costs_its_deadline_and_no_more() {
    let keys = "limits: { deadline: 200ms }";
    let wharf = check_closed("loop", keys, "/loop", "deadline");
    let message = fault_line(&wharf)["message"].as_str().unwrap().to_owned();
    assert!(
        message.contains("the guest ran past its deadline of 200ms"),
        "{message}"
    );
    check_open("loop", keys, "/loop", "deadline");
}

#[test]
fn a_hog_reaches_its_memory_limit() {
    let keys = "limits: { deadline: 20s, memory: 8MiB }";
    let wharf = check_closed("hog", keys, "/hog", "memory");
    let message = fault_line(&wharf)["message"].as_str().unwrap().to_owned();
    assert!(message.contains("8MiB"), "{message}");
    check_open("hog", keys, "/hog", "memory");
}

#[test]
fn an_exit_is_a_fault() {
    let wharf = check_closed("exit", "", "/exit", "exit");
    let message = fault_line(&wharf)["message"].as_str().unwrap().to_owned();
    assert!(message.contains('3'), "{message}");
    check_open("exit", "", "/exit", "exit");
}

#[test]
fn an_action_that_is_none_pauses() {
    let wharf = config()
        .plugin("bad", "wat/bad-action.wat", "")
        .route("/", &["bad"], "hello")
        .limits("bodyIdleTimeout: 100ms")
        .start();
    assert_eq!(wharf.get("/bad-action").status, 504);
    assert_eq!(wharf.get("/").text(), HELLO);
    assert_eq!(wharf.plugin("bad")["faults"], 0, "as in Envoy, it is no fault");
}

#[test]
fn an_allocator_that_gives_a_wild_address_harms_only_its_guest() {
    let (origin, _release) = origin();
    let wharf = serve(&origin, "bad-allocator", "");
    for _ in 0..3 {
        assert_eq!(wharf.get("/").text(), "app");
    }
    assert_eq!(
        wharf.plugin("bad")["faults"],
        0,
        "the host call gives a status, which the guest ignores"
    );
}

#[test]
fn a_trap_in_a_tick_is_nobodys_request_and_the_vm_is_built_again_and_again() {
    let (origin, _release) = origin();
    let mut wharf = serve(&origin, "trap-on-tick", "");
    eventually("three VMs have trapped", || {
        wharf.plugin("bad")["rebuilds"].as_u64() >= Some(3)
    });
    assert!(wharf.is_running());
    eventually("requests are served in between", || wharf.get("/").status == 200);
    assert_eq!(fault_line(&wharf)["callback"], "proxy_on_tick");
}

/// Starts once; when its VM is built again it says no, because it finds what the first has left in the shared data.
const STARTS_ONCE: &str = r#"(module
  (import "env" "proxy_get_shared_data" (func $get (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_set_shared_data" (func $set (param i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 4096))
  (data (i32.const 16) "key")
  (func (export "proxy_on_configure") (param i32 i32) (result i32)
    (if (i32.eqz (call $get (i32.const 16) (i32.const 3) (i32.const 0) (i32.const 4) (i32.const 8)))
      (then (return (i32.const 0))))
    (drop (call $set (i32.const 16) (i32.const 3) (i32.const 16) (i32.const 3) (i32.const 0)))
    (i32.const 1))
  (func $on_request_headers (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    unreachable))"#;

#[test]
fn a_vm_that_cannot_be_built_again_leaves_its_policy_and_an_unready_process() {
    let wharf = config()
        .plugin_of("closed", STARTS_ONCE, "vmId: a")
        .plugin_of("open", STARTS_ONCE, "vmId: b, onFault: open")
        .plugin_of("optional", STARTS_ONCE, "vmId: c, required: false")
        .route("/closed", &["closed"], "hello")
        .route("/open", &["open"], "hello")
        .route("/optional", &["optional"], "hello")
        .start();
    let ready = || wharf.admin_get("/readyz");
    assert_eq!(wharf.get("/optional").status, 503);
    eventually("it is not healthy", || {
        wharf.plugin("optional")["healthy"] == false
    });
    assert_eq!(ready().status, 200, "it is not required");
    for _ in 0..2 {
        assert_eq!(wharf.get("/closed").status, 503);
        assert_eq!(wharf.get("/open").text(), HELLO);
    }
    let answer = ready();
    assert_eq!(answer.status, 503);
    assert!(
        answer.text().contains("plugin closed has no healthy VM: "),
        "{}",
        answer.text()
    );
    assert!(
        answer.text().contains("plugin open has no healthy VM: "),
        "{}",
        answer.text()
    );
    assert!(!answer.text().contains("optional"), "{}", answer.text());
    assert_eq!(wharf.admin_get("/healthz").status, 200);
    let line = wharf.access("/closed");
    assert_eq!(
        (&line["status"], &line["details"]),
        (&503.into(), &"filter_fault".into())
    );
    eventually("the log says that it could not be rebuilt", || {
        wharf.log().iter().any(|line| {
            line["message"]
                .as_str()
                .is_some_and(|text| text.contains("could not be rebuilt"))
        })
    });
}
