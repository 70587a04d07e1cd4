//! What is wrong with files, and what their authors are told.

use expect_test::expect;

use crate::{EXAMPLE, check, parse};

/// The example with one piece of its text replaced by another.
fn example_with(piece: &str, replacement: &str) -> String {
    assert!(EXAMPLE.contains(piece), "the example has {piece:?}");
    EXAMPLE.replacen(piece, replacement, 1)
}

/// A file with one plugin that has this body in flow style.
fn plugin(body: &str) -> String {
    format!("version: 1\nplugins:\n  a: {{ {body} }}\n")
}

/// Each text's errors, one below the other, without warnings.
fn errors_of(texts: impl IntoIterator<Item = String>) -> String {
    let seen: Vec<String> = texts
        .into_iter()
        .map(|text| {
            let errors = parse(&text).expect_err(&text).errors;
            assert!(
                errors.iter().all(|error| error.hint.is_some()),
                "every error says what to do: {errors:?}"
            );
            errors
                .iter()
                .map(|error| error.render(false))
                .collect::<Vec<_>>()
                .join("\n")
        })
        .collect();
    seen.join("\n\n")
}

#[test]
fn a_typo_in_a_key() {
    check(
        &example_with("deadline: 20ms", "deadlin: 20ms"),
        &expect![[r#"
            error: unknown key `deadlin` in `plugins.greet.limits`
             --> wharf.yaml:5:30
              |
            5 |     limits: { memory: 64MiB, deadlin: 20ms }
              |                              ^^^^^^^
              |
              = hint: did you mean `deadline`? the keys here are `memory`, `tableElements`, `instances`, `deadline`, `startupDeadline`, `stack`"#]],
    );
    check(
        &example_with("onFault", "on_fault"),
        &expect![[r#"
            error: unknown key `on_fault` in `plugins.greet`
             --> wharf.yaml:6:5
              |
            6 |     on_fault: closed            # closed: 503 | open: go on without this filter
              |     ^^^^^^^^
              |
              = hint: did you mean `onFault`? the keys here are `source`, `pullPolicy`, `limits`, `onFault`, `env`, `rootId`, `vmId`, `vmConfig`, `allow`, `allowOnHeadersStopIteration`, `required`"#]],
    );
    check(
        &example_with("admin:", "replicas: 3\nadmin:"),
        &expect![[r#"
            error: unknown key `replicas` at the top of the file
              --> wharf.yaml:27:1
               |
            27 | replicas: 3
               | ^^^^^^^^
               |
               = hint: the keys here are `version`, `plugins`, `proxy`, `admission`, `scan`, `registries`, `trust`, `store`, `admin`, `cache`"#]],
    );
    check(
        &example_with("limits: {", "limits: { <<: {},"),
        &expect![[r#"
            error: unknown key `<<` in `plugins.greet.limits`
             --> wharf.yaml:5:15
              |
            5 |     limits: { <<: {}, memory: 64MiB, deadline: 20ms }
              |               ^^
              |
              = hint: merge keys are not understood; an alias (`*name`) can stand for a whole value"#]],
    );
}

#[test]
fn all_errors_come_in_one_go_in_the_order_of_the_file() {
    let text = EXAMPLE
        .replace("memory: 64MiB", "memory: 64MB")
        .replace("onFault: closed", "onFault: close")
        .replace("plugin: count", "plugin: cuont")
        .replace("upstream: app", "upstream: ap")
        .replace("status: 200", "status: 999")
        .replace("connectTimeout: 1s", "connectTimeout: 1");
    check(
        &text,
        &expect![[r#"
            error: `plugins.greet.limits.memory`: `MB` is not a unit of size
             --> wharf.yaml:5:23
              |
            5 |     limits: { memory: 64MB, deadline: 20ms }
              |                       ^^^^
              |
              = hint: did you mean `MiB`?

            error: `plugins.greet.onFault` cannot be `close`
             --> wharf.yaml:6:14
              |
            6 |     onFault: close            # closed: 503 | open: go on without this filter
              |              ^^^^^
              |
              = hint: did you mean `closed`?

            error: no plugin is called `cuont`
              --> wharf.yaml:19:23
               |
            19 |             - plugin: cuont
               |                       ^^^^^
               |
               = hint: did you mean `count`?

            error: no upstream is called `ap`
              --> wharf.yaml:20:21
               |
            20 |           upstream: ap
               |                     ^^
               |
               = hint: did you mean `app`?

            error: `proxy.upstreams.hello.respond.status` cannot be `999`
              --> wharf.yaml:25:33
               |
            25 |     hello: { respond: { status: 999, headers: { content-type: text/plain }, body: "hello from wharf\n" } }
               |                                 ^^^
               |
               = hint: it goes from 200 to 599

            error: `proxy.upstreams.app.connectTimeout`: `1` is not a duration: the unit is missing
              --> wharf.yaml:26:59
               |
            26 |     app: { endpoints: ["127.0.0.1:9000"], connectTimeout: 1, requestTimeout: 15s }
               |                                                           ^
               |
               = hint: write `1ms` for milliseconds, or `1s` for seconds"#]],
    );
}

#[test]
fn a_duplicate_key() {
    check(
        &example_with("  count:", "  greet:"),
        &expect![[r#"
            error: the key `greet` is given twice
             --> wharf.yaml:8:3
              |
            8 |   greet:
              |   ^^^^^
              |
             ::: wharf.yaml:3:3
              |
            3 |   greet:
              |   ----- first given here
              |
              = hint: remove one of the two

            error: no plugin is called `count`
              --> wharf.yaml:19:23
               |
            19 |             - plugin: count
               |                       ^^^^^
               |
               = hint: define it under `plugins`, where there is `greet`"#]],
    );
    check(
        &plugin("source: file:a.wasm, source: file:b.wasm"),
        &expect![[r#"
            error: the key `source` is given twice
             --> wharf.yaml:3:29
              |
            3 |   a: { source: file:a.wasm, source: file:b.wasm }
              |        ------               ^^^^^^
              |        |
              |        first given here
              |
              = hint: remove one of the two"#]],
    );
}

#[test]
fn keys_that_are_no_text() {
    check(
        "version: 1\n? [a, b]\n: c\n",
        &expect![[r#"
            error: a key is text, and this one is a list
             --> wharf.yaml:2:3
              |
            2 | ? [a, b]
              |   ^^^^^^
              |
              = hint: text that begins with a bracket must stand between quotes"#]],
    );
}

#[test]
fn wrong_types() {
    let texts = [
        "- version: 1\n".to_owned(),
        "just text\n".to_owned(),
        "version: 1\nplugins: [a]\n".to_owned(),
        "version: 1\nplugins: text\n".to_owned(),
        "version: 1\nplugins: { a: }\n".to_owned(),
        "version: 1\nproxy: 5\n".to_owned(),
        "version: 1\nproxy: { listeners: { name: web } }\n".to_owned(),
        "version: 1\nadmin: { bind: 8080 }\n".to_owned(),
        plugin("source: 5"),
        plugin("source: [file:a.wasm]"),
        plugin("source: file:a.wasm, rootId: 7"),
        plugin("source: file:a.wasm, rootId: true"),
        plugin("source: file:a.wasm, required: yes"),
        plugin("source: file:a.wasm, required: 'true'"),
        plugin("source: file:a.wasm, env: { A: true }"),
        plugin("source: file:a.wasm, env: { A: [1] }"),
        plugin("source: file:a.wasm, env: [A]"),
        plugin("source: file:a.wasm, onFault: [open]"),
        plugin("source: file:a.wasm, allow: { upstreams: app }"),
        plugin("source: file:a.wasm, limits: { instances: '5' }"),
        plugin("source: file:a.wasm, limits: { instances: many }"),
        plugin("source: file:a.wasm, limits: { memory: true }"),
    ];
    expect![[r#"
        error: the file is to be a mapping, and this is a list
         --> wharf.yaml:1:1
          |
        1 | - version: 1
          | ^^^^^^^^^^^^
          |
          = hint: write `key: value`, without `-` in front

        error: the file is to be a mapping, and this is text
         --> wharf.yaml:1:1
          |
        1 | just text
          | ^^^^^^^^^
          |
          = hint: write `key: value`, with a space behind the colon

        error: `plugins` is to be a mapping, and this is a list
         --> wharf.yaml:2:10
          |
        2 | plugins: [a]
          |          ^^^
          |
          = hint: write `key: value`, without `-` in front

        error: `plugins` is to be a mapping, and this is text
         --> wharf.yaml:2:10
          |
        2 | plugins: text
          |          ^^^^
          |
          = hint: write `key: value`, with a space behind the colon

        error: `plugins.a` is to be a mapping, and this is nothing
         --> wharf.yaml:2:13
          |
        2 | plugins: { a: }
          |             ^
          |
          = hint: give it a value, or remove the key

        error: `proxy` is to be a mapping, and this is a number
         --> wharf.yaml:2:8
          |
        2 | proxy: 5
          |        ^
          |
          = hint: write `key: value`, with a space behind the colon

        error: `proxy.listeners` is to be a list, and this is a mapping
         --> wharf.yaml:2:21
          |
        2 | proxy: { listeners: { name: web } }
          |                     ^^^^^^^^^^^^^
          |
          = hint: begin each item with `- `

        error: `admin.bind` is to be an address and a port such as `127.0.0.1:8080`, and this is a number
         --> wharf.yaml:2:16
          |
        2 | admin: { bind: 8080 }
          |                ^^^^
          |
          = hint: write for example `127.0.0.1:8080`

        error: `plugins.a.source` is to be a source such as `file:plugins/greet.wasm` or `oci:registry.example/greet:1.2`, and this is a number
         --> wharf.yaml:3:16
          |
        3 |   a: { source: 5 }
          |                ^
          |
          = hint: write for example `file:plugins/greet.wasm`

        error: `plugins.a.source` is to be a source such as `file:plugins/greet.wasm` or `oci:registry.example/greet:1.2`, and this is a list
         --> wharf.yaml:3:16
          |
        3 |   a: { source: [file:a.wasm] }
          |                ^^^^^^^^^^^^^
          |
          = hint: write for example `file:plugins/greet.wasm`

        error: `plugins.a.rootId` is to be text, and this is a number
         --> wharf.yaml:3:37
          |
        3 |   a: { source: file:a.wasm, rootId: 7 }
          |                                     ^
          |
          = hint: put it between quotes: "7"

        error: `plugins.a.rootId` is to be text, and this is a truth value
         --> wharf.yaml:3:37
          |
        3 |   a: { source: file:a.wasm, rootId: true }
          |                                     ^^^^
          |
          = hint: put it between quotes: "true"

        error: `plugins.a.required` is to be `true` or `false`, and this is text
         --> wharf.yaml:3:39
          |
        3 |   a: { source: file:a.wasm, required: yes }
          |                                       ^^^
          |
          = hint: write `true`

        error: `plugins.a.required` is to be `true` or `false`, and this is text
         --> wharf.yaml:3:39
          |
        3 |   a: { source: file:a.wasm, required: 'true' }
          |                                       ^^^^^^
          |
          = hint: remove the quotes

        error: `plugins.a.env.A` is to be text or a number, and this is a truth value
         --> wharf.yaml:3:39
          |
        3 |   a: { source: file:a.wasm, env: { A: true } }
          |                                       ^^^^
          |
          = hint: put it between quotes: "true"

        error: `plugins.a.env.A` is to be text or a number, and this is a list
         --> wharf.yaml:3:39
          |
        3 |   a: { source: file:a.wasm, env: { A: [1] } }
          |                                       ^^^
          |
          = hint: write text or a number

        error: `plugins.a.env` is to be a mapping, and this is a list
         --> wharf.yaml:3:34
          |
        3 |   a: { source: file:a.wasm, env: [A] }
          |                                  ^^^
          |
          = hint: write `key: value`, without `-` in front

        error: `plugins.a.onFault` is to be `closed` or `open`, and this is a list
         --> wharf.yaml:3:38
          |
        3 |   a: { source: file:a.wasm, onFault: [open] }
          |                                      ^^^^^^
          |
          = hint: write `closed` or `open`

        error: `plugins.a.allow.upstreams` is to be a list, and this is text
         --> wharf.yaml:3:49
          |
        3 |   a: { source: file:a.wasm, allow: { upstreams: app } }
          |                                                 ^^^
          |
          = hint: write `["app"]`

        error: `plugins.a.limits.instances` is to be a whole number, and this is text
         --> wharf.yaml:3:50
          |
        3 |   a: { source: file:a.wasm, limits: { instances: '5' } }
          |                                                  ^^^
          |
          = hint: remove the quotes

        error: `plugins.a.limits.instances` is to be a whole number, and this is text
         --> wharf.yaml:3:50
          |
        3 |   a: { source: file:a.wasm, limits: { instances: many } }
          |                                                  ^^^^
          |
          = hint: it goes from 1 to 100000

        error: `plugins.a.limits.memory` is to be a size such as `64MiB`, and this is a truth value
         --> wharf.yaml:3:47
          |
        3 |   a: { source: file:a.wasm, limits: { memory: true } }
          |                                               ^^^^
          |
          = hint: write a size such as `64MiB`"#]]
    .assert_eq(&errors_of(texts));
}

#[test]
fn quantities_that_cannot_be_read_or_are_out_of_bounds() {
    let texts = [
        "memory: 64",
        "memory: 64MB",
        "memory: 1.5GiB",
        "memory: 1KiB",
        "memory: 8GiB",
        "memory: -1MiB",
        "deadline: 50",
        "deadline: soon",
        "deadline: 5sec",
        "deadline: 0s",
        "deadline: 2h",
        "instances: 0",
        "instances: 99999999999999999999999",
        "instances: 1.5",
        "stack: 2MiB",
    ];
    let texts = texts.map(|limit| plugin(&format!("source: file:a.wasm, limits: {{ {limit} }}")));
    expect![[r#"
        error: `plugins.a.limits.memory`: `64` is not a size: the unit is missing
         --> wharf.yaml:3:47
          |
        3 |   a: { source: file:a.wasm, limits: { memory: 64 } }
          |                                               ^^
          |
          = hint: write `64B` for bytes, or `64MiB`

        error: `plugins.a.limits.memory`: `MB` is not a unit of size
         --> wharf.yaml:3:47
          |
        3 |   a: { source: file:a.wasm, limits: { memory: 64MB } }
          |                                               ^^^^
          |
          = hint: did you mean `MiB`?

        error: `plugins.a.limits.memory`: `1.5GiB` is a fraction: a size is a whole number of its unit
         --> wharf.yaml:3:47
          |
        3 |   a: { source: file:a.wasm, limits: { memory: 1.5GiB } }
          |                                               ^^^^^^
          |
          = hint: write it in a smaller unit, for example 1536MiB for one and a half GiB

        error: `plugins.a.limits.memory` cannot be `1KiB`
         --> wharf.yaml:3:47
          |
        3 |   a: { source: file:a.wasm, limits: { memory: 1KiB } }
          |                                               ^^^^
          |
          = hint: it goes from 64KiB to 4GiB

        error: `plugins.a.limits.memory` cannot be `8GiB`
         --> wharf.yaml:3:47
          |
        3 |   a: { source: file:a.wasm, limits: { memory: 8GiB } }
          |                                               ^^^^
          |
          = hint: it goes from 64KiB to 4GiB

        error: `plugins.a.limits.memory`: `-1MiB` is not a size: it has no number in front
         --> wharf.yaml:3:47
          |
        3 |   a: { source: file:a.wasm, limits: { memory: -1MiB } }
          |                                               ^^^^^
          |
          = hint: write a whole number and one of B, KiB, MiB, GiB, TiB, for example 64MiB

        error: `plugins.a.limits.deadline`: `50` is not a duration: the unit is missing
         --> wharf.yaml:3:49
          |
        3 |   a: { source: file:a.wasm, limits: { deadline: 50 } }
          |                                                 ^^
          |
          = hint: write `50ms` for milliseconds, or `50s` for seconds

        error: `plugins.a.limits.deadline`: `soon` is not a duration: it has no number in front
         --> wharf.yaml:3:49
          |
        3 |   a: { source: file:a.wasm, limits: { deadline: soon } }
          |                                                 ^^^^
          |
          = hint: write a number and one of us, ms, s, m, h, for example 50ms or 1.5s

        error: `plugins.a.limits.deadline`: `sec` is not a unit of duration
         --> wharf.yaml:3:49
          |
        3 |   a: { source: file:a.wasm, limits: { deadline: 5sec } }
          |                                                 ^^^^
          |
          = hint: did you mean `s`?

        error: `plugins.a.limits.deadline` cannot be `0s`
         --> wharf.yaml:3:49
          |
        3 |   a: { source: file:a.wasm, limits: { deadline: 0s } }
          |                                                 ^^
          |
          = hint: it goes from 1ms to 1h

        error: `plugins.a.limits.deadline` cannot be `2h`
         --> wharf.yaml:3:49
          |
        3 |   a: { source: file:a.wasm, limits: { deadline: 2h } }
          |                                                 ^^
          |
          = hint: it goes from 1ms to 1h

        error: `plugins.a.limits.instances` cannot be `0`
         --> wharf.yaml:3:50
          |
        3 |   a: { source: file:a.wasm, limits: { instances: 0 } }
          |                                                  ^
          |
          = hint: it goes from 1 to 100000

        error: `plugins.a.limits.instances` cannot be `99999999999999999999999`
         --> wharf.yaml:3:50
          |
        3 |   a: { source: file:a.wasm, limits: { instances: 99999999999999999999999 } }
          |                                                  ^^^^^^^^^^^^^^^^^^^^^^^
          |
          = hint: it goes from 1 to 100000

        error: `plugins.a.limits.instances` is to be a whole number, and this is a decimal number
         --> wharf.yaml:3:50
          |
        3 |   a: { source: file:a.wasm, limits: { instances: 1.5 } }
          |                                                  ^^^
          |
          = hint: it goes from 1 to 100000

        error: `plugins.a.limits.stack` cannot be `2MiB`
         --> wharf.yaml:3:46
          |
        3 |   a: { source: file:a.wasm, limits: { stack: 2MiB } }
          |                                              ^^^^
          |
          = hint: it goes from 16KiB to 1MiB"#]]
    .assert_eq(&errors_of(texts));
}

#[test]
fn versions() {
    let texts = [
        "{}",
        "version:",
        "version: 2\nplugin: {}",
        "version: '1'",
        "version: one",
        "plugins: {}",
    ];
    expect![[r#"
        error: the file has no `version`
         --> wharf.yaml:1:1
          |
        1 | {}
          | ^^
          |
          = hint: add `version: 1`

        error: the file has no `version`
         --> wharf.yaml:1:1
          |
        1 | version:
          | ^^^^^^^^
          |
          = hint: add `version: 1`

        error: this file has version 2, and only version 1 is understood
         --> wharf.yaml:1:10
          |
        1 | version: 2
          |          ^
          |
          = hint: write `version: 1`, or use a Wharf that reads version 2

        error: `version` is to be a whole number, and this is text
         --> wharf.yaml:1:10
          |
        1 | version: '1'
          |          ^^^
          |
          = hint: remove the quotes

        error: `version` is to be a whole number, and this is text
         --> wharf.yaml:1:10
          |
        1 | version: one
          |          ^^^
          |
          = hint: it goes from 1 to 1

        error: the file has no `version`
         --> wharf.yaml:1:1
          |
        1 | plugins: {}
          | ^^^^^^^^^^^
          |
          = hint: add `version: 1`"#]]
    .assert_eq(&errors_of(texts.map(str::to_owned)));
}

#[test]
fn sources() {
    let texts = [
        "a.wasm",
        "file:",
        "file:a.so",
        "file://host/a.wasm",
        "http://a/b.wasm",
        "https://a/b.wasm#sha256:00",
        "oci://a/b:1:2",
        "oci:",
        "s3:a.wasm",
    ];
    expect![[r#"
        error: `a.wasm` does not say what it is: a source begins with `file:`, `https:` or `oci:`
         --> wharf.yaml:3:16
          |
        3 |   a: { source: "a.wasm" }
          |                ^^^^^^^^
          |
          = hint: write `file:a.wasm` for a file

        error: nothing follows `file:`
         --> wharf.yaml:3:16
          |
        3 |   a: { source: "file:" }
          |                ^^^^^^^
          |
          = hint: write for example `file:plugins/greet.wasm`

        error: `a.so` is neither a `.wasm` nor a `.wat` file
         --> wharf.yaml:3:16
          |
        3 |   a: { source: "file:a.so" }
          |                ^^^^^^^^^^^
          |
          = hint: name the compiled module (`.wasm`) or its text form (`.wat`)

        error: `file://host/a.wasm` names a host, not a path
         --> wharf.yaml:3:16
          |
        3 |   a: { source: "file://host/a.wasm" }
          |                ^^^^^^^^^^^^^^^^^^^^
          |
          = hint: write `file:host/a.wasm` for a relative path, or three slashes for an absolute one

        error: plugins are not fetched over plain `http:`, because anybody on the way could change them
         --> wharf.yaml:3:16
          |
        3 |   a: { source: "http://a/b.wasm" }
          |                ^^^^^^^^^^^^^^^^^
          |
          = hint: use `https:`

        error: what follows `#` is not the digest of the plugin: a sha256 digest has 64 hexadecimal digits, this one has 2
         --> wharf.yaml:3:16
          |
        3 |   a: { source: "https://a/b.wasm#sha256:00" }
          |                ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          |
          = hint: write the output of `sha256sum` behind it: `https://example.com/greet.wasm#sha256:…`

        error: "b:1" is no part of a repository's name: these are of `a-z` and `0-9` with single `.`, `_`, `__` or `-` in between
         --> wharf.yaml:3:16
          |
        3 |   a: { source: "oci://a/b:1:2" }
          |                ^^^^^^^^^^^^^^^
          |
          = hint: write for example `oci:registry.example/team/greet:1.2`

        error: nothing follows `oci:`
         --> wharf.yaml:3:16
          |
        3 |   a: { source: "oci:" }
          |                ^^^^^^
          |
          = hint: write for example `file:plugins/greet.wasm`

        error: `s3:` is not a kind of source
         --> wharf.yaml:3:16
          |
        3 |   a: { source: "s3:a.wasm" }
          |                ^^^^^^^^^^^
          |
          = hint: a source begins with `file:`, `https:` or `oci:`"#]]
    .assert_eq(&errors_of(
        texts.map(|source| plugin(&format!("source: \"{source}\""))),
    ));
}

#[test]
fn plugins() {
    let texts = [
        "version: 1\nplugins: { Greet: { source: file:a.wasm } }\n".to_owned(),
        format!(
            "version: 1\nplugins: {{ {}: {{ source: file:a.wasm }} }}\n",
            "a".repeat(64)
        ),
        plugin(""),
        plugin("source: file:a.wasm, onFault: opened"),
        plugin("source: file:a.wasm, onFault: never"),
        plugin("source: file:a.wasm, env: { 'A=B': c }"),
        plugin("source: file:a.wasm, env: { A: \"b\\0c\" }"),
        plugin("source: file:a.wasm, vmConfig: { limit: .inf }"),
        plugin("source: file:a.wasm, allow: { upstreams: [auth] }"),
    ];
    expect![[r#"
        error: `Greet`: a plugin name cannot begin with 'G'
         --> wharf.yaml:2:12
          |
        2 | plugins: { Greet: { source: file:a.wasm } }
          |            ^^^^^
          |
          = hint: write `greet`

        error: `aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…`: a plugin name has at most 63 bytes, this one has 64
         --> wharf.yaml:2:12
          |
        2 | plugins: { aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: { source: file:a.wasm } }
          |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          |
          = hint: a name is made of a-z, 0-9 and, after the first, `-`, `_`, `.`, at most 63 characters

        error: `plugins.a` has no `source`
         --> wharf.yaml:3:3
          |
        3 |   a: {  }
          |   ^
          |
          = hint: add for example `source: file:plugins/greet.wasm`

        error: `plugins.a.onFault` cannot be `opened`
         --> wharf.yaml:3:38
          |
        3 |   a: { source: file:a.wasm, onFault: opened }
          |                                      ^^^^^^
          |
          = hint: did you mean `open`?

        error: `plugins.a.onFault` cannot be `never`
         --> wharf.yaml:3:38
          |
        3 |   a: { source: file:a.wasm, onFault: never }
          |                                      ^^^^^
          |
          = hint: write `closed` or `open`

        error: `A=B` cannot be the name of an environment variable
         --> wharf.yaml:3:36
          |
        3 |   a: { source: file:a.wasm, env: { 'A=B': c } }
          |                                    ^^^^^
          |
          = hint: a name is not empty and has no `=` and no NUL

        error: the value of an environment variable cannot contain a NUL
         --> wharf.yaml:3:39
          |
        3 |   a: { source: file:a.wasm, env: { A: "b\0c" } }
          |                                       ^^^^^^
          |
          = hint: encode it, for example as base64

        error: JSON has no number `.inf`, and the plugin is given JSON
         --> wharf.yaml:3:48
          |
        3 |   a: { source: file:a.wasm, vmConfig: { limit: .inf } }
          |                                                ^^^^
          |
          = hint: put it between quotes to give it as text

        error: no upstream is called `auth`
         --> wharf.yaml:3:50
          |
        3 |   a: { source: file:a.wasm, allow: { upstreams: [auth] } }
          |                                                  ^^^^
          |
          = hint: define it under `proxy.upstreams`"#]].assert_eq(&errors_of(texts));
}

#[test]
fn names_that_nobody_defines() {
    check(
        &example_with("plugin: count", "plugin: cuont"),
        &expect![[r#"
            error: no plugin is called `cuont`
              --> wharf.yaml:19:23
               |
            19 |             - plugin: cuont
               |                       ^^^^^
               |
               = hint: did you mean `count`?"#]],
    );
    check(
        &example_with("upstream: app", "upstream: database"),
        &expect![[r#"
            error: no upstream is called `database`
              --> wharf.yaml:20:21
               |
            20 |           upstream: database
               |                     ^^^^^^^^
               |
               = hint: define it under `proxy.upstreams`, where there is `app`, `hello`"#]],
    );
    check(
        &example_with("env: { GREETING: hello }", "allow: { upstreams: [ap] }"),
        &expect![[r#"
            error: no upstream is called `ap`
             --> wharf.yaml:7:26
              |
            7 |     allow: { upstreams: [ap] }
              |                          ^^
              |
              = hint: did you mean `app`?"#]],
    );
    check(
        "version: 1\nproxy: { listeners: [ { bind: 127.0.0.1:1, routes: [ { upstream: app } ] } ] }\n",
        &expect![[r#"
            error: no upstream is called `app`
             --> wharf.yaml:2:66
              |
            2 | proxy: { listeners: [ { bind: 127.0.0.1:1, routes: [ { upstream: app } ] } ] }
              |                                                                  ^^^
              |
              = hint: define it under `proxy.upstreams`"#]],
    );
}

/// An upstream that is broken is defined all the same: its name gives no second error.
#[test]
fn a_broken_upstream_gives_one_error() {
    check(
        &example_with("endpoints: [\"127.0.0.1:9000\"]", "endpoints: [\"9000\"]"),
        &expect![[r#"
            error: `9000` is not an endpoint: it is to be a host and a port
              --> wharf.yaml:26:24
               |
            26 |     app: { endpoints: ["9000"], connectTimeout: 1s, requestTimeout: 15s }
               |                        ^^^^^^
               |
               = hint: write `127.0.0.1:9000`"#]],
    );
}

/// A proxy with these listeners in flow style.
fn listeners(listeners: &str) -> String {
    format!("version: 1\nproxy:\n  upstreams: {{ u: {{ respond: {{}} }} }}\n  listeners:\n{listeners}")
}

const ROUTES: &str = "routes: [ { upstream: u } ]";

#[test]
fn listeners_that_collide() {
    check(
        &listeners(&format!(
            "  - {{ name: a, bind: 0.0.0.0:8080, {ROUTES} }}\n  - {{ name: b, bind: 127.0.0.1:8080, {ROUTES} }}\n  - {{ name: a, bind: 127.0.0.1:8081, {ROUTES} }}\nadmin: {{ bind: '[::1]:8081' }}\n"
        )),
        &expect![[r#"
            error: listener `b` cannot listen on 127.0.0.1:8080: listener `a` listens on 0.0.0.0:8080
             --> wharf.yaml:6:22
              |
            6 |   - { name: b, bind: 127.0.0.1:8080, routes: [ { upstream: u } ] }
              |                      ^^^^^^^^^^^^^^
              |
             ::: wharf.yaml:5:22
              |
            5 |   - { name: a, bind: 0.0.0.0:8080, routes: [ { upstream: u } ] }
              |                      ------------ taken here
              |
              = hint: give one of them another port

            error: two listeners are called `a`
             --> wharf.yaml:7:13
              |
            7 |   - { name: a, bind: 127.0.0.1:8081, routes: [ { upstream: u } ] }
              |             ^
              |
             ::: wharf.yaml:5:13
              |
            5 |   - { name: a, bind: 0.0.0.0:8080, routes: [ { upstream: u } ] }
              |             - the first of them
              |
              = hint: give one of them another name"#]],
    );
    check(
        &example_with("127.0.0.1:9901", "127.0.0.1:8080"),
        &expect![[r#"
            error: the admin port cannot listen on 127.0.0.1:8080: listener `web` listens on 127.0.0.1:8080
              --> wharf.yaml:28:9
               |
            28 |   bind: 127.0.0.1:8080
               |         ^^^^^^^^^^^^^^
               |
              ::: wharf.yaml:13:13
               |
            13 |       bind: 127.0.0.1:8080
               |             -------------- taken here
               |
               = hint: give one of them another port"#]],
    );
}

#[test]
fn listeners_that_cannot_be() {
    let texts = [
        "  []".to_owned(),
        format!("  - {{ {ROUTES} }}"),
        "  - { bind: 127.0.0.1:1 }".to_owned(),
        "  - { bind: 127.0.0.1:1, routes: [] }".to_owned(),
        format!("  - {{ bind: 127.0.0.1:1, {ROUTES}, name: 'a b' }}"),
        format!("  - {{ bind: 127.0.0.1:1, {ROUTES}, name: '' }}"),
        format!("  - {{ bind: 127.0.0.1:1, {ROUTES}, limits: {{ headerCount: 0, bodyBuffer: 2GiB, headerByte: 1KiB }} }}"),
        "  - { bind: 127.0.0.1:1, routes: [ { name: x, upstream: u, match: { pathPrefix: /a } }, { name: x, upstream: u } ] }".to_owned(),
    ];
    expect![[r#"
        error: this is not valid YAML: simple key expected ':'
         --> wharf.yaml:5:3
          |
        5 |   []
          |   ^
          |
          = hint: each line is `key: value` or `- item`; check the indentation of this line and the one before

        error: `proxy.listeners[0]` has no `bind`
         --> wharf.yaml:5:5
          |
        5 |   - { routes: [ { upstream: u } ] }
          |     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          |
          = hint: add for example `bind: 127.0.0.1:8080`

        error: `proxy.listeners[0]` has no `routes`
         --> wharf.yaml:5:5
          |
        5 |   - { bind: 127.0.0.1:1 }
          |     ^^^^^^^^^^^^^^^^^^^^^
          |
          = hint: add `routes:`. Which request goes where, tried in order.

        error: `proxy.listeners[0].routes` is empty
         --> wharf.yaml:5:34
          |
        5 |   - { bind: 127.0.0.1:1, routes: [] }
          |                                  ^^
          |
          = hint: it needs at least one item

        error: `a b` cannot be a name
         --> wharf.yaml:5:61
          |
        5 |   - { bind: 127.0.0.1:1, routes: [ { upstream: u } ], name: 'a b' }
          |                                                             ^^^^^
          |
          = hint: a name has letters, digits and, after the first, `-`, `_`, `.` and `/`, at most 63

        error: `` cannot be a name
         --> wharf.yaml:5:61
          |
        5 |   - { bind: 127.0.0.1:1, routes: [ { upstream: u } ], name: '' }
          |                                                             ^^
          |
          = hint: a name has letters, digits and, after the first, `-`, `_`, `.` and `/`, at most 63

        error: `proxy.listeners[0].limits.headerCount` cannot be `0`
         --> wharf.yaml:5:78
          |
        5 |   - { bind: 127.0.0.1:1, routes: [ { upstream: u } ], limits: { headerCount: 0, bodyBuffer: 2GiB, headerByte: 1KiB } }
          |                                                                              ^
          |
          = hint: it goes from 1 to 10000
        error: `proxy.listeners[0].limits.bodyBuffer` cannot be `2GiB`
         --> wharf.yaml:5:93
          |
        5 |   - { bind: 127.0.0.1:1, routes: [ { upstream: u } ], limits: { headerCount: 0, bodyBuffer: 2GiB, headerByte: 1KiB } }
          |                                                                                             ^^^^
          |
          = hint: it goes from 0B to 1GiB
        error: unknown key `headerByte` in `proxy.listeners[0].limits`
         --> wharf.yaml:5:99
          |
        5 |   - { bind: 127.0.0.1:1, routes: [ { upstream: u } ], limits: { headerCount: 0, bodyBuffer: 2GiB, headerByte: 1KiB } }
          |                                                                                                   ^^^^^^^^^^
          |
          = hint: did you mean `headerBytes`? the keys here are `headerBytes`, `headerCount`, `bodyBuffer`, `requestHeaderTimeout`, `idleTimeout`, `bodyIdleTimeout`

        error: two routes of this listener are called `x`
         --> wharf.yaml:5:97
          |
        5 |   - { bind: 127.0.0.1:1, routes: [ { name: x, upstream: u, match: { pathPrefix: /a } }, { name: x, upstream: u } ] }
          |                                            - the first of them                                  ^
          |
          = hint: give one of them another name"#]].assert_eq(&errors_of(texts.map(|text| listeners(&text))));
}

#[test]
fn addresses() {
    let texts = [
        "localhost:8080",
        ":8080",
        "127.0.0.1",
        "127.0.0.1:99999",
        "::1",
        "example.com:80",
        "256.0.0.1:80",
        "http://127.0.0.1:80",
        "",
    ];
    let texts = texts.map(|address| format!("version: 1\nadmin: {{ bind: \"{address}\" }}\n"));
    expect![[r#"
        error: `localhost:8080` is not an address and a port
         --> wharf.yaml:2:16
          |
        2 | admin: { bind: "localhost:8080" }
          |                ^^^^^^^^^^^^^^^^
          |
          = hint: write `127.0.0.1:8080`

        error: `:8080` is not an address and a port
         --> wharf.yaml:2:16
          |
        2 | admin: { bind: ":8080" }
          |                ^^^^^^^
          |
          = hint: write `0.0.0.0:8080` for all addresses, `127.0.0.1:8080` for this machine

        error: `127.0.0.1` is not an address and a port
         --> wharf.yaml:2:16
          |
        2 | admin: { bind: "127.0.0.1" }
          |                ^^^^^^^^^^^
          |
          = hint: add the port: `127.0.0.1:8080`

        error: `127.0.0.1:99999` is not an address and a port
         --> wharf.yaml:2:16
          |
        2 | admin: { bind: "127.0.0.1:99999" }
          |                ^^^^^^^^^^^^^^^^^
          |
          = hint: a port is a number from 0 to 65535

        error: `::1` is not an address and a port
         --> wharf.yaml:2:16
          |
        2 | admin: { bind: "::1" }
          |                ^^^^^
          |
          = hint: write `[::1]:8080`

        error: `example.com:80` is not an address and a port
         --> wharf.yaml:2:16
          |
        2 | admin: { bind: "example.com:80" }
          |                ^^^^^^^^^^^^^^^^
          |
          = hint: write an IP address and a port, for example `127.0.0.1:8080`; names are not looked up

        error: `256.0.0.1:80` is not an address and a port
         --> wharf.yaml:2:16
          |
        2 | admin: { bind: "256.0.0.1:80" }
          |                ^^^^^^^^^^^^^^
          |
          = hint: write an IP address and a port, for example `127.0.0.1:8080`; names are not looked up

        error: `http://127.0.0.1:80` is not an address and a port
         --> wharf.yaml:2:16
          |
        2 | admin: { bind: "http://127.0.0.1:80" }
          |                ^^^^^^^^^^^^^^^^^^^^^
          |
          = hint: write an IP address and a port, for example `127.0.0.1:8080`; names are not looked up

        error: `` is not an address and a port
         --> wharf.yaml:2:16
          |
        2 | admin: { bind: "" }
          |                ^^
          |
          = hint: write an IP address and a port, for example `127.0.0.1:8080`; names are not looked up"#]]
    .assert_eq(&errors_of(texts));
}

#[test]
fn matches() {
    let texts = [
        "hosts: []",
        "hosts: '*'",
        "hosts: [a.*.example]",
        "hosts: ['example.com:80']",
        "hosts: ['http://example.com']",
        "hosts: [bücher.example]",
        "hosts: [5]",
        "pathPrefix: api",
        "pathPrefix: /a?b=c",
        "pathPrefix: '/a b'",
        "path: /api",
    ];
    let texts = texts.map(|text| {
        listeners(&format!(
            "  - {{ bind: 127.0.0.1:1, routes: [ {{ upstream: u, match: {{ {text} }} }} ] }}"
        ))
    });
    expect![[r#"
        error: `proxy.listeners[0].routes[0].match.hosts` is empty
         --> wharf.yaml:5:67
          |
        5 |   - { bind: 127.0.0.1:1, routes: [ { upstream: u, match: { hosts: [] } } ] }
          |                                                                   ^^
          |
          = hint: it needs at least one item

        error: `proxy.listeners[0].routes[0].match.hosts` is to be a list, and this is text
         --> wharf.yaml:5:67
          |
        5 |   - { bind: 127.0.0.1:1, routes: [ { upstream: u, match: { hosts: '*' } } ] }
          |                                                                   ^^^
          |
          = hint: write `["*"]`

        error: `a.*.example` is not a host pattern: a `*` stands for itself or in front, as in `*.example.com`
         --> wharf.yaml:5:68
          |
        5 |   - { bind: 127.0.0.1:1, routes: [ { upstream: u, match: { hosts: [a.*.example] } } ] }
          |                                                                    ^^^^^^^^^^^
          |
          = hint: write `example.com`, `*.example.com` or `*`

        error: `example.com:80` is not a host pattern: the port is not part of it, requests to every port are meant
         --> wharf.yaml:5:68
          |
        5 |   - { bind: 127.0.0.1:1, routes: [ { upstream: u, match: { hosts: ['example.com:80'] } } ] }
          |                                                                    ^^^^^^^^^^^^^^^^
          |
          = hint: write `example.com`, `*.example.com` or `*`

        error: `http://example.com` is not a host pattern: a host has no scheme in front
         --> wharf.yaml:5:68
          |
        5 |   - { bind: 127.0.0.1:1, routes: [ { upstream: u, match: { hosts: ['http://example.com'] } } ] }
          |                                                                    ^^^^^^^^^^^^^^^^^^^^
          |
          = hint: write `example.com`, `*.example.com` or `*`

        error: `bücher.example` is not a host pattern: a host is written in ASCII; other names in their `xn--` form
         --> wharf.yaml:5:68
          |
        5 |   - { bind: 127.0.0.1:1, routes: [ { upstream: u, match: { hosts: [bücher.example] } } ] }
          |                                                                    ^^^^^^^^^^^^^^
          |
          = hint: write `example.com`, `*.example.com` or `*`

        error: `proxy.listeners[0].routes[0].match.hosts[0]` is to be a host such as `example.com`, `*.example.com` or `*`, and this is a number
         --> wharf.yaml:5:68
          |
        5 |   - { bind: 127.0.0.1:1, routes: [ { upstream: u, match: { hosts: [5] } } ] }
          |                                                                    ^
          |
          = hint: write for example `*.example.com`

        error: `api` is not a path prefix: it does not begin with `/`
         --> wharf.yaml:5:72
          |
        5 |   - { bind: 127.0.0.1:1, routes: [ { upstream: u, match: { pathPrefix: api } } ] }
          |                                                                        ^^^
          |
          = hint: write `/api`

        error: `/a?b=c` is not a path prefix: it contains '?'
         --> wharf.yaml:5:72
          |
        5 |   - { bind: 127.0.0.1:1, routes: [ { upstream: u, match: { pathPrefix: /a?b=c } } ] }
          |                                                                        ^^^^^^
          |
          = hint: leave out the query; write other characters than visible ASCII as `%` and two hexadecimal digits

        error: `/a b` is not a path prefix: it contains ' '
         --> wharf.yaml:5:72
          |
        5 |   - { bind: 127.0.0.1:1, routes: [ { upstream: u, match: { pathPrefix: '/a b' } } ] }
          |                                                                        ^^^^^^
          |
          = hint: leave out the query; write other characters than visible ASCII as `%` and two hexadecimal digits

        error: unknown key `path` in `proxy.listeners[0].routes[0].match`
         --> wharf.yaml:5:60
          |
        5 |   - { bind: 127.0.0.1:1, routes: [ { upstream: u, match: { path: /api } } ] }
          |                                                            ^^^^
          |
          = hint: the keys here are `hosts`, `pathPrefix`"#]].assert_eq(&errors_of(texts));
}

#[test]
fn upstreams() {
    let texts = [
        "{}",
        "",
        "{ endpoint: ['a:1'] }",
        "{ responds: {} }",
        "{ connectTimeout: 1s }",
        "{ respond: {}, endpoints: ['a:1'] }",
        "{ respond: {}, connectTimeout: 1s }",
        "{ endpoints: [] }",
        "{ endpoints: a:1 }",
        "{ endpoints: ['http://a:1/'] }",
        "{ endpoints: [a] }",
        "{ endpoints: ['a:0'] }",
        "{ endpoints: ['a:+1'] }",
        "{ endpoints: ['::1'] }",
        "{ endpoints: ['[::g]:1'] }",
        "{ endpoints: ['a b:1'] }",
        "{ endpoints: [':1'] }",
        "{ endpoints: ['a:1'], maxIdle: -1 }",
        "{ respond: { status: 99 } }",
        "{ respond: { status: ok } }",
        "{ respond: { status: 204, body: x } }",
        "{ respond: { body: 5 } }",
        "{ respond: { headers: { 'bad name': x } } }",
        "{ respond: { headers: { x: \"a\\nb\" } } }",
        "{ respond: { headers: { x: ' a' } } }",
        "{ respond: { headers: { x: [a] } } }",
        "{ respond: { headers: { Content-Length: 5 } } }",
        "{ respond: { headers: { x-a: 1, X-A: 2 } } }",
    ];
    let texts = texts.map(|text| {
        listeners(&format!("  - {{ bind: 127.0.0.1:1, {ROUTES} }}"))
            .replace("u: { respond: {} }", &format!("u: {text}"))
    });
    expect![[r#"
        error: the upstream `proxy.upstreams.u` has neither `endpoints` nor `respond`
         --> wharf.yaml:3:16
          |
        3 |   upstreams: { u: {} }
          |                ^
          |
          = hint: add for example `endpoints: ["127.0.0.1:9000"]`

        error: `proxy.upstreams.u` is to be a mapping, and this is nothing
         --> wharf.yaml:3:17
          |
        3 |   upstreams: { u:  }
          |                 ^
          |
          = hint: give it a value, or remove the key

        error: `proxy.upstreams.u` has no `endpoints`
         --> wharf.yaml:3:16
          |
        3 |   upstreams: { u: { endpoint: ['a:1'] } }
          |                ^
          |
          = hint: add `endpoints:`. The servers, each as `host:port`. Requests go to them in turn.
        error: unknown key `endpoint` in `proxy.upstreams.u`
         --> wharf.yaml:3:21
          |
        3 |   upstreams: { u: { endpoint: ['a:1'] } }
          |                     ^^^^^^^^
          |
          = hint: did you mean `endpoints`? the keys here are `endpoints`, `connectTimeout`, `requestTimeout`, `idleTimeout`, `maxIdle`

        error: `proxy.upstreams.u` has no `respond`
         --> wharf.yaml:3:16
          |
        3 |   upstreams: { u: { responds: {} } }
          |                ^
          |
          = hint: add `respond:`. The answer.
        error: unknown key `responds` in `proxy.upstreams.u`
         --> wharf.yaml:3:21
          |
        3 |   upstreams: { u: { responds: {} } }
          |                     ^^^^^^^^
          |
          = hint: did you mean `respond`? the keys here are `respond`

        error: `proxy.upstreams.u` has no `endpoints`
         --> wharf.yaml:3:16
          |
        3 |   upstreams: { u: { connectTimeout: 1s } }
          |                ^
          |
          = hint: add `endpoints:`. The servers, each as `host:port`. Requests go to them in turn.

        error: an upstream either answers by itself or has endpoints, not both
         --> wharf.yaml:3:34
          |
        3 |   upstreams: { u: { respond: {}, endpoints: ['a:1'] } }
          |                     -------      ^^^^^^^^^
          |                     |
          |                     the answer is given here
          |
          = hint: remove `respond` or `endpoints`

        error: unknown key `connectTimeout` in `proxy.upstreams.u`
         --> wharf.yaml:3:34
          |
        3 |   upstreams: { u: { respond: {}, connectTimeout: 1s } }
          |                                  ^^^^^^^^^^^^^^
          |
          = hint: the keys here are `respond`

        error: `proxy.upstreams.u.endpoints` is empty
         --> wharf.yaml:3:32
          |
        3 |   upstreams: { u: { endpoints: [] } }
          |                                ^^
          |
          = hint: it needs at least one item

        error: `proxy.upstreams.u.endpoints` is to be a list, and this is text
         --> wharf.yaml:3:32
          |
        3 |   upstreams: { u: { endpoints: a:1 } }
          |                                ^^^
          |
          = hint: write `["a:1"]`

        error: `http://a:1/` is not an endpoint: it has a scheme
         --> wharf.yaml:3:33
          |
        3 |   upstreams: { u: { endpoints: ['http://a:1/'] } }
          |                                 ^^^^^^^^^^^^^
          |
          = hint: write only the host and the port: `a:1`

        error: `a` is not an endpoint: it is to be a host and a port
         --> wharf.yaml:3:33
          |
        3 |   upstreams: { u: { endpoints: [a] } }
          |                                 ^
          |
          = hint: write `a:80`

        error: `a:0` is not an endpoint: `0` is not a port
         --> wharf.yaml:3:33
          |
        3 |   upstreams: { u: { endpoints: ['a:0'] } }
          |                                 ^^^^^
          |
          = hint: a port is a number from 1 to 65535

        error: `a:+1` is not an endpoint: `+1` is not a port
         --> wharf.yaml:3:33
          |
        3 |   upstreams: { u: { endpoints: ['a:+1'] } }
          |                                 ^^^^^^
          |
          = hint: a port is a number from 1 to 65535

        error: `::1` is not an endpoint: the port is missing
         --> wharf.yaml:3:33
          |
        3 |   upstreams: { u: { endpoints: ['::1'] } }
          |                                 ^^^^^
          |
          = hint: write `[::1]:80`

        error: `[::g]:1` is not an endpoint: between the brackets is no IPv6 address
         --> wharf.yaml:3:33
          |
        3 |   upstreams: { u: { endpoints: ['[::g]:1'] } }
          |                                 ^^^^^^^^^
          |
          = hint: write for example `[::1]:9000`

        error: `a b:1` is not an endpoint: a host cannot contain ' '
         --> wharf.yaml:3:33
          |
        3 |   upstreams: { u: { endpoints: ['a b:1'] } }
          |                                 ^^^^^^^
          |
          = hint: write for example `127.0.0.1:9000`

        error: `:1` is not an endpoint: the host is empty
         --> wharf.yaml:3:33
          |
        3 |   upstreams: { u: { endpoints: [':1'] } }
          |                                 ^^^^
          |
          = hint: write for example `127.0.0.1:9000`

        error: `proxy.upstreams.u.maxIdle` cannot be `-1`
         --> wharf.yaml:3:50
          |
        3 |   upstreams: { u: { endpoints: ['a:1'], maxIdle: -1 } }
          |                                                  ^^
          |
          = hint: it goes from 0 to 65536

        error: `proxy.upstreams.u.respond.status` cannot be `99`
         --> wharf.yaml:3:40
          |
        3 |   upstreams: { u: { respond: { status: 99 } } }
          |                                        ^^
          |
          = hint: it goes from 200 to 599

        error: `proxy.upstreams.u.respond.status` is to be a whole number, and this is text
         --> wharf.yaml:3:40
          |
        3 |   upstreams: { u: { respond: { status: ok } } }
          |                                        ^^
          |
          = hint: it goes from 200 to 599

        error: an answer with status 204 cannot have a body
         --> wharf.yaml:3:51
          |
        3 |   upstreams: { u: { respond: { status: 204, body: x } } }
          |                                                   ^
          |
          = hint: remove the body

        error: `proxy.upstreams.u.respond.body` is to be text, and this is a number
         --> wharf.yaml:3:38
          |
        3 |   upstreams: { u: { respond: { body: 5 } } }
          |                                      ^
          |
          = hint: put it between quotes: "5"

        error: `bad name` cannot be the name of a header
         --> wharf.yaml:3:43
          |
        3 |   upstreams: { u: { respond: { headers: { 'bad name': x } } } }
          |                                           ^^^^^^^^^^
          |
          = hint: a name is made of letters, digits and `-`

        error: `a\nb` cannot be the value of a header
         --> wharf.yaml:3:46
          |
        3 |   upstreams: { u: { respond: { headers: { x: "a\nb" } } } }
          |                                              ^^^^^^
          |
          = hint: a value is one line of visible ASCII characters, with no spaces around it

        error: ` a` cannot be the value of a header
         --> wharf.yaml:3:46
          |
        3 |   upstreams: { u: { respond: { headers: { x: ' a' } } } }
          |                                              ^^^^
          |
          = hint: a value is one line of visible ASCII characters, with no spaces around it

        error: `proxy.upstreams.u.respond.headers.x` is to be text or a number, and this is a list
         --> wharf.yaml:3:46
          |
        3 |   upstreams: { u: { respond: { headers: { x: [a] } } } }
          |                                              ^^^
          |
          = hint: write text or a number

        error: the header `content-length` is set by Wharf itself
         --> wharf.yaml:3:43
          |
        3 |   upstreams: { u: { respond: { headers: { Content-Length: 5 } } } }
          |                                           ^^^^^^^^^^^^^^
          |
          = hint: remove it

        error: the header `x-a` is given twice: upper and lower case are the same
         --> wharf.yaml:3:51
          |
        3 |   upstreams: { u: { respond: { headers: { x-a: 1, X-A: 2 } } } }
          |                                                   ^^^
          |
          = hint: remove one of the two"#]].assert_eq(&errors_of(texts));
    check(
        "version: 1\nproxy: { upstreams: { 'a b': { respond: {} } }, listeners: [] }\n",
        &expect![[r#"
            error: `a b` cannot be the name of an upstream
             --> wharf.yaml:2:23
              |
            2 | proxy: { upstreams: { 'a b': { respond: {} } }, listeners: [] }
              |                       ^^^^^
              |
              = hint: a name has 1 to 255 visible ASCII characters and no spaces

            error: `proxy.listeners` is empty
             --> wharf.yaml:2:60
              |
            2 | proxy: { upstreams: { 'a b': { respond: {} } }, listeners: [] }
              |                                                            ^^
              |
              = hint: it needs at least one item"#]],
    );
}

#[test]
fn proxy_and_cache() {
    let texts = [
        "proxy: {}",
        "proxy: { listeners: [] }",
        "proxy: { workers: 0, listeners: [] }",
        "proxy: { accessLog: on, listeners: [] }",
        "proxy: { accessLog: false, listeners: [] }",
        "proxy: { accessLog: { file: '' }, listeners: [] }",
        "proxy: { accessLog: { path: a.log }, listeners: [] }",
        "proxy: { drainTimeout: 30, listeners: [] }",
        "cache: { size: 1KiB }",
        "cache: { directory: '' }",
        "cache: { directory: 5 }",
        "admin: {}",
    ];
    expect![[r#"
        error: `proxy` has no `listeners`
         --> wharf.yaml:2:1
          |
        2 | proxy: {}
          | ^^^^^
          |
          = hint: add `listeners:`. Where requests come in.

        error: `proxy.listeners` is empty
         --> wharf.yaml:2:21
          |
        2 | proxy: { listeners: [] }
          |                     ^^
          |
          = hint: it needs at least one item

        error: `proxy.workers` cannot be `0`
         --> wharf.yaml:2:19
          |
        2 | proxy: { workers: 0, listeners: [] }
          |                   ^
          |
          = hint: it goes from 1 to 1024
        error: `proxy.listeners` is empty
         --> wharf.yaml:2:33
          |
        2 | proxy: { workers: 0, listeners: [] }
          |                                 ^^
          |
          = hint: it needs at least one item

        error: `accessLog` is `stdout`, `off`, or a file
         --> wharf.yaml:2:21
          |
        2 | proxy: { accessLog: on, listeners: [] }
          |                     ^^
          |
          = hint: write `accessLog: { file: access.log }` for a file
        error: `proxy.listeners` is empty
         --> wharf.yaml:2:36
          |
        2 | proxy: { accessLog: on, listeners: [] }
          |                                    ^^
          |
          = hint: it needs at least one item

        error: `accessLog` is `stdout`, `off`, or a file
         --> wharf.yaml:2:21
          |
        2 | proxy: { accessLog: false, listeners: [] }
          |                     ^^^^^
          |
          = hint: write `accessLog: { file: access.log }` for a file
        error: `proxy.listeners` is empty
         --> wharf.yaml:2:39
          |
        2 | proxy: { accessLog: false, listeners: [] }
          |                                       ^^
          |
          = hint: it needs at least one item

        error: this is not a path
         --> wharf.yaml:2:29
          |
        2 | proxy: { accessLog: { file: '' }, listeners: [] }
          |                             ^^
          |
          = hint: write for example `/var/log/wharf/access.log`
        error: `proxy.listeners` is empty
         --> wharf.yaml:2:46
          |
        2 | proxy: { accessLog: { file: '' }, listeners: [] }
          |                                              ^^
          |
          = hint: it needs at least one item

        error: `proxy.accessLog` has no `file`
         --> wharf.yaml:2:10
          |
        2 | proxy: { accessLog: { path: a.log }, listeners: [] }
          |          ^^^^^^^^^
          |
          = hint: add for example `file: /var/log/wharf/access.log`
        error: unknown key `path` in `proxy.accessLog`
         --> wharf.yaml:2:23
          |
        2 | proxy: { accessLog: { path: a.log }, listeners: [] }
          |                       ^^^^
          |
          = hint: the keys here are `file`
        error: `proxy.listeners` is empty
         --> wharf.yaml:2:49
          |
        2 | proxy: { accessLog: { path: a.log }, listeners: [] }
          |                                                 ^^
          |
          = hint: it needs at least one item

        error: `proxy.drainTimeout`: `30` is not a duration: the unit is missing
         --> wharf.yaml:2:24
          |
        2 | proxy: { drainTimeout: 30, listeners: [] }
          |                        ^^
          |
          = hint: write `30ms` for milliseconds, or `30s` for seconds
        error: `proxy.listeners` is empty
         --> wharf.yaml:2:39
          |
        2 | proxy: { drainTimeout: 30, listeners: [] }
          |                                       ^^
          |
          = hint: it needs at least one item

        error: `cache.size` cannot be `1KiB`
         --> wharf.yaml:2:16
          |
        2 | cache: { size: 1KiB }
          |                ^^^^
          |
          = hint: it goes from 1MiB to 1TiB

        error: this is not a path
         --> wharf.yaml:2:21
          |
        2 | cache: { directory: '' }
          |                     ^^
          |
          = hint: write for example `/var/cache/wharf`

        error: `cache.directory` is to be a path, and this is a number
         --> wharf.yaml:2:21
          |
        2 | cache: { directory: 5 }
          |                     ^
          |
          = hint: write for example `/var/log/wharf/access.log`

        error: `admin` has no `bind`
         --> wharf.yaml:2:1
          |
        2 | admin: {}
          | ^^^^^
          |
          = hint: add for example `bind: 127.0.0.1:8080`"#]]
    .assert_eq(&errors_of(texts.map(|text| format!("version: 1\n{text}\n"))));
}

#[test]
fn broken_yaml() {
    let texts = [
        "",
        "# only a comment\n",
        "---\n",
        "version: 1\n---\nversion: 1\n",
        "%YAML 1.2\n---\nversion: 1\n",
        "version: 1\nplugins:\n\ta: 1\n",
        "version: 1\nplugins: { a: 1\n",
        "version: 1\nplugins: [a }\n",
        "version: 1\nplugins: \"a\n",
        "version: 1\nplugins: a: b\n",
        "version: 1\n plugins: {}\n",
        "version: 1\nplugins:\n  a: 1\n b: 2\n",
        "version: 1\nplugins: *a\n",
        "version: !!int 1\n",
        "version: !env VERSION\n",
        "version: 1\nplugins: @a\n",
        "version: 1\nplugins: \"\\q\"\n",
        "version 1\n",
        "{\"version\": 1,}\n}\n",
    ];
    expect![[r#"
        error: the file is empty
         --> wharf.yaml:1:1
          |
        1 |
          | ^
          |
          = hint: begin with `version: 1`, then `plugins:` and `proxy:`

        error: the file is empty
         --> wharf.yaml:1:1
          |
        1 | # only a comment
          | ^
          |
          = hint: begin with `version: 1`, then `plugins:` and `proxy:`

        error: the file is empty
         --> wharf.yaml:1:1
          |
        1 | ---
          | ^
          |
          = hint: begin with `version: 1`, then `plugins:` and `proxy:`

        error: a second document begins here, and a file is one document
         --> wharf.yaml:2:1
          |
        2 | ---
          | ^^^
          |
          = hint: remove the `---`, or put the second document into a file of its own

        error: this is not valid YAML: YAML directives are disallowed
         --> wharf.yaml:1:1
          |
        1 | %YAML 1.2
          | ^
          |
          = hint: remove the line that begins with `%`

        error: this is not valid YAML: tabs disallowed within this context (block indentation)
         --> wharf.yaml:3:2
          |
        3 |     a: 1
          |     ^
          |
          = hint: indent with spaces, not with tabs

        error: this is not valid YAML: unclosed bracket '{'
         --> wharf.yaml:2:10
          |
        2 | plugins: { a: 1
          |          ^
          |
          = hint: look for a missing comma or closing bracket

        error: this is not valid YAML: mismatched bracket '[' closed by '}'
         --> wharf.yaml:2:10
          |
        2 | plugins: [a }
          |          ^
          |
          = hint: look for a missing comma or closing bracket

        error: this is not valid YAML: unclosed quote
         --> wharf.yaml:2:10
          |
        2 | plugins: "a
          |          ^
          |
          = hint: a quote that was opened is never closed

        error: this is not valid YAML: mapping values are not allowed in this context
         --> wharf.yaml:2:11
          |
        2 | plugins: a: b
          |           ^
          |
          = hint: text that contains `: ` must stand between quotes, and the keys of a mapping begin in the same column

        error: this is not valid YAML: mapping values are not allowed in this context
         --> wharf.yaml:2:9
          |
        2 |  plugins: {}
          |         ^
          |
          = hint: text that contains `: ` must stand between quotes, and the keys of a mapping begin in the same column

        error: this is not valid YAML: while parsing a block mapping, did not find expected key
         --> wharf.yaml:4:2
          |
        4 |  b: 2
          |  ^
          |
          = hint: each line is `key: value` or `- item`; check the indentation of this line and the one before

        error: this is not valid YAML: while parsing node, found unknown anchor
         --> wharf.yaml:2:10
          |
        2 | plugins: *a
          |          ^
          |
          = hint: no value before this place has that anchor (`&name`)

        error: this value has a tag (`!…`), and tags have no meaning here
         --> wharf.yaml:1:16
          |
        1 | version: !!int 1
          |                ^
          |
          = hint: remove the tag; put text between quotes

        error: this value has a tag (`!…`), and tags have no meaning here
         --> wharf.yaml:1:15
          |
        1 | version: !env VERSION
          |               ^^^^^^^
          |
          = hint: remove the tag; put text between quotes

        error: this is not valid YAML: unexpected character: `@'
         --> wharf.yaml:2:10
          |
        2 | plugins: @a
          |          ^
          |
          = hint: text that begins with this character must stand between quotes

        error: this is not valid YAML: while parsing a quoted scalar, found unknown escape character
         --> wharf.yaml:2:10
          |
        2 | plugins: "\q"
          |          ^
          |
          = hint: write `\\` for a backslash, or use single quotes

        error: the file is to be a mapping, and this is text
         --> wharf.yaml:1:1
          |
        1 | version 1
          | ^^^^^^^^^
          |
          = hint: write `key: value`, with a space behind the colon

        error: this is not valid YAML: misplaced bracket
         --> wharf.yaml:2:1
          |
        2 | }
          | ^
          |
          = hint: look for a missing comma or closing bracket"#]]
    .assert_eq(&errors_of(texts.map(str::to_owned)));
}

#[test]
fn errors_have_colours_only_when_asked_and_can_be_read_by_programs() {
    let errors = parse(&plugin("source: file:a.wasm, source: file:b.wasm")).unwrap_err();
    assert!(errors.render(true).contains("\u{1b}["));
    assert!(!errors.to_string().contains('\u{1b}'));
    expect![[r#"
        {
          "severity": "error",
          "message": "the key `source` is given twice",
          "file": "wharf.yaml",
          "line": 3,
          "column": 29,
          "excerpt": {
            "text": "  a: { source: file:a.wasm, source: file:b.wasm }",
            "highlight": {
              "start": 28,
              "end": 34
            }
          },
          "related": {
            "message": "first given here",
            "line": 3,
            "column": 8,
            "excerpt": {
              "text": "  a: { source: file:a.wasm, source: file:b.wasm }",
              "highlight": {
                "start": 7,
                "end": 13
              }
            }
          },
          "hint": "remove one of the two"
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&errors.errors[0]).unwrap());
}
