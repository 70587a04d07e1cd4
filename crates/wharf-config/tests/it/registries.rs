//! `registries`, and Kubewarden's `sources.yaml`.

use std::fs;

use expect_test::expect;
use wharf_config::kubewarden::load_sources;
use wharf_config::{RegistriesConfig, RegistryAuthority, RegistryConfig};

use crate::{check, parse};

fn registries(text: &str) -> RegistriesConfig {
    let loaded = parse(&format!("version: 1\n{text}")).expect("it is a good file");
    assert_eq!(loaded.warnings, []);
    loaded.config.registries
}

#[test]
fn registries_are_read() {
    assert_eq!(registries(""), RegistriesConfig::default());
    let read = registries(
        "registries:
  dockerConfig: docker
  hosts:
    localhost:5000: { plainHttp: true }
    Registry.Example: { ca: ca.pem }
    several.example: { ca: [a.pem, b.der] }
    '[::1]:5000': {}
",
    );
    assert_eq!(read.docker_config, Some("docker".into()));
    let file = |name: &str| RegistryAuthority::File(name.into());
    let expected = [
        ("localhost:5000", true, vec![]),
        ("registry.example", false, vec![file("ca.pem")]),
        ("several.example", false, vec![file("a.pem"), file("b.der")]),
        ("[::1]:5000", false, vec![]),
    ];
    assert_eq!(read.hosts.len(), expected.len());
    for (host, plain_http, authorities) in expected {
        let expected = RegistryConfig {
            plain_http,
            authorities,
            mirrors: Vec::new(),
        };
        assert_eq!(read.hosts.get(&host.parse().unwrap()), Some(&expected), "{host}");
    }
}

#[test]
fn what_is_wrong_with_registries_is_told() {
    check(
        "version: 1
registries:
  hosts:
    https://registry.example: {}
    other.example: { plainHttp: true, ca: ca.pem }
    third.example: { plainHtp: true }
    fourth.example: { ca: [] }
",
        &expect![[r#"
            error: "https://registry.example" is no registry: it is a name or an address, with a port where one is needed, as `registry.example:5000`
             --> wharf.yaml:4:5
              |
            4 |     https://registry.example: {}
              |     ^^^^^^^^^^^^^^^^^^^^^^^^
              |
              = hint: write what stands before the first `/` of its images' names

            error: `registries.hosts.other.example` has both `plainHttp` and `ca`
             --> wharf.yaml:5:5
              |
            5 |     other.example: { plainHttp: true, ca: ca.pem }
              |     ^^^^^^^^^^^^^
              |
              = hint: without TLS there is no certificate: remove one of them

            error: unknown key `plainHtp` in `registries.hosts.third.example`
             --> wharf.yaml:6:22
              |
            6 |     third.example: { plainHtp: true }
              |                      ^^^^^^^^
              |
              = hint: did you mean `plainHttp`? the keys here are `plainHttp`, `ca`, `mirrors`

            error: `registries.hosts.fourth.example.ca` is empty
             --> wharf.yaml:7:27
              |
            7 |     fourth.example: { ca: [] }
              |                           ^^
              |
              = hint: it needs at least one item"#]],
    );
}

#[test]
fn kubewardens_sources_are_read() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("sources.yaml");
    let text = "---
insecure_sources: [plain.example, 'both.example:5001']
source_authorities:
  secured.example:
    - { type: Path, path: ca.pem }
    - type: Data
      data: |
        -----BEGIN CERTIFICATE-----
  'both.example:5001': [{ type: Path, path: /ca.der }]
unknown: true
";
    fs::write(&file, text).unwrap();
    let (sources, warnings) = load_sources(&file).unwrap();
    assert_eq!(warnings.len(), 1, "the unknown key: {warnings:?}");
    let plain = &sources[&"plain.example".parse().unwrap()];
    assert!(plain.plain_http && plain.authorities.is_empty());
    let secured = &sources[&"secured.example".parse().unwrap()];
    let own = RegistryAuthority::File(directory.path().join("ca.pem"));
    let inline = RegistryAuthority::Pem("-----BEGIN CERTIFICATE-----\n".into());
    assert_eq!(secured.authorities, [own, inline]);
    // Where there is an authority there is TLS.
    assert!(!sources[&"both.example:5001".parse().unwrap()].plain_http);
}

#[test]
fn what_is_wrong_with_sources_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("sources.yaml");
    let text = "insecure_sources: ['a b', 7]
source_authorities:
  a.example: [{ type: Url, url: x }]
  b.example: [{ type: Path }]
  c.example: ca.pem
";
    fs::write(&file, text).unwrap();
    let errors = load_sources(&file).unwrap_err();
    let told = errors
        .render(false)
        .replace(&format!("{}/", directory.path().display()), "DIR/");
    expect![[r#"
        warning: unknown key `url` in `source_authorities.a.example[0]`
         --> DIR/sources.yaml:3:28
          |
        3 |   a.example: [{ type: Url, url: x }]
          |                            ^^^
          |
          = hint: the keys here are `type`, `path`, `data`

        error: "a b" is no registry: it is a name or an address, with a port where one is needed, as `registry.example:5000`
         --> DIR/sources.yaml:1:20
          |
        1 | insecure_sources: ['a b', 7]
          |                    ^^^^^
          |
          = hint: write what stands before the first `/` of its images' names

        error: `insecure_sources[1]` is to be text, and this is a number
         --> DIR/sources.yaml:1:27
          |
        1 | insecure_sources: ['a b', 7]
          |                           ^
          |
          = hint: put it between quotes: "7"

        error: `source_authorities.a.example[0].type` cannot be `Url`
         --> DIR/sources.yaml:3:23
          |
        3 |   a.example: [{ type: Url, url: x }]
          |                       ^^^
          |
          = hint: write `Path` or `Data`

        error: `source_authorities.b.example[0]` has no `path`
         --> DIR/sources.yaml:4:15
          |
        4 |   b.example: [{ type: Path }]
          |               ^^^^^^^^^^^^^^
          |
          = hint: add `path:`

        error: `source_authorities.c.example` is to be a list, and this is text
         --> DIR/sources.yaml:5:14
          |
        5 |   c.example: ca.pem
          |              ^^^^^^
          |
          = hint: write `["ca.pem"]`"#]].assert_eq(&told);
    fs::remove_file(&file).unwrap();
    assert!(
        load_sources(&file)
            .unwrap_err()
            .to_string()
            .contains("the file of sources cannot be read")
    );
}
