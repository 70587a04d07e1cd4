//! The built-in functions of Rego that a policy asks of its host.
//!
//! OPA compiles most of Rego's built-in functions into the policy. The rest a policy calls by number, having said in
//! `builtins()` which name it means. Each function here gives what OPA's own gives: the same value, or nothing
//! ([`Failure::Undefined`]) where OPA reports an error, since a compiled policy goes on with `undefined` then.
//!
//! What OPA would compute and Wharf will not, because it is too large or takes too long, is never `undefined`: a rule that
//! looks for violations would find none. It ends the evaluation ([`Failure::Limit`], [`Failure::Deadline`]).
//!
//! The functions run outside of the guest, where the deadline does not end them. So what they take and give is bounded
//! ([`MOST_TEXT`]), their cost is about proportional to it, and those that loop longer look at the deadline themselves
//! ([`Context::step`]).

mod casts;
mod crypto;
mod debugging;
mod encoding;
mod go_format;
mod graph;
mod json_patch;
mod jwt;
mod net;
mod numbers;
mod object;
mod regex;
mod semver;
mod strings;
mod time;
mod units;
mod uuid;
mod yaml;

use std::collections::BTreeMap;

use wharf_engine::Deadline;

use super::value::{Number, Object, Set, Value};

/// The most bytes that the arguments of a call may have together as text, and the most that its result may have: 2 MiB.
pub(crate) const MOST_TEXT: usize = 2 << 20;

/// The most elements that a function makes by itself, such as the addresses of a network.
const MOST_ELEMENTS: usize = 100_000;

/// The most bytes of the keys that an evaluation asks chance for, with the 100 that each costs: 1 MiB.
const MOST_KEYS: usize = 1 << 20;

/// One built-in function.
pub(crate) struct Builtin {
    /// Its name in Rego.
    pub(crate) name: &'static str,
    /// How many arguments it takes.
    pub(crate) arity: usize,
    /// What it does.
    pub(crate) run: fn(&mut Context, &[Value]) -> Outcome,
}

/// What a built-in function gives.
pub(crate) type Outcome = Result<Value, Failure>;

/// Why a built-in function gives no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// OPA's function reports an error for these arguments, or gives nothing.
    Undefined,
    /// It would take or give more than it may: what is too much.
    Limit(&'static str),
    /// The evaluation's deadline has passed.
    Deadline,
}

/// What an evaluation has beside the arguments of each call. All functions of one evaluation share it.
pub(crate) struct Context {
    deadline: Deadline,
    /// How many steps remain until the clock is looked at again.
    until_look: u32,
    /// The time in nanoseconds since 1970, the same for the whole evaluation.
    pub(crate) now_ns: i64,
    random: numbers::Random,
    /// What `rand.intn` and `uuid.rfc4122` have given for their keys, since each gives one value for a key.
    drawn: BTreeMap<String, Value>,
    drawn_bytes: usize,
    patterns: regex::Patterns,
    /// What the policy printed and traced.
    pub(crate) lines: Lines,
}

pub(crate) use debugging::{Line, Lines};

impl Context {
    pub(crate) fn new(deadline: Deadline, now_ns: i64, seed: [u8; 32]) -> Self {
        Self {
            deadline,
            until_look: 0,
            now_ns,
            random: numbers::Random::new(seed),
            drawn: BTreeMap::new(),
            drawn_bytes: 0,
            patterns: regex::Patterns::default(),
            lines: Lines::default(),
        }
    }

    /// What was drawn for this key, or what is drawn now.
    fn draw(&mut self, key: String, draw: impl FnOnce(&mut numbers::Random) -> Value) -> Outcome {
        if let Some(drawn) = self.drawn.get(&key) {
            return Ok(drawn.clone());
        }
        self.drawn_bytes += key.len() + 100;
        if self.drawn_bytes > MOST_KEYS {
            return Err(Failure::Limit(
                "the keys that chance was asked for have more than 1MiB together",
            ));
        }
        let drawn = draw(&mut self.random);
        self.drawn.insert(key, drawn.clone());
        Ok(drawn)
    }

    /// To be called in each round of a loop that may be long. It looks at the clock now and then.
    fn step(&mut self) -> Result<(), Failure> {
        if self.until_look > 0 {
            self.until_look -= 1;
            return Ok(());
        }
        self.until_look = 1_000;
        self.look()
    }

    /// To be called before a piece of work that takes a while by itself.
    fn look(&self) -> Result<(), Failure> {
        match self.deadline.has_passed() {
            true => Err(Failure::Deadline),
            false => Ok(()),
        }
    }
}

/// Every built-in function, by its name.
pub(crate) const TABLE: &[&[Builtin]] = &[
    casts::TABLE,
    crypto::TABLE,
    debugging::TABLE,
    encoding::TABLE,
    graph::TABLE,
    json_patch::TABLE,
    jwt::TABLE,
    net::TABLE,
    numbers::TABLE,
    object::TABLE,
    regex::TABLE,
    semver::TABLE,
    strings::TABLE,
    time::TABLE,
    units::TABLE,
    uuid::TABLE,
    yaml::TABLE,
];

/// The function that Rego calls `name`.
pub(crate) fn find(name: &str) -> Option<&'static Builtin> {
    TABLE
        .iter()
        .copied()
        .flatten()
        .find(|builtin| builtin.name == name)
}

/// The names of all functions, sorted.
pub(crate) fn names() -> Vec<&'static str> {
    let mut names: Vec<_> = TABLE
        .iter()
        .copied()
        .flatten()
        .map(|builtin| builtin.name)
        .collect();
    names.sort_unstable();
    names
}

/// What an argument must be for OPA to go on.
trait Operand {
    fn as_str(&self) -> Result<&str, Failure>;
    fn as_number(&self) -> Result<&Number, Failure>;
    fn as_i64(&self) -> Result<i64, Failure>;
    fn as_array(&self) -> Result<&[Value], Failure>;
    fn as_object(&self) -> Result<&Object, Failure>;
    /// The elements of an array or a set.
    fn elements(&self) -> Result<Vec<&Value>, Failure>;
    /// The elements of an array or a set of strings.
    fn strings(&self) -> Result<Vec<&str>, Failure>;
}

impl Operand for Value {
    fn as_str(&self) -> Result<&str, Failure> {
        match self {
            Self::String(string) => Ok(string),
            _ => Err(Failure::Undefined),
        }
    }

    fn as_number(&self) -> Result<&Number, Failure> {
        match self {
            Self::Number(number) => Ok(number),
            _ => Err(Failure::Undefined),
        }
    }

    fn as_i64(&self) -> Result<i64, Failure> {
        self.as_number()?.as_i64().ok_or(Failure::Undefined)
    }

    fn as_array(&self) -> Result<&[Value], Failure> {
        match self {
            Self::Array(elements) => Ok(elements),
            _ => Err(Failure::Undefined),
        }
    }

    fn as_object(&self) -> Result<&Object, Failure> {
        match self {
            Self::Object(object) => Ok(object),
            _ => Err(Failure::Undefined),
        }
    }

    fn elements(&self) -> Result<Vec<&Value>, Failure> {
        match self {
            Self::Array(elements) => Ok(elements.iter().collect()),
            Self::Set(elements) => Ok(elements.iter().collect()),
            _ => Err(Failure::Undefined),
        }
    }

    fn strings(&self) -> Result<Vec<&str>, Failure> {
        self.elements()?.into_iter().map(Operand::as_str).collect()
    }
}

/// A set of what an iterator gives.
fn set(elements: impl IntoIterator<Item = Value>) -> Value {
    Value::Set(elements.into_iter().collect::<Set>())
}

/// The string of these bytes. Rego's strings have any bytes in OPA, and only UTF-8 can be given to a compiled policy.
fn string_of(bytes: Vec<u8>) -> Outcome {
    let no_text = |_| Failure::Limit("its result is a string that is not UTF-8");
    String::from_utf8(bytes).map(Value::String).map_err(no_text)
}

#[cfg(test)]
pub(crate) mod testing {
    use std::time::Duration;

    use super::super::value::read_term;
    use super::*;

    pub(crate) fn context() -> Context {
        let deadline = Deadline::after(Duration::from_secs(3_600));
        Context::new(deadline, 1_700_000_000_123_456_789, [7; 32])
    }

    /// Calls `name` with the arguments in a Rego array, and gives the result as Rego.
    pub(crate) fn call_in(context: &mut Context, name: &str, arguments: &str) -> Result<String, Failure> {
        let builtin = find(name).unwrap_or_else(|| panic!("there is no {name}"));
        let arguments = match read_term(arguments.as_bytes()) {
            Ok(Value::Array(arguments)) => arguments,
            other => panic!("{arguments} is {other:?}"),
        };
        assert_eq!(arguments.len(), builtin.arity, "{name} takes as many arguments");
        (builtin.run)(context, &arguments).map(|value| value.to_term())
    }

    pub(crate) fn call(name: &str, arguments: &str) -> Result<String, Failure> {
        call_in(&mut context(), name, arguments)
    }

    /// Checks what OPA gives: each line has a function, its arguments, and the result or `undefined`.
    #[track_caller]
    pub(crate) fn check(table: &[(&str, &str, &str)]) {
        for (name, arguments, expected) in table {
            let given = match call(name, arguments) {
                Ok(value) => value,
                Err(Failure::Undefined) => "undefined".to_owned(),
                Err(other) => format!("{other:?}"),
            };
            assert_eq!(given, *expected, "{name}({arguments})");
        }
    }

    #[test]
    fn names_are_sorted_and_each_is_there_once() {
        let names = names();
        assert!(names.windows(2).all(|pair| pair[0] < pair[1]), "{names:?}");
        assert!(
            names
                .iter()
                .all(|name| find(name).is_some_and(|builtin| builtin.name == *name))
        );
    }

    #[test]
    fn no_function_panics_whatever_it_is_given() {
        let scalars = [
            "null",
            "true",
            "0",
            "-1",
            "1.5",
            "1e999999999",
            "\"\"",
            "\"a\"",
            "\"%[9]*.*d{}\\\\(\"",
        ];
        let composites = ["[]", "[0,\"UTC\",\"x\"]", "{}", "{\"a\":1}", "set()", "{1,[2]}"];
        let mut context = context();
        for name in names() {
            let arity = find(name).unwrap().arity;
            for first in scalars.iter().chain(&composites) {
                for rest in scalars.iter().chain(&composites) {
                    let mut arguments = vec![*first; arity.min(1)];
                    arguments.extend(std::iter::repeat_n(*rest, arity.saturating_sub(1)));
                    let _ = call_in(&mut context, name, &format!("[{}]", arguments.join(",")));
                }
            }
        }
    }
}
