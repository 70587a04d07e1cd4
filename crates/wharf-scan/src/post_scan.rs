//! The modules that look at the results, one after the other.

use wharf_report::ScanResult;

use crate::analyze::Analysis;

/// Lets each module that wants to look at the results and change them, in the order of their names.
pub(crate) fn run(analysis: &Analysis<'_>, results: &mut Vec<ScanResult>) {
    let wanting = |module: &&crate::modules::ScanModule| module.trivy.info().post_scan.is_some();
    for module in analysis.modules.iter().filter(wanting) {
        if analysis.is_stopped() {
            return;
        }
        if module.is_left_out() {
            continue;
        }
        analysis.progress.post_scan(module.trivy.name());
        match module.trivy.post_scan(results, module.trivy.deadline()) {
            Ok(changes) => tracing::debug!(
                module = module.trivy.name(),
                inserted = changes.inserted,
                updated = changes.updated,
                removed = changes.removed,
                "a module has looked at the results"
            ),
            Err(error) => analysis.fault(module, None, None, &error),
        }
    }
}
