//! What is pushed, others and every command can pull.

use serde_json::{Value, json};

use super::{FILTER, POLICY, harbour};

#[test]
fn each_form_is_pulled_and_says_which_it_is() {
    let harbour = harbour();
    for (format, layout) in [
        ("cncf", "cncf"),
        ("kubewarden", "kubewarden"),
        ("istio", "istio"),
        ("trivy", "istio"),
    ] {
        let name = format!("HOST/plugins/greet:{format}");
        let pushed = harbour.json(&["push", FILTER, &name, "--format", format]);
        let pulled = &harbour.json(&["pull", &name])[0];
        assert_eq!(pulled["provenance"]["layout"], layout);
        assert_eq!(pulled["provenance"]["resolved"], pushed["digest"]);
        assert_eq!(pulled["provenance"]["origin"], "network");
        assert_eq!(pulled["module"], pushed["module"]);
    }
    // The same bytes have the same digest each time.
    let again = harbour.json(&["push", FILTER, "HOST/plugins/greet:again"]);
    let first = harbour.json(&["pull", "HOST/plugins/greet:cncf"]);
    assert_eq!(first[0]["provenance"]["resolved"], again["digest"]);
}

#[test]
fn a_module_s_own_words_become_annotations() {
    let harbour = harbour();
    let pushed = harbour.json(&[
        "push",
        POLICY,
        "HOST/policies/labels:1",
        "--format",
        "kubewarden",
        "-a",
        "io.kubewarden.policy.author=me",
        "-a",
        "team=platform",
    ]);
    assert_eq!(
        pushed["annotations"]["io.kubewarden.policy.title"],
        "policy-labels"
    );
    assert_eq!(pushed["annotations"]["io.kubewarden.policy.author"], "me");
    let manifest = harbour
        .registry
        .content("/v2/policies/labels/manifests/1")
        .unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(manifest["annotations"], pushed["annotations"]);
    assert_eq!(manifest["annotations"]["team"], "platform");
}

#[test]
fn sections_of_tools_become_annotations() {
    let harbour = harbour();
    let text = r#"(module (@custom "description" "Greets") (@custom "licenses" "Apache-2.0") (@custom "version" "1.2")
        (@custom "source" "two\nlines"))"#;
    std::fs::write(harbour.folder.path().join("a.wat"), text).unwrap();
    let pushed = harbour.json(&["push", "a.wat", "HOST/a:1"]);
    assert_eq!(
        pushed["annotations"],
        json!({
            "org.opencontainers.image.description": "Greets",
            "org.opencontainers.image.licenses": "Apache-2.0",
            "org.opencontainers.image.version": "1.2",
        })
    );
}

#[test]
fn every_command_takes_a_reference() {
    let harbour = harbour().configure(
        "plugins: { greet: { source: \"oci:HOST/plugins/greet:1\" }, secrets: { source: \"registry://HOST/modules/secrets:1\" } }\n\
         proxy:\n  listeners: [ { name: web, bind: \"127.0.0.1:0\", routes: [ { match: { pathPrefix: / }, filters: [ { plugin: greet } ], upstream: app } ] } ]\n  \
         upstreams: { app: { endpoints: [ \"127.0.0.1:9\" ] } }\n\
         admission: { bind: \"127.0.0.1:0\", tls: none, policies: { labels: { module: \"registry://HOST/policies/labels:1\", settings: { required: [ team ] } } } }\n\
         scan: { modules: [ { plugin: secrets } ] }",
    );
    harbour.good(&["push", FILTER, "HOST/plugins/greet:1"]);
    harbour.good(&["push", POLICY, "HOST/policies/labels:1", "--format", "kubewarden"]);
    let module = "guests/trivy/trivy-secrets/trivy-secrets.wasm";
    harbour.good(&["push", module, "HOST/modules/secrets:1", "--format", "trivy"]);

    let checked = harbour.json(&["check"]);
    assert_eq!(checked["ok"], true, "{checked:#}");
    let inspected = harbour.json(&["inspect", "oci:HOST/plugins/greet:1"]);
    assert_eq!(inspected["loadsAs"], "a filter");
    assert_eq!(inspected["provenance"]["origin"], "store");
    let run = harbour.good(&["run", "oci:HOST/plugins/greet:1"]);
    assert!(run.contains("x-greeting"), "{run}");
    let scanned = harbour.good(&[
        "scan",
        "guests/trivy",
        "--module",
        "oci:HOST/modules/secrets:1",
        "-f",
        "json",
    ]);
    assert!(scanned.contains("SchemaVersion"), "{scanned}");
    let scanned = harbour.good(&["scan", "guests/trivy", "-c", "wharf.yaml", "-f", "json"]);
    assert!(scanned.contains("SchemaVersion"), "{scanned}");
    let manifest = harbour.good(&["manifest", "oci:HOST/policies/labels:1"]);
    assert!(
        manifest.contains("ValidatingWebhookConfiguration") || manifest.contains("MutatingWebhook"),
        "{manifest}"
    );
}
