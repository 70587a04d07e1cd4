//! Modules that fail, each in its way.

use expect_test::expect;

use super::{SECRETS, blog, check, scan, targets, write};

const WAT: [&str; 4] = ["trap", "bad-json", "wild", "hog"];

fn wat(name: &str) -> String {
    format!("guests/trivy/wat/{name}.wat")
}

#[test]
fn a_fault_costs_one_file_and_is_told() {
    let folder = blog();
    for name in WAT {
        let module = wat(name);
        let (code, report, said) = scan(&folder, &["--module", &module, "--module", SECRETS, "tree"]);
        assert_eq!(code, 2, "{name}: {said}");
        // What the other module finds is there.
        assert!(
            targets(&report).contains(&(".env".to_owned(), "secret".to_owned())),
            "{name}: {report}"
        );
        let warnings = report["Warnings"].as_array().unwrap();
        assert!(!warnings.is_empty(), "{name}");
        for warning in warnings {
            assert_eq!(warning["Kind"], "module-fault", "{name}: {warning}");
            assert!(warning["Path"].is_string(), "{name}: {warning}");
        }
        assert!(said.contains("warning: module "), "{name}: {said}");
    }
}

#[test]
fn a_fault_may_end_the_scan_or_be_passed_over() {
    let folder = blog();
    check(
        &folder,
        &[
            "--module",
            "guests/trivy/wat/trap.wat",
            "--on-fault",
            "fail",
            "tree/readme.txt",
        ],
        &expect![[r#"
            exit code 1
            --- stderr ---
            error: the module "trap" failed at the file "readme.txt"
              caused by: in analyze: the guest trapped: wasm trap: wasm `unreachable` instruction executed

            hint: ask the module's author, with the file and the frames of the fault; with `--on-fault warn` the scan goes on without what the module did not find
        "#]],
    );
    let (code, report, said) = scan(
        &folder,
        &[
            "--module",
            "guests/trivy/wat/trap.wat",
            "--on-fault",
            "skip",
            "tree",
        ],
    );
    assert_eq!((code, said.as_str()), (0, ""));
    assert_eq!(report["Warnings"], serde_json::Value::Null);
}

#[test]
fn a_module_that_cannot_be_used_is_told_and_the_others_run() {
    let folder = blog().with("garbage.wasm", "garbage");
    for module in [
        wat("no-free"),
        wat("wrong-version"),
        "garbage.wasm".to_owned(),
        "nowhere.wasm".to_owned(),
    ] {
        let (code, report, said) = scan(&folder, &["--module", &module, "--module", SECRETS, "tree"]);
        assert_eq!(code, 2, "{module}: {said}");
        assert_eq!(targets(&report).len(), 1, "{module}: {report}");
        let message = report["Warnings"][0]["Message"].as_str().unwrap();
        assert!(message.starts_with("it cannot be used: "), "{module}: {message}");
        let (code, report, _) = scan(&folder, &["--module", &module, "--on-fault", "fail", "tree"]);
        assert_eq!((code, report), (4, serde_json::Value::Null), "{module}");
        let (code, _, _) = scan(&folder, &["--module", &module, "--on-fault", "skip", "tree"]);
        assert_eq!(code, 0, "{module}");
    }
}

#[test]
fn a_loop_ends_at_its_deadline_and_is_called_no_more_after_five() {
    let folder = blog().with(
        "wharf.yaml",
        "version: 1\nplugins:\n  loop: { source: file:guests/trivy/wat/loop.wat, limits: { deadline: 20ms } }\n\
         scan: { modules: [loop] }\n",
    );
    for index in 0..50 {
        write(&folder, &format!("many/{index}"), "x");
    }
    let (code, report, said) = scan(&folder, &["-c", "wharf.yaml", "--parallel", "1", "many"]);
    assert_eq!(code, 2, "{said}");
    let warnings = report["Warnings"].as_array().unwrap();
    // Five files, and that it is called no more.
    assert_eq!(warnings.len(), 6, "{report}");
    assert!(said.contains("is not called any more in this scan"), "{said}");
}
