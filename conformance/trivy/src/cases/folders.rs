//! Folders and files as they come: names, links, what is skipped.

use super::content::{KEY, site, wordpress};
use crate::case::{Case, Target, case, folder};
use crate::tree::Tree;

/// A tree with a `version.php` in each of these folders.
fn in_folders(folders: &[&str]) -> Tree {
    folders.iter().fold(Tree::default(), |tree, folder| {
        tree.file(format!("{folder}/wp-includes/version.php"), wordpress("5.0"))
    })
}

fn of(name: &'static str, about: &'static str, tree: Tree) -> Case {
    case(name, about, folder(tree))
        .module("trivy-wordpress")
        .module("trivy-secrets")
}

pub(super) fn cases() -> Vec<Case> {
    let deep = "d/".repeat(120);
    vec![
        of(
            "names",
            "Spaces, dashes, dots, accents, quotes and line ends in names.",
            in_folders(&[
                "with space",
                "-dash",
                "..dots..",
                "ünï çødé",
                "new\nline",
                "tab\there",
                "quote\"'",
                "back\\slash",
                "[glob]*?",
                "日本",
                "a%20b",
                "~",
                "#x",
                "$y",
                "trailing ",
            ]),
        ),
        of(
            "deep",
            "A tree of 120 levels.",
            in_folders(&[deep.trim_end_matches('/')]),
        ),
        of(
            "kept-out",
            "Some folders are not looked into, and only at the root.",
            in_folders(&[
                ".git",
                "sub/.git",
                "proc",
                "sub/proc",
                "sys",
                "dev",
                "sub/dev",
                "node_modules/x",
                "vendor/x",
                ".hidden",
            ]),
        ),
        of(
            "links",
            "Links are not followed, wherever they lead; pipes are not read.",
            in_folders(&["real"])
                .link("link-to-folder", "real")
                .link("wp-includes/version.php", "../real/wp-includes/version.php")
                .link("loop/loop", "loop")
                .link("loop/up", "..")
                .link("outside.txt", "/etc/hostname")
                .link("dangling.txt", "nowhere")
                .pipe("pipe.txt"),
        ),
        of(
            "empty",
            "Empty files, and files that are no text.",
            Tree::default()
                .file("empty.txt", "")
                .file("wp-includes/version.php", "")
                .folder("nothing")
                .file(
                    "binary.txt",
                    [b"\0\xff\xfe".as_slice(), KEY.as_bytes(), b"\n"].concat(),
                ),
        ),
        of("nothing", "An empty folder.", Tree::default()),
        of(
            "host-name",
            "A folder with the name of a host is called by that.",
            in_folders(&["x"]).file("etc/hostname", " box \n"),
        )
        .allow_as(
            "report.ArtifactName",
            ["\"box\"", "\"tree\""],
            "A target is called by its path, whatever it has in it.",
        ),
        of(
            "no-host-name",
            "An empty name of a host is none.",
            in_folders(&["x"]).file("etc/hostname", ""),
        ),
        case(
            "file",
            "A file as the target is seen by its name.",
            Target::Folder(site(), "tree/keys.txt"),
        )
        .module("trivy-secrets"),
        case(
            "dotted-path",
            "The path of the target is cleaned.",
            Target::Folder(site(), "./tree/"),
        )
        .module("trivy-secrets"),
        case(
            "missing",
            "A target that is not there.",
            Target::Folder(Tree::default(), "nowhere"),
        )
        .module("trivy-secrets")
        .both_say("nowhere"),
        of(
            "skip-dirs",
            "Folders are skipped by their whole path.",
            site().file("sub/blog/wp-includes/version.php", wordpress("5.1")),
        )
        .flags(["--skip-dirs", "blog"]),
        of(
            "skip-dirs-anywhere",
            "Two stars stand for any folders.",
            site()
                .file("sub/blog/wp-includes/version.php", wordpress("5.1"))
                .file("a/b/shop/wp-includes/version.php", wordpress("5.2")),
        )
        .flags(["--skip-dirs", "**/blog,a/*/shop"]),
        of(
            "skip-dirs-from-here",
            "A folder may be named from where the command runs.",
            site(),
        )
        .flags(["--skip-dirs", "tree/blog,./tree/shop/wp-includes"]),
        of(
            "skip-dirs-slash",
            "A slash at the end does not count, nor at the beginning.",
            site(),
        )
        .flags(["--skip-dirs", "blog/,/shop"]),
        of("skip-classes", "Classes of characters.", site()).flags([
            "--skip-dirs",
            "[bs][lh]o[g-p]",
            "--skip-files",
            "*.t[x-y]t",
        ]),
        of(
            "skip-files",
            "Files are skipped by their whole path.",
            site().file("sub/keys.txt", format!("{KEY}\n")),
        )
        .flags(["--skip-files", "keys.txt", "--skip-files", "**/version.php"]),
        of(
            "skip-files-star",
            "One star does not cross a slash.",
            site().file("sub/keys.txt", format!("{KEY}\n")),
        )
        .flags(["--skip-files", "*.txt,*/*/*.php,.env"]),
    ]
}
