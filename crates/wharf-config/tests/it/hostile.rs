//! Files that somebody made to break things, and files that broke by themselves.

use expect_test::expect;

use crate::{EXAMPLE, check, parse};

/// Reads whatever it is given to the end, errors rendered in both ways included, and never gives up without a reason.
fn survive(text: &str) {
    if let Err(errors) = parse(text) {
        assert!(!errors.errors.is_empty());
        let without_hint = errors.errors.iter().find(|error| error.hint.is_none());
        assert_eq!(without_hint, None, "every error says what to do");
        let rendered = errors.render(false);
        assert!(
            !rendered.contains("this file cannot be used"),
            "refused without a reason: {text:?}"
        );
        assert!(!rendered.contains('\u{1b}'));
        errors.render(true);
        serde_json::to_string(&errors).expect("errors can be written as JSON");
    }
}

#[test]
fn every_beginning_of_the_example_is_answered() {
    for end in 0..EXAMPLE.len() {
        survive(&EXAMPLE[..end]);
    }
}

#[test]
fn every_changed_character_of_the_example_is_answered() {
    for at in 0..EXAMPLE.len() {
        for replacement in [
            "", "\0", "\t", "\n", " ", ":", "-", "{", "]", "\"", "'", "&", "*", "!", "#", "%", "|", "é", "9",
        ] {
            survive(&format!("{}{replacement}{}", &EXAMPLE[..at], &EXAMPLE[at + 1..]));
        }
    }
}

#[test]
fn random_mixtures_of_the_example_are_answered() {
    let pieces: Vec<&str> = EXAMPLE
        .split_inclusive(&[' ', '\n', ':', ',', '{', '['][..])
        .collect();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..2_000 {
        let mut text = String::from("version: 1\n");
        for _ in 0..40 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            text.push_str(pieces[(state >> 33) as usize % pieces.len()]);
        }
        survive(&text);
    }
}

#[test]
fn a_bomb_of_aliases_does_not_go_off() {
    let mut text = String::from("version: 1\na: &a [x, x, x, x, x, x, x, x, x, x]\n");
    for (name, before) in ('b'..='j').zip('a'..) {
        let aliases = vec![format!("*{before}"); 10].join(", ");
        text.push_str(&format!("{name}: &{name} [{aliases}]\n"));
    }
    check(
        &text,
        &expect![[r#"
            error: the file is too large from here on, with its aliases written out
             --> wharf.yaml:7:16
              |
            7 | f: &f [*e, *e, *e, *e, *e, *e, *e, *e, *e, *e]
              |                ^^
              |
              = hint: at most 8 MiB of values can be read"#]],
    );
}

#[test]
fn an_alias_to_what_contains_it_is_refused() {
    check(
        "version: 1\nplugins: &all { a: *all }\n",
        &expect![[r#"
            error: this alias refers to a value that contains it
             --> wharf.yaml:2:20
              |
            2 | plugins: &all { a: *all }
              |                    ^^^^
              |
              = hint: write the value out"#]],
    );
}

#[test]
fn aliases_do_not_hide_depth() {
    let mut text = String::from("version: 1\na: &a [[[[[[[[[[x]]]]]]]]]]\n");
    for (name, before) in ('b'..='j').zip('a'..) {
        text.push_str(&format!("{name}: &{name} [[[[[[[[[[*{before}]]]]]]]]]]\n"));
    }
    check(
        &text,
        &expect![[r#"
            error: mappings and lists are nested more than 64 deep here
             --> wharf.yaml:8:17
              |
            8 | g: &g [[[[[[[[[[*f]]]]]]]]]]
              |                 ^^
              |
              = hint: nothing needs that; is a bracket missing?"#]],
    );
}

#[test]
fn deep_nesting_is_refused() {
    check(
        &format!("version: 1\nplugins: {}", "[".repeat(500)),
        &expect![[r#"
            error: mappings and lists are nested more than 64 deep here
             --> wharf.yaml:2:74
              |
             ::: 
            2 | …[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[…
              |                                                              ^
              |
              = hint: nothing needs that; is a bracket missing?"#]],
    );
    let mappings: String = (0..200)
        .map(|depth| format!("{}a:\n", " ".repeat(depth)))
        .collect();
    check(
        &mappings,
        &expect![[r#"
            error: mappings and lists are nested more than 64 deep here
              --> wharf.yaml:65:65
               |
            65 | ...                   a:
               |                       ^
               |
               = hint: nothing needs that; is a bracket missing?"#]],
    );
    survive(&"- ".repeat(100_000));
    survive(&"? ".repeat(100_000));
    survive(&"{a: ".repeat(100_000));
    survive(&"[".repeat(1 << 20));
}

/// Each is about as large as a file may be, and none may take long or give endless errors.
#[test]
fn large_files_are_answered_in_short() {
    let megabyte = 1_000_000;
    let errors = parse(&format!(
        "version: 1\n{}",
        (0..60_000).map(|n| format!("key{n}: 1\n")).collect::<String>()
    ))
    .unwrap_err();
    assert_eq!((errors.errors.len(), errors.omitted), (50, 60_000 - 50));
    assert!(errors.render(false).ends_with("and 59950 more errors"));
    let many = |line: &str| line.repeat(megabyte / line.len());
    survive(&many("- a\n"));
    survive(&many("a: b\n"));
    survive(&many("a"));
    survive(&many("'"));
    survive(&many("\""));
    survive(&many("a: "));
    survive(&many("[],"));
    survive(&many("#\n"));
    survive(&many("\n"));
    survive(&many("&a "));
    survive(&format!(
        "version: 1\nplugins: {{ a: {{ source: \"{}\" }} }}",
        many("x")
    ));
    let routes = many("{ match: { pathPrefix: /a }, upstream: u },");
    survive(&format!(
        "version: 1\nproxy: {{ upstreams: {{}}, listeners: [ {{ bind: 1.1.1.1:1, routes: [ {routes} ] }} ] }}"
    ));
    let names: String = (0..40_000).map(|n| format!("name{n}: {{}},")).collect();
    survive(&format!("version: 1\nproxy: {{ upstreams: {{ {names} }} }}\n"));
}

#[test]
fn control_characters_are_refused_with_their_place() {
    check(
        "version: 1\nplugins:\n  a\0b: 1\n",
        &expect![[r#"
            error: the file contains the control character U+0000
             --> wharf.yaml:3:4
              |
            3 |   a␀b: 1
              |    ^
              |
              = hint: is this a text file? Within double quotes, control characters are written as escapes such as "\0""#]],
    );
    check(
        "version: 1\n# \u{1b}[31mred\n",
        &expect![[r#"
            error: the file contains the control character U+001B
             --> wharf.yaml:2:3
              |
            2 | # ␛[31mred
              |   ^
              |
              = hint: is this a text file? Within double quotes, control characters are written as escapes such as "\0""#]],
    );
}

#[test]
fn nothing_from_the_file_can_confuse_the_terminal() {
    check(
        "version: 1\n\"evil\\e[31m\\u202Ekey\": 1\n",
        &expect![[r#"
            error: unknown key `evil\u{1b}[31m\u{202e}key` at the top of the file
             --> wharf.yaml:2:1
              |
            2 | "evil\e[31m\u202Ekey": 1
              | ^^^^^^^^^^^^^^^^^^^^^
              |
              = hint: the keys here are `version`, `plugins`, `proxy`, `admission`, `scan`, `registries`, `trust`, `store`, `admin`, `cache`"#]],
    );
    check(
        "version: 1\n# \u{202e}\nkey\u{202e}: 1\n",
        &expect![[r#"
            error: unknown key `key\u{202e}` at the top of the file
             --> wharf.yaml:3:1
              |
            3 | key�: 1
              | ^^^^
              |
              = hint: the keys here are `version`, `plugins`, `proxy`, `admission`, `scan`, `registries`, `trust`, `store`, `admin`, `cache`"#]],
    );
}

#[test]
fn text_that_is_too_large_is_refused_before_it_is_read() {
    check(
        &"a".repeat((1 << 20) + 1),
        &expect![[r#"
        error: the configuration is larger than 1 MiB
        --> wharf.yaml
         = hint: is this the right file?"#]],
    );
}
