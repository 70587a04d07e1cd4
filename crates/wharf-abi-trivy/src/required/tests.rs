use super::{Required, RequiredSet};

fn required(patterns: &[&str]) -> Required {
    Required::new(patterns.iter().map(|pattern| (*pattern).to_owned()).collect()).unwrap()
}

#[track_caller]
fn check(pattern: &str, matching: &[&str], others: &[&str]) {
    let required = required(&[pattern]);
    for path in matching {
        assert!(required.matches(path), "{pattern} and {path}");
    }
    for path in others {
        assert!(!required.matches(path), "{pattern} and {path}");
    }
}

#[test]
fn patterns_match_anywhere_in_the_path() {
    check(
        r"wp-includes\/version\.php",
        &["a/wp-includes/version.php.bak"],
        &["wp-includes/versionXphp"],
    );
    check("^etc/passwd$", &["etc/passwd"], &["a/etc/passwd", "etc/passwd-"]);
    check("", &["", "anything"], &[]);
    check("(?i)dockerfile", &["a/Dockerfile", "DOCKERFILE"], &["docker"]);
    check(
        r"\/jdk\d+\/release",
        &["usr/jdk17/release"],
        &["usr/jdk/release", "usr/jdk٣/release"],
    );
}

#[test]
fn classes_are_those_of_go() {
    check(r"^\w+$", &["aZ_9"], &["é", ""]);
    check(r"^[\w.-]+$", &["a.b-c"], &["é", "a/b"]);
    check(r"^[^\d]$", &["a", "٣"], &["3"]);
    check(r"^[\D]$", &["a"], &["3"]);
    check(r"^\s$", &["\t", " ", "\x0c"], &["\x0b", "\u{a0}"]);
    check(r"\bfoo\b", &["a/foo.txt", "éfoo"], &["xfoo", "foo_"]);
    check(r"^[[:alpha:]]+$", &["aB"], &["é", "1"]);
    check(r"^[[:^alpha:]]$", &["1"], &["a"]);
    check(r"^\p{Greek}$", &["α"], &["a"]);
    check(r"^\p{^Greek}$", &["a"], &["α"]);
    check(r"^\P{^Greek}$", &["α"], &["a"]);
    check(r"^\pL$", &["é"], &["1"]);
    check(".", &["é"], &[""]);
}

#[test]
fn signs_that_mean_more_elsewhere_are_characters() {
    check("^a{,2}$", &["a{,2}"], &["aa"]);
    check("^a{x}{$", &["a{x}{"], &[]);
    check("^a{2}$", &["aa"], &["a"]);
    check(r"^[a&&b]$", &["a", "&", "b"], &["c"]);
    check(r"^[a[b]$", &["a", "[", "b"], &["]"]);
    check(r"^[]a]$", &["]", "a"], &["b"]);
    check(r"^[^]a]$", &["b"], &["]", "a"]);
    check(r"^[a~~+--c]$", &["a", "~", "+", ",", "-", "c"], &["d", "."]);
    check(r"^[a-]$", &["a", "-"], &["b"]);
    check(r"^[-a]$", &["a", "-"], &["b"]);
    check(r"^\Qa.b*c\Ed$", &["a.b*cd"], &["axb*cd"]);
    check(r"^\Q(x", &["(x"], &["x"]);
    check(r"\<a\>", &["<a>"], &["a"]);
    check(r"^\101\x42\x{43}\0$", &["ABC\0"], &[]);
    check(r"^#\# $", &["## "], &[]);
}

#[test]
fn what_go_refuses_is_refused() {
    for pattern in [
        "(",
        ")",
        "[",
        "a**",
        "a{2}{3}",
        "*",
        r"\",
        r"\C",
        r"\Z",
        r"\1",
        r"\u0041",
        r"\y",
        "(?x)a b",
        "(?R)",
        "(?u)a",
        "(?=a)",
        "(?!a)",
        "(?<=a)b",
        "(?<!a)b",
        "(?P=n)",
        "a{1001}",
        "a{99999999999}",
        "[b-a]",
        r"\p{Nothing}",
        r"\pX",
        r"\p{gc=L}",
        r"\x{110000}",
        r"\xZ",
        "[a",
    ] {
        let error = Required::new(vec!["fine".into(), pattern.into()]).unwrap_err();
        assert_eq!(error.pattern, pattern);
        assert!(!error.reason.is_empty());
    }
}

#[test]
fn many_and_large_patterns_are_bounded() {
    assert!(Required::new(vec![String::from("a"); 1_001]).is_err());
    let large = r"(\pL{1000}){1000}".to_owned();
    assert!(Required::new(vec![large]).is_err());
    let deep = format!("{}a{}", "(".repeat(10_000), ")".repeat(10_000));
    let error = Required::new(vec![deep]).unwrap_err();
    assert_eq!(error.pattern.len(), 256);
    assert!(
        error
            .to_string()
            .starts_with("the module requires files by the pattern \"((((")
    );
}

#[test]
fn a_set_says_which_modules_want_a_path() {
    let (one, two) = (required(&["a", r"\.txt$"]), required(&["b"]));
    let set = RequiredSet::new([Some(&one), None, Some(&two)]).unwrap();
    assert_eq!(set.matching("a.txt"), [0]);
    assert_eq!(set.matching("ab"), [0, 2]);
    assert_eq!(set.matching("b"), [2]);
    assert_eq!(set.matching("c"), [0_usize; 0]);
    assert_eq!(RequiredSet::new([None]).unwrap().matching("a"), [0_usize; 0]);
    assert!(!required(&[]).matches("a"));
}
