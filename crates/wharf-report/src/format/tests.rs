use super::{SarifOptions, TableOptions, Template, TemplateOptions, hostile, junit, sarif, table};
use crate::Report;

/// Hashes have another order in each table that is made, so two documents of one process would differ.
#[test]
fn the_same_report_gives_the_same_bytes() {
    let findings = Report::from_json(include_bytes!("../../tests/data/formats/findings.json")).unwrap();
    for report in [findings, hostile::report()] {
        let warnings = hostile::warnings();
        let written = || {
            let options = TableOptions {
                show_suppressed: true,
                ..TableOptions::default()
            };
            let mut documents = vec![
                table(&report, &warnings, &options).into_bytes(),
                junit(&report, &warnings).into_bytes(),
                sarif(&report, &warnings, &SarifOptions::default()),
                report.to_json_with(&warnings),
            ];
            for name in ["@gitlab", "@gitlab-codequality", "@html"] {
                let template = Template::built_in(name).unwrap();
                let text = template.render(&report, &warnings, &TemplateOptions::default());
                documents.push(text.unwrap().into_bytes());
            }
            documents
        };
        let first = written();
        for _ in 0..3 {
            assert_eq!(written(), first);
        }
    }
}
