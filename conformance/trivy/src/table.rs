//! Reports as tables.

use serde_json::{Map, Value};

/// The tables of findings by their headings, without the summary before them: its columns are the scanners that there are.
pub(crate) fn findings(text: &str) -> Value {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let summary = lines.iter().position(|line| line.starts_with("- '0': "));
    let findings = summary.map_or(0, |line| line + 1);
    let findings = lines.get(findings..).unwrap_or_default();
    let mut heading = String::new();
    let mut blocks: Map<String, Value> = Map::new();
    for (index, line) in findings.iter().enumerate() {
        let is_heading = findings
            .get(index + 1)
            .is_some_and(|next| next.starts_with("==") && next.trim_matches('=').is_empty());
        if is_heading {
            (*line).clone_into(&mut heading);
        } else if !line.is_empty() && !line.starts_with("==") {
            let block = blocks.entry(&heading).or_insert_with(|| Value::Array(Vec::new()));
            if let Some(lines) = block.as_array_mut() {
                lines.push(Value::from(*line));
            }
        }
    }
    Value::Object(blocks)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_summary_is_left_out() {
        let text = "\nReport Summary\n\n│ x │\nLegend:\n- '-': Not scanned\n- '0': Clean\n\n\na (npm)  \n=======\r\n│ y │\n\n│ z │\n\nb (pip)\n=======\nw\n";
        assert_eq!(
            findings(text),
            json!({"a (npm)": ["│ y │", "│ z │"], "b (pip)": ["w"]})
        );
    }
}
