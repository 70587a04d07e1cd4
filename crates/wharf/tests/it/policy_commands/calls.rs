//! Host calls of policies: refused, recorded, played again.

use expect_test::expect;

use super::{METADATA, VALID, check, policy, with};
use crate::harness::Folder;

fn asking() -> Folder {
    let metadata = METADATA.replace(
        '}',
        r#","contextAwareResources":[{"apiVersion":"v1","kind":"Namespace"}],"hostCapabilities":["kubernetes/get_resource"]}"#,
    );
    with(&policy(&metadata, VALID, r#"{"accepted":true}"#, "(call $ask)"))
}

const GRANTED: [&str; 4] = ["--allow", "kubernetes/*", "--resource", "v1/Namespace"];

const RECORDING: &str = r#"- type: Exchange
  request: |
    !KubernetesGetResource
    api_version: v1
    kind: Namespace
    name: n
    namespace: null
    disable_cache: false
  response:
    type: Success
    payload: '{"kind":"Namespace"}'
- type: Exchange
  request: "!DNSLookupHost\nhost: h\n"
  response:
    type: Error
    message: no such host
"#;

#[test]
fn what_is_not_granted_is_refused() {
    check(
        &asking(),
        &[],
        &expect![[r#"
        exit code 4
        --- stdout ---
        p (kubewarden-wapc)
          remarks
            its metadata ask for what it is not granted; `--resource v1/Namespace` grants it
            its metadata ask for what it is not granted; `--allow 'kubernetes/get_resource'` grants it

        review u-1: CREATE apps/v1/Deployment shop/web
          fault (guest_error): Guest call failure: Policy has not been granted access to the 'kubernetes/get_resource' host capability. The violation has been reported.
          refused host calls
            kubernetes/get_resource: `--allow kubernetes/get_resource` grants it

        time: …
    "#]],
    );
    check(
        &asking(),
        &["--allow", "*"],
        &expect![[r#"
        exit code 4
        --- stdout ---
        p (kubewarden-wapc)
          remarks
            its metadata ask for what it is not granted; `--resource v1/Namespace` grants it

        review u-1: CREATE apps/v1/Deployment shop/web
          fault (guest_error): Guest call failure: Policy has not been granted access to Kubernetes v1/Namespace resources. The violation has been reported.
          refused host calls
            kubernetes/get_resource of v1/Namespace: `--resource v1/Namespace` grants it

        time: …
    "#]],
    );
}

#[test]
fn nothing_is_offered_without_a_recording() {
    check(
        &asking(),
        &GRANTED,
        &expect![[r#"
        exit code 4
        --- stdout ---
        p (kubewarden-wapc)

        review u-1: CREATE apps/v1/Deployment shop/web
          fault (guest_error): Guest call failure: Callback evaluation failure: this host does not offer kubernetes/get_resource
          host calls
            kubernetes/get_resource {"api_version":"v1","kind":"Namespace","name":"n","disable_cache":false}: failed: this host does not offer kubernetes/get_resource

        time: …
    "#]],
    );
}

#[test]
fn a_recording_of_kwctl_answers() {
    let folder = asking().with("calls.yaml", RECORDING);
    let arguments = [&GRANTED[..], &["--replay", "calls.yaml"]].concat();
    check(
        &folder,
        &arguments,
        &expect![[r#"
        exit code 0
        --- stdout ---
        p (kubewarden-wapc)
          remarks
            calls.yaml:12 was not asked for: net/v1/dns_lookup_host {"host":"h"}

        review u-1: CREATE apps/v1/Deployment shop/web
          allowed
          host calls
            kubernetes/get_resource {"api_version":"v1","kind":"Namespace","name":"n","disable_cache":false}: answered with 20 bytes

        time: …
    "#]],
    );
}

#[test]
fn what_is_not_recorded_fails() {
    let other = RECORDING.replace("name: n\n", "name: other\n");
    let folder = asking().with("calls.yaml", other);
    let arguments = [&GRANTED[..], &["--replay", "calls.yaml"]].concat();
    check(
        &folder,
        &arguments,
        &expect![[r#"
        exit code 4
        --- stdout ---
        p (kubewarden-wapc)
          remarks
            calls.yaml:1 was not asked for: kubernetes/get_resource {"api_version":"v1","kind":"Namespace","name":"other","disable_cache":false}
            calls.yaml:12 was not asked for: net/v1/dns_lookup_host {"host":"h"}

        review u-1: CREATE apps/v1/Deployment shop/web
          fault (guest_error): Guest call failure: Callback evaluation failure: calls.yaml has no answer to kubernetes/get_resource {"api_version":"v1","kind":"Namespace","name":"n","disable_cache":false}
          host calls
            kubernetes/get_resource {"api_version":"v1","kind":"Namespace","name":"n","disable_cache":false}: failed: calls.yaml has no answer to kubernetes/get_resource {"api_version":"v1","kind":"Namespace","name":"n","disable_cache":false}

        time: …
    "#]],
    );
}

#[test]
fn what_is_recorded_can_be_played_again() {
    let folder = asking().with("calls.yaml", RECORDING);
    let record = |from: &str, to: &str| {
        let arguments = [
            "run",
            "p.wat",
            "--review",
            "review.json",
            "--replay",
            from,
            "--record",
            to,
        ];
        let output = folder.run(&[&arguments[..], &GRANTED[..]].concat());
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        std::fs::read_to_string(folder.path().join(to)).unwrap()
    };
    let first = record("calls.yaml", "first.yaml");
    expect![[r#"
        - type: Exchange
          request: "!KubernetesGetResource {\"api_version\":\"v1\",\"kind\":\"Namespace\",\"name\":\"n\",\"namespace\":null,\"disable_cache\":false,\"field_masks\":null}"
          response:
            type: Success
            payload: "{\"kind\":\"Namespace\"}"
    "#]].assert_eq(&first);
    assert_eq!(record("first.yaml", "second.yaml"), first);

    let failing = [
        "run",
        "p.wat",
        "--review",
        "review.json",
        "--record",
        "failed.yaml",
    ];
    let output = folder.run(&[&failing[..], &GRANTED[..]].concat());
    assert_eq!(output.status.code(), Some(4));
    let failed = std::fs::read_to_string(folder.path().join("failed.yaml")).unwrap();
    assert!(failed.contains("message: \"this host does not offer"), "{failed}");
}

#[test]
fn a_bad_recording_is_told_with_its_place() {
    let folder = asking()
        .with("calls.yaml", "- type: Exchange\n  request: |\n    !KubernetesGetResource\n    a: [\n  response: { type: Success, payload: '{}' }\n- type: Other\n- type: Exchange\n  request: host\n- 7\n")
        .with("unknown.yaml", "- type: Exchange\n  request: '!Future {}'\n  response: { type: Error, message: m }\n")
        .with("map.yaml", "a: 1\n");
    for (file, expected) in [
        (
            "calls.yaml",
            expect![[r#"
            exit code 3
            --- stderr ---
            error: `[0].request`: this is not valid YAML: unclosed bracket '['
             --> calls.yaml:3:5
              |
            3 |     !KubernetesGetResource
              |     ^^^^^^^^^^^^^^^^^^^^^^
              |
              = hint: a request is a text in YAML: `!` and its name, such as `!KubernetesGetResource`, and its fields

            error: `[1].type` cannot be `Other`
             --> calls.yaml:6:9
              |
            6 | - type: Other
              |         ^^^^^
              |
              = hint: write `Exchange`

            error: `[2].request`: it has no tag
             --> calls.yaml:8:12
              |
            8 |   request: host
              |            ^^^^
              |
              = hint: a request is a text in YAML: `!` and its name, such as `!KubernetesGetResource`, and its fields

            error: `[3]` is to be a mapping, and this is a number
             --> calls.yaml:9:3
              |
            9 | - 7
              |   ^
              |
              = hint: is this a recording that `kwctl` or `wharf` wrote?
        "#]],
        ),
        (
            "unknown.yaml",
            expect![[r#"
            exit code 3
            --- stderr ---
            error: unknown.yaml:1: the recorded request: unknown variant `Future`, expected one of `OciManifestDigest`, `OciManifest`, `OciManifestAndConfig`, `SigstorePubKeyVerify`, `SigstoreKeylessVerify`, `SigstoreKeylessPrefixVerify`, `SigstoreGithubActionsVerify`, `SigstoreCertificateVerify`, `DNSLookupHost`, `KubernetesListResourceNamespace`, `KubernetesListResourceAll`, `KubernetesGetResource`, `KubernetesGetResourcePluralName`, `KubernetesCanI`, `CryptoIsCertificateTrusted`

            hint: record the calls anew, or write the request as `wharf run --record` writes it
        "#]],
        ),
        (
            "map.yaml",
            expect![[r#"
            exit code 3
            --- stderr ---
            error: the file is to be a list, and this is a mapping
             --> map.yaml:1:1
              |
            1 | a: 1
              | ^^^^
              |
              = hint: begin each item with `- `
        "#]],
        ),
    ] {
        check(&folder, &["--replay", file], &expected);
    }
}
