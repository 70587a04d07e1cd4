use std::collections::BTreeMap;

use serde_json::json;

use super::{Any, from_guest, go_object, to_vec, to_vec_pretty};

go_object! {
    /// An object with a field of each kind.
    struct Sample {
        text: String => "Text",
        number: i64 => "Number" omit,
        float: f64 => "Float" omit,
        flag: bool => "flag" omit,
        list: Vec<String> => "List" omit,
        inner: Option<Inner> => "Inner" omit,
        map: BTreeMap<String, i64> => "Map" omit,
        any: Any => "Any" omit,
        embedded: Inner => inline,
    }
}

go_object! {
    /// An object in another.
    struct Inner {
        id: String => "ID" omit,
        lines: Option<Vec<i64>> => "Lines" omit,
    }
}

fn read(text: &str) -> Result<Sample, String> {
    from_guest(text.as_bytes()).map_err(|error| error.to_string())
}

fn text(sample: &Sample) -> String {
    String::from_utf8(to_vec(sample)).unwrap()
}

#[test]
fn keys_are_fields_whatever_their_case_and_others_are_passed_over() {
    let sample =
        read(r#"{"TEXT":"a","number":7,"FLAG":true,"id":"x","unknown":{"deep":[1,{}]},"Inner":{"Id":"y"}}"#);
    let sample = sample.unwrap();
    assert_eq!(
        text(&sample),
        r#"{"Text":"a","Number":7,"flag":true,"Inner":{"ID":"y"},"ID":"x"}"#
    );
}

#[test]
fn null_stands_for_what_is_empty() {
    let nulls = r#"{"Text":null,"Number":null,"Float":null,"flag":null,"List":null,"Inner":null,"Map":null,"Any":null,"Lines":null}"#;
    assert_eq!(read(nulls).unwrap(), Sample::default());
    assert_eq!(read("null").unwrap(), Sample::default());
    assert_eq!(
        text(&read(r#"{"List":["a",null]}"#).unwrap()),
        r#"{"Text":"","List":["a",""]}"#
    );
    // No list is another thing than an empty one, where that is kept.
    assert_eq!(
        text(&read(r#"{"Lines":[]}"#).unwrap()),
        r#"{"Text":"","Lines":[]}"#
    );
}

#[test]
fn the_last_of_two_equal_keys_counts() {
    assert_eq!(read(r#"{"Text":"a","text":"b"}"#).unwrap().text, "b");
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    for (given, error) in [
        (
            r#"{"Text":5}"#,
            "Text: invalid type: integer `5`, expected a string at line 1 column 9",
        ),
        (
            r#"{"Inner":{"Lines":[1,"x"]}}"#,
            "Inner.Lines[1]: invalid type: string \"x\", expected i64 at line 1 column 24",
        ),
        (
            r#"{"Number":1.5}"#,
            "Number: invalid type: floating point `1.5`, expected i64 at line 1 column 13",
        ),
        (
            "[]",
            "invalid type: sequence, expected an object at line 1 column 0",
        ),
        ("", "EOF while parsing a value at line 1 column 0"),
        ("{} x", "trailing characters at line 1 column 4"),
    ] {
        assert_eq!(read(given).unwrap_err(), error, "{given}");
    }
    let cut = read(r#"{"Text":"a"#).unwrap_err();
    assert!(cut.contains("EOF while parsing a string"), "{cut}");
    let deep = format!(r#"{{"Any":{}1{}}}"#, "[".repeat(200), "]".repeat(200));
    let deep = read(&deep).unwrap_err();
    assert!(deep.contains("recursion limit"), "{deep}");
}

#[test]
fn bytes_that_are_no_text_are_replaced() {
    let sample: Sample = from_guest(b"{\"Text\":\"a\xffb\"}").unwrap();
    assert_eq!(sample.text, "a\u{fffd}b");
}

#[test]
fn a_value_of_any_kind_is_kept_as_go_keeps_it() {
    let sample = read(r#"{"Any":{"b":1,"a":[2.50,9007199254740993,{"z":null,"y":true}],"c":1e21}}"#).unwrap();
    assert_eq!(
        text(&sample),
        r#"{"Text":"","Any":{"a":[2.5,9007199254740992,{"y":true,"z":null}],"b":1,"c":1e+21}}"#
    );
    assert_eq!(
        Any::from(json!({"b": 1, "a": 2})),
        Any::from(json!({"a": 2, "b": 1}))
    );
}

#[test]
fn floats_are_written_as_go_writes_them() {
    for (float, written) in [
        (9.8, "9.8"),
        (10.0, "10"),
        (-0.5, "-0.5"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1.5e300, "1.5e+300"),
        (1e-6, "0.000001"),
        (1e-7, "1e-7"),
        (1.25e-10, "1.25e-10"),
    ] {
        assert_eq!(super::write::go_float(float), written);
    }
}

#[test]
fn texts_are_escaped_as_go_escapes_them() {
    let sample = Sample {
        text: "<a href=\"x\">&\u{2028}\u{2029}\t\u{1}\u{8}\u{c}é\u{7f}</a>".into(),
        ..Sample::default()
    };
    assert_eq!(
        text(&sample),
        "{\"Text\":\"\\u003ca href=\\\"x\\\"\\u003e\\u0026\\u2028\\u2029\\t\\u0001\\b\\fé\u{7f}\\u003c/a\\u003e\"}"
    );
}

#[test]
fn nested_values_stand_two_spaces_deeper() {
    let sample = read(r#"{"Text":"a","List":["b"],"Any":{"c":[]}}"#).unwrap();
    assert_eq!(
        String::from_utf8(to_vec_pretty(&sample)).unwrap(),
        "{\n  \"Text\": \"a\",\n  \"List\": [\n    \"b\"\n  ],\n  \"Any\": {\n    \"c\": []\n  }\n}"
    );
}

#[test]
fn what_would_grow_out_of_proportion_is_refused() {
    let list =
        |item: &str, count: usize| format!("{{\"List\":[{}{item}]}}", format!("{item},").repeat(count - 1));
    // A brace in a string is none.
    assert!(read(&list("\"{\\\"{\"", 300_000)).is_ok());
    let error = read(&list("{}", 1 << 18)).unwrap_err();
    assert_eq!(error, "it has 262145 objects, and at most 262144 are read");
    let error = read(&list("null", 1 << 19)).unwrap_err();
    assert_eq!(error, "it has 524289 objects, and at most 262144 are read");
    let error = read(&list("1", (1 << 22) + 1)).unwrap_err();
    assert_eq!(error, "it has 4194305 values, and at most 4194304 are read");
}
