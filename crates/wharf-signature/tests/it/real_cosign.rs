//! What is signed here, cosign verifies; what cosign signs here and now is verified here: with the real programs, 2.5 and
//! 3.1, and Docker's registry.
//!
//! `conformance/registry/get-cosign.sh` gets them. Where they are not there these tests say so and check nothing, unless
//! `WHARF_COSIGN` names the directory that they are in, as `.ci/run` does: then they must be there.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use wharf_plugin::ContentDigest;
use wharf_signature::{
    BUNDLE_MEDIA_TYPE, PrivateKey, PublicKey, Purpose, SIGN_PREDICATE_TYPE, SIMPLE_SIGNING_MEDIA_TYPE,
    SignatureSource, bundle_annotations, referrers_tag, signature_tag,
};
use wharf_testing::DockerRegistry;

const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";
/// How long anything may take before it is taken for dead.
const PATIENCE: Duration = Duration::from_secs(120);
const PASSWORD: &str = "harbour";

/// The directory with `docker-registry`, `cosign-2.5` and `cosign-3.1`, if they are there.
#[expect(clippy::print_stdout, reason = "whoever runs the tests reads it")]
fn programs() -> Option<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.peers");
    let named = std::env::var_os("WHARF_COSIGN").map(PathBuf::from);
    let must = named.is_some();
    let directory = named.unwrap_or(own);
    let all = ["docker-registry", "cosign-2.5", "cosign-3.1"]
        .iter()
        .all(|name| directory.join(name).exists());
    assert!(
        all || !must,
        "run conformance/registry/get-registry.sh and get-cosign.sh"
    );
    if !all {
        println!(
            "Nothing is checked without cosign: run conformance/registry/get-registry.sh and get-cosign.sh"
        );
    }
    all.then_some(directory)
}

/// A registry, and a directory to work in. Both end with this.
struct Harbour {
    programs: PathBuf,
    registry: DockerRegistry,
    address: SocketAddr,
}

impl Harbour {
    fn start() -> Option<Self> {
        let programs = programs()?;
        let registry = DockerRegistry::start(&programs.join("docker-registry"), None);
        Some(Self {
            programs,
            address: registry.address(),
            registry,
        })
    }

    /// Runs cosign, which has to succeed or to fail.
    fn cosign(&self, version: &str, arguments: &[&str], expected: bool) -> String {
        let output = Command::new(self.programs.join(format!("cosign-{version}")))
            .args(arguments)
            .current_dir(self.registry.directory())
            .env("COSIGN_PASSWORD", PASSWORD)
            .env("HOME", self.registry.directory())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!(
            output.status.success(),
            expected,
            "cosign {version} {arguments:?}: {said}"
        );
        said
    }

    /// Sends a request and gives the body of its answer, which has to be a good one.
    fn send(&self, method: &str, target: &str, media_type: &str, body: &[u8]) -> (String, Vec<u8>) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let accept = format!("{MANIFEST_TYPE}, {INDEX_TYPE}, */*");
        let head = format!(
            "{method} {target} HTTP/1.1\r\nhost: {}\r\naccept: {accept}\r\ncontent-type: {media_type}\r\nconnection: close\r\n\
             content-length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let split = answer
            .windows(4)
            .position(|window| window == b"\r\n\r\n")
            .unwrap();
        let head = String::from_utf8_lossy(&answer[..split]).into_owned();
        assert!(head.starts_with("HTTP/1.1 20"), "{method} {target}: {head}");
        (head, answer[split + 4..].to_vec())
    }

    fn get(&self, target: &str) -> Vec<u8> {
        self.send("GET", target, "text/plain", b"").1
    }

    fn push_blob(&self, bytes: &[u8]) -> Value {
        let (head, _) = self.send("POST", "/v2/plugins/greet/blobs/uploads/", "text/plain", b"");
        let location = head
            .lines()
            .find_map(|line| line.strip_prefix("Location: "))
            .unwrap();
        let target = location
            .split_once("/v2/")
            .map(|(_, rest)| format!("/v2/{rest}"))
            .unwrap();
        let digest = ContentDigest::sha256_of(bytes).to_string();
        let separator = if target.contains('?') { '&' } else { '?' };
        self.send(
            "PUT",
            &format!("{target}{separator}digest={digest}"),
            "application/octet-stream",
            bytes,
        );
        json!({ "digest": digest, "size": bytes.len() })
    }

    fn push_manifest(&self, name: &str, media_type: &str, manifest: &Value) -> ContentDigest {
        let bytes = manifest.to_string().into_bytes();
        self.send(
            "PUT",
            &format!("/v2/plugins/greet/manifests/{name}"),
            media_type,
            &bytes,
        );
        ContentDigest::sha256_of(&bytes)
    }

    /// A plugin, and its reference by digest.
    fn push_plugin(&self, text: &str) -> (ContentDigest, String) {
        let config = with(self.push_blob(b"{}"), "application/vnd.oci.image.config.v1+json");
        let layer = with(self.push_blob(text.as_bytes()), "application/wasm");
        let manifest =
            json!({ "schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": config, "layers": [layer] });
        let digest = self.push_manifest(text, MANIFEST_TYPE, &manifest);
        let reference = format!("{}/plugins/greet@{digest}", self.address);
        (digest, reference)
    }

    fn manifest(&self, name: &str) -> Vec<u8> {
        self.get(&format!("/v2/plugins/greet/manifests/{name}"))
    }

    fn blob(&self, descriptor: &Value) -> Vec<u8> {
        self.get(&format!(
            "/v2/plugins/greet/blobs/{}",
            descriptor["digest"].as_str().unwrap()
        ))
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.registry.directory().join(name)).unwrap()
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.registry.directory().join(name), bytes).unwrap();
    }
}

/// A descriptor with its media type.
fn with(mut descriptor: Value, media_type: &str) -> Value {
    descriptor["mediaType"] = media_type.into();
    descriptor
}

fn annotations() -> BTreeMap<String, String> {
    BTreeMap::from([("team".to_owned(), "platform".to_owned())])
}

/// The options of `cosign verify` for a key, without logs, in each version.
fn verify_options(version: &str) -> Vec<&'static str> {
    let mut options = vec![
        "verify",
        "--insecure-ignore-tlog=true",
        "--allow-insecure-registry",
        "-a",
        "team=platform",
        "--key",
    ];
    if version == "2.5" {
        options.insert(1, "--offline");
    }
    options
}

#[test]
fn cosign_verifies_what_is_signed_in_its_older_layout() {
    let Some(harbour) = Harbour::start() else {
        return;
    };
    harbour.cosign("2.5", &["generate-key-pair"], true);
    let fresh = harbour.read("cosign.key");
    let ed25519 = include_str!("../data/cosign-3.1/ed25519.key");
    for (name, key, verifiers) in [
        ("p256", fresh.as_str(), &["2.5", "3.1"][..]),
        ("ed25519", ed25519, &["2.5"]),
    ] {
        let private = PrivateKey::from_pem(key, Some(PASSWORD.as_bytes())).unwrap();
        harbour.write("key.pub", private.public_key().to_pem());
        let (digest, reference) = harbour.push_plugin(name);
        let (_, other) = harbour.push_plugin(&format!("{name}-other"));
        let signed = private
            .sign_simple(&digest, "registry.example/greet", &annotations())
            .unwrap();
        let config = with(
            harbour.push_blob(b"{}"),
            "application/vnd.oci.image.config.v1+json",
        );
        let mut layer = with(harbour.push_blob(&signed.payload), SIMPLE_SIGNING_MEDIA_TYPE);
        layer["annotations"] = json!(signed.annotations);
        let manifest =
            json!({ "schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": config, "layers": [layer] });
        harbour.push_manifest(&signature_tag(&digest), MANIFEST_TYPE, &manifest);
        for verifier in verifiers {
            let mut arguments = verify_options(verifier);
            if *verifier == "3.1" {
                arguments.insert(1, "--new-bundle-format=false");
            }
            arguments.push("key.pub");
            let said = harbour.cosign(verifier, &[arguments.clone(), vec![&reference]].concat(), true);
            assert!(said.contains("platform"), "{said}");
            harbour.cosign(verifier, &[arguments, vec![&other]].concat(), false);
        }
    }
}

/// With P-384 and Ed25519 cosign 3.1.1 does not verify images, not even what it signed itself; files it does with P-384.
#[test]
fn cosign_verifies_bundles_that_are_signed() {
    let Some(harbour) = Harbour::start() else { return };
    for (name, key, has_images) in [
        ("p256", include_str!("../data/cosign-3.1/cosign.key"), true),
        ("p384", include_str!("../data/cosign-3.1/p384.key"), false),
        ("rsa", include_str!("../data/cosign-3.1/rsa.key"), true),
    ] {
        let private = PrivateKey::from_pem(key, Some(PASSWORD.as_bytes())).unwrap();
        harbour.write("key.pub", private.public_key().to_pem());
        let (digest, reference) = harbour.push_plugin(name);
        let bundle = private.sign_bundle(&digest, &annotations()).unwrap();
        push_bundle(&harbour, &digest, &bundle, SIGN_PREDICATE_TYPE);
        let arguments = [verify_options("3.1"), vec!["key.pub", &reference]].concat();
        let said = harbour.cosign("3.1", &arguments, has_images);
        assert_eq!(said.contains("platform"), has_images, "{said}");

        let file = private.sign_file(b"a file").unwrap();
        harbour.write("bundle.json", file);
        harbour.write("file", b"a file");
        let verify = [
            "verify-blob",
            "--insecure-ignore-tlog=true",
            "--key",
            "key.pub",
            "--bundle",
            "bundle.json",
            "file",
        ];
        // The same holds for files: why cosign refuses P-384 there is not known.
        harbour.cosign("3.1", &verify, has_images);
        harbour.write("file", b"another file");
        harbour.cosign("3.1", &verify, false);
    }
}

#[test]
fn cosign_verifies_what_is_attested() {
    const KIND: &str = "https://wharf.example/checked/v1";
    let Some(harbour) = Harbour::start() else { return };
    let key = include_str!("../data/cosign-3.1/cosign.key");
    let private = PrivateKey::from_pem(key, Some(PASSWORD.as_bytes())).unwrap();
    harbour.write("key.pub", private.public_key().to_pem());
    let (digest, reference) = harbour.push_plugin("attested");
    let bundle = private.attest(&digest, KIND, json!({ "checked": true })).unwrap();
    push_bundle(&harbour, &digest, &bundle, KIND);
    let options = [
        "verify-attestation",
        "--insecure-ignore-tlog=true",
        "--allow-insecure-registry",
        "--key",
        "key.pub",
    ];
    harbour.cosign(
        "3.1",
        &[&options[..], &["--type", KIND, &reference]].concat(),
        true,
    );
    harbour.cosign(
        "3.1",
        &[&options[..], &["--type", "https://other.example", &reference]].concat(),
        false,
    );
}

fn push_bundle(harbour: &Harbour, subject: &ContentDigest, bundle: &[u8], predicate_type: &str) {
    let config = with(harbour.push_blob(b"{}"), "application/vnd.oci.empty.v1+json");
    let layer = with(harbour.push_blob(bundle), BUNDLE_MEDIA_TYPE);
    let size = harbour.manifest(&subject.to_string()).len();
    let annotations: BTreeMap<_, _> = bundle_annotations(predicate_type).into_iter().collect();
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST_TYPE, "artifactType": BUNDLE_MEDIA_TYPE, "config": config,
        "layers": [layer], "annotations": annotations,
        "subject": { "mediaType": MANIFEST_TYPE, "size": size, "digest": subject.to_string() },
    });
    let digest = harbour.push_manifest(
        &ContentDigest::sha256_of(manifest.to_string().as_bytes()).to_string(),
        MANIFEST_TYPE,
        &manifest,
    );
    let listed = json!({
        "mediaType": MANIFEST_TYPE, "artifactType": BUNDLE_MEDIA_TYPE, "annotations": annotations,
        "size": manifest.to_string().len(), "digest": digest.to_string(),
    });
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [listed] });
    harbour.push_manifest(&referrers_tag(subject), INDEX_TYPE, &index);
}

#[test]
fn what_cosign_signs_is_verified() {
    let Some(harbour) = Harbour::start() else { return };
    let key = include_str!("../data/cosign-2.5/cosign.key");
    harbour.write("cosign.key", key);
    let public = PublicKey::from_pem(include_str!("../data/cosign-2.5/cosign.pub")).unwrap();
    let (digest, reference) = harbour.push_plugin("theirs");
    let bytes = harbour.manifest(&digest.to_string());
    let check = |source: SignatureSource<'_>| {
        let keys = std::slice::from_ref(&public);
        let checked = crate::verify(&bytes, source, keys, None, Purpose::Signature);
        assert_eq!(checked.refused, []);
        assert_eq!(checked.verified[0].annotations, annotations());
    };

    let sign = [
        "sign",
        "--key",
        "cosign.key",
        "--allow-insecure-registry",
        "--yes",
        "-a",
        "team=platform",
    ];
    harbour.cosign(
        "2.5",
        &[&sign[..], &["--tlog-upload=false", &reference]].concat(),
        true,
    );
    let manifest: Value = serde_json::from_slice(&harbour.manifest(&signature_tag(&digest))).unwrap();
    let layer = &manifest["layers"][0];
    let theirs: BTreeMap<String, String> = serde_json::from_value(layer["annotations"].clone()).unwrap();
    let payload = harbour.blob(layer);
    check(SignatureSource::SimpleSigning {
        payload: &payload,
        annotations: &theirs,
    });

    harbour.cosign(
        "3.1",
        &["signing-config", "create", "--out", "signing.json"],
        true,
    );
    harbour.cosign(
        "3.1",
        &[&sign[..], &["--signing-config", "signing.json", &reference]].concat(),
        true,
    );
    let index: Value = serde_json::from_slice(&harbour.manifest(&referrers_tag(&digest))).unwrap();
    let listed = harbour.manifest(index["manifests"][0]["digest"].as_str().unwrap());
    let manifest: Value = serde_json::from_slice(&listed).unwrap();
    let bundle = harbour.blob(&manifest["layers"][0]);
    check(SignatureSource::Bundle(&bundle));
}
