//! Reports in JSON.

use std::cmp::Ordering;

use serde_json::Value;

use crate::difference::{Difference, texts, values};

/// What is of the run and not of the target.
const VOLATILE: [&str; 3] = ["Trivy", "ReportID", "CreatedAt"];

/// Where two reports differ.
pub(crate) fn differences(trivy: &Value, wharf: &Value) -> Vec<Difference> {
    let orders = [trivy, wharf].map(|report| order(report).join("\n"));
    let mut found: Vec<Difference> = texts("order", &orders[0], &orders[1]).into_iter().collect();
    found.extend(values("report", &normal(trivy), &normal(wharf)));
    found
}

/// A report without what differs from run to run, its results and custom resources in one order.
fn normal(report: &Value) -> Value {
    let mut report = without_licenses_of_bills(report);
    if let Some(fields) = report.as_object_mut() {
        fields.retain(|key, _| !VOLATILE.contains(&key.as_str()));
    }
    if let Some(results) = report.get_mut("Results").and_then(Value::as_array_mut) {
        for result in results.iter_mut() {
            if let Some(resources) = result.get_mut("CustomResources").and_then(Value::as_array_mut) {
                resources.sort_by(|left, right| by(&["FilePath", "Type"], left, right));
            }
        }
        results.sort_by(|left, right| by(&["Class", "Type", "Target"], left, right));
    }
    report
}

/// Trivy is asked for its scanner of licences where the target is a bill, since it must be asked for some scanner. What that finds
/// is not of the bill.
fn without_licenses_of_bills(report: &Value) -> Value {
    let mut report = report.clone();
    let is_bill = ["cyclonedx", "spdx"]
        .map(Value::from)
        .contains(&report["ArtifactType"]);
    if let Some(results) = report.get_mut("Results").and_then(Value::as_array_mut) {
        results.retain(|result| !is_bill || result["Class"] != "license");
    }
    report
}

/// The results in the order in which they stand. Trivy gives custom resources in no order, and so those results that modules
/// make from them: what comes behind them is left out.
fn order(report: &Value) -> Vec<String> {
    let report = without_licenses_of_bills(report);
    let results = report.get("Results").and_then(Value::as_array);
    let mut order = Vec::new();
    for result in results.into_iter().flatten() {
        let text = |key: &str| result.get(key).and_then(Value::as_str).unwrap_or("-");
        order.push(format!("{} {} {}", text("Class"), text("Type"), text("Target")));
        if text("Class") == "custom" {
            break;
        }
    }
    order
}

fn by(keys: &[&str], left: &Value, right: &Value) -> Ordering {
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or("").to_owned();
    let orders = keys.iter().map(|key| text(left, key).cmp(&text(right, key)));
    orders.fold(Ordering::Equal, Ordering::then)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_order_counts_up_to_the_custom_resources() {
        let report = |targets: [&str; 3]| {
            json!({"Results": [
                {"Target": targets[0], "Class": "secret"},
                {"Target": "", "Class": "custom", "CustomResources": [
                    {"FilePath": targets[1], "Type": "t"}, {"FilePath": targets[2], "Type": "t"}]},
                {"Target": targets[1], "Class": "lang-pkgs"}, {"Target": targets[2], "Class": "lang-pkgs"},
            ]})
        };
        assert!(differences(&report(["s", "a", "b"]), &report(["s", "b", "a"])).is_empty());
        assert_eq!(
            differences(&report(["s", "a", "b"]), &report(["z", "a", "b"])).len(),
            2
        );
        let turned =
            json!({"Results": [{"Target": "b", "Class": "secret"}, {"Target": "a", "Class": "secret"}]});
        let right =
            json!({"Results": [{"Target": "a", "Class": "secret"}, {"Target": "b", "Class": "secret"}]});
        let found = differences(&turned, &right);
        assert_eq!(found[0].what, "order");
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn when_and_by_what_a_report_was_made_does_not_count() {
        let trivy =
            json!({"CreatedAt": "1", "ReportID": "2", "Trivy": {"Version": "0.76.0"}, "ArtifactName": "x"});
        assert!(differences(&trivy, &json!({"ArtifactName": "x"})).is_empty());
        assert_eq!(differences(&trivy, &json!({})).len(), 1);
    }
}
