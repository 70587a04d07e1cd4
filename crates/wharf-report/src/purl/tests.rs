use super::{Purl, purl_for};
use crate::{Os, Package};

#[test]
fn package_urls_are_read_and_written() {
    // Examples in the manner of the specification: what is given, and its canonical form.
    for (given, canonical) in [
        ("pkg:npm/left-pad@1.3.0", "pkg:npm/left-pad@1.3.0"),
        ("pkg:npm/@scope/a@1", "pkg:npm/%40scope/a@1"),
        ("pkg:npm/%40scope/a@1", "pkg:npm/%40scope/a@1"),
        ("PKG:NPM/x", "pkg:npm/x"),
        ("pkg://npm//x@1", "pkg:npm/x@1"),
        ("pkg:PyPI/Some_Thing@1", "pkg:pypi/some-thing@1"),
        (
            "pkg:golang/GitHub.com/A/b@v1#Sub/dir/",
            "pkg:golang/github.com/a/b@v1#Sub/dir",
        ),
        (
            "pkg:deb/Debian/x@1%3A2.3?distro=debian-12&arch=amd64&empty=",
            "pkg:deb/debian/x@1:2.3?arch=amd64&distro=debian-12",
        ),
        (
            "pkg:maven/org.example/a@1?type=zip&classifier=dist",
            "pkg:maven/org.example/a@1?classifier=dist&type=zip",
        ),
        (
            "pkg:oci/app@sha256:00?repository_url=index.docker.io/a/app",
            "pkg:oci/app@sha256:00?repository_url=index.docker.io%2Fa%2Fapp",
        ),
        ("pkg:generic/a%20b@1+2", "pkg:generic/a%20b@1%2B2"),
        ("pkg:cocoapods/A@1#B%2BC", "pkg:cocoapods/A@1#B%2BC"),
    ] {
        let purl = Purl::parse(given).unwrap();
        assert_eq!(purl.to_string(), canonical);
        assert_eq!(Purl::parse(canonical).unwrap(), purl);
    }
}

#[test]
fn what_is_none_is_refused() {
    for given in [
        "",
        "pkg",
        "pkg:",
        "pkg:npm",
        "pkg:npm/",
        "npm/left-pad",
        "pkg:npm/@1.3.0",
        "pkg:1a/x",
        "pkg:a b/x",
        "pkg:npm/x@%zz",
        "pkg:npm/x%f",
        "pkg:npm/x%ff",
        "pkg:npm/x?1a=b",
        "pkg:npm/x?a=1&a=2",
        "pkg:npm/x?a=1;b=2",
        "pkg:npm/x#a/../b",
        "pkg:swift/x@1",
        "pkg:julia/x@1",
        "pkg:cpan/lower/X",
        "pkg:chrome-extension/short",
    ] {
        assert!(Purl::parse(given).is_err(), "{given}");
    }
    let long = format!("pkg:npm/{}", "x".repeat(20_000));
    let told = Purl::parse(&long).unwrap_err().to_string();
    assert!(
        told.ends_with("it is longer than 16 KiB") && told.len() < 300,
        "{told}"
    );
}

#[test]
fn hostile_texts_never_panic() {
    let pieces = [
        "pkg:", "npm", "/", "@", "?", "#", "%", "%4", "%40", "=", "&", "é", ".", "..", ":", "golang", "\0",
        "a",
    ];
    let mut state = 1_u64;
    for _ in 0..20_000 {
        let mut text = String::new();
        for _ in 0..8 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            text.push_str(pieces[usize::try_from(state >> 33).unwrap() % pieces.len()]);
        }
        if let Ok(purl) = Purl::parse(&text) {
            let written = purl.to_string();
            assert_eq!(Purl::parse(&written).unwrap().to_string(), written, "{text}");
        }
    }
}

#[test]
fn packages_have_the_urls_that_trivy_gives_them() {
    let os = |family: &str, name: &str| Os {
        family: family.to_owned(),
        name: name.to_owned(),
        ..Os::default()
    };
    let package = |name: &str, version: &str| Package {
        name: name.to_owned(),
        version: version.to_owned(),
        ..Package::default()
    };
    for (kind, name, url) in [
        ("npm", "@Scope/Name", "pkg:npm/%40scope/name@1"),
        ("yarn", "a", "pkg:npm/a@1"),
        ("gomod", "github.com/A/b", "pkg:golang/github.com/a/b@1"),
        ("pip", "Some_Thing", "pkg:pypi/some-thing@1"),
        ("pom", "org.example:a", "pkg:maven/org.example/a@1"),
        ("jar", "a", "pkg:maven/a@1"),
        ("composer", "vendor/a", "pkg:composer/vendor/a@1"),
        ("cargo", "A", "pkg:cargo/A@1"),
        ("bundler", "a", "pkg:gem/a@1"),
        ("packages-props", "A.B", "pkg:nuget/A.B@1"),
        ("cocoapods", "A/B+C", "pkg:cocoapods/A@1#B%2BC"),
        ("swift", "github.com/a/b", "pkg:swift/github.com/a/b@1"),
        ("wordpress", "wordpress", "pkg:wordpress/wordpress@1"),
        ("kubernetes", "k8s.io/api", "pkg:kubernetes/k8s.io%2Fapi@1"),
    ] {
        let purl = purl_for(kind, &package(name, "1"), None).unwrap();
        assert_eq!(purl.to_string(), url);
    }
    assert_eq!(purl_for("gomod", &package("./a", "1"), None), None);
    assert_eq!(purl_for("npm", &package("", "1"), None), None);

    let mut system = package("Lib", "2.3");
    system.release = "4".to_owned();
    system.epoch = 1;
    system.arch = "x86_64".to_owned();
    for (family, name, url) in [
        (
            "debian",
            "12.5",
            "pkg:deb/debian/Lib@2.3-4?arch=x86_64&distro=debian-12.5&epoch=1",
        ),
        (
            "alpine",
            "3.20",
            "pkg:apk/alpine/lib@2.3-4?arch=x86_64&distro=3.20&epoch=1",
        ),
        (
            "sles",
            "15.5",
            "pkg:rpm/suse/Lib@2.3-4?arch=x86_64&distro=sles-15.5&epoch=1",
        ),
        (
            "redhat",
            "9",
            "pkg:rpm/redhat/Lib@2.3-4?arch=x86_64&distro=redhat-9&epoch=1",
        ),
    ] {
        let purl = purl_for(family, &system, Some(&os(family, name))).unwrap();
        assert_eq!(purl.to_string(), url);
    }
}

#[test]
fn one_covers_another() {
    let covers = |one: &str, other: &str| Purl::parse(one).unwrap().covers(&Purl::parse(other).unwrap());
    assert!(covers("pkg:npm/a", "pkg:npm/a@1?x=y"));
    assert!(covers("pkg:npm/a@1?x=y", "pkg:npm/a@1?x=y&z=1"));
    assert!(!covers("pkg:npm/a@1", "pkg:npm/a"));
    assert!(!covers("pkg:npm/a@1", "pkg:npm/a@2"));
    assert!(!covers("pkg:npm/a?x=y", "pkg:npm/a"));
    assert!(!covers("pkg:npm/a", "pkg:npm/%40s/a"));
}
