//! What needs no cluster.

use serde_json::json;
use wharf_abi_wapc::kubewarden::capability::{CapabilityRequest, OPERATIONS};
use wharf_testing::{PATIENCE, api_server};

use super::ask::{Asking, asking, calm};

fn anywhere() -> Asking {
    asking(&api_server(|_| None), &calm())
}

#[test]
fn names_are_looked_up() {
    let asking = anywhere();
    let ips = |host: &str| asking.ask("net/v1/dns_lookup_host", &json!(host));
    assert_eq!(ips("127.0.0.1"), Ok(json!({"ips": ["127.0.0.1"]})));
    assert_eq!(ips("::1"), Ok(json!({"ips": ["::1"]})));
    let local = ips("localhost").unwrap();
    let local = local["ips"].as_array().unwrap();
    assert!(
        local.contains(&json!("127.0.0.1")) || local.contains(&json!("::1")),
        "{local:?}"
    );
    let distinct: std::collections::BTreeSet<_> = local.iter().map(ToString::to_string).collect();
    assert_eq!(distinct.len(), local.len());
    assert!(ips("no-such-name.invalid").is_err());
}

#[test]
fn what_is_no_name_is_not_looked_up() {
    let asking = anywhere();
    for host in ["", "a b", "a\0b", "a\nb", "é.example", &"a".repeat(254)] {
        let told = asking.ask("net/v1/dns_lookup_host", &json!(host)).unwrap_err();
        assert!(told.ends_with(" is not the name of a host"), "{told}");
    }
}

#[test]
fn certificates_are_looked_at() {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(["a.example".to_owned()])
        .unwrap()
        .self_signed(&key)
        .unwrap();
    let cert = json!({"encoding": "Pem", "data": certificate.pem().into_bytes()});
    let asked = anywhere().ask(
        "crypto/v1/is_certificate_trusted",
        &json!({"cert": cert, "cert_chain": [cert], "not_after": null}),
    );
    assert_eq!(asked, Ok(json!({"trusted": true, "reason": ""})));
    let none = json!({"cert": {"encoding": "Pem", "data": []}, "cert_chain": null, "not_after": null});
    let told = anywhere()
        .ask("crypto/v1/is_certificate_trusted", &none)
        .unwrap_err();
    assert!(told.starts_with("Certificate PEM data is not valid: "), "{told}");
}

#[test]
fn what_is_not_there_is_said_to_be_not_offered() {
    let asking = anywhere();
    let registry: Vec<_> = OPERATIONS
        .iter()
        .filter(|(namespace, _)| *namespace == "oci")
        .collect();
    assert_eq!(registry.len(), 5);
    for (path, payload) in [
        ("oci/v1/manifest_digest", json!("i")),
        ("oci/v1/oci_manifest", json!("i")),
        ("oci/v1/oci_manifest_config", json!("i")),
    ] {
        assert_eq!(
            asking.ask(path, &payload),
            Err(format!("this host does not offer {path}"))
        );
    }
    let verify = json!({"SigstorePubKeyVerify": {"image": "i", "pub_keys": [], "annotations": null}});
    let expected = "this host does not offer oci/v2/verify";
    assert_eq!(asking.ask("oci/v1/verify", &verify), Err(expected.into()));
    let request = CapabilityRequest::OciManifest { image: String::new() };
    assert!(asking.request(PATIENCE, &request).is_err());
}
