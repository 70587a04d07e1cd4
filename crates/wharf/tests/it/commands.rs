//! The command line itself.

use std::process::Stdio;

use expect_test::expect;
use serde_json::Value;

use crate::harness::{config, folder};

#[test]
fn help_says_what_there_is() {
    expect![[r#"
        exit code 0
        --- stdout ---
        Runs the WebAssembly plugins that platform teams already have

        Usage: wharf [OPTIONS] <COMMAND>

        Commands:
          serve        Serve what a configuration describes, until SIGTERM or SIGINT
          admission    Serve Kubewarden's policies by policy-server's flags and variables, with no
                       configuration
          check        Check a configuration as `serve` would: compile its plugins and start each in a VM
                       made to try it
          inspect      Say what a module is, what it needs, and whether it would load as a filter, a policy
                       or a module of Trivy
          run          Put requests through a filter by hand, a review through a policy, or a file through a
                       module of Trivy, with no server, and show all that it does
          test         Run cases of filters and policies that stand in files: what a plugin goes through,
                       and what is expected of it
          scan         Scan a directory, an image or an SBOM with Trivy's modules, and write a report
          manifest     Print what a cluster needs to ask policies: webhooks, a server, and its rights
          new          Write a project to begin with
          pull         Fetch plugins from registries or URLs into the store, verify them by `trust`, and say
                       what they are
          push         Push a module to a registry, in a form that others read, and print its name by digest
          sign         Sign a plugin in a registry, or a file, with a key, as cosign does
          attest       State something about a plugin in a registry: an in-toto statement, signed with a key
          verify       Say who signed a plugin, and whether that is enough
          lock         Write the digest of each plugin that a configuration names into the lock file beside
                       it
          ls           List the plugins in the store
          rm           Take plugins out of the store
          prune        Take out of the store what was used least recently, until no more than a size is left
          save         Write plugins of the store with their signatures to an archive, for where there is no
                       network
          load         Take plugins and their signatures from an archive into the store
          login        Keep credentials for a registry, once it took them
          logout       Forget the credentials for a registry
          schema       Print the JSON Schema of the configuration, or of other files (draft 2020-12)
          completions  Print a completion script for a shell
          help         Print this message or the help of the given subcommand(s)

        Options:
              --log-level <LEVEL>        What is logged: off, error, warn, info, debug or trace, also by
                                         target, such as "info,wharf::plugin=debug"; info where nobody says
                                         it [env: WHARF_LOG=off]
              --log-format <LOG_FORMAT>  How log lines look; by default text on a terminal and JSON
                                         otherwise [default: auto] [possible values: auto, text, json]
          -h, --help                     Print help
          -V, --version                  Print version

        Exit codes: 0 all went well; 1 something failed while running; 2 the command line is wrong; 3 the
        configuration cannot be used; 4 a plugin cannot be loaded or does not start.
    "#]]
    .assert_eq(&folder().transcript(&["--help"]));
    expect![[r#"
        exit code 0
        --- stdout ---
        Check a configuration as `serve` would: compile its plugins and start each in a VM made to try it.

        Nothing is bound, and nothing is sent but to registries.

        Usage: wharf check [OPTIONS] [CONFIG]

        Arguments:
          [CONFIG]
                  The configuration file

                  [default: wharf.yaml]

        Options:
              --locked
                  Fetch nothing that the lock file beside the configuration does not have

              --log-level <LEVEL>
                  What is logged: off, error, warn, info, debug or trace, also by target, such as
                  "info,wharf::plugin=debug"; info where nobody says it

                  [env: WHARF_LOG=off]

              --json
                  Print what was found as JSON on stdout

              --log-format <LOG_FORMAT>
                  How log lines look; by default text on a terminal and JSON otherwise

                  [default: auto]
                  [possible values: auto, text, json]

          -h, --help
                  Print help (see a summary with '-h')
    "#]]
    .assert_eq(&folder().transcript(&["check", "--help"]));
}

#[test]
fn without_arguments_it_says_what_there_is() {
    let output = folder().command(&[]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        said.starts_with("Runs the WebAssembly plugins") && said.contains("Usage: wharf"),
        "{said}"
    );
}

#[test]
fn the_version_is_the_packages() {
    let expected = format!(
        "exit code 0\n--- stdout ---\nwharf {}\n",
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(folder().transcript(&["--version"]), expected);
}

#[test]
fn what_it_does_not_know_it_refuses() {
    expect![[r#"
        exit code 2
        --- stderr ---
        error: unrecognized subcommand 'sevre'

          tip: some similar subcommands exist: 'save', 'serve'

        Usage: wharf [OPTIONS] <COMMAND>

        For more information, try '--help'.
    "#]]
    .assert_eq(&folder().transcript(&["sevre"]));
    expect![[r#"
        exit code 2
        --- stderr ---
        error: unexpected argument '--jsn' found

          tip: a similar argument exists: '--json'

        Usage: wharf check --json [CONFIG]

        For more information, try '--help'.
    "#]]
    .assert_eq(&folder().transcript(&["check", "--jsn", "wharf.yaml"]));
}

#[test]
fn a_log_level_that_is_none() {
    let folder = config().route("/", &[], "hello").write();
    expect![[r#"
        exit code 2
        --- stderr ---
        error: `wharf=loud` is not a log level: use error, warn, info, debug, trace, or a list like info,wharf_proxy=debug
    "#]].assert_eq(&folder.transcript(&["--log-level", "wharf=loud", "check", "wharf.yaml"]));
}

#[test]
fn the_schema_is_a_json_schema() {
    let output = folder().run(&["schema"]);
    assert_eq!(
        (output.status.code(), output.stderr.as_slice()),
        (Some(0), &b""[..])
    );
    let schema: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert!(schema["properties"].get("proxy").is_some(), "{schema:#}");
}

#[test]
fn a_reader_that_has_had_enough_is_no_error() {
    let folder = folder();
    let mut command = folder.command(&["schema"]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), output.stderr.as_slice()),
        (Some(0), &b""[..])
    );
}

#[test]
fn completions_know_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let output = folder().run(&["completions", shell]);
        assert_eq!(output.status.code(), Some(0));
        let script = String::from_utf8(output.stdout).unwrap();
        for command in ["serve", "check", "schema", "completions"] {
            assert!(script.contains(command), "{shell}: {command}");
        }
    }
}

#[test]
fn a_good_configuration_is_called_so() {
    let folder = config()
        .plugin("greet", "rust-headers/rust-headers.wasm", "")
        .plugin("trap", "wat/trap.wat", "")
        .route("/", &["greet", "trap"], "hello")
        .write();
    expect![[r#"
        exit code 0
        --- stderr ---
        wharf.yaml: good, with 2 plugins that started
    "#]]
    .assert_eq(&folder.transcript(&["check", "wharf.yaml"]));
    let report: Value = serde_json::from_slice(&folder.run(&["check", "--json"]).stdout).unwrap();
    assert_eq!(
        (&report["ok"], &report["errors"]),
        (&true.into(), &Value::Array(vec![]))
    );
    let names: Vec<_> = report["plugins"]
        .as_array()
        .unwrap()
        .iter()
        .map(|plugin| &plugin["name"])
        .collect();
    assert_eq!(names, ["greet", "trap"]);
}

#[test]
fn a_log_is_json_where_nobody_looks_and_text_where_it_is_asked_for() {
    let folder = config()
        .plugin("trap", "wat/trap.wat", "")
        .route("/", &["trap"], "hello")
        .write();
    let stderr = |arguments: &[&str]| {
        let output = folder.command(arguments).output().unwrap();
        String::from_utf8(output.stderr).unwrap()
    };
    let first_line = |text: String| text.lines().next().unwrap().to_owned();
    let json: Value = serde_json::from_str(&first_line(stderr(&["check"]))).unwrap();
    assert_eq!(
        (&json["level"], &json["plugin"]),
        (&"INFO".into(), &"trap".into())
    );
    let text = first_line(stderr(&["check", "--log-format", "text"]));
    assert!(
        text.contains(" INFO ") && text.contains("A plugin was ") && !text.contains('\u{1b}'),
        "{text}"
    );
}
