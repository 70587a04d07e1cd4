//! Layers: which files they have, what they remove, and links.

use wharf_artifact::{LayerContents, LayerErrorKind, LayerOptions, Patterns, ProblemKind};

use crate::support::images::{Opened, StoredLayer, gzip, image, image_with, zstd};
use crate::support::tar::{Header, Tar, header, sum};
use crate::support::visitors::SeenLayer;

fn read_with(opened: &Opened, index: usize, options: &LayerOptions) -> (SeenLayer, LayerContents) {
    let mut seen = SeenLayer::default();
    let contents = opened.image.read_layer(index, options, &mut seen).unwrap();
    (seen, contents)
}

fn read(layer: Tar) -> (SeenLayer, LayerContents) {
    read_with(&image(&[layer]), 0, &LayerOptions::default())
}

#[test]
fn files_come_with_their_contents_and_cleaned_paths() {
    let layer = Tar::new()
        .directory("etc/")
        .file("etc/hostname", "box")
        .file("./dot/x", "1")
        .file("/abs/x", "2")
        .file("b/../c//x", "3")
        .file("empty", "")
        .symbolic_link("etc/link", "hostname")
        .entry(b'3', "dev/null", "")
        .entry(b'6', "fifo", "");
    let (seen, contents) = read(layer);
    assert_eq!(
        seen.texts(),
        ["etc/hostname=box", "dot/x=1", "abs/x=2", "c/x=3", "empty="]
    );
    assert_eq!(
        (contents.entries, contents.files, contents.given, contents.others),
        (9, 5, 5, 3)
    );
    assert_eq!(
        (contents.unpacked, contents.stored),
        (1024 + 13 * 512, 1024 + 13 * 512)
    );
    assert_eq!(seen.files[0].mode, 0o644);
    assert!(seen.problems.is_empty());
}

#[test]
fn a_layer_is_read_however_it_is_compressed() {
    let tar = Tar::new().file("a", "content").end();
    let (first, second) = tar.split_at(700);
    let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
    let forms = [
        tar.clone(),
        gzip(&tar),
        [gzip(first), gzip(second)].concat(),
        zstd(&tar),
        [zstd(first), skippable.clone(), zstd(second), skippable].concat(),
    ];
    for stored in forms {
        let layer = StoredLayer {
            stored: stored.clone(),
            unpacked: tar.clone(),
        };
        let opened = image_with(&[layer], &Default::default());
        let (seen, contents) = read_with(&opened, 0, &LayerOptions::default());
        assert_eq!(seen.texts(), ["a=content"]);
        assert_eq!(
            (contents.stored, contents.unpacked),
            (stored.len() as u64, tar.len() as u64)
        );
    }
}

#[test]
fn whiteouts_and_opaque_directories_are_told() {
    let layer = Tar::new()
        .file("a/.wh.gone", "")
        .file(".wh.top", "")
        .file("b/c/.wh..wh..opq", "")
        .file(".wh..wh..opq", "")
        .file("a/.wh..", "")
        .file("a/.wh.", "")
        .file("../.wh.outside", "")
        .file("a/kept", "x");
    let (seen, contents) = read(layer);
    assert_eq!(contents.whiteouts, ["a/gone", "top"]);
    assert_eq!(contents.opaque, ["b/c", ""]);
    assert_eq!(seen.texts(), ["a/kept=x"]);
    let kinds: Vec<bool> = seen
        .problems
        .iter()
        .map(|problem| matches!(problem.kind(), ProblemKind::LeavesRoot))
        .collect();
    assert_eq!(kinds, [false, false, true]);
}

#[test]
fn paths_that_leave_the_root_are_told_and_not_given() {
    let layer = Tar::new()
        .file("../../etc/passwd", "x")
        .file("a/../../b", "x")
        .pax(&[("path", "nul\0byte")])
        .file("short", "x")
        .file("./", "")
        .file("fine", "x");
    let (seen, _) = read(layer);
    assert_eq!(seen.texts(), ["fine=x"]);
    assert_eq!(seen.problems.len(), 4);
    assert_eq!(seen.problems[0].path(), "../../etc/passwd");
    assert!(seen.problems[0].layer().unwrap().starts_with("sha256:"));
    let told = seen.problems[0].to_string();
    assert!(
        told.contains(": layer sha256:") && told.contains(": ../../etc/passwd: "),
        "{told}"
    );
    assert!(
        seen.problems[2].to_string().contains(r"nul\u{0}byte"),
        "{}",
        seen.problems[2]
    );
    assert!(seen.problems.iter().all(|problem| !problem.hint().is_empty()));
}

#[test]
fn only_wanted_files_are_read_and_skipped_directories_are_whole() {
    let layer = Tar::new()
        .file("a/b/1", "1")
        .file("a/2", "2")
        .file("c/3", "3")
        .file("c/4.txt", "4");
    let options = LayerOptions {
        skip_directories: Patterns::new(&["a"]).unwrap(),
        skip_files: Patterns::new(&["**/*.txt"]).unwrap(),
        ..LayerOptions::default()
    };
    let opened = image(&[layer]);
    assert_eq!(read_with(&opened, 0, &options).0.texts(), ["c/3=3"]);
    let mut seen = SeenLayer {
        wanted: "2",
        ..SeenLayer::default()
    };
    let contents = opened
        .image
        .read_layer(0, &LayerOptions::default(), &mut seen)
        .unwrap();
    assert_eq!(seen.texts(), ["a/2=2"]);
    assert_eq!((contents.files, contents.given), (4, 1));
}

#[test]
fn hard_links_have_the_content_of_their_file() {
    let layer = Tar::new()
        .file("bin/busybox", "busy")
        .hard_link("bin/sh", "bin/busybox")
        .hard_link("bin/ls", "./bin/sh")
        .hard_link("early", "late")
        .file("late", "l");
    let (seen, contents) = read(layer.clone());
    assert_eq!(
        seen.texts(),
        [
            "bin/busybox=busy",
            "late=l",
            "bin/ls=busy",
            "bin/sh=busy",
            "early=l"
        ]
    );
    assert_eq!((contents.given, contents.files), (5, 2));
    let none = LayerOptions {
        hard_links: false,
        ..LayerOptions::default()
    };
    assert_eq!(
        read_with(&image(std::slice::from_ref(&layer)), 0, &none)
            .0
            .files
            .len(),
        2
    );
    let mut seen = SeenLayer {
        wanted: "/ls",
        ..SeenLayer::default()
    };
    image(&[layer])
        .image
        .read_layer(0, &LayerOptions::default(), &mut seen)
        .unwrap();
    assert_eq!(seen.texts(), ["bin/ls=busy"], "the file itself is not wanted");
}

#[test]
fn hard_links_to_lower_layers_are_resolved_and_others_told() {
    let opened = image(&[
        Tar::new().file("a", "lowest"),
        Tar::new().file("a", "lower").file("big", "0123456789"),
        Tar::new()
            .hard_link("b", "a")
            .hard_link("none", "nowhere")
            .hard_link("out", "../../etc/passwd")
            .hard_link("x", "y")
            .hard_link("y", "x")
            .hard_link("large", "big"),
    ]);
    let options = LayerOptions {
        most_file: 9,
        ..LayerOptions::default()
    };
    let (seen, contents) = read_with(&opened, 2, &options);
    assert_eq!(seen.texts(), ["b=lower"]);
    let told: Vec<(&str, bool)> = seen
        .problems
        .iter()
        .map(|problem| {
            (
                problem.path(),
                matches!(problem.kind(), ProblemKind::DanglingLink { .. }),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("out", false),
            ("large", false),
            ("none", true),
            ("x", true),
            ("y", true)
        ]
    );
    assert_eq!(contents.problems, 5);
    let few = LayerOptions {
        most_links: 1,
        ..LayerOptions::default()
    };
    let (seen, _) = read_with(&opened, 2, &few);
    let told = seen
        .problems
        .iter()
        .filter(|p| matches!(p.kind(), ProblemKind::TooManyLinks { limit: 1 }));
    assert_eq!(told.count(), 1);
}

#[test]
fn long_names_are_read_in_all_their_forms() {
    let long = format!("{}/file", "d".repeat(250));
    let (long, target) = (long.as_str(), format!("{}/t", "e".repeat(250)));
    let layer = Tar::new()
        .long(b'L', long)
        .file("short", "gnu")
        .pax(&[("path", "päx"), ("mtime", "1.5")])
        .file("short", "pax")
        .pax(&[("path", "")])
        .file("kept", "empty value")
        .pax(&[("size", "3")])
        .raw(
            &header(&Header {
                name: b"sized",
                ..Header::default()
            }),
            b"abc",
        )
        .long(b'K', &target)
        .hard_link("link", "short")
        .pax(&[("path", "the record")])
        .long(b'L', "the long name")
        .file("short", "both");
    let (seen, _) = read(layer);
    assert_eq!(
        seen.texts(),
        [
            format!("{long}=gnu").as_str(),
            "päx=pax",
            "kept=empty value",
            "sized=abc",
            "the long name=both"
        ]
    );
    assert!(seen.problems[0].to_string().contains(&"e".repeat(250)));
    let mut prefixed = header(&Header {
        name: b"name",
        ..Header::default()
    });
    prefixed[345..351].copy_from_slice(b"prefix");
    sum(&mut prefixed);
    let mut old = header(&Header {
        name: b"old/",
        flag: 0,
        ..Header::default()
    });
    old[257..265].fill(0);
    sum(&mut old);
    let (seen, contents) = read(Tar::new().raw(&prefixed, b"").raw(&old, b""));
    assert_eq!(seen.texts(), ["prefix/name="]);
    assert_eq!(contents.entries, 2);
    let not_utf8 = header(&Header {
        name: b"caf\xe9",
        ..Header::default()
    });
    assert_eq!(read(Tar::new().raw(&not_utf8, b"")).0.texts(), ["caf\u{fffd}="]);
}

#[test]
fn files_with_holes_are_read_whole() {
    let whole = "sparse=\0\0\0\0abc\0\0de\0";
    let (offsets, lengths) = (["4", "9"], ["3", "2"]);
    let map = "4,3,9,2";
    let zero_zero = Tar::new()
        .pax(&[
            ("GNU.sparse.size", "12"),
            ("GNU.sparse.numblocks", "2"),
            ("GNU.sparse.offset", offsets[0]),
            ("GNU.sparse.numbytes", lengths[0]),
            ("GNU.sparse.offset", offsets[1]),
            ("GNU.sparse.numbytes", lengths[1]),
        ])
        .file("sparse", "abcde");
    let zero_one = Tar::new()
        .pax(&[
            ("GNU.sparse.size", "12"),
            ("GNU.sparse.map", map),
            ("GNU.sparse.name", "sparse"),
        ])
        .file("GNUSparseFile.0/sparse", "abcde");
    let mut data = b"2\n4\n3\n9\n2\n".to_vec();
    data.resize(512, 0);
    data.extend_from_slice(b"abcde");
    let one_zero = Tar::new()
        .pax(&[
            ("GNU.sparse.major", "1"),
            ("GNU.sparse.minor", "0"),
            ("GNU.sparse.name", "sparse"),
            ("GNU.sparse.realsize", "12"),
        ])
        .file("GNUSparseFile.0/sparse", data);
    let old = Tar::new().raw(&old_sparse(&[(4, 3), (9, 2)], 12, 5), b"abcde");
    for layer in [zero_zero, zero_one, one_zero, old] {
        let (seen, _) = read(layer.file("after", "x"));
        assert_eq!(seen.texts(), [whole, "after=x"]);
    }
}

/// A header of GNU tar for a file with holes.
fn old_sparse(segments: &[(u64, u64)], real_size: u64, stored: u64) -> [u8; 512] {
    let mut block = header(&Header {
        name: b"sparse",
        flag: b'S',
        size: stored,
        gnu: true,
        ..Header::default()
    });
    for (index, (offset, length)) in segments.iter().enumerate() {
        let text = format!("{offset:011o}\0{length:011o}\0");
        block[386 + index * 24..386 + (index + 1) * 24].copy_from_slice(text.as_bytes());
    }
    block[483..495].copy_from_slice(format!("{real_size:011o}\0").as_bytes());
    sum(&mut block);
    block
}

#[test]
fn giants_are_told_by_their_whole_size_and_the_rest_is_read() {
    let sparse = old_sparse(&[(0, 3)], 8_000_000_000, 3);
    let (seen, _) = read(Tar::new().raw(&sparse, b"abc").file("after", "x"));
    assert_eq!(seen.texts(), ["after=x"]);
    let kind = seen.problems[0].kind();
    assert!(
        matches!(
            kind,
            ProblemKind::TooLarge {
                size: 8_000_000_000,
                ..
            }
        ),
        "{kind:?}"
    );
    for (segments, real_size, stored) in [
        (&[(4, 3), (2, 2)][..], 12, 5),
        (&[(4, 9)], 12, 9),
        (&[(0, 3)], 12, 4),
    ] {
        let layer = Tar::new().raw(&old_sparse(segments, real_size, stored), b"abcdefghi");
        let opened = image(&[layer]);
        let error = opened
            .image
            .read_layer(0, &LayerOptions::default(), &mut SeenLayer::default())
            .unwrap_err();
        assert!(
            matches!(error.kind(), LayerErrorKind::Malformed { .. }),
            "{error}"
        );
    }
}

#[test]
fn what_has_a_flag_that_nobody_knows_is_passed_over_with_its_data() {
    let unknown = header(&Header {
        name: b"odd",
        flag: b'Q',
        size: 700,
        ..Header::default()
    });
    let global = header(&Header {
        name: b"global",
        flag: b'g',
        size: 20,
        ..Header::default()
    });
    let (seen, contents) = read(
        Tar::new()
            .raw(&global, &[b'x'; 20])
            .raw(&unknown, &[b'y'; 700])
            .file("after", "x"),
    );
    assert_eq!(seen.texts(), ["after=x"]);
    assert_eq!(contents.others, 1);
}

#[test]
fn several_layers_are_read_at_once() {
    let layers: Vec<Tar> = (0..8)
        .map(|index| Tar::new().file("name", format!("{index}")))
        .collect();
    let opened = image(&layers);
    std::thread::scope(|scope| {
        let opened = &opened;
        let threads: Vec<_> = (0..8)
            .map(|index| {
                scope.spawn(move || {
                    let (seen, _) = read_with(opened, index, &LayerOptions::default());
                    assert_eq!(seen.texts(), [format!("name={index}")]);
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}
