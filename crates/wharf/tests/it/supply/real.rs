//! The command line beside the programs that everybody has: Docker's registry, oras, cosign 2 and cosign 3.
//!
//! The scripts in `conformance/registry` get them. Where one is not there its test says so and checks nothing, unless `WHARF_ORAS` and
//! `WHARF_DOCKER_REGISTRY`, or `WHARF_COSIGN` name it, as `.ci/run` does: then it must be there.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use wharf_testing::DockerRegistry;

use super::{FILTER, POLICY};
use crate::harness::{Folder, folder};

const PASSWORD: &str = "harbour";

/// A registry and a folder whose configuration names it.
struct Real {
    registry: DockerRegistry,
    peers: PathBuf,
    folder: Folder,
}

/// The directory of the peers, if all of these are there.
#[expect(clippy::print_stdout, reason = "whoever runs the tests reads it")]
fn peers(names: &[&str], variable: &str) -> Option<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.peers");
    let all = names.iter().all(|name| own.join(name).exists());
    let must = std::env::var_os(variable).is_some();
    assert!(all || !must, "run the scripts in conformance/registry: {names:?}");
    if !all {
        println!("Nothing is checked without {names:?}: run the scripts in conformance/registry");
    }
    all.then_some(own)
}

impl Real {
    fn start(names: &[&str], variable: &str) -> Option<Self> {
        let peers = peers(names, variable)?;
        let registry = DockerRegistry::start(&peers.join("docker-registry"), None);
        let real = Self {
            registry,
            peers,
            folder: folder(),
        };
        real.configure("");
        Some(real)
    }

    fn configure(&self, sections: &str) {
        let host = self.registry.address();
        let text = format!(
            "version: 1\nregistries: {{ hosts: {{ \"{host}\": {{ plainHttp: true }} }} }}\nstore: {{ directory: store }}\n{sections}\n"
        );
        std::fs::write(self.folder.path().join("wharf.yaml"), text).unwrap();
    }

    fn name(&self, rest: &str) -> String {
        format!("{}/{rest}", self.registry.address())
    }

    fn wharf(&self, arguments: &[&str]) -> Output {
        let mut command = self.folder.command(arguments);
        command
            .env("WHARF_LOG", "off")
            .env("COSIGN_PASSWORD", PASSWORD)
            .output()
            .unwrap()
    }

    #[track_caller]
    fn good(&self, arguments: &[&str]) -> String {
        let output = self.wharf(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Another program, which has to succeed.
    #[track_caller]
    fn peer(&self, name: &str, arguments: &[&str]) -> String {
        let output = Command::new(self.peers.join(name))
            .args(arguments)
            .current_dir(self.folder.path())
            .env("COSIGN_PASSWORD", PASSWORD)
            .env("HOME", self.folder.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(output.status.success(), "{name} {arguments:?}: {output:?}");
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }

    fn is_same(&self, one: &str, other: &str) -> bool {
        let read = |name: &str| std::fs::read(self.folder.path().join(name)).unwrap();
        read(one) == read(other)
    }
}

#[test]
fn real_registry_what_oras_pushes_runs_and_what_is_pushed_oras_pulls() {
    let Some(real) = Real::start(&["docker-registry", "oras"], "WHARF_ORAS") else {
        return;
    };
    std::fs::copy(
        real.folder.path().join(FILTER),
        real.folder.path().join("greet.wasm"),
    )
    .unwrap();
    // The artifact layout of the CNCF, Kubewarden's and Istio's, as their tools push them.
    for (tag, media_type) in [
        ("cncf", "application/wasm"),
        ("kubewarden", "application/vnd.wasm.content.layer.v1+wasm"),
        ("istio", "application/vnd.module.wasm.content.layer.v1+wasm"),
    ] {
        let name = real.name(&format!("oras/greet:{tag}"));
        let file = format!("greet.wasm:{media_type}");
        real.peer("oras", &["push", "--plain-http", &name, &file]);
        let inspected = real.good(&["inspect", &format!("oci:{name}"), "--json"]);
        let inspected: Value = serde_json::from_str(&inspected).unwrap();
        assert_eq!(inspected["loadsAs"], "a filter");
        assert_eq!(inspected["provenance"]["layout"], tag);
        real.good(&["run", &format!("oci:{name}")]);
    }
    for format in ["cncf", "kubewarden", "istio", "trivy"] {
        let name = real.name(&format!("wharf/greet:{format}"));
        real.good(&["push", "greet.wasm", &name, "--format", format]);
        real.peer("oras", &["pull", "--plain-http", "-o", format, &name]);
        assert!(real.is_same("greet.wasm", &format!("{format}/plugin.wasm")));
    }
    // An archive is an OCI layout, from which oras copies.
    let name = real.name("wharf/greet:cncf");
    real.good(&["pull", &name]);
    real.good(&["save", "-o", "plugins.tar", &name]);
    let copy = real.name("copied/greet:1");
    let listed = real.peer("oras", &["repo", "tags", "--oci-layout", "plugins.tar"]);
    let tag = listed.lines().next().unwrap_or_default();
    real.peer(
        "oras",
        &[
            "copy",
            "--from-oci-layout",
            &format!("plugins.tar:{tag}"),
            "--to-plain-http",
            &copy,
        ],
    );
    real.good(&["pull", &copy]);
}

#[test]
fn real_cosign_signs_what_wharf_verifies_and_the_other_way_round() {
    let Some(real) = Real::start(&["docker-registry", "cosign-2.5", "cosign-3.1"], "WHARF_COSIGN") else {
        return;
    };
    real.peer("cosign-2.5", &["generate-key-pair"]);
    let trust = "trust: { rules: [ { references: [ \"oci:**\" ], signatures: [ { key: cosign.pub } ] } ] }";
    let verify = |version: &str, name: &str| {
        let options = [
            "verify",
            "--key",
            "cosign.pub",
            "--insecure-ignore-tlog=true",
            "--allow-insecure-registry",
        ];
        real.peer(version, &[&options[..], &[name]].concat());
    };

    // Signed here, verified by both as they are set up.
    let name = real.name("plugins/greet:1");
    real.good(&["push", FILTER, &name]);
    real.good(&["sign", &name, "--key", "cosign.key"]);
    verify("cosign-2.5", &name);
    verify("cosign-3.1", &name);

    // Signed by each, verified here, and enough to run.
    for (version, tag) in [("cosign-2.5", "2"), ("cosign-3.1", "3")] {
        let name = real.name(&format!("policies/labels:{tag}"));
        real.configure("");
        let pushed = real.good(&[
            "push",
            POLICY,
            &name,
            "--format",
            "kubewarden",
            "-a",
            &format!("tag={tag}"),
        ]);
        real.configure(trust);
        assert_eq!(real.wharf(&["pull", &name]).status.code(), Some(4));
        let mut options = vec![
            "sign",
            "--key",
            "cosign.key",
            "--tlog-upload=false",
            "--allow-insecure-registry",
            "-y",
        ];
        if version == "cosign-3.1" {
            options.push("--use-signing-config=false");
        }
        let by_digest = pushed.trim().trim_start_matches("oci:");
        real.peer(version, &[&options[..], &[by_digest]].concat());
        let pulled = real.good(&["pull", &name, "--json"]);
        let pulled: Value = serde_json::from_str(&pulled).unwrap();
        assert_eq!(pulled[0]["provenance"]["verification"], "signed", "{version}");
        real.good(&["verify", &name, "--key", "cosign.pub"]);
    }

    // Files.
    std::fs::copy(
        real.folder.path().join(FILTER),
        real.folder.path().join("greet.wasm"),
    )
    .unwrap();
    real.good(&["sign", "greet.wasm", "--key", "cosign.key"]);
    let options = [
        "verify-blob",
        "--key",
        "cosign.pub",
        "--insecure-ignore-tlog=true",
        "--bundle",
        "greet.wasm.sigstore.json",
    ];
    real.peer("cosign-3.1", &[&options[..], &["greet.wasm"]].concat());
    let sign = [
        "sign-blob",
        "-y",
        "--key",
        "cosign.key",
        "--tlog-upload=false",
        "--use-signing-config=false",
        "--bundle",
        "greet.wasm.sigstore.json",
    ];
    real.peer("cosign-3.1", &[&sign[..], &["greet.wasm"]].concat());
    real.good(&["verify", "greet.wasm", "--key", "cosign.pub"]);
}
