//! What goes wrong between here and a registry, told apart.

use wharf_testing::registry::{Fault, registry};

use super::{FILTER, harbour, harbour_of};

#[test]
fn what_is_not_there_is_told_apart_from_what_may_not_be_seen() {
    let here = harbour();
    here.good(&["push", FILTER, "HOST/plugins/greet:1"]);
    let (code, no_tag) = here.bad(&["pull", "HOST/plugins/greet:2"]);
    assert_eq!(code, 4);
    let refusing = harbour_of(registry().fault(
        "/v2/",
        Fault::Status(
            401,
            "",
            r#"{"errors":[{"code":"UNAUTHORIZED","message":"who are you"}]}"#,
        ),
    ));
    let (_, unauthorized) = refusing.bad(&["pull", "HOST/plugins/greet:1"]);
    let forbidding = harbour_of(registry().fault("/v2/", Fault::Status(403, "", "")));
    let (_, forbidden) = forbidding.bad(&["pull", "HOST/plugins/greet:1"]);
    let unknown = harbour_of(registry().fault(
        "/v2/",
        Fault::Status(404, "", r#"{"errors":[{"code":"NAME_UNKNOWN","message":""}]}"#),
    ));
    let (_, no_repository) = unknown.bad(&["pull", "HOST/plugins/greet:1"]);
    let html = harbour_of(registry().fault(
        "/v2/",
        Fault::Status(200, "content-type: text/html\r\n", "<html>hello</html>"),
    ));
    let (_, page) = html.bad(&["pull", "HOST/plugins/greet:1"]);
    // Nobody listens there any more.
    let gone = harbour();
    let (host, folder) = (gone.host(), gone.folder.clone());
    drop(gone.registry);
    let output = folder.run(&["pull", &format!("{host}/plugins/greet:1")]);
    assert_eq!(output.status.code(), Some(4));
    let away = String::from_utf8(output.stderr).unwrap().replace(&host, "HOST");
    // Port 1 of this machine is nobody's.
    let (_, down) = here.bad(&["pull", "oci:127.0.0.1:1/plugins/greet:1"]);
    expect_test::expect![[r#"
        --- no tag
        error: oci://HOST/plugins/greet:2 cannot be fetched
          caused by: the repository `plugins/greet` of the registry HOST has no `2`

        hint: check the tag or digest, or push the image; a registry may have deleted it
        --- 401
        error: oci://HOST/plugins/greet:1 cannot be fetched
          caused by: the registry HOST gives `plugins/greet` to nobody without credentials that it knows: UNAUTHORIZED, who are you

        hint: check the name, since many registries say this of what does not exist; for a private repository log in with `wharf login`, or name Docker's config.json in `registries.dockerConfig`
        --- 403
        error: oci://HOST/plugins/greet:1 cannot be fetched
          caused by: the registry HOST refuses `plugins/greet` to these credentials

        hint: log in with `wharf login`, or name Docker's config.json in `registries.dockerConfig`
        --- no repository
        error: oci://HOST/plugins/greet:1 cannot be fetched
          caused by: the registry HOST has no repository `plugins/greet`

        hint: check the name of the repository
        --- a page
        error: oci://HOST/plugins/greet:1 cannot be fetched
          caused by: HOST gives text/html where a manifest is due

        hint: check that this host is a registry, and not a website or a proxy's page
        --- away
        error: oci://HOST/plugins/greet:1 cannot be fetched
          caused by: HOST cannot be reached: Connection refused (os error 111)

        hint: check that the registry runs, the network, and whether a proxy is needed (HTTPS_PROXY)
        --- not named
        error: oci://127.0.0.1:1/plugins/greet:1 cannot be fetched
          caused by: 127.0.0.1:1 is 127.0.0.1, which means this machine, its network or its cloud: it is not connected to

        hint: a registry on this machine has to be named under `registries.hosts`; otherwise somebody tries to reach what is not theirs
    "#]].assert_eq(&format!(
        "--- no tag\n{no_tag}--- 401\n{unauthorized}--- 403\n{forbidden}--- no repository\n{no_repository}--- a page\n{page}--- away\n{away}--- not named\n{down}"
    ));
}

#[test]
fn names_that_are_none_are_told() {
    let harbour = harbour();
    for name in [
        "greet wasm",
        "registry.example/UPPER",
        "HOST/",
        "oci:",
        "https:",
        "s3://bucket/x.wasm",
        "",
    ] {
        let (code, said) = harbour.bad(&["pull", name]);
        assert_eq!(code, 2, "{name:?}: {said}");
    }
    let (code, said) = harbour.bad(&[
        "push",
        FILTER,
        "HOST/plugins/greet@sha256:0000000000000000000000000000000000000000000000000000000000000000",
    ]);
    assert_eq!(code, 1);
    assert!(said.contains("a plugin is pushed under a tag"), "{said}");
    let (code, _) = harbour.bad(&["push", "wharf.yaml", "HOST/plugins/greet:1"]);
    assert_eq!(code, 4);
}

#[test]
fn a_registry_that_lies_harms_nobody() {
    for fault in [
        Fault::Bytes(b"\0asm\x01\0\0\0 other".to_vec()),
        Fault::Digest("sha256:0000000000000000000000000000000000000000000000000000000000000000".into()),
        Fault::Endless,
        Fault::Short,
        Fault::Long,
        Fault::MediaType("text/html"),
    ] {
        for part in ["/manifests/", "/blobs/"] {
            let here = harbour();
            here.good(&["push", FILTER, "HOST/plugins/greet:1"]);
            let manifest = here.registry.content("/v2/plugins/greet/manifests/1").unwrap();
            let lying = harbour_of(
                registry()
                    .manifest(
                        "plugins/greet",
                        "1",
                        wharf_testing::registry::IMAGE_MANIFEST,
                        manifest,
                    )
                    .blob(
                        "plugins/greet",
                        std::fs::read(here.folder.path().join(FILTER)).unwrap(),
                    )
                    .fault(part, fault.clone()),
            );
            let output = lying.run(&["pull", "HOST/plugins/greet:1"]);
            // What a blob is said to be does not matter, since its bytes are checked.
            let harmless = part == "/blobs/" && matches!(fault, Fault::Digest(_));
            let expected = if harmless { 0 } else { 4 };
            assert_eq!(
                output.status.code(),
                Some(expected),
                "{part} {fault:?}: {output:?}"
            );
        }
    }
}
