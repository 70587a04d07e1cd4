use super::*;

const SHA256: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

#[track_caller]
fn written(text: &str) -> String {
    let reference: ImageReference = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
    let again = reference.to_string();
    assert_eq!(again.parse(), Ok(reference), "{text}");
    again
}

#[test]
fn short_names_are_written_out() {
    for (text, whole) in [
        ("busybox", "docker.io/library/busybox:latest"),
        ("busybox:1.36", "docker.io/library/busybox:1.36"),
        ("grafana/grafana", "docker.io/grafana/grafana:latest"),
        ("docker.io/busybox", "docker.io/library/busybox:latest"),
        ("index.docker.io/busybox", "docker.io/library/busybox:latest"),
        ("registry-1.docker.io/a/b", "docker.io/a/b:latest"),
        ("localhost/app", "localhost/app:latest"),
        ("localhost:5000/app:v1", "localhost:5000/app:v1"),
        ("LOCALHOST/app", "localhost/app:latest"),
        ("registry.example/app", "registry.example/app:latest"),
        (
            "Registry.Example:5000/a/b/c_d--e.f__g:T-1.0",
            "registry.example:5000/a/b/c_d--e.f__g:T-1.0",
        ),
        ("127.0.0.1:5000/app", "127.0.0.1:5000/app:latest"),
        ("[::1]:5000/app", "[::1]:5000/app:latest"),
        ("[fd00::1]/app", "[fd00::1]/app:latest"),
    ] {
        assert_eq!(written(text), whole);
    }
}

#[test]
fn a_digest_counts_before_a_tag() {
    let text = format!("registry.example/app:1.0@{SHA256}");
    let reference: ImageReference = text.parse().unwrap();
    assert_eq!(reference.manifest().to_string(), SHA256);
    assert_eq!(reference.to_string(), text);
    assert_eq!(
        written(&format!("busybox@{SHA256}")),
        format!("docker.io/library/busybox@{SHA256}")
    );
    let sha512 = format!("sha512:{}", "ab".repeat(64));
    assert_eq!(
        written(&format!("a/b@{sha512}")),
        format!("docker.io/a/b@{sha512}")
    );
}

#[test]
fn what_names_no_image_is_refused() {
    let long = "a".repeat(256);
    let identifier = "ab".repeat(32);
    let many = "a/".repeat(600);
    for (text, word) in [
        ("", "empty"),
        (many.as_str(), "1024"),
        (long.as_str(), "255"),
        ("Busybox", "no part of a repository"),
        // In lower case, as registries are written, it would be another image's name.
        ("Team/app", "could be a registry"),
        ("a//b", "no part"),
        ("a/", "no part"),
        ("/a", "no part"),
        ("a..b", "no part"),
        ("a___b", "no part"),
        ("a.-b", "no part"),
        ("-a", "no part"),
        ("a-", "no part"),
        ("../../etc", "no registry"),
        ("registry.example/../a", "no part"),
        ("registry.example/a%2f", "no part"),
        ("registry.example/a?x", "no part"),
        ("registry.example/a#x", "no part"),
        ("registry.example/é", "no part"),
        ("registry.example/", "no part"),
        ("user@registry.example/a", "no digest"),
        ("https://registry.example/a", "no registry"),
        ("registry.example:0/a", "no registry"),
        ("registry.example:65536/a", "no registry"),
        ("registry.example:+80/a", "no registry"),
        ("-registry.example/a", "no registry"),
        ("[::1/a", "no registry"),
        ("[::1]5000/a", "no registry"),
        ("[1]:5000/a", "no registry"),
        ("a:", "no tag"),
        ("a:.b", "no tag"),
        ("a:b c", "no tag"),
        ("a:b\n", "no tag"),
        ("a@", "no digest"),
        ("a@sha256:00", "no digest"),
        ("a@md5:d41d8cd98f00b204e9800998ecf8427e", "no digest"),
    ] {
        let error = text.parse::<ImageReference>().unwrap_err().to_string();
        assert!(error.contains(word), "{text:?}: {error}");
        assert!(!error.contains('\n') && error.len() < 400, "{text:?}: {error}");
    }
    let tag = format!("a:{}", "b".repeat(129));
    assert!(tag.parse::<ImageReference>().is_err());
    // Such a name is taken for an identifier only where nothing stands before it.
    assert_eq!(
        identifier.parse::<ImageReference>(),
        Err(ImageReferenceError::Identifier)
    );
    assert!(
        format!("registry.example/{identifier}")
            .parse::<ImageReference>()
            .is_ok()
    );
}

#[test]
fn digests_are_compared_by_their_own_algorithm() {
    let sha256: ContentDigest = SHA256.parse().unwrap();
    assert_eq!(sha256.again_of(b""), sha256);
    assert_ne!(sha256.again_of(b"a"), sha256);
    let sha512: ContentDigest = concat!(
        "sha512:cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce",
        "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e"
    )
    .parse()
    .unwrap();
    assert_eq!(sha512.again_of(b""), sha512);
    assert_ne!(sha512.again_of(b"a"), sha512);
}
