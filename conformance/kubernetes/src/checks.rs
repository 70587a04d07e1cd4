//! What is checked, in this order. Each check has namespaces of its own.

use std::pin::Pin;

use crate::outcome::Outcome;
use crate::world::World;

mod access;
mod api_server;
mod cluster_data;
mod faults;
mod groups;
mod kinds;
mod labels;
mod mutation;
mod policies;
mod raw;
mod rego;
mod replicas;
mod restart;
mod stream;
mod tls;

/// A check: its name is that of its module and function.
pub(crate) struct Check {
    pub(crate) name: &'static str,
    pub(crate) run: for<'a> fn(&'a mut World) -> Pin<Box<dyn Future<Output = Outcome> + 'a>>,
}

impl Check {
    /// Whether the cluster's API server has to be restarted for it.
    pub(crate) fn restarts_the_api_server(&self) -> bool {
        self.name.starts_with("api_server::")
    }
}

macro_rules! checks {
    ($($module:ident::$function:ident,)*) => {
        &[$(Check {
            name: concat!(stringify!($module), "::", stringify!($function)),
            run: |world| Box::pin($module::$function(world)),
        }),*]
    };
}

/// All of them. The ledger names them as they stand here.
pub(crate) const CHECKS: &[Check] = checks![
    labels::a_pod_without_the_label_is_refused_with_the_policys_words,
    labels::a_pod_with_the_label_is_accepted_with_a_warning,
    labels::an_update_that_takes_the_label_away_is_refused,
    labels::a_protected_object_cannot_be_deleted,
    labels::the_deployers_message_takes_the_place_of_the_policys,
    labels::monitor_mode_lets_everything_through_and_counts_the_verdict,
    labels::an_audit_gives_the_policys_own_verdict,
    mutation::what_a_pod_lacks_is_in_the_stored_object,
    mutation::what_a_pod_says_itself_stays,
    mutation::a_change_without_leave_is_refused,
    mutation::a_policy_that_validates_sees_the_changed_object,
    replicas::too_many_replicas_are_refused,
    replicas::an_annotation_of_the_namespace_is_seen_when_it_changes,
    groups::a_group_refuses_with_its_message_and_the_causes,
    groups::a_group_accepts_by_its_expression,
    raw::a_raw_request_is_judged_and_changed,
    rego::a_policy_for_opa_answers_with_a_patch_or_a_refusal,
    rego::a_policy_for_gatekeeper_names_its_violations,
    rego::a_policy_for_opa_sees_the_cluster,
    rego::a_policy_for_gatekeeper_sees_the_cluster,
    cluster_data::a_host_is_unique_in_the_cluster,
    cluster_data::a_host_is_unique_in_its_namespace,
    cluster_data::an_object_that_changes_is_seen,
    cluster_data::objects_are_counted_by_a_selector,
    cluster_data::an_object_is_read_past_the_cache,
    access::a_role_that_is_bound_flips_the_verdict,
    access::a_kind_that_may_not_be_listed_is_told_by_name,
    kinds::a_kind_that_comes_later_is_found,
    faults::a_policy_that_never_ends_is_ended,
    faults::a_policy_that_traps_refuses,
    faults::a_policy_that_is_missing_fails_as_the_webhook_says,
    tls::a_certificate_is_replaced_under_reviews,
    policies::policies_change_under_reviews,
    policies::a_policy_that_became_bad_serves_its_older_form,
    restart::nothing_gets_past_a_restart_where_failures_refuse,
    restart::only_the_gap_of_a_restart_is_open_where_failures_are_ignored,
    api_server::lists_follow_an_api_server_that_came_back,
];
