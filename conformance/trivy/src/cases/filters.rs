//! Severities, ignore files, and what the exit code says of what is left.

use serde_json::json;

use super::content::{FINDING, mixed, site};
use crate::case::{Case, case, folder};
use crate::modules::made;
use crate::tree::Tree;

/// Why Wharf's exit code differs where a file of ignored ids cannot be used.
const UNUSABLE: &str = "A file that cannot be used has an exit code of its own.";
/// Why Wharf goes on where there is no such file.
const NOTHING_IGNORED: &str =
    "Without the file nothing is left out, which is safe, and is told; Trivy refuses to scan.";

fn of_all_kinds(name: &'static str, about: &'static str) -> Case {
    case(name, about, folder(Tree::default().file("f", "1"))).module(made("inserter").inserts(&mixed()))
}

fn of_site(name: &'static str, about: &'static str) -> Case {
    case(name, about, folder(site()))
        .module("trivy-wordpress")
        .module("trivy-secrets")
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        of_all_kinds("severity-high", "Only what is as severe as asked for stays; results stay, empty.").flags(["--severity", "HIGH,CRITICAL"]),
        of_all_kinds("severity-low", "Severities are a list and no limit.").flags(["--severity", "LOW", "--severity", "UNKNOWN"]),
        of_all_kinds("severity-wrong", "A severity that there is not is refused.").flags(["--severity", "SEVERE"]).both_say("SEVERE").allow_as("exit", ["1", "2"], "A command line that cannot be used has an exit code of its own."),
        of_all_kinds("unfixed", "What is not fixed goes away, and what is known of no fix.").flags(["--ignore-unfixed"]),
        of_all_kinds("exit-code", "The exit code says that something is left.").flags(["--exit-code", "7"]),
        of_all_kinds("exit-code-filtered", "What a filter took away does not count.").flags(["--exit-code", "7", "--severity", "MEDIUM", "--ignore-unfixed"]),
        case("exit-code-resources", "Custom resources are no findings.", folder(site())).module(
            made("resources").says_of(".", &json!({"CustomResources": [{"Type": "t", "FilePath": "/f", "Data": 1}]})),
        )
        .flags(["--exit-code", "7"]),
        case("exit-code-secrets", "Secrets are findings.", folder(site())).module("trivy-secrets").flags(["--exit-code", "255"]),
        of_site("ignore", "Ids, comments, dates and words behind them.")
            .file(".trivyignore", &format!("# accepted\n\n  {FINDING} exp:2020-01-01\nacme-key   # why\n")),
        of_site("ignore-until", "An entry is there until its day.")
            .file("accepted", &format!("{FINDING} exp:2099-01-01\nacme-key reason exp:2099-12-31\n"))
            .flags(["--ignorefile", "accepted"]),
        of_site("ignore-bad-date", "An entry with a day that there is not is none.")
            .file(".trivyignore", &format!("{FINDING} exp:2099-13-01\nacme-key exp:tomorrow\n")),
        of_site("ignore-missing", "A file of ignored ids need not be there.").flags(["--ignorefile", "nowhere"]).allow_as("exit", ["1", "0"], NOTHING_IGNORED).allow("report", NOTHING_IGNORED),
        of_all_kinds("ignore-kinds", "Ids of vulnerabilities, misconfigurations, secrets and licenses.")
            .file(".trivyignore", "CVE-2026-1\r\nDS-0002\nsome-key\nGPL-2.0-only\nCVE-2026\ncve-2026-2\n")
            .flags(["--exit-code", "3"]),
        of_site("ignore-yaml", "Paths with stars, statements and days.")
            .file("accepted.yaml", &format!(
                "vulnerabilities:\n  - id: {FINDING}\n    paths: ['/blog/**']\n    statement: accepted by the team\n\
                 secrets:\n  - id: acme-key\n    paths: ['*.txt']\n    expired_at: 2099-01-02\n  - id: acme-key\n    expired_at: 2020-01-02\n"
            ))
            .flags(["--ignorefile", "accepted.yaml"]),
        of_all_kinds("ignore-yaml-kinds", "Each kind of finding has its own list; package URLs choose vulnerabilities.")
            .file("accepted.yml",
                "vulnerabilities:\n  - id: CVE-2026-1\n    purls: ['pkg:npm/b']\n  - id: CVE-2026-2\n    purls: ['pkg:npm/other@1']\n  - id: CVE-2026-5\n    paths: ['other']\n\
                 misconfigurations:\n  - id: DS-0002\n    paths: ['cfg/*']\nlicenses:\n  - id: GPL-2.0-only\nsecrets:\n  - id: CVE-2026-4\n")
            .flags(["--ignorefile", "accepted.yml"]),
        of_all_kinds("ignore-yaml-package-path", "A path may be that of the package.")
            .file("accepted.yaml", "vulnerabilities:\n  - id: CVE-2026-1\n    paths: ['p/*']\n  - id: CVE-2026-2\n    paths: ['app/lock']\n")
            .flags(["--ignorefile", "accepted.yaml"]),
        of_all_kinds("ignore-yaml-wrong", "A pattern that is none is refused.")
            .file("accepted.yaml", "vulnerabilities:\n  - id: CVE-2026-1\n    paths: ['a[']\n")
            .flags(["--ignorefile", "accepted.yaml"]).allow_as("exit", ["1", "3"], UNUSABLE),
        of_all_kinds("ignore-yaml-broken", "Text that is no YAML is refused.")
            .file("accepted.yaml", "vulnerabilities: [\n")
            .flags(["--ignorefile", "accepted.yaml"]).allow_as("exit", ["1", "3"], UNUSABLE),
    ]
}
