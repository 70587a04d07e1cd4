//! Bills of materials. Trivy runs no modules over them; Wharf is given none either.

use serde_json::json;

use crate::case::{Case, Target, case};

/// Why JSON of another kind is no error.
const PLAIN: &str = "A file that is no bill is scanned as any other file.";

pub(super) fn cases() -> Vec<Case> {
    let cyclonedx = json!({
        "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
        "metadata": {"component": {"bom-ref": "root", "type": "application", "name": "app"}},
        "components": [
            {"bom-ref": "lock", "type": "application", "name": "app/lock", "properties": [
                {"name": "aquasecurity:trivy:Class", "value": "lang-pkgs"}, {"name": "aquasecurity:trivy:Type", "value": "npm"}]},
            {"bom-ref": "pkg:npm/b@1", "type": "library", "name": "b", "version": "1", "purl": "pkg:npm/b@1", "properties": [
                {"name": "aquasecurity:trivy:PkgID", "value": "b@1"}, {"name": "aquasecurity:trivy:PkgType", "value": "npm"}]},
            {"bom-ref": "pkg:npm/c@1", "type": "library", "name": "c", "version": "1", "purl": "pkg:npm/c@1", "properties": [
                {"name": "aquasecurity:trivy:PkgID", "value": "c@1"}, {"name": "aquasecurity:trivy:PkgType", "value": "npm"}]},
        ],
        "dependencies": [
            {"ref": "root", "dependsOn": ["lock"]}, {"ref": "lock", "dependsOn": ["pkg:npm/c@1"]},
            {"ref": "pkg:npm/c@1", "dependsOn": ["pkg:npm/b@1"]}],
    });
    let strange = json!({
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "metadata": {"component": {"bom-ref": "root", "type": "application", "name": "app"}},
        "components": [
            {"bom-ref": "1", "type": "library", "group": "@scope", "name": "n", "version": "1.0.0", "purl": "pkg:npm/%40scope/n@1.0.0"},
            {"bom-ref": "2", "type": "library", "name": "django", "version": "2.0", "purl": "pkg:pypi/django@2.0"},
            {"bom-ref": "3", "type": "library", "name": "nothing"},
        ],
    });
    let package = |id: &str, name: &str| {
        json!({"name": name, "SPDXID": id, "versionInfo": "1", "licenseDeclared": "MIT", "downloadLocation": "NONE", "filesAnalyzed": false,
               "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": format!("pkg:npm/{name}@1")}]})
    };
    let spdx = json!({
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": "app",
        "documentNamespace": "https://example.com/app", "creationInfo": {"creators": ["Tool: t"], "created": "2026-01-01T00:00:00Z"},
        "packages": [package("SPDXRef-Package-1", "b"), package("SPDXRef-Package-2", "c")],
        "relationships": [
            {"spdxElementId": "SPDXRef-DOCUMENT", "relatedSpdxElement": "SPDXRef-Package-1", "relationshipType": "DESCRIBES"},
            {"spdxElementId": "SPDXRef-Package-2", "relatedSpdxElement": "SPDXRef-Package-1", "relationshipType": "DEPENDS_ON"}],
    });
    vec![
        case(
            "bill-cyclonedx",
            "A bill of CycloneDX as Trivy writes it.",
            Target::Bill("bom.json", cyclonedx.to_string()),
        ),
        case(
            "bill-cyclonedx-plain",
            "A bill of CycloneDX of somebody else.",
            Target::Bill("bom.cdx.json", strange.to_string()),
        )
        .allow("report.Warnings", "What was passed over is told."),
        case(
            "bill-spdx",
            "A document of SPDX.",
            Target::Bill("bom.spdx.json", spdx.to_string()),
        ),
        case(
            "bill-unknown",
            "JSON that is no bill.",
            Target::Bill("bom.json", json!({"a": 1}).to_string()),
        )
        .flags(["--severity", "HIGH"])
        .allow_as("exit", ["1", "0"], PLAIN)
        .allow("report", PLAIN),
    ]
}
