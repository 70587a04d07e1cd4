//! What is left out, and what the exit code says of the rest.

use expect_test::expect;

use super::{SECRETS, WORDPRESS, blog, check, scan, targets};

#[test]
fn severities_choose() {
    let folder = blog();
    let modules = ["--module", WORDPRESS, "--module", SECRETS];
    let with = |arguments: &[&str]| scan(&folder, &[&modules, arguments, &["tree"]].concat());
    let (code, report, _) = with(&["--severity", "critical", "--exit-code", "5"]);
    assert_eq!(
        report["Results"][2]["Vulnerabilities"],
        serde_json::Value::Null,
        "{report}"
    );
    let left = report["Results"][0]["Secrets"].is_array();
    assert_eq!(code, if left { 5 } else { 0 });
    let (code, _, _) = with(&["--exit-code", "5"]);
    assert_eq!(code, 5);
    check(
        &folder,
        &["--severity", "SEVERE", "tree"],
        &expect![[r#"
        exit code 2
        --- stderr ---
        error: invalid value 'SEVERE' for '--severity <SEVERITY>': it is one of UNKNOWN, LOW, MEDIUM, HIGH, CRITICAL

        For more information, try '--help'.
    "#]],
    );
}

#[test]
fn ignore_files_choose() {
    let folder = blog()
        .with(
            ".trivyignore",
            "# known\nEXAMPLE-2026-0001\nacme-key exp:2020-01-01\n",
        )
        .with(
            "ignore.yaml",
            "secrets:\n  - id: acme-key\n    paths: [\".env\"]\n    statement: a test key\n",
        )
        .with("bad.yaml", "secrets:\n  - ids: acme-key\n");
    let modules = ["--module", WORDPRESS, "--module", SECRETS];
    let with = |arguments: &[&str]| {
        scan(
            &folder,
            &[&modules, arguments, &["--exit-code", "5", "tree"]].concat(),
        )
    };
    let (code, report, said) = with(&[]);
    assert_eq!((code, said.as_str()), (5, ""), "{report}");
    let text = report.to_string();
    assert!(
        !text.contains("EXAMPLE-2026-0001\",\"PkgName") && text.contains("acme-key"),
        "{text}"
    );
    let (_, report, _) = with(&["--ignorefile", "ignore.yaml", "--show-suppressed"]);
    let text = report.to_string();
    assert!(text.contains("a test key"), "{text}");
    let (code, report, said) = with(&["--ignorefile", "nowhere"]);
    assert_eq!(code, 5, "{report}");
    assert!(said.contains("there is no ignore file nowhere"), "{said}");
    check(
        &folder,
        &["--ignorefile", "bad.yaml", "tree"],
        &expect![[r#"
        exit code 3
        --- stderr ---
        warning: unknown key `ids` in `secrets[0]`
         --> bad.yaml:2:5
          |
        2 |   - ids: acme-key
          |     ^^^
          |
          = hint: did you mean `id`? the keys here are `id`, `paths`, `purls`, `expired_at`, `statement`

        error: `secrets[0]` has no `id`
         --> bad.yaml:2:5
          |
        2 |   - ids: acme-key
          |     ^^^^^^^^^^^^^
          |
          = hint: add `id:`. The id of the finding.
    "#]],
    );
}

#[test]
fn a_vex_document_that_is_none_is_told() {
    let folder = blog().with("vex.json", r#"{"a":1}"#);
    check(
        &folder,
        &["--vex", "vex.json", "tree"],
        &expect![[r#"
        exit code 3
        --- stderr ---
        error: vex.json: it is none of OpenVEX (with `@context`), CSAF (with `document` and `vulnerabilities`) and CycloneDX (with `bomFormat`)
    "#]],
    );
    check(
        &folder,
        &["--vex", "nowhere.json", "tree"],
        &expect![[r#"
        exit code 3
        --- stderr ---
        error: the VEX document nowhere.json cannot be read: No such file or directory (os error 2)

        hint: --vex takes the path of a file
    "#]],
    );
}

#[test]
fn what_is_skipped_is_not_looked_at() {
    let folder = blog();
    let modules = ["--module", WORDPRESS, "--module", SECRETS];
    let with =
        |arguments: &[&str]| targets(&scan(&folder, &[&modules, arguments, &["tree"]].concat()).1).len();
    assert_eq!(with(&[]), 3);
    assert_eq!(with(&["--skip-dirs", "blog"]), 1);
    assert_eq!(
        with(&["--skip-dirs", "**/wp-includes", "--skip-files", "**/.e*"]),
        0
    );
    assert_eq!(with(&["--skip-files", "*.php,.env"]), 2);
    check(
        &folder,
        &["--skip-dirs", "[a", "tree"],
        &expect![[r#"
            exit code 2
            --- stderr ---
            warning: there is no module, so nothing is looked for: --module and --module-dir name some
            error: the pattern `[a` is not a glob: a `[` is not closed

            hint: correct the pattern of --skip-dirs or --skip-files
        "#]],
    );
}
