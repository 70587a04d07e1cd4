//! YAML as JSON values, for `serde` to take apart.

use granit_parser::{Event, Parser, ScalarStyle};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// A list or a mapping that is not at its end.
enum Open {
    List(Vec<Value>),
    Mapping(Map<String, Value>, Option<String>),
}

/// Reads a document that has this form.
///
/// # Errors
/// What is wrong with the text, or what does not fit the form.
pub(crate) fn read<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(parse(text)?).map_err(|error| error.to_string())
}

fn parse(text: &str) -> Result<Value, String> {
    let mut open: Vec<Open> = Vec::new();
    for event in Parser::new_from_str(text) {
        let (event, _) = event.map_err(|error| error.to_string())?;
        let (complete, plain) = match event {
            Event::SequenceStart(..) => {
                open.push(Open::List(Vec::new()));
                continue;
            }
            Event::MappingStart(..) => {
                open.push(Open::Mapping(Map::new(), None));
                continue;
            }
            Event::Scalar(text, style, ..) => (Value::String(text.into_owned()), style == ScalarStyle::Plain),
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open::List(items)) => (Value::Array(items), false),
                Some(Open::Mapping(entries, _)) => (Value::Object(entries), false),
                None => return Err("an end without a beginning".to_owned()),
            },
            _ => continue,
        };
        match (open.last_mut(), complete) {
            (Some(Open::List(items)), item) => items.push(typed(item, plain)),
            (Some(Open::Mapping(_, key @ None)), Value::String(text)) => *key = Some(text),
            (Some(Open::Mapping(entries, key)), value) => {
                let key = key.take().ok_or("a key is not text")?;
                if entries.contains_key(&key) {
                    return Err(format!("`{key}` is there twice"));
                }
                entries.insert(key, typed(value, plain));
            }
            (None, root) => return Ok(root),
        }
    }
    Err("it is empty".to_owned())
}

/// What a scalar without quotes means: a truth value or a whole number where it looks like one.
fn typed(value: Value, plain: bool) -> Value {
    let Value::String(text) = &value else { return value };
    match text.as_str() {
        "true" if plain => Value::Bool(true),
        "false" if plain => Value::Bool(false),
        number if plain => number.parse::<u64>().map_or(value, Value::from),
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_has_no_quotes_is_typed() {
        let value = parse("a: true\nb: 'true'\nc: 12\nd: \"12\"\ne: [x, { f: 1.5 }]").unwrap();
        assert_eq!(
            value,
            json!({"a": true, "b": "true", "c": 12, "d": "12", "e": ["x", {"f": "1.5"}]})
        );
    }

    #[test]
    fn a_key_is_there_once() {
        assert_eq!(parse("a: 1\na: 2").unwrap_err(), "`a` is there twice");
    }
}
