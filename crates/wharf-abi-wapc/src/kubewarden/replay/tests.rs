use std::time::Duration;

use expect_test::expect;
use serde_json::json;

use super::*;

fn deadline() -> Deadline {
    Deadline::after(Duration::from_secs(60))
}

fn success(payload: &str) -> RecordedResponse {
    RecordedResponse::Success {
        payload: payload.into(),
    }
}

fn lookup(host: &str) -> CapabilityRequest {
    CapabilityRequest::DnsLookupHost { host: host.into() }
}

#[test]
fn recorded_requests_are_read_by_their_tag() {
    let fields = json!({"api_version": "v1", "kind": "Namespace", "name": "n", "namespace": null, "disable_cache": false});
    let exchange = Exchange::new("KubernetesGetResource", fields, success("{}")).unwrap();
    assert_eq!(exchange.request.path(), "kubernetes/get_resource");
    let host = Exchange::new("DNSLookupHost", json!({"host": "h"}), success("{}")).unwrap();
    assert_eq!(host.request, lookup("h"));

    let refused = |tag, fields| Exchange::new(tag, fields, success("")).unwrap_err().to_string();
    expect!["unknown variant `Future`, expected one of `OciManifestDigest`, `OciManifest`, `OciManifestAndConfig`, `SigstorePubKeyVerify`, `SigstoreKeylessVerify`, `SigstoreKeylessPrefixVerify`, `SigstoreGithubActionsVerify`, `SigstoreCertificateVerify`, `DNSLookupHost`, `KubernetesListResourceNamespace`, `KubernetesListResourceAll`, `KubernetesGetResource`, `KubernetesGetResourcePluralName`, `KubernetesCanI`, `CryptoIsCertificateTrusted`"].assert_eq(&refused("Future", json!({})));
    expect!["at `DNSLookupHost`: missing field `host`"].assert_eq(&refused("DNSLookupHost", json!({})));
    expect!["at `OciManifest.image`: invalid type: integer `7`, expected a string"]
        .assert_eq(&refused("OciManifest", json!({"image": 7})));
}

#[test]
fn exchanges_have_the_shape_of_kwctls_file() {
    let exchange = Exchange {
        request: lookup("h"),
        response: success(r#"{"ips":[]}"#),
    };
    let recorded = RecordedExchange::from(&exchange);
    expect![[r#"{"type":"Exchange","request":"!DNSLookupHost {\"host\":\"h\"}","response":{"type":"Success","payload":"{\"ips\":[]}"}}"#]].assert_eq(&serde_json::to_string(&recorded).unwrap());
    let json = r#"{"type":"Exchange","request":"!X {}","response":{"type":"Error","message":"no"}}"#;
    let read: RecordedExchange = serde_json::from_str(json).unwrap();
    assert_eq!(read.response, RecordedResponse::Error { message: "no".into() });
}

#[test]
fn a_replay_answers_in_order_and_nothing_else() {
    let failed = Exchange {
        request: lookup("b"),
        response: RecordedResponse::Error {
            message: "no such host".into(),
        },
    };
    let answered = Exchange {
        request: lookup("a"),
        response: success("1"),
    };
    let mut replay = Replay::new([answered, failed.clone(), failed]);
    assert_eq!(replay.call(&lookup("a"), deadline()).unwrap(), b"1");
    let error = |replay: &mut Replay, host| replay.call(&lookup(host), deadline()).unwrap_err().to_string();
    assert_eq!(error(&mut replay, "b"), "no such host");
    assert_eq!(replay.left().count(), 1);
    expect![[r#"Replay error: unexpected request. Was expecting DnsLookupHost { host: "b" }, got DnsLookupHost { host: "c" } instead"#]].assert_eq(&error(&mut replay, "c"));
    expect!["the list of recorded responses is empty"].assert_eq(&error(&mut replay, "c"));
}

/// Answers names with themselves, `bad` with what is no text, and `none` with an error.
struct Echo;

impl Capabilities for Echo {
    fn call(&mut self, request: &CapabilityRequest, _: Deadline) -> Result<Vec<u8>, CapabilityError> {
        match request {
            CapabilityRequest::DnsLookupHost { host } if host == "bad" => Ok(vec![0xff]),
            CapabilityRequest::DnsLookupHost { host } if host == "none" => Err(CapabilityError::Timeout),
            CapabilityRequest::DnsLookupHost { host } => Ok(host.clone().into_bytes()),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn what_is_recorded_can_be_played_again() {
    let mut recorder = Recorder::new(Echo);
    let hosts = ["a", "none", "bad", "b"];
    let first: Vec<_> = hosts.map(|host| recorder.call(&lookup(host), deadline())).into();
    assert_eq!(recorder.unwritable(), [lookup("bad")]);
    let mut replay = Replay::new(recorder.exchanges().to_vec());
    for (host, answer) in hosts.iter().zip(first).filter(|(host, _)| **host != "bad") {
        let again = replay.call(&lookup(host), deadline());
        assert_eq!(
            again.map_err(|error| error.to_string()),
            answer.map_err(|error| error.to_string())
        );
    }
    assert_eq!(replay.left().count(), 0);
}
