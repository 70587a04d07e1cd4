//! The plugins of a running proxy are replaced, and no request is lost.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use wharf_abi_proxy_wasm::Namespace;
use wharf_plugin::OnFault;
use wharf_proxy::ReplaceError;
use wharf_proxy::plugins::{CompiledPlugin, PluginSet};
use wharf_testing::{Client, Response, eventually, scripted_origin};

use crate::guests::{
    REFUSES, TRAPS, counter, ending, eventually_freed, plugin, plugin_with, queue, stamp, status,
};
use crate::harness::{Proxy, ProxyBuilder, proxy};

fn version(response: &Response) -> u32 {
    assert_eq!(response.status, 200);
    let version = response.header("x-version").expect("the filter saw the response");
    version.parse().unwrap()
}

/// A proxy with one plugin before one answer.
fn answering(plugin: &CompiledPlugin) -> ProxyBuilder {
    proxy()
        .respond("hello", 200, "hello")
        .filtered("/", plugin, "hello")
}

fn stamps(version: u32) -> CompiledPlugin {
    plugin("stamp", &stamp(version))
}

#[test]
fn hammer_requests_on_kept_connections_while_plugins_are_replaced() {
    const LAST: u32 = 30;
    let mut proxy = answering(&stamps(0)).workers(2).start();
    let address = proxy.address();
    // What an answer may come from: at least what had replaced the rest before the request, and at most what was
    // beginning to when the answer had come.
    let (oldest, newest, over) = (AtomicU32::new(0), AtomicU32::new(0), AtomicBool::new(false));
    let mut statuses = Vec::new();
    let requests: usize = thread::scope(|scope| {
        let client = || {
            let mut client = wharf_testing::connect(address);
            let mut requests = 0;
            while !over.load(Ordering::SeqCst) || requests == 0 {
                let oldest = oldest.load(Ordering::SeqCst);
                let version = version(&client.get("/"));
                let newest = newest.load(Ordering::SeqCst);
                assert!(
                    (oldest..=newest).contains(&version),
                    "{version} of {oldest} to {newest}"
                );
                requests += 1;
            }
            requests
        };
        let clients: Vec<_> = (0..6).map(|_| scope.spawn(client)).collect();
        for version in 1..=LAST {
            let next = stamps(version);
            newest.store(version, Ordering::SeqCst);
            statuses.push(status(&proxy.replace(next)));
            oldest.store(version, Ordering::SeqCst);
        }
        over.store(true, Ordering::SeqCst);
        clients.into_iter().map(|client| client.join().unwrap()).sum()
    });
    assert_eq!(version(&proxy.get("/")), LAST);
    statuses.iter().for_each(eventually_freed);
    let now = status(&proxy.plugins().current());
    assert_eq!((now.running(), now.expected(), now.faults()), (2, 2, 0));
    // One page of memory for each of two VMs.
    proxy.eventually_counts("wharf_plugin_memory_bytes{plugin=\"stamp\"} 131072");
    let lines = proxy.log(requests + 1);
    assert!(
        lines
            .iter()
            .all(|line| line["status"] == 200 && line["faults"] == 0)
    );
}

/// An origin that answers when it is told to, and tells when it has a request. With `begins` it sends that first.
fn gated(
    begins: &'static str,
    ends: &'static str,
) -> (wharf_testing::Origin, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (told, in_flight) = mpsc::channel();
    let (go_on, gate) = mpsc::channel::<()>();
    let (told, gate) = (Mutex::new(told), Mutex::new(gate));
    let app = scripted_origin(move |mut conversation| {
        while conversation.request().is_some() {
            conversation.send(begins);
            told.lock().unwrap().send(()).unwrap();
            if gate.lock().unwrap().recv().is_err() {
                return;
            }
            conversation.send(ends);
        }
    });
    (app, in_flight, go_on)
}

/// Replaces version 1 by version 2 while a request waits for its answer. Gives the request's client.
fn replaced_in_flight(proxy: &mut Proxy, in_flight: &mpsc::Receiver<()>) -> (Client, Arc<PluginSet>) {
    let mut client = proxy.connect();
    client.request("GET", "/slow");
    in_flight.recv().unwrap();
    let before = proxy.replace(stamps(2));
    assert_eq!(version(&proxy.get("/")), 2, "whoever comes now gets the new one");
    let (old, new) = (status(&before), status(&proxy.plugins().current()));
    assert_eq!((old.running(), old.expected()), (1, 1), "the request needs it");
    assert_eq!((new.running(), new.expected()), (1, 1));
    (client, before)
}

fn slow(app: &wharf_testing::Origin) -> Proxy {
    let stamp = stamps(1);
    proxy()
        .upstream("app", &[app.address()])
        .respond("hello", 200, "hello")
        .filtered("/slow", &stamp, "app")
        .filtered("/", &stamp, "hello")
        .start()
}

#[test]
fn a_request_in_flight_finishes_with_the_filter_that_it_began_with() {
    let (app, in_flight, go_on) = gated("", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nwhole");
    let mut proxy = slow(&app);
    let (mut client, before) = replaced_in_flight(&mut proxy, &in_flight);
    let old = status(&before);
    drop(before);
    go_on.send(()).unwrap();
    let response = client.response();
    assert_eq!((version(&response), response.text()), (1, "whole"));
    eventually_freed(&old);
    // The same connection goes on with the new one.
    client.request("GET", "/slow");
    in_flight.recv().unwrap();
    go_on.send(()).unwrap();
    assert_eq!(version(&client.response()), 2);
}

#[test]
fn a_body_goes_on_through_the_filter_that_it_began_with() {
    let (app, in_flight, go_on) = gated("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nfirst", " last");
    let mut proxy = slow(&app);
    let (mut client, before) = replaced_in_flight(&mut proxy, &in_flight);
    let old = status(&before);
    drop(before);
    let mut response = client.response_head();
    assert_eq!(version(&response), 1);
    assert_eq!(old.running(), 1, "the body needs it");
    go_on.send(()).unwrap();
    client.try_body(&mut response).unwrap();
    assert_eq!(response.text(), "first last");
    eventually_freed(&old);
}

#[test]
fn a_client_that_leaves_keeps_no_old_vm() {
    let (app, in_flight, _go_on) = gated("", "");
    let mut proxy = slow(&app);
    let (client, before) = replaced_in_flight(&mut proxy, &in_flight);
    let old = status(&before);
    drop((client, before));
    eventually_freed(&old);
}

/// The counts of a response of the counting plugin: in shared data, and in the VM.
fn counts(response: &Response) -> (&str, &str) {
    assert_eq!(response.status, 200);
    (
        response.header("x-shared").unwrap(),
        response.header("x-own").unwrap(),
    )
}

#[test]
fn shared_data_of_a_vm_id_stays_and_a_plugin_that_has_not_changed_goes_on() {
    let team = |name: &str, version| plugin_with(name, &counter(version), |spec| spec.vm_id = name.into());
    let mut proxy = proxy()
        .respond("hello", 200, "hello")
        .filtered("/changes", &team("changes", 1), "hello")
        .filtered("/stays", &team("stays", 1), "hello")
        .start();
    for count in ["1", "2"] {
        assert_eq!(counts(&proxy.get("/changes")), (count, count));
        assert_eq!(counts(&proxy.get("/stays")), (count, count));
    }
    proxy.replace(team("changes", 2));
    assert_eq!(
        counts(&proxy.get("/changes")),
        ("3", "1"),
        "a new VM, the old data"
    );
    assert_eq!(counts(&proxy.get("/stays")), ("3", "3"), "the VM that ran before");
}

#[test]
fn what_a_plugin_without_a_vm_id_shares_is_its_own() {
    let tenant = |name: &str, version, tenant: &str| {
        plugin_with(name, &counter(version), |spec| {
            spec.env.insert("TENANT".into(), tenant.into());
        })
    };
    let mut proxy = proxy()
        .respond("hello", 200, "hello")
        .filtered("/a", &tenant("a", 1, "a"), "hello")
        .filtered("/b", &tenant("b", 1, "b"), "hello")
        .start();
    assert_eq!(counts(&proxy.get("/a")), ("1", "1"));
    assert_eq!(counts(&proxy.get("/a")), ("2", "2"));
    assert_eq!(counts(&proxy.get("/b")), ("1", "1"));
    // Neither the data that it had, nor that of the plugin that stood in its place.
    proxy.replace(tenant("a", 1, "z"));
    assert_eq!(counts(&proxy.get("/a")), ("1", "1"));
    assert_eq!(counts(&proxy.get("/b")), ("2", "2"));
    proxy.replace(tenant("a", 1, "a"));
    assert_eq!(
        counts(&proxy.get("/a")),
        ("1", "1"),
        "what it had went with its VM"
    );
    // A VM of the same bytes and settings keeps its data, also where it has to be built anew.
    let mut calls_out = tenant("b", 1, "b");
    let mut spec = (*calls_out.spec).clone();
    spec.allowed_upstreams.insert("hello".into());
    calls_out.spec = Arc::new(spec);
    proxy.replace(calls_out);
    assert_eq!(counts(&proxy.get("/b")), ("3", "1"));
}

#[test]
fn a_set_that_does_not_start_changes_nothing() {
    let mut proxy = answering(&stamps(1)).start();
    let before = proxy.plugins().current();
    let errors = proxy.next_plugins(plugin("stamp", REFUSES)).err().unwrap();
    assert_eq!(errors[0].to_string(), "plugin `stamp` does not start");
    assert!(Arc::ptr_eq(&before, &proxy.plugins().current()));
    assert_eq!(version(&proxy.get("/")), 1);
    assert_eq!(status(&before).faults(), 0);
}

fn queues(version: u32, alone: bool) -> CompiledPlugin {
    plugin_with("queue", &queue(version, alone), |spec| spec.vm_id = "team".into())
}

fn heard(count: usize) -> String {
    format!("wharf_guest_heard_total{{plugin=\"queue\",metric=\"heard\"}} {count}")
}

#[test]
fn a_set_that_one_worker_cannot_start_is_used_by_none() {
    let mut proxy = answering(&queues(1, false)).workers(2).start();
    let next = proxy.next_plugins(queues(2, true)).unwrap();
    let new = status(&next);
    let error = proxy.plugins().replace(next).unwrap_err();
    assert!(
        matches!(error, ReplaceError::Plugin { ref plugins, .. } if plugins == &["queue"]),
        "{error}"
    );
    eventually_freed(&new);
    for _ in 0..20 {
        assert_eq!(version(&proxy.get("/")), 1);
    }
    // The VM that registered the queue last is gone; one that registered it before hears again.
    proxy.eventually_counts(&heard(20));
    assert_eq!(status(&proxy.plugins().current()).running(), 2);
}

#[test]
fn hammer_a_queue_while_its_consumer_is_replaced() {
    let mut proxy = answering(&queues(0, false)).workers(2).start();
    let address = proxy.address();
    let over = AtomicBool::new(false);
    let requests: usize = thread::scope(|scope| {
        let client = || {
            let mut client = wharf_testing::connect(address);
            let mut requests = 0;
            while !over.load(Ordering::SeqCst) || requests == 0 {
                version(&client.get("/"));
                requests += 1;
            }
            requests
        };
        let clients: Vec<_> = (0..4).map(|_| scope.spawn(client)).collect();
        (1..=10).for_each(|version| drop(proxy.replace(queues(version, false))));
        over.store(true, Ordering::SeqCst);
        clients.into_iter().map(|client| client.join().unwrap()).sum()
    });
    proxy.eventually_counts(&heard(requests));
}

#[test]
fn an_old_plugin_ends_in_order_after_its_last_request() {
    let (app, in_flight, go_on) = gated("", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nwhole");
    let old = plugin_with("stamp", &ending(1), |spec| spec.vm_id = "team".into());
    let mut proxy = proxy()
        .upstream("app", &[app.address()])
        .filtered("/", &old, "app")
        .start();
    let mut client = proxy.connect();
    client.request("GET", "/");
    in_flight.recv().unwrap();
    let before = proxy.replace(stamps(2));
    let end = |set: &PluginSet| {
        let data = &set.shared().data;
        data.get(&Namespace::Named("team".into()), b"end")
            .map(|(end, _)| end)
    };
    assert_eq!(end(&before), None);
    go_on.send(()).unwrap();
    assert_eq!(version(&client.response()), 1);
    let old = status(&before);
    eventually("the old plugin is deleted", || {
        end(&before).is_some_and(|end| end == "dtx")
    });
    drop(before);
    eventually_freed(&old);
}

#[test]
fn a_plugin_that_faults_is_replaced_by_one_that_does_not() {
    let faulty = plugin_with("stamp", TRAPS, |spec| spec.on_fault = OnFault::Closed);
    let mut proxy = answering(&faulty).start();
    let mut client = proxy.connect();
    for _ in 0..3 {
        assert_eq!(client.get("/").status, 503);
    }
    let before = proxy.replace(stamps(2));
    assert_eq!(version(&client.get("/")), 2);
    let old = status(&before);
    assert_eq!(old.faults(), 3);
    drop(before);
    eventually_freed(&old);
    assert_eq!(status(&proxy.plugins().current()).faults(), 0);
}

#[test]
fn staged_plugins_serve_nobody_until_they_are_committed() {
    let mut proxy = answering(&stamps(1)).workers(2).start();
    let next = proxy.next_plugins(stamps(2)).unwrap();
    let new = status(&next);
    let running = proxy.plugins().clone();
    let staged = running.stage(Arc::clone(&next)).unwrap();
    assert_eq!(new.running(), 2);
    assert_eq!(version(&proxy.get("/")), 1);
    drop(staged);
    eventually("the staged VMs have ended", || {
        new.running() == 0 && new.expected() == 0
    });
    assert_eq!(version(&proxy.get("/")), 1);
    running.stage(Arc::clone(&next)).unwrap().commit().unwrap();
    assert_eq!(version(&proxy.get("/")), 2);
    assert!(Arc::ptr_eq(&next, &running.current()));
}

#[test]
fn a_set_of_another_configuration_is_refused() {
    let proxy = answering(&stamps(1)).start();
    let error = proxy.plugins().replace(Arc::default()).unwrap_err();
    let text = "route `web/0` names the plugin `stamp`, which is not defined";
    assert_eq!(error.to_string(), text);
    assert_eq!(version(&proxy.get("/")), 1);
}

#[test]
fn a_proxy_that_stops_does_not_replace_plugins() {
    let mut proxy = answering(&stamps(1)).start();
    let running = proxy.plugins().clone();
    let next = proxy.next_plugins(stamps(2)).unwrap();
    proxy.drain();
    proxy.join();
    assert!(matches!(running.replace(next), Err(ReplaceError::Stopping)));
}
