//! What Go's package regexp gives.

use super::super::Failure;
use super::super::testing::{call, check};

#[test]
fn patterns_mean_what_they_mean_in_go() {
    check(&[
        ("regex.match", r#"["^a+$", "aaa"]"#, "true"),
        ("regex.match", r#"["a$", "a\n"]"#, "false"),
        ("regex.match", r#"["(?m)^b$", "a\nb\nc"]"#, "true"),
        ("regex.match", r#"["a.c", "a\nc"]"#, "false"),
        ("regex.match", r#"["(?s)a.c", "a\nc"]"#, "true"),
        ("regex.match", r#"["(?i)straße", "STRAẞE"]"#, "true"),
        ("regex.match", r#"["(?i)k", "K"]"#, "true"),
        ("regex.match", r#"["^\\d+$", "١"]"#, "false"),
        ("regex.match", r#"["^\\w+$", "é"]"#, "false"),
        ("regex.match", r#"["\\bé", "é"]"#, "false"),
        ("regex.match", r#"["\\B", "é"]"#, "true"),
        ("regex.match", r#"["^[[:alpha:]]+$", "abc"]"#, "true"),
        ("regex.match", r#"["^[[:^alpha:]]+$", "123"]"#, "true"),
        ("regex.match", r#"["^[a&&b]+$", "&ab"]"#, "true"),
        ("regex.match", r#"["^[[a]+$", "[a"]"#, "true"),
        ("regex.match", r#"["^[]a]+$", "]a"]"#, "true"),
        ("regex.match", r#"["^[^]a]$", "b"]"#, "true"),
        ("regex.match", r#"["^[a-]+$", "a-"]"#, "true"),
        ("regex.match", r#"["^[\\]\\-\\[]+$", "]-["]"#, "true"),
        ("regex.match", r#"["^a{,2}$", "a{,2}"]"#, "true"),
        ("regex.match", r#"["^a{2}$", "aa"]"#, "true"),
        ("regex.match", r#"["^{$", "{"]"#, "true"),
        ("regex.match", r#"["^a{2,3}?$", "aaa"]"#, "true"),
        (
            "regex.match",
            r#"["^\\x41\\x{1F600}\\101\\0$", "A😀A\u0000"]"#,
            "true",
        ),
        ("regex.match", r#"["^\\Qa.b\\E$", "a.b"]"#, "true"),
        ("regex.match", r#"["^\\Qa.b", "a.bc"]"#, "true"),
        (
            "regex.match",
            r#"["^\\pL\\p{Greek}\\P{Greek}\\p{^Lu}$", "aαaa"]"#,
            "true",
        ),
        ("regex.match", r#"["^(?P<x>a)(?<y>b)$", "ab"]"#, "true"),
        ("regex.match", r#"["(?U)^a+$", "aa"]"#, "true"),
        ("regex.match", r#"["^\\_\\<\\>\\/$", "_<>/"]"#, "true"),
        ("regex.match", r#"["^[\\x{D800}]$", "a"]"#, "false"),
        ("regex.match", r#"["^$", ""]"#, "true"),
        ("regex.match", r#"["", ""]"#, "true"),
        ("regex.match", r#"["^(a|b|)$", ""]"#, "true"),
        ("regex.match", r#"["^\\z", "a"]"#, "false"),
        ("regex.match", r#"["\\Aa\\z", "a"]"#, "true"),
        ("regex.match", r#"["^[\\D]$", "x"]"#, "true"),
        ("regex.match", r#"["^[\\S\\s]$", "\n"]"#, "true"),
        (
            "regex.match",
            r#"["^\\a\\f\\t\\n\\r\\v$", "\u0007\f\t\n\r\u000b"]"#,
            "true",
        ),
        ("regex.match", r#"["(?i)^[^k]$", "K"]"#, "false"),
        ("regex.match", r#"["(?i)^[[:^upper:]]$", "a"]"#, "false"),
        ("regex.match", r#"["^(?i:A)a$", "aa"]"#, "true"),
        ("regex.match", r#"["^((?i)A)a$", "aA"]"#, "false"),
        ("regex.match", r#"["^a(?i)*$", "aaa"]"#, "true"),
        ("regex.match", r#"["^\\p{Any}$", "x"]"#, "true"),
    ]);
}

#[test]
fn what_go_refuses_is_invalid() {
    check(&[
        ("regex.is_valid", r#"["a**"]"#, "false"),
        ("regex.is_valid", r#"["a*+"]"#, "false"),
        ("regex.is_valid", r#"["a+*"]"#, "false"),
        ("regex.is_valid", r#"["*"]"#, "false"),
        ("regex.is_valid", r#"["+a"]"#, "false"),
        ("regex.is_valid", r#"["|*"]"#, "false"),
        ("regex.is_valid", r#"["(*)"]"#, "false"),
        ("regex.is_valid", r#"["("]"#, "false"),
        ("regex.is_valid", r#"["a)"]"#, "false"),
        ("regex.is_valid", r#"["["]"#, "false"),
        ("regex.is_valid", r#"["[a"]"#, "false"),
        ("regex.is_valid", r#"["[b-a]"]"#, "false"),
        ("regex.is_valid", r#"["[[:foo:]]"]"#, "false"),
        ("regex.is_valid", r#"["\\1"]"#, "false"),
        ("regex.is_valid", r#"["\\8"]"#, "false"),
        ("regex.is_valid", r#"["\\C"]"#, "false"),
        ("regex.is_valid", r#"["\\Z"]"#, "false"),
        ("regex.is_valid", r#"["\\y"]"#, "false"),
        ("regex.is_valid", r#"["\\"]"#, "false"),
        ("regex.is_valid", r#"["\\é"]"#, "false"),
        ("regex.is_valid", r#"["\\x"]"#, "false"),
        ("regex.is_valid", r#"["\\x4"]"#, "false"),
        ("regex.is_valid", r#"["\\xg0"]"#, "false"),
        ("regex.is_valid", r#"["\\x{110000}"]"#, "false"),
        ("regex.is_valid", r#"["\\x{}"]"#, "false"),
        ("regex.is_valid", r#"["\\p"]"#, "false"),
        ("regex.is_valid", r#"["\\pX"]"#, "false"),
        ("regex.is_valid", r#"["\\p{Foo}"]"#, "false"),
        ("regex.is_valid", r#"["\\p{Alphabetic}"]"#, "false"),
        ("regex.is_valid", r#"["(?=a)"]"#, "false"),
        ("regex.is_valid", r#"["(?!a)"]"#, "false"),
        ("regex.is_valid", r#"["(?<=a)"]"#, "false"),
        ("regex.is_valid", r#"["(?<!a)"]"#, "false"),
        ("regex.is_valid", r#"["(?x)a"]"#, "false"),
        ("regex.is_valid", r#"["(?P<x>a)(?P<x>b)"]"#, "true"),
        ("regex.is_valid", r#"["(?P<>a)"]"#, "false"),
        ("regex.is_valid", r#"["(?P<x"]"#, "false"),
        ("regex.is_valid", r#"["(?P=x)"]"#, "false"),
        ("regex.is_valid", r#"["(?i-)"]"#, "false"),
        ("regex.is_valid", r#"["(?i--s)"]"#, "false"),
        ("regex.is_valid", r#"["(?"]"#, "false"),
        ("regex.is_valid", r#"["(?i"]"#, "false"),
        ("regex.is_valid", r#"["a{1001}"]"#, "false"),
        ("regex.is_valid", r#"["a{3,2}"]"#, "false"),
        ("regex.is_valid", r#"["a{0,1001}"]"#, "false"),
        ("regex.is_valid", r#"["(a{100}){11}"]"#, "false"),
        ("regex.is_valid", r#"["((a{10}){10}){11}"]"#, "false"),
        ("regex.is_valid", r#"["[\\b]"]"#, "false"),
        ("regex.is_valid", r#"["(?#c)"]"#, "false"),
        ("regex.is_valid", r#"["(?>a)"]"#, "false"),
        ("regex.is_valid", r#"["a*?"]"#, "true"),
        ("regex.is_valid", r#"["a??"]"#, "true"),
        ("regex.is_valid", r#"["a{1000}"]"#, "true"),
        ("regex.is_valid", r#"["(a{10}){100}"]"#, "true"),
        ("regex.is_valid", r#"["((a{0}){1000}){1000}"]"#, "false"),
        ("regex.is_valid", r#"["[a"]"#, "false"),
        ("regex.is_valid", r#"["a{1"]"#, "true"),
        ("regex.is_valid", r#"["a{01}"]"#, "true"),
        ("regex.is_valid", r#"["a{1,x}"]"#, "true"),
        ("regex.is_valid", r#"["[[.a.]]"]"#, "true"),
        ("regex.is_valid", r#"["x{2}{3}"]"#, "false"),
        ("regex.is_valid", r#"["(?i)(?-i)"]"#, "true"),
        ("regex.is_valid", r#"["()"]"#, "true"),
        ("regex.is_valid", r#"["(|a)*"]"#, "true"),
        ("regex.is_valid", r#"["^*"]"#, "true"),
        ("regex.is_valid", r#"["(?:)"]"#, "true"),
        ("regex.is_valid", r#"["[^\\x00-\\x{10FFFF}]"]"#, "true"),
        ("regex.is_valid", r#"["\\Q\\"]"#, "true"),
        ("regex.is_valid", r#"["\\pN\\p{Nd}\\p{Latin}"]"#, "true"),
    ]);
}

#[test]
fn matches_are_found_and_split_at() {
    check(&[
        ("regex.find_n", r#"["a.", "abacad", -1]"#, r#"["ab","ac","ad"]"#),
        ("regex.find_n", r#"["a.", "abacad", 2]"#, r#"["ab","ac"]"#),
        ("regex.find_n", r#"["a.", "abacad", 0]"#, "[]"),
        ("regex.find_n", r#"["", "aé", -1]"#, r#"["","",""]"#),
        ("regex.find_n", r#"["a*", "baac", -1]"#, r#"["","aa",""]"#),
        ("regex.find_n", r#"["é?", "éé", -1]"#, r#"["é","é"]"#),
        ("regex.find_n", r#"["(a)|b", "ab", -1]"#, r#"["a","b"]"#),
        ("regex.split", r#"[",", "a,b,,c"]"#, r#"["a","b","","c"]"#),
        ("regex.split", r#"[",", ""]"#, r#"[""]"#),
        ("regex.split", r#"["", "aéb"]"#, r#"["a","é","b"]"#),
        ("regex.split", r#"["", ""]"#, "[]"),
        ("regex.split", r#"["a*", "baac"]"#, r#"["b","c"]"#),
        ("regex.split", r#"["^", "ab"]"#, r#"["ab"]"#),
        ("regex.split", r#"["$", "ab"]"#, r#"["ab"]"#),
        ("regex.split", r#"["x", "abc"]"#, r#"["abc"]"#),
        ("regex.split", r#"["[,;]+", ",a;b,"]"#, r#"["","a","b",""]"#),
        (
            "regex.find_all_string_submatch_n",
            r#"["a(x*)b", "-axxb-ab-", -1]"#,
            r#"[["axxb","xx"],["ab",""]]"#,
        ),
        (
            "regex.find_all_string_submatch_n",
            r#"["(a)|(b)", "ab", -1]"#,
            r#"[["a","a",""],["b","","b"]]"#,
        ),
        (
            "regex.find_all_string_submatch_n",
            r#"["(a)|(b)", "ab", 1]"#,
            r#"[["a","a",""]]"#,
        ),
        ("regex.find_all_string_submatch_n", r#"["x", "ab", -1]"#, "[]"),
        ("regex.find_n", r#"["a", "a", 1.5]"#, "undefined"),
        ("regex.find_n", r#"["(", "a", 1]"#, "undefined"),
        ("regex.split", r#"[1, "a"]"#, "undefined"),
        ("re_match", r#"["a", "bab"]"#, "true"),
    ]);
}

#[test]
fn matches_are_replaced() {
    check(&[
        (
            "regex.replace",
            r#"["foo bar", "(\\w+) (\\w+)", "$2 $1"]"#,
            r#""bar foo""#,
        ),
        ("regex.replace", r#"["foo", "o", "$$"]"#, r#""f$$""#),
        ("regex.replace", r#"["foo", "(o)", "${1}x$1x$9"]"#, r#""foxox""#),
        (
            "regex.replace",
            r#"["foo", "(?P<n>o)", "<$n>[${n}]{$nx}"]"#,
            r#""f<o>[o]{}<o>[o]{}""#,
        ),
        ("regex.replace", r#"["foo", "o", "$"]"#, r#""f$$""#),
        ("regex.replace", r#"["foo", "o", "${"]"#, r#""f${${""#),
        ("regex.replace", r#"["foo", "(o)", "${1"]"#, r#""f${1${1""#),
        ("regex.replace", r#"["foo", "(o)", "$01 ${01}"]"#, r#""f  ""#),
        ("regex.replace", r#"["aé", "", "-"]"#, r#""-a-é-""#),
        ("regex.replace", r#"["baac", "a*", "x"]"#, r#""xbxcx""#),
        ("regex.replace", r#"["abc", "b*", "-"]"#, r#""-a-c-""#),
        ("regex.replace", r#"["foo", "o", "$0$0"]"#, r#""foooo""#),
        ("regex.replace", r#"["foo", "x", "y"]"#, r#""foo""#),
        ("regex.replace", r#"["foo", "(", "y"]"#, "undefined"),
        ("regex.replace", r#"["a.b", "\\.", "\\."]"#, r#""a\\.b""#),
        ("regex.replace", r#"["héllo", "é", "$é"]"#, r#""hllo""#),
        ("regex.replace", r#"["ab", "(x)?b", "[$1]"]"#, r#""a[]""#),
    ]);
}

#[test]
fn templates_have_patterns_in_them() {
    check(&[
        (
            "regex.template_match",
            r#"["urn:foo:{.*}", "urn:foo:bar:baz", "{", "}"]"#,
            "true",
        ),
        (
            "regex.template_match",
            r#"["urn:foo:{[a-z]+}", "urn:foo:1", "{", "}"]"#,
            "false",
        ),
        ("regex.template_match", r#"["a.b", "axb", "{", "}"]"#, "false"),
        ("regex.template_match", r#"["a.b", "a.b", "{", "}"]"#, "true"),
        (
            "regex.template_match",
            r#"["<a{2}>b<c|d>", "aabd", "<", ">"]"#,
            "true",
        ),
        ("regex.template_match", r#"["{a{2}}", "aa", "{", "}"]"#, "true"),
        ("regex.template_match", r#"["{a", "a", "{", "}"]"#, "undefined"),
        ("regex.template_match", r#"["a}", "a", "{", "}"]"#, "undefined"),
        (
            "regex.template_match",
            r#"["{a)(b}", "ab", "{", "}"]"#,
            "undefined",
        ),
        ("regex.template_match", r#"["a", "a", "{{", "}"]"#, "undefined"),
        ("regex.template_match", r#"["a", "a", "é", "}"]"#, "undefined"),
        ("regex.template_match", r#"["é{é}", "éé", "{", "}"]"#, "true"),
        ("regex.template_match", r#"["|a|", "a", "|", "|"]"#, "undefined"),
        ("regex.template_match", r#"["{}", "", "{", "}"]"#, "true"),
    ]);
}

#[test]
fn too_much_work_is_refused() {
    let long = "a".repeat(200_000);
    let deep = format!("{}a{}", "(".repeat(300), ")".repeat(300));
    for (pattern, text) in [
        ("(\\\\pL{1,900}){1}\\\\pN{1,900}", "a"),
        ("[ab]*a[ab]{900}", long.as_str()),
        (deep.as_str(), "a"),
        (&"a".repeat(17_000), "a"),
        (&"\\\\pL".repeat(51), "a"),
        (&format!("(?i){}", "[\\\\x{80}-\\\\x{FFFF}]".repeat(51)), "a"),
    ] {
        let given = call("regex.match", &format!("[\"{pattern}\", {text:?}]"));
        assert!(
            matches!(given, Err(Failure::Limit(_))),
            "{:.40}: {given:?}",
            pattern
        );
    }
    let given = call("regex.replace", &format!("[{long:?}, \"\", {long:?}]"));
    assert!(matches!(given, Err(Failure::Limit(_))), "{given:?}");
    let given = call("regex.split", &format!("[\"\", {:?}]", "a".repeat(100_002)));
    assert!(matches!(given, Err(Failure::Limit(_))), "{given:?}");
}
