//! Headers as they came beside those that are expected.

use std::collections::HashMap;

use wharf_abi_proxy_wasm::HeaderList;
use wharf_config::cases::HeaderPattern;

use super::super::difference::Difference;
use crate::commands::run::report::as_text;

/// A header as it came.
pub(super) type Came = (String, String);

/// All headers of a list.
pub(super) fn all(list: &HeaderList) -> Vec<Came> {
    list.iter()
        .map(|(name, value)| (name.to_string(), as_text(value)))
        .collect()
}

/// Compares whole lists. The order among different names does not matter; that of the values of one name does.
pub(super) fn compare(
    line: usize,
    what: &str,
    expected: &[HeaderPattern],
    came: &[Came],
) -> Option<Difference> {
    let mut came: Vec<&Came> = came.iter().collect();
    came.sort_by(|left, right| left.0.cmp(&right.0));
    let mut expected: Vec<&HeaderPattern> = expected.iter().collect();
    expected.sort_by(|left, right| left.name.cmp(&right.name));
    let mut values: HashMap<&str, std::vec::IntoIter<&str>> = HashMap::new();
    for pattern in &expected {
        let name = pattern.name.as_str();
        values.entry(name).or_insert_with(|| {
            let same = came.iter().filter(|(other, _)| other == name);
            same.map(|(_, value)| value.as_str())
                .collect::<Vec<_>>()
                .into_iter()
        });
    }
    let expected: Vec<String> = expected
        .iter()
        .map(|HeaderPattern { name, value }| {
            // A name alone stands for whatever value is at its place.
            let at_its_place = values.get_mut(name.as_str()).and_then(Iterator::next);
            match value.as_deref().or(at_its_place) {
                Some(value) => format!("{name}: {value}"),
                None => name.clone(),
            }
        })
        .collect();
    let came: Vec<String> = came
        .iter()
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    Difference::of_lists(line, what, &expected, &came)
}

/// Looks for a header.
pub(super) fn find(line: usize, what: &str, wanted: &HeaderPattern, came: &[Came]) -> Option<Difference> {
    let same: Vec<&str> = came
        .iter()
        .filter(|(name, _)| *name == wanted.name)
        .map(|(_, value)| value.as_str())
        .collect();
    let name = &wanted.name;
    match &wanted.value {
        None if same.is_empty() => Some(Difference::new(line, format!("`{what}`: there is no {name}"))),
        None => None,
        Some(value) if same.contains(&value.as_str()) => None,
        Some(value) => Some(Difference::new(
            line,
            if same.is_empty() {
                format!("`{what}`: there is no {name}: {value}")
            } else {
                format!(
                    "`{what}`: {name} is expected to be {value}, and is {}",
                    same.join(" and ")
                )
            },
        )),
    }
}

/// Looks for a header that is not to be there.
pub(super) fn miss(line: usize, what: &str, name: &str, came: &[Came]) -> Option<Difference> {
    let (_, value) = came.iter().find(|(other, _)| other == name)?;
    Some(Difference::new(
        line,
        format!("`{what}`: there is {name}: {value}"),
    ))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn pattern(text: &str) -> HeaderPattern {
        let (name, value) = text
            .split_once(": ")
            .map_or((text, None), |(name, value)| (name, Some(value)));
        HeaderPattern {
            name: name.to_owned(),
            value: value.map(str::to_owned),
        }
    }

    fn came(headers: &[&str]) -> Vec<Came> {
        let pair = |header: &&str| {
            let (name, value) = header.split_once(": ").unwrap();
            (name.to_owned(), value.to_owned())
        };
        headers.iter().map(pair).collect()
    }

    fn check(expected: &[&str], came_headers: &[&str], difference: &Expect) {
        let expected: Vec<_> = expected.iter().map(|text| pattern(text)).collect();
        let mut text = String::new();
        if let Some(difference) = compare(1, "added", &expected, &came(came_headers)) {
            difference.write_lines(&mut text, 0);
        }
        difference.assert_eq(&text);
    }

    #[test]
    fn lists_are_exact_but_for_the_order_of_names() {
        check(&["b: 1", "a: 1"], &["a: 1", "b: 1"], &expect![[""]]);
        check(
            &["a: 1", "a: 2"],
            &["a: 2", "a: 1"],
            &expect![[r#"
            --- expected
            +++ came
            +a: 2
             a: 1
            -a: 2
        "#]],
        );
        check(
            &["a: 1"],
            &["a: 1", "a: 1"],
            &expect![[r#"
            --- expected
            +++ came
             a: 1
            +a: 1
        "#]],
        );
        check(
            &["a: 1", "b: 2"],
            &["a: 1", "b: 3", "c: 4"],
            &expect![[r#"
            --- expected
            +++ came
             a: 1
            -b: 2
            +b: 3
            +c: 4
        "#]],
        );
    }

    #[test]
    fn a_name_alone_is_any_value_but_one_header() {
        check(&["a", "b"], &["a: 1", "b: 2"], &expect![[""]]);
        check(&["a: 1", "a"], &["a: 1", "a: 7"], &expect![[""]]);
        check(
            &["a"],
            &["a: 1", "a: 2"],
            &expect![[r#"
            --- expected
            +++ came
             a: 1
            +a: 2
        "#]],
        );
        check(
            &["a", "a"],
            &["a: 1"],
            &expect![[r#"
            --- expected
            +++ came
             a: 1
            -a
        "#]],
        );
    }

    #[test]
    fn single_headers_are_found_and_missed() {
        let headers = came(&["a: 1", "a: 2", "b: x"]);
        let found = |text: &str| find(1, "headers", &pattern(text), &headers).map(|found| found.message);
        assert_eq!((found("a"), found("a: 2"), found("b: x")), (None, None, None));
        expect![[r#"
            `headers`: there is no c
            `headers`: there is no c: 1
            `headers`: a is expected to be 3, and is 1 and 2"#]]
        .assert_eq(
            &[found("c"), found("c: 1"), found("a: 3")]
                .map(Option::unwrap)
                .join("\n"),
        );
        assert!(miss(1, "absent", "c", &headers).is_none());
        expect!["`absent`: there is a: 1"].assert_eq(&miss(1, "absent", "a", &headers).unwrap().message);
    }
}
