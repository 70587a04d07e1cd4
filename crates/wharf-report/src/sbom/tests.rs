use super::{SbomContext, read, to_cyclonedx, to_spdx_json};
use crate::{Report, Timestamp};

/// A report, and what `trivy convert` of Trivy 0.76.0 makes of it.
const IMAGE: (&str, &str, &str) = (
    include_str!("../../tests/data/sbom/image.json"),
    include_str!("../../tests/data/sbom/image.cdx.json"),
    include_str!("../../tests/data/sbom/image.spdx.json"),
);
const FILESYSTEM: (&str, &str, &str) = (
    include_str!("../../tests/data/sbom/filesystem.json"),
    include_str!("../../tests/data/sbom/filesystem.cdx.json"),
    include_str!("../../tests/data/sbom/filesystem.spdx.json"),
);

fn context(created: &str) -> SbomContext {
    SbomContext {
        tool_version: "0.76.0".to_owned(),
        created: Some(Timestamp::parse(created).unwrap()),
    }
}

fn report(text: &str) -> Report {
    Report::from_json(text.as_bytes()).unwrap()
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

/// The UUIDs of a text, in the order in which they are first there.
fn uuids(text: &str) -> Vec<String> {
    let is_uuid = |candidate: &str| {
        candidate.len() == 36
            && candidate.char_indices().all(|(at, character)| match at {
                8 | 13 | 18 | 23 => character == '-',
                _ => character.is_ascii_hexdigit(),
            })
    };
    let mut found: Vec<String> = Vec::new();
    for at in 0..=text.len().saturating_sub(36) {
        let candidate = text.get(at..at + 36).filter(|candidate| is_uuid(candidate));
        if let Some(uuid) = candidate.filter(|uuid| !found.iter().any(|known| known == uuid)) {
            found.push(uuid.to_owned());
        }
    }
    found
}

/// The document with what a component is in place of its UUID, and all lists sorted, so that documents whose UUIDs are
/// others can be compared.
fn without_uuids(document: &str) -> serde_json::Value {
    let value: serde_json::Value = serde_json::from_str(document).unwrap();
    let mut text = document.to_owned();
    for component in value["components"].as_array().into_iter().flatten() {
        let reference = component["bom-ref"].as_str().unwrap();
        if uuids(reference).is_empty() {
            continue;
        }
        let name = format!("{} {}", component["name"], component["properties"]);
        text = text.replace(reference, &name.replace('"', "'"));
    }
    for (index, uuid) in uuids(&text).into_iter().enumerate() {
        text = text.replace(&uuid, &format!("uuid-{index}"));
    }
    sorted(serde_json::from_str(&text).unwrap())
}

fn sorted(value: serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::Array(values) => {
            let mut values: Vec<_> = values.into_iter().map(sorted).collect();
            values.sort_by_key(ToString::to_string);
            values.into()
        }
        serde_json::Value::Object(fields) => fields
            .into_iter()
            // Trivy writes `null` where none of the numbers can be read, which the schema does not allow.
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key, sorted(value)))
            .collect(),
        other => other,
    }
}

fn moment_of(document: &str, key: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(document).unwrap();
    let moment = value.pointer(key).unwrap().as_str().unwrap();
    moment.replace("+00:00", "Z")
}

/// Shows the first line that is another one.
fn assert_same(written: &str, wanted: &str) {
    let mut lines = written.lines().zip(wanted.lines()).enumerate();
    if let Some((line, (written, wanted))) = lines.find(|(_, (written, wanted))| written != wanted) {
        panic!("line {line}\nwritten {written}\nwanted  {wanted}");
    }
    assert_eq!(written.len(), wanted.len());
}

#[test]
fn cyclonedx_is_what_trivy_writes() {
    for (given, wanted, _) in [IMAGE, FILESYSTEM] {
        let created = moment_of(wanted, "/metadata/timestamp");
        let written = text(to_cyclonedx(&report(given), &context(&created)));
        assert_same(
            &without_uuids(&written).to_string().replace("},{", "},\n{"),
            &without_uuids(wanted).to_string().replace("},{", "},\n{"),
        );
        // With the UUIDs of the one put in, the order of keys and the spaces are the same as well.
        let lines = |text: &str| {
            let mut lines: Vec<String> = text
                .lines()
                .map(|line| line.trim_end_matches(',').to_owned())
                .filter(|line| uuids(line).is_empty() && !line.ends_with("\"cwes\": null"))
                .collect();
            lines.sort();
            lines
        };
        assert_same(&lines(&written).join("\n"), &lines(wanted).join("\n"));
        assert_eq!(written.ends_with("}\n"), wanted.ends_with("}\n"));
    }
}

#[test]
fn spdx_is_what_trivy_writes() {
    for (given, _, wanted) in [IMAGE, FILESYSTEM] {
        let created = moment_of(wanted, "/creationInfo/created");
        let written = text(to_spdx_json(&report(given), &context(&created)));
        let namespace = |text: &str| uuids(text).into_iter().next().unwrap();
        let wanted = wanted.replace(&namespace(wanted), &namespace(&written));
        assert_same(&written, &wanted);
    }
}

#[test]
fn documents_are_the_same_in_each_run_and_others_for_other_content() {
    let mut image = report(IMAGE.0);
    let context = SbomContext {
        tool_version: "1".to_owned(),
        created: None,
    };
    let first = (to_cyclonedx(&image, &context), to_spdx_json(&image, &context));
    assert_eq!(
        first,
        (to_cyclonedx(&image, &context), to_spdx_json(&image, &context))
    );
    let (cyclonedx, spdx) = (text(first.0), text(first.1));
    assert!(!cyclonedx.contains("timestamp"));
    assert!(spdx.contains("\"created\": \"1970-01-01T00:00:00Z\""));
    image.results[0].packages[0].name.push('2');
    assert_ne!(
        uuids(&cyclonedx)[0],
        uuids(&text(to_cyclonedx(&image, &context)))[0]
    );
    assert_ne!(uuids(&spdx)[0], uuids(&text(to_spdx_json(&image, &context)))[0]);
}

/// The results of packages that `trivy sbom` of Trivy 0.76.0 has for the documents above.
#[test]
fn documents_are_read_as_trivy_reads_them() {
    for (document, name, wanted) in [
        (
            IMAGE.1,
            "image.cdx.json",
            include_str!("../../tests/data/sbom/image.cdx.report.json"),
        ),
        (
            IMAGE.2,
            "image.spdx.json",
            include_str!("../../tests/data/sbom/image.spdx.report.json"),
        ),
    ] {
        let sbom = read(document.as_bytes()).unwrap();
        let written = sbom.report(name);
        let mut wanted = report(wanted);
        wanted.results.retain(|result| result.class != "license");
        wanted.trivy = written.trivy.clone();
        wanted.report_id.clear();
        wanted.created_at = None;
        assert_same(&text(written.to_json()), &text(wanted.to_json()));
    }
}

fn packages(report: &Report) -> Vec<(String, Vec<crate::Package>)> {
    let results = report.results.iter();
    results
        .filter(|result| !result.packages.is_empty())
        .map(|result| {
            (
                format!("{} {}", result.class, result.kind),
                result.packages.clone(),
            )
        })
        .collect()
}

/// What is written and read is written and read again without a change.
#[test]
fn what_is_read_and_written_stays_the_same() {
    for (given, _, _) in [IMAGE, FILESYSTEM] {
        let context = context("2026-01-02T03:04:05Z");
        let cyclonedx = |report: &Report| read(&to_cyclonedx(report, &context)).unwrap().report("x");
        let first = cyclonedx(&report(given));
        // The text of a license is a name once it was read, as with Trivy, and written as one.
        let second = cyclonedx(&first);
        let pairs = packages(&cyclonedx(&second)).into_iter().zip(packages(&second));
        for ((result, again), (wanted, packages)) in pairs {
            assert_eq!(result, wanted);
            for (again, package) in again.into_iter().zip(packages) {
                assert_eq!(again, package);
            }
        }
        let names = |report: &Report| -> Vec<(String, String, String)> {
            let packages = report.results.iter().flat_map(|result| &result.packages);
            let mut names: Vec<_> = packages
                .filter(|package| !package.identifier.purl.is_empty())
                .map(|package| {
                    (
                        package.name.clone(),
                        package.identifier.purl.clone(),
                        package.file_path.clone(),
                    )
                })
                .collect();
            names.sort();
            names
        };
        assert_eq!(names(&first), names(&report(given)));
    }
}

fn cyclonedx(rest: &str) -> String {
    format!(r#"{{"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, {rest}}}"#)
}

#[test]
fn third_party_documents_are_read() {
    let document = cyclonedx(
        r#""metadata": {"component": {"bom-ref": "root", "type": "application", "name": "app"}},
        "components": [
            {"bom-ref": "os", "type": "operating-system", "name": "alpine", "version": "3.20"},
            {"bom-ref": "a", "type": "library", "name": "musl", "version": "1.2-r1", "purl": "pkg:apk/alpine/musl@1.2-r1?arch=x86_64"},
            {"bom-ref": "b", "type": "framework", "name": "a", "group": "@s", "version": "1", "purl": "pkg:npm/%40s/a@1",
             "licenses": [{"license": {"id": "GPL-2.0"}}, {"expression": "MIT"}], "hashes": [{"alg": "SHA-1", "content": "00"}]},
            {"bom-ref": "c", "type": "library", "name": "b", "version": "2", "purl": "pkg:npm/b@2", "components": [{}]},
            {"bom-ref": "c", "type": "library", "name": "b", "version": "3", "purl": "pkg:npm/b@3"},
            {"bom-ref": "d", "type": "library", "name": "no url"},
            {"bom-ref": "e", "type": "library", "name": "bad url", "purl": "npm/x"},
            {"bom-ref": "f", "type": "library", "name": "odd", "purl": "pkg:generic/odd@1"},
            {"type": "library", "name": "no-ref", "version": "1", "purl": "pkg:pypi/no-ref@1"},
            {"bom-ref": "g", "type": "data", "name": "data"}],
        "dependencies": [{"ref": "b", "dependsOn": ["c", "gone"]}, {"ref": "c", "dependsOn": ["b"]}, {"ref": "lost"}]"#,
    );
    let sbom = read(document.as_bytes()).unwrap();
    let report = sbom.report("x.json");
    let told: Vec<_> = report
        .results
        .iter()
        .map(|result| {
            let ids = result.packages.iter().map(|package| package.id.as_str());
            (
                result.target.as_str(),
                result.kind.as_str(),
                ids.collect::<Vec<_>>(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("x.json (alpine 3.20)", "alpine", vec!["musl@1.2-r1"]),
            ("Node.js", "node-pkg", vec!["@s/a@1", "b@2", "b@3"]),
            ("Python", "python-pkg", vec!["no-ref@1"]),
        ]
    );
    let first = &report.results[1].packages[0];
    assert_eq!(first.licenses, ["GPL-2.0-only", "MIT"]);
    assert_eq!(first.depends_on, ["b@3"]);
    assert_eq!(first.digest, "sha1:00");
    assert_eq!(
        report.results[2].packages[0].identifier.bom_ref,
        "pkg:pypi/no-ref@1"
    );
    assert_eq!(report.results[0].packages[0].source_name, "musl");
    let warnings: Vec<String> = sbom.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "several components have the reference c; relations to it go to the last",
            "a component is passed over: \"npm/x\" is no package URL: it does not begin with `pkg:`",
            "2 relations to components that are not there are passed over, such as gone",
            "1 components within others are passed over",
            "3 components are passed over that have no package URL of a known type, such as data",
        ]
    );
}

#[test]
fn other_formats_are_told_by_name() {
    let error = |text: &str| read(text.as_bytes()).unwrap_err().to_string();
    for (text, told) in [
        ("", "EOF while parsing a value"),
        (
            "{}",
            "it is neither CycloneDX (`bomFormat`) nor SPDX (`SPDXID`) in JSON",
        ),
        (
            "<?xml version=\"1.0\"?><bom xmlns=\"http://cyclonedx.org/schema/bom/1.4\"/>",
            "it is CycloneDX in XML, which is not read",
        ),
        ("<html/>", "it is XML, which is not read"),
        (
            "SPDXVersion: SPDX-2.3\n",
            "it is SPDX as tags and values, which is not read",
        ),
        (&cyclonedx("\"components\": 1"), "components: invalid type"),
        (
            &cyclonedx(
                r#""components": [{"type": "library", "name": "a", "purl": "pkg:deb/debian/a@1"},
                    {"type": "library", "name": "b", "purl": "pkg:rpm/redhat/b@1"}]"#,
            ),
            "it has packages of several operating systems (deb, rpm)",
        ),
        (
            r#"{"payloadType": "x", "payload": "!"}"#,
            "it is an attestation, but its payload",
        ),
        (
            r#"{"payload": "e30="}"#,
            "it is an attestation, but what it attests",
        ),
    ] {
        let error = error(text);
        assert!(error.starts_with(told), "{error}");
    }
    // Values within values have an end.
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    let nested = cyclonedx(&format!(r#""components": [{{"components": {deep}}}]"#));
    assert!(error(&nested).contains("recursion limit"), "{}", error(&nested));
    assert!(error(&deep).contains("recursion limit") || error(&deep).contains("invalid type"));
}

#[test]
fn attestations_are_opened() {
    use base64::Engine as _;
    let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let document = cyclonedx(
        r#""components": [{"type": "library", "name": "a", "version": "1", "purl": "pkg:npm/a@1"}]"#,
    );
    let plain = format!(r#"{{"predicateType": "https://cyclonedx.org/bom", "predicate": {document}}}"#);
    let cosign = format!(
        r#"{{"predicateType": "https://cyclonedx.org/schema", "predicate": {{"Data": {document}}}}}"#
    );
    for attestation in [
        format!(r#"{{"payload": "{}", "signatures": []}}"#, encode(&plain)),
        format!(
            "{{\"payload\": \"{}\"}}\n{{\"payload\": \"\"}}\n",
            encode(&cosign)
        ),
        format!(
            r#"{{"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json", "dsseEnvelope": {{"payload": "{}"}}}}"#,
            encode(&plain)
        ),
    ] {
        let sbom = read(attestation.as_bytes()).unwrap();
        assert_eq!(sbom.applications[0].packages[0].id, "a@1");
    }
}

/// Long chains and circles of dependencies are walked in one go.
#[test]
fn deep_and_circular_dependencies_end() {
    let count = 5_000;
    let components: Vec<String> = (0..count)
        .map(|n| format!(r#"{{"bom-ref": "{n}", "type": "library", "name": "p{n}", "version": "1", "purl": "pkg:npm/p{n}@1"}}"#))
        .chain([r#"{"bom-ref": "app", "type": "application", "name": "lock", "properties": [{"name": "aquasecurity:trivy:Type", "value": "npm"}]}"#.to_owned()])
        .collect();
    let dependencies: Vec<String> = (0..count)
        .map(|n| format!(r#"{{"ref": "{n}", "dependsOn": ["{}", "{n}"]}}"#, (n + 1) % count))
        .chain([r#"{"ref": "app", "dependsOn": ["0"]}"#.to_owned()])
        .collect();
    let document = cyclonedx(&format!(
        r#""components": [{}], "dependencies": [{}]"#,
        components.join(","),
        dependencies.join(",")
    ));
    let mut report = read(document.as_bytes()).unwrap().report("x");
    assert_eq!(report.results.len(), 1);
    assert_eq!(report.results[0].target, "lock");
    assert_eq!(report.results[0].packages.len(), count);
    to_cyclonedx(&report, &context("2026-01-02T03:04:05Z"));
    // A statement on another package makes a walk up the whole circle.
    let identifier = report.results[0].packages[0].identifier.clone();
    let vulnerability = crate::DetectedVulnerability {
        vulnerability_id: "CVE-1".to_owned(),
        package_identifier: identifier,
        ..Default::default()
    };
    report.results[0].vulnerabilities.push(vulnerability);
    let vex = r#"{"@context": "https://openvex.dev/ns/v0.2.0", "statements":
        [{"vulnerability": {"name": "CVE-1"}, "products": [{"@id": "pkg:npm/other"}], "status": "fixed"}]}"#;
    let filter = crate::filter::Filter {
        vex: vec![crate::filter::VexDocument::parse("v", vex.as_bytes()).unwrap()],
        ..Default::default()
    };
    filter.apply(&mut report);
    assert_eq!(report.results[0].vulnerabilities.len(), 1);
}

/// Whatever stands in a document: an error or packages, and no panic.
#[test]
fn hostile_documents_never_panic() {
    let mut state = 11_u64;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(state >> 33).unwrap() % below
    };
    let documents = [IMAGE.1, IMAGE.2, FILESYSTEM.1, FILESYSTEM.2];
    let pieces = [
        "null", "[]", "{}", "1", "-", "\"\"", "pkg:", "%", "\\ud800", "\u{0}", "\"Type\"", "@",
    ];
    let mut good = 0;
    for _ in 0..400 {
        let mut bytes = documents[next(documents.len())].to_owned().into_bytes();
        for _ in 0..=next(4) {
            let (at, piece) = (next(bytes.len()), pieces[next(pieces.len())]);
            let end = (at + next(12)).min(bytes.len());
            bytes.splice(at..end, piece.bytes());
        }
        if let Ok(sbom) = read(&bytes) {
            good += 1;
            let report = sbom.report("x");
            to_spdx_json(&report, &context("2026-01-02T03:04:05Z"));
            read(&to_cyclonedx(&report, &context("2026-01-02T03:04:05Z"))).unwrap();
        }
    }
    assert!(good > 20, "{good} documents could be read");
}
