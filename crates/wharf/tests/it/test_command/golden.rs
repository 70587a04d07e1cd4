//! Golden folders.

use std::fs;
use std::os::unix::fs::MetadataExt;

use expect_test::expect;

use super::{check, code, json, read, write};
use crate::harness::{Folder, folder};

fn golden(keys: &str) -> Folder {
    let folder = folder();
    let text = format!("plugin: ../../guests/rust-headers/rust-headers.wasm\nrequests:\n  - {keys}\n");
    write(&folder, "golden/greets/case.yaml", &text);
    folder
}

const EXPECTED: &str = "golden/greets/expected.txt";

#[test]
fn a_report_is_written_when_it_is_asked_for_and_compared_from_then_on() {
    let folder = golden("request: { path: /a }");
    check(
        &folder,
        &[],
        &expect![[r#"
            exit code 1
            --- stdout ---
            FAIL  golden/greets/case.yaml: greets

            golden/greets/case.yaml:1: greets
              expected.txt
                golden/greets/case.yaml:1: golden/greets/expected.txt is not there; if it is right so, write it with --update
                  --- expected
                  +++ came
                  @@ -0,0 +1,16 @@
                  +start
                  +  log
                  +    info     rust-headers: adds x-greeting: hello
                  +
                  +request 1: GET /a
                  +  to the upstream
                  +    :method: GET
                  +    :scheme: http
                  +    :authority: localhost
                  +    :path: /a
                  +  + x-greeting: hello
                  +  to the client
                  +    :status: 200
                  +  + x-greeting: hello
                  +  log
                  +    info     rust-headers: request GET /a

            0 passed, 1 failed
        "#]],
    );
    assert!(!folder.path().join(EXPECTED).exists());
    check(
        &folder,
        &["--update"],
        &expect![[r#"
        exit code 0
        --- stdout ---
        ok    golden/greets/case.yaml: greets

        wrote golden/greets/expected.txt

        1 passed, 0 failed
    "#]],
    );
    expect![[r#"
        start
          log
            info     rust-headers: adds x-greeting: hello

        request 1: GET /a
          to the upstream
            :method: GET
            :scheme: http
            :authority: localhost
            :path: /a
          + x-greeting: hello
          to the client
            :status: 200
          + x-greeting: hello
          log
            info     rust-headers: request GET /a
    "#]]
    .assert_eq(&read(&folder, EXPECTED));
    let inode = || fs::metadata(folder.path().join(EXPECTED)).unwrap().ino();
    let before = inode();
    check(
        &folder,
        &["--update"],
        &expect![[r#"
        exit code 0
        --- stdout ---
        ok    golden/greets/case.yaml: greets

        1 passed, 0 failed
    "#]],
    );
    assert_eq!(before, inode(), "what is up to date is not written");
    check(
        &folder,
        &[],
        &expect![[r#"
        exit code 0
        --- stdout ---
        ok    golden/greets/case.yaml: greets

        1 passed, 0 failed
    "#]],
    );
}

#[test]
fn a_difference_is_shown_and_written_over_on_request() {
    let folder = golden("request: { path: /a }");
    assert_eq!(code(&folder, &["--update"]), Some(0));
    let right = read(&folder, EXPECTED);
    write(
        &folder,
        EXPECTED,
        &right.replace("hello", "hallo").replace("GET /a", "GET /b"),
    );
    check(
        &folder,
        &[],
        &expect![[r#"
        exit code 1
        --- stdout ---
        FAIL  golden/greets/case.yaml: greets

        golden/greets/case.yaml:1: greets
          expected.txt
            golden/greets/case.yaml:1: `expected.txt` is not as expected; if it is right so, write it with --update
              --- expected
              +++ came
              @@ -1,16 +1,16 @@
               start
                 log
              -    info     rust-headers: adds x-greeting: hallo
              +    info     rust-headers: adds x-greeting: hello

              -request 1: GET /b
              +request 1: GET /a
                 to the upstream
                   :method: GET
                   :scheme: http
                   :authority: localhost
                   :path: /a
              -  + x-greeting: hallo
              +  + x-greeting: hello
                 to the client
                   :status: 200
              -  + x-greeting: hallo
              +  + x-greeting: hello
                 log
              -    info     rust-headers: request GET /b
              +    info     rust-headers: request GET /a

        0 passed, 1 failed
    "#]],
    );
    let (code, results) = json(&folder, &["--update"]);
    assert_eq!((code, &results["updated"][0]), (Some(0), &EXPECTED.into()));
    assert_eq!(read(&folder, EXPECTED), right);
}

#[test]
fn a_case_that_fails_otherwise_is_not_written() {
    let folder = golden("expect: { client: { status: 404 } }");
    check(
        &folder,
        &["--update"],
        &expect![[r#"
            exit code 1
            --- stdout ---
            FAIL  golden/greets/case.yaml: greets

            golden/greets/case.yaml:1: greets
              request 1: GET /
                golden/greets/case.yaml:3: `client.status` is expected to be 404, and is 200
                log
                  info     rust-headers: request GET /
              expected.txt
                golden/greets/case.yaml:1: golden/greets/expected.txt is not there; it is not written while anything else is wrong
                  --- expected
                  +++ came
                  @@ -0,0 +1,16 @@
                  +start
                  +  log
                  +    info     rust-headers: adds x-greeting: hello
                  +
                  +request 1: GET /
                  +  to the upstream
                  +    :method: GET
                  +    :scheme: http
                  +    :authority: localhost
                  +    :path: /
                  +  + x-greeting: hello
                  +  to the client
                  +    :status: 200
                  +  + x-greeting: hello
                  +  log
                  +    info     rust-headers: request GET /

            0 passed, 1 failed
        "#]],
    );
    assert!(!folder.path().join(EXPECTED).exists());
}

#[test]
fn a_report_that_cannot_be_read_or_written() {
    let folder = golden("request: { path: /a }");
    fs::create_dir(folder.path().join(EXPECTED)).unwrap();
    check(
        &folder,
        &["--update"],
        &expect![[r#"
        exit code 1
        --- stdout ---
        ERROR golden/greets/case.yaml: greets

        golden/greets/case.yaml:1: greets
          golden/greets/expected.txt cannot be read: Is a directory (os error 21)
          hint: let the user who runs the tests read and write it

        0 passed, 0 failed, 1 could not be run
    "#]],
    );
}

#[test]
fn bodies_that_are_no_text_and_faults_are_in_the_report() {
    let folder = folder();
    write(
        &folder,
        "golden/binary/case.yaml",
        "plugin: ../../guests/rust-headers/rust-headers.wasm\nname: shows every byte\n\
         requests: [{ request: { body: { hex: 00ff 1b } }, response: { body: { text: \"0123456789\\n\", times: 500 } } }]\n",
    );
    write(
        &folder,
        "golden/trap/case.yaml",
        "plugin: ../../guests/wat/trap.wat\nrequests: [{ request: { path: /trap-on-log }, expect: { fault: trap } }]\n",
    );
    assert_eq!(code(&folder, &["--update"]), Some(0));
    let binary = read(&folder, "golden/binary/expected.txt");
    assert!(binary.contains("\n    | 00ff1b\n"), "{binary}");
    assert_eq!(binary.matches("    | 0123456789\n").count(), 500);
    expect![[r#"
        request 1: GET /trap-on-log
          to the upstream
            :method: GET
            :scheme: http
            :authority: localhost
            :path: /trap-on-log
          to the client
            :status: 200
          fault in proxy_on_log: the guest trapped: wasm trap: wasm `unreachable` instruction executed
    "#]]
    .assert_eq(&read(&folder, "golden/trap/expected.txt"));
    assert_eq!(code(&folder, &[]), Some(0));
}
