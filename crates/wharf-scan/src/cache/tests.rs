use wharf_report::CustomResource;

use super::*;

const STAMP: Stamp = Stamp {
    size: 3,
    modified: 1_700_000_000_123_456_789,
    changed: 1_700_000_000_123_456_789,
    inode: 9,
    device: 1,
};

fn found() -> FileFindings {
    FileFindings {
        path: "a/b".into(),
        found: vec![(
            1,
            AnalysisResult {
                custom_resources: vec![CustomResource {
                    kind: "k".into(),
                    data: serde_json::json!({ "b": 1, "a": [null, "<"] }).into(),
                    ..CustomResource::default()
                }],
                ..AnalysisResult::default()
            },
        )],
    }
}

fn cache(directory: &tempfile::TempDir, most: u64) -> ResultCache {
    ResultCache::new(directory.path().join("scan"), ByteSize::from_bytes(most))
}

fn key(part: &str) -> Key {
    Key::new([7; 32]).with(part.as_bytes())
}

#[test]
fn what_was_kept_is_found_again_for_files_that_have_not_changed() {
    let directory = tempfile::tempdir().unwrap();
    let cache = cache(&directory, 1 << 20);
    assert!(cache.files(key("x")).get("a/b", &STAMP).is_none());
    cache
        .keep_files(key("x"), [(&found(), STAMP)].into_iter())
        .unwrap();
    let known = cache.files(key("x"));
    let again = known.get("a/b", &STAMP).unwrap();
    assert_eq!(again.found, found().found);
    for other in [
        Stamp { size: 4, ..STAMP },
        Stamp { modified: 1, ..STAMP },
        Stamp { changed: 1, ..STAMP },
        Stamp { inode: 8, ..STAMP },
        Stamp { device: 2, ..STAMP },
    ] {
        assert!(known.get("a/b", &other).is_none());
    }
    assert!(known.get("a", &STAMP).is_none());
    assert!(cache.files(key("y")).get("a/b", &STAMP).is_none());
}

#[test]
fn a_layer_is_found_again_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let cache = cache(&directory, 1 << 20);
    let findings = Findings {
        whiteouts: vec!["gone".into()],
        opaque_directories: vec![String::new()],
        files: vec![found()],
        ..Findings::default()
    };
    cache.keep_layer(key("l"), &findings, 12).unwrap();
    let known = cache.layer(key("l")).unwrap();
    assert_eq!(known.unpacked, 12);
    let again = known.findings;
    assert_eq!(again.whiteouts, findings.whiteouts);
    assert_eq!(again.opaque_directories, findings.opaque_directories);
    assert_eq!(again.files[0].found, findings.files[0].found);
}

#[test]
fn parts_of_a_key_are_told_apart() {
    let name = |key: Key| key.name();
    let base = || Key::new([7; 32]);
    assert_ne!(
        name(base().with(b"ab").with(b"c")),
        name(base().with(b"a").with(b"bc"))
    );
    assert_ne!(name(base()), name(Key::new([8; 32])));
}

#[test]
fn an_entry_that_was_changed_on_disk_is_as_good_as_none() {
    let directory = tempfile::tempdir().unwrap();
    let cache = cache(&directory, 1 << 20);
    cache.keep_layer(key("l"), &Findings::default(), 0).unwrap();
    let path = directory.path().join("scan").join(key("l").name());
    let good = fs::read(&path).unwrap();
    for (index, _) in good.iter().enumerate() {
        let mut bad = good.clone();
        bad[index] ^= 1;
        fs::write(&path, bad).unwrap();
        assert!(cache.layer(key("l")).is_none(), "byte {index}");
        fs::write(&path, &good[..index]).unwrap();
        assert!(cache.layer(key("l")).is_none(), "cut at {index}");
    }
    fs::write(&path, good).unwrap();
    assert!(cache.layer(key("l")).is_some());
}

#[test]
fn entries_that_were_not_used_for_longest_go_first() {
    let directory = tempfile::tempdir().unwrap();
    let large = Findings {
        whiteouts: vec!["x".repeat(1000)],
        ..Findings::default()
    };
    let cache = cache(&directory, 3_500);
    let path = |part: &str| directory.path().join("scan").join(key(part).name());
    for (age, part) in [(30, "a"), (20, "b"), (10, "c")] {
        cache.keep_layer(key(part), &large, 0).unwrap();
        let used = SystemTime::now() - std::time::Duration::from_secs(age);
        File::options()
            .append(true)
            .open(path(part))
            .unwrap()
            .set_modified(used)
            .unwrap();
    }
    // Using one makes it the youngest.
    assert!(cache.layer(key("a")).is_some());
    cache.keep_layer(key("d"), &large, 0).unwrap();
    let there = ["a", "b", "c", "d"].map(|part| path(part).exists());
    assert_eq!(there, [true, false, true, true]);
}

#[test]
fn the_directory_is_for_the_user_alone() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    cache(&directory, 1 << 20)
        .keep_layer(key("l"), &Findings::default(), 0)
        .unwrap();
    let mode = fs::metadata(directory.path().join("scan"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
}
