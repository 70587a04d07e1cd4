use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use wharf_plugin::{Digest, IdentifyError, Lookalike, Verification};

use super::*;

const MODULE: &str = "(module (func (export \"run\")))";

/// Writes a file into a directory that goes with the test, and fetches it.
fn fetch_file(name: &str, bytes: impl AsRef<[u8]>) -> Result<VerifiedArtifact, FetchError> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    fs::write(&path, bytes).unwrap();
    fetch(&Reference::File(path))
}

#[track_caller]
fn fetch_error(path: &Path) -> FetchError {
    fetch(&Reference::File(path.to_owned())).unwrap_err()
}

#[test]
fn a_binary_module_is_taken_as_it_is() {
    let wasm = wat::parse_str(MODULE).unwrap();
    let artifact = fetch_file("a.wasm", &wasm).unwrap();
    assert_eq!(artifact.bytes(), &wasm);
    assert_eq!(artifact.digest(), Digest::of(&wasm));
    assert_eq!(artifact.verification(), Verification::Unverified);
    assert!(matches!(artifact.reference(), Reference::File(path) if path.ends_with("a.wasm")));
}

#[test]
fn a_text_is_assembled() {
    let artifact = fetch_file("a.wat", MODULE).unwrap();
    assert_eq!(artifact.bytes(), &wat::parse_str(MODULE).unwrap());
}

#[test]
fn a_link_is_followed() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a.wat"), MODULE).unwrap();
    symlink("a.wat", directory.path().join("b.wat")).unwrap();
    fetch(&Reference::File(directory.path().join("b.wat"))).unwrap();
}

#[test]
fn errors_in_a_text_have_a_line_a_column_and_the_text_there() {
    for (text, place, word, shown) in [
        (
            "(module\n  (func (export \"run\") i32.konst 1))",
            (2, 24),
            "unknown operator",
            "(func (export \"run\") i32.konst 1))",
        ),
        (
            "(module\n  (func $f)\n  (func $f))",
            (3, 9),
            "duplicate func identifier",
            "(func $f))",
        ),
        (
            "(module (call $nobody))",
            (1, 10),
            "expected valid module field",
            "(call $nobody))"[..0].trim(),
        ),
        ("(module ;; é\n (func (call $é)))", (2, 14), "", ""),
        ("(module", (1, 8), "expected", "(module"),
        ("", (1, 1), "", ""),
        ("(module \"\n", (1, 10), "", "(module \""),
    ] {
        match fetch_file("a.wat", text) {
            Err(FetchError::Text {
                line,
                column,
                message,
                excerpt,
                ..
            }) => {
                assert_eq!((line, column), place, "{text:?}: {message}");
                assert!(message.contains(word), "{text:?}: {message}");
                assert!(shown.is_empty() || excerpt == shown, "{text:?}: {excerpt}");
            }
            other => panic!("{text:?}: {other:?}"),
        }
    }
}

#[test]
fn a_text_that_is_not_utf8_says_where() {
    let error = fetch_file("a.wat", b"(module\n  \xff)").unwrap_err();
    assert!(
        error.to_string().ends_with("a.wat:2:3: this is not UTF-8"),
        "{error}"
    );
}

#[test]
fn a_text_nested_beyond_measure_overflows_nothing() {
    let nested = format!(
        "(module (func {}{}))",
        "(block ".repeat(200_000),
        ")".repeat(200_000)
    );
    fetch_file("a.wat", nested).unwrap();
    let open = "(".repeat(200_000);
    assert!(matches!(fetch_file("a.wat", open), Err(FetchError::Text { .. })));
}

#[test]
fn what_is_not_wasm_is_said_plainly() {
    for (bytes, expected) in [
        (&b""[..], Lookalike::Empty),
        (b"\0as", Lookalike::CutShort),
        (b"<!DOCTYPE html>", Lookalike::Html),
        (b"\x1f\x8b\x08", Lookalike::Gzip),
        (MODULE.as_bytes(), Lookalike::WatText),
    ] {
        match fetch_file("a.wasm", bytes).unwrap_err() {
            FetchError::NotWasm {
                source: IdentifyError::NotWasm { looks_like },
                ..
            } => {
                assert_eq!(looks_like, expected);
            }
            other => panic!("{other:?}"),
        }
    }
    let error = fetch_file("a.wat", wat::parse_str(MODULE).unwrap()).unwrap_err();
    assert!(matches!(error, FetchError::BinaryText { .. }), "{error}");
    assert_eq!(error.hint(), "name the file `.wasm`");
}

#[test]
fn a_missing_file_is_told_from_one_that_cannot_be_read() {
    let directory = tempfile::tempdir().unwrap();
    let error = fetch_error(&directory.path().join("absent.wasm"));
    assert!(matches!(error, FetchError::NotFound { .. }), "{error:?}");
    assert!(error.to_string().starts_with("there is no file /"), "{error}");

    // A path through a file cannot be opened by anybody, root included.
    fs::write(directory.path().join("file"), "").unwrap();
    let error = fetch_error(&directory.path().join("file").join("a.wasm"));
    assert!(matches!(error, FetchError::Unreadable { .. }), "{error:?}");
    let error = fetch_error(&PathBuf::from("nul\0nul.wasm"));
    assert!(matches!(error, FetchError::Unreadable { .. }), "{error:?}");
}

/// None of these may hang, as the opening of a pipe without a writer would, or read for ever.
#[test]
fn what_is_no_file_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    fs::create_dir(path("directory.wasm")).unwrap();
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(
        rustix::fs::CWD,
        path("pipe.wasm"),
        rustix::fs::FileType::Fifo,
        mode,
        0,
    )
    .unwrap();
    let _listener = UnixListener::bind(path("socket.wasm")).unwrap();
    for (path, expected) in [
        (path("directory.wasm"), FileKind::Directory),
        (path("pipe.wasm"), FileKind::Pipe),
        (path("socket.wasm"), FileKind::Socket),
        (PathBuf::from("/dev/zero"), FileKind::Device),
    ] {
        match fetch_error(&path) {
            FetchError::NotAFile { kind, .. } => assert_eq!(kind, expected),
            other => panic!("{}: {other:?}", path.display()),
        }
    }
}

#[test]
fn a_file_over_the_cap_is_not_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("large.wasm");
    let file = fs::File::create(&path).unwrap();
    file.set_len(MOST_BYTES.bytes() + 1).unwrap();
    let error = fetch_error(&path);
    assert!(matches!(error, FetchError::TooLarge { .. }), "{error:?}");
    assert!(
        error
            .to_string()
            .ends_with("is larger than a plugin may be, 64MiB"),
        "{error}"
    );
    // At the cap it is read, and found to be no module.
    file.set_len(MOST_BYTES.bytes()).unwrap();
    assert!(matches!(fetch_error(&path), FetchError::NotWasm { .. }));
}

/// The system says that these files are empty, and yet they have bytes.
#[test]
fn a_file_without_a_length_is_read_to_its_end() {
    let error = fetch_error(Path::new("/proc/self/status"));
    assert!(matches!(
        error,
        FetchError::NotWasm {
            source: IdentifyError::NotWasm {
                looks_like: Lookalike::Text
            },
            ..
        }
    ));
}

#[test]
fn other_references_want_a_fetcher() {
    for reference in ["https://example.com/a.wasm", "oci://registry.example/a:1"] {
        let reference: Reference = reference.parse().unwrap();
        let error = fetch(&reference).unwrap_err();
        assert!(matches!(&error, FetchError::OnlyFiles { reference: r } if *r == reference));
        assert!(error.hint().contains("wharf pull"));
    }
}

#[test]
fn permissions_do_not_matter_to_what_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.wat");
    fs::write(&path, MODULE).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    fetch(&Reference::File(path)).unwrap();
}
