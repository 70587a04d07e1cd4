//! JSON beside the JSON that is expected.

use serde_json::{Map, Value};

use super::super::difference::Difference;

/// What of `came` the keys of `expected` name, all the way down: keys that are not named are left out, and one that is not
/// there is null. Where the two have the same shape, they are equal when `came` has all that is expected.
pub(super) fn named_of(expected: &Value, came: &Value) -> Value {
    match (expected, came) {
        (Value::Object(expected), Value::Object(came)) => {
            let named = expected.iter().map(|(key, expected)| {
                let value = came.get(key).map_or(Value::Null, |came| named_of(expected, came));
                (key.clone(), value)
            });
            Value::Object(named.collect::<Map<_, _>>())
        }
        (Value::Array(expected), Value::Array(came)) if expected.len() == came.len() => {
            let items = expected.iter().zip(came);
            items.map(|(expected, came)| named_of(expected, came)).collect()
        }
        (_, came) => came.clone(),
    }
}

/// Two values, as a unified difference of their lines.
pub(super) fn of_values(line: usize, what: &str, expected: &Value, came: &Value) -> Option<Difference> {
    if expected == came {
        return None;
    }
    let pretty = |value: &Value| {
        let mut value = value.clone();
        value.sort_all_objects();
        format!("{value:#}\n")
    };
    Difference::of_bytes(line, what, pretty(expected).as_bytes(), pretty(came).as_bytes())
}

/// Two patches. The order of operations counts where one depends on another.
pub(super) fn of_patches(line: usize, expected: &[Value], came: &[Value]) -> Option<Difference> {
    let same = expected == came
        || are_independent(came) && sorted(expected) == sorted(came) && expected.len() == came.len();
    if same {
        return None;
    }
    let lines = |operations: &[Value]| operations.iter().map(one_line).collect::<Vec<_>>();
    Difference::of_lists(line, "patch", &lines(expected), &lines(came))
}

/// An operation in one line, whatever the order of its keys.
fn one_line(operation: &Value) -> String {
    let mut operation = operation.clone();
    operation.sort_all_objects();
    operation.to_string()
}

fn sorted(operations: &[Value]) -> Vec<String> {
    let mut lines: Vec<_> = operations.iter().map(one_line).collect();
    lines.sort_unstable();
    lines
}

/// Whether operations have the same effect in any order: none is about a place in or above that of another, and no two
/// about items of the same list.
fn are_independent(operations: &[Value]) -> bool {
    let mut paths = Vec::new();
    for operation in operations {
        let text = |key: &str| operation.get(key).and_then(Value::as_str);
        let (Some("add" | "remove" | "replace"), Some(path)) = (text("op"), text("path")) else {
            return false;
        };
        paths.push(path.split('/').collect::<Vec<_>>());
    }
    // Next to each other stand those that have most in common.
    paths.sort_unstable();
    paths.windows(2).all(|pair| is_apart(&pair[0], &pair[1]))
}

fn is_apart(first: &[&str], second: &[&str]) -> bool {
    let parting = first.iter().zip(second).find(|(first, second)| first != second);
    parting.is_some_and(|(first, second)| !may_be_index(first) || !may_be_index(second))
}

/// Whether a part of a path may be the place of an item in a list.
fn may_be_index(part: &str) -> bool {
    part == "-" || part.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_named_is_looked_at_and_nothing_else() {
        let came = json!({ "a": { "b": 1, "c": 2 }, "list": [{ "x": 1, "y": 2 }, 3] });
        for (expected, fits) in [
            (json!({}), true),
            (json!({ "a": { "b": 1 } }), true),
            (json!({ "a": { "d": null } }), true),
            (json!({ "list": [{ "y": 2 }, 3] }), true),
            (json!({ "list": [{ "y": 2 }] }), false),
            (json!({ "a": { "b": null } }), false),
            (json!({ "a": [] }), false),
            (json!([]), false),
        ] {
            assert_eq!(named_of(&expected, &came) == expected, fits, "{expected}");
        }
    }

    fn same(expected: &Value, came: &Value) -> bool {
        of_patches(1, expected.as_array().unwrap(), came.as_array().unwrap()).is_none()
    }

    fn reversed(operations: &Value) -> Value {
        operations.as_array().unwrap().iter().rev().cloned().collect()
    }

    #[test]
    fn the_order_of_a_patch_counts_only_where_it_matters() {
        for (operations, any_order) in [
            (
                json!([{ "op": "add", "path": "/a", "value": 1 }, { "path": "/b", "op": "remove" }]),
                true,
            ),
            (
                json!([{ "op": "add", "path": "/a/x", "value": 1 }, { "op": "add", "path": "/a/y", "value": 1 }]),
                true,
            ),
            (
                json!([{ "op": "add", "path": "/a", "value": {} }, { "op": "add", "path": "/a/b", "value": 1 }]),
                false,
            ),
            (
                json!([{ "op": "remove", "path": "/a/0" }, { "op": "remove", "path": "/a/1" }]),
                false,
            ),
            (
                json!([{ "op": "remove", "path": "/a/0/b" }, { "op": "remove", "path": "/a/1" }]),
                false,
            ),
            (
                json!([{ "op": "add", "path": "/a/-", "value": 1 }, { "op": "add", "path": "/a/-", "value": 2 }]),
                false,
            ),
            (
                json!([{ "op": "test", "path": "/a", "value": 1 }, { "op": "remove", "path": "/b" }]),
                false,
            ),
        ] {
            assert!(same(&operations, &operations), "{operations}");
            assert_eq!(
                same(&reversed(&operations), &operations),
                any_order,
                "{operations}"
            );
        }
        assert!(!same(&json!([]), &json!([{ "op": "remove", "path": "/a" }])));
        assert!(!same(
            &json!([{ "op": "add", "path": "/a", "value": 1 }]),
            &json!([{ "op": "add", "path": "/a", "value": 2 }])
        ));
    }
}
