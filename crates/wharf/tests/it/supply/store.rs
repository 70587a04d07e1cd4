//! The store, the lock file, and the way to a site without a network.

use serde_json::Value;
use wharf_testing::registry::IMAGE_MANIFEST;

use super::{FILTER, Harbour, OTHER_FILTER, harbour};

const SERVING: &str = "plugins: { greet: { source: \"oci:HOST/plugins/greet:1\" } }\n\
    proxy:\n  listeners: [ { name: web, bind: \"127.0.0.1:0\", routes: [ { match: { pathPrefix: / }, filters: [ { plugin: greet } ], upstream: app } ] } ]\n  \
    upstreams: { app: { endpoints: [ \"127.0.0.1:9\" ] } }\n";

/// Gives the tag `1` to what has the tag `2`.
fn move_tag(harbour: &Harbour) {
    let manifest = harbour.registry.content("/v2/plugins/greet/manifests/2").unwrap();
    harbour
        .registry
        .retag("plugins/greet", "1", IMAGE_MANIFEST, manifest);
}

fn pushed_twice(sections: &str) -> (Harbour, Value, Value) {
    let harbour = harbour().configure(sections);
    let first = harbour.json(&["push", FILTER, "HOST/plugins/greet:1"]);
    let second = harbour.json(&["push", OTHER_FILTER, "HOST/plugins/greet:2"]);
    (harbour, first, second)
}

#[test]
fn the_store_is_listed_and_emptied() {
    let (harbour, first, _) = pushed_twice("");
    harbour.good(&["pull", "HOST/plugins/greet:1", "HOST/plugins/greet:2"]);
    let listed = harbour.json(&["ls"]);
    assert_eq!(listed.as_array().unwrap().len(), 2);
    assert_eq!(listed[0]["digest"], first["digest"]);
    assert_eq!(listed[0]["layout"], "cncf");
    let removed = harbour.json(&["rm", "HOST/plugins/greet:1"]);
    assert_eq!(
        removed["references"][0],
        format!("oci:{}", harbour.name("plugins/greet:1"))
    );
    let (code, said) = harbour.bad(&["rm", "HOST/plugins/greet:1"]);
    assert_eq!(code, 1);
    assert!(
        said.contains("the store has nothing of oci:HOST/plugins/greet:1"),
        "{said}"
    );
    let pruned = harbour.json(&["prune", "--size", "1B"]);
    assert_eq!(pruned["references"].as_array().unwrap().len(), 1);
    assert_eq!(harbour.json(&["ls"]), serde_json::json!([]));
}

#[test]
fn a_filled_store_needs_no_registry() {
    let harbour = harbour().configure(SERVING);
    harbour.good(&["push", FILTER, "HOST/plugins/greet:1"]);
    harbour.good(&["check"]);
    let Harbour { registry, folder } = harbour;
    drop(registry);
    let output = folder.run(&["check"]);
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn a_lock_file_keeps_what_a_tag_meant() {
    let (harbour, first, second) = pushed_twice(SERVING);
    let (code, said) = harbour.bad(&["check", "--locked"]);
    assert_eq!(code, 3);
    assert!(said.contains("--locked is given, and there is no"), "{said}");
    harbour.good(&["lock"]);
    harbour.good(&["lock", "--check"]);
    move_tag(&harbour);
    let (code, said) = harbour.bad(&["lock", "--check"]);
    assert_eq!(code, 1);
    let (old, new) = (
        first["digest"].as_str().unwrap(),
        second["digest"].as_str().unwrap(),
    );
    assert!(
        said.contains(&format!("~ oci:HOST/plugins/greet:1 {old} → {new}")),
        "{said}"
    );
    let checked = harbour.json(&["check", "--locked"]);
    assert_eq!(checked["plugins"][0]["digest"], first["module"]);
    harbour.good(&["lock"]);
    let checked = harbour.json(&["check", "--locked"]);
    assert_eq!(checked["plugins"][0]["digest"], second["module"]);
    // Nothing else than what the file names is fetched.
    let (code, said) = harbour.bad(&["pull", "HOST/plugins/greet:2", "--locked"]);
    assert_eq!(code, 4);
    assert!(said.contains("wharf lock"), "{said}");
    std::fs::write(harbour.folder.path().join("wharf.lock"), "{").unwrap();
    let (code, said) = harbour.bad(&["check"]);
    assert_eq!(code, 3);
    assert!(said.contains("this is no lock file"), "{said}");
}

#[test]
fn pull_policies_say_when_a_registry_is_asked() {
    let (harbour, first, second) = pushed_twice("");
    let module = |arguments: &[&str]| harbour.json(arguments)[0]["module"].clone();
    let (code, said) = harbour.bad(&["pull", "HOST/plugins/greet:1", "--pull-policy", "never"]);
    assert_eq!(code, 4);
    assert!(said.contains("pull"), "{said}");
    assert_eq!(module(&["pull", "HOST/plugins/greet:1"]), first["module"]);
    move_tag(&harbour);
    for policy in ["ifNotPresent", "never"] {
        assert_eq!(
            module(&["pull", "HOST/plugins/greet:1", "--pull-policy", policy]),
            first["module"]
        );
    }
    assert_eq!(module(&["pull", "HOST/plugins/greet:1"]), second["module"]);
}

#[test]
fn a_site_without_a_network_gets_all_with_signatures() {
    let trust = "trust: { rules: [ { references: [ \"oci:**\" ], signatures: [ { key: author.pub } ] } ] }";
    let harbour = harbour().configure(trust);
    harbour.keys("author");
    harbour.good(&["push", FILTER, "HOST/plugins/greet:1"]);
    harbour.good(&["sign", "HOST/plugins/greet:1", "--key", "author.key"]);
    harbour.good(&["pull", "HOST/plugins/greet:1"]);
    let saved = harbour.json(&["save", "-o", "plugins.tar"]);
    assert_eq!(saved["references"].as_array().unwrap().len(), 1);
    // The same bytes each time.
    harbour.good(&["save", "-o", "again.tar", "HOST/plugins/greet:1"]);
    let folder = harbour.folder.path();
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    assert!(read("plugins.tar") == read("again.tar"));

    std::fs::remove_dir_all(folder.join("store")).unwrap();
    let asked = harbour.registry.asked().len();
    harbour.good(&["load", "plugins.tar"]);
    let pulled = &harbour.json(&["pull", "HOST/plugins/greet:1", "--pull-policy", "never"])[0];
    assert_eq!(pulled["provenance"]["verification"], "signed");
    assert_eq!(harbour.registry.asked().len(), asked);

    std::fs::write(folder.join("bad.tar"), b"no archive").unwrap();
    for file in ["bad.tar", "nothing.tar"] {
        let (code, _) = harbour.bad(&["load", file]);
        assert_eq!(code, 1);
    }
    let (code, said) = harbour.bad(&["save", "-o", "x.tar", "HOST/plugins/other:1"]);
    assert_eq!(code, 1);
    assert!(said.contains("oci:HOST/plugins/other:1"), "{said}");
    assert!(!folder.join("x.tar").exists());
}

#[test]
fn a_module_is_written_to_a_file() {
    let (harbour, ..) = pushed_twice("");
    harbour.good(&["pull", "HOST/plugins/greet:1", "-o", "greet.wasm"]);
    let folder = harbour.folder.path();
    let same =
        std::fs::read(folder.join("greet.wasm")).unwrap() == std::fs::read(folder.join(FILTER)).unwrap();
    assert!(same);
    let (code, _) = harbour.bad(&[
        "pull",
        "HOST/plugins/greet:1",
        "HOST/plugins/greet:2",
        "-o",
        "x.wasm",
    ]);
    assert_eq!(code, 2);
    let (code, _) = harbour.bad(&["pull", "HOST/plugins/greet:1", "-o", "no/folder/x.wasm"]);
    assert_eq!(code, 1);
}

#[test]
fn a_mirror_is_asked_first_and_named_by_nobody() {
    let harbour = harbour();
    let pushed = harbour.json(&["push", FILTER, "HOST/plugins/greet:1"]);
    let path = harbour.folder.path().join("wharf.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    let mirrored = format!("registry.invalid: {{ mirrors: [ \"{}\" ] }}, ", harbour.host());
    std::fs::write(&path, text.replace("hosts: { ", &format!("hosts: {{ {mirrored}"))).unwrap();
    let pulled = &harbour.json(&["pull", "registry.invalid/plugins/greet:1"])[0];
    assert_eq!(pulled["provenance"]["resolved"], pushed["digest"]);
    assert_eq!(pulled["reference"], "oci://registry.invalid/plugins/greet:1");
    let (code, said) = harbour.bad(&["pull", "registry.invalid/plugins/other:1"]);
    assert_eq!(code, 4);
    assert!(said.contains("registry.invalid"), "{said}");
}
