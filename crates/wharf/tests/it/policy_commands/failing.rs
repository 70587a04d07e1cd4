//! Policies that give no verdict, and what cannot be asked.

use expect_test::expect;

use super::{METADATA, REVIEW, VALID, check, policy, with, without_times};
use crate::harness::folder;

#[test]
fn a_fault_is_told_with_its_backtrace() {
    check(
        &with(&policy(METADATA, VALID, "", "unreachable")),
        &[],
        &expect![[r#"
            exit code 4
            --- stdout ---
            p (kubewarden-wapc)

            review u-1: CREATE apps/v1/Deployment shop/web
              fault (trap): in __guest_call: the guest trapped: wasm trap: wasm `unreachable` instruction executed
                at judge at 0x11b
                at function 9 at 0x132

            time: …
        "#]],
    );
}

#[test]
fn a_policy_that_answers_rubbish() {
    check(
        &with(&policy(METADATA, VALID, "[1]", "(call $say)")),
        &[],
        &expect![[r#"
            exit code 4
            --- stdout ---
            p (kubewarden-wapc)

            review u-1: CREATE apps/v1/Deployment shop/web
              fault (bad_reply): invalid response from policy: its answer to validate: this is no object

            time: …
        "#]],
    );
    check(
        &with(&policy(METADATA, "{}", "[1]", "(call $say)")),
        &[],
        &expect![[r#"
            exit code 4
            --- stdout ---
            p (kubewarden-wapc)

            settings
              fault (bad_reply): invalid response from policy: its answer to validate_settings: missing field `valid` at line 1 column 2

            review u-1: CREATE apps/v1/Deployment shop/web
              not made, because the policy has no settings that it takes
        "#]],
    );
}

#[test]
fn a_policy_that_never_answers() {
    let folder = with(&policy(METADATA, VALID, "", "(loop $l (br $l)) (i32.const 1)"));
    let text = folder.transcript(&["run", "p.wat", "--review", "review.json", "--deadline", "30ms"]);
    expect![[r#"
        exit code 4
        --- stdout ---
        p (kubewarden-wapc)

        review u-1: CREATE apps/v1/Deployment shop/web
          fault (deadline): Policy execution interrupted because it exceeded the allowed execution time of 30ms

        time: …
    "#]].assert_eq(&without_times(&text));
}

#[test]
fn files_that_cannot_be_used() {
    let good = || with(&policy(METADATA, VALID, r#"{"accepted":true}"#, "(call $say)"));
    check(
        &good().with("review.json", "{"),
        &[],
        &expect![[r#"
            exit code 3
            --- stderr ---
            error: review.json: this is no AdmissionReview: EOF while parsing an object at line 1 column 1

            hint: a review is what the API server sends to webhooks, its `request` alone or some keys of it, or an object that somebody wants to create; --raw, or `raw: true` in a case, takes any JSON
        "#]],
    );
    check(
        &good().with("review.json", r#"{"kind":"Pod","apiVersion":"v1","request":{}}"#),
        &[],
        &expect![[r#"
            exit code 3
            --- stderr ---
            error: review.json: this is a Pod, and only an AdmissionReview can be answered

            hint: a review is what the API server sends to webhooks, its `request` alone or some keys of it, or an object that somebody wants to create; --raw, or `raw: true` in a case, takes any JSON
        "#]],
    );
    check(
        &good().with("review.json", "{"),
        &["--raw"],
        &expect![[r#"
        exit code 3
        --- stderr ---
        error: review.json: this is no JSON: EOF while parsing an object at line 1 column 1

        hint: a raw review is any JSON, alone or as `{"request": …}`
    "#]],
    );
    check(
        &good().with("s.yaml", "a: [\n"),
        &["--settings", "s.yaml"],
        &expect![[r#"
            exit code 3
            --- stderr ---
            error: this is not valid YAML: unclosed bracket '['
             --> s.yaml:1:4
              |
            1 | a: [
              |    ^
              |
              = hint: look for a missing comma or closing bracket
        "#]],
    );
    check(
        &good().with("s.yaml", "- a\n"),
        &["--settings", "s.yaml"],
        &expect![[r#"
            exit code 3
            --- stderr ---
            error: s.yaml: a policy's settings are an object: this is `["a"]`

            hint: write `key: value`; for no settings write `{}`
        "#]],
    );
    check(
        &good(),
        &["--settings", "none.yaml"],
        &expect![[r#"
        exit code 3
        --- stderr ---
        error: the file of settings cannot be read: No such file or directory (os error 2)
        --> none.yaml
         = hint: check the path
    "#]],
    );
    check(
        &good(),
        &["--allow", "cluster/*"],
        &expect![[r#"
        exit code 2
        --- stderr ---
        error: `cluster/*` names no host capability: there are crypto/*, kubernetes/*, net/* and oci/*

        hint: write for example `--allow 'kubernetes/*'`
    "#]],
    );
    check(
        &good(),
        &["--record", "no/such/folder.yaml"],
        &expect![[r#"
            exit code 1
            --- stdout ---
            p (kubewarden-wapc)

            review u-1: CREATE apps/v1/Deployment shop/web
              allowed

            time: …
            --- stderr ---
            error: no/such/folder.yaml cannot be written: No such file or directory (os error 2)

            hint: name a file in a folder that can be written
        "#]],
    );
}

#[test]
fn modules_that_cannot_be_used() {
    check(
        &with(&policy("[]", VALID, "{}", "(call $say)")),
        &[],
        &expect![[r#"
            exit code 4
            --- stderr ---
            error: the section `io.kubewarden.metadata` is not a policy's metadata: this is no object

            hint: annotate the policy anew with `kwctl annotate`
        "#]],
    );
    check(
        &with(&policy(METADATA, VALID, "{}", "(call $say)")),
        &["--execution-mode", "opa"],
        &expect![[r#"
            exit code 4
            --- stderr ---
            error: the policy's execution mode is kubewarden-wapc by its own metadata, and opa by its configuration

            hint: leave out --execution-mode, or `executionMode` in a file: the metadata say it
        "#]],
    );
    let newer = METADATA.replace('}', r#","minimumKubewardenVersion":"9.1.0"}"#);
    check(
        &with(&policy(&newer, VALID, "{}", "(call $say)")),
        &[],
        &expect![[r#"
            exit code 4
            --- stderr ---
            error: the policy needs Kubewarden 9.1, and this host knows what Kubewarden 1.36 has

            hint: use an older release of the policy
        "#]],
    );
    check(
        &with("(module)"),
        &[],
        &expect![[r#"
        exit code 4
        --- stderr ---
        error: plugin `p` (file:p.wat) cannot be loaded
          caused by: this module speaks no known ABI: it exports no marker of one

        hint: it exports nothing: was it linked as a library (`crate-type = ["cdylib"]`)?
    "#]],
    );
    let text = with("").transcript(&[
        "run",
        "guests/rego-unknown/rego-unknown.wasm",
        "--review",
        "review.json",
        "--execution-mode",
        "opa",
    ]);
    expect![[r#"
        exit code 4
        --- stderr ---
        error: the policy calls built-in functions that are not given here: http.send, net.lookup_ip_addr

        hint: write the policy without them
    "#]]
    .assert_eq(&text);
}

#[test]
fn flags_that_do_not_fit_the_module() {
    let folder = folder()
        .with("p.wat", policy(METADATA, VALID, "{}", "(call $say)"))
        .with("review.json", REVIEW);
    let filter = "guests/rust-headers/rust-headers.wasm";
    for (arguments, expected) in [
        (
            &["run", filter, "--review", "review.json"][..],
            expect![[r#"
                exit code 4
                --- stderr ---
                error: file:guests/rust-headers/rust-headers.wasm is no policy: its module speaks proxy-wasm 0.2.1

                hint: only policies are asked about reviews; `wharf run` without --review, and cases with `plugin`, are for filters
            "#]],
        ),
        (
            &["run", filter, "--operation", "x"],
            expect![[r#"
            exit code 4
            --- stderr ---
            error: the module is no waPC guest: it exports no "__guest_call"

            hint: --operation calls waPC guests; without it `wharf run` takes filters
        "#]],
        ),
        (
            &["run", "p.wat"],
            expect![[r#"
                exit code 4
                --- stderr ---
                error: file:p.wat is no proxy-wasm filter: its module speaks waPC

                hint: --review FILE asks a policy, --operation NAME calls a waPC guest, --file FILE lets a module of Trivy look; `wharf inspect file:p.wat` says what the module is
            "#]],
        ),
        (
            &["run", "p.wat", "--review", "review.json", "--body", "b"],
            expect![[r#"
                exit code 2
                --- stderr ---
                error: the argument '--review <FILE>' cannot be used with '--body <TEXT|@FILE>'

                Usage: wharf run --review <FILE> --log-level <LEVEL> <PLUGIN>

                For more information, try '--help'.
            "#]],
        ),
        (
            &["run", "p.wat", "--settings", "s.yaml"],
            expect![[r#"
            exit code 2
            --- stderr ---
            error: the following required arguments were not provided:
              --review <FILE>

            Usage: wharf run --review <FILE> --settings <FILE> --log-level <LEVEL> <PLUGIN>

            For more information, try '--help'.
        "#]],
        ),
        (
            &["run", "p.wat", "--review", "r", "--operation", "x"],
            expect![[r#"
                exit code 2
                --- stderr ---
                error: the argument '--review <FILE>' cannot be used with '--operation <NAME>'

                Usage: wharf run --review <FILE> --log-level <LEVEL> <PLUGIN>

                For more information, try '--help'.
            "#]],
        ),
        (
            &["run", "p.wat", "--review", "r", "--payload", "x"],
            expect![[r#"
                exit code 2
                --- stderr ---
                error: the argument '--review <FILE>' cannot be used with '--payload <TEXT|@FILE>'

                Usage: wharf run --review <FILE> --log-level <LEVEL> <PLUGIN>

                For more information, try '--help'.
            "#]],
        ),
        (
            &["run", "p.wat", "--review", "r", "--resource", "Pod"],
            expect![[r#"
                exit code 2
                --- stderr ---
                error: invalid value 'Pod' for '--resource <APIVERSION/KIND>': write the version and the kind, such as `v1/Namespace` or `apps/v1/Deployment`

                For more information, try '--help'.
            "#]],
        ),
    ] {
        expected.assert_eq(&folder.transcript(arguments));
    }
}
