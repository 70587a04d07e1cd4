//! Entries of the log: which kinds there are, and each thing that can be wrong with them.

use super::*;

#[test]
fn an_entry_that_does_not_hold_is_refused() {
    let with = |change: fn(&mut Setting)| {
        let mut setting = Setting::new();
        change(&mut setting);
        setting.verify()
    };
    let fault = |fault: LogFault| Err(fault.into());
    assert_eq!(
        with(|setting| setting.entry()["logIndex"] = "5".into()),
        fault(LogFault::BadPromise)
    );
    assert_eq!(
        with(|setting| setting.entry()["integratedTime"] = "5".into()),
        fault(LogFault::BadPromise)
    );
    let without_promise = |change: fn(&mut Value)| {
        let mut setting = Setting::new();
        setting
            .entry()
            .as_object_mut()
            .unwrap()
            .remove("inclusionPromise");
        let timestamp = setting.world.timestamp(&setting.signature(), "20260115000100Z");
        setting.stamp(&timestamp);
        change(setting.entry());
        setting.verify()
    };
    assert!(without_promise(|_| {}).is_ok());
    let proof = |change: fn(&mut Value)| {
        let mut setting = Setting::new();
        change(&mut setting.entry()["inclusionProof"]);
        setting.verify()
    };
    assert_eq!(
        proof(|proof| proof["logIndex"] = "5".into()),
        fault(LogFault::BadInclusion)
    );
    assert_eq!(
        proof(|proof| proof["treeSize"] = "8".into()),
        fault(LogFault::OtherTree),
        "a tree of another size with the same path"
    );
    assert_eq!(
        proof(|proof| proof["treeSize"] = "70".into()),
        fault(LogFault::BadInclusion)
    );
    assert_eq!(
        proof(|proof| proof["rootHash"] = base64(&[0; 32]).into()),
        fault(LogFault::BadInclusion)
    );
    assert_eq!(
        proof(|proof| proof["hashes"][0] = base64(&[0; 32]).into()),
        fault(LogFault::BadInclusion)
    );
    assert_eq!(
        proof(|proof| proof["checkpoint"]["envelope"] = "a\n7\nAA==\n\n".into()),
        fault(LogFault::BadCheckpoint)
    );
    let other_tree = with(|setting| {
        let checkpoint = setting.world.checkpoint(7, &[0; 32]);
        setting.entry()["inclusionProof"]["checkpoint"]["envelope"] = checkpoint.into();
    });
    assert_eq!(other_tree, fault(LogFault::OtherTree));
    let nothing = without_promise(|entry| {
        entry.as_object_mut().unwrap().remove("inclusionProof");
    });
    assert_eq!(nothing, fault(LogFault::NoProof));
    assert_eq!(
        with(|setting| {
            let entry = setting.entry().as_object_mut().unwrap();
            entry.remove("inclusionPromise");
        }),
        Err(Refusal::NoTrustedTime),
        "the time beside a proof is signed by nobody"
    );
}

#[test]
fn an_entry_of_something_else_is_refused() {
    let with = |from: &str, to: &str| {
        let mut setting = Setting::new();
        let body = String::from_utf8(setting.body()).unwrap();
        assert!(body.contains(from), "{body}");
        let body = body.replacen(from, to, 1);
        setting.log(body.as_bytes());
        setting.verify()
    };
    let fault = |fault: LogFault| Err(fault.into());
    let payload = {
        let setting = Setting::new();
        let statement = setting.bundle["dsseEnvelope"]["payload"]
            .as_str()
            .unwrap()
            .to_owned();
        hex(&sha256(&STANDARD.decode(statement).unwrap()))
    };
    assert_eq!(with(&payload, &"00".repeat(32)), fault(LogFault::OtherPayload));
    assert_eq!(with("\"dsse\"", "\"other\""), fault(LogFault::UnknownKind));
    assert_eq!(with("0.0.1", "9.9.9"), fault(LogFault::UnknownKind));
    assert_eq!(
        with("\"signature\":\"", "\"signature\":\"AAAA"),
        fault(LogFault::OtherSignature)
    );
    assert_eq!(
        with("\"verifier\":\"", "\"verifier\":\"!"),
        fault(LogFault::UnknownKind)
    );
    let mut setting = Setting::new();
    let other = setting.world.certificate(&Wanted {
        repository: None,
        ..Wanted::default()
    });
    let body = String::from_utf8(setting.body()).unwrap();
    let mut body: Value = serde_json::from_str(&body).unwrap();
    body["spec"]["signatures"][0]["verifier"] = base64(pem(&other).as_bytes()).into();
    setting.log(body.to_string().as_bytes());
    assert_eq!(setting.verify(), fault(LogFault::OtherKey));
}

#[test]
fn all_kinds_of_entries_are_read() {
    let setting = Setting::new();
    let payload = setting.bundle["dsseEnvelope"]["payload"].as_str().unwrap();
    let payload = STANDARD.decode(payload).unwrap();
    let kind = "application/vnd.in-toto+json";
    let signed = [
        format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).as_bytes(),
        &payload,
    ]
    .concat();
    let signature = base64(&setting.signature());
    let certificate = setting.bundle["verificationMaterial"]["certificate"]["rawBytes"].clone();
    let text = base64(pem(&STANDARD.decode(certificate.as_str().unwrap()).unwrap()).as_bytes());
    let verifier = json!({ "x509Certificate": { "rawBytes": certificate } });
    let newer = |bytes: &[u8]| json!({ "algorithm": "SHA2_256", "digest": base64(&sha256(bytes)) });
    let older = |bytes: &[u8]| json!({ "algorithm": "sha256", "value": hex(&sha256(bytes)) });
    for (name, version, spec) in [
        (
            "hashedrekord",
            "0.0.1",
            json!({
                "data": { "hash": older(&signed) },
                "signature": { "content": signature, "publicKey": { "content": text } },
            }),
        ),
        (
            "hashedrekord",
            "0.0.2",
            json!({ "hashedRekordV002": {
                "data": newer(&signed), "signature": { "content": signature, "verifier": verifier },
            } }),
        ),
        (
            "dsse",
            "0.0.2",
            json!({ "dsseV002": {
                "payloadHash": newer(&payload), "signatures": [{ "content": signature, "verifier": verifier }],
            } }),
        ),
        (
            "intoto",
            "0.0.2",
            json!({ "content": {
                "payloadHash": older(&payload),
                "envelope": { "signatures": [{ "sig": base64(signature.as_bytes()), "publicKey": text }] },
            } }),
        ),
    ] {
        let body = json!({ "apiVersion": version, "kind": name, "spec": spec }).to_string();
        let mut with = Setting {
            bundle: setting.bundle.clone(),
            root: setting.root.clone(),
            world: World::new(),
        };
        *with.entry() = setting.world.entry(body.as_bytes(), LOGGED);
        assert!(with.verify().is_ok(), "{name} {version}: {:?}", with.verify());
    }
}
