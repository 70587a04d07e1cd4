//! What the API server is told of a policy: which objects it reviews, and what happens when it cannot be asked.
//!
//! The API server acts by this before it sends a review; the admission server does not look at it again.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::decode::{Context, Fields, Item};
use crate::diagnostic::Complaint;
use crate::table::{Field, Kind, Presence, Section, TEXT};

use super::entries::decode_filled;

/// The part of a webhook configuration that comes from a policy. It is written as Kubernetes writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookConfig {
    /// What is reviewed: everything that one of the rules means. Policies of a namespace mean only objects that are in a
    /// namespace, whatever their rules say.
    pub rules: Vec<WebhookRule>,
    /// What happens when there is no answer. None for what the API server does then (`Fail`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_policy: Option<FailurePolicy>,
    /// Whether rules mean other versions of the same objects too. None for what the API server does then
    /// (`Equivalent`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub match_policy: Option<MatchPolicy>,
    /// The objects' namespaces. A policy of a namespace has a selector that means just that one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace_selector: Option<LabelSelector>,
    /// The objects' own labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object_selector: Option<LabelSelector>,
    /// Conditions in CEL that must hold too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub match_conditions: Vec<MatchCondition>,
    /// Whether a review changes anything. Default: no.
    pub side_effects: SideEffects,
    /// How many seconds the API server waits for the answer. Default: 10.
    pub timeout_seconds: u32,
}

/// Operations on kinds of objects. An empty list means none, `*` means all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookRule {
    /// What is done to the objects.
    pub operations: Vec<Operation>,
    /// The groups of their kinds; the empty text is the core group.
    pub api_groups: Vec<String>,
    /// The versions of their kinds.
    pub api_versions: Vec<String>,
    /// Their kinds in the plural, or parts of them: `pods`, `pods/exec`.
    pub resources: Vec<String>,
    /// Whether they are in a namespace. None for both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<RuleScope>,
}

/// A condition in CEL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MatchCondition {
    /// Its name.
    pub name: String,
    /// The condition.
    pub expression: String,
}

/// Which labels objects must have.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LabelSelector {
    /// Labels with exactly these values.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: BTreeMap<String, String>,
    /// Further conditions; all must hold.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub match_expressions: Vec<LabelSelectorRequirement>,
}

/// A condition on one label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LabelSelectorRequirement {
    /// The label.
    pub key: String,
    /// How it is compared.
    pub operator: SelectorOperator,
    /// With what.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

/// Words of Kubernetes, each an enum whose variants are written as the word.
macro_rules! words {
    ($(#[$about:meta])* $name:ident, $list:ident { $($(#[$each:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
        pub enum $name {
            $($(#[$each])* #[serde(rename = $word)] $variant,)+
        }

        const $list: &[&str] = &[$($word),+];

        impl $name {
            fn of(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

words! {
    /// What is done to an object.
    Operation, OPERATIONS {
        /// It is created.
        Create = "CREATE",
        /// It is changed.
        Update = "UPDATE",
        /// It is deleted.
        Delete = "DELETE",
        /// Somebody connects to it.
        Connect = "CONNECT",
        /// Any of these.
        All = "*",
    }
}

words! {
    /// Whether objects are in a namespace.
    RuleScope, SCOPES {
        /// They are not.
        Cluster = "Cluster",
        /// They are.
        Namespaced = "Namespaced",
        /// They may be.
        All = "*",
    }
}

words! {
    /// What happens when there is no answer to a review.
    FailurePolicy, FAILURE_POLICIES {
        /// The object is rejected.
        Fail = "Fail",
        /// The object is accepted.
        Ignore = "Ignore",
    }
}

words! {
    /// Whether rules mean other versions of the same objects too.
    MatchPolicy, MATCH_POLICIES {
        /// They do not.
        Exact = "Exact",
        /// They do.
        Equivalent = "Equivalent",
    }
}

words! {
    /// Whether a review changes anything.
    SideEffects, SIDE_EFFECTS {
        /// It does not.
        None = "None",
        /// It does, but not where the request is only a trial.
        NoneOnDryRun = "NoneOnDryRun",
        /// It does.
        Some = "Some",
        /// Nobody knows.
        Unknown = "Unknown",
    }
}

words! {
    /// How a label is compared.
    SelectorOperator, SELECTOR_OPERATORS {
        /// It has one of the values.
        In = "In",
        /// It has none of the values, or is not there.
        NotIn = "NotIn",
        /// It is there.
        Exists = "Exists",
        /// It is not there.
        DoesNotExist = "DoesNotExist",
    }
}

static RULE: Section = Section {
    id: "rule",
    doc: "Operations on kinds of objects.",
    fields: &[
        Field {
            key: "operations",
            kind: Kind::List {
                item: &Kind::Choice(OPERATIONS),
                min: 1,
            },
            presence: Presence::Required,
            doc: "Write for example `[CREATE, UPDATE]`.",
        },
        Field {
            key: "apiGroups",
            kind: TEXTS,
            presence: Presence::Absent("none"),
            doc: "The groups of the kinds.",
        },
        Field {
            key: "apiVersions",
            kind: SOME_TEXTS,
            presence: Presence::Required,
            doc: "Write for example `[v1]`.",
        },
        Field {
            key: "resources",
            kind: SOME_TEXTS,
            presence: Presence::Required,
            doc: "Write for example `[pods]`.",
        },
        Field {
            key: "scope",
            kind: Kind::Choice(SCOPES),
            presence: Presence::Absent("`*`"),
            doc: "Whether the objects are in a namespace.",
        },
    ],
};

const TEXTS: Kind = Kind::List { item: &TEXT, min: 0 };
const SOME_TEXTS: Kind = Kind::List { item: &TEXT, min: 1 };

static SELECTOR: Section = Section {
    id: "labelSelector",
    doc: "Which labels objects must have.",
    fields: &[
        Field {
            key: "matchLabels",
            kind: Kind::Map {
                key: "label",
                value: &TEXT,
            },
            presence: Presence::Absent("none"),
            doc: "Labels with exactly these values.",
        },
        Field {
            key: "matchExpressions",
            kind: Kind::List {
                item: &Kind::Section(&REQUIREMENT),
                min: 0,
            },
            presence: Presence::Absent("none"),
            doc: "Further conditions.",
        },
    ],
};

static REQUIREMENT: Section = Section {
    id: "labelSelectorRequirement",
    doc: "A condition on one label.",
    fields: &[
        Field {
            key: "key",
            kind: TEXT,
            presence: Presence::Required,
            doc: "The label.",
        },
        Field {
            key: "operator",
            kind: Kind::Choice(SELECTOR_OPERATORS),
            presence: Presence::Required,
            doc: "How it is compared.",
        },
        Field {
            key: "values",
            kind: TEXTS,
            presence: Presence::Absent("none"),
            doc: "With what.",
        },
    ],
};

static CONDITION: Section = Section {
    id: "matchCondition",
    doc: "A condition in CEL.",
    fields: &[
        Field {
            key: "name",
            kind: TEXT,
            presence: Presence::Required,
            doc: "Its name.",
        },
        Field {
            key: "expression",
            kind: TEXT,
            presence: Presence::Required,
            doc: "The condition.",
        },
    ],
};

pub(super) const RULES: Field = Field {
    key: "rules",
    kind: Kind::List {
        item: &Kind::Section(&RULE),
        min: 1,
    },
    presence: Presence::Required,
    doc: "They say what is reviewed.",
};

pub(super) const FAILURE_POLICY: Field = Field {
    key: "failurePolicy",
    kind: Kind::Choice(FAILURE_POLICIES),
    presence: Presence::Absent("`Fail`"),
    doc: "What happens when there is no answer.",
};

pub(super) const MATCH_POLICY: Field = Field {
    key: "matchPolicy",
    kind: Kind::Choice(MATCH_POLICIES),
    presence: Presence::Absent("`Equivalent`"),
    doc: "Whether rules mean other versions of the same objects too.",
};

pub(super) const MATCH_CONDITIONS: Field = Field {
    key: "matchConditions",
    kind: Kind::List {
        item: &Kind::Section(&CONDITION),
        min: 0,
    },
    presence: Presence::Absent("none"),
    doc: "Conditions in CEL that must hold too.",
};

pub(super) const NAMESPACE_SELECTOR: Field = Field {
    key: "namespaceSelector",
    kind: Kind::Section(&SELECTOR),
    presence: Presence::Absent("all namespaces"),
    doc: "The labels of the objects' namespaces.",
};

pub(super) const OBJECT_SELECTOR: Field = Field {
    key: "objectSelector",
    kind: Kind::Section(&SELECTOR),
    presence: Presence::Absent("all objects"),
    doc: "The objects' own labels.",
};

pub(super) const SIDE_EFFECTS_FIELD: Field = Field {
    key: "sideEffects",
    kind: Kind::Choice(SIDE_EFFECTS),
    presence: Presence::Default("None"),
    doc: "Whether a review changes anything.",
};

pub(super) const TIMEOUT_SECONDS: Field = Field {
    key: "timeoutSeconds",
    kind: Kind::Integer { min: 1, max: 30 },
    presence: Presence::Default("10"),
    doc: "How long the API server waits for the answer.",
};

/// The part of a webhook configuration. `namespace` is that of a policy of a namespace.
pub(super) fn decode_webhook(
    cx: &mut Context<'_>,
    spec: &Fields<'_>,
    namespace: Option<&str>,
) -> Option<WebhookConfig> {
    let rules = decode_rules(cx, spec, namespace.is_some());
    let failure_policy = decode_word(cx, spec, "failurePolicy", FailurePolicy::of);
    let match_policy = decode_word(cx, spec, "matchPolicy", MatchPolicy::of);
    let side_effects = decode_word(cx, spec, "sideEffects", SideEffects::of);
    let match_conditions = decode_conditions(cx, spec);
    let object_selector = decode_selector(cx, spec, "objectSelector");
    let namespace_selector = match namespace {
        Some(namespace) => Some(LabelSelector {
            match_labels: BTreeMap::from([("kubernetes.io/metadata.name".to_owned(), namespace.to_owned())]),
            match_expressions: Vec::new(),
        }),
        None => decode_selector(cx, spec, "namespaceSelector"),
    };
    let timeout_seconds = spec.integer(cx, "timeoutSeconds");
    Some(WebhookConfig {
        rules: rules?,
        failure_policy,
        match_policy,
        namespace_selector,
        object_selector,
        match_conditions,
        side_effects: side_effects?,
        timeout_seconds: u32::try_from(timeout_seconds?).ok()?,
    })
}

fn decode_rules(cx: &mut Context<'_>, spec: &Fields<'_>, namespaced: bool) -> Option<Vec<WebhookRule>> {
    spec.item("rules")?;
    let items = spec.list(cx, "rules")?;
    let rules: Vec<Option<WebhookRule>> = items
        .iter()
        .map(|item| decode_rule(cx, item, namespaced))
        .collect();
    rules.into_iter().collect()
}

fn decode_rule(cx: &mut Context<'_>, item: &Item<'_>, namespaced: bool) -> Option<WebhookRule> {
    let fields = Fields::open(cx, item, &RULE)?;
    let mut operations = Vec::new();
    for item in fields.list(cx, "operations").unwrap_or_default() {
        operations.extend(item.choice(cx, OPERATIONS).and_then(Operation::of));
    }
    let api_groups = decode_texts(cx, &fields, "apiGroups");
    let api_versions = decode_texts(cx, &fields, "apiVersions");
    let resources = decode_texts(cx, &fields, "resources");
    let scope = decode_word(cx, &fields, "scope", RuleScope::of);
    Some(WebhookRule {
        operations,
        api_groups: api_groups?,
        api_versions: api_versions?,
        resources: resources?,
        scope: if namespaced {
            Some(RuleScope::Namespaced)
        } else {
            scope
        },
    })
}

/// A word, if it is given or has a default.
fn decode_word<T>(
    cx: &mut Context<'_>,
    fields: &Fields<'_>,
    key: &str,
    of: fn(&str) -> Option<T>,
) -> Option<T> {
    fields.choice(cx, key).and_then(of)
}

fn decode_texts(cx: &mut Context<'_>, fields: &Fields<'_>, key: &str) -> Option<Vec<String>> {
    let items = fields.list(cx, key)?;
    let texts: Vec<Option<String>> = items
        .iter()
        .map(|item| item.text(cx, &TEXT).map(str::to_owned))
        .collect();
    texts.into_iter().collect()
}

fn decode_conditions(cx: &mut Context<'_>, spec: &Fields<'_>) -> Vec<MatchCondition> {
    let mut conditions: Vec<MatchCondition> = Vec::new();
    for item in spec.list(cx, "matchConditions").unwrap_or_default() {
        let Some(fields) = Fields::open(cx, &item, &CONDITION) else {
            continue;
        };
        let name = decode_filled(cx, &fields, "name");
        let expression = decode_filled(cx, &fields, "expression");
        let condition = name.zip(expression);
        conditions.extend(condition.map(|(name, expression)| MatchCondition { name, expression }));
    }
    conditions
}

/// A selector, if it is given.
fn decode_selector(cx: &mut Context<'_>, spec: &Fields<'_>, key: &str) -> Option<LabelSelector> {
    let fields = Fields::open(cx, spec.item(key)?, &SELECTOR)?;
    let mut selector = LabelSelector::default();
    for (entry, item) in fields.map(cx, "matchLabels").unwrap_or_default() {
        let value = item.text(cx, &TEXT);
        let label = value.map(|value| (entry.key.clone(), value.to_owned()));
        selector.match_labels.extend(label);
    }
    for item in fields.list(cx, "matchExpressions").unwrap_or_default() {
        let requirement = decode_requirement(cx, &item);
        selector.match_expressions.extend(requirement);
    }
    Some(selector)
}

fn decode_requirement(cx: &mut Context<'_>, item: &Item<'_>) -> Option<LabelSelectorRequirement> {
    let fields = Fields::open(cx, item, &REQUIREMENT)?;
    let key = decode_filled(cx, &fields, "key");
    let operator = decode_word(cx, &fields, "operator", SelectorOperator::of);
    let values = decode_texts(cx, &fields, "values");
    let wants_values = matches!(operator, Some(SelectorOperator::In | SelectorOperator::NotIn));
    if operator.is_some()
        && values
            .as_ref()
            .is_some_and(|values| values.is_empty() == wants_values)
    {
        let (message, hint) = if wants_values {
            ("`In` and `NotIn` compare with nothing here", "add `values:`")
        } else {
            (
                "`Exists` and `DoesNotExist` compare with nothing",
                "remove `values:`",
            )
        };
        cx.error(Complaint::new(item.at.clone(), message).hint(hint));
    }
    Some(LabelSelectorRequirement {
        key: key?,
        operator: operator?,
        values: values?,
    })
}
