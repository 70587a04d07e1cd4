//! A bar for compilations and downloads that take longer than a blink.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use wharf_distribution::FetchProgress;
use wharf_engine::{CacheReport, CompileError};
use wharf_loader::LoadProgress;
use wharf_plugin::{ByteSize, PluginName, Reference};

/// How long a compilation runs before it is shown.
const BLINK: Duration = Duration::from_millis(300);

/// Shows what is being compiled, on a terminal only.
pub(crate) struct Progress {
    bars: MultiProgress,
    running: Mutex<Vec<(PluginName, ProgressBar)>>,
}

impl Progress {
    pub(crate) fn new() -> Self {
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        Self {
            bars,
            running: Mutex::default(),
        }
    }
}

impl LoadProgress for Progress {
    fn compile_started(&self, plugin: &PluginName, size: ByteSize) {
        let style = ProgressStyle::with_template("{spinner} compiling {msg} {elapsed}");
        let bar = ProgressBar::hidden().with_message(format!("{plugin} ({size})"));
        if let Ok(style) = style {
            bar.set_style(style);
        }
        self.running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((plugin.clone(), bar.clone()));
        let bars = self.bars.clone();
        // Shows the bar if the compilation still runs after a blink; a finished bar shows nothing.
        let spawned = std::thread::Builder::new()
            .name("wharf-progress".into())
            .spawn(move || {
                std::thread::sleep(BLINK);
                if !bar.is_finished() {
                    let bar = bars.add(bar);
                    bar.enable_steady_tick(Duration::from_millis(100));
                }
            });
        // Without the thread there is no bar, which harms nothing.
        drop(spawned);
    }

    fn compile_ended(&self, plugin: &PluginName, _outcome: Result<&CacheReport, &CompileError>) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = running.iter().position(|(name, _)| name == plugin) {
            running.swap_remove(index).1.finish_and_clear();
        }
    }
}

/// Shows what is being downloaded, on a terminal only.
pub(crate) struct DownloadProgress {
    bars: MultiProgress,
    running: Mutex<HashMap<Reference, (Instant, Option<ProgressBar>)>>,
}

impl DownloadProgress {
    pub(crate) fn new() -> Self {
        Self {
            bars: MultiProgress::with_draw_target(ProgressDrawTarget::stderr()),
            running: Mutex::default(),
        }
    }

    fn show(&self, reference: &Reference, of: Option<u64>) -> ProgressBar {
        let bar = ProgressBar::no_length().with_message(reference.to_string());
        if let Some(of) = of {
            bar.set_length(of);
        }
        let style = "{spinner} fetching {msg} {bytes} of {total_bytes} {bytes_per_sec}";
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        self.bars.add(bar)
    }
}

impl FetchProgress for DownloadProgress {
    fn downloaded(&self, reference: &Reference, bytes: u64, of: Option<u64>) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if of.is_some_and(|of| bytes >= of) {
            if let Some((_, Some(bar))) = running.remove(reference) {
                bar.finish_and_clear();
            }
            return;
        }
        let (began, bar) = running
            .entry(reference.clone())
            .or_insert_with(|| (Instant::now(), None));
        if began.elapsed() < BLINK {
            return;
        }
        bar.get_or_insert_with(|| self.show(reference, of))
            .set_position(bytes);
    }
}
