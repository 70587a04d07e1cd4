//! Where two values differ.

use serde_json::Value;

/// What stands for something that is not there.
pub(crate) const NOTHING: &str = "(nothing)";

/// Something that is not the same.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    /// Without places in lists, such as `report.Results.Secrets.Match`.
    pub(crate) what: String,
    /// With them, such as `report.Results[secret a.txt].Secrets[0].Match`.
    pub(crate) place: String,
    pub(crate) trivy: String,
    pub(crate) wharf: String,
}

/// Where two texts differ.
pub(crate) fn texts(what: &str, trivy: &str, wharf: &str) -> Option<Difference> {
    (trivy != wharf).then(|| Difference {
        what: what.to_owned(),
        place: what.to_owned(),
        trivy: or_nothing(trivy.to_owned()),
        wharf: or_nothing(wharf.to_owned()),
    })
}

/// Where two values of JSON differ. Lists of as many items are compared item by item, others by what names their items.
pub(crate) fn values(what: &str, trivy: &Value, wharf: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    walk(&mut found, what, what, trivy, wharf);
    found
}

fn walk(found: &mut Vec<Difference>, what: &str, place: &str, trivy: &Value, wharf: &Value) {
    match (trivy, wharf) {
        _ if trivy == wharf => {}
        (Value::Object(left), Value::Object(right)) => {
            let only_right = right.keys().filter(|key| !left.contains_key(*key));
            for key in left.keys().chain(only_right) {
                let of = |side: &serde_json::Map<String, Value>| side.get(key).cloned();
                let (left, right) = (of(left), of(right));
                let (what, place) = (format!("{what}.{key}"), format!("{place}.{key}"));
                match (left, right) {
                    (Some(left), Some(right)) => walk(found, &what, &place, &left, &right),
                    (left, right) => found.push(Difference {
                        what,
                        place,
                        trivy: shown(left.as_ref()),
                        wharf: shown(right.as_ref()),
                    }),
                }
            }
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            for (index, (left, right)) in left.iter().zip(right).enumerate() {
                let label = name_of(left).filter(|name| name_of(right).as_ref() == Some(name));
                let label = label.unwrap_or_else(|| index.to_string());
                walk(found, what, &format!("{place}[{label}]"), left, right);
            }
        }
        (Value::Array(left), Value::Array(right)) => {
            let list = |items: &[Value]| {
                let names = items
                    .iter()
                    .map(|item| name_of(item).unwrap_or_else(|| item.to_string()));
                or_nothing(names.collect::<Vec<_>>().join("\n"))
            };
            found.push(Difference {
                what: what.to_owned(),
                place: place.to_owned(),
                trivy: list(left),
                wharf: list(right),
            });
        }
        _ => found.push(Difference {
            what: what.to_owned(),
            place: place.to_owned(),
            trivy: shown(Some(trivy)),
            wharf: shown(Some(wharf)),
        }),
    }
}

/// What tells an item of a list from others: a result's class, type and target, a finding's id, a package's name.
fn name_of(item: &Value) -> Option<String> {
    const KEYS: [&str; 15] = [
        "Class",
        "Type",
        "Target",
        "FilePath",
        "VulnerabilityID",
        "ID",
        "RuleID",
        "Name",
        "PkgName",
        "ruleId",
        "id",
        "name",
        "version",
        "from",
        "to",
    ];
    let texts: Vec<&str> = KEYS
        .iter()
        .filter_map(|key| item.get(key)?.as_str())
        .filter(|text| !text.is_empty())
        .collect();
    (!texts.is_empty()).then(|| texts.join(" "))
}

/// As text; of a long value its beginning.
fn shown(value: Option<&Value>) -> String {
    const MOST: usize = 600;
    let text = match value {
        None => NOTHING.to_owned(),
        Some(Value::String(text)) => format!("{text:?}"),
        Some(value) => value.to_string(),
    };
    if text.chars().count() <= MOST {
        return text;
    }
    text.chars().take(MOST).chain("…".chars()).collect()
}

fn or_nothing(text: String) -> String {
    if text.is_empty() { NOTHING.to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_difference_has_its_place() {
        let trivy = json!({"Results": [{"Target": "a", "Secrets": [{"Match": "x"}]}], "only": 1});
        let wharf = json!({"Results": [{"Target": "a", "Secrets": [{"Match": "y"}]}]});
        let found = values("report", &trivy, &wharf);
        let places: Vec<&str> = found.iter().map(|difference| difference.place.as_str()).collect();
        assert_eq!(places, ["report.Results[a].Secrets[0].Match", "report.only"]);
        assert_eq!(found[0].what, "report.Results.Secrets.Match");
        assert_eq!(
            [found[1].trivy.as_str(), found[1].wharf.as_str()],
            ["1", "(nothing)"]
        );
    }

    #[test]
    fn lists_of_other_lengths_are_shown_by_names() {
        let found = values("r", &json!([{"ID": "1"}]), &json!([{"ID": "1"}, {"ID": "2"}]));
        assert_eq!([found[0].trivy.as_str(), found[0].wharf.as_str()], ["1", "1\n2"]);
    }

    #[test]
    fn what_is_null_is_not_what_is_missing() {
        assert_eq!(values("r", &json!({"Data": null}), &json!({})).len(), 1);
        assert!(values("r", &json!({"Data": null}), &json!({"Data": null})).is_empty());
    }
}
