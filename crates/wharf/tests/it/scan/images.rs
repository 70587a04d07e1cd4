//! Images as targets.

use expect_test::expect;

use super::check;
use crate::harness::folder;

#[test]
fn an_archive_that_is_no_image_is_told() {
    let folder = folder().with("cut.tar", &[&[0u8; 257][..], b"ustar\x0000", &[0u8; 100][..]].concat());
    check(&folder, &["cut.tar"], &expect![[""]]);
}
