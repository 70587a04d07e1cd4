//! Policies of registries, by policy-server's flags.

use serde_json::json;

use super::{ask, policies, serve};
use crate::supply::{POLICY, harbour};

#[test]
fn policies_of_registries_are_fetched_and_kept_and_need_the_signatures_that_are_asked_for() {
    let harbour = harbour();
    harbour.keys("author");
    harbour.good(&["push", POLICY, "HOST/policies/labels:1", "--format", "kubewarden"]);
    let host = harbour.host();
    let key = std::fs::read_to_string(harbour.folder.path().join("author.pub")).unwrap();
    let indented = key.replace('\n', "\n      ");
    let folder = policies(&format!(
        "labels: {{ module: \"registry://{host}/policies/labels:1\", settings: {{ required: [team] }}, timeoutEvalSeconds: 60 }}\n"
    ))
    .with("sources.yml", format!("insecure_sources: [ \"{host}\" ]\n"))
    .with(
        "verification.yml",
        format!("apiVersion: v1\nallOf:\n  - kind: pubKey\n    owner: me\n    key: |\n      {indented}\n"),
    );
    let kept = ["--sources-path", "sources.yml", "--policies-download-dir", "kept"];
    let verified = [&kept[..], &["--verification-path", "verification.yml"]].concat();

    // Nobody signed it: it refuses its own reviews.
    let wharf = serve(&folder, &verified);
    let answer = super::policy(&wharf, "labels");
    assert_eq!(answer["state"], "bad");
    assert!(
        answer["reason"].as_str().unwrap().contains("it has no signature"),
        "{answer}"
    );
    assert_eq!(wharf.stop().code, Some(0));

    harbour.good(&["sign", "HOST/policies/labels:1", "--key", "author.key"]);
    let wharf = serve(&folder, &verified);
    assert_eq!(ask(&wharf, "labels", "pod-create")["allowed"], json!(false));
    let module = &super::policy(&wharf, "labels")["modules"][0];
    assert_eq!(module["provenance"]["verification"], "signed");
    assert_eq!(module["provenance"]["layout"], "kubewarden");
    assert_eq!(wharf.stop().code, Some(0));
    assert!(folder.path().join("kept/format").is_file());

    // What is kept needs no registry.
    drop(harbour);
    let wharf = serve(&folder, &verified);
    assert_eq!(ask(&wharf, "labels", "pod-create")["allowed"], json!(false));
    assert_eq!(wharf.stop().code, Some(0));
}
