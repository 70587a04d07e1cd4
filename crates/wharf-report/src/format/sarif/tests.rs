use expect_test::expect_file;

use super::{SarifOptions, Tool, sarif};
use crate::Report;

fn trivy() -> SarifOptions {
    SarifOptions {
        root: None,
        tool: Tool {
            name: "Trivy".to_owned(),
            full_name: "Trivy Vulnerability Scanner".to_owned(),
            version: "0.76.0".to_owned(),
            information_uri: "https://github.com/aquasecurity/trivy".to_owned(),
        },
    }
}

#[test]
fn a_document_is_that_of_trivy() {
    let report =
        Report::from_json(include_bytes!("../../../tests/data/formats/findings.json")).unwrap();
    let text = String::from_utf8(sarif(&report, &[], &trivy())).unwrap();
    expect_file!["../../../tests/data/formats/findings.sarif"].assert_eq(&text);
}
