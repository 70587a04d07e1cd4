//! Text.

use std::collections::BTreeSet;

use num_bigint::BigInt;

use super::go_format::{self, Argument};
use super::{Builtin, Context, Failure, Operand, Outcome};
use crate::opa::value::Value;

pub(super) const TABLE: &[Builtin] = &[
    Builtin {
        name: "glob.quote_meta",
        arity: 1,
        run: |_, arguments| Ok(Value::String(glob_quoted(arguments[0].as_str()?))),
    },
    Builtin {
        name: "indexof_n",
        arity: 2,
        run: indexof_n,
    },
    Builtin {
        name: "sprintf",
        arity: 2,
        run: sprintf,
    },
    Builtin {
        name: "strings.any_prefix_match",
        arity: 2,
        run: any_prefix_match,
    },
    Builtin {
        name: "strings.any_suffix_match",
        arity: 2,
        run: any_suffix_match,
    },
    Builtin {
        name: "strings.count",
        arity: 2,
        run: count,
    },
    Builtin {
        name: "strings.reverse",
        arity: 1,
        run: |_, arguments| Ok(Value::String(reversed(arguments[0].as_str()?))),
    },
];

/// Fills an array into a text. What is no number and no string is filled in as Rego writes it.
fn sprintf(context: &mut Context, arguments: &[Value]) -> Outcome {
    let format = arguments[0].as_str()?;
    let mut filled_in = Vec::new();
    for value in arguments[1].as_array()? {
        context.step()?;
        filled_in.push(argument(value)?);
    }
    go_format::format(format, &filled_in).map(Value::String)
}

fn argument(value: &Value) -> Result<Argument, Failure> {
    let number = match value {
        Value::Number(number) => number,
        Value::String(text) => return Ok(Argument::Text(text.clone())),
        other => return Ok(Argument::Text(other.to_rego())),
    };
    if let Some(number) = number.as_i64() {
        return Ok(Argument::Int(number));
    }
    if number.is_written_as_integer() {
        if number.text().len() > 2_000 {
            return Err(Failure::Limit("a number has more than 2000 digits"));
        }
        let digits = BigInt::parse_bytes(number.text().as_bytes(), 10);
        return digits.map(Argument::Big).ok_or(Failure::Undefined);
    }
    let text = || Argument::Text(number.text().into_owned());
    Ok(number.as_f64().map_or_else(text, Argument::Float))
}

/// Every place of a text in another, counted in characters. Places may overlap.
fn indexof_n(context: &mut Context, arguments: &[Value]) -> Outcome {
    let (base, searched) = (arguments[0].as_str()?, arguments[1].as_str()?);
    if searched.is_empty() {
        return Err(Failure::Undefined);
    }
    let mut places = Vec::new();
    let (mut at, mut characters) = (0, 0);
    while let Some(found) = base[at..].find(searched) {
        context.step()?;
        characters += base[at..at + found].chars().count();
        places.push(Value::from(characters));
        let first = base[at + found..].chars().next().map_or(1, char::len_utf8);
        at += found + first;
        characters += 1;
    }
    Ok(Value::Array(places))
}

fn count(_: &mut Context, arguments: &[Value]) -> Outcome {
    let (text, searched) = (arguments[0].as_str()?, arguments[1].as_str()?);
    Ok(Value::from(match searched {
        "" => text.chars().count() + 1,
        _ => text.matches(searched).count(),
    }))
}

fn any_prefix_match(context: &mut Context, arguments: &[Value]) -> Outcome {
    let texts = text_or_texts(&arguments[0])?
        .into_iter()
        .map(str::to_owned)
        .collect();
    let prefixes = text_or_texts(&arguments[1])?
        .into_iter()
        .map(str::to_owned)
        .collect();
    any_begins(context, &texts, prefixes)
}

/// Whether a text ends with a suffix is whether it begins with it when both are reversed.
fn any_suffix_match(context: &mut Context, arguments: &[Value]) -> Outcome {
    let texts = text_or_texts(&arguments[0])?.into_iter().map(reversed).collect();
    let suffixes = text_or_texts(&arguments[1])?.into_iter().map(reversed).collect();
    any_begins(context, &texts, suffixes)
}

/// The first text that is not before a prefix in their order begins with it, if any does.
fn any_begins(context: &mut Context, texts: &BTreeSet<String>, prefixes: Vec<String>) -> Outcome {
    for prefix in prefixes {
        context.step()?;
        let first = texts.range(prefix.clone()..).next();
        if first.is_some_and(|text| text.starts_with(&prefix)) {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

fn text_or_texts(value: &Value) -> Result<Vec<&str>, Failure> {
    match value {
        Value::String(text) => Ok(vec![text]),
        other => other.strings(),
    }
}

/// The glob that matches just this text.
fn glob_quoted(text: &str) -> String {
    let special = |c: char| r"\*?[]{}".contains(c);
    let quote = |c: char| special(c).then_some('\\').into_iter().chain([c]);
    text.chars().flat_map(quote).collect()
}

fn reversed(text: &str) -> String {
    text.chars().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{call, check};
    use super::*;

    #[test]
    fn any_value_is_filled_into_a_text() {
        check(&[
            (
                "sprintf",
                r#"["%s has %d of %v", ["pod", 2, [1, {"a"}]]]"#,
                r#""pod has 2 of [1, {\"a\"}]""#,
            ),
            (
                "sprintf",
                r#"["%v %v %v %s", [null, true, {"a": "b"}, set()]]"#,
                r#""null true {\"a\": \"b\"} set()""#,
            ),
            (
                "sprintf",
                r#"["%d %s", [123456789012345678901, 123456789012345678901]]"#,
                r#""123456789012345678901 123456789012345678901""#,
            ),
            (
                "sprintf",
                r#"["%d %v", [1.5, 1e3]]"#,
                r#""%!d(float64=1.5) 1000""#,
            ),
            ("sprintf", r#"["%v", [1e999]]"#, r#""1e999""#),
            ("sprintf", r#"["%d", ["x"]]"#, r#""%!d(string=x)""#),
            ("sprintf", r#"["%s", []]"#, r#""%!s(MISSING)""#),
            ("sprintf", r#"["a", [1, "b"]]"#, r#""a%!(EXTRA int=1, string=b)""#),
            ("sprintf", r#"["%s", {1}]"#, "undefined"),
            ("sprintf", "[1, [1]]", "undefined"),
        ]);
    }

    #[test]
    fn a_text_that_explodes_is_refused() {
        let wide = format!(r#"["{}", {:?}]"#, "%1000000d".repeat(5), [1; 5]);
        assert!(matches!(call("sprintf", &wide), Err(Failure::Limit(_))));
        let digits = format!(r#"["%x", [{}]]"#, "9".repeat(2_001));
        assert!(matches!(call("sprintf", &digits), Err(Failure::Limit(_))));
    }

    #[test]
    fn texts_are_found_in_texts() {
        check(&[
            ("indexof_n", r#"["banana", "ana"]"#, "[1,3]"),
            ("indexof_n", r#"["éaéa", "a"]"#, "[1,3]"),
            ("indexof_n", r#"["abc", "x"]"#, "[]"),
            ("indexof_n", r#"["abc", ""]"#, "undefined"),
            ("strings.count", r#"["cheese", "e"]"#, "3"),
            ("strings.count", r#"["aaaa", "aa"]"#, "2"),
            ("strings.count", r#"["héé", ""]"#, "4"),
            ("strings.count", r#"["a", 1]"#, "undefined"),
            (
                "glob.quote_meta",
                r#"["a*?\\[]{}-,!é"]"#,
                r#""a\\*\\?\\\\\\[\\]\\{\\}-,!é""#,
            ),
            ("strings.reverse", r#"["aé😀"]"#, r#""😀éa""#),
        ]);
    }

    #[test]
    fn any_of_several_begins_or_ends_with_any() {
        check(&[
            ("strings.any_prefix_match", r#"["abc", "ab"]"#, "true"),
            (
                "strings.any_prefix_match",
                r#"[["x", "abc"], {"ab", "q"}]"#,
                "true",
            ),
            ("strings.any_prefix_match", r#"[{"abd", "b"}, ["abc"]]"#, "false"),
            ("strings.any_prefix_match", r#"[["a"], [""]]"#, "true"),
            ("strings.any_prefix_match", "[[], [\"\"]]", "false"),
            ("strings.any_prefix_match", r#"[[1], ["a"]]"#, "undefined"),
            ("strings.any_prefix_match", r#"[1, "a"]"#, "undefined"),
            ("strings.any_suffix_match", r#"["aéc", "éc"]"#, "true"),
            (
                "strings.any_suffix_match",
                r#"[["abc", "x.io"], {".com", ".io"}]"#,
                "true",
            ),
            ("strings.any_suffix_match", r#"[["abc"], ["ab"]]"#, "false"),
            ("strings.any_suffix_match", r#"[{}, "a"]"#, "undefined"),
        ]);
    }
}
