//! What two scanners made of the same case, and where they differ.

use serde_json::Value;

use crate::case::Form;
use crate::difference::{Difference, texts, values};
use crate::scanner::Answer;
use crate::{bill, report, sarif, table};

/// Where two answers differ.
pub(crate) fn answers(form: Form, trivy: &Answer, wharf: &Answer) -> Vec<Difference> {
    let mut found: Vec<Difference> = texts("exit", &trivy.exit, &wharf.exit).into_iter().collect();
    if trivy.output.trim().is_empty() || wharf.output.trim().is_empty() {
        found.extend(texts("report", &shown(trivy), &shown(wharf)));
        return found;
    }
    match form {
        Form::Json => found.extend(parsed(trivy, wharf, report::differences)),
        Form::Sarif => found.extend(parsed(trivy, wharf, |trivy, wharf| {
            values("sarif", &sarif::normal(trivy), &sarif::normal(wharf))
        })),
        Form::CycloneDx => found.extend(parsed(trivy, wharf, |trivy, wharf| {
            values("bom", &bill::cyclonedx(trivy), &bill::cyclonedx(wharf))
        })),
        Form::Spdx => found.extend(parsed(trivy, wharf, |trivy, wharf| {
            values("spdx", &bill::spdx(trivy), &bill::spdx(wharf))
        })),
        Form::Table => found.extend(values(
            "table",
            &table::findings(&trivy.output),
            &table::findings(&wharf.output),
        )),
        Form::Template(_) => found.extend(texts("text", trivy.output.trim(), wharf.output.trim())),
    }
    found
}

/// That there is a report is a difference from that there is none; what it has is not.
fn shown(answer: &Answer) -> String {
    if answer.output.trim().is_empty() {
        return String::new();
    }
    "a report".to_owned()
}

fn parsed(
    trivy: &Answer,
    wharf: &Answer,
    compare: impl FnOnce(&Value, &Value) -> Vec<Difference>,
) -> Vec<Difference> {
    let sides = [trivy, wharf].map(|answer| serde_json::from_str(&answer.output));
    match &sides {
        [Ok(trivy), Ok(wharf)] => compare(trivy, wharf),
        _ => {
            let [trivy, wharf] = sides.map(|side| {
                side.map_or_else(
                    |error: serde_json::Error| error.to_string(),
                    |_| "JSON".to_owned(),
                )
            });
            texts("report", &trivy, &wharf).into_iter().collect()
        }
    }
}
