//! Images, as archives and as layouts: layers, whiteouts, links, what a layer says of itself.

use serde_json::json;
use wharf_testing::{Image, Layer};

use super::content::{KEY, wordpress};
use crate::case::{Case, Target, case};
use crate::modules::repeater;

fn layer() -> Layer {
    Layer::default()
}

/// A layer with a `version.php` in each of these folders.
fn versions(files: &[(&str, &str)]) -> Layer {
    files.iter().fold(layer(), |layer, (folder, version)| {
        layer.file(&format!("{folder}/wp-includes/version.php"), &wordpress(version))
    })
}

/// Layers that add, change, remove and hide.
fn layered() -> Image {
    Image::default()
        .layer(
            versions(&[("a", "5.0"), ("b", "5.1"), ("c", "5.2"), ("d", "5.3")])
                .file("s.txt", &format!("{KEY}\n")),
        )
        .layer(
            versions(&[("e", "6.0")])
                .without("b/wp-includes/version.php")
                .opaque("c")
                .file("c/new/wp-includes/version.php", &wordpress("5.9"))
                .link("link.txt", "s.txt"),
        )
        .layer(versions(&[("f", "4.0")]).without("d").folder("empty"))
        .tag("example/app:1")
}

fn of(name: &'static str, about: &'static str, target: Target) -> Case {
    case(name, about, target)
        .module("trivy-wordpress")
        .module("trivy-secrets")
}

fn archive(name: &'static str, about: &'static str, image: Image) -> Case {
    of(name, about, Target::Archive(image))
}

/// Why packages go with the file in which they were found.
const GONE: &str = "What was found in a file goes with it; Trivy keeps what is said to be of another path.";

pub(super) fn cases() -> Vec<Case> {
    let packages = |names: &[&str]| {
        let list: Vec<_> = names
            .iter()
            .map(|name| json!({"ID": format!("{name}@1"), "Name": name, "Version": "1"}))
            .collect();
        json!({"OS": {"Family": "debian", "Name": "12"},
               "Applications": [{"Type": "npm", "FilePath": "app/lock", "Packages": list}],
               "PackageInfos": [{"FilePath": "var/lib/dpkg/status", "Packages": list}]})
        .to_string()
    };
    let secrets = |findings: &[(&str, u32)]| {
        let list: Vec<_> = findings
            .iter()
            .map(|(rule, line)| json!({"RuleID": rule, "Category": "C", "Severity": "LOW", "Title": "t", "StartLine": line, "EndLine": line, "Match": "m"}))
            .collect();
        json!({"Secrets": [{"FilePath": "f", "Findings": list}]}).to_string()
    };
    let repeated = |name, about, image| case(name, about, Target::Archive(image)).module(repeater());
    vec![
        archive(
            "image",
            "An archive of three layers with whiteouts, an opaque folder and links.",
            layered(),
        ),
        archive(
            "image-compressed",
            "The same, compressed.",
            layered().compressed(),
        ),
        of(
            "layout",
            "The same as a layout of OCI.",
            Target::Layout(layered()),
        ),
        of(
            "layout-compressed",
            "Its layers compressed.",
            Target::Layout(layered().compressed()),
        ),
        archive(
            "image-untagged",
            "Without a tag the image is known by its id.",
            Image::default().layer(versions(&[("a", "5.0")])),
        ),
        archive(
            "image-tags",
            "With several tags the first names it, with the registry.",
            Image::default()
                .layer(versions(&[("a", "5.0")]))
                .tag("localhost:5000/x/y:z")
                .tag("b:c"),
        ),
        archive(
            "image-library",
            "A name without a folder is one of the registry's own.",
            Image::default()
                .layer(versions(&[("a", "5.0")]))
                .tag("ubuntu:22.04"),
        ),
        archive(
            "image-no-history",
            "Without a history no layer says what made it.",
            Image::default()
                .layer(layer().file("s.txt", &format!("{KEY}\n")))
                .layer(versions(&[("a", "5.0")]))
                .without_history(),
        ),
        archive(
            "image-secrets",
            "A secret stays though an upper layer removes its file; of a rewritten file the upper finding counts.",
            Image::default()
                .layer(
                    layer()
                        .file("s.txt", &format!("{KEY}\n"))
                        .file("t.txt", &format!("{KEY}\n")),
                )
                .layer(layer().without("s.txt").file("t.txt", &format!("\n\n{KEY}\n"))),
        ),
        archive(
            "image-whiteout-same-layer",
            "A whiteout means lower layers only.",
            Image::default()
                .layer(versions(&[("a", "5.0")]))
                .layer(versions(&[("a", "5.1")]).without("a/wp-includes")),
        ).allow("report.Results.CustomResources.Layer.DiffID", "The layer is that whose file was looked at; Trivy names the first that had one."),
        archive(
            "image-opaque-same-layer",
            "So does an opaque folder.",
            Image::default()
                .layer(versions(&[("a", "5.0"), ("a/x", "5.1")]))
                .layer(versions(&[("a/y", "5.2")]).opaque("a")),
        ),
        archive(
            "image-again",
            "A file that was removed and is there again; a layer that is there twice.",
            Image::default()
                .layer(versions(&[("a", "5.0")]))
                .layer(layer().without("a"))
                .layer(versions(&[("a", "5.0")])),
        ),
        archive(
            "image-names",
            "Names with a slash or a dot before, and folders that are kept out of directories only.",
            Image::default().layer(versions(&[
                ("/abs", "5.0"),
                ("./dot", "5.1"),
                ("b/../c", "5.2"),
                ("proc", "5.3"),
                (".git", "5.4"),
                ("sp ace/ünï", "5.5"),
            ])),
        ),
        archive(
            "image-skip",
            "Folders and files are skipped in layers too.",
            Image::default().layer(
                layer()
                    .folder("a")
                    .file("a/wp-includes/version.php", &wordpress("5.0"))
                    .folder("b")
                    .file("b/wp-includes/version.php", &wordpress("5.1"))
                    .file("s.txt", &format!("{KEY}\n"))
                    .file("t.txt", &format!("{KEY}\n")),
            ),
        )
        .flags(["--skip-dirs", "a", "--skip-files", "s.txt"]),
        archive(
            "image-empty",
            "An image of one empty layer.",
            Image::default().layer(layer()),
        ),
        repeated(
            "image-packages",
            "Packages are of the layer which had them first.",
            Image::default()
                .layer(layer().file("1.analysis", &packages(&["a", "o"])))
                .layer(layer().file("1.analysis", &packages(&["a", "b", "o"]))),
        ),
        repeated(
            "image-packages-removed",
            "Packages go with the file that they are said to be of.",
            Image::default()
                .layer(layer().file("1.analysis", &packages(&["a"])))
                .layer(layer().without("app/lock")),
        ),
        repeated(
            "image-packages-kept",
            "They do not go with the file that was looked at.",
            Image::default()
                .layer(layer().file("1.analysis", &packages(&["a"])))
                .layer(layer().without("1.analysis")),
        ).allow("order", GONE).allow("report.Results", GONE),
        repeated(
            "image-secret-rules",
            "Rules of upper layers come first; rules of lower ones stay.",
            Image::default()
                .layer(layer().file("1.analysis", &secrets(&[("b", 1), ("a", 9), ("a", 2)])))
                .layer(layer().file("1.analysis", &secrets(&[("a", 5), ("c", 1)]))),
        ),
        archive(
            "image-hard-link",
            "A file with two names, of which one is removed.",
            Image::default()
                .layer(versions(&[("a", "5.0")]).hard_link("b/wp-includes/version.php", "a/wp-includes/version.php"))
                .layer(layer().without("a")),
        )
        .allow(
            "report.Results*",
            "A hard link is a file of its own, which stays when its other name goes; Trivy passes over links.",
        )
        .allow("order", "The file that is left has a custom resource."),
        archive(
            "image-rewritten",
            "A file of which a module says nothing more in an upper layer.",
            Image::default()
                .layer(versions(&[("a", "5.0"), ("b", "5.1")]))
                .layer(layer().file("a/wp-includes/version.php", "<?php\n")),
        )
        .allow(
            "report.Results*",
            "What was found in a file goes when the file is another; Trivy keeps what was found in the lower layer.",
        ),
        archive(
            "image-replaced",
            "A file that no module looks at in the place of a folder: what was found in the folder stays.",
            Image::default().layer(versions(&[("a", "5.0"), ("b", "5.1")])).layer(layer().file("a", "text\n")),
        ),
        archive(
            "image-opaque-root",
            "An opaque folder that is the root.",
            Image::default().layer(versions(&[("a", "5.0")])).layer(versions(&[("b", "5.1")]).opaque(".")),
        )
        .allow("report.Results*", "The root may be opaque as any other folder; Trivy does not see that."),
    ]
}
