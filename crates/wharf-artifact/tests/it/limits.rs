//! Each limit, with the number in the error.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use wharf_artifact::{
    Image, ImageError, ImageLimits, ImageOptions, LayerError, LayerErrorKind, LayerOptions, Problem,
    ProblemKind,
};

use crate::support::images::{StoredLayer, docker_archive, gzip, image_with, written, zstd};
use crate::support::tar::Tar;
use crate::support::visitors::SeenLayer;

fn error_with(layers: &[StoredLayer], limits: ImageLimits, options: &LayerOptions) -> LayerError {
    let opened = image_with(
        layers,
        &ImageOptions {
            limits,
            ..ImageOptions::default()
        },
    );
    let mut seen = SeenLayer::default();
    let read = |index| opened.image.read_layer(index, options, &mut seen);
    (0..layers.len())
        .map(read)
        .find_map(Result::err)
        .expect("a layer is beyond the limit")
}

#[test]
fn bombs() {
    let zeros = Tar::new().file("zeros", vec![0; 8 << 20]).end();
    let limits = || ImageLimits {
        most_ratio: 100,
        any_ratio_up_to: 1 << 20,
        ..ImageLimits::default()
    };
    for stored in [gzip(&zeros), zstd(&zeros)] {
        let layer = StoredLayer {
            stored,
            unpacked: zeros.clone(),
        };
        let error = error_with(&[layer], limits(), &LayerOptions::default());
        assert!(
            matches!(error.kind(), LayerErrorKind::Bomb { limit: 100, .. }),
            "{error}"
        );
        assert!(error.to_string().contains("100 times"), "{error}");
    }
    let (_folder, path) = written(&gzip(&docker_archive(&[zeros.into()], &[])));
    let open = |limits| {
        Image::open(
            &path,
            &ImageOptions {
                limits,
                ..ImageOptions::default()
            },
        )
        .unwrap_err()
    };
    assert!(matches!(open(limits()), ImageError::Bomb { limit: 100, .. }));
    let small = ImageLimits {
        most_archive: 4 << 20,
        ..ImageLimits::default()
    };
    assert!(matches!(
        open(small),
        ImageError::ArchiveTooLarge { limit: 4_194_304, .. }
    ));
}

#[test]
fn unpacked_bytes_of_a_layer_and_of_an_image() {
    let layer = StoredLayer::from(Tar::new().file("a", vec![b'a'; 3 << 20]).end());
    let limits = ImageLimits {
        most_layer: 2 << 20,
        ..ImageLimits::default()
    };
    let error = error_with(std::slice::from_ref(&layer), limits, &LayerOptions::default());
    assert!(
        matches!(error.kind(), LayerErrorKind::TooLarge { limit: 2_097_152 }),
        "{error}"
    );
    let limits = ImageLimits {
        most_image: 5 << 20,
        ..ImageLimits::default()
    };
    let error = error_with(&[layer.clone(), layer.clone()], limits, &LayerOptions::default());
    assert!(
        matches!(error.kind(), LayerErrorKind::ImageTooLarge { limit: 5_242_880 }),
        "{error}"
    );
    assert_eq!(error.index(), 1);
    // Reading one layer several times counts once.
    let limits = ImageLimits {
        most_image: 5 << 20,
        ..ImageLimits::default()
    };
    let opened = image_with(
        &[layer],
        &ImageOptions {
            limits,
            ..ImageOptions::default()
        },
    );
    for _ in 0..4 {
        opened
            .image
            .read_layer(0, &LayerOptions::default(), &mut SeenLayer::default())
            .unwrap();
    }
}

#[test]
fn entries_names_files_and_paths() {
    let many: StoredLayer = (0..50)
        .fold(Tar::new(), |tar, n| tar.file(&format!(".wh.{n}"), ""))
        .end()
        .into();
    let error =
        |options: &LayerOptions| error_with(std::slice::from_ref(&many), ImageLimits::default(), options);
    let entries = LayerOptions {
        most_entries: 49,
        ..LayerOptions::default()
    };
    assert!(matches!(
        error(&entries).kind(),
        LayerErrorKind::TooManyEntries { limit: 49 }
    ));
    let names = LayerOptions {
        most_names: 1000,
        ..LayerOptions::default()
    };
    assert!(matches!(
        error(&names).kind(),
        LayerErrorKind::TooManyNames { limit: 1000 }
    ));
    let layer = Tar::new()
        .file("big", "0123456789")
        .file("a/long/path", "x")
        .file("ok", "x")
        .end();
    let opened = image_with(&[layer.into()], &ImageOptions::default());
    let options = LayerOptions {
        most_file: 9,
        most_path: 10,
        ..LayerOptions::default()
    };
    let mut seen = SeenLayer::default();
    opened.image.read_layer(0, &options, &mut seen).unwrap();
    assert_eq!(seen.texts(), ["ok=x"]);
    assert!(matches!(
        seen.problems[0].kind(),
        ProblemKind::TooLarge { size: 10, limit: 9 }
    ));
    assert!(matches!(
        seen.problems[1].kind(),
        ProblemKind::PathTooLong {
            length: 11,
            limit: 10
        }
    ));
}

#[test]
fn documents_layers_and_entries_of_archives() {
    let layer = StoredLayer::from(Tar::new().file("a", "x").end());
    let (_folder, path) = written(&docker_archive(&[layer.clone(), layer], &[]));
    let open = |limits| {
        Image::open(
            &path,
            &ImageOptions {
                limits,
                ..ImageOptions::default()
            },
        )
        .unwrap_err()
    };
    let document = ImageLimits {
        most_document: 10,
        ..ImageLimits::default()
    };
    assert!(matches!(
        open(document),
        ImageError::DocumentTooLarge { limit: 10, .. }
    ));
    let layers = ImageLimits {
        most_layers: 1,
        ..ImageLimits::default()
    };
    assert!(matches!(
        open(layers),
        ImageError::TooManyLayers {
            found: 2,
            limit: 1,
            ..
        }
    ));
    let entries = ImageLimits {
        most_archive_entries: 3,
        ..ImageLimits::default()
    };
    assert!(matches!(
        open(entries),
        ImageError::TooManyEntries { limit: 3, .. }
    ));
}

#[test]
fn links_that_would_have_all_layers_read_again() {
    let content = vec![b'a'; 2 << 20];
    let lower = |n: usize| StoredLayer::from(Tar::new().file(&format!("f{n}"), &content).end());
    let mut layers: Vec<StoredLayer> = (0..4).map(lower).collect();
    layers.push(Tar::new().hard_link("x", "f0").end().into());
    let read = |most_image: u64| {
        let limits = ImageLimits {
            most_image,
            ..ImageLimits::default()
        };
        let opened = image_with(
            &layers,
            &ImageOptions {
                limits,
                ..ImageOptions::default()
            },
        );
        let mut seen = SeenLayer::default();
        opened
            .image
            .read_layer(4, &LayerOptions::default(), &mut seen)
            .unwrap();
        let costly = |problem: &&Problem| matches!(problem.kind(), ProblemKind::LinkTooCostly { .. });
        (seen.files.len(), seen.problems.iter().filter(costly).count())
    };
    assert_eq!(read(100 << 20), (1, 0));
    assert_eq!(read(5 << 20), (0, 1));
}

#[test]
fn a_visitor_stops_in_the_middle_of_a_layer() {
    let layer = (0..40).fold(Tar::new(), |tar, n| {
        tar.file(&format!("{n}"), vec![b'a'; 100 << 10])
    });
    let opened = image_with(&[layer.end().into()], &ImageOptions::default());
    let mut seen = SeenLayer {
        stop_at: Some(2 << 20),
        ..SeenLayer::default()
    };
    let error = opened
        .image
        .read_layer(0, &LayerOptions::default(), &mut seen)
        .unwrap_err();
    assert!(matches!(error.kind(), LayerErrorKind::Stopped));
    assert!(seen.files.len() < 30);
}

#[test]
fn a_flag_stops_whatever_is_unpacked() {
    let layer = StoredLayer::from(Tar::new().file("a", "x").end());
    let flag = Arc::new(AtomicBool::new(false));
    let options = ImageOptions {
        interrupted: Some(flag.clone()),
        ..ImageOptions::default()
    };
    let opened = image_with(std::slice::from_ref(&layer), &options);
    let read = || {
        opened
            .image
            .read_layer(0, &LayerOptions::default(), &mut SeenLayer::default())
    };
    assert!(read().is_ok());
    flag.store(true, Ordering::Relaxed);
    assert!(matches!(read().unwrap_err().kind(), LayerErrorKind::Stopped));
    let (_folder, path) = written(&gzip(&docker_archive(&[layer], &[])));
    assert!(matches!(
        Image::open(&path, &options).unwrap_err(),
        ImageError::Stopped { .. }
    ));
}
