//! The README's command prints what the README says.

use std::path::Path;
use std::process::Command;

#[test]
fn the_output_is_the_one_in_the_readme() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let output = Command::new(env!("CARGO_BIN_EXE_wharf-example-embed"))
        .current_dir(&root)
        .output()
        .expect("the example was built");
    let printed = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}{errors}");

    let readme = include_str!("../README.md");
    let shown = readme
        .split_once("$ cargo run -p wharf-example-embed\n")
        .and_then(|(_, rest)| rest.split_once("```"))
        .map(|(shown, _)| shown);
    assert_eq!(Some(&*printed), shown);
}
