//! What a policy may ask of the host, as patterns over the names of operations.

use std::collections::BTreeSet;

use crate::decode::{Context, Fields, Item};
use crate::diagnostic::{Complaint, quoted};
use crate::nearest::nearest;
use crate::table::{Kind, TextRule};

/// A pattern.
pub(crate) const HOST_CAPABILITY: Kind = Kind::Text(TextRule {
    what: "a host capability such as `kubernetes/can_i`",
    pattern: "^(\\*|[a-z0-9_]+(/[a-z0-9_]+)*(/\\*)?)$",
    example: "kubernetes/*",
});

/// The operations of the protocol, but for logging, which is always allowed.
const OPERATIONS: [&str; 11] = [
    "crypto/v1/is_certificate_trusted",
    "kubernetes/can_i",
    "kubernetes/get_resource",
    "kubernetes/list_resources_all",
    "kubernetes/list_resources_by_namespace",
    "net/v1/dns_lookup_host",
    "oci/v1/manifest_digest",
    "oci/v1/oci_manifest",
    "oci/v1/oci_manifest_config",
    "oci/v1/verify",
    "oci/v2/verify",
];

/// The patterns of a list; none where it is not given. `None` where one of them is wrong.
pub(crate) fn decode_host_capabilities(
    cx: &mut Context<'_>,
    fields: &Fields<'_>,
    key: &str,
) -> Option<Vec<String>> {
    let items = fields.list(cx, key)?;
    let patterns: Vec<Option<String>> = items.iter().map(|item| decode_pattern(cx, item)).collect();
    patterns.into_iter().collect()
}

fn decode_pattern(cx: &mut Context<'_>, item: &Item<'_>) -> Option<String> {
    let pattern = item.text(cx, &HOST_CAPABILITY)?;
    if is_known(pattern) {
        return Some(pattern.to_owned());
    }
    let message = format!("{} allows no host capability", quoted(pattern));
    cx.error(Complaint::new(item.span(), message).hint(hint(pattern)));
    None
}

/// Whether a pattern allows anything.
fn is_known(pattern: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some("") => true,
        Some(prefix) => {
            prefix.ends_with('/')
                && OPERATIONS
                    .into_iter()
                    .any(|operation| operation.starts_with(prefix))
        }
        None => OPERATIONS.into_iter().any(|operation| operation == pattern),
    }
}

fn hint(pattern: &str) -> String {
    let below = format!("{}/", pattern.trim_end_matches(['*', '/']));
    if OPERATIONS
        .into_iter()
        .any(|operation| operation.starts_with(&below))
    {
        return format!("write `{below}*` for all below it");
    }
    match nearest(pattern, OPERATIONS) {
        Some(close) => format!("did you mean `{close}`?"),
        None => {
            let groups: BTreeSet<&str> = OPERATIONS
                .into_iter()
                .filter_map(|operation| operation.split('/').next())
                .collect();
            let groups: Vec<String> = groups.iter().map(|group| format!("`{group}/*`")).collect();
            format!("write `*` for all, or some of {}", groups.join(", "))
        }
    }
}
