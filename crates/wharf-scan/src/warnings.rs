//! What a scan could not do.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use wharf_report::{ScanWarning, WarningKind};

/// So many warnings are told; of more only the number.
const MOST: usize = 1_000;

/// Warnings that threads add. Of too many those stay that come first by file, whichever were added first, so that a report is the
/// same from run to run.
#[derive(Debug, Default)]
pub(crate) struct Warnings(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    first: BTreeMap<Order, ScanWarning>,
    left_out: u64,
    has_fault: bool,
}

type Order = (Option<String>, Option<String>, Option<String>, String);

impl Warnings {
    pub(crate) fn add(&self, warning: ScanWarning) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.has_fault |= is_fault(&warning);
        let order = (
            warning.layer.clone(),
            warning.path.clone(),
            warning.module.clone(),
            warning.message.clone(),
        );
        if kept.first.insert(order, warning).is_none() && kept.first.len() > MOST {
            kept.first.pop_last();
            kept.left_out += 1;
        }
    }

    /// The warnings in their order, and whether a module's fault is among them, also where it is not told.
    pub(crate) fn into_parts(self) -> (Vec<ScanWarning>, bool) {
        let kept = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut warnings: Vec<_> = kept.first.into_values().collect();
        if kept.left_out > 0 {
            let message = format!("{} more warnings are not listed", kept.left_out);
            warnings.push(ScanWarning::new(WarningKind::Other, message));
        }
        (warnings, kept.has_fault)
    }
}

fn is_fault(warning: &ScanWarning) -> bool {
    warning.kind == WarningKind::ModuleFault
}

#[cfg(test)]
mod tests {
    use super::{MOST, ScanWarning, WarningKind, Warnings};

    #[test]
    fn of_too_many_the_first_by_file_stay_and_the_number_of_the_others() {
        let told = |order: &dyn Fn(usize) -> usize| {
            let warnings = Warnings::default();
            for index in (0..MOST + 5).map(order) {
                warnings.add(ScanWarning {
                    path: Some(format!("{index:05}")),
                    ..ScanWarning::new(WarningKind::Unreadable, "no")
                });
            }
            let (warnings, has_fault) = warnings.into_parts();
            assert!(!has_fault);
            warnings
        };
        let upward = told(&|index| index);
        assert_eq!(upward, told(&|index| MOST + 4 - index));
        assert_eq!(upward.len(), MOST + 1);
        assert_eq!(upward.last().unwrap().message, "5 more warnings are not listed");
        assert_eq!(upward[0].path.as_deref(), Some("00000"));
    }

    #[test]
    fn a_fault_counts_though_it_is_not_told() {
        let warnings = Warnings::default();
        warnings.add(ScanWarning {
            path: Some("z".into()),
            ..ScanWarning::new(WarningKind::ModuleFault, "trap")
        });
        for index in 0..MOST {
            let message = index.to_string();
            warnings.add(ScanWarning::new(WarningKind::Other, message));
        }
        assert!(warnings.into_parts().1);
    }
}
