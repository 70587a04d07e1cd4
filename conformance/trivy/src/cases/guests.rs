//! The committed guests, in Rust, Go and C, alone and together.

use super::content::{FINDING, KEY, VERSION_PHP, site, wordpress};
use crate::case::{Case, case, folder};
use crate::tree::Tree;

/// Why Wharf's answer differs where a module is asked for that is not there.
const MISSING: &str =
    "A module that is asked for and not there is told: a scan without it would find nothing and say nothing.";

pub(super) fn cases() -> Vec<Case> {
    vec![
        case(
            "wordpress",
            "A module in Rust gives custom resources and inserts findings for them.",
            folder(site()),
        )
        .module("trivy-wordpress")
        .both_say("WordPress 6.4.1 in /blog/wp-includes/version.php"),
        case(
            "wordpress-new",
            "It inserts nothing where every version is new.",
            folder(Tree::default().file(VERSION_PHP, wordpress("6.4.2"))),
        )
        .module("trivy-wordpress"),
        case(
            "secrets",
            "A module in C gives secrets with their lines.",
            folder(site()),
        )
        .module("trivy-secrets"),
        case(
            "secrets-many",
            "Several keys in one file, on lines of all kinds.",
            folder(
                Tree::default()
                    .file("a.ini", format!("[x]\r\n{KEY}\r\nb = '{KEY}'\n\n\tlast={KEY}"))
                    .file("b.yaml", format!("key: {KEY} # {KEY}\n"))
                    .file("c.txt", "acme_short\n")
                    .file("d.md", format!("{KEY}\n")),
            ),
        )
        .module("trivy-secrets"),
        case(
            "packages",
            "A module in Go reports packages, which get package URLs and numbers.",
            folder(site()),
        )
        .module("trivy-packages"),
        case(
            "severity",
            "A module in Go lowers what another one inserted, where the service is internal.",
            folder(site().file("etc/service.conf", "# here\nexposure = internal\n")),
        )
        .module("trivy-severity")
        .module("trivy-wordpress")
        .both_say("lowering EXAMPLE-2026-0001"),
        case(
            "severity-external",
            "It leaves them where it is not.",
            folder(site().file("service.conf", "exposure=public\n")),
        )
        .module("trivy-severity")
        .module("trivy-wordpress"),
        case(
            "accepted",
            "A module in C removes what another one inserted; the empty results stay.",
            folder(site()),
        )
        .module("trivy-accepted")
        .module("trivy-wordpress")
        .both_say("what is accepted goes away"),
        case(
            "all-guests",
            "All of them at once, in the order of their names.",
            folder(site().file("service.conf", "exposure = internal\n")),
        )
        .module("trivy-wordpress")
        .module("trivy-secrets")
        .module("trivy-packages")
        .module("trivy-severity")
        .module("trivy-accepted"),
        case(
            "enabled",
            "Of several modules those run that are named.",
            folder(site()),
        )
        .module("trivy-wordpress")
        .module("trivy-secrets")
        .module("trivy-accepted")
        .flags(["--enable-modules", "cms-wordpress,acme-secrets"]),
        case(
            "none-enabled",
            "None runs where none has such a name.",
            folder(site()),
        )
        .module("trivy-wordpress")
        .flags(["--enable-modules", FINDING])
        .allow_as("exit", ["0", "2"], MISSING)
        .allow("report.Warnings", MISSING),
        case(
            "no-modules",
            "Without modules there is nothing in the report.",
            folder(Tree::default().file("readme.md", "nothing\n")),
        ),
    ]
}
