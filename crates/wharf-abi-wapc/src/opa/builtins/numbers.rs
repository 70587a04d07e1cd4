//! Ranges and chance.

use num_bigint::{BigInt, Sign};
use sha2::{Digest, Sha256};

use super::{Builtin, Context, Failure, MOST_ELEMENTS, Operand, Outcome};
use crate::opa::value::{Integer, Number, Value};

pub(super) const TABLE: &[Builtin] = &[
    Builtin {
        name: "numbers.range",
        arity: 2,
        run: |context, arguments| range(context, &arguments[0], &arguments[1], &BigInt::from(1)),
    },
    Builtin {
        name: "numbers.range_step",
        arity: 3,
        run: range_step,
    },
    Builtin {
        name: "rand.intn",
        arity: 2,
        run: intn,
    },
];

/// An argument that is an integer in value.
pub(super) fn integer(value: &Value) -> Result<BigInt, Failure> {
    match value.as_number()?.to_integer() {
        Integer::Is(integer) => Ok(integer),
        Integer::Fraction => Err(Failure::Undefined),
        Integer::TooLong => Err(Failure::Limit("a number has more than 2000 digits")),
    }
}

fn range_step(context: &mut Context, arguments: &[Value]) -> Outcome {
    // All three are looked at before the step is found to be wrong, as any of them may be no integer.
    integer(&arguments[0])?;
    integer(&arguments[1])?;
    let step = integer(&arguments[2])?;
    match step.sign() {
        Sign::Plus => range(context, &arguments[0], &arguments[1], &step),
        _ => Err(Failure::Undefined),
    }
}

/// Up or down from the first to the last, which is left out where no step comes to it.
fn range(context: &mut Context, from: &Value, to: &Value, step: &BigInt) -> Outcome {
    let (mut next, last) = (integer(from)?, integer(to)?);
    let up = next <= last;
    let mut numbers = Vec::new();
    while if up { next <= last } else { next >= last } {
        context.step()?;
        if numbers.len() == MOST_ELEMENTS {
            return Err(Failure::Limit("the range has more than 100000 numbers"));
        }
        numbers.push(Value::Number(Number::from(&next)));
        next = if up { next + step } else { next - step };
    }
    Ok(Value::Array(numbers))
}

/// The same number for the same text and bound, as long as the evaluation lasts.
fn intn(context: &mut Context, arguments: &[Value]) -> Outcome {
    let (name, bound) = (arguments[0].as_str()?, arguments[1].as_i64()?);
    if bound == 0 {
        return Ok(Value::from(0_i64));
    }
    let bound = bound.unsigned_abs();
    context.draw(format!("rand.intn {bound} {name}"), |random| {
        i64::try_from(random.below(bound)).map_or(Value::Null, Value::from)
    })
}

/// Numbers that nobody foresees who does not know the seed: the SHA-256 of the seed and a counter.
pub(super) struct Random {
    seed: [u8; 32],
    drawn: u64,
}

impl Random {
    pub(super) fn new(seed: [u8; 32]) -> Self {
        Self { seed, drawn: 0 }
    }

    pub(super) fn bytes(&mut self) -> [u8; 32] {
        self.drawn += 1;
        let mut sum = Sha256::new();
        sum.update(self.seed);
        sum.update(self.drawn.to_le_bytes());
        sum.finalize().into()
    }

    /// A number below `bound`, each as likely as another.
    fn below(&mut self, bound: u64) -> u64 {
        // The last numbers of 64 bits, which do not make a whole round of the bound, are drawn again.
        let most = u64::MAX - u64::MAX % bound;
        loop {
            let bytes = self.bytes();
            let number = u64::from_le_bytes(*bytes.first_chunk().expect("32 bytes have eight"));
            if number < most {
                return number % bound;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::testing::{call, call_in, check, context};
    use super::*;

    #[test]
    fn ranges_go_up_and_down() {
        check(&[
            ("numbers.range", "[1,3]", "[1,2,3]"),
            ("numbers.range", "[3,1]", "[3,2,1]"),
            ("numbers.range", "[2.0,2]", "[2]"),
            ("numbers.range", "[1.5,2]", "undefined"),
            ("numbers.range", "[\"1\",2]", "undefined"),
            ("numbers.range_step", "[0,7,3]", "[0,3,6]"),
            ("numbers.range_step", "[7,0,3]", "[7,4,1]"),
            ("numbers.range_step", "[1e1,20,5.0]", "[10,15,20]"),
            ("numbers.range_step", "[1,2,0]", "undefined"),
            ("numbers.range_step", "[1,2,-1]", "undefined"),
            ("numbers.range_step", "[1,2,null]", "undefined"),
            (
                "numbers.range_step",
                "[123456789012345678901,123456789012345678903,2]",
                "[123456789012345678901,123456789012345678903]",
            ),
        ]);
    }

    #[test]
    fn long_ranges_and_huge_numbers_are_refused() {
        for (name, arguments) in [
            ("numbers.range", "[1,100001]"),
            ("numbers.range", "[1,-1e300]"),
            ("numbers.range", "[1,1e999999999]"),
            ("numbers.range_step", "[0,1e1000,7]"),
        ] {
            assert!(
                matches!(call(name, arguments), Err(Failure::Limit(_))),
                "{name}{arguments}"
            );
        }
        assert!(call("numbers.range", "[1,100000]").is_ok());
    }

    #[test]
    fn chance_is_even_and_the_same_for_one_key() {
        let mut context = context();
        let mut draw = |arguments: &str| call_in(&mut context, "rand.intn", arguments).unwrap();
        assert_eq!(draw(r#"["a", 1000000]"#), draw(r#"["a", -1000000]"#));
        assert_ne!(draw(r#"["a", 1000000]"#), draw(r#"["b", 1000000]"#));
        let seen: BTreeSet<String> = (0..200).map(|key| draw(&format!(r#"["{key}", 7]"#))).collect();
        assert_eq!(seen.into_iter().collect::<String>(), "0123456");
        check(&[
            ("rand.intn", r#"["a", 0]"#, "0"),
            ("rand.intn", r#"["a", 1]"#, "0"),
            ("rand.intn", r#"["a", 1.5]"#, "undefined"),
            ("rand.intn", "[1, 1]", "undefined"),
        ]);
    }

    #[test]
    fn keys_of_chance_are_bounded() {
        let mut context = context();
        let mut draw = |key: usize| {
            let arguments = format!("[\"{key}{}\", 5]", "k".repeat(1_000));
            call_in(&mut context, "rand.intn", &arguments)
        };
        let refused = (0..2_000).find(|key| draw(*key).is_err());
        assert!(refused.is_some_and(|key| key > 500), "{refused:?}");
        assert!(draw(0).is_ok(), "what was drawn is kept");
    }
}
