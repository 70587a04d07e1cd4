//! A directory: its files go to the modules that want them, but for those that have not changed since they were looked at.

use std::env;
use std::path::Path;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use crossbeam_channel::Sender;
use wharf_artifact::{Flow, FoundFile, Patterns, Problem, Stamp, Visitor, WalkOptions, walk};

use crate::analyze::{Analysis, Job, JobContents};
use crate::cache::{Key, KnownFiles, ResultCache};
use crate::error::ScanError;
use crate::findings::{FileFindings, Findings};
use crate::settings::ScanSettings;

/// A file that was changed so shortly before the scan began may be changed once more without looking changed: the clock of a
/// file system may stand still for so many nanoseconds.
const TOO_YOUNG: i128 = 2_000_000_000;

/// Looks at all files of a directory, or at the one that `root` is.
pub(crate) fn scan(
    root: &Path,
    settings: &ScanSettings,
    analysis: &Analysis<'_>,
    cache: Option<&ResultCache>,
) -> Result<Findings, ScanError> {
    let working_directory = env::current_dir().map_err(ScanError::WorkingDirectory)?;
    let options = WalkOptions {
        skip_directories: Patterns::below(root, &working_directory, &settings.skip_directories)?,
        skip_files: Patterns::below(root, &working_directory, &settings.skip_files)?,
        most_files: settings.files,
        ..WalkOptions::default()
    };
    let begin = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos() as i128);
    let cache = cache.zip(key(&working_directory.join(root), settings, analysis));
    let known = match &cache {
        Some((cache, key)) => cache.files(key.clone()),
        None => KnownFiles::default(),
    };
    let mut found = thread::scope(|scope| {
        let workers = analysis.start_workers(scope).map_err(ScanError::Thread)?;
        let mut producer = Producer {
            analysis,
            jobs: &workers.sender,
            known: &known,
            wanting: Vec::new(),
            reused: Vec::new(),
        };
        // With no module there is nothing to look for, but a target that is missing is told all the same.
        let walked = walk(root, &options, &mut producer);
        let reused = producer.reused;
        let found = workers.finish();
        walked?;
        analysis.outcome()?;
        let mut files: Vec<(FileFindings, Option<Stamp>)> = found
            .into_iter()
            .map(|analyzed| (analyzed.findings, analyzed.stamp))
            .collect();
        files.extend(reused.into_iter().map(|(file, stamp)| (file, Some(stamp))));
        Ok::<_, ScanError>(files)
    })?;
    found.sort_by(|(a, _), (b, _)| a.path.cmp(&b.path));
    if let Some((cache, key)) = cache {
        let is_old = |stamp: &Stamp| stamp.modified.max(stamp.changed) < begin - TOO_YOUNG;
        let kept = found
            .iter()
            .filter_map(|(file, stamp)| Some((file, (*stamp).filter(is_old)?)));
        if let Err(error) = cache.keep_files(key, kept) {
            tracing::warn!("what was found cannot be kept for the next scan: {error}");
        }
    }
    let files = found.into_iter().map(|(file, _)| file);
    Ok(Findings {
        files: files.filter(|file| !file.found.is_empty()).collect(),
        ..Findings::default()
    })
}

/// None where findings cannot be kept.
fn key(root: &Path, settings: &ScanSettings, analysis: &Analysis<'_>) -> Option<Key> {
    if analysis.modules.is_empty() {
        return None;
    }
    use std::os::unix::ffi::OsStrExt;
    // What is skipped does not change what is found in a file.
    let key = Key::new(analysis.modules.fingerprint()?)
        .with(b"directory")
        .with(root.as_os_str().as_bytes())
        .with(&settings.file_size.bytes().to_le_bytes());
    Some(key)
}

/// Hands files to the workers.
struct Producer<'a> {
    analysis: &'a Analysis<'a>,
    jobs: &'a Sender<Job>,
    known: &'a KnownFiles,
    /// The modules that want the file which was asked about last.
    wanting: Vec<usize>,
    reused: Vec<(FileFindings, Stamp)>,
}

impl Visitor for Producer<'_> {
    fn wants(&mut self, path: &str) -> bool {
        self.wanting = self.analysis.modules.wanting(path);
        !self.wanting.is_empty()
    }

    fn directory(&mut self, _path: &str) -> Flow {
        self.analysis.flow()
    }

    fn file(&mut self, file: FoundFile) -> Flow {
        let stamp = file.stamp();
        // Two files may have the same path where neither is UTF-8.
        if !file.has_lossy_path()
            && let Some(known) = self.known.get(file.path(), &stamp)
        {
            self.analysis.progress.file(file.path());
            self.reused.push((known.clone(), stamp));
            return self.analysis.flow();
        }
        let job = Job {
            layer: 0,
            layer_name: None,
            path: file.path().to_owned(),
            wanting: std::mem::take(&mut self.wanting),
            contents: JobContents::File(file),
        };
        self.analysis.submit(self.jobs, job)
    }

    fn problem(&mut self, problem: Problem) -> Flow {
        self.analysis.tell(&problem);
        self.analysis.flow()
    }
}
