//! The JSON Schema of the file, from the tables.

use serde_json::{Map, Value, json};

use crate::root::ROOT;
use crate::table::{Field, Kind, Presence, Section};

/// The JSON Schema (draft 2020-12) of the configuration file.
///
/// An editor uses it when the file begins with a line such as `# yaml-language-server: $schema=wharf.schema.json`.
/// What it refuses, [`parse`](crate::parse) refuses too, except for a policy that is bad by itself where others may be
/// served without it. What concerns several places, such as names that nobody defines, only the latter sees.
pub fn json_schema() -> Value {
    let mut definitions = Map::new();
    let root = section_schema(&ROOT, false, &mut definitions);
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:wharf:configuration:1",
        "title": "Wharf configuration",
    });
    let parts = schema.as_object_mut().expect("it was written as an object above");
    parts.extend(root.as_object().cloned().unwrap_or_default());
    parts.insert("examples".to_owned(), json!([example()]));
    parts.insert("$defs".to_owned(), Value::Object(definitions));
    schema
}

/// The smallest file that does something.
fn example() -> Value {
    json!({
        "version": 1,
        "proxy": {
            "listeners": [{ "name": "web", "bind": "127.0.0.1:8080", "routes": [{ "upstream": "hello" }] }],
            "upstreams": { "hello": { "respond": { "body": "hello\n" } } },
        },
    })
}

/// A `loose` section may have keys that it does not know.
fn section_schema(section: &'static Section, loose: bool, definitions: &mut Map<String, Value>) -> Value {
    let mut properties = Map::new();
    for field in section.fields {
        properties.insert(field.key.to_owned(), field_schema(field, definitions));
    }
    let required: Vec<&str> = section
        .fields
        .iter()
        .filter(|field| matches!(field.presence, Presence::Required))
        .map(|field| field.key)
        .collect();
    let mut schema = json!({ "type": "object", "description": section.doc, "properties": properties });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    if !loose {
        schema["additionalProperties"] = json!(false);
    }
    schema
}

fn field_schema(field: &'static Field, definitions: &mut Map<String, Value>) -> Value {
    let mut schema = kind_schema(&field.kind, definitions);
    schema["description"] = json!(field.doc);
    match field.presence {
        Presence::Default(default) => schema["default"] = default_value(&field.kind, default),
        Presence::Absent(_) | Presence::Required => {}
    }
    // A key without a value counts as not given, except where it is required.
    let takes_null = matches!(field.kind, Kind::Payload) || field.kind.takes_null();
    if !matches!(field.presence, Presence::Required) && !takes_null {
        return or_null(schema);
    }
    schema
}

/// The schema with `null` allowed beside it.
fn or_null(mut schema: Value) -> Value {
    if let Some(Value::String(one)) = schema.get("type") {
        schema["type"] = json!([one, "null"]);
        if let Some(Value::Array(words)) = schema.get_mut("enum") {
            words.push(Value::Null);
        }
        return schema;
    }
    let mut outer = Map::new();
    for outside in ["description", "default"] {
        if let Some(value) = schema
            .as_object_mut()
            .and_then(|schema| schema.shift_remove(outside))
        {
            outer.insert(outside.to_owned(), value);
        }
    }
    outer.insert("anyOf".to_owned(), json!([schema, { "type": "null" }]));
    Value::Object(outer)
}

fn kind_schema(kind: &'static Kind, definitions: &mut Map<String, Value>) -> Value {
    match kind {
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::Integer { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Kind::Size { .. } => json!({
            "type": "string",
            "pattern": "^[0-9]+ *(B|KiB|MiB|GiB|TiB)$",
            "examples": ["64MiB", "512KiB"],
        }),
        Kind::Duration { .. } => json!({
            "type": "string",
            "pattern": "^[0-9]+(\\.[0-9]+)? *(us|ms|s|m|h)$",
            "examples": ["50ms", "1s"],
        }),
        Kind::Choice(words) => json!({ "type": "string", "enum": words }),
        Kind::Text(rule) => {
            let mut schema = json!({ "type": "string" });
            if !rule.pattern.is_empty() {
                schema["pattern"] = json!(rule.pattern);
                schema["examples"] = json!([rule.example]);
            }
            schema
        }
        Kind::TextOrNumber => json!({ "type": ["string", "number"] }),
        Kind::Payload => json!({}),
        Kind::Null => json!({ "type": "null" }),
        Kind::Section(section) => reference(section, false, definitions),
        Kind::Loose(section) => reference(section, true, definitions),
        Kind::List { item, min } => {
            json!({ "type": "array", "items": kind_schema(item, definitions), "minItems": min })
        }
        Kind::Map { value, .. } => {
            json!({ "type": "object", "additionalProperties": kind_schema(value, definitions) })
        }
        Kind::Either(kinds) => {
            let kinds: Vec<Value> = kinds.iter().map(|kind| kind_schema(kind, definitions)).collect();
            json!({ "oneOf": kinds })
        }
    }
}

/// A reference to the schema of a section, which is put among the definitions.
pub(crate) fn reference(
    section: &'static Section,
    loose: bool,
    definitions: &mut Map<String, Value>,
) -> Value {
    if !definitions.contains_key(section.id) {
        // Kept free first, so that the order is that of the file and not the reverse.
        definitions.insert(section.id.to_owned(), Value::Null);
        let schema = section_schema(section, loose, definitions);
        definitions.insert(section.id.to_owned(), schema);
    }
    json!({ "$ref": format!("#/$defs/{}", section.id) })
}

fn default_value(kind: &Kind, default: &str) -> Value {
    match kind {
        Kind::Bool | Kind::Integer { .. } | Kind::List { .. } => {
            serde_json::from_str(default).expect("such defaults are written as JSON in the tables")
        }
        _ => json!(default),
    }
}
