//! Files and the bundles beside them.

use std::fs;
use std::sync::Arc;

use wharf_distribution::registry::{RegistryClient, RegistrySettings};
use wharf_distribution::{FetchError, Fetcher};
use wharf_plugin::{Reference, Verification};
use wharf_trust::{RootOfTrust, TrustVerifier, bundle_beside};

use crate::yard::{key, policy, rule};

const MODULE: &[u8] = b"\0asm\x01\0\0\0";

#[test]
fn a_file_is_as_good_as_the_bundle_beside_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("greet.wasm");
    fs::write(&path, MODULE).unwrap();
    let (key, other) = (key(), key());
    let client = Arc::new(RegistryClient::new(RegistrySettings::default()).unwrap());
    let verifier = TrustVerifier::new(policy(rule(1, &[key.public_key()])), RootOfTrust::public());
    let fetcher = Fetcher::new(client).with_verifier(Arc::new(verifier));
    let fetch = || fetcher.fetch(&Reference::File(path.clone()));
    let bundle = bundle_beside(&path);
    assert!(bundle.ends_with("greet.wasm.sigstore.json"));

    let error = fetch().unwrap_err();
    assert!(
        error.hint().contains("greet.wasm.sigstore.json"),
        "{}",
        error.hint()
    );
    fs::write(&bundle, other.sign_file(MODULE).unwrap()).unwrap();
    assert!(matches!(fetch(), Err(FetchError::Refused { .. })));
    fs::write(&bundle, key.sign_file(b"something else").unwrap()).unwrap();
    assert!(matches!(fetch(), Err(FetchError::Refused { .. })));
    fs::write(&bundle, key.sign_file(MODULE).unwrap()).unwrap();
    let fetched = fetch().unwrap();
    assert_eq!(fetched.artifact.verification(), Verification::Signed);
    fs::remove_file(&bundle).unwrap();
    fs::create_dir(&bundle).unwrap();
    assert!(matches!(fetch(), Err(FetchError::Refused { .. })));
}
