//! A cluster that policies may ask, and that does not answer.

use serde_json::json;
use wharf_testing::api_server::kubeconfig_for;
use wharf_testing::refused_address;

use super::{LABELS, ask, command, message, policies, refused, serve};
use crate::process::Wharf;

/// A policy that asks the cluster.
const UNIQUE: &str = "unique: { module: guests/policies/policy-unique-host/policy-unique-host.wasm, settings: {}, \
                      timeoutEvalSeconds: 5, hostCapabilities: [\"kubernetes/*\"], \
                      contextAwareResources: [{ apiVersion: networking.k8s.io/v1, kind: Ingress }] }\n";

#[test]
fn a_cluster_that_does_not_answer_ends_the_start_unless_it_is_not_needed() {
    let kubeconfig = kubeconfig_for(refused_address());
    let folder = policies(UNIQUE).with("kubeconfig", kubeconfig);
    let with_cluster = |arguments: &[&str]| {
        let mut command = command(&folder, arguments);
        command.env("KUBECONFIG", "kubeconfig");
        command
    };
    let (code, said) = refused(with_cluster(&[]));
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("cannot be asked") && said.contains("--ignore-kubernetes-connection-failure"),
        "{said}"
    );

    let flag = "--ignore-kubernetes-connection-failure";
    let mut by_variable = with_cluster(&[]);
    by_variable.env("KUBEWARDEN_IGNORE_KUBERNETES_CONNECTION_FAILURE", "true");
    for command in [with_cluster(&[flag]), by_variable] {
        let wharf = Wharf::start_by(folder.clone(), command);
        let response = ask(&wharf, "unique", "ingress-create");
        assert_eq!(response["status"]["code"], json!(500), "{response}");
        assert_ne!(message(&response), "", "{response}");
        // A pod has no host, and so nobody is asked.
        assert_eq!(ask(&wharf, "unique", "pod-create")["allowed"], json!(true));
    }
}

#[test]
fn policies_that_ask_nobody_need_no_cluster() {
    let folder = policies(LABELS).with("kubeconfig", kubeconfig_for(refused_address()));
    let mut command = command(&folder, &[]);
    command.env("KUBECONFIG", "kubeconfig");
    let wharf = Wharf::start_by(folder.clone(), command);
    assert_eq!(ask(&wharf, "labels", "pod-create")["allowed"], json!(false));
    drop(wharf);
    assert_eq!(serve(&folder, &[]).stop().code, Some(0));
}
