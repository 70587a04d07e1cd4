//! What OPA's library for YAML gives.

use super::super::Failure;
use super::super::testing::{call, check};

#[test]
fn values_are_laid_out_as_opa_does() {
    check(&[
        (
            "yaml.marshal",
            "[[1, [2, {}], []]]",
            r#""- 1\n- - 2\n  - {}\n- []\n""#,
        ),
        (
            "yaml.marshal",
            r#"[{"b": {"c": [{"d": 1, "e": null}, [true]]}, "a": []}]"#,
            r#""a: []\nb:\n  c:\n  - d: 1\n    e: null\n  - - true\n""#,
        ),
        ("yaml.marshal", r#"["a\nb\n"]"#, r#""|\n  a\n  b\n""#),
        ("yaml.marshal", r#"[""]"#, r#""\"\"\n""#),
        ("yaml.marshal", "[null]", r#""null\n""#),
        ("yaml.marshal", "[[]]", r#""[]\n""#),
        ("yaml.marshal", "[{}]", r#""{}\n""#),
        ("yaml.marshal", "[[[[]]]]", r#""- - []\n""#),
        (
            "yaml.marshal",
            r#"[{"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk": 1, "a\nb": [2], "": 3, "yes": 4, "1": 5, "a10": 1, "a9": 2, "a1b": 3, "A": 1, "-": 1, "é": 1}]"#,
            r#""\"\": 3\n'-': 1\n\"1\": 5\nA: 1\n? |-\n  a\n  b\n: - 2\na10: 1\na1b: 3\na9: 2\n? kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk\n: 1\n\"yes\": 4\né: 1\n""#,
        ),
        (
            "yaml.marshal",
            r#"[{"f": 1.5, "g": 1e+100, "h": 123456789012345678901234, "i": -0.0, "k": 18446744073709551615, "l": 12345678.5, "m": 1e-06}]"#,
            r#""f: 1.5\ng: 1e+100\nh: 1.2345678901234569e+23\ni: -0\nk: 18446744073709551615\nl: 1.23456785e+07\nm: 1e-06\n""#,
        ),
        (
            "yaml.marshal",
            r##"[{"a": " lead", "b": "trail ", "c": "x\ttab", "e": "\u0001", "f": "😀", "g": "2001-01-01", "h": "1:20", "i": "- a", "j": "-a", "k": "a: b", "l": "a #b", "m": "null", "n": "~", "p": "0x1f", "q": "1_000", "r": "1e3", "s": ".5", "t": "=", "u": "<<", "w": " ", "x": "a:b", "y": "#", "z": "it's"}]"##,
            r#""a: ' lead'\nb: 'trail '\nc: \"x\\ttab\"\ne: \"\\x01\"\nf: \"\\U0001F600\"\ng: \"2001-01-01\"\nh: \"1:20\"\ni: '- a'\nj: -a\nk: 'a: b'\nl: 'a #b'\nm: \"null\"\n\"n\": \"~\"\np: \"0x1f\"\nq: \"1_000\"\nr: \"1e3\"\ns: \".5\"\nt: =\nu: <<\nw:  \nx: a:b\n\"y\": '#'\nz: it's\n""#,
        ),
        (
            "yaml.marshal",
            r#"[{"a": " l1\nl2", "b": "\nx", "c": "x\n\n", "d": "x \ny", "e": "x\n y", "f": "\n", "g": "x\ny"}]"#,
            r#""a: |2-\n   l1\n  l2\nb: |2-\n\n  x\nc: |+\n  x\n\nd: \"x \\ny\"\ne: |-\n  x\n   y\nf: |2+\n\ng: |-\n  x\n  y\n""#,
        ),
        (
            "yaml.marshal",
            r#"[{"a": "word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word ", "b": "word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word", "c": "\tword word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word ", "d": ["x  y x  y x  y x  y x  y x  y x  y x  y x  y x  y x  y x  y x  y x  y x  y x  y x  y x  y x  y x  y x  y x  y x  y x  y x  y x  y x  y x  y x  y x  y "]}]"#,
            r#""a: 'word word word word word word word word word word word word word word word word\n  word word word word word word word word word word word word word word word word\n  word word word word word word word word '\nb: word word word word word word word word word word word word word word word word\n  word word word word word word word word word word word word word word word word\n  word word word word word word word word word\nc: \"\\tword word word word word word word word word word word word word word word word\n  word word word word word word word word word word word word word word word word\n  word word word word word word word word \"\nd:\n- 'x  y x  y x  y x  y x  y x  y x  y x  y x  y x  y x  y x  y x  y x  y x  y x  y\n  x  y x  y x  y x  y x  y x  y x  y x  y x  y x  y x  y x  y x  y x  y '\n""#,
        ),
        ("yaml.marshal", r#"["--- a"]"#, r#""'--- a'\n""#),
        ("yaml.marshal", r#"["..."]"#, r#""'...'\n""#),
        (
            "yaml.marshal",
            r#"["2001-1-1T1:1:1Z"]"#,
            r#""\"2001-1-1T1:1:1Z\"\n""#,
        ),
        ("yaml.marshal", r#"["08"]"#, r#""\"08\"\n""#),
        ("yaml.marshal", r#"["1:60"]"#, r#""1:60\n""#),
        ("yaml.marshal", r#"["+1:2.5_"]"#, r#""\"+1:2.5_\"\n""#),
        ("yaml.marshal", r#"["!x"]"#, r#""'!x'\n""#),
        ("yaml.marshal", r#"["%a"]"#, r#""'%a'\n""#),
        ("yaml.marshal", r#"["@"]"#, r#""'@'\n""#),
        ("yaml.marshal", r#"["? a"]"#, r#""'? a'\n""#),
        ("yaml.marshal", r#"["?a"]"#, r#""?a\n""#),
        ("yaml.marshal", r#"[": a"]"#, r#""': a'\n""#),
        ("yaml.marshal", r#"[":a"]"#, r#"":a\n""#),
        ("yaml.marshal", r#"["a:"]"#, r#""'a:'\n""#),
        ("yaml.marshal", r#"["a,b"]"#, r#""a,b\n""#),
        ("yaml.marshal", r#"["[a"]"#, r#""'[a'\n""#),
    ]);
}

#[test]
fn scalars_are_those_of_yaml_1_1() {
    check(&[
        (
            "yaml.unmarshal",
            r#"["a: 1\nb: [x, 'y', yes, 0o17, 017, 0x1F, 1_000, 1e3, .5, 1.0, 12345678901234567890123, -0, ~, 2001-01-01, '1', 0b11, -0b11, +1, 08, 1e999, '', y, N, -0x10, 9223372036854775808]\n1: x\ntrue: y\n1.5: z\n1.23456789012: w\n"]"#,
            r#"{"1":"x","1.2345679":"w","1.5":"z","a":1,"b":["x","y",true,15,15,31,1000,1000,0.5,1,1.2345678901234568e+22,0,null,"2001-01-01","1",3,-3,1,8,"1e999","",true,false,-16,9223372036854775808],"true":true}"#,
        ),
        (
            "yaml.unmarshal",
            r#"["a: &x {b: 1}\nc: *x\nd: {<<: *x, e: 2}\ne: {b: 3, <<: *x}\nf: {<<: [{a: 1}, {a: 2, b: 2}]}\n"]"#,
            r#"{"a":{"b":1},"c":{"b":1},"d":{"b":1,"e":2},"e":{"b":1},"f":{"a":1,"b":2}}"#,
        ),
        ("yaml.unmarshal", r#"["--- a\n--- b\n"]"#, r#""a""#),
        ("yaml.unmarshal", r#"[""]"#, "null"),
        ("yaml.unmarshal", r##"["# nothing\n"]"##, "null"),
        ("yaml.unmarshal", r#"["a: .inf"]"#, "undefined"),
        ("yaml.unmarshal", r#"["a: 1\na: 2"]"#, r#"{"a":2}"#),
        ("yaml.unmarshal", r#"["[a]: 1"]"#, "undefined"),
        ("yaml.unmarshal", r#"["~: 1"]"#, "undefined"),
        ("yaml.unmarshal", r#"["9223372036854775808: 1"]"#, "undefined"),
        ("yaml.unmarshal", r#"["!!str 1"]"#, r#""1""#),
        ("yaml.unmarshal", r#"["!!int '1'"]"#, "1"),
        ("yaml.unmarshal", r#"["!!int x"]"#, "undefined"),
        ("yaml.unmarshal", r#"["!!float 1"]"#, "1"),
        ("yaml.unmarshal", r#"["!!bool yes"]"#, "true"),
        ("yaml.unmarshal", r#"["!!bool 1"]"#, "undefined"),
        ("yaml.unmarshal", r#"["!!null ''"]"#, "null"),
        ("yaml.unmarshal", r#"["!!binary aGk="]"#, r#""hi""#),
        ("yaml.unmarshal", r#"["!!binary '?'"]"#, "undefined"),
        ("yaml.unmarshal", r#"["!foo 1"]"#, r#""1""#),
        (
            "yaml.unmarshal",
            r#"["a: 1.0\nb: 100000000000000000000000.0\nc: 0.0000001\nd: 1e21\ne: 1e20\nf: 18446744073709551615\ng: 18446744073709551616"]"#,
            r#"{"a":1,"b":1e+23,"c":1e-7,"d":1e+21,"e":100000000000000000000,"f":18446744073709551615,"g":18446744073709552000}"#,
        ),
        (
            "yaml.unmarshal",
            r#"["? a\n: b\n? c\n"]"#,
            r#"{"a":"b","c":null}"#,
        ),
        ("yaml.unmarshal", r#"["a\n...\nfoo: ["]"#, r#""a""#),
        ("yaml.unmarshal", r#"["a: &a [*a]"]"#, "undefined"),
        ("yaml.unmarshal", r#"["a: *b"]"#, "undefined"),
        (
            "yaml.unmarshal",
            r#"["a: 'x\n  y'\nb: >\n  f1\n  f2\n\n  f3\nc: |\n  l1\n   l2\nd: |-\n  x\ne: \"\\x41\\u00e9\\n\"\n"]"#,
            r#"{"a":"x y","b":"f1 f2\nf3\n","c":"l1\n l2\n","d":"x","e":"Aé\n"}"#,
        ),
        (
            "yaml.unmarshal",
            r#"["- - a\n  - b\n- {c: d, e: [f]}"]"#,
            r#"[["a","b"],{"c":"d","e":["f"]}]"#,
        ),
        ("yaml.unmarshal", r#"["<<: 1"]"#, "undefined"),
        ("yaml.unmarshal", r#"["a: <<"]"#, r#"{"a":"<<"}"#),
        ("yaml.unmarshal", r#"["{a: 1, b}"]"#, r#"{"a":1,"b":null}"#),
        ("yaml.unmarshal", r#"["a: b: c"]"#, "undefined"),
        ("yaml.unmarshal", r#"["\"a"]"#, "undefined"),
        ("yaml.unmarshal", r#"["- a\nb: c"]"#, "undefined"),
        ("yaml.unmarshal", "[1]", "undefined"),
        ("yaml.is_valid", r#"["a: [1"]"#, "false"),
        ("yaml.is_valid", r#"["a: [1]"]"#, "true"),
        ("yaml.is_valid", r#"["a: .nan"]"#, "false"),
        ("yaml.is_valid", "[{}]", "false"),
        ("yaml.marshal", "[{1:{2},{3}:4}]", r#""'[3]': 4\n\"1\":\n- 2\n""#),
    ]);
}

#[test]
fn texts_that_explode_are_refused() {
    let bomb: String = (1..9)
        .map(|level| {
            let alias = vec![format!("*a{}", level - 1); 9].join(",");
            format!("b{level}: &a{level} [{alias}]\n")
        })
        .collect();
    let bomb = format!("b0: &a0 [x,x,x,x,x,x,x,x,x]\n{bomb}");
    let nested = format!("{}{}", "[".repeat(400), "]".repeat(400));
    for text in [bomb, nested] {
        let given = call("yaml.unmarshal", &format!("[{text:?}]"));
        assert!(matches!(given, Err(Failure::Limit(_))), "{given:?}");
    }
    let deep = format!(
        "{}{}{}",
        "[".repeat(250),
        vec!["0"; 20_000].join(","),
        "]".repeat(250)
    );
    assert!(matches!(
        call("yaml.marshal", &format!("[{deep}]")),
        Err(Failure::Limit(_))
    ));
}
