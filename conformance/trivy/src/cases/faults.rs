//! Modules that fail. Trivy passes over most of it in silence; Wharf says it, and ends with an exit code of its own.

use serde_json::json;

use super::content::site;
use crate::case::{Case, case, folder};
use crate::modules::{Module, made};

/// Why Wharf's exit code differs where a module failed on a file.
const TOLD: &str =
    "A module's failure is told, and the exit code says so; Trivy drops the file's result and says nothing.";

/// Why Wharf has a report where Trivy has none.
const REPORTED: &str = "A module that cannot be used is told, and the others run; in Trivy it ends the scan.";

pub(super) fn cases() -> Vec<Case> {
    let of = |name, about| case(name, about, folder(site()));
    let told = |case: Case| {
        case.allow_as("exit", ["0", "2"], TOLD)
            .allow("report.Warnings", TOLD)
    };
    // Trivy reports nothing at all.
    let ends_trivy = |case: Case| case.allow("report", REPORTED);
    let fails_in_trivy = |case: Case| ends_trivy(case).allow_as("exit", ["1", "2"], REPORTED);
    // The module goes by the last letter of the path.
    let wild = ["a", "b", "c", "e"]
        .into_iter()
        .fold(site(), |tree, name| tree.file(name, "1"));
    vec![
        told(
            of(
                "fault-trap",
                "A trap in every file; the rest of the report is the same.",
            )
            .module("wat/trap")
            .module("trivy-wordpress"),
        )
        .wharf_says("unreachable"),
        told(
            of("fault-bad-json", "JSON that breaks off.")
                .module("wat/bad-json")
                .module("trivy-secrets"),
        )
        .wharf_says("JSON"),
        told(
            case(
                "fault-wild",
                "Pointers and sizes outside of the memory, and logging from there.",
                folder(wild),
            )
            .module("wat/wild")
            .module("trivy-secrets"),
        )
        .wharf_says("not inside the guest's memory"),
        told(
            of(
                "fault-one-file",
                "A trap in one file only; other files and modules are whole.",
            )
            .module(made("fails").traps_at("^blog/"))
            .module("trivy-wordpress"),
        )
        .wharf_says("blog/wp-includes/version.php"),
        told(
            of("fault-other-api", "A module of another version of the API.")
                .module("wat/wrong-version")
                .module("trivy-secrets"),
        )
        .trivy_says("API version mismatch")
        .wharf_says("version 2 of the module API"),
        ends_trivy(of("fault-no-free", "A module without `free`.").module("wat/no-free"))
            .trivy_says("panic")
            .wharf_says("free"),
        fails_in_trivy(
            of("fault-no-module", "Bytes that are no module.").module(Module::Broken(b"no module")),
        )
        .trivy_says("invalid magic number"),
        fails_in_trivy(
            of("fault-pattern", "A pattern that is none.").module(made("pattern").says_of("(", &json!(null))),
        )
        .trivy_says("missing closing )"),
        fails_in_trivy(
            of("fault-post-scan", "JSON that breaks off after the scan.")
                .module("trivy-secrets")
                .module(made("breaks").replies("[{")),
        )
        .trivy_says("breaks post scan error")
        .wharf_says("breaks"),
        fails_in_trivy(
            of("fault-post-scan-kind", "JSON of another kind after the scan.")
                .module("trivy-secrets")
                .module(made("kind").replies("{}")),
        )
        .trivy_says("kind post scan error")
        .wharf_says("kind"),
    ]
}
