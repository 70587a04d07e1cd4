use expect_test::{Expect, expect};

use super::*;

const MEMBERS: [&str; 4] = ["a", "b", "c", "long_Name9"];

fn parse(text: &str) -> Expression {
    Expression::parse(text, MEMBERS).unwrap()
}

fn refused(text: &str, expected: &Expect) {
    expected.assert_eq(&Expression::parse(text, MEMBERS).unwrap_err().to_string());
}

/// What an expression comes to where these members are true, these not known and all others false, and who was asked.
fn evaluate(text: &str, truths: &str, unknown: &str) -> (Option<bool>, String) {
    let mut asked = String::new();
    let truth = parse(text).evaluate(&mut |member| {
        asked.push_str(member);
        if unknown.contains(member) {
            return None;
        }
        Some(truths.contains(member))
    });
    (truth, asked)
}

#[test]
fn operators_have_their_usual_meaning_and_precedence() {
    let truth = |text: &str, truths: &str| evaluate(text, truths, "").0.unwrap();
    assert!(truth("a()", "a") && !truth("a()", ""));
    assert!(truth("!a()", "") && !truth("!!a()", ""));
    assert!(truth("a() || b() && c()", "a") && !truth("(a() || b()) && c()", "a"));
    assert!(truth("!a() && b()", "b") && !truth("!(a() && b())", "ab"));
    assert!(truth("a() == b()", "") && truth("a() != b()", "a") && !truth("a() == b()", "a"));
    assert!(truth("a() == false && b() == true", "b"));
    assert!(truth("a() != b() == c()", "ac") && truth("true", "") && !truth("false || !true", ""));
    assert!(truth(" \n\t( a ( ) ) ", "a"));
    assert!(Expression::parse("long_Name9()", MEMBERS).is_ok());
}

#[test]
fn members_are_asked_only_while_it_matters() {
    assert_eq!(evaluate("a() && b() && c()", "", ""), (Some(false), "a".into()));
    assert_eq!(evaluate("a() || b() || c()", "b", ""), (Some(true), "ab".into()));
    assert_eq!(
        evaluate("(a() && b()) || c()", "c", ""),
        (Some(true), "ac".into())
    );
    assert_eq!(evaluate("true || a()", "", ""), (Some(true), String::new()));
}

#[test]
fn what_is_not_known_decides_only_where_it_matters() {
    assert_eq!(evaluate("a() || b()", "b", "a"), (Some(true), "ab".into()));
    assert_eq!(evaluate("a() || b()", "", "a"), (None, "ab".into()));
    assert_eq!(evaluate("a() && b()", "", "a"), (Some(false), "ab".into()));
    assert_eq!(evaluate("a() && b()", "b", "a"), (None, "ab".into()));
    assert_eq!(evaluate("!a()", "", "a"), (None, "a".into()));
    assert_eq!(evaluate("!a() || b()", "b", "a"), (Some(true), "ab".into()));
    assert_eq!(evaluate("a() == a()", "", "a"), (None, "a".into()));
    assert_eq!(evaluate("a() != b()", "a", "b"), (None, "ab".into()));
}

/// Every expression over three members, with each truth: none that hangs on an unknown one comes to anything.
#[test]
fn an_answer_holds_whatever_the_unknown_ones_are() {
    for text in [
        "a() && (b() || !c())",
        "!(a() && b()) != c()",
        "a() || b() && !a()",
        "(a() == b()) || (b() && c())",
        "!a() && !b() && !c()",
    ] {
        for truths in 0..8_u8 {
            for unknown in 0..8_u8 {
                let names = |bits: u8| -> String {
                    let name = |at: usize| (bits >> at & 1 == 1).then_some(["a", "b", "c"][at]);
                    (0..3).filter_map(name).collect()
                };
                if let (Some(answer), _) = evaluate(text, &names(truths), &names(unknown)) {
                    for settled in 0..8_u8 {
                        let truths = (truths & !unknown) | (settled & unknown);
                        let (known, _) = evaluate(text, &names(truths), "");
                        assert_eq!(known, Some(answer), "{text} {truths} {unknown}");
                    }
                }
            }
        }
    }
}

#[test]
fn what_is_no_expression_is_told_with_its_place() {
    refused(
        "",
        &expect!["at character 1 of the expression: the end, where a member's call, `!` or `(` is expected"],
    );
    refused(
        "a() &&",
        &expect!["at character 7 of the expression: the end, where a member's call, `!` or `(` is expected"],
    );
    refused(
        "a() & b()",
        &expect!["at character 5 of the expression: `&`, where `&&`, `||` or the end is expected"],
    );
    refused(
        "a() and b()",
        &expect!["at character 5 of the expression: `and`, where `&&`, `||` or the end is expected"],
    );
    refused(
        "a() b()",
        &expect!["at character 5 of the expression: `b`, where `&&`, `||` or the end is expected"],
    );
    refused(
        "a",
        &expect!["at character 1 of the expression: `a` is not called: write `a()`"],
    );
    refused(
        "a(1)",
        &expect![
            "at character 3 of the expression: `1`, where `)`, since members take no arguments, is expected"
        ],
    );
    refused(
        "(a()",
        &expect!["at character 5 of the expression: the end, where `)` is expected"],
    );
    refused(
        "a())",
        &expect!["at character 4 of the expression: `)`, where `&&`, `||` or the end is expected"],
    );
    refused(
        "é()",
        &expect!["at character 1 of the expression: `é`, where a member's call, `!` or `(` is expected"],
    );
    refused(
        "a() || d()",
        &expect![
            "at character 8 of the expression: `d` is no member of the group, which has a, b, c, long_Name9"
        ],
    );
    refused(
        "1 == 1",
        &expect!["at character 1 of the expression: `1`, where a member's call, `!` or `(` is expected"],
    );
    refused(
        "print(\"x\")",
        &expect![
            "at character 1 of the expression: `print` is no member of the group, which has a, b, c, long_Name9"
        ],
    );
    refused(
        "loop {}",
        &expect![
            "at character 1 of the expression: `loop` is no member of the group, which has a, b, c, long_Name9"
        ],
    );
    refused(
        "let x = a(); x",
        &expect![
            "at character 1 of the expression: `let` is no member of the group, which has a, b, c, long_Name9"
        ],
    );
    refused(
        "true()",
        &expect!["at character 5 of the expression: `(`, where `&&`, `||` or the end is expected"],
    );
    refused(
        "a() ? b() : c()",
        &expect!["at character 5 of the expression: `?`, where `&&`, `||` or the end is expected"],
    );
    let none = Expression::parse("x()", []).unwrap_err();
    expect!["at character 1 of the expression: `x` is no member of the group, which has none"]
        .assert_eq(&none.to_string());
}

#[test]
fn expressions_are_bounded() {
    let nested = |count: usize| format!("{}a(){}", "(".repeat(count), ")".repeat(count));
    parse(&nested(64));
    refused(
        &nested(65),
        &expect!["at character 65 of the expression: it is nested deeper than 64 levels"],
    );
    refused(
        &"!".repeat(10_000),
        &expect!["at character 65 of the expression: it is nested deeper than 64 levels"],
    );
    refused(
        &format!("a(){}", "==a()".repeat(1_000)),
        &expect!["at character 324 of the expression: it is nested deeper than 64 levels"],
    );
    refused(
        &" ".repeat(20_000),
        &expect!["at character 1 of the expression: it has more than 16384 bytes"],
    );

    let chain = format!("a(){}", "||a()&&b()".repeat(1_500));
    assert_eq!(evaluate(&chain, "", "").0, Some(false));
}

#[test]
fn members_that_are_never_called_are_named() {
    assert_eq!(parse("a() && !c()").unused_members(), ["b", "long_Name9"]);
}
