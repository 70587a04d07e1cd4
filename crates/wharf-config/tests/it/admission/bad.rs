//! Policies that are bad by themselves, and files of policies.

use std::fs;

use expect_test::expect;
use serde_json::json;

use super::{check_errors, config, ids, reasons, section};
use crate::check;

#[test]
fn bad_policies_do_no_harm_to_the_others() {
    let text = section(
        "bind: 127.0.0.1:0
tls: none
policies:
  good: { module: a.wasm }
  typo: { module: a.wasm, policyMode: protec }
  twice: { module: a.wasm, settings: { a: 1, a: 2 } }
  also: { module: b.wasm }
",
    );
    let admission = config(&text).admission.unwrap();
    assert_eq!(
        ids(&admission.policies),
        (vec!["good", "also"], vec!["typo", "twice"])
    );
    expect![[r#"
        [typo] error: `admission.policies.typo.policyMode` cannot be `protec`
         --> wharf.yaml:7:41
          |
        7 |     typo: { module: a.wasm, policyMode: protec }
          |                                         ^^^^^^
          |
          = hint: did you mean `protect`? at wharf.yaml:7

        [twice] error: the key `a` is given twice
         --> wharf.yaml:8:48
          |
        8 |     twice: { module: a.wasm, settings: { a: 1, a: 2 } }
          |                                          -     ^
          |                                          |
          |                                          first given here
          |
          = hint: remove one of the two at wharf.yaml:8"#]]
    .assert_eq(&reasons(&admission.policies.bad));
    assert_eq!(
        admission
            .policies
            .all_good()
            .map_err(|errors| errors.errors.len()),
        Err(2)
    );
    check(
        &format!("{text}  onBadPolicy: refuseStart\n"),
        &expect![[r#"
        error: `admission.policies.typo.policyMode` cannot be `protec`
         --> wharf.yaml:7:41
          |
        7 |     typo: { module: a.wasm, policyMode: protec }
          |                                         ^^^^^^
          |
          = hint: did you mean `protect`?

        error: the key `a` is given twice
         --> wharf.yaml:8:48
          |
        8 |     twice: { module: a.wasm, settings: { a: 1, a: 2 } }
          |                                          -     ^
          |                                          |
          |                                          first given here
          |
          = hint: remove one of the two"#]],
    );
}

#[test]
fn a_mistake_that_an_alias_carries_elsewhere_is_an_error_there() {
    let text = section(
        "bind: 127.0.0.1:0
tls: none
policies:
  a: { module: a.wasm, settings: &shared { x: 1, x: 2 } }
  b: { module: a.wasm, settings: *shared }
  c: { module: a.wasm }
",
    );
    let policies = config(&text).admission.unwrap().policies;
    assert_eq!(ids(&policies), (vec!["c"], vec!["a", "b"]));
    check(
        &format!("{text}plugins: {{ p: {{ source: file:a.wasm, vmConfig: *shared }} }}\n"),
        &expect![[r#"
            error: the key `x` is given twice
             --> wharf.yaml:6:52
              |
            6 |     a: { module: a.wasm, settings: &shared { x: 1, x: 2 } }
              |                                              -     ^
              |                                              |
              |                                              first given here
              |
              = hint: remove one of the two"#]],
    );
}

#[test]
fn files_of_policies_that_cannot_be_used_are_errors() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let text = section(
        "bind: 127.0.0.1:0
tls: none
policies: { file: [missing.yml, folder, broken.yml, list.yml, empty.yml, good.yml, latin1.yml] }
",
    );
    fs::write(at("wharf.yaml"), text).unwrap();
    fs::create_dir(at("folder")).unwrap();
    fs::write(at("broken.yml"), "a: { module: a.wasm\n").unwrap();
    fs::write(at("list.yml"), "- module: a.wasm\n").unwrap();
    fs::write(at("empty.yml"), "# nothing\n").unwrap();
    fs::write(at("good.yml"), "bad: 5\n").unwrap();
    fs::write(at("latin1.yml"), b"# caf\xe9\n").unwrap();
    let errors = wharf_config::load(&at("wharf.yaml")).unwrap_err();
    check_errors(
        &errors,
        directory.path(),
        &expect![[r#"
        error: the policy file cannot be read: No such file or directory (os error 2)
        --> DIR/missing.yml
         = hint: check the path

        error: the policy file cannot be read: Is a directory (os error 21)
        --> DIR/folder
         = hint: name the file in it, for example `policies.yml`

        error: this is not valid YAML: unclosed bracket '{'
         --> DIR/broken.yml:1:4
          |
        1 | a: { module: a.wasm
          |    ^
          |
          = hint: look for a missing comma or closing bracket

        error: the file is to be a mapping, and this is a list
         --> DIR/list.yml:1:1
          |
        1 | - module: a.wasm
          | ^^^^^^^^^^^^^^^^
          |
          = hint: write `key: value`, without `-` in front

        error: the file is empty
         --> DIR/empty.yml:1:1
          |
        1 | # nothing
          | ^
          |
          = hint: write policies by their ids, or Kubewarden's custom resources; for no policies write `{}`

        error: the byte 0xe9 is not UTF-8
         --> DIR/latin1.yml:1:6
          |
        1 | # caf�
          |      ^
          |
          = hint: save the file as UTF-8"#]],
    );
}

#[test]
fn policies_in_files_are_found_beside_them_and_may_be_refused() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let text = section("bind: 127.0.0.1:0\ntls: none\npolicies: { file: policies/all.yml }");
    fs::write(at("wharf.yaml"), &text).unwrap();
    fs::create_dir(at("policies")).unwrap();
    fs::write(at("policies/there.wasm"), b"").unwrap();
    fs::write(
        at("policies/all.yml"),
        "there: { module: there.wasm }\nmissing: { module: ./missing.wasm, polcyMode: monitor }\n",
    )
    .unwrap();
    let loaded = wharf_config::load(&at("wharf.yaml")).unwrap();
    let policies = loaded.config.admission.unwrap().policies;
    assert_eq!(ids(&policies), (vec!["there"], vec!["missing"]));
    fs::write(at("wharf.yaml"), format!("{text}  onBadPolicy: refuseStart\n")).unwrap();
    let errors = wharf_config::load(&at("wharf.yaml")).unwrap_err();
    check_errors(
        &errors,
        directory.path(),
        &expect![[r#"
        warning: unknown key `polcyMode` in `missing`
         --> DIR/policies/all.yml:2:36
          |
        2 | missing: { module: ./missing.wasm, polcyMode: monitor }
          |                                    ^^^^^^^^^
          |
          = hint: did you mean `policyMode`? the keys here are `module`, `policyMode`, `allowedToMutate`, `settings`, `contextAwareResources`, `hostCapabilities`, `message`, `timeoutEvalSeconds`, `timeout`, `executionMode`, `limits`, `namespacedName`

        error: the module `DIR/policies/./missing.wasm` does not exist
         --> DIR/policies/all.yml:2:20
          |
        2 | missing: { module: ./missing.wasm, polcyMode: monitor }
          |                    ^^^^^^^^^^^^^^
          |
          = hint: a path is relative to the directory of the file that names it"#]],
    );
}

#[test]
fn namespaced_resources_get_the_capabilities_that_the_server_allows() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let resource = |kind: &str| {
        json!({
            "apiVersion": "policies.kubewarden.io/v1",
            "kind": kind,
            "metadata": { "name": "a", "namespace": "b" },
            "spec": {
                "module": "ghcr.io/a/b:v1",
                "mutating": false,
                "rules": [{ "operations": ["*"], "apiVersions": ["v1"], "resources": ["pods"] }],
            },
        })
    };
    let documents = [resource("AdmissionPolicy"), resource("ClusterAdmissionPolicy")];
    let documents: String = documents.iter().map(|one| format!("---\n{one}\n")).collect();
    fs::write(at("policies.yml"), documents).unwrap();
    let capabilities = |keys: &str| {
        let text = section(&format!(
            "bind: 127.0.0.1:0\ntls: none\npolicies: {{ file: policies.yml }}\n{keys}"
        ));
        fs::write(at("wharf.yaml"), text).unwrap();
        let admission = wharf_config::load(&at("wharf.yaml")).unwrap().config.admission;
        let entries = admission.unwrap().policies.entries;
        let of = |at: usize| entries[at].modules()[0].host_capabilities.join(" ");
        (of(0), of(1))
    };
    assert_eq!(capabilities(""), ("*".into(), "*".into()));
    assert_eq!(
        capabilities("namespacedPoliciesCapabilities: [oci/*, kubernetes/can_i]"),
        ("oci/* kubernetes/can_i".into(), "*".into())
    );
    assert_eq!(
        capabilities("namespacedPoliciesCapabilities: []"),
        (String::new(), "*".into())
    );
}
