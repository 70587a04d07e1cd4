//! What is wrong with requests, answers and what is expected of them.

use expect_test::expect;

use super::{check, in_case, in_request};

#[test]
fn requests() {
    check(
        &in_request("request: { method: G T, path: x }"),
        &expect![[r#"
        error: `G T` is no method
         --> greet.test.yaml:5:28
          |
        5 |       - request: { method: G T, path: x }
          |                            ^^^
          |
          = hint: write for example `POST`

        error: `x` is no path
         --> greet.test.yaml:5:39
          |
        5 |       - request: { method: G T, path: x }
          |                                       ^
          |
          = hint: begin it with `/`, and write spaces as `%20`"#]],
    );
    check(
        &in_request("request: { method: 7, path: \"/a b\" }"),
        &expect![[r#"
        error: `cases[0].requests[0].request.method` is to be a method, and this is a number
         --> greet.test.yaml:5:28
          |
        5 |       - request: { method: 7, path: "/a b" }
          |                            ^
          |
          = hint: write for example `POST`

        error: `/a b` is no path
         --> greet.test.yaml:5:37
          |
        5 |       - request: { method: 7, path: "/a b" }
          |                                     ^^^^^^
          |
          = hint: begin it with `/`, and write spaces as `%20`"#]],
    );
    check(
        &in_request("response: { status: 199 }"),
        &expect![[r#"
        error: `cases[0].requests[0].response.status` cannot be `199`
         --> greet.test.yaml:5:29
          |
        5 |       - response: { status: 199 }
          |                             ^^^
          |
          = hint: it goes from 200 to 599"#]],
    );
    check(
        &in_request("ticks: -1"),
        &expect![[r#"
        error: `cases[0].requests[0].ticks` cannot be `-1`
         --> greet.test.yaml:5:16
          |
        5 |       - ticks: -1
          |                ^^
          |
          = hint: it goes from 0 to 100000"#]],
    );
    check(
        &in_request("after: 5"),
        &expect![[r#"
        error: `cases[0].requests[0].after`: `5` is not a duration: the unit is missing
         --> greet.test.yaml:5:16
          |
        5 |       - after: 5
          |                ^
          |
          = hint: write `5ms` for milliseconds, or `5s` for seconds"#]],
    );
}

#[test]
fn headers() {
    check(
        &in_request(
            "request: { headers: [accept, 'a b: c', ':path: /x', ':nope: x', \"x: a\\u0001\", { a: 1, b: 2 }, [a]] }",
        ),
        &expect![[r#"
            error: `accept` has no colon in it
             --> greet.test.yaml:5:30
              |
            5 |       - request: { headers: [accept, 'a b: c', ':path: /x', ':nope: x', "x: a\u0001", { a: 1, b: 2 }, [a]] }
              |                              ^^^^^^
              |
              = hint: write a name, a colon and a value, such as `accept: text/plain`

            error: `a b` is not a header name
             --> greet.test.yaml:5:38
              |
            5 |       - request: { headers: [accept, 'a b: c', ':path: /x', ':nope: x', "x: a\u0001", { a: 1, b: 2 }, [a]] }
              |                                      ^^^^^^^^
              |
              = hint: a name is made of letters, digits and marks such as `-`

            error: `:path` has a key of its own
             --> greet.test.yaml:5:48
              |
            5 |       - request: { headers: [accept, 'a b: c', ':path: /x', ':nope: x', "x: a\u0001", { a: 1, b: 2 }, [a]] }
              |                                                ^^^^^^^^^^^
              |
              = hint: write `path:` beside the headers

            error: `:nope` is not a header name
             --> greet.test.yaml:5:61
              |
            5 |       - request: { headers: [accept, 'a b: c', ':path: /x', ':nope: x', "x: a\u0001", { a: 1, b: 2 }, [a]] }
              |                                                             ^^^^^^^^^^
              |
              = hint: a name is made of letters, digits and marks such as `-`

            error: the value of `x` has a control character in it
             --> greet.test.yaml:5:73
              |
            5 |       - request: { headers: [accept, 'a b: c', ':path: /x', ':nope: x', "x: a\u0001", { a: 1, b: 2 }, [a]] }
              |                                                                         ^^^^^^^^^^^^
              |
              = hint: no header can have that; remove it

            error: `cases[0].requests[0].request.headers[5]` has 2 entries
             --> greet.test.yaml:5:87
              |
            5 |       - request: { headers: [accept, 'a b: c', ':path: /x', ':nope: x', "x: a\u0001", { a: 1, b: 2 }, [a]] }
              |                                                                                       ^^^^^^^^^^^^^^
              |
              = hint: begin each with `- `

            error: `cases[0].requests[0].request.headers[6]` is to be a header such as `"accept: text/plain"`, and this is a list
             --> greet.test.yaml:5:103
              |
            5 |       - request: { headers: [accept, 'a b: c', ':path: /x', ':nope: x', "x: a\u0001", { a: 1, b: 2 }, [a]] }
              |                                                                                                       ^^^
              |
              = hint: write for example `accept: text/plain`"#]],
    );
    check(
        &in_request("request: { headers: { accept: a } }"),
        &expect![[r#"
        error: `cases[0].requests[0].request.headers` is to be a list, and this is a mapping
         --> greet.test.yaml:5:29
          |
        5 |       - request: { headers: { accept: a } }
          |                             ^^^^^^^^^^^^^
          |
          = hint: begin each item with `- `"#]],
    );
    check(
        &in_request("response: { headers: [':status: 200'], trailers: ['host: a'] }"),
        &expect![[r#"
        error: `:status` has a key of its own
         --> greet.test.yaml:5:31
          |
        5 |       - response: { headers: [':status: 200'], trailers: ['host: a'] }
          |                               ^^^^^^^^^^^^^^
          |
          = hint: write `status:` beside the headers"#]],
    );
    check(
        &in_request("expect: { client: { absent: ['x: 1'], added: [': x'] } }"),
        &expect![[r#"
        error: `x: 1` is not a header name
         --> greet.test.yaml:5:38
          |
        5 |       - expect: { client: { absent: ['x: 1'], added: [': x'] } }
          |                                      ^^^^^^
          |
          = hint: a name is made of letters, digits and marks such as `-`

        error: `: x` is not a header name
         --> greet.test.yaml:5:55
          |
        5 |       - expect: { client: { absent: ['x: 1'], added: [': x'] } }
          |                                                       ^^^^^
          |
          = hint: a name is made of letters, digits and marks such as `-`"#]],
    );
}

#[test]
fn bodies() {
    check(
        &in_request("request: { body: 7 }"),
        &expect![[r#"
        error: `cases[0].requests[0].request.body` is to be text, and this is a number
         --> greet.test.yaml:5:26
          |
        5 |       - request: { body: 7 }
          |                          ^
          |
          = hint: put it between quotes: "7""#]],
    );
    check(
        &in_request("request: { body: { file: a, hex: 00 } }"),
        &expect![[r#"
            error: `cases[0].requests[0].request.body` says in several ways what the bytes are
             --> greet.test.yaml:5:20
              |
            5 |       - request: { body: { file: a, hex: 00 } }
              |                    ^^^^
              |
              = hint: give one of `file`, `json`, `hex` and `text`"#]],
    );
    check(
        &in_request("request: { body: {} }"),
        &expect![[r#"
            error: `cases[0].requests[0].request.body` does not say where the bytes are
             --> greet.test.yaml:5:20
              |
            5 |       - request: { body: {} }
              |                    ^^^^
              |
              = hint: give one of `file`, `json`, `hex` and `text`"#]],
    );
    check(
        &in_request("request: { body: [{ hex: 0 }, { hex: zz }] }"),
        &expect![[r#"
            error: `0` is not made of pairs of hexadecimal digits
             --> greet.test.yaml:5:34
              |
            5 |       - request: { body: [{ hex: 0 }, { hex: zz }] }
              |                                  ^
              |
              = hint: write for example `00ff 7a`

            error: `zz` is not made of pairs of hexadecimal digits
             --> greet.test.yaml:5:46
              |
            5 |       - request: { body: [{ hex: 0 }, { hex: zz }] }
              |                                              ^^
              |
              = hint: write for example `00ff 7a`"#]],
    );
    check(
        &in_request("request: { body: { txt: a } }"),
        &expect![[r#"
            error: `cases[0].requests[0].request.body` does not say where the bytes are
             --> greet.test.yaml:5:20
              |
            5 |       - request: { body: { txt: a } }
              |                    ^^^^
              |
              = hint: give one of `file`, `json`, `hex` and `text`

            error: unknown key `txt` in `cases[0].requests[0].request.body`
             --> greet.test.yaml:5:28
              |
            5 |       - request: { body: { txt: a } }
              |                            ^^^
              |
              = hint: did you mean `text`? the keys here are `file`, `json`, `hex`, `text`, `times`"#]],
    );
    check(
        &in_request(
            "request: { body: [{ text: a, times: 100000001 }, { text: abc, times: 90000000 }, { hex: 00, times: 2 }] }",
        ),
        &expect![[r#"
            error: `cases[0].requests[0].request.body[0].times` cannot be `100000001`
             --> greet.test.yaml:5:45
              |
            5 |       - request: { body: [{ text: a, times: 100000001 }, { text: abc, times: 90000000 }, { hex: 00, times: 2 }] }
              |                                             ^^^^^^^^^
              |
              = hint: it goes from 1 to 100000000

            error: `cases[0].requests[0].request.body[1].text` is larger than 64 MiB with its `times`
             --> greet.test.yaml:5:60
              |
            5 |       - request: { body: [{ text: a, times: 100000001 }, { text: abc, times: 90000000 }, { hex: 00, times: 2 }] }
              |                                                            ^^^^
              |
              = hint: write a smaller number of `times`

            error: only a `text` can stand there several times
             --> greet.test.yaml:5:101
              |
            5 |       - request: { body: [{ text: a, times: 100000001 }, { text: abc, times: 90000000 }, { hex: 00, times: 2 }] }
              |                                                                                                     ^^^^^
              |
              = hint: remove `times`"#]],
    );
    check(
        &in_request("request: { body: { json: .nan } }"),
        &expect![[r#"
        error: JSON has no number `.nan`, and the plugin is given JSON
         --> greet.test.yaml:5:34
          |
        5 |       - request: { body: { json: .nan } }
          |                                  ^^^^
          |
          = hint: put it between quotes to give it as text"#]],
    );
    check(
        &in_request("expect: { client: { bodyContains: [''] } }"),
        &expect![[r#"
        error: `cases[0].requests[0].expect.client.bodyContains[0]` is empty
         --> greet.test.yaml:5:44
          |
        5 |       - expect: { client: { bodyContains: [''] } }
          |                                            ^^
          |
          = hint: remove it: the empty text is found everywhere"#]],
    );
}

#[test]
fn callouts() {
    check(
        &in_request("callouts: { auth: fail }"),
        &expect![[r#"
        error: `cases[0].requests[0].callouts.auth` is no answer to a call-out
         --> greet.test.yaml:5:27
          |
        5 |       - callouts: { auth: fail }
          |                           ^^^^
          |
          = hint: write `{ status: 200 }`, or `fails`"#]],
    );
    check(
        &in_request("callouts: { auth: }"),
        &expect![[r#"
        error: `cases[0].requests[0].callouts.auth` is no answer to a call-out
         --> greet.test.yaml:5:25
          |
        5 |       - callouts: { auth: }
          |                         ^
          |
          = hint: write `{ status: 200 }`, or `fails`"#]],
    );
    check(
        &in_request("callouts: { auth: [{ statu: 200 }] }"),
        &expect![[r#"
        error: unknown key `statu` in `cases[0].requests[0].callouts.auth[0]`
         --> greet.test.yaml:5:30
          |
        5 |       - callouts: { auth: [{ statu: 200 }] }
          |                              ^^^^^
          |
          = hint: did you mean `status`? the keys here are `status`, `headers`, `body`, `trailers`"#]],
    );
    check(
        &in_request("expect: { calloutsMade: ['GET /check', 'auth:', { call: 'a: GET /', body: 1 }, 7] }"),
        &expect![[r#"
        error: `cases[0].requests[0].expect.calloutsMade[0]` names no call-out
         --> greet.test.yaml:5:34
          |
        5 |       - expect: { calloutsMade: ['GET /check', 'auth:', { call: 'a: GET /', body: 1 }, 7] }
          |                                  ^^^^^^^^^^^^
          |
          = hint: write the upstream, the method and the path, such as `auth: GET /check`

        error: `cases[0].requests[0].expect.calloutsMade[1]` names no call-out
         --> greet.test.yaml:5:48
          |
        5 |       - expect: { calloutsMade: ['GET /check', 'auth:', { call: 'a: GET /', body: 1 }, 7] }
          |                                                ^^^^^^^
          |
          = hint: write the upstream, the method and the path, such as `auth: GET /check`

        error: `cases[0].requests[0].expect.calloutsMade[2].body` is to be text, and this is a number
         --> greet.test.yaml:5:83
          |
        5 |       - expect: { calloutsMade: ['GET /check', 'auth:', { call: 'a: GET /', body: 1 }, 7] }
          |                                                                                   ^
          |
          = hint: put it between quotes: "1"

        error: `cases[0].requests[0].expect.calloutsMade[3]` is to be a call such as `"auth: GET /check"`, and this is a number
         --> greet.test.yaml:5:88
          |
        5 |       - expect: { calloutsMade: ['GET /check', 'auth:', { call: 'a: GET /', body: 1 }, 7] }
          |                                                                                        ^
          |
          = hint: write for example `auth: GET /check`"#]],
    );
}

#[test]
fn expectations() {
    check(
        &in_request("expect: { paused: always, fault: traps, reset: maybe }"),
        &expect![[r#"
        error: `cases[0].requests[0].expect.paused` cannot be `always`
         --> greet.test.yaml:5:27
          |
        5 |       - expect: { paused: always, fault: traps, reset: maybe }
          |                           ^^^^^^
          |
          = hint: write `request` or `response`

        error: `cases[0].requests[0].expect.fault` cannot be `traps`
         --> greet.test.yaml:5:42
          |
        5 |       - expect: { paused: always, fault: traps, reset: maybe }
          |                                          ^^^^^
          |
          = hint: did you mean `trap`?

        error: `cases[0].requests[0].expect.reset` is to be `true` or `false`, and this is text
         --> greet.test.yaml:5:56
          |
        5 |       - expect: { paused: always, fault: traps, reset: maybe }
          |                                                        ^^^^^
          |
          = hint: write `true` or `false`"#]],
    );
    check(
        &in_request("expect: { log: ['inf: a', 'greeted', 7, { info: a, warn: b }] }"),
        &expect![[r#"
        error: `inf` is no level of a log line
         --> greet.test.yaml:5:25
          |
        5 |       - expect: { log: ['inf: a', 'greeted', 7, { info: a, warn: b }] }
          |                         ^^^^^^^^
          |
          = hint: did you mean `info`?

        error: `greeted` is no level of a log line
         --> greet.test.yaml:5:35
          |
        5 |       - expect: { log: ['inf: a', 'greeted', 7, { info: a, warn: b }] }
          |                                   ^^^^^^^^^
          |
          = hint: begin it with `trace`, `debug`, `info`, `warn`, `error` or `critical` and a colon, such as `info: greeted`

        error: `cases[0].requests[0].expect.log[2]` is to be a line such as `"info: greeted"`, and this is a number
         --> greet.test.yaml:5:46
          |
        5 |       - expect: { log: ['inf: a', 'greeted', 7, { info: a, warn: b }] }
          |                                              ^
          |
          = hint: write for example `info: greeted`

        error: `cases[0].requests[0].expect.log[3]` has 2 entries
         --> greet.test.yaml:5:49
          |
        5 |       - expect: { log: ['inf: a', 'greeted', 7, { info: a, warn: b }] }
          |                                                 ^^^^^^^^^^^^^^^^^^^^
          |
          = hint: begin each with `- `"#]],
    );
    check(
        &in_request("expect: { logContains: [] }"),
        &expect![[r#"
        error: `cases[0].requests[0].expect.logContains` is empty
         --> greet.test.yaml:5:32
          |
        5 |       - expect: { logContains: [] }
          |                                ^^
          |
          = hint: it needs at least one item"#]],
    );
    check(
        &in_request("expect: { reply: { by: me } }"),
        &expect![[r#"
        error: `cases[0].requests[0].expect.reply.by` cannot be `me`
         --> greet.test.yaml:5:32
          |
        5 |       - expect: { reply: { by: me } }
          |                                ^^
          |
          = hint: write `filter` or `wharf`"#]],
    );
    check(
        &in_case("expect: { metrics: { a: 1.5, b: { median: 2 } }, queues: { q: x } }"),
        &expect![[r#"
        error: `cases[0].expect.metrics.a` is to be a whole number, and this is a decimal number
         --> greet.test.yaml:4:29
          |
        4 |     expect: { metrics: { a: 1.5, b: { median: 2 } }, queues: { q: x } }
          |                             ^^^
          |
          = hint: it goes from -9223372036854775808 to 9223372036854775807

        error: unknown key `median` in `cases[0].expect.metrics.b`
         --> greet.test.yaml:4:39
          |
        4 |     expect: { metrics: { a: 1.5, b: { median: 2 } }, queues: { q: x } }
          |                                       ^^^^^^
          |
          = hint: the keys here are `count`, `sum`

        error: `cases[0].expect.queues.q` is to be a list, and this is text
         --> greet.test.yaml:4:67
          |
        4 |     expect: { metrics: { a: 1.5, b: { median: 2 } }, queues: { q: x } }
          |                                                                   ^
          |
          = hint: write `["x"]`"#]],
    );
}
