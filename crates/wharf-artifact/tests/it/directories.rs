//! Directories: what is found, in which order, and what is never followed.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::thread;

use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};
use tempfile::TempDir;
use wharf_artifact::{Patterns, ProblemKind, WalkError, WalkOptions, WalkSummary, walk};

use crate::support::visitors::Seen;

fn tree(files: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in files {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("content of {file}")).unwrap();
    }
    folder
}

fn walked(root: &Path, options: &WalkOptions) -> (Seen, WalkSummary) {
    let mut seen = Seen::default();
    let summary = walk(root, options, &mut seen).unwrap();
    (seen, summary)
}

#[test]
fn files_come_in_order_with_their_contents() {
    let tree = tree(&["b/z", "b/a", "a.txt", "c", "b/b/x", "ü", "B", "a/last"]);
    let (seen, summary) = walked(tree.path(), &WalkOptions::default());
    assert_eq!(
        seen.paths(),
        ["B", "a.txt", "c", "ü", "a/last", "b/a", "b/z", "b/b/x"]
    );
    assert_eq!((summary.files, summary.given, summary.directories), (8, 8, 4));
    assert!(seen.problems.is_empty());
    let contents = seen.files[7].read(1000).unwrap();
    assert_eq!(&*contents.bytes, b"content of b/b/x");
    assert!(contents.unchanged);
    assert_eq!(seen.files[7].size(), 16);
    let elsewhere = seen.files[5].clone();
    let read = thread::spawn(move || elsewhere.read(1000).unwrap().bytes.len())
        .join()
        .unwrap();
    assert_eq!(read, "content of b/a".len());
}

#[test]
fn only_wanted_files_are_given_and_only_their_names_are_asked_for() {
    let tree = tree(&["a.conf", "b.txt", "d/c.conf"]);
    let mut seen = Seen {
        wanted: ".conf",
        ..Seen::default()
    };
    let summary = walk(tree.path(), &WalkOptions::default(), &mut seen).unwrap();
    assert_eq!(seen.paths(), ["a.conf", "d/c.conf"]);
    assert_eq!((seen.asked, summary.files, summary.given), (3, 3, 2));
}

#[test]
fn the_usual_directories_are_passed_over() {
    let tree = tree(&[
        ".git/HEAD",
        "a/.git/HEAD",
        "a/proc/x",
        "proc/x",
        "sys/x",
        "dev/x",
        "node_modules/x",
    ]);
    let (seen, summary) = walked(tree.path(), &WalkOptions::default());
    assert_eq!(seen.paths(), ["a/proc/x", "node_modules/x"]);
    assert_eq!(summary.skipped, 5);
    let (seen, _) = walked(
        tree.path(),
        &WalkOptions {
            skip_usual: false,
            ..WalkOptions::default()
        },
    );
    assert_eq!(seen.paths().len(), 7);
}

#[test]
fn patterns_skip_files_and_whole_directories() {
    let tree = tree(&["a.txt", "blog/a.txt", "blog/x/b.txt", "shop/blog/c.txt"]);
    let options = WalkOptions {
        skip_directories: Patterns::new(&["blog"]).unwrap(),
        skip_files: Patterns::new(&["a.txt"]).unwrap(),
        ..WalkOptions::default()
    };
    let (seen, summary) = walked(tree.path(), &options);
    assert_eq!(seen.paths(), ["shop/blog/c.txt"]);
    assert_eq!(summary.skipped, 2);
    let all = WalkOptions {
        skip_directories: Patterns::new(&["*"]).unwrap(),
        ..WalkOptions::default()
    };
    assert_eq!(
        walked(tree.path(), &all).1.directories,
        0,
        "the root is a directory as well"
    );
}

#[test]
fn links_fifos_and_sockets_are_passed_over() {
    let tree = tree(&["a/file"]);
    symlink("a", tree.path().join("folder")).unwrap();
    symlink("a/file", tree.path().join("link")).unwrap();
    symlink("..", tree.path().join("a/up")).unwrap();
    symlink("self", tree.path().join("self")).unwrap();
    symlink("/etc/passwd", tree.path().join("a/outside")).unwrap();
    let fifo = tree.path().join("fifo");
    rustix::fs::mknodat(CWD, &fifo, rustix::fs::FileType::Fifo, Mode::from(0o600), 0).unwrap();
    let _socket = UnixListener::bind(tree.path().join("socket")).unwrap();
    let (seen, summary) = walked(tree.path(), &WalkOptions::default());
    assert_eq!(seen.paths(), ["a/file"]);
    assert_eq!((summary.others, summary.problems), (7, 0));
}

#[test]
fn the_target_itself_may_be_a_link_or_a_file() {
    let tree = tree(&["d/file.txt"]);
    symlink("d", tree.path().join("folder")).unwrap();
    symlink("d/file.txt", tree.path().join("other-name.txt")).unwrap();
    symlink("loop", tree.path().join("loop")).unwrap();
    let at = |name: &str| walked(&tree.path().join(name), &WalkOptions::default()).0;
    assert_eq!(at("folder").paths(), ["file.txt"]);
    assert_eq!(at("d/file.txt").paths(), ["file.txt"]);
    let linked = at("other-name.txt");
    assert_eq!(linked.paths(), ["other-name.txt"]);
    assert!(!linked.files[0].has_lossy_path());
    assert_eq!(
        &*linked.files[0].read(100).unwrap().bytes,
        b"content of d/file.txt"
    );
    let skip = WalkOptions {
        skip_files: Patterns::new(&["."]).unwrap(),
        ..WalkOptions::default()
    };
    assert!(walked(&tree.path().join("d/file.txt"), &skip).0.files.is_empty());
}

#[test]
fn a_target_that_cannot_be_walked_is_an_error_that_names_it() {
    let tree = tree(&["file"]);
    symlink("loop", tree.path().join("loop")).unwrap();
    let fault = |name: &str| {
        let root = tree.path().join(name);
        let error = walk(&root, &WalkOptions::default(), &mut Seen::default()).unwrap_err();
        assert!(error.to_string().contains(root.to_str().unwrap()), "{error}");
        assert!(!error.hint().is_empty());
        error
    };
    assert!(matches!(fault("none"), WalkError::Missing { .. }));
    assert!(matches!(fault("file/below"), WalkError::Missing { .. }));
    assert!(matches!(fault("loop"), WalkError::LoopOfLinks { .. }));
    let device = walk(
        Path::new("/dev/null"),
        &WalkOptions::default(),
        &mut Seen::default(),
    );
    assert!(matches!(
        device.unwrap_err(),
        WalkError::NeitherDirectoryNorFile { .. }
    ));
}

#[test]
fn names_that_are_not_utf8_can_be_read_and_are_told() {
    let tree = tree(&[]);
    let name = OsStr::from_bytes(b"caf\xe9.txt");
    fs::create_dir(tree.path().join(OsStr::from_bytes(b"\xff"))).unwrap();
    fs::write(tree.path().join(OsStr::from_bytes(b"\xff")).join(name), "here").unwrap();
    fs::write(tree.path().join("new\nline"), "there").unwrap();
    let (seen, _) = walked(tree.path(), &WalkOptions::default());
    assert_eq!(seen.paths(), ["new\nline", "\u{fffd}/caf\u{fffd}.txt"]);
    assert_eq!(
        seen.files
            .iter()
            .map(|file| file.has_lossy_path())
            .collect::<Vec<_>>(),
        [false, true]
    );
    assert_eq!(&*seen.files[1].read(10).unwrap().bytes, b"here");
    fs::remove_file(tree.path().join("new\nline")).unwrap();
    let problem = seen.files[0].read(10).unwrap_err();
    assert!(
        problem
            .to_string()
            .ends_with(r": new\nline: it went away while the target was scanned"),
        "{problem}"
    );
}

#[test]
fn what_is_swapped_after_it_was_found_leads_nowhere() {
    let tree = tree(&["root/a/b/file", "root/c", "outside/b/file", "root/e", "root/f"]);
    let root = tree.path().join("root");
    let (seen, _) = walked(&root, &WalkOptions::default());
    assert_eq!(seen.paths(), ["c", "e", "f", "a/b/file"]);
    fs::rename(root.join("a"), root.join("moved")).unwrap();
    symlink("../outside", root.join("a")).unwrap();
    fs::remove_file(root.join("c")).unwrap();
    symlink("../outside/b/file", root.join("c")).unwrap();
    fs::remove_file(root.join("e")).unwrap();
    rustix::fs::mknodat(
        CWD,
        root.join("e"),
        rustix::fs::FileType::Fifo,
        Mode::from(0o600),
        0,
    )
    .unwrap();
    fs::remove_file(root.join("f")).unwrap();
    for (position, gone) in [(0, false), (1, false), (2, true), (3, false)] {
        let problem = seen.files[position].read(1000).unwrap_err();
        let as_expected = if gone {
            matches!(problem.kind(), ProblemKind::Gone)
        } else {
            matches!(problem.kind(), ProblemKind::Replaced)
        };
        assert!(as_expected, "{position}: {problem:?}");
    }
}

#[test]
fn files_that_change_are_read_as_they_are_and_say_so() {
    let tree = tree(&["grows", "shrinks", "same"]);
    let (seen, _) = walked(tree.path(), &WalkOptions::default());
    fs::OpenOptions::new()
        .append(true)
        .open(tree.path().join("grows"))
        .unwrap()
        .write_all(b"!!")
        .unwrap();
    fs::write(tree.path().join("shrinks"), "s").unwrap();
    let read = |position: usize| seen.files[position].read(18).unwrap();
    assert_eq!(&*read(0).bytes, b"content of grows!!");
    assert!(!read(0).unchanged);
    assert_eq!(&*read(2).bytes, b"s");
    assert!(!read(2).unchanged);
    assert!(read(1).unchanged);
    let problem = seen.files[0].read(17).unwrap_err();
    assert!(
        matches!(problem.kind(), ProblemKind::TooLarge { size: 18, limit: 17 }),
        "{problem:?}"
    );
    assert!(!problem.hint().is_empty());
}

/// Makes `depth` directories in each other by one descriptor at a time, since the whole path is too long for the system.
fn deep(root: &Path, name: &str, depth: usize) {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut here = openat(CWD, root, flags, Mode::empty()).unwrap();
    for _ in 0..depth {
        mkdirat(&here, name, Mode::from(0o700)).unwrap();
        here = openat(&here, name, flags, Mode::empty()).unwrap();
    }
    let file = openat(&here, "file", OFlags::CREATE | OFlags::WRONLY, Mode::from(0o600)).unwrap();
    fs::File::from(file).write_all(b"deep").unwrap();
}

#[test]
fn deep_trees_are_read_down_to_the_limit() {
    let tree = tree(&["z/file"]);
    deep(tree.path(), &"d".repeat(60), 200);
    let (seen, summary) = walked(tree.path(), &WalkOptions::default());
    assert_eq!(summary.problems, 0);
    assert_eq!(seen.paths().len(), 2);
    assert_eq!(
        seen.files[0].path().len(),
        200 * 61 + 4,
        "longer than the kernel takes at once"
    );
    assert_eq!(&*seen.files[0].read(10).unwrap().bytes, b"deep");
    let (seen, _) = walked(
        tree.path(),
        &WalkOptions {
            most_levels: 199,
            ..WalkOptions::default()
        },
    );
    assert_eq!(seen.paths(), ["z/file"]);
    assert!(matches!(
        seen.problems[0].kind(),
        ProblemKind::TooDeep { limit: 199 }
    ));
    let (seen, _) = walked(
        tree.path(),
        &WalkOptions {
            most_path: 1000,
            ..WalkOptions::default()
        },
    );
    assert_eq!(seen.paths(), ["z/file"]);
    assert!(matches!(
        seen.problems[0].kind(),
        ProblemKind::PathTooLong { limit: 1000, .. }
    ));
}

#[test]
fn directories_far_up_are_opened_anew_for_their_other_children() {
    let tree = tree(&[]);
    let mut path = tree.path().to_owned();
    for _ in 0..150 {
        fs::create_dir_all(path.join("z")).unwrap();
        fs::write(path.join("z/file"), "x").unwrap();
        path.push("a");
    }
    let (seen, summary) = walked(tree.path(), &WalkOptions::default());
    assert_eq!(
        (seen.files.len(), summary.problems),
        (150, 0),
        "{:?}",
        seen.problem_texts().first()
    );
    assert!(seen.files.iter().all(|file| file.read(1).is_ok()));
}

#[test]
fn more_files_or_names_than_may_be_are_told_and_the_rest_is_read() {
    let tree = tree(&["a/1", "a/2", "a/3", "b/1"]);
    let (seen, summary) = walked(
        tree.path(),
        &WalkOptions {
            most_files: 2,
            ..WalkOptions::default()
        },
    );
    assert_eq!(seen.paths(), ["a/1", "a/2"]);
    assert!(matches!(
        seen.problems[0].kind(),
        ProblemKind::TooManyFiles { limit: 2 }
    ));
    assert!(!summary.stopped);
    let (seen, summary) = walked(
        tree.path(),
        &WalkOptions {
            most_names: 36,
            ..WalkOptions::default()
        },
    );
    assert!(matches!(
        seen.problems[0].kind(),
        ProblemKind::TooManyNames { limit: 36 }
    ));
    assert_eq!(summary.directories, 3);
    assert!(seen.paths().contains(&"b/1"));
}

#[test]
fn a_visitor_stops_the_walk() {
    let tree = tree(&["a/1", "a/2", "b/1"]);
    let mut seen = Seen {
        stop_at: Some(2),
        ..Seen::default()
    };
    let summary = walk(tree.path(), &WalkOptions::default(), &mut seen).unwrap();
    assert_eq!(seen.paths(), ["a/1", "a/2"]);
    assert!(summary.stopped);
}

#[test]
fn an_unreadable_directory_is_told_and_the_rest_is_read() {
    let tree = tree(&["a/secret", "b/1"]);
    fs::set_permissions(tree.path().join("a"), PermissionsExt::from_mode(0o000)).unwrap();
    let (seen, _) = walked(tree.path(), &WalkOptions::default());
    assert!(seen.paths().contains(&"b/1"));
    // Root reads it all the same.
    if fs::read_dir(tree.path().join("a")).is_err() {
        assert!(matches!(seen.problems[0].kind(), ProblemKind::Unlistable { .. }));
        assert_eq!(seen.problems[0].path(), "a");
        assert_eq!(seen.problems[0].target(), tree.path().to_str().unwrap());
    }
    fs::set_permissions(tree.path().join("a"), PermissionsExt::from_mode(0o700)).unwrap();
}
