//! Objects, arrays and sets that contain each other, and functions that older compilers leave to the host.

use super::{Builtin, Context, Failure, Operand, Outcome, set};
use crate::opa::value::{Object, Set, Value};

pub(super) const TABLE: &[Builtin] = &[
    Builtin {
        name: "array.flatten",
        arity: 1,
        run: flatten,
    },
    Builtin {
        name: "array.reverse",
        arity: 1,
        run: |_, arguments| {
            Ok(Value::Array(
                arguments[0].as_array()?.iter().rev().cloned().collect(),
            ))
        },
    },
    Builtin {
        name: "object.keys",
        arity: 1,
        run: |_, arguments| Ok(set(arguments[0].as_object()?.keys().cloned())),
    },
    Builtin {
        name: "object.subset",
        arity: 2,
        run: subset,
    },
    Builtin {
        name: "object.union_n",
        arity: 1,
        run: union_n,
    },
];

fn subset(context: &mut Context, arguments: &[Value]) -> Outcome {
    let contained = match (&arguments[0], &arguments[1]) {
        (Value::Object(all), Value::Object(some)) => contains_object(context, all, some)?,
        (Value::Set(all), Value::Set(some)) => some.is_subset(all),
        (Value::Array(all), Value::Array(some)) => contains_array(context, all, some)?,
        (Value::Array(all), Value::Set(some)) => array_contains_set(all, some),
        _ => return Err(Failure::Undefined),
    };
    Ok(Value::Bool(contained))
}

fn contains_object(context: &mut Context, all: &Object, some: &Object) -> Result<bool, Failure> {
    for (key, value) in some.iter() {
        context.step()?;
        let contained = match (all.get(key), value) {
            (None, _) => false,
            (Some(there), value) if there == value => true,
            (Some(Value::Object(all)), Value::Object(some)) => contains_object(context, all, some)?,
            (Some(Value::Set(all)), Value::Set(some)) => some.is_subset(all),
            (Some(Value::Array(all)), Value::Array(some)) => contains_array(context, all, some)?,
            _ => false,
        };
        if !contained {
            return Ok(false);
        }
    }
    Ok(true)
}

/// OPA's search: after a mismatch it goes on behind the place where that search began, without those in between.
fn contains_array(context: &mut Context, all: &[Value], some: &[Value]) -> Result<bool, Failure> {
    let (mut start, mut matched) = (0, 0);
    if some.len() > all.len() {
        return Ok(false);
    }
    while matched < some.len() {
        context.step()?;
        match all.get(start + matched) {
            None => return Ok(false),
            Some(element) if *element == some[matched] => matched += 1,
            Some(_) => (start, matched) = (start + 1, 0),
        }
    }
    Ok(true)
}

/// OPA counts the elements of the array that are in the set, so one that comes twice stands for another. It never counts
/// down to nothing where the array is empty.
fn array_contains_set(all: &[Value], some: &Set) -> bool {
    let mut missing = some.len();
    for element in all {
        if some.contains(element) {
            missing = missing.saturating_sub(1);
        }
        if missing == 0 {
            return true;
        }
    }
    false
}

/// The elements, with those of inner arrays in their places, one level deep.
fn flatten(_: &mut Context, arguments: &[Value]) -> Outcome {
    let mut flat = Vec::new();
    for element in arguments[0].as_array()? {
        match element {
            Value::Array(inner) => flat.extend(inner.iter().cloned()),
            other => flat.push(other.clone()),
        }
    }
    Ok(Value::Array(flat))
}

/// One object out of several: objects under the same key are joined, of other values the last counts.
fn union_n(_: &mut Context, arguments: &[Value]) -> Outcome {
    let mut all = Object::new();
    for object in arguments[0].as_array()? {
        merge(&mut all, object.as_object()?);
    }
    Ok(Value::Object(all))
}

fn merge(into: &mut Object, object: &Object) {
    for (key, value) in object.iter() {
        match (into.get_mut(key), value) {
            (Some(Value::Object(inner)), Value::Object(object)) => merge(inner, object),
            _ => into.insert(key.clone(), value.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    #[test]
    fn an_object_contains_another_at_any_depth() {
        check(&[
            (
                "object.subset",
                r#"[{"a":1,"b":{"c":[1,2,3],"d":{4,5}}},{"b":{"c":[2,3],"d":{5}}}]"#,
                "true",
            ),
            ("object.subset", r#"[{"a":1},{"a":2}]"#, "false"),
            ("object.subset", r#"[{"a":1},{"b":1}]"#, "false"),
            ("object.subset", r#"[{"a":1},{}]"#, "true"),
            ("object.subset", r#"[{"a":[1,3,2]},{"a":[1,2]}]"#, "false"),
            ("object.subset", r#"[{"a":{1}},{"a":[1]}]"#, "false"),
            ("object.subset", "[{1,2,3},{1,3}]", "true"),
            ("object.subset", "[{1},{1,2}]", "false"),
            ("object.subset", "[[1,1,2],[1,2]]", "true"),
            ("object.subset", "[[1,2],[2,1]]", "false"),
            ("object.subset", "[[1,2],[]]", "true"),
            ("object.subset", "[[1,2,3],{1,3}]", "true"),
            ("object.subset", "[[1,1],{1,3}]", "true"),
            ("object.subset", "[[],set()]", "false"),
            ("object.subset", "[{1},[1]]", "undefined"),
            ("object.subset", "[1,1]", "undefined"),
        ]);
    }

    #[test]
    fn objects_and_arrays_are_put_together() {
        check(&[
            (
                "object.union_n",
                r#"[[{"a":1,"b":{"c":1}},{"b":{"d":2}},{"a":[3]}]]"#,
                r#"{"a":[3],"b":{"c":1,"d":2}}"#,
            ),
            ("object.union_n", "[[]]", "{}"),
            ("object.union_n", "[[1]]", "undefined"),
            ("object.keys", r#"[{"b":1,2:3}]"#, r#"{2,"b"}"#),
            ("object.keys", "[[]]", "undefined"),
            ("array.reverse", "[[1,2,3]]", "[3,2,1]"),
            ("array.reverse", "[{1}]", "undefined"),
            ("array.flatten", "[[1,[2,[3]],[],{4}]]", "[1,2,[3],{4}]"),
        ]);
    }
}
