//! The name that somebody probably meant.

/// The candidate that is closest to what was written, if one is close enough to be worth a question.
///
/// Differences in case and in the way of joining words (`on_fault`, `on-fault`, `onFault`) count for nothing.
pub(crate) fn nearest<'c>(written: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    // Comparing costs the product of the lengths; nobody meant a name that is this long.
    if written.len() > 100 {
        return None;
    }
    let written = normal(written);
    let allowed = written.chars().count().div_ceil(3);
    candidates
        .into_iter()
        .filter(|candidate| candidate.len() <= 100)
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&written, &normal(candidate)),
                candidate,
            )
        })
        .filter(|(distance, candidate)| *distance <= allowed && *distance < candidate.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn normal(name: &str) -> String {
    name.chars()
        .filter(|c| !matches!(c, '-' | '_'))
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn the_closest_name_is_found_and_far_ones_are_not() {
        let keys = ["onFault", "limits", "env", "memory", "deadline"];
        for (written, meant) in [
            ("on_fault", Some("onFault")),
            ("on-fault", Some("onFault")),
            ("onfualt", Some("onFault")),
            ("limit", Some("limits")),
            ("Env", Some("env")),
            ("envs", Some("env")),
            ("deadlnie", Some("deadline")),
            ("x", None),
            ("", None),
            ("replicas", None),
        ] {
            assert_eq!(nearest(written, keys), meant, "{written}");
        }
        assert_eq!(nearest(&"a".repeat(200), keys), None);
    }
}
