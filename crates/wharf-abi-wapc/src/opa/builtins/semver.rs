//! Semantic versions, read as OPA reads them: it is more lenient than the specification, in that numbers may have leading
//! zeros and a sign.

use std::cmp::Ordering;

use super::{Builtin, Context, Failure, Operand, Outcome};
use crate::opa::value::Value;

pub(super) const TABLE: &[Builtin] = &[
    Builtin {
        name: "semver.compare",
        arity: 2,
        run: compare,
    },
    Builtin {
        name: "semver.is_valid",
        arity: 1,
        run: is_valid,
    },
];

fn compare(_: &mut Context, arguments: &[Value]) -> Outcome {
    let one = Version::parse(arguments[0].as_str()?).ok_or(Failure::Undefined)?;
    let other = Version::parse(arguments[1].as_str()?).ok_or(Failure::Undefined)?;
    Ok(Value::from(one.compare(&other) as i64))
}

fn is_valid(_: &mut Context, arguments: &[Value]) -> Outcome {
    let version = arguments[0].as_str().ok().and_then(Version::parse);
    Ok(Value::Bool(version.is_some()))
}

struct Version<'a> {
    numbers: [i64; 3],
    pre_release: &'a str,
}

impl<'a> Version<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (text, metadata) = text.split_once('+').unwrap_or((text, ""));
        let (text, pre_release) = text.split_once('-').unwrap_or((text, ""));
        if !are_identifiers(pre_release) || !are_identifiers(metadata) {
            return None;
        }
        let mut parts = text.splitn(3, '.').map(|part| part.parse().ok());
        let numbers = [parts.next()??, parts.next()??, parts.next()??];
        Some(Self { numbers, pre_release })
    }

    fn compare(&self, other: &Self) -> Ordering {
        self.numbers.cmp(&other.numbers).then_with(|| {
            match (self.pre_release.is_empty(), other.pre_release.is_empty()) {
                (true, true) => Ordering::Equal,
                // The release itself comes after what led to it.
                (true, false) => Ordering::Greater,
                (false, true) => Ordering::Less,
                (false, false) => compare_pre_releases(self.pre_release, other.pre_release),
            }
        })
    }
}

fn compare_pre_releases(one: &str, other: &str) -> Ordering {
    let (mut ones, mut others) = (one.split('.'), other.split('.'));
    loop {
        let (one, other) = match (ones.next(), others.next()) {
            (Some(one), Some(other)) => (one, other),
            (one, other) => return one.is_some().cmp(&other.is_some()),
        };
        let numbers = (one.parse::<i64>(), other.parse::<i64>());
        let order = match numbers {
            (Ok(one), Ok(other)) if one != other => one.cmp(&other),
            (Ok(_), Err(_)) => Ordering::Less,
            (Err(_), Ok(_)) => Ordering::Greater,
            _ => one.cmp(other),
        };
        if order.is_ne() {
            return order;
        }
    }
}

/// Whether it is empty, or letters, digits and hyphens with single dots in between.
fn are_identifiers(text: &str) -> bool {
    let is_one = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    text.is_empty() || text.split('.').all(is_one)
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    #[test]
    fn versions_are_compared_by_precedence() {
        check(&[
            ("semver.compare", r#"["1.2.3","1.2.3"]"#, "0"),
            ("semver.compare", r#"["1.10.0","1.9.9"]"#, "1"),
            ("semver.compare", r#"["1.2.3-rc.1","1.2.3"]"#, "-1"),
            ("semver.compare", r#"["1.2.3","1.2.3-rc.1"]"#, "1"),
            ("semver.compare", r#"["1.2.3-rc.2","1.2.3-rc.10"]"#, "-1"),
            ("semver.compare", r#"["1.2.3-rc.x","1.2.3-rc.10"]"#, "1"),
            ("semver.compare", r#"["1.2.3-rc","1.2.3-rc.1"]"#, "-1"),
            ("semver.compare", r#"["1.2.3-01","1.2.3-1"]"#, "-1"),
            ("semver.compare", r#"["1.2.3+a","1.2.3+b"]"#, "0"),
            ("semver.compare", r#"["01.2.3","1.2.3"]"#, "0"),
            ("semver.compare", r#"["1.2","1.2.3"]"#, "undefined"),
            ("semver.compare", r#"["1.2.3",1]"#, "undefined"),
        ]);
    }

    #[test]
    fn versions_are_valid_as_opa_reads_them() {
        for (text, valid) in [
            ("1.2.3", "true"),
            ("0.0.0", "true"),
            ("1.2.3-a.b-c+d.e", "true"),
            ("1.2.3+a-b", "true"),
            ("+1.2.3", "false"),
            ("1.+2.3", "false"),
            ("v1.2.3", "false"),
            ("1.2", "false"),
            ("1.2.3.4", "false"),
            ("1.2.3-", "true"),
            ("1.2.3-a..b", "false"),
            ("1.2.3-a_b", "false"),
            ("9223372036854775808.0.0", "false"),
            ("", "false"),
        ] {
            check(&[("semver.is_valid", &format!("[{text:?}]"), valid)]);
        }
        check(&[("semver.is_valid", "[1]", "false")]);
    }
}
