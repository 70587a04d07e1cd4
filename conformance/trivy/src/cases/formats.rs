//! The other formats. What names the tool, the time and made-up references is left out of the comparison.

use serde_json::json;
use wharf_testing::{Image, Layer};

use super::content::{KEY, mixed, site, wordpress};
use crate::case::{Case, Form, Target, case, folder};
use crate::modules::{made, repeater};
use crate::tree::Tree;

pub(super) fn cases() -> Vec<Case> {
    let everything = |name, about, form| {
        case(name, about, folder(Tree::default().file("f", "1")))
            .module(made("inserter").inserts(&mixed()))
            .form(form)
    };
    let packages = json!({
        "OS": {"Family": "alpine", "Name": "3.18.0"},
        "PackageInfos": [{"FilePath": "lib/apk/db/installed", "Packages": [
            {"ID": "musl@1.2.3-r4", "Name": "musl", "Version": "1.2.3-r4", "SrcName": "musl", "SrcVersion": "1.2.3-r4", "Arch": "x86_64"}]}],
        "Applications": [{"Type": "npm", "FilePath": "app/lock", "Packages": [
            {"ID": "b@1", "Name": "b", "Version": "1"}, {"ID": "c@1", "Name": "c", "Version": "1", "DependsOn": ["b@1"]}]}],
    });
    let with_packages = |name, about, form| {
        case(
            name,
            about,
            folder(Tree::default().file("one.analysis", packages.to_string())),
        )
        .module(repeater())
        .form(form)
    };
    let image = Image::default()
        .layer(
            Layer::default()
                .file("a/wp-includes/version.php", &wordpress("5.0"))
                .file("s.txt", &format!("{KEY}\n")),
        )
        .tag("example/app:1");
    let of_image = |name, about, form| {
        case(name, about, Target::Archive(image.clone()))
            .module("trivy-wordpress")
            .module("trivy-secrets")
            .form(form)
    };
    let of_site = |name, about, form| {
        case(name, about, folder(site()))
            .module("trivy-wordpress")
            .module("trivy-secrets")
            .form(form)
    };
    vec![
        everything("sarif", "SARIF with findings of each kind.", Form::Sarif).allow("sarif.rules.helpUri", "The address is that of Trivy's own rules, of which a module's is none."),
        of_site(
            "sarif-site",
            "SARIF with several findings of one rule.",
            Form::Sarif,
        ).allow("sarif.rules.helpUri", "The address is that of Trivy's own rules, of which a module's is none."),
        of_image("sarif-image", "SARIF of an image.", Form::Sarif).allow("sarif.rules.helpUri", "The address is that of Trivy's own rules, of which a module's is none.").allow_as("sarif.properties.repoDigests", ["null", "[]"], "A list of nothing is a list."),
        case(
            "sarif-nothing",
            "SARIF without findings.",
            folder(Tree::default()),
        )
        .form(Form::Sarif),
        with_packages(
            "cyclonedx",
            "CycloneDX with packages of an operating system and of an application.",
            Form::CycloneDx,
        ),
        of_image("cyclonedx-image", "CycloneDX of an image.", Form::CycloneDx),
        with_packages("spdx", "SPDX with the same.", Form::Spdx),
        everything("table", "The same findings stand in the table.", Form::Table),
        of_site("table-site", "The same secrets stand in the table.", Form::Table).allow("table.Custom resources", "Custom resources are counted; Trivy's tables do not show them."),
        everything(
            "template",
            "Templates of two languages that say the same.",
            Form::Template([
                "{{range .}}{{.Class}} {{.Type}} {{escapeXML .Target}}:{{range .Vulnerabilities}} {{.VulnerabilityID}}={{.Severity | lower}}\
                 {{if .FixedVersion}} to {{.FixedVersion}}{{end}} {{endWithPeriod (escapeXML .Title)}}{{end}}\
                 {{range .Misconfigurations}} {{.ID}}={{.Status}} {{.CauseMetadata.StartLine}}{{end}}\
                 {{range .Secrets}} {{.RuleID}} {{.Severity}}{{end}}{{range .Licenses}} {{.Name}}{{end}}
{{end}}",
                "{% for r in results %}{{ r.Class }} {{ r.Type }} {{ r.Target | escapeXML }}:{% for v in r.Vulnerabilities %} {{ v.VulnerabilityID }}={{ v.Severity | lower }}\
                 {% if v.FixedVersion %} to {{ v.FixedVersion }}{% endif %} {{ v.Title | escapeXML | endWithPeriod }}{% endfor %}\
                 {% for m in r.Misconfigurations %} {{ m.ID }}={{ m.Status }} {{ m.CauseMetadata.StartLine }}{% endfor %}\
                 {% for s in r.Secrets %} {{ s.RuleID }} {{ s.Severity }}{% endfor %}{% for l in r.Licenses %} {{ l.Name }}{% endfor %}
{% endfor %}",
            ]),
        ),
    ]
}
