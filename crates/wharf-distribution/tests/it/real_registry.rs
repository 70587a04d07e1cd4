//! Against the registry that everybody has: Docker's own, `docker-registry` of Debian.
//!
//! `conformance/registry/get-registry.sh` gets it. Where it is not there these tests say so and check nothing, unless
//! `WHARF_DOCKER_REGISTRY` names it, as `.ci/run` does: then it must be there.

mod plugins;

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use wharf_distribution::registry::{ManifestKind, RegistryError};
use wharf_testing::registry::{IMAGE_INDEX, IMAGE_MANIFEST, digest_of, image_manifest};
use wharf_testing::{DockerRegistry, Response, connect};

use crate::harness::{Asking, CONFIG, told};

/// `user` and `password`, by bcrypt.
const USERS: &str = "user:$2b$04$5CKNAyJ.9C.akjRphhu64udzOQhbIxOOslkZGkmNR9/awgMdHrhL6\n";
/// The same in base64.
const BASIC: &str = "dXNlcjpwYXNzd29yZA==";

/// A running registry, and who asks it.
struct RealRegistry {
    _server: DockerRegistry,
    address: SocketAddr,
    authorization: Option<String>,
}

/// The program, if it is there.
#[expect(clippy::print_stdout, reason = "whoever runs the tests reads it")]
fn program() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("WHARF_DOCKER_REGISTRY") {
        let named = PathBuf::from(named);
        assert!(
            named.exists(),
            "{} is not there: run conformance/registry/get-registry.sh",
            named.display()
        );
        return Some(named);
    }
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.peers/docker-registry");
    if own.exists() {
        return Some(own);
    }
    println!("Nothing is checked without docker-registry: run conformance/registry/get-registry.sh");
    None
}

impl RealRegistry {
    /// Starts one, with users or without.
    fn start(with_users: bool) -> Option<Self> {
        let server = DockerRegistry::start(&program()?, with_users.then_some(USERS));
        Some(Self {
            address: server.address(),
            authorization: with_users.then(|| format!("authorization: Basic {BASIC}\r\n")),
            _server: server,
        })
    }

    /// Sends a request and gives its answer.
    fn send(&self, method: &str, target: &str, media_type: &str, body: &[u8]) -> Response {
        let mut client = connect(self.address);
        let authorization = self.authorization.as_deref().unwrap_or_default();
        let head = format!(
            "{method} {target} HTTP/1.1\r\nhost: {}\r\n{authorization}content-type: {media_type}\r\ncontent-length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        client.send([head.as_bytes(), body].concat());
        client.response()
    }

    fn push_blob(&self, repository: &str, bytes: &[u8]) {
        let begun = self.send(
            "POST",
            &format!("/v2/{repository}/blobs/uploads/"),
            "text/plain",
            b"",
        );
        assert_eq!(begun.status, 202, "{begun:?}");
        let location = begun.header("location").unwrap();
        let target = location.trim_start_matches(&format!("http://{}", self.address));
        let digest = digest_of(bytes);
        let target = format!("{target}&digest={digest}");
        let done = self.send("PUT", &target, "application/octet-stream", bytes);
        assert_eq!(done.status, 201, "{done:?}");
    }

    fn push_manifest(&self, repository: &str, tag: &str, media_type: &str, text: &str) {
        let target = format!("/v2/{repository}/manifests/{tag}");
        let done = self.send("PUT", &target, media_type, text.as_bytes());
        assert_eq!(done.status, 201, "{done:?}");
    }

    /// An image of no layers, and an index with it.
    fn push_image(&self, repository: &str) -> (String, String) {
        self.push_blob(repository, CONFIG.as_bytes());
        let manifest = image_manifest(CONFIG.as_bytes());
        self.push_manifest(repository, "1.0", IMAGE_MANIFEST, &manifest);
        let architecture = if cfg!(target_arch = "aarch64") {
            "arm64"
        } else {
            "amd64"
        };
        let index = format!(
            r#"{{"schemaVersion":2,"mediaType":"{IMAGE_INDEX}","manifests":[{{"mediaType":"{IMAGE_MANIFEST}","digest":"{}","size":{},"platform":{{"os":"linux","architecture":"{architecture}"}}}}]}}"#,
            digest_of(&manifest),
            manifest.len()
        );
        self.push_manifest(repository, "all", IMAGE_INDEX, &index);
        (manifest, index)
    }
}

#[tokio::test]
async fn images_of_a_real_registry_are_read() {
    let Some(registry) = RealRegistry::start(false) else {
        return;
    };
    let (manifest, index) = registry.push_image("team/app");
    let asking = Asking::of(registry.address);
    assert_eq!(
        asking.resolve("team/app:1.0").await.unwrap().to_string(),
        digest_of(&manifest)
    );
    assert_eq!(
        asking.resolve("team/app:all").await.unwrap().to_string(),
        digest_of(&index)
    );
    assert_eq!(asking.manifest("team/app:1.0").await.unwrap().text, manifest);
    let whole = asking
        .manifest(&format!("team/app@{}", digest_of(&index)))
        .await
        .unwrap();
    assert_eq!(whole.text, index);
    assert!(matches!(whole.kind, ManifestKind::Index { .. }));
    for tag in ["1.0", "all"] {
        let found = asking.configuration(&format!("team/app:{tag}")).await.unwrap();
        assert_eq!(found.config, CONFIG.as_bytes());
        assert_eq!(found.manifest.text, manifest);
    }
}

#[tokio::test]
async fn what_a_real_registry_has_not_is_told_apart() {
    let Some(registry) = RealRegistry::start(false) else {
        return;
    };
    registry.push_image("team/app");
    let asking = Asking::of(registry.address);
    let tag = asking.resolve("team/app:2.0").await.unwrap_err();
    assert_eq!(
        told(&tag, registry.address),
        "the repository `team/app` of the registry ADDRESS has no `2.0`"
    );
    let absent = format!("team/app@{}", digest_of("absent"));
    let error = asking.manifest(&absent).await.unwrap_err();
    assert!(matches!(error, RegistryError::NoManifest { .. }), "{error:?}");
    // This registry knows no repositories but by what is in them.
    let error = asking.manifest("nobody/app:1.0").await.unwrap_err();
    let is_missing = matches!(
        error,
        RegistryError::NoRepository { .. } | RegistryError::NoManifest { .. }
    );
    assert!(is_missing, "{error:?}");
}

#[tokio::test]
async fn a_real_registry_wants_its_users() {
    let Some(registry) = RealRegistry::start(true) else {
        return;
    };
    let (manifest, _) = registry.push_image("app");
    let error = Asking::of(registry.address).resolve("app:1.0").await.unwrap_err();
    assert!(
        matches!(
            error,
            RegistryError::Unauthorized {
                with_credentials: false,
                ..
            }
        ),
        "{error:?}"
    );
    for (auth, is_good) in [(BASIC, true), ("dXNlcjp3cm9uZw==", false)] {
        let directory = tempfile::tempdir().unwrap();
        let mut file = std::fs::File::create(directory.path().join("config.json")).unwrap();
        write!(
            file,
            r#"{{"auths": {{"{}": {{"auth": "{auth}"}}}}}}"#,
            registry.address
        )
        .unwrap();
        let asking = Asking::with_credentials(registry.address, directory.path());
        let found = asking.configuration("app:1.0").await;
        match found {
            Ok(found) => assert!(is_good && found.manifest.text == manifest),
            Err(error) => {
                let refused = matches!(
                    error,
                    RegistryError::Unauthorized {
                        with_credentials: true,
                        ..
                    }
                );
                assert!(!is_good && refused, "{error:?}");
            }
        }
    }
}
