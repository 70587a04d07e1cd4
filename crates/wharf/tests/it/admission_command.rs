//! `wharf admission`: each of policy-server's flags and variables, by a server that was started with it.

mod fetched;
mod kubernetes;
mod logging;
mod refused;
mod signals;
mod tls;

use std::net::TcpListener;
use std::process::Command;

use rustix::process::Signal;
use serde_json::{Value, json};
use wharf_testing::{connect, eventually};

use crate::harness::{Folder, folder, root};
use crate::process::{Wharf, post};

/// A file of policies with one policy, which wants the label `team`.
const LABELS: &str = "labels: { module: guests/policies/policy-labels/policy-labels.wasm, \
                      settings: { required: [team] }, timeoutEvalSeconds: 60 }\n";

/// A policy that never comes back from a review.
const LOOP: &str = "hangs: { module: guests/policies/wat/loop.wat }\n";

/// Ports of the system's choice on the loopback interface.
const ANYWHERE: [&str; 6] = [
    "--addr",
    "127.0.0.1",
    "--port",
    "0",
    "--readiness-probe-port",
    "0",
];

/// A folder with these policies as `policies.yml`.
fn policies(text: &str) -> Folder {
    folder().with("policies.yml", text)
}

/// The command, somewhere on this machine, with further arguments.
fn command(folder: &Folder, arguments: &[&str]) -> Command {
    folder.command(&[&["admission"], &ANYWHERE[..], arguments].concat())
}

/// Serves the policies of a folder with further arguments.
fn serve(folder: &Folder, arguments: &[&str]) -> Wharf {
    Wharf::start_by(folder.clone(), command(folder, arguments))
}

fn review(name: &str) -> Vec<u8> {
    let path = root()
        .join("guests/policies/reviews")
        .join(format!("{name}.json"));
    std::fs::read(path).unwrap()
}

/// What a policy answers to a review.
fn ask(wharf: &Wharf, id: &str, name: &str) -> Value {
    let mut client = connect(wharf.admission());
    post(&mut client, &format!("/validate/{id}"), &review(name));
    let answer = client.response();
    assert_eq!(answer.status, 200, "{id}: {}", answer.text());
    serde_json::from_slice::<Value>(&answer.body).unwrap()["response"].take()
}

fn message(response: &Value) -> &str {
    response["status"]["message"].as_str().unwrap_or_default()
}

/// What the admin port says of a policy.
fn policy(wharf: &Wharf, id: &str) -> Value {
    let answer = wharf.admin_get("/policies");
    let all: Value = serde_json::from_slice(&answer.body).unwrap();
    let mut all = all.as_array().cloned().unwrap_or_default();
    all.retain(|policy| policy["id"] == id);
    all.pop().unwrap_or_default()
}

/// The exit code and what is said on stderr by a command that does not serve.
fn refused(mut command: Command) -> (Option<i32>, String) {
    let output = command.env("WHARF_LOG", "off").output().unwrap();
    assert!(output.stdout.is_empty(), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), said)
}

#[test]
fn flags_say_where_it_listens_and_which_policies_it_serves() {
    let wharf = serve(&policies(LABELS), &[]);
    assert!(wharf.admission().ip().is_loopback() && wharf.admin().ip().is_loopback());
    let refused = ask(&wharf, "labels", "pod-create");
    assert_eq!(message(&refused), "the label `team` is missing");
    assert_eq!(
        ask(&wharf, "labels", "pod-create-labelled")["allowed"],
        json!(true)
    );
    assert_eq!(wharf.admin_get("/readiness").status, 200);
    assert_eq!(wharf.stop().code, Some(0));
}

#[test]
fn variables_say_the_same() {
    let folder = folder().with("mine.yml", LABELS);
    let mut command = folder.command(&["admission"]);
    command
        .env("KUBEWARDEN_BIND_ADDRESS", "127.0.0.1")
        .env("KUBEWARDEN_PORT", "0")
        .env("KUBEWARDEN_READINESS_PROBE_PORT", "0")
        .env("KUBEWARDEN_POLICIES", "mine.yml")
        .env("KUBEWARDEN_POLICY_TIMEOUT", "7")
        .env("KUBEWARDEN_WORKERS", "3");
    let wharf = Wharf::start_by(folder, command);
    assert!(wharf.admission().ip().is_loopback());
    assert_eq!(ask(&wharf, "labels", "pod-create")["allowed"], json!(false));
    assert_eq!(wharf.admin_get("/readiness").status, 200);
    eventually("there are three threads for reviews", || {
        review_threads(&wharf) == 3
    });
}

#[test]
fn ports_are_those_that_are_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let folder = policies(LABELS);
    for (flag, variable) in [
        ("--port", "KUBEWARDEN_PORT"),
        ("--readiness-probe-port", "KUBEWARDEN_READINESS_PROBE_PORT"),
    ] {
        let others = ANYWHERE
            .chunks(2)
            .filter(|pair| pair[0] != flag)
            .flatten()
            .copied();
        let arguments: Vec<_> = ["admission"].into_iter().chain(others).collect();
        let by_flag = folder.command(&[&arguments[..], &[flag, &port]].concat());
        let mut by_variable = folder.command(&arguments);
        by_variable.env(variable, &port);
        for command in [by_flag, by_variable] {
            let (code, said) = refused(command);
            assert_eq!(code, Some(1), "{flag}: {said}");
            assert!(
                said.contains(&format!("127.0.0.1:{port}")) && said.contains("in use"),
                "{said}"
            );
            assert!(said.contains(flag), "the flag is named: {said}");
        }
    }
}

#[test]
fn several_files_of_policies_are_served_together() {
    let replicas = "replicas: { module: guests/policies/policy-replicas/policy-replicas.wasm, settings: { max: 3 }, timeoutEvalSeconds: 60 }\n";
    let resource = "apiVersion: policies.kubewarden.io/v1\nkind: ClusterAdmissionPolicy\nmetadata: { name: strict }\n\
                    spec:\n  module: guests/policies/policy-labels/policy-labels.wasm\n  settings: { required: [owner] }\n  \
                    mutating: false\n  timeoutSeconds: 30\n  rules: [{ apiGroups: [\"\"], apiVersions: [v1], resources: [pods], operations: [CREATE] }]\n";
    let folder = folder()
        .with("a.yml", LABELS)
        .with("b.yml", replicas)
        .with("c.yml", resource);
    let wharf = serve(&folder, &["-f", "a.yml", "--policies", "b.yml", "-f", "c.yml"]);
    assert_eq!(ask(&wharf, "labels", "pod-create")["allowed"], json!(false));
    assert_eq!(
        ask(&wharf, "replicas", "deployment-create")["allowed"],
        json!(false)
    );
    let strict = ask(&wharf, "clusterwide-strict", "pod-create");
    assert_eq!(message(&strict), "the label `owner` is missing");
}

/// How many threads of the process run policies.
fn review_threads(wharf: &Wharf) -> usize {
    let threads = format!("/proc/{}/task", wharf.id());
    let name = |thread: std::fs::DirEntry| std::fs::read_to_string(thread.path().join("comm")).ok();
    std::fs::read_dir(threads)
        .unwrap()
        .filter_map(|thread| name(thread.ok()?))
        .filter(|name| name.starts_with("wharf-review"))
        .count()
}

#[test]
fn so_many_reviews_run_at_once_as_there_are_workers() {
    let wharf = serve(&policies(LABELS), &["--workers", "5"]);
    // A thread gives itself its name, a moment after it was made.
    eventually("there are five threads for reviews", || {
        review_threads(&wharf) == 5
    });
}

#[test]
fn a_review_has_the_time_that_is_named() {
    let wharf = serve(&policies(LOOP), &["--policy-timeout", "1"]);
    assert_eq!(policy(&wharf, "hangs")["timeoutSeconds"], json!(1.0));
    let response = ask(&wharf, "hangs", "pod-create");
    assert_eq!(response["status"]["code"], json!(500));
    assert!(
        message(&response).contains("exceeded the allowed execution time"),
        "{response}"
    );
}

#[test]
fn without_timeout_protection_a_review_has_an_hour() {
    let folder = policies(LOOP);
    let by_flag = serve(&folder, &["--disable-timeout-protection"]);
    assert_eq!(policy(&by_flag, "hangs")["timeoutSeconds"], json!(3600.0));
    for (word, seconds) in [("true", 3600.0), ("1", 3600.0), ("false", 2.0)] {
        let mut command = command(&folder, &[]);
        command.env("KUBEWARDEN_DISABLE_TIMEOUT_PROTECTION", word);
        let wharf = Wharf::start_by(folder.clone(), command);
        assert_eq!(
            policy(&wharf, "hangs")["timeoutSeconds"],
            json!(seconds),
            "{word}"
        );
    }
}

#[test]
fn a_namespace_is_let_through_without_asking() {
    let folder = policies(LABELS);
    let flag = "--always-accept-admission-reviews-on-namespace";
    let by_flag = serve(&folder, &[flag, "default"]);
    assert_eq!(ask(&by_flag, "labels", "pod-create")["allowed"], json!(true));
    let other = serve(&folder, &[flag, "kube-system"]);
    assert_eq!(ask(&other, "labels", "pod-create")["allowed"], json!(false));
    let mut command = command(&folder, &[]);
    command.env(
        "KUBEWARDEN_ALWAYS_ACCEPT_ADMISSION_REVIEWS_ON_NAMESPACE",
        "default",
    );
    let by_variable = Wharf::start_by(folder, command);
    assert_eq!(ask(&by_variable, "labels", "pod-create")["allowed"], json!(true));
}

#[test]
fn a_bad_policy_does_not_keep_the_others_from_serving() {
    let bad = format!("{LABELS}bad: {{ module: guests/policies/policy-labels/policy-labels.wasm }}\n");
    let folder = policies(&bad);
    let mut by_variable = command(&folder, &[]);
    by_variable.env("KUBEWARDEN_CONTINUE_ON_ERRORS", "true");
    for command in [
        command(&folder, &[]),
        command(&folder, &["--continue-on-errors"]),
        by_variable,
    ] {
        let wharf = Wharf::start_by(folder.clone(), command);
        assert_eq!(
            ask(&wharf, "labels", "pod-create-labelled")["allowed"],
            json!(true)
        );
        let response = ask(&wharf, "bad", "pod-create");
        assert!(message(&response).contains("no label is named"), "{response}");
        assert_eq!(policy(&wharf, "bad")["state"], json!("bad"));
    }
    let (code, said) = refused(command(&folder, &["--refuse-bad-policies"]));
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("the policy `bad` cannot be used"), "{said}");
}

#[test]
fn metrics_are_on_the_port_of_the_readiness_probe() {
    let folder = policies(LABELS);
    let mut by_variable = command(&folder, &[]);
    by_variable.env("KUBEWARDEN_ENABLE_METRICS", "true");
    for command in [
        command(&folder, &[]),
        command(&folder, &["--enable-metrics"]),
        by_variable,
    ] {
        let wharf = Wharf::start_by(folder.clone(), command);
        ask(&wharf, "labels", "pod-create");
        let counted = |text: &str| {
            text.lines().any(|line| {
                line.starts_with("kubewarden_policy_evaluations_total{")
                    && line.contains("policy_name=\"labels\"")
                    && line.ends_with(" 1")
            })
        };
        eventually("the review is counted", || {
            counted(wharf.admin_get("/metrics").text())
        });
        assert_eq!(wharf.stop().code, Some(0));
    }
}

#[test]
fn what_has_nothing_to_set_is_taken_and_named() {
    let folder = policies(LABELS);
    let flags = [("--sigstore-cache-dir", "KUBEWARDEN_SIGSTORE_CACHE_DIR")];
    let arguments = flags.iter().flat_map(|(flag, _)| [*flag, "x"]);
    let arguments: Vec<_> = arguments.chain(["--enable-pprof"]).collect();
    let by_flags = command(&folder, &arguments);
    let mut by_variables = command(&folder, &[]);
    by_variables.envs(flags.iter().map(|(_, variable)| (*variable, "x")));
    by_variables.env("KUBEWARDEN_ENABLE_PPROF", "true");
    for command in [by_flags, by_variables] {
        let wharf = Wharf::start_by(folder.clone(), command);
        assert_eq!(ask(&wharf, "labels", "pod-create")["allowed"], json!(false));
        wharf.signal(Signal::TERM);
        let ended = wharf.wait();
        assert_eq!(ended.code, Some(0));
        for flag in flags.iter().map(|(flag, _)| *flag).chain(["--enable-pprof"]) {
            let warning = format!("warning: {flag} has nothing to set here and is not used");
            assert!(ended.stderr.contains(&warning), "{flag}: {:?}", ended.stderr);
        }
    }
}

#[test]
fn sources_of_registries_are_read_and_what_is_wrong_in_them_is_told() {
    let folder = policies(LABELS)
        .with("sources.yml", "insecure_sources: [localhost:5000]\n")
        .with("bad.yml", "insecure_sources: 5\n")
        .with("config.json", "{}");
    let credentials = [
        "--sources-path",
        "sources.yml",
        "--docker-config-json-path",
        "config.json",
    ];
    let by_flags = command(&folder, &credentials);
    let mut by_variables = command(&folder, &[]);
    by_variables
        .env("KUBEWARDEN_SOURCES_PATH", "sources.yml")
        .env("KUBEWARDEN_DOCKER_CONFIG_JSON_PATH", "config.json");
    for command in [by_flags, by_variables] {
        let wharf = Wharf::start_by(folder.clone(), command);
        assert_eq!(ask(&wharf, "labels", "pod-create")["allowed"], json!(false));
        let ended = wharf.stop();
        assert!(
            !ended.stderr.iter().any(|line| line.starts_with("warning:")),
            "{:?}",
            ended.stderr
        );
    }
    for (file, part) in [("bad.yml", "--> bad.yml:1"), ("missing.yml", "cannot be read")] {
        let (code, said) = refused(command(&folder, &["--sources-path", file]));
        assert_eq!(code, Some(3), "{said}");
        assert!(said.contains(file) && said.contains(part), "{said}");
    }
}
