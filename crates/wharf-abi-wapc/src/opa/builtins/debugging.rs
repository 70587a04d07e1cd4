//! What a policy tells its author: `print` and `trace`; and what it may know of its host, which is nothing.

use super::{Builtin, Context, Failure, Operand, Outcome};
use crate::opa::value::{Object, Value};

pub(super) const TABLE: &[Builtin] = &[
    Builtin {
        name: "internal.print",
        arity: 1,
        run: print,
    },
    Builtin {
        name: "opa.runtime",
        arity: 0,
        run: |_, _| Ok(Value::Object(Object::new())),
    },
    Builtin {
        name: "trace",
        arity: 1,
        run: trace,
    },
];

/// A line for the policy's author.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Line {
    /// By `print`, or by the policy's runtime itself.
    Print(String),
    /// By `trace`.
    Trace(String),
}

/// The lines of one evaluation, as many as are kept.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    kept: Vec<Line>,
    bytes: usize,
    /// How many came when there was no room any more.
    pub(crate) dropped: u64,
}

/// The most bytes that the lines of one evaluation have together, with the 32 that each costs.
const MOST_BYTES: usize = 64 << 10;

impl Lines {
    /// Keeps a line where there is room for it.
    pub(crate) fn push(&mut self, line: Line) {
        let (Line::Print(text) | Line::Trace(text)) = &line;
        let bytes = self.bytes.saturating_add(text.len() + 32);
        if bytes > MOST_BYTES {
            self.dropped += 1;
            return;
        }
        self.bytes = bytes;
        self.kept.push(line);
    }

    /// The lines, in their order; none remain.
    pub(crate) fn take(&mut self) -> Vec<Line> {
        std::mem::take(&mut self.kept)
    }

    fn is_full(&self) -> bool {
        self.dropped > 0
    }
}

fn trace(context: &mut Context, arguments: &[Value]) -> Outcome {
    let text = arguments[0].as_str()?.to_owned();
    context.lines.push(Line::Trace(text));
    Ok(Value::Bool(true))
}

/// Its argument is an array of sets, one for each expression in `print(…)`, with its values. Every combination is a line.
fn print(context: &mut Context, arguments: &[Value]) -> Outcome {
    let mut columns = Vec::new();
    for expression in arguments[0].as_array()? {
        let Value::Set(values) = expression else {
            return Err(Failure::Undefined);
        };
        let shown = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => other.to_rego(),
        };
        let texts: Vec<String> = values.iter().map(shown).collect();
        columns.push(if texts.is_empty() {
            vec!["<undefined>".to_owned()]
        } else {
            texts
        });
    }
    let mut chosen = vec![0; columns.len()];
    loop {
        context.step()?;
        let words = columns
            .iter()
            .zip(&chosen)
            .map(|(texts, index)| texts[*index].as_str());
        context
            .lines
            .push(Line::Print(words.collect::<Vec<_>>().join(" ")));
        if context.lines.is_full() || !next(&mut chosen, &columns) {
            // What `print` gives is not looked at, and must be something for the rule to go on.
            return Ok(Value::Bool(true));
        }
    }
}

/// The next combination: the last column goes first.
fn next(chosen: &mut [usize], columns: &[Vec<String>]) -> bool {
    for (index, texts) in chosen.iter_mut().zip(columns).rev() {
        *index += 1;
        if *index < texts.len() {
            return true;
        }
        *index = 0;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::super::testing::{call_in, check, context};
    use super::*;

    #[test]
    fn every_combination_is_printed() {
        let mut context = context();
        let printed = call_in(
            &mut context,
            "internal.print",
            r#"[[{"a", 1}, set(), {[{"b"}]}]]"#,
        );
        assert_eq!(printed.as_deref(), Ok("true"));
        call_in(&mut context, "trace", "[\"here\"]").unwrap();
        assert_eq!(
            context.lines.take(),
            [
                Line::Print("1 <undefined> [{\"b\"}]".into()),
                Line::Print("a <undefined> [{\"b\"}]".into()),
                Line::Trace("here".into())
            ]
        );
    }

    #[test]
    fn what_a_policy_says_is_bounded() {
        let mut context = context();
        let set: Vec<String> = (0..100).map(|number| number.to_string()).collect();
        let sets = format!("[[{0}]]", vec![format!("{{{}}}", set.join(",")); 20].join(","));
        call_in(&mut context, "internal.print", &sets).unwrap();
        assert!(context.lines.dropped > 0);
        let kept = context.lines.take();
        assert!(
            kept.len() > 100 && kept.len() <= MOST_BYTES / 32,
            "{}",
            kept.len()
        );
        call_in(&mut context, "trace", &format!("[{:?}]", "x".repeat(MOST_BYTES))).unwrap();
        assert_eq!((context.lines.take().len(), context.lines.dropped), (0, 2));
    }

    #[test]
    fn the_host_says_nothing_of_itself() {
        check(&[
            ("opa.runtime", "[]", "{}"),
            ("trace", "[1]", "undefined"),
            ("internal.print", "[[1]]", "undefined"),
        ]);
    }
}
