//! Where settings come from.

use super::{SECRETS, blog, scan, targets};
use crate::harness::root;

#[test]
fn flags_count_before_the_configuration_and_that_before_trivys() {
    let folder = blog()
        .with(
            "wharf.yaml",
            format!(
                "version: 1\nplugins:\n  s: {{ source: \"file:{SECRETS}\" }}\n\
                 scan:\n  modules: [{{ plugin: s, state: fresh, onFault: fail }}]\n  format: json\n  exitCode: 7\n  skipFiles: [\".env\"]\n"
            ),
        )
        .with("trivy.yaml", "format: sarif\nexit-code: 9\nscan:\n  skip-files: [\"nothing\"]\ndb:\n  skip-update: true\n");
    let (code, report, said) = scan(
        &folder,
        &["-c", "wharf.yaml", "--trivy-config", "trivy.yaml", "tree"],
    );
    assert_eq!(code, 0, "{said}");
    assert_eq!(targets(&report).len(), 0);
    assert!(said.contains("`db.skip-update` has no counterpart"), "{said}");
    let (code, report, _) = scan(&folder, &["-c", "wharf.yaml", "--skip-files", "x", "tree"]);
    assert_eq!((code, targets(&report).len()), (7, 1));
    let (code, report, _) = scan(
        &folder,
        &["--module", SECRETS, "--trivy-config", "trivy.yaml", "tree"],
    );
    assert_eq!((code, targets(&report).len()), (9, 1));
}

#[test]
fn serving_passes_over_plugins_that_only_scans_use() {
    let folder = blog().with(
        "wharf.yaml",
        format!(
            "version: 1\nplugins:\n  s: {{ source: \"file:{SECRETS}\" }}\nscan: {{ modules: [s] }}\n\
             proxy:\n  listeners:\n    - name: web\n      bind: 127.0.0.1:0\n      routes: [ {{ upstream: hello }} ]\n  upstreams: {{ hello: {{ respond: {{ status: 200 }} }} }}\n"
        ),
    );
    let output = folder.run(&["check", "wharf.yaml"]);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn checking_tries_the_modules_of_scans() {
    let folder = blog()
        .with(
            "good.yaml",
            format!("version: 1\nplugins:\n  s: {{ source: \"file:{SECRETS}\" }}\nscan: {{ modules: [s] }}\n"),
        )
        .with(
            "bad.yaml",
            "version: 1\nplugins:\n  b: { source: file:guests/trivy/wat/no-free.wat }\nscan: { modules: [b] }\n",
        );
    let output = folder.run(&["check", "good.yaml"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("good, with 1 module that started"), "{said}");
    let output = folder.run(&["check", "bad.yaml"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("exports no \"free\""), "{said}");
}

#[test]
fn modules_that_nobody_vouches_for_look_at_nothing() {
    let module =
        std::fs::canonicalize(root().join("guests/trivy/trivy-wordpress/trivy-wordpress.wasm")).unwrap();
    let plugin = format!(
        "plugins: {{ wordpress: {{ source: \"file:{}\" }} }}",
        module.display()
    );
    let scan = "scan: { modules: [ { plugin: wordpress, onFault: fail } ] }";
    let folder = blog().with(
        "wharf.yaml",
        format!("version: 1\ntrust: {{ default: deny }}\n{plugin}\n{scan}\n"),
    );
    for arguments in [
        &["scan", "-c", "wharf.yaml", "tree"][..],
        &["check", "wharf.yaml"],
        &["check", "wharf.yaml", "--json"],
    ] {
        let output = folder.run(arguments);
        assert_eq!(output.status.code(), Some(4), "{arguments:?}");
        let told = [output.stdout, output.stderr].concat();
        let told = String::from_utf8_lossy(&told).into_owned();
        assert!(told.contains("no rule of `trust` is for it"), "{told}");
    }
}
