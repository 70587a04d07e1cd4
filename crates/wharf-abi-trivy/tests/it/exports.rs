//! The signatures that modules have, and what they say of themselves.

use std::sync::Arc;

use wharf_abi_trivy::{Action, Host, LoadError, TrivyModule, host_functions};

use crate::support::{TestHost, Text, analyze, compile, load_with, settings};

#[test]
fn a_module_says_what_it_is() {
    let module = Text::new()
        .with("post_scan_spec", "(result i64) (i64.const 0x100_00000023)")
        .head(r#"(data (i32.const 256) "{\22Action\22:\22UPDATE\22,\22IDs\22:[\22A\22,\22B\22]}")"#)
        .load()
        .unwrap();
    let info = module.info();
    assert_eq!((info.name.as_str(), info.version), ("name", 3));
    assert_eq!(info.required.as_ref().unwrap().patterns(), ["."]);
    let spec = info.post_scan.as_ref().unwrap();
    assert_eq!(
        (&spec.action, &spec.ids[..]),
        (&Action::Update, &["A".to_owned(), "B".into()][..])
    );
    assert!(module.wants("any") && !module.wants(""));
}

#[test]
fn what_a_module_does_not_do_it_need_not_export() {
    let scanner = Text::new()
        .with("is_analyzer", "(result i64) (i64.const 0)")
        .without("required")
        .load()
        .unwrap();
    assert!(scanner.info().required.is_none() && !scanner.wants("a"));
    let analyzer = Text::new()
        .with("is_post_scanner", "(result i64) (i64.const 0)")
        .without("post_scan_spec")
        .load()
        .unwrap();
    assert!(analyzer.info().post_scan.is_none());
    let mut results = Vec::new();
    let changes = analyzer.post_scan(&mut results, crate::support::ample()).unwrap();
    assert_eq!(changes, wharf_abi_trivy::Changes::default());
}

#[test]
fn numbers_may_have_either_size() {
    let module = Text::new()
        .with("is_analyzer", "(result i32) (i32.const 1)")
        .with("is_post_scanner", "(result i32) (i32.const 0)")
        .with("version", "(result i64) (i64.const 0x5_00000007)")
        .with("api_version", "(result i64) (i64.const 1)")
        .load()
        .unwrap();
    assert_eq!(module.info().version, 7);
    assert!(module.info().required.is_some() && module.info().post_scan.is_none());
}

#[test]
fn input_is_given_back_by_each_kind_of_free_and_results_by_that_with_a_size() {
    for (free, said) in [
        (
            "(param i32) (call $info (i32.const 128) (i32.const 1))",
            vec!["Info /f: i"],
        ),
        (
            "(param i32 i32) (i32.store8 (i32.const 130) (i32.add (i32.const 48) (local.get 1))) (call $info (i32.const 130) (i32.const 1))",
            // The result has 4 bytes, and the path 2.
            vec!["Info /f: 4", "Info /f: 2"],
        ),
    ] {
        let host = Arc::new(TestHost::default());
        let wat = Text::new()
            .head(r#"(import "env" "info" (func $info (param i32 i32))) (data (i32.const 128) "i")"#)
            .with("free", free)
            .wat();
        let module = load_with(&wat, settings(), &host).unwrap();
        host.take();
        analyze(&module, "f", "").unwrap();
        assert_eq!(host.take(), said);
    }
}

#[test]
fn what_is_missing_is_told_by_name_with_what_to_do() {
    for name in [
        "malloc",
        "free",
        "name",
        "version",
        "api_version",
        "is_analyzer",
        "is_post_scanner",
        "required",
        "analyze",
        "post_scan_spec",
        "post_scan",
    ] {
        let error = Text::new().without(name).load().unwrap_err();
        assert!(
            matches!(error, LoadError::MissingExport(missing) if missing == name),
            "{error}"
        );
        assert!(error.to_string().contains(&format!("\"{name}\"")));
        assert!(error.hint().starts_with("the module's author must export"));
    }
    let bytes = wat::parse_str(Text::new().wat().replace("\"memory\"", "\"other\"")).unwrap();
    let host: Arc<dyn Host> = Arc::new(TestHost::default());
    let error = TrivyModule::load(&compile(bytes), settings(), host).unwrap_err();
    assert!(matches!(error, LoadError::MissingExport("memory")), "{error}");
}

#[test]
fn a_signature_that_no_module_has_is_told() {
    for (name, text) in [
        ("malloc", "(result i32) (i32.const 0)"),
        ("free", "(param i64)"),
        ("free", "(param i32 i32 i32)"),
        ("name", "(result i32) (i32.const 0)"),
        ("version", "(result f32) (f32.const 0)"),
        ("api_version", ""),
        ("is_analyzer", "(param i32) (result i64) (i64.const 0)"),
        ("required", "(result i32) (i32.const 0)"),
        ("analyze", "(param i32) (result i64) (i64.const 0)"),
        ("post_scan", "(param i32 i32)"),
    ] {
        let error = Text::new().with(name, text).load().unwrap_err();
        assert!(
            matches!(error, LoadError::WrongSignature { name: wrong, .. } if wrong == name),
            "{name}: {error}"
        );
        assert!(error.to_string().contains("which is not the ABI's"), "{error}");
    }
}

#[test]
fn another_version_of_the_api_is_told_with_the_modules_name() {
    for version in ["0", "2", "-1"] {
        let text = format!("(result i32) (i32.const {version})");
        let error = Text::new().with("api_version", &text).load().unwrap_err();
        assert!(
            matches!(&error, LoadError::ApiVersion { name, .. } if name == "name"),
            "{error}"
        );
    }
}

#[test]
fn a_module_starts_by_initialize_or_else_by_start() {
    let base = || {
        Text::new()
            .head(r#"(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32))) (global $started (mut i32) (i32.const 0))"#)
            .with("version", "(result i32) (global.get $started)")
    };
    let start = |name: &str, value: u8, more: &str| {
        format!("(func (export \"{name}\") (global.set $started (i32.const {value})) {more})")
    };
    let initialize = base().head(&(start("_initialize", 5, "") + &start("_start", 6, "(unreachable)")));
    assert_eq!(initialize.load().unwrap().info().version, 5);
    // Older modules register themselves in main, which ends with an exit.
    let command = base().head(&start("_start", 6, "(call $exit (i32.const 0))"));
    assert_eq!(command.load().unwrap().info().version, 6);
    assert_eq!(base().load().unwrap().info().version, 0);
    let failing = base().head(&start("_start", 6, "(call $exit (i32.const 2))"));
    let error = failing.load().unwrap_err();
    assert_eq!(
        error.to_string(),
        "in _start: the guest called proc_exit with code 2"
    );
}

#[test]
fn descriptions_that_cannot_be_used_are_told() {
    let told = |name, text: &str| Text::new().with(name, text).load().unwrap_err().to_string();
    // The word `name` is no JSON; `{}` is no list; `null` is an empty one.
    assert!(
        told("required", "(result i64) (i64.const 0x10_00000004)").contains("\"required\" gives is not what")
    );
    assert!(told("required", "(result i64) (i64.const 0x50_00000002)").contains("invalid type: map"));
    assert!(told("required", "(result i64) (i64.const 0)").contains("EOF"));
    assert!(
        told("post_scan_spec", "(result i64) (i64.const 0x20_00000005)").contains("\"post_scan_spec\" gives")
    );
    let all = Text::new()
        .with("required", "(result i64) (i64.const 0x40_00000004)")
        .load()
        .unwrap();
    assert_eq!(all.info().required.as_ref().unwrap().patterns().len(), 0);
    let bad = Text::new()
        .with("required", "(result i64) (i64.const 0x100_00000005)")
        .head(r#"(data (i32.const 256) "[\22(\22]")"#);
    let error = bad.load().unwrap_err();
    assert!(matches!(error, LoadError::Pattern(_)), "{error}");
    assert!(error.to_string().contains("by the pattern \"(\""), "{error}");
}

#[test]
fn the_host_gives_the_log_and_wasi() {
    let names = host_functions();
    for name in ["debug", "info", "warn", "error"] {
        assert!(names.contains(&("env", name)));
    }
    assert_eq!(names.iter().filter(|(module, _)| *module == "env").count(), 4);
    assert!(names.contains(&("wasi_snapshot_preview1", "fd_readdir")));
    let error = Text::new()
        .head(r#"(import "env" "exec" (func))"#)
        .load()
        .unwrap_err();
    assert!(
        matches!(&error, LoadError::Link(link) if link.problems.len() == 1),
        "{error}"
    );
}
