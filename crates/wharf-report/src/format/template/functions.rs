//! The functions that templates of reports use, beside those of Jinja. Each that takes a text is a filter as well.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use minijinja::{Environment, Error, ErrorKind, State, Value};
use regex_automata::meta::Regex;

use super::{TemplateOptions, hash, text};
use crate::format::escape::{escape_html, escape_xml};
use crate::format::sarif::{path_of_target, rule_name};
use crate::format::severity;

pub(super) fn add(environment: &mut Environment<'_>, options: &TemplateOptions, now: &str) {
    for name in ["escapeXML", "escapeString", "escape", "e"] {
        let in_xml = name == "escapeXML";
        add_both(environment, name, move |value: &Value| {
            // What is markup already is not escaped again, as Jinja has it.
            if value.is_safe() {
                return value.clone();
            }
            let text = text::of(value);
            let escaped = if in_xml { escape_xml(&text) } else { escape_html(&text) };
            Value::from_safe_string(escaped.into_owned())
        });
    }
    add_both(environment, "toLower", |value: &Value| {
        Value::from(text::of(value).to_lowercase())
    });
    add_both(environment, "toUpper", |value: &Value| {
        Value::from(text::of(value).to_uppercase())
    });
    add_both(environment, "endWithPeriod", |value: &Value| {
        let text = text::of(value);
        Value::from(if text.ends_with('.') {
            text.into_owned()
        } else {
            format!("{text}.")
        })
    });
    add_both(environment, "nospace", |value: &Value| {
        Value::from(
            text::of(value)
                .chars()
                .filter(|character| !character.is_whitespace())
                .collect::<String>(),
        )
    });
    add_both(environment, "toSarifErrorLevel", |value: &Value| {
        Value::from(severity::sarif_level(&text::of(value)))
    });
    add_both(environment, "toSarifRuleName", |value: &Value| {
        Value::from(rule_name(&text::of(value)))
    });
    add_both(environment, "sourceID", |value: &Value| {
        Value::from(text::of(value).into_owned())
    });
    add_both(environment, "sha1sum", |value: &Value| {
        Value::from(hash::sha1(&text::of(value)))
    });
    add_both(environment, "sha256sum", |value: &Value| {
        Value::from(hash::sha256(&text::of(value)))
    });
    add_with_arguments(environment);
    add_patterns(environment);
    add_surroundings(environment, options, now);
}

/// Adds a function of one text, and the filter of its name.
fn add_both(
    environment: &mut Environment<'_>,
    name: &'static str,
    function: impl Fn(&Value) -> Value + Send + Sync + Copy + 'static,
) {
    environment.add_filter(name, move |value: Value| function(&value));
    environment.add_function(name, move |value: Value| function(&value));
}

fn add_with_arguments(environment: &mut Environment<'_>) {
    fn to_path_uri(target: &Value, class: Option<&Value>) -> String {
        let class = class.map(text::of).unwrap_or_default();
        path_of_target(&text::of(target), &class)
    }
    environment.add_filter("toPathUri", |target: Value, class: Option<Value>| {
        to_path_uri(&target, class.as_ref())
    });
    environment.add_function("toPathUri", |target: Value, class: Option<Value>| {
        to_path_uri(&target, class.as_ref())
    });
    environment.add_filter("abbrev", |value: Value, most: usize| abbreviated(&text::of(&value), most));
    environment.add_function("abbrev", |most: usize, value: Value| abbreviated(&text::of(&value), most));
    environment.add_filter("trunc", |value: Value, length: i64| truncated(&text::of(&value), length));
    environment.add_function("trunc", |length: i64, value: Value| truncated(&text::of(&value), length));
    environment.add_filter("trimPrefix", |value: Value, prefix: &str| {
        let text = text::of(&value);
        text.strip_prefix(prefix).unwrap_or(&text).to_owned()
    });
    environment.add_filter("trimSuffix", |value: Value, suffix: &str| {
        let text = text::of(&value);
        text.strip_suffix(suffix).unwrap_or(&text).to_owned()
    });
    environment.add_function("list", |items: minijinja::value::Rest<Value>| {
        Value::from(items.0)
    });
}

/// At most `most` characters, of which the last three are points where something is missing.
fn abbreviated(text: &str, most: usize) -> String {
    if most < 4 || text.chars().nth(most).is_none() {
        return text.to_owned();
    }
    text.chars().take(most - 3).chain("...".chars()).collect()
}

/// The first characters, or with a length below 0 the last ones.
fn truncated(text: &str, length: i64) -> String {
    let most = usize::try_from(length.unsigned_abs()).unwrap_or(usize::MAX);
    if length >= 0 {
        return text.chars().take(most).collect();
    }
    let skipped = text.chars().count().saturating_sub(most);
    text.chars().skip(skipped).collect()
}

/// The most patterns that are kept compiled.
const MOST_PATTERNS: usize = 64;

/// What compiling a pattern costs of the template's fuel.
const COST_OF_PATTERN: u64 = 20_000;

/// Matching takes time in proportion to the text; each so many bytes cost one.
const BYTES_OF_FUEL: usize = 16;

#[derive(Default)]
struct Patterns(Mutex<HashMap<String, Regex>>);

impl Patterns {
    fn find(&self, state: &State<'_, '_>, text: &str, pattern: &str) -> Result<Option<String>, Error> {
        let cost = u64::try_from(text.len() / BYTES_OF_FUEL).unwrap_or(u64::MAX);
        state.consume_fuel(cost)?;
        let mut patterns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !patterns.contains_key(pattern) {
            state.consume_fuel(COST_OF_PATTERN)?;
            if patterns.len() >= MOST_PATTERNS {
                patterns.clear();
            }
            patterns.insert(pattern.to_owned(), compiled(pattern)?);
        }
        let found = patterns.get(pattern).and_then(|regex| regex.find(text));
        Ok(found.and_then(|found| text.get(found.range()).map(ToOwned::to_owned)))
    }
}

fn compiled(pattern: &str) -> Result<Regex, Error> {
    let limits = Regex::config().nfa_size_limit(Some(1 << 20)).hybrid_cache_capacity(1 << 20);
    Regex::builder()
        .configure(limits)
        .build(pattern)
        .map_err(|error| {
            let told = error
                .syntax_error()
                .map_or_else(|| error.to_string(), ToString::to_string);
            Error::new(
                ErrorKind::InvalidOperation,
                format!("the pattern cannot be used: {told}"),
            )
        })
}

fn add_patterns(environment: &mut Environment<'_>) {
    let patterns = Arc::new(Patterns::default());
    let known = Arc::clone(&patterns);
    environment.add_filter("regexMatch", move |state: &State<'_, '_>, value: Value, pattern: &str| {
        known
            .find(state, &text::of(&value), pattern)
            .map(|found| found.is_some())
    });
    let known = Arc::clone(&patterns);
    environment.add_function("regexMatch", move |state: &State<'_, '_>, pattern: &str, value: Value| {
        known
            .find(state, &text::of(&value), pattern)
            .map(|found| found.is_some())
    });
    environment.add_filter("regexFind", move |state: &State<'_, '_>, value: Value, pattern: &str| {
        patterns
            .find(state, &text::of(&value), pattern)
            .map(Option::unwrap_or_default)
    });
}

/// What is neither the report's nor the template's.
fn add_surroundings(environment: &mut Environment<'_>, options: &TemplateOptions, now: &str) {
    for name in ["now", "getCurrentTime"] {
        let now = now.to_owned();
        environment.add_function(name, move || now.clone());
    }
    environment.add_function("appVersion", || env!("CARGO_PKG_VERSION"));
    for name in ["getEnv", "env"] {
        let variables = options.environment.clone();
        environment.add_function(name, move |variable: &str| allowed(&variables, variable));
    }
}

fn allowed(variables: &BTreeMap<String, String>, variable: &str) -> Result<String, Error> {
    variables.get(variable).cloned().ok_or_else(|| {
        let detail = format!(
            "the environment variable {variable} is not given to templates; they reach only those that whoever runs them allows"
        );
        Error::new(ErrorKind::InvalidOperation, detail)
    })
}
