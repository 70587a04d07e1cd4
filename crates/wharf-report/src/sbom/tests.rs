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
        if let Some(candidate) = text.get(at..at + 36).filter(|candidate| is_uuid(candidate)) {
            if !found.iter().any(|known| known == candidate) {
                found.push(candidate.to_owned());
            }
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
