//! An image: its layers are read in parallel, but for those whose findings are known, and their files go to the modules that
//! want them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;

use crossbeam_channel::Sender;
use wharf_artifact::{Flow, Image, LayerContents, LayerFile, LayerOptions, LayerVisitor, Patterns, Problem};
use wharf_report::{Layer, Metadata};

use crate::analyze::{Analysis, Analyzed, Job, JobContents};
use crate::cache::{Key, KnownLayer, ResultCache};
use crate::error::ScanError;
use crate::findings::Findings;
use crate::parallel;
use crate::settings::ScanSettings;

/// Looks at all layers of an image. The findings are in the layers' order, the lowest first.
pub(crate) fn scan(
    image: &Image,
    settings: &ScanSettings,
    analysis: &Analysis<'_>,
    cache: Option<&ResultCache>,
) -> Result<(Vec<Findings>, Metadata), ScanError> {
    let options = LayerOptions {
        skip_directories: Patterns::new(&settings.skip_directories)?,
        skip_files: Patterns::new(&settings.skip_files)?,
        most_file: settings.file_size.bytes(),
        most_entries: settings.files,
        ..LayerOptions::default()
    };
    let cache = cache.zip(analysis.modules.fingerprint().map(Key::new));
    let keys: Vec<Option<Key>> = image
        .layers()
        .iter()
        .map(|layer| {
            let (_, key) = cache.as_ref()?;
            Some(layer_key(key.clone(), &layer.diff_id.to_string(), &options))
        })
        .collect();
    let known: Vec<Option<KnownLayer>> = keys
        .iter()
        .map(|key| cache.as_ref()?.0.layer(key.clone()?))
        .collect();
    let (contents, analyzed) = read(image, &options, analysis, &known)?;
    let mut layers = put_together(image, known, contents, analyzed);
    let metadata = metadata(image, &layers);
    for (layer, key) in layers.iter().zip(keys) {
        // What is not complete is looked at again the next time.
        if let (Some((cache, _)), Some(key), true) = (&cache, key, layer.is_new && layer.is_complete)
            && let Err(error) = cache.keep_layer(key, &layer.findings, layer.unpacked)
        {
            tracing::warn!("what was found cannot be kept for the next scan: {error}");
        }
    }
    let findings = layers.drain(..).map(|layer| layer.findings).collect();
    Ok((findings, metadata))
}

fn layer_key(key: Key, diff_id: &str, options: &LayerOptions) -> Key {
    let mut key = key
        .with(b"layer")
        .with(diff_id.as_bytes())
        .with(&options.most_file.to_le_bytes());
    for patterns in [&options.skip_directories, &options.skip_files] {
        key = key.with(b"skip");
        for text in patterns.texts() {
            key = key.with(text.as_bytes());
        }
    }
    key
}

type Contents = Vec<Option<LayerContents>>;

/// Reads the layers that are not known.
fn read(
    image: &Image,
    options: &LayerOptions,
    analysis: &Analysis<'_>,
    known: &[Option<KnownLayer>],
) -> Result<(Contents, Vec<Analyzed>), ScanError> {
    let unknown: Vec<usize> = (0..known.len()).filter(|index| known[*index].is_none()).collect();
    let contents: Vec<OnceLock<LayerContents>> = known.iter().map(|_| OnceLock::new()).collect();
    let next = AtomicUsize::new(0);
    // The lowest layer that cannot be read is told, whichever was noticed first.
    let failure: Mutex<Option<(usize, ScanError)>> = Mutex::default();
    let analyzed = thread::scope(|scope| {
        let workers = analysis.start_workers(scope).map_err(ScanError::Thread)?;
        let read_some = |jobs: &Sender<Job>| {
            while let Some(index) = unknown.get(next.fetch_add(1, Ordering::Relaxed)).copied() {
                if analysis.is_stopped() {
                    return;
                }
                analysis.progress.layer(index, known.len());
                let name: Option<Arc<str>> = image
                    .layers()
                    .get(index)
                    .map(|layer| layer.diff_id.to_string().into());
                let mut producer = Producer {
                    analysis,
                    jobs,
                    index,
                    name,
                };
                match image.read_layer(index, options, &mut producer) {
                    // Each index is given out once, so the place is empty.
                    Ok(read) => _ = contents[index].set(read),
                    Err(error) => {
                        let mut failure = failure.lock().unwrap_or_else(PoisonError::into_inner);
                        if failure.as_ref().is_none_or(|(lowest, _)| index < *lowest) {
                            *failure = Some((index, error.into()));
                        }
                    }
                }
            }
        };
        thread::scope(|readers| {
            for _ in 1..parallel::cores().min(unknown.len()) {
                let jobs = workers.sender.clone();
                // Where the system refuses a thread, the others and this one do its work.
                let _ = thread::Builder::new()
                    .name("wharf-scan-layer".into())
                    .spawn_scoped(readers, move || read_some(&jobs));
            }
            read_some(&workers.sender);
        });
        Ok::<_, ScanError>(workers.finish())
    })?;
    analysis.outcome()?;
    if let Some((_, error)) = failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    let contents = contents.into_iter().map(OnceLock::into_inner).collect();
    Ok((contents, analyzed))
}

/// A layer and what was found in it.
struct ScannedLayer {
    findings: Findings,
    /// The bytes of its archive.
    unpacked: u64,
    is_new: bool,
    is_complete: bool,
}

fn put_together(
    image: &Image,
    known: Vec<Option<KnownLayer>>,
    contents: Contents,
    analyzed: Vec<Analyzed>,
) -> Vec<ScannedLayer> {
    let mut layers: Vec<ScannedLayer> = known
        .into_iter()
        .zip(contents)
        .map(|(known, contents)| match known {
            Some(known) => ScannedLayer {
                findings: known.findings,
                unpacked: known.unpacked,
                is_new: false,
                is_complete: true,
            },
            None => {
                let contents = contents.unwrap_or_default();
                ScannedLayer {
                    unpacked: contents.unpacked,
                    is_new: true,
                    is_complete: contents.problems == 0,
                    findings: Findings {
                        whiteouts: contents.whiteouts,
                        opaque_directories: contents.opaque,
                        ..Findings::default()
                    },
                }
            }
        })
        .collect();
    for file in analyzed {
        if let Some(layer) = layers.get_mut(file.layer) {
            layer.is_complete &= file.is_complete;
            layer.findings.files.push(file.findings);
        }
    }
    for (layer, of_image) in layers.iter_mut().zip(image.layers()) {
        layer.findings.layer = Layer {
            size: i64::try_from(layer.unpacked).unwrap_or(i64::MAX),
            digest: of_image
                .digest
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            diff_id: of_image.diff_id.to_string(),
            created_by: of_image.created_by.clone(),
        };
    }
    layers
}

fn metadata(image: &Image, layers: &[ScannedLayer]) -> Metadata {
    let sizes = layers.iter().map(|layer| layer.unpacked);
    let size = sizes.fold(0u64, u64::saturating_add);
    Metadata {
        size: i64::try_from(size).unwrap_or(i64::MAX),
        image_id: image.id().to_string(),
        diff_ids: image
            .layers()
            .iter()
            .map(|layer| layer.diff_id.to_string())
            .collect(),
        repo_tags: image.names().tags.clone(),
        reference: match image.names().first() {
            Some(name) => name.into(),
            None => serde_json::Value::Null,
        },
        repo_digests: image.names().digests.clone(),
        image_config: image.config().clone(),
        layers: layers
            .iter()
            .map(|layer| Layer {
                created_by: String::new(),
                ..layer.findings.layer.clone()
            })
            .collect(),
        ..Metadata::default()
    }
}

/// Hands the files of one layer to the workers.
struct Producer<'a> {
    analysis: &'a Analysis<'a>,
    jobs: &'a Sender<Job>,
    index: usize,
    name: Option<Arc<str>>,
}

impl LayerVisitor for Producer<'_> {
    fn wants(&mut self, path: &str) -> bool {
        !self.analysis.modules.wanting(path).is_empty()
    }

    fn progress(&mut self, _unpacked: u64) -> Flow {
        self.analysis.flow()
    }

    fn file(&mut self, file: LayerFile) -> Flow {
        let job = Job {
            layer: self.index,
            layer_name: self.name.clone(),
            wanting: self.analysis.modules.wanting(&file.path),
            path: file.path,
            contents: JobContents::Bytes(file.bytes),
        };
        self.analysis.submit(self.jobs, job)
    }

    fn problem(&mut self, problem: Problem) -> Flow {
        self.analysis.tell(&problem);
        self.analysis.flow()
    }
}
