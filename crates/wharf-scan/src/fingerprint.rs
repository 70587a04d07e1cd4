//! What identifies a finding, and a report, from scan to scan.

use sha2::{Digest as _, Sha256};
use wharf_report::{Finding, Report};

/// Gives each vulnerability of a report its fingerprint, also those that were left out and are told of: the same finding of the
/// same artifact has the same one in every scan, and in Trivy's.
pub fn give_fingerprints(report: &mut Report) {
    let artifact = report.artifact_id.clone();
    for result in &mut report.results {
        let target = result.target.clone();
        let left_out =
            result
                .modified_findings
                .iter_mut()
                .filter_map(|modified| match &mut modified.finding {
                    Finding::Vulnerability(found) => Some(&mut **found),
                    _ => None,
                });
        for found in result.vulnerabilities.iter_mut().chain(left_out) {
            let text = format!(
                "{artifact}:{target}:{}:{}",
                found.package_id, found.vulnerability_id
            );
            found.fingerprint = format!("sha256:{}", hex(&Sha256::digest(text)));
        }
    }
}

/// Gives a report its id: a UUID that follows from what is in it, so that the same findings have the same id.
pub fn give_id(report: &mut Report) {
    report.report_id = String::new();
    let digest = Sha256::digest(report.to_json());
    let mut bytes = [0u8; 16];
    bytes.iter_mut().zip(digest).for_each(|(byte, new)| *byte = new);
    // A UUID of version 8 (RFC 9562), whose other bits are the maker's own.
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let text = hex(&bytes);
    let mut id = String::with_capacity(36);
    for (index, character) in text.chars().enumerate() {
        if matches!(index, 8 | 12 | 16 | 20) {
            id.push('-');
        }
        id.push(character);
    }
    report.report_id = id;
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use wharf_report::{DetectedVulnerability, ScanResult};

    use super::*;

    #[test]
    fn a_fingerprint_is_that_of_trivy() {
        let mut report = Report {
            results: vec![ScanResult {
                target: "/blog/wp-includes/version.php".into(),
                vulnerabilities: vec![DetectedVulnerability {
                    vulnerability_id: "EXAMPLE-2026-0001".into(),
                    ..DetectedVulnerability::default()
                }],
                ..ScanResult::default()
            }],
            ..Report::default()
        };
        give_fingerprints(&mut report);
        assert_eq!(
            report.results[0].vulnerabilities[0].fingerprint,
            "sha256:49e51ca2f9e521fac7d39b4c1918645c2fc92888748b3cfa9f197ad518dc721c"
        );
    }

    #[test]
    fn an_id_follows_from_the_report() {
        let mut report = Report::default();
        give_id(&mut report);
        let first = report.report_id.clone();
        assert_eq!(first.len(), 36);
        assert_eq!(&first[14..15], "8");
        give_id(&mut report);
        assert_eq!(report.report_id, first);
        report.artifact_name = "x".into();
        give_id(&mut report);
        assert_ne!(report.report_id, first);
    }
}
