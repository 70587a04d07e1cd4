use expect_test::expect;

use crate::testing::{Scenario, filter};

#[test]
fn requests_go_first_to_last_and_responses_last_to_first() {
    let mut exchange = Scenario::new([filter("a"), filter("b")]);
    exchange.post().upload("up", true).ok().download("down", true).finish();
    expect![""].assert_eq(&exchange.told());
}
