//! Bills of materials: CycloneDX and SPDX.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// A bill of CycloneDX with the names of components in the place of their references, which are made up.
pub(crate) fn cyclonedx(bill: &Value) -> Value {
    let root = &bill["metadata"]["component"];
    let components = bill["components"].as_array().cloned().unwrap_or_default();
    let named = |component: &Value| {
        let text = |key: &str| component[key].as_str().unwrap_or_default().to_owned();
        let name = format!("{} {} {}", text("type"), text("name"), text("version"));
        (text("bom-ref"), name.trim_end().to_owned())
    };
    let names: BTreeMap<String, String> = components.iter().chain([root]).map(named).collect();
    let name = |reference: &Value| {
        let reference = reference.as_str().unwrap_or_default();
        names
            .get(reference)
            .cloned()
            .unwrap_or_else(|| format!("unknown {reference}"))
    };
    let edges = bill["dependencies"].as_array().cloned().unwrap_or_default();
    let mut edges: Vec<Value> = edges
        .iter()
        .map(|edge| {
            let to = edge["dependsOn"].as_array().cloned().unwrap_or_default();
            let mut to: Vec<String> = to.iter().map(&name).collect();
            to.sort();
            json!({"from": name(&edge["ref"]), "to": to})
        })
        .collect();
    edges.sort_by_cached_key(|edge| edge["from"].to_string());
    let mut vulnerabilities = bill["vulnerabilities"].as_array().cloned().unwrap_or_default();
    for vulnerability in &mut vulnerabilities {
        for affected in vulnerability["affects"].as_array_mut().into_iter().flatten() {
            affected["ref"] = json!(name(&affected["ref"]));
        }
    }
    vulnerabilities.sort_by_cached_key(|vulnerability| vulnerability["id"].to_string());
    json!({
        "bomFormat": bill["bomFormat"],
        "component": component(root),
        "components": sorted(components.iter().map(component).collect()),
        "dependencies": edges,
        "vulnerabilities": vulnerabilities,
    })
}

/// A component without its reference, and its properties by the last part of their names.
fn component(component: &Value) -> Value {
    let mut component = component.clone();
    if let Some(fields) = component.as_object_mut() {
        fields.remove("bom-ref");
    }
    let properties = component["properties"].as_array().cloned().unwrap_or_default();
    let properties = properties.iter().map(|property| {
        let name = property["name"].as_str().unwrap_or_default();
        let name = name.rsplit(':').next().unwrap_or_default();
        json!({"name": name, "value": property["value"]})
    });
    component["properties"] = json!(sorted(properties.collect()));
    component
}

/// A document of SPDX with the names of packages in the place of their identifiers.
pub(crate) fn spdx(document: &Value) -> Value {
    let packages = document["packages"].as_array().cloned().unwrap_or_default();
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for package in &packages {
        let text = |key: &str| package[key].as_str().unwrap_or_default().to_owned();
        let name = format!("{} {}", text("name"), text("versionInfo"));
        names.insert(text("SPDXID"), name.trim_end().to_owned());
    }
    let name = |id: &Value| {
        let id = id.as_str().unwrap_or_default();
        names.get(id).cloned().unwrap_or_else(|| id.to_owned())
    };
    let relationships = document["relationships"].as_array().cloned().unwrap_or_default();
    let relationships = relationships.iter().map(|relationship| {
        let [from, to] = ["spdxElementId", "relatedSpdxElement"].map(|key| name(&relationship[key]));
        json!({"from": from, "name": relationship["relationshipType"], "to": to})
    });
    json!({
        "spdxVersion": document["spdxVersion"],
        "dataLicense": document["dataLicense"],
        "SPDXID": document["SPDXID"],
        "name": document["name"],
        "packages": sorted(packages.iter().map(package).collect()),
        "relationships": sorted(relationships.collect()),
    })
}

/// A package without its identifier; of the notes on it the texts, which name neither the tool nor the time.
fn package(package: &Value) -> Value {
    let mut package = package.clone();
    let notes = package["annotations"].as_array().cloned().unwrap_or_default();
    let notes = notes.iter().map(|note| note["comment"].clone()).collect();
    if let Some(fields) = package.as_object_mut() {
        fields.remove("SPDXID");
        fields.remove("annotations");
    }
    package["notes"] = json!(sorted(notes));
    package
}

fn sorted(mut values: Vec<Value>) -> Vec<Value> {
    values.sort_by_cached_key(|value| [&value["name"], value].map(Value::to_string));
    values
}
