//! YAML, with the scalars of YAML 1.1 as OPA's library reads and writes them: `yes` is true, `017` is fifteen.

mod read;
mod scalar;
mod style;
mod write;

use super::encoding::json_like;
use super::{Builtin, Failure, Operand};
use crate::opa::value::Value;

pub(super) const TABLE: &[Builtin] = &[
    Builtin {
        name: "yaml.is_valid",
        arity: 1,
        run: |context, arguments| match arguments[0].as_str().and_then(|text| read::read(context, text)) {
            Ok(_) => Ok(Value::Bool(true)),
            Err(Failure::Undefined) => Ok(Value::Bool(false)),
            Err(other) => Err(other),
        },
    },
    Builtin {
        name: "yaml.marshal",
        arity: 1,
        run: |context, arguments| write::write(context, &json_like(&arguments[0])?).map(Value::String),
    },
    Builtin {
        name: "yaml.unmarshal",
        arity: 1,
        run: |context, arguments| read::read(context, arguments[0].as_str()?),
    },
];

#[cfg(test)]
mod tests;
