//! JSON Patch (RFC 6902) on any value of Rego: an operation reaches into sets too, and its path may be an array of keys.
//!
//! Operations see what those before them did. OPA 1.4 gets that wrong where an element of an array was removed and the one
//! that took its place is looked at again.

use super::{Builtin, Context, Failure, Operand, Outcome};
use crate::opa::value::Value;

pub(super) const TABLE: &[Builtin] = &[Builtin {
    name: "json.patch",
    arity: 2,
    run: patch,
}];

/// How deep a value may become by values that are put into each other.
const DEEPEST: usize = 500;

/// The most bytes that `copy` may add to a document.
const MOST_COPIED: usize = super::MOST_TEXT;

/// Applies operations one after the other. Where one of them does not fit, OPA gives nothing.
fn patch(context: &mut Context, arguments: &[Value]) -> Outcome {
    // Taking the whole document away leaves nothing to work on, until another is put there.
    let mut document = Some(arguments[0].clone());
    let mut copied = 0;
    for operation in arguments[1].as_array()? {
        context.look()?;
        apply(context, &mut document, operation, &mut copied)?;
    }
    document.ok_or(Failure::Undefined)
}

fn apply(
    context: &mut Context,
    document: &mut Option<Value>,
    operation: &Value,
    copied: &mut usize,
) -> Result<(), Failure> {
    let field = |name| operation.field(name).ok_or(Failure::Undefined);
    let name = field("op")?.as_str()?;
    let path = Path::of(field("path")?)?;
    match name {
        "add" => insert(context, document, &path, field("value")?.clone()),
        "remove" => remove(context, document, &path).map(|_| ()),
        "replace" => {
            let value = field("value")?.clone();
            remove(context, document, &path)?;
            insert(context, document, &path, value)
        }
        "move" => {
            let from = Path::of(field("from")?)?;
            let value = remove(context, document, &from)?;
            insert(context, document, &path, value)
        }
        "copy" => {
            let from = Path::of(field("from")?)?;
            let value = find(context, document, &from)?.clone();
            *copied += value.to_term().len();
            if *copied > MOST_COPIED {
                return Err(Failure::Limit("json.patch copies more than 2MiB"));
            }
            insert(context, document, &path, value)
        }
        "test" => match find(context, document, &path)? == field("value")? {
            true => Ok(()),
            false => Err(Failure::Undefined),
        },
        _ => Err(Failure::Undefined),
    }
}

/// The keys that lead to a place.
struct Path(Vec<Value>);

impl Path {
    /// A JSON Pointer, with or without the slashes at its beginning, or an array of keys.
    fn of(value: &Value) -> Result<Self, Failure> {
        let keys = match value {
            Value::String(pointer) if pointer.is_empty() => Vec::new(),
            Value::String(pointer) => {
                let parts = pointer.trim_start_matches('/').split('/');
                parts
                    .map(|part| Value::String(part.replace("~1", "/").replace("~0", "~")))
                    .collect()
            }
            Value::Array(keys) => keys.clone(),
            _ => return Err(Failure::Undefined),
        };
        if keys.len() > DEEPEST {
            return Err(Failure::Limit("a path of json.patch has more than 500 keys"));
        }
        Ok(Self(keys))
    }
}

/// The place of an element in an array: a number, or its digits, or `-` for behind the last.
fn index(key: &Value, length: usize) -> Result<usize, Failure> {
    let index = match key {
        Value::Number(number) => number.as_i64(),
        Value::String(text) if text == "-" => return Ok(length),
        Value::String(text) if text != "0" && text.starts_with('0') => None,
        Value::String(text) => text.parse::<i64>().ok(),
        _ => None,
    };
    index
        .and_then(|index| usize::try_from(index).ok())
        .ok_or(Failure::Undefined)
}

fn find<'a>(context: &mut Context, document: &'a Option<Value>, path: &Path) -> Result<&'a Value, Failure> {
    let mut place = document.as_ref().ok_or(Failure::Undefined)?;
    for key in &path.0 {
        context.step()?;
        place = match place {
            Value::Object(object) => object.get(key),
            Value::Array(elements) => elements.get(index(key, elements.len())?),
            Value::Set(set) => set.get(key),
            _ => None,
        }
        .ok_or(Failure::Undefined)?;
    }
    Ok(place)
}

/// Does something to the value that holds the place at the end of `path`. The elements of a set are known by what they
/// are, so one that is reached into is taken out and put back changed.
fn change<R>(
    place: &mut Value,
    path: &[Value],
    action: &mut dyn FnMut(&mut Value, &Value) -> Result<R, Failure>,
) -> Result<R, Failure> {
    let (key, rest) = path.split_first().ok_or(Failure::Undefined)?;
    if rest.is_empty() {
        return action(place, key);
    }
    match place {
        Value::Object(object) => {
            let inner = object.get_mut(key).ok_or(Failure::Undefined)?;
            change(inner, rest, action)
        }
        Value::Array(elements) => {
            let at = index(key, elements.len())?;
            let inner = elements.get_mut(at).ok_or(Failure::Undefined)?;
            change(inner, rest, action)
        }
        Value::Set(set) => {
            let mut inner = set.take(key).ok_or(Failure::Undefined)?;
            let result = change(&mut inner, rest, action)?;
            set.insert(inner);
            Ok(result)
        }
        _ => Err(Failure::Undefined),
    }
}

fn insert(
    context: &mut Context,
    document: &mut Option<Value>,
    path: &Path,
    value: Value,
) -> Result<(), Failure> {
    context.step()?;
    if path.0.is_empty() {
        *document = Some(value);
        return Ok(());
    }
    if path.0.len() + depth(&value) > DEEPEST {
        return Err(Failure::Limit("json.patch nests values more than 500 deep"));
    }
    let document = document.as_mut().ok_or(Failure::Undefined)?;
    let mut value = Some(value);
    change(document, &path.0, &mut |place, key| {
        let value = value.take().ok_or(Failure::Undefined)?;
        match place {
            Value::Object(object) => object.insert(key.clone(), value),
            Value::Array(elements) => {
                let at = index(key, elements.len())?;
                if at > elements.len() {
                    return Err(Failure::Undefined);
                }
                elements.insert(at, value);
            }
            Value::Set(set) if *key == value => set.insert(value),
            _ => return Err(Failure::Undefined),
        }
        Ok(())
    })
}

fn remove(context: &mut Context, document: &mut Option<Value>, path: &Path) -> Outcome {
    context.step()?;
    if path.0.is_empty() {
        return document.take().ok_or(Failure::Undefined);
    }
    let document = document.as_mut().ok_or(Failure::Undefined)?;
    change(document, &path.0, &mut |place, key| {
        match place {
            Value::Object(object) => object.remove(key),
            Value::Set(set) => set.take(key),
            Value::Array(elements) => {
                let at = index(key, elements.len())?;
                (at < elements.len()).then(|| elements.remove(at))
            }
            _ => None,
        }
        .ok_or(Failure::Undefined)
    })
}

/// How deep a value is nested.
fn depth(value: &Value) -> usize {
    let deepest = |values: &mut dyn Iterator<Item = &Value>| 1 + values.map(depth).max().unwrap_or(0);
    match value {
        Value::Array(elements) => deepest(&mut elements.iter()),
        Value::Set(elements) => deepest(&mut elements.iter()),
        Value::Object(object) => deepest(&mut object.iter().flat_map(|(key, value)| [key, value])),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{call, check};
    use super::*;

    fn check_patch(document: &str, operations: &str, expected: &str) {
        check(&[("json.patch", &format!("[{document}, {operations}]"), expected)]);
    }

    #[test]
    fn each_operation_does_what_the_rfc_says() {
        for (operations, expected) in [
            (
                r#"[{"op":"add","path":"/a/1","value":9}]"#,
                r#"{"a":[1,9,2],"b":{"c":3}}"#,
            ),
            (
                r#"[{"op":"add","path":"/a/-","value":9}]"#,
                r#"{"a":[1,2,9],"b":{"c":3}}"#,
            ),
            (
                r#"[{"op":"add","path":"x","value":9}]"#,
                r#"{"a":[1,2],"b":{"c":3},"x":9}"#,
            ),
            (
                r#"[{"op":"add","path":"/b/c","value":9}]"#,
                r#"{"a":[1,2],"b":{"c":9}}"#,
            ),
            (
                r#"[{"op":"add","path":["b","d~1"],"value":9}]"#,
                r#"{"a":[1,2],"b":{"c":3,"d~1":9}}"#,
            ),
            (
                r#"[{"op":"add","path":"/b/d~1~0","value":9}]"#,
                r#"{"a":[1,2],"b":{"c":3,"d/~":9}}"#,
            ),
            (r#"[{"op":"add","path":"","value":9}]"#, "9"),
            (r#"[{"op":"remove","path":"/a/0"}]"#, r#"{"a":[2],"b":{"c":3}}"#),
            (r#"[{"op":"remove","path":"/b"}]"#, r#"{"a":[1,2]}"#),
            (
                r#"[{"op":"replace","path":"/a/1","value":[]}]"#,
                r#"{"a":[1,[]],"b":{"c":3}}"#,
            ),
            (r#"[{"op":"replace","path":"","value":5}]"#, "5"),
            (
                r#"[{"op":"move","from":"/b/c","path":"/a/0"}]"#,
                r#"{"a":[3,1,2],"b":{}}"#,
            ),
            (
                r#"[{"op":"copy","from":"/b","path":"/a/2"}]"#,
                r#"{"a":[1,2,{"c":3}],"b":{"c":3}}"#,
            ),
            (
                r#"[{"op":"test","path":"/a","value":[1,2.0]}]"#,
                r#"{"a":[1,2],"b":{"c":3}}"#,
            ),
            (r#"[]"#, r#"{"a":[1,2],"b":{"c":3}}"#),
        ] {
            check_patch(r#"{"a":[1,2],"b":{"c":3}}"#, operations, expected);
        }
    }

    #[test]
    fn what_does_not_fit_gives_nothing() {
        for operations in [
            r#"[{"op":"add","path":"/a/3","value":9}]"#,
            r#"[{"op":"add","path":"/a/01","value":9}]"#,
            r#"[{"op":"add","path":"/a/-1","value":9}]"#,
            r#"[{"op":"add","path":"/x/y","value":9}]"#,
            r#"[{"op":"add","path":"/a/0/x","value":9}]"#,
            r#"[{"op":"add","path":"/a"}]"#,
            r#"[{"op":"add","path":{"a"},"value":9}]"#,
            r#"[{"op":"remove","path":"/x"}]"#,
            r#"[{"op":"remove","path":"/a/-"}]"#,
            r#"[{"op":"remove","path":""}]"#,
            r#"[{"op":"replace","path":"/x","value":1}]"#,
            r#"[{"op":"move","path":"/x"}]"#,
            r#"[{"op":"copy","from":"/x","path":"/y"}]"#,
            r#"[{"op":"test","path":"/a","value":[2,1]}]"#,
            r#"[{"op":"merge","path":"/a","value":1}]"#,
            r#"[{"path":"/a","value":1}]"#,
            "[1]",
            "{}",
        ] {
            check_patch(r#"{"a":[1,2]}"#, operations, "undefined");
        }
    }

    #[test]
    fn operations_reach_into_sets() {
        check_patch(
            r#"{"a",[0]}"#,
            r#"[{"op":"add","path":[[0],1],"value":5}]"#,
            r#"{"a",[0,5]}"#,
        );
        check_patch(r#"{"a","b"}"#, r#"[{"op":"remove","path":"/a"}]"#, r#"{"b"}"#);
        check_patch(
            r#"{"a"}"#,
            r#"[{"op":"add","path":["b"],"value":"b"}]"#,
            r#"{"a","b"}"#,
        );
        check_patch(
            r#"{"a"}"#,
            r#"[{"op":"add","path":["b"],"value":"c"}]"#,
            "undefined",
        );
        check_patch("{1:{2}}", r#"[{"op":"test","path":[1],"value":{2}}]"#, "{1:{2}}");
    }

    #[test]
    fn documents_that_explode_are_refused() {
        let doubling = vec![r#"{"op":"copy","from":"","path":"/-"}"#; 40].join(",");
        let given = call("json.patch", &format!("[[0], [{doubling}]]"));
        assert!(matches!(given, Err(Failure::Limit(_))), "{given:?}");
        let nesting: Vec<String> = (0..600)
            .map(|depth| {
                format!(
                    r#"{{"op":"add","path":"{}","value":[0]}}"#,
                    "/0".repeat(depth + 1)
                )
            })
            .collect();
        let given = call("json.patch", &format!("[[0], [{}]]", nesting.join(",")));
        assert!(matches!(given, Err(Failure::Limit(_))), "{given:?}");
    }
}
