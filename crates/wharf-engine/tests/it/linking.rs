//! What a module imports against what the host gives.

use wharf_engine::{ImportProblem, LinkError};

use super::*;

fn link(wat: &str) -> Result<(), LinkError> {
    compile_with(&engine(), wat, &Limits::default())
        .unwrap()
        .link(&imports(), &Limits::default())
        .map(|_| ())
}

#[test]
fn all_imports_that_do_not_fit_are_listed_in_their_order() {
    let error = link(
        r#"(module
            (import "env" "exit" (func (param i32)))
            (import "env" "absent" (func (param i32 i64) (result i32)))
            (import "env" "bad_reply" (func (param i32)))
            (import "other" "exit" (func (param i32)))
            (import "other" "memory" (memory 1))
            (import "env" "global" (global i32))
            (import "env" "table" (table 1 funcref))
            (import "env" "exit" (global i32)))"#,
    )
    .unwrap_err();
    let expected = "7 of the module's imports are not given by this host:
  env.absent: (i32, i64) -> i32: unknown here
  env.bad_reply: the module wants (i32), the host gives () -> i32
  other.exit: (i32): unknown here
  other.memory: a memory: unknown here
  env.global: a global: unknown here
  env.table: a table: unknown here
  env.exit: a global: unknown here";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn one_import_is_singular() {
    let error = link(r#"(module (import "env" "absent" (func)))"#).unwrap_err();
    assert_eq!(error.problems.len(), 1);
    assert!(
        matches!(&error.problems[0], ImportProblem::Missing { module, name, .. } if module == "env" && name == "absent")
    );
    assert!(
        error
            .to_string()
            .starts_with("1 of the module's imports is not given"),
        "{error}"
    );
}

#[test]
fn an_import_may_come_twice_and_names_may_be_anything() {
    link(r#"(module (import "env" "exit" (func (param i32))) (import "env" "exit" (func (param i32))))"#)
        .unwrap();
    let error =
        link(r#"(module (import "" "" (func)) (import "e\00" "exit" (func (param i32))))"#).unwrap_err();
    assert_eq!(error.problems.len(), 2);
}

#[test]
fn a_table_replaces_functions_of_the_same_name_and_lists_its_names() {
    let mut imports: Imports<()> = Imports::new();
    imports
        .function("env", "f", |_: &mut HostCall<'_, ()>, (): ()| Ok(1_i32))
        .function("env", "a", |_: &mut HostCall<'_, ()>, (_,): (f64,)| Ok(1.5_f32))
        .function("env", "f", |_: &mut HostCall<'_, ()>, (): ()| Ok(2_i32));
    assert_eq!(imports.names(), [("env", "a"), ("env", "f")]);
    let wat = r#"(module (import "env" "f" (func $f (result i32))) (export "f" (func $f)))"#;
    let module = compile_with(&engine(), wat, &Limits::default()).unwrap();
    let mut instance = module
        .link(&imports, &Limits::default())
        .unwrap()
        .instantiate(())
        .unwrap();
    let function = instance.function::<(), i32>("f").unwrap().unwrap();
    assert_eq!(instance.call(&function, (), LONG).unwrap(), 2);
}

#[test]
fn a_module_knows_its_imports_exports_and_digest() {
    let wat = r#"(module (import "env" "f" (func)) (memory (export "memory") 1))"#;
    let module = compile_with(&engine(), wat, &Limits::default()).unwrap();
    assert!(module.imports("env", "f") && !module.imports("env", "g") && !module.imports("f", "env"));
    assert!(module.exports("memory") && !module.exports("f"));
    assert_eq!(module.digest(), artifact(wat::parse_str(wat).unwrap()).digest());
}
