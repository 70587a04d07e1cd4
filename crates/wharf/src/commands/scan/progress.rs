//! A bar for scans that take longer than a blink.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use wharf_distribution::LayerProgress;
use wharf_plugin::ContentDigest;
use wharf_scan::ScanProgress;

/// How long a scan runs before it is shown.
const BLINK: Duration = Duration::from_millis(500);

/// Shows how far a scan is, on a terminal only.
pub(super) struct Progress {
    bar: ProgressBar,
    started: Instant,
    files: AtomicU64,
}

impl Progress {
    pub(super) fn new(is_quiet: bool) -> Self {
        let target = match is_quiet {
            true => ProgressDrawTarget::hidden(),
            false => ProgressDrawTarget::stderr_with_hz(10),
        };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
            bar.set_style(style);
        }
        Self {
            bar,
            started: Instant::now(),
            files: AtomicU64::new(0),
        }
    }

    /// The scan has ended.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn show(&self, message: impl FnOnce() -> String) {
        if !self.bar.is_hidden() && self.started.elapsed() > BLINK {
            self.bar.set_message(message());
            self.bar.tick();
        }
    }
}

impl ScanProgress for Progress {
    fn file(&self, path: &str) {
        let files = self.files.fetch_add(1, Ordering::Relaxed) + 1;
        self.show(|| format!("{files} files looked at, last {}", wharf_report::visible(path)));
    }

    fn layer(&self, place: usize, of: usize) {
        self.show(|| format!("layer {} of {of}", place + 1));
    }

    fn post_scan(&self, module: &str) {
        self.show(|| format!("{} looks at the findings", wharf_report::visible(module)));
    }
}

impl LayerProgress for Progress {
    fn downloaded(&self, layer: &ContentDigest, bytes: u64, of: u64) {
        let mebibytes = |bytes: u64| bytes.div_ceil(1 << 20);
        self.show(|| {
            format!(
                "downloading {layer}: {} of {} MiB",
                mebibytes(bytes),
                mebibytes(of)
            )
        });
    }
}
