//! The cases, a file for each theme.

use crate::case::Case;

mod analysis;
mod bills;
mod content;
mod faults;
mod filters;
mod findings;
mod folders;
mod formats;
mod guests;
mod images;
mod post_scan;
mod vex;

/// All of them.
pub(crate) fn all() -> Vec<Case> {
    let mut cases = guests::cases();
    cases.extend(analysis::cases());
    cases.extend(post_scan::cases());
    cases.extend(folders::cases());
    cases.extend(filters::cases());
    cases.extend(vex::cases());
    cases.extend(images::cases());
    cases.extend(bills::cases());
    cases.extend(findings::cases());
    cases.extend(formats::cases());
    cases.extend(faults::cases());
    cases
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    #[test]
    fn each_name_is_there_once() {
        let cases = super::all();
        let names: BTreeSet<&str> = cases.iter().map(|case| case.name).collect();
        assert_eq!(names.len(), cases.len());
        assert!(cases.len() >= 30);
    }
}
