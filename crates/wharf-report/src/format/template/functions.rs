//! The functions that templates of reports use, beside those of Jinja. Each that takes a text is a filter as well.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use minijinja::value::Rest;
use minijinja::{Environment, Error, ErrorKind, State, Value};
use regex_automata::meta::Regex;

use super::{TemplateOptions, hash, text};
use crate::format::escape::{escape_html, escape_xml};
use crate::format::sarif::{path_of_target, rule_name};
use crate::format::severity;

pub(super) fn add(environment: &mut Environment<'_>, options: &TemplateOptions, now: &str) {
    // What is markup already is not escaped again, as Jinja has it.
    for name in ["escapeString", "escape", "e"] {
        add_both(environment, name, |value, text| match value.is_safe() {
            true => value.clone(),
            false => Value::from_safe_string(escape_html(text).into_owned()),
        });
    }
    add_both(environment, "escapeXML", |value, text| match value.is_safe() {
        true => value.clone(),
        false => Value::from_safe_string(escape_xml(text).into_owned()),
    });
    add_both(environment, "toLower", |_, text| Value::from(text.to_lowercase()));
    add_both(environment, "toUpper", |_, text| Value::from(text.to_uppercase()));
    add_both(environment, "endWithPeriod", |_, text| {
        match text.ends_with('.') {
            true => Value::from(text),
            false => Value::from(format!("{text}.")),
        }
    });
    add_both(environment, "nospace", |_, text| {
        Value::from(text.split_whitespace().collect::<String>())
    });
    add_both(environment, "toSarifErrorLevel", |_, text| {
        Value::from(severity::sarif_level(text))
    });
    add_both(environment, "toSarifRuleName", |_, text| {
        Value::from(rule_name(text))
    });
    add_both(environment, "sourceID", |_, text| Value::from(text));
    add_both(environment, "sha1sum", |_, text| Value::from(hash::sha1(text)));
    add_both(environment, "sha256sum", |_, text| {
        Value::from(hash::sha256(text))
    });
    add_with_arguments(environment);
    add_patterns(environment);
    add_surroundings(environment, options, now);
}

/// Working on a text costs one of the template's fuel for so many bytes.
const BYTES_OF_FUEL: usize = 16;

/// The text of a value, paid for.
fn charged<'v>(state: &State<'_, '_>, value: &'v Value) -> Result<Cow<'v, str>, Error> {
    let text = text::of(value);
    let cost = u64::try_from(text.len() / BYTES_OF_FUEL).unwrap_or(u64::MAX);
    state.consume_fuel(cost)?;
    Ok(text)
}

/// Adds a function of a value and its text, and the filter of its name.
fn add_both(
    environment: &mut Environment<'_>,
    name: &'static str,
    function: impl Fn(&Value, &str) -> Value + Send + Sync + Copy + 'static,
) {
    let charging = move |state: &State<'_, '_>, value: Value| -> Result<Value, Error> {
        charged(state, &value).map(|text| function(&value, &text))
    };
    environment.add_filter(name, charging);
    environment.add_function(name, charging);
}

fn add_with_arguments(environment: &mut Environment<'_>) {
    let to_path_uri = |state: &State<'_, '_>, target: Value, class: Option<Value>| {
        let class = class.as_ref().map(text::of).unwrap_or_default();
        charged(state, &target).map(|target| path_of_target(&target, &class))
    };
    environment.add_filter("toPathUri", to_path_uri);
    environment.add_function("toPathUri", to_path_uri);
    environment.add_filter("abbrev", |state: &State<'_, '_>, value: Value, most: usize| {
        charged(state, &value).map(|text| abbreviated(&text, most))
    });
    environment.add_function("abbrev", |state: &State<'_, '_>, most: usize, value: Value| {
        charged(state, &value).map(|text| abbreviated(&text, most))
    });
    environment.add_filter("trunc", |state: &State<'_, '_>, value: Value, length: i64| {
        charged(state, &value).map(|text| truncated(&text, length))
    });
    environment.add_function("trunc", |state: &State<'_, '_>, length: i64, value: Value| {
        charged(state, &value).map(|text| truncated(&text, length))
    });
    environment.add_filter(
        "trimPrefix",
        |state: &State<'_, '_>, value: Value, prefix: &str| {
            charged(state, &value).map(|text| text.strip_prefix(prefix).unwrap_or(&text).to_owned())
        },
    );
    environment.add_filter(
        "trimSuffix",
        |state: &State<'_, '_>, value: Value, suffix: &str| {
            charged(state, &value).map(|text| text.strip_suffix(suffix).unwrap_or(&text).to_owned())
        },
    );
    environment.add_function("list", |items: Rest<Value>| Value::from(items.0));
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

#[derive(Default)]
struct Patterns(Mutex<HashMap<String, Regex>>);

impl Patterns {
    fn find(&self, state: &State<'_, '_>, value: &Value, pattern: &str) -> Result<Option<String>, Error> {
        let text = charged(state, value)?;
        let mut patterns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !patterns.contains_key(pattern) {
            state.consume_fuel(COST_OF_PATTERN)?;
            if patterns.len() >= MOST_PATTERNS {
                patterns.clear();
            }
            patterns.insert(pattern.to_owned(), compiled(pattern)?);
        }
        let found = patterns.get(pattern).and_then(|regex| regex.find(&*text));
        Ok(found.and_then(|found| text.get(found.range()).map(ToOwned::to_owned)))
    }
}

fn compiled(pattern: &str) -> Result<Regex, Error> {
    let limits = Regex::config()
        .nfa_size_limit(Some(1 << 20))
        .hybrid_cache_capacity(1 << 20);
    Regex::builder()
        .configure(limits)
        .build(pattern)
        .map_err(|error| {
            let told = match error.syntax_error() {
                // The last line says what is wrong, those before it show where.
                Some(error) => error
                    .to_string()
                    .lines()
                    .next_back()
                    .unwrap_or_default()
                    .to_owned(),
                None => "it is too large".to_owned(),
            };
            let told = format!(
                "the pattern cannot be used: {}",
                told.trim_start_matches("error: ")
            );
            Error::new(ErrorKind::InvalidOperation, told)
        })
}

fn add_patterns(environment: &mut Environment<'_>) {
    let patterns = Arc::new(Patterns::default());
    let known = Arc::clone(&patterns);
    environment.add_filter(
        "regexMatch",
        move |state: &State<'_, '_>, value: Value, pattern: &str| {
            known.find(state, &value, pattern).map(|found| found.is_some())
        },
    );
    let known = Arc::clone(&patterns);
    environment.add_function(
        "regexMatch",
        move |state: &State<'_, '_>, pattern: &str, value: Value| {
            known.find(state, &value, pattern).map(|found| found.is_some())
        },
    );
    environment.add_filter(
        "regexFind",
        move |state: &State<'_, '_>, value: Value, pattern: &str| {
            patterns
                .find(state, &value, pattern)
                .map(Option::unwrap_or_default)
        },
    );
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
