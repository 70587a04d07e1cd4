//! JSON values as YAML text, for files that people read and other programs take.

use serde_json::{Map, Value};

/// The value as a YAML document, in blocks, keys in their order. YAML 1.1 and 1.2 read it alike.
pub fn to_yaml(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => mapping(&mut out, map, 0, false),
        Value::Array(items) if !items.is_empty() => list(&mut out, items, 0, false),
        other => {
            scalar(&mut out, other, 0);
            out.push('\n');
        }
    }
    out
}

/// Several documents in one text.
pub fn to_yaml_documents(values: &[Value]) -> String {
    values.iter().map(to_yaml).collect::<Vec<_>>().join("---\n")
}

const STEP: usize = 2;

/// Where `goes_on`, the first key stands on the line that is begun.
fn mapping(out: &mut String, map: &Map<String, Value>, indent: usize, goes_on: bool) {
    for (index, (key, value)) in map.iter().enumerate() {
        if index > 0 || !goes_on {
            pad(out, indent);
        }
        out.push_str(&in_line(key));
        out.push(':');
        match value {
            Value::Object(map) if !map.is_empty() => {
                out.push('\n');
                mapping(out, map, indent + STEP, false);
            }
            Value::Array(items) if !items.is_empty() => {
                out.push('\n');
                list(out, items, indent + STEP, false);
            }
            other => {
                out.push(' ');
                scalar(out, other, indent + STEP);
                out.push('\n');
            }
        }
    }
}

fn list(out: &mut String, items: &[Value], indent: usize, goes_on: bool) {
    for (index, item) in items.iter().enumerate() {
        if index > 0 || !goes_on {
            pad(out, indent);
        }
        out.push_str("- ");
        match item {
            Value::Object(map) if !map.is_empty() => mapping(out, map, indent + STEP, true),
            Value::Array(items) if !items.is_empty() => list(out, items, indent + STEP, true),
            other => {
                scalar(out, other, indent + STEP);
                out.push('\n');
            }
        }
    }
}

fn pad(out: &mut String, indent: usize) {
    out.extend(std::iter::repeat_n(' ', indent));
}

/// What has no lines of its own but those of a text. Empty lists and mappings are such, too.
fn scalar(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::String(text) if can_be_literal(text) => literal(out, text, indent.max(STEP)),
        Value::String(text) => out.push_str(&in_line(text)),
        other => out.push_str(&other.to_string()),
    }
}

/// Text with its lines as they are.
fn literal(out: &mut String, text: &str, indent: usize) {
    out.push('|');
    let body = match text.strip_suffix('\n') {
        Some(body) => body,
        None => {
            out.push('-');
            text
        }
    };
    for line in body.split('\n') {
        out.push('\n');
        if !line.is_empty() {
            pad(out, indent);
            out.push_str(line);
        }
    }
}

/// Whether a text has lines, and none of them makes a reader guess: the first tells how far all are indented.
fn can_be_literal(text: &str) -> bool {
    let body = text.strip_suffix('\n').unwrap_or(text);
    text.contains('\n')
        && !body.starts_with([' ', '\n'])
        && !body.ends_with('\n')
        && !body.is_empty()
        && body.chars().all(|c| c == '\n' || !is_special(c))
}

/// What must be escaped: YAML does not allow it, or takes it for the end of a line.
fn is_special(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

/// Text on one line: as it is where no reader takes it for something else, and else between double quotes.
fn in_line(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            // All that are special have at most four digits.
            c if is_special(c) => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Words that some YAML reader takes for nothing, a truth value or a number.
const TAKEN: [&str; 9] = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];

fn is_plain(text: &str) -> bool {
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    begins
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/'))
        && !TAKEN.iter().any(|word| text.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::super::{Documents, OtherReader, json_value, parse_trees};
    use super::*;

    fn read(text: &str) -> Vec<Value> {
        let trees = parse_trees(text, Documents::Any, &mut |flaw| panic!("{}", flaw.message));
        let trees = trees.unwrap_or_else(|complaint| panic!("{}:\n{text}", complaint.message));
        let value = |node: &std::rc::Rc<_>| json_value(node, OtherReader::Kubectl);
        trees
            .iter()
            .map(|node| value(node).unwrap_or_else(|complaint| panic!("{}:\n{text}", complaint.message)))
            .collect()
    }

    #[test]
    fn values_look_as_people_write_them() {
        let value = json!({
            "kind": "ConfigMap",
            "data": { "a.yml": "x: 1\n\n  y: 2\n", "no end": "a\nb" },
            "list": ["v1", 7, [1, [2]], { "a": 1, "b": { "c": [] } }, {}, ""],
            "version": "1.30",
            "bind": "0.0.0.0:8443",
            "yes": "no",
        });
        expect![[r#"
            kind: ConfigMap
            data:
              a.yml: |
                x: 1

                  y: 2
              "no end": |-
                a
                b
            list:
              - v1
              - 7
              - - 1
                - - 2
              - a: 1
                b:
                  c: []
              - {}
              - ""
            version: "1.30"
            bind: "0.0.0.0:8443"
            "yes": "no"
        "#]]
        .assert_eq(&to_yaml(&value));
        assert_eq!(read(&to_yaml(&value)), [value]);
    }

    #[test]
    fn any_text_is_read_back_as_it_was() {
        let texts = [
            "",
            " ",
            "\n",
            "a\n",
            "a\n\n",
            "\na",
            " a\nb",
            "a\n b",
            "a\n\n\nb",
            "a \n b \n",
            "a\r\nb",
            "\t",
            "a\tb\nc",
            "null",
            "~",
            "NULL",
            "True",
            "0644",
            "0x1F",
            "1e3",
            ".inf",
            "12:30:45",
            "2025-01-01",
            "<<",
            "- a",
            "a: b",
            "a #b",
            "#",
            "!tag",
            "&a",
            "*a",
            "{",
            "[",
            "]",
            "%",
            "@",
            "`",
            "|",
            ">",
            "?",
            "'",
            "\"",
            "\\",
            "\\n",
            "---",
            "...",
            "a\n---\nb",
            "a\n...\nb\n",
            "\u{0}",
            "\u{7f}",
            "\u{85}",
            "\u{9b}",
            "\u{2028}\n",
            "\u{feff}x",
            "\u{fffe}",
            "é",
            "\u{1f600}\nx",
            "a:",
            ":a",
            "on",
            "Y",
            "/x",
            "-",
            "--",
            "a-b",
            "=",
        ];
        for text in texts {
            for value in [
                json!(text),
                json!([text]),
                json!({ "k": text }),
                json!({ "k": [[text], { "l": text }] }),
            ] {
                // A document of nothing but text that is null would be taken for none.
                assert_eq!(read(&to_yaml(&value)), [value], "{text:?}");
            }
            let keyed = json!({ text: 1 });
            if text != "<<" {
                assert_eq!(read(&to_yaml(&keyed)), [keyed], "{text:?}");
            }
        }
    }

    #[test]
    fn numbers_are_read_back_as_they_were() {
        let value = json!([0, -7, u64::MAX, i64::MIN, 0.5, -1e-300, 1e300, true, false, null]);
        assert_eq!(read(&to_yaml(&value)), [value]);
    }

    #[test]
    fn documents_stay_apart() {
        let values = [json!({ "a": "x\n---\ny\n" }), json!(["b"]), json!("c\nd\n")];
        assert_eq!(read(&to_yaml_documents(&values)), values);
    }
}
