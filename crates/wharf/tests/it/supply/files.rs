//! Signatures of files.

use super::{FILTER, harbour};

const RULES: &str =
    "trust: { rules: [ { references: [ \"file:**\" ], signatures: [ { key: author.pub } ] } ] }";

#[test]
fn a_file_runs_with_its_bundle_beside_it() {
    let harbour = harbour().configure(RULES);
    harbour.keys("author");
    harbour.keys("other");
    let folder = harbour.folder.path();
    std::fs::copy(folder.join(FILTER), folder.join("greet.wasm")).unwrap();
    let run = ["run", "greet.wasm", "--wharf-config", "wharf.yaml"];
    let (code, said) = harbour.bad(&run);
    assert_eq!(code, 4);
    assert!(said.contains("it has no signature"), "{said}");
    assert!(said.contains("greet.wasm.sigstore.json"), "{said}");

    harbour.good(&["sign", "greet.wasm", "--key", "other.key"]);
    let (_, said) = harbour.bad(&run);
    assert!(said.contains("none of the 1 keys of the rule made it"), "{said}");

    let signed = harbour.json(&["sign", "greet.wasm", "--key", "author.key"]);
    assert!(
        signed["signatures"][0]
            .as_str()
            .unwrap()
            .ends_with("greet.wasm.sigstore.json")
    );
    harbour.good(&run);
    harbour.good(&["verify", "greet.wasm", "--key", "author.pub"]);

    // The file is changed, and the bundle is not.
    std::fs::copy(folder.join(super::OTHER_FILTER), folder.join("greet.wasm")).unwrap();
    let (code, said) = harbour.bad(&run);
    assert_eq!(code, 4);
    assert!(said.contains("it is a signature of"), "{said}");
}

#[test]
fn a_bundle_that_is_none_is_told() {
    let harbour = harbour().configure(RULES);
    harbour.keys("author");
    let folder = harbour.folder.path();
    std::fs::copy(folder.join(FILTER), folder.join("greet.wasm")).unwrap();
    for (bundle, expected) in [
        (b"<html>".to_vec(), "cannot be read"),
        (Vec::new(), "cannot be read"),
        (vec![b' '; (1 << 20) + 1], "a signature has at most"),
    ] {
        std::fs::write(folder.join("greet.wasm.sigstore.json"), bundle).unwrap();
        let (code, said) = harbour.bad(&["run", "greet.wasm", "--wharf-config", "wharf.yaml"]);
        assert_eq!(code, 4);
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn what_cannot_be_signed_is_told() {
    let harbour = harbour();
    harbour.keys("author");
    std::fs::write(harbour.folder.path().join("a.wat"), "(module)").unwrap();
    for (arguments, expected) in [
        (["sign", "a.wat", "--key", "author.key"].as_slice(), "sign that"),
        (&["sign", FILTER, "--key", "author.pub"], "PUBLIC KEY"),
        (&["sign", FILTER, "--key", "nothing"], "check the path"),
        (
            &["sign", FILTER, "--key", "author.key", "-a", "a=b"],
            "no annotations",
        ),
        (
            &["sign", "https://example.com/a.wasm", "--key", "author.key"],
            "nothing can be put beside it",
        ),
        (
            &[
                "attest",
                FILTER,
                "--key",
                "author.key",
                "--type",
                "vuln",
                "--predicate",
                "a.wat",
            ],
            "nothing can be put beside it",
        ),
        (
            &[
                "attest",
                "HOST/a:1",
                "--key",
                "author.key",
                "--type",
                "vuln",
                "--predicate",
                "a.wat",
            ],
            "is no JSON",
        ),
        (
            &[
                "attest",
                "HOST/a:1",
                "--key",
                "author.key",
                "--type",
                "x",
                "--predicate",
                "a.wat",
            ],
            "write a URI",
        ),
    ] {
        let (code, said) = harbour.bad(arguments);
        assert_eq!(code, 2, "{arguments:?}: {said}");
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
}
