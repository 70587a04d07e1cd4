use expect_test::{Expect, expect};

use super::super::capability::CapabilityPatterns;
use super::*;

/// A module with custom sections.
fn module(sections: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = wat::parse_str("(module)").unwrap();
    for (name, content) in sections {
        let mut section = leb(name.len());
        section.extend(name.as_bytes());
        section.extend(*content);
        bytes.push(0);
        bytes.extend(leb(section.len()));
        bytes.extend(section);
    }
    bytes
}

fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

fn refused(json: &str, expected: &Expect) {
    expected.assert_eq(&Metadata::parse(json.as_bytes()).unwrap_err().to_string());
}

#[test]
fn all_keys_are_read_and_written_again() {
    let json = r#"{
        "protocolVersion": "v1",
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE", "UPDATE"]}],
        "annotations": {"io.kubewarden.policy.title": "privileged pods"},
        "mutating": true,
        "backgroundAudit": false,
        "executionMode": "wasi",
        "policyType": "raw",
        "contextAwareResources": [{"apiVersion": "apps/v1", "kind": "Deployment"}],
        "hostCapabilities": ["oci/*"],
        "minimumKubewardenVersion": "1.30.0-rc1"
    }"#;
    let metadata = Metadata::parse(json.as_bytes()).unwrap();
    expect![[r#"{"protocolVersion":"v1","rules":[{"apiGroups":[""],"apiVersions":["v1"],"resources":["pods"],"operations":["CREATE","UPDATE"]}],"annotations":{"io.kubewarden.policy.title":"privileged pods"},"mutating":true,"backgroundAudit":false,"executionMode":"wasi","policyType":"raw","contextAwareResources":[{"apiVersion":"apps/v1","kind":"Deployment"}],"hostCapabilities":["oci/*"],"minimumKubewardenVersion":"1.30.0-rc1"}"#]]
    .assert_eq(&serde_json::to_string(&metadata).unwrap());
}

#[test]
fn what_is_not_said_has_a_default_and_old_keys_are_passed_over() {
    let old = r#"{"protocolVersion": "v1", "rules": [], "mutating": false, "contextAware": true, "executionMode": "kubewarden-wapc"}"#;
    let metadata = Metadata::parse(old.as_bytes()).unwrap();
    assert!(metadata.background_audit && metadata.context_aware_resources.is_empty());
    assert_eq!(metadata.policy_type, PolicyType::Kubernetes);
    assert_eq!(metadata.host_capabilities, None);

    let bare = Metadata::parse(b"{}").unwrap();
    assert_eq!(bare.execution_mode, ExecutionMode::KubewardenWapc);
    assert_eq!((bare.protocol_version, bare.mutating), (None, false));
}

#[test]
fn each_mode_has_its_word() {
    for mode in [
        ExecutionMode::KubewardenWapc,
        ExecutionMode::Wasi,
        ExecutionMode::Opa,
        ExecutionMode::Gatekeeper,
    ] {
        let json = format!(r#"{{"executionMode": "{mode}"}}"#);
        assert_eq!(Metadata::parse(json.as_bytes()).unwrap().execution_mode, mode);
    }
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    refused(
        r#"{"rules": [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["READ"]}]}"#,
        &expect![
            "the section `io.kubewarden.metadata` is not a policy's metadata: at `rules[0].operations[0]`: unknown variant `READ`, expected one of `CREATE`, `UPDATE`, `DELETE`, `CONNECT`, `*` at line 1 column 98"
        ],
    );
    refused(
        r#"{"protocolVersion": "v2"}"#,
        &expect![
            "the section `io.kubewarden.metadata` is not a policy's metadata: at `protocolVersion`: unknown variant `v2`, expected `v1` or `Unknown` at line 1 column 24"
        ],
    );
    refused(
        r#"{"executionMode": "opa-gatekeeper"}"#,
        &expect![
            "the section `io.kubewarden.metadata` is not a policy's metadata: at `executionMode`: unknown variant `opa-gatekeeper`, expected one of `kubewarden-wapc`, `wasi`, `opa`, `gatekeeper` at line 1 column 34"
        ],
    );
    refused(
        r#"{"minimumKubewardenVersion": "1.x"}"#,
        &expect![
            "the section `io.kubewarden.metadata` is not a policy's metadata: at `minimumKubewardenVersion`: unexpected character 'x' while parsing minor version number at line 1 column 34"
        ],
    );
    refused(
        r#"{"contextAwareResources": [{"kind": "Pod"}]}"#,
        &expect![
            "the section `io.kubewarden.metadata` is not a policy's metadata: at `contextAwareResources[0]`: missing field `apiVersion` at line 1 column 42"
        ],
    );
    refused(
        r#"{"mutating": "yes"}"#,
        &expect![[
            r#"the section `io.kubewarden.metadata` is not a policy's metadata: at `mutating`: invalid type: string "yes", expected a boolean at line 1 column 18"#
        ]],
    );
    refused(
        r#"{"mutating": true, "mutating": false}"#,
        &expect![
            "the section `io.kubewarden.metadata` is not a policy's metadata: duplicate field `mutating` at line 1 column 29"
        ],
    );
    refused(
        "[]",
        &expect!["the section `io.kubewarden.metadata` is not a policy's metadata: this is no object"],
    );
    refused(
        "",
        &expect![
            "the section `io.kubewarden.metadata` is not a policy's metadata: EOF while parsing a value at line 1 column 0"
        ],
    );
    refused(
        &"[".repeat(100_000),
        &expect![
            "the section `io.kubewarden.metadata` is not a policy's metadata: EOF while parsing a list at line 1 column 100000"
        ],
    );
}

#[test]
fn a_huge_section_is_not_read() {
    assert_eq!(
        Metadata::parse(&vec![b' '; MOST_BYTES + 1])
            .unwrap_err()
            .to_string(),
        "the section `io.kubewarden.metadata` has 1048577 bytes, and at most 1048576 are read"
    );
}

#[test]
fn the_first_section_of_the_name_counts() {
    assert_eq!(Metadata::of_module(&module(&[])).unwrap(), None);
    assert_eq!(Metadata::of_module(&module(&[("other", b"{}")])).unwrap(), None);
    let two = module(&[
        ("other", b"?"),
        (METADATA_SECTION, br#"{"mutating": true}"#),
        (METADATA_SECTION, b"?"),
    ]);
    assert!(Metadata::of_module(&two).unwrap().unwrap().mutating);
    let bad = module(&[(METADATA_SECTION, b"?")]);
    assert!(matches!(
        Metadata::of_module(&bad),
        Err(MetadataError::Content(_))
    ));
}

#[test]
fn a_damaged_module_is_an_error_and_no_panic() {
    let good = module(&[(METADATA_SECTION, br#"{"mutating": true}"#)]);
    for end in 0..good.len() {
        // Cut behind its header it is a module without sections.
        let _ = Metadata::of_module(&good[..end]);
    }
    for at in 0..good.len() {
        for value in [0, 0x7f, 0x80, 0xff] {
            let mut bytes = good.clone();
            bytes[at] = value;
            let _ = Metadata::of_module(&bytes);
        }
    }
    assert!(matches!(
        Metadata::of_module(&good[..good.len() - 1]),
        Err(MetadataError::Module { .. })
    ));
}

#[test]
fn what_is_wanted_and_not_granted_is_named() {
    let metadata = Metadata::parse(
        br#"{"contextAwareResources": [{"apiVersion": "v1", "kind": "Pod"}, {"apiVersion": "v1", "kind": "Secret"}],
             "hostCapabilities": ["oci/v1/*", "net/v1/dns_lookup_host", "future/*"]}"#,
    )
    .unwrap();
    let pod = ContextAwareResource {
        api_version: "v1".into(),
        kind: "Pod".into(),
    };
    let grants = Grants {
        context_aware_resources: [pod].into(),
        host_capabilities: CapabilityPatterns::parse(["oci/*"]).unwrap(),
    };
    assert_eq!(
        metadata.ungranted(&grants),
        [
            "contextAwareResources: v1/Secret",
            "hostCapabilities: future/*",
            "hostCapabilities: net/v1/dns_lookup_host"
        ]
    );
}
