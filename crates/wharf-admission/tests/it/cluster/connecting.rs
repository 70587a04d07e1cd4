//! Starting with a cluster, and without.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;
use wharf_admission::CapabilityLimits;
use wharf_testing::api_server::{Answer, kubeconfig_for};
use wharf_testing::{api_server, eventually, refused_address};

use super::ask::{asking, calm, config_map, config_maps, connect};

#[test]
fn a_cluster_that_nobody_reaches_is_an_error_at_start() {
    let kubeconfig = kubeconfig_for(refused_address());
    let error = connect(&kubeconfig, &calm(), false)
        .err()
        .expect("nobody listens there")
        .to_string();
    assert!(
        error.contains("the cluster's API server cannot be reached: "),
        "{error}"
    );
    assert!(error.contains("Connection refused"), "{error}");
    assert!(
        error.ends_with("`admission.kubernetes.ignoreConnectionFailure: true` starts without it"),
        "{error}"
    );
}

#[test]
fn a_cluster_that_nobody_reaches_can_be_started_without() {
    let asking = connect(&kubeconfig_for(refused_address()), &calm(), true).expect("it is to start");
    let told = asking.get("ConfigMap", "a").unwrap_err();
    assert!(
        told.starts_with("cannot look up the kinds of v1: the cluster's API server cannot be reached: "),
        "{told}"
    );
    let told = asking.list("ConfigMap", &json!({})).unwrap_err();
    assert!(told.contains("cannot be reached"), "{told}");
}

#[test]
fn a_cluster_that_comes_later_is_asked_then() {
    let up = Arc::new(AtomicBool::new(false));
    let state = Arc::clone(&up);
    let server = api_server(move |asked| {
        if !state.load(Ordering::SeqCst) {
            return Some(Answer::status(503, "ServiceUnavailable", "not yet"));
        }
        (asked.path == "/api/v1/namespaces/n/configmaps/a").then(|| Answer::ok(config_map("a", 1, "1")))
    });
    let error = connect(&server.kubeconfig(), &calm(), false)
        .err()
        .expect("it is not up")
        .to_string();
    assert!(
        error.contains("answered 503 Service Unavailable: not yet"),
        "{error}"
    );
    let asking = connect(&server.kubeconfig(), &calm(), true).expect("it is to start");
    let told = asking.get("ConfigMap", "a").unwrap_err();
    assert!(
        told.ends_with("answered 503 Service Unavailable: not yet"),
        "{told}"
    );
    up.store(true, Ordering::SeqCst);
    assert!(asking.get("ConfigMap", "a").is_ok());
}

#[test]
fn credentials_that_are_refused_are_an_error_at_start_and_others_are_not() {
    let server = api_server(|_| Some(Answer::status(401, "Unauthorized", "Unauthorized")));
    let error = connect(&server.kubeconfig(), &calm(), false)
        .err()
        .expect("nobody knows the token");
    assert!(
        error
            .to_string()
            .contains("answered 401 Unauthorized: Unauthorized"),
        "{error}"
    );
    let server = api_server(|_| Some(Answer::status(403, "Forbidden", "the version is a secret")));
    assert!(
        connect(&server.kubeconfig(), &calm(), false).is_ok(),
        "it answers, and may answer more"
    );
}

#[test]
fn a_cluster_that_is_silent_does_not_hold_up_the_start_for_ever() {
    let server = api_server(|_| Some(Answer::Nothing));
    let limits = CapabilityLimits {
        connect: Duration::from_millis(50),
        ..calm()
    };
    let error = connect(&server.kubeconfig(), &limits, false)
        .err()
        .expect("it is silent")
        .to_string();
    assert!(error.contains("did not answer within 50ms"), "{error}");
}

#[test]
fn everything_ends_with_the_server() {
    let server = api_server(|asked| match asked.path.as_str() {
        "/api/v1/configmaps" if asked.is_watch() => Some(Answer::Nothing),
        "/api/v1/configmaps" => Some(Answer::ok(config_maps(1, "", &[]))),
        _ => None,
    });
    let asking = asking(&server, &calm());
    assert_eq!(asking.names(), [""; 0]);
    eventually("it is watched", || server.asked_for("watch=true") == 1);
    drop(asking);
    eventually("the watch is closed", || server.open() == 0);
}
