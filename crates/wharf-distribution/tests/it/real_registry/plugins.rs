//! Plugins in Docker's own registry, pushed and pulled by this and by `oras`.
//!
//! `conformance/registry/get-oras.sh` gets `oras`; where it is not there, what needs it says so and is not checked, unless
//! `WHARF_ORAS` names it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use wharf_distribution::{Layout, Origin, PullPolicy, PushFormat, publish};
use wharf_plugin::ImageReference;

use super::RealRegistry;
use crate::plugins::{client, fetcher, large_module, module, nothing, oci};

#[expect(clippy::print_stdout, reason = "whoever runs the tests reads it")]
fn oras() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("WHARF_ORAS") {
        let named = PathBuf::from(named);
        assert!(
            named.exists(),
            "{} is not there: run conformance/registry/get-oras.sh",
            named.display()
        );
        return Some(named);
    }
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.peers/oras");
    if own.exists() {
        return Some(own);
    }
    println!("Nothing is checked without oras: run conformance/registry/get-oras.sh");
    None
}

/// Runs it in a directory.
fn run(oras: &Path, directory: &Path, arguments: &[&str]) {
    let oras = oras.canonicalize().unwrap();
    let done = Command::new(oras)
        .args(arguments)
        .current_dir(directory)
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
}

#[test]
fn what_is_pushed_to_a_real_registry_is_fetched_again() {
    let Some(registry) = RealRegistry::start(false) else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let fetcher = fetcher(registry.address, directory.path()).with_policy(PullPolicy::Always);
    let client = client(registry.address);
    let wasm = large_module(1, 3_000_000);
    for format in PushFormat::ALL {
        let image: ImageReference = format!("{}/team/app:{format}", registry.address).parse().unwrap();
        let pushed = publish(&client, &image, wasm.clone().into(), format, &nothing()).unwrap();
        let fetched = fetcher
            .fetch(&oci(registry.address, &format!("team/app:{format}")))
            .unwrap();
        assert_eq!(fetched.artifact.bytes(), &wasm);
        assert_eq!(
            (fetched.resolved, fetched.origin),
            (pushed.digest, Origin::Network)
        );
    }
    // A tag that moves.
    let image: ImageReference = format!("{}/team/app:cncf", registry.address).parse().unwrap();
    publish(&client, &image, module(2).into(), PushFormat::Cncf, &nothing()).unwrap();
    let moved = fetcher.fetch(&oci(registry.address, "team/app:cncf")).unwrap();
    assert_eq!(moved.artifact.bytes(), &module(2));
}

#[test]
fn a_download_from_a_real_registry_is_gone_on_with() {
    let Some(registry) = RealRegistry::start(false) else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let fetcher = fetcher(registry.address, directory.path());
    let wasm = large_module(1, 500_000);
    let image: ImageReference = format!("{}/app:1", registry.address).parse().unwrap();
    let pushed = publish(
        &client(registry.address),
        &image,
        wasm.clone().into(),
        PushFormat::Cncf,
        &nothing(),
    );
    let name = pushed.unwrap().module.to_string().replace(':', "-");
    std::fs::write(directory.path().join("partial").join(name), &wasm[..300_000]).unwrap();
    let fetched = fetcher.fetch(&oci(registry.address, "app:1")).unwrap();
    assert_eq!(fetched.artifact.bytes(), &wasm);
}

#[test]
fn what_oras_pushes_is_fetched_and_what_is_pushed_oras_pulls() {
    let (Some(registry), Some(oras)) = (RealRegistry::start(false), oras()) else {
        return;
    };
    let address = registry.address;
    let scratch = tempfile::tempdir().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let fetcher = fetcher(address, directory.path());
    let wasm = module(5);
    std::fs::write(scratch.path().join("plugin.wasm"), &wasm).unwrap();
    for (tag, kind, layer, layout) in [
        (
            "cncf",
            "application/vnd.wasm.config.v0+json",
            "application/wasm",
            Layout::Cncf,
        ),
        (
            "kubewarden",
            "application/vnd.wasm.config.v1+json",
            "application/vnd.wasm.content.layer.v1+wasm",
            Layout::Kubewarden,
        ),
        (
            "trivy",
            "application/vnd.module.wasm.config.v1+json",
            "application/vnd.module.wasm.content.layer.v1+wasm",
            Layout::Istio,
        ),
    ] {
        let to = format!("{address}/theirs:{tag}");
        let file = format!("plugin.wasm:{layer}");
        run(
            &oras,
            scratch.path(),
            &["push", "--plain-http", "--artifact-type", kind, &to, &file],
        );
        let fetched = fetcher.fetch(&oci(address, &format!("theirs:{tag}"))).unwrap();
        assert_eq!(fetched.artifact.bytes(), &wasm);
        assert_eq!(fetched.layout, layout);
    }
    let titled = BTreeMap::from([(
        "org.opencontainers.image.title".to_owned(),
        "mine.wasm".to_owned(),
    )]);
    for format in PushFormat::ALL {
        let image: ImageReference = format!("{address}/ours:{format}").parse().unwrap();
        publish(&client(address), &image, wasm.clone().into(), format, &titled).unwrap();
        let to = scratch.path().join(format.to_string());
        let from = format!("{address}/ours:{format}");
        run(
            &oras,
            scratch.path(),
            &["pull", "--plain-http", "-o", to.to_str().unwrap(), &from],
        );
        assert_eq!(std::fs::read(to.join("mine.wasm")).unwrap(), wasm, "{format}");
    }
}

#[test]
fn what_is_saved_oras_reads_as_a_layout() {
    let (Some(registry), Some(oras)) = (RealRegistry::start(false), oras()) else {
        return;
    };
    let address = registry.address;
    let directory = tempfile::tempdir().unwrap();
    let fetcher = fetcher(address, directory.path());
    let image: ImageReference = format!("{address}/app:1").parse().unwrap();
    publish(
        &client(address),
        &image,
        module(1).into(),
        PushFormat::Cncf,
        &nothing(),
    )
    .unwrap();
    fetcher.fetch(&oci(address, "app:1")).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let mut file = std::fs::File::create(scratch.path().join("plugins.tar")).unwrap();
    fetcher.store().unwrap().save(&[], &mut file).unwrap();
    // Into another repository, straight from the archive.
    let to = format!("{address}/copied:1");
    run(
        &oras,
        scratch.path(),
        &[
            "copy",
            "--from-oci-layout",
            "plugins.tar:1",
            "--to-plain-http",
            &to,
        ],
    );
    let copied = fetcher.fetch(&oci(address, "copied:1")).unwrap();
    assert_eq!(copied.artifact.bytes(), &module(1));
}
