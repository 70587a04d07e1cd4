//! Reports in SARIF.

use serde_json::{Value, json};

/// The rules and results without what names the tool, each with the rule that its number stands for.
pub(crate) fn normal(report: &Value) -> Value {
    let run = &report["runs"][0];
    let rules = run["tool"]["driver"]["rules"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let mut results = run["results"].as_array().cloned().unwrap_or_default();
    for result in &mut results {
        let index = result["ruleIndex"]
            .as_u64()
            .and_then(|index| usize::try_from(index).ok());
        let rule = index
            .and_then(|index| rules.get(index))
            .map(|rule| rule["id"].clone());
        result["ruleIndex"] = rule.unwrap_or(Value::Null);
    }
    results.sort_by_cached_key(|result| {
        [&result["ruleId"], &result["locations"], &result["message"]].map(Value::to_string)
    });
    let mut rules = rules;
    rules.sort_by_cached_key(|rule| rule["id"].to_string());
    json!({
        "version": report["version"],
        "runs": report["runs"].as_array().map(Vec::len),
        "rules": rules,
        "results": results,
        "columnKind": run["columnKind"],
        "originalUriBaseIds": scrubbed(&run["originalUriBaseIds"]),
        "properties": run["properties"],
    })
}

/// Each scan has its own folder, which stands in the address of its root.
fn scrubbed(addresses: &Value) -> Value {
    let mut addresses = addresses.clone();
    if let Some(uri) = addresses.pointer_mut("/ROOTPATH/uri")
        && let Some(text) = uri.as_str()
    {
        let parts: Vec<&str> = text.rsplit('/').take(2).collect();
        let is_file = text.starts_with("file:///");
        *uri = json!(format!(
            "{}{}",
            if is_file { "file:///…/" } else { "" },
            parts.into_iter().rev().collect::<Vec<_>>().join("/")
        ));
    }
    addresses
}
