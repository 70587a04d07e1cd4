//! Policies that somebody made to break things.

use std::path::Path;

use expect_test::expect;
use wharf_config::kubewarden::{LoadedPolicies, parse_policies};

use super::policies::{check, policies};
use super::{ids, reasons};

/// Files of both forms, which the tests take apart.
const PIECES: &str = r#"a: { module: ghcr.io/a/b:v1, settings: &s { x: [1, "two", ~] }, timeout: 5ms }
g:
  policies: { m: { module: a.wasm, settings: *s } }
  expression: "m()"
  message: no
---
apiVersion: policies.kubewarden.io/v1
kind: AdmissionPolicy
metadata: { name: n, namespace: s }
spec:
  module: ghcr.io/a/b:v1
  mutating: false
  rules: [ { apiVersions: [v1], resources: [pods], operations: [CREATE] } ]
  objectSelector: { matchLabels: { a: b } }
"#;

/// Reads whatever it is given to the end, and never gives up without a reason.
fn survive(text: &str) {
    let has_reasons = |errors: &wharf_config::ConfigErrors| {
        assert!(!errors.errors.is_empty());
        assert_eq!(errors.errors.iter().find(|error| error.hint.is_none()), None);
        let rendered = errors.render(false);
        assert!(
            !rendered.contains("cannot be used"),
            "refused without a reason: {text:?}"
        );
        assert!(!rendered.contains('\u{1b}'));
    };
    match parse_policies(text, Path::new("policies.yml")) {
        Ok(LoadedPolicies { policies, .. }) => policies.bad.iter().for_each(|bad| has_reasons(&bad.errors)),
        Err(errors) => has_reasons(&errors),
    }
}

#[test]
fn every_beginning_is_answered() {
    assert_eq!(reasons(&policies(PIECES).policies.bad), "");
    for end in 0..PIECES.len() {
        survive(&PIECES[..end]);
    }
}

#[test]
fn every_changed_character_is_answered() {
    for at in 0..PIECES.len() {
        for replacement in [
            "", "\0", "\n", " ", ":", "-", "{", "]", "\"", "&", "*", "!", "#", "%", "|", "é", "/",
        ] {
            survive(&format!("{}{replacement}{}", &PIECES[..at], &PIECES[at + 1..]));
        }
    }
}

#[test]
fn a_bomb_of_aliases_does_not_go_off() {
    let mut text = String::from("a: &a [x, x, x, x, x, x, x, x, x, x]\n");
    for (name, before) in ('b'..='j').zip('a'..) {
        let aliases = vec![format!("*{before}"); 10].join(", ");
        text.push_str(&format!("{name}: &{name} [{aliases}]\n"));
    }
    check(
        &text,
        &expect![[r#"
        error: the file is too large from here on, with its aliases written out
         --> policies.yml:6:16
          |
        6 | f: &f [*e, *e, *e, *e, *e, *e, *e, *e, *e, *e]
          |                ^^
          |
          = hint: at most 8 MiB of values can be read"#]],
    );
}

/// Each of them is below the bound, all together are not.
#[test]
fn many_small_bombs_are_one_large_one() {
    let bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\n---\n";
    assert_eq!(policies(bomb).policies.bad.len(), 3);
    let errors = parse_policies(&bomb.repeat(500), Path::new("policies.yml")).unwrap_err();
    assert_eq!(
        errors.errors[0].message,
        "the file is too large from here on, with its aliases written out"
    );
}

#[test]
fn an_alias_does_not_reach_another_document() {
    check(
        "a: &x { module: ghcr.io/a/b }\n---\nb: *x\n",
        &expect![[r#"
        error: this is not valid YAML: while parsing node, found unknown anchor
         --> policies.yml:3:4
          |
        3 | b: *x
          |    ^
          |
          = hint: no value before this place has that anchor (`&name`)"#]],
    );
}

#[test]
fn deep_settings_are_refused() {
    let deep = |depth: usize| {
        format!(
            "a: {{ module: ghcr.io/a/b, settings: {{ x: {}{} }} }}",
            "[".repeat(depth),
            "]".repeat(depth)
        )
    };
    assert_eq!(ids(&policies(&deep(60)).policies), (vec!["a"], vec![]));
    let errors = parse_policies(&deep(70), Path::new("policies.yml")).unwrap_err();
    assert_eq!(
        errors.errors[0].message,
        "mappings and lists are nested more than 64 deep here"
    );
    survive(&deep(100_000));
}

#[test]
fn a_text_that_is_too_large_is_refused_before_it_is_read() {
    check(
        &" ".repeat((1 << 20) + 1),
        &expect![[r#"
        error: the policy file is larger than 1 MiB
        --> policies.yml
         = hint: is this the right file?"#]],
    );
}

#[test]
fn more_policies_than_can_be_served_are_refused() {
    let text: String = (0..5_010)
        .map(|n| format!("p{n}: {{ module: a.wasm }}\n"))
        .collect();
    check(
        &text,
        &expect![[r#"
        error: there are more than 5000 policies
            --> policies.yml:5001:1
             |
        5001 | p5000: { module: a.wasm }
             | ^^^^^
             |
             = hint: let several servers have a part of them each"#]],
    );
    let most: String = text.lines().take(5_000).map(|line| format!("{line}\n")).collect();
    assert_eq!(policies(&most).policies.entries.len(), 5_000);
}

#[test]
fn many_bad_policies_keep_one_error_each() {
    let text: String = (0..2_000)
        .map(|n| format!("p{n}: {{ module: s3://a/b, policyMode: 1, allowedToMutate: 2 }}, "))
        .collect();
    let bad = policies(&format!("{{ {text} }}")).policies.bad;
    assert_eq!(bad.len(), 2_000);
    assert_eq!((bad[0].errors.errors.len(), bad[0].errors.omitted), (3, 0));
    assert_eq!(
        (bad[1_999].errors.errors.len(), bad[1_999].errors.omitted),
        (1, 2)
    );
}

#[test]
fn many_equal_keys_make_the_file_bad() {
    let keys = "k: 1, ".repeat(50_000);
    let text = format!("a: {{ module: a.wasm, settings: {{ {keys} }} }}\nb: {{ module: a.wasm }}\n");
    let errors = parse_policies(&text, Path::new("policies.yml")).unwrap_err();
    assert_eq!(errors.errors.len() + errors.omitted, 49_999);
}

#[test]
fn many_unknown_keys_are_warned_of_in_short() {
    let keys: String = (0..50_000).map(|n| format!("k{n}: 1, ")).collect();
    let loaded = policies(&format!("a: {{ module: a.wasm, {keys} }}\n"));
    assert_eq!(ids(&loaded.policies), (vec!["a"], vec![]));
    assert_eq!(loaded.warnings.len(), 50);
}

#[test]
fn nothing_from_the_file_can_confuse_the_terminal() {
    check(
        "\"a\\e[2Jb\": { module: ghcr.io/a/b }\nc: { module: \"x\\e[31m\", \"k\\u202ey\": 1 }\n",
        &expect![[r#"
            [a\u{1b}[2Jb] error: a policy's id cannot contain control characters
             --> policies.yml:1:1
              |
            1 | "a\e[2Jb": { module: ghcr.io/a/b }
              | ^^^^^^^^^
              |
              = hint: reviews are sent to `/validate/` and the id; write for example `safe-labels` at policies.yml:1

            [c] warning: unknown key `k\u{202e}y` in `c`
             --> policies.yml:2:25
              |
            2 | c: { module: "x\e[31m", "k\u202ey": 1 }
              |                         ^^^^^^^^^^
              |
              = hint: the keys here are `module`, `policyMode`, `allowedToMutate`, `settings`, `contextAwareResources`, `hostCapabilities`, `message`, `timeoutEvalSeconds`, `timeout`, `executionMode`, `limits`, `namespacedName`

            error: a source cannot contain control characters
             --> policies.yml:2:14
              |
            2 | c: { module: "x\e[31m", "k\u202ey": 1 }
              |              ^^^^^^^^^
              |
              = hint: remove it at policies.yml:2"#]],
    );
}
