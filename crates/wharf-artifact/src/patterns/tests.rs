use super::*;

/// The paths that a pattern matches, of a handful.
fn matched<'a>(pattern: &str, paths: &[&'a str]) -> Vec<&'a str> {
    let patterns = Patterns::new(&[pattern]).unwrap();
    paths
        .iter()
        .copied()
        .filter(|path| patterns.matches(path))
        .collect()
}

const PATHS: [&str; 9] = [
    ".",
    "a.txt",
    "blog",
    "blog/a.txt",
    "blog/x/y.php",
    "x/blog",
    "x/y/blog/a.txt",
    ".git",
    "x/.git",
];

#[test]
fn a_name_is_the_whole_path() {
    assert_eq!(matched("a.txt", &PATHS), ["a.txt"]);
    assert_eq!(matched("blog", &PATHS), ["blog"]);
    assert_eq!(matched("./blog/", &PATHS), ["blog"]);
    assert_eq!(matched("/blog", &PATHS), ["blog"]);
    assert_eq!(matched("aatxt", &PATHS), [""; 0]);
}

#[test]
fn a_star_does_not_cross_slashes_and_two_do() {
    assert_eq!(matched("*", &PATHS), [".", "a.txt", "blog", ".git"]);
    assert_eq!(matched("*/*", &PATHS), ["blog/a.txt", "x/blog", "x/.git"]);
    assert_eq!(matched("**/blog", &PATHS), ["blog", "x/blog"]);
    assert_eq!(matched("**/.git", &PATHS), [".git", "x/.git"]);
    assert_eq!(matched("blog/**", &PATHS), ["blog", "blog/a.txt", "blog/x/y.php"]);
    assert_eq!(
        matched("**/blog/**", &PATHS),
        ["blog", "blog/a.txt", "blog/x/y.php", "x/blog", "x/y/blog/a.txt"]
    );
    assert_eq!(matched("x/**/a.txt", &PATHS), ["x/y/blog/a.txt"]);
    assert_eq!(matched("blog/**/a.txt", &PATHS), ["blog/a.txt"]);
    assert_eq!(matched("**", &PATHS), PATHS);
    assert_eq!(matched("bl**", &PATHS), ["blog"]);
    assert_eq!(
        matched("**g", &PATHS),
        ["blog", ".git"]
            .iter()
            .filter(|p| p.ends_with('g'))
            .copied()
            .collect::<Vec<_>>()
    );
}

#[test]
fn classes_alternatives_and_escapes() {
    assert_eq!(matched("[a-c].txt", &PATHS), ["a.txt"]);
    assert_eq!(matched("[!b].txt", &PATHS), ["a.txt"]);
    assert_eq!(matched("[^a].txt", &PATHS), [""; 0]);
    assert_eq!(matched("?.txt", &PATHS), ["a.txt"]);
    assert_eq!(matched("{a.txt,blog/{a,b}.txt}", &PATHS), ["a.txt", "blog/a.txt"]);
    assert_eq!(matched(r"\*", &["*", "a"]), ["*"]);
    assert_eq!(matched(r"[\]a-]", &["]", "a", "-", "b"]), ["]", "a", "-"]);
    assert_eq!(matched("{a,}b", &["ab", "b", "a"]), ["ab", "b"]);
    assert_eq!(matched("a+(b)|c$", &["a+(b)|c$", "aab"]), ["a+(b)|c$"]);
    assert_eq!(matched("[{]x,y}", &["{x,y}", "x"]), ["{x,y}"]);
    assert_eq!(matched("[&&a~~-]", &["&", "a", "~", "-"]), ["&", "a", "~", "-"]);
    assert_eq!(matched("*", &["new\nline"]), ["new\nline"]);
}

#[test]
fn malformed_patterns_are_told() {
    let fault = |pattern: &str| match Patterns::new(&["fine", pattern]).unwrap_err() {
        PatternError::Malformed {
            pattern: told,
            reason,
        } => {
            assert_eq!(told, pattern);
            reason
        }
        other @ PatternError::TooMany => panic!("{other}"),
    };
    assert_eq!(fault("[a"), GlobFault::OpenClass);
    assert_eq!(fault("[]"), GlobFault::EmptyClass);
    assert_eq!(fault("{a,b"), GlobFault::OpenAlternatives);
    assert_eq!(fault("a\\"), GlobFault::OpenEscape);
    assert_eq!(fault("[a\\"), GlobFault::OpenEscape);
    assert_eq!(fault("{a,\\"), GlobFault::OpenEscape);
    assert_eq!(fault(&"{a,b}".repeat(40)), GlobFault::TooLarge);
    assert_eq!(fault(&"a".repeat(5000)), GlobFault::TooLarge);
    assert_eq!(
        Patterns::new(&vec!["a"; 5000]).unwrap_err(),
        PatternError::TooMany
    );
}

#[test]
fn patterns_for_a_directory_are_made_relative_to_it() {
    let cleaned = |root: &str, pattern: &str| {
        let patterns = Patterns::below(Path::new(root), Path::new("/build"), &[pattern]).unwrap();
        patterns.texts()[0].clone()
    };
    assert_eq!(cleaned("tree", "blog"), "blog");
    assert_eq!(cleaned("tree", "./tree/blog"), "blog");
    assert_eq!(cleaned("tree", "tree/blog/"), "blog");
    assert_eq!(cleaned("/build/tree", "/build/tree/blog"), "blog");
    assert_eq!(cleaned("tree", "/elsewhere/blog"), "../../elsewhere/blog");
    assert_eq!(cleaned("tree", "**/blog"), "**/blog");
    assert_eq!(cleaned(".", "blog/**"), "blog/**");
    assert_eq!(cleaned("/", "/proc"), "proc");
    assert_eq!(cleaned("tree/a.txt", "tree/a.txt"), ".");
}
