//! Casts, which policies of the time before Rego version 1 use.

use super::{Builtin, Context, Failure, Operand, Outcome, set};
use crate::opa::value::Value;

pub(super) const TABLE: &[Builtin] = &[
    Builtin {
        name: "cast_array",
        arity: 1,
        run: array,
    },
    Builtin {
        name: "cast_boolean",
        arity: 1,
        run: |_, arguments| only(arguments, |value| matches!(value, Value::Bool(_))),
    },
    Builtin {
        name: "cast_null",
        arity: 1,
        run: |_, arguments| only(arguments, |value| matches!(value, Value::Null)),
    },
    Builtin {
        name: "cast_object",
        arity: 1,
        run: |_, arguments| only(arguments, |value| matches!(value, Value::Object(_))),
    },
    Builtin {
        name: "cast_set",
        arity: 1,
        run: |_, arguments| Ok(set(arguments[0].elements()?.into_iter().cloned())),
    },
    Builtin {
        name: "cast_string",
        arity: 1,
        run: |_, arguments| only(arguments, |value| matches!(value, Value::String(_))),
    },
];

fn only(arguments: &[Value], is: impl Fn(&Value) -> bool) -> Outcome {
    match is(&arguments[0]) {
        true => Ok(arguments[0].clone()),
        false => Err(Failure::Undefined),
    }
}

fn array(_: &mut Context, arguments: &[Value]) -> Outcome {
    let elements = arguments[0].elements()?;
    Ok(Value::Array(elements.into_iter().cloned().collect()))
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    #[test]
    fn values_become_what_they_can_be() {
        check(&[
            ("cast_array", "[{2,1}]", "[1,2]"),
            ("cast_array", "[[2,1]]", "[2,1]"),
            ("cast_array", "[{}]", "undefined"),
            ("cast_set", "[[2,1,2]]", "{1,2}"),
            ("cast_set", "[{1}]", "{1}"),
            ("cast_set", "[\"a\"]", "undefined"),
            ("cast_string", "[\"a\"]", "\"a\""),
            ("cast_string", "[1]", "undefined"),
            ("cast_boolean", "[false]", "false"),
            ("cast_boolean", "[0]", "undefined"),
            ("cast_null", "[null]", "null"),
            ("cast_null", "[[]]", "undefined"),
            ("cast_object", "[{\"a\":1}]", "{\"a\":1}"),
            ("cast_object", "[[]]", "undefined"),
        ]);
    }
}
