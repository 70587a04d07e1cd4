use std::fs;
use std::io::Read;
use std::os::unix::fs::symlink;

use super::*;

#[test]
fn both_ways_open_the_same_and_follow_nothing() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("root/a/b")).unwrap();
    fs::write(folder.path().join("root/a/b/file"), "inside").unwrap();
    fs::write(folder.path().join("outside"), "outside").unwrap();
    symlink("../outside", folder.path().join("root/link")).unwrap();
    symlink("a", folder.path().join("root/folder")).unwrap();
    let (root, file) = Root::open(&folder.path().join("root"), Arc::from("root")).unwrap();
    assert!(file.is_none());
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    for at_once in [true, false] {
        let open = |path: &[u8]| {
            if at_once {
                root.open_file(path)
            } else {
                root.open_step_by_step(path, flags)
            }
        };
        let mut text = String::new();
        fs::File::from(open(b"a/b/file").unwrap())
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(text, "inside");
        assert_eq!(open(b"link").unwrap_err(), Errno::LOOP);
        assert!(matches!(
            open(b"folder/b/file").unwrap_err(),
            Errno::LOOP | Errno::NOTDIR
        ));
        assert!(open(b"../outside").is_err());
        assert!(open(b"a/../../outside").is_err());
        assert_eq!(open(b"a/none").unwrap_err(), Errno::NOENT);
    }
}
