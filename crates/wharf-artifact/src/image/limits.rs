//! How much an image may unpack to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::Platform;
use crate::layer::LayerErrorKind;

/// How an image is opened.
#[derive(Debug, Clone, Default)]
pub struct ImageOptions {
    /// Which image of those for several platforms. Default: the first that is an image, as Trivy chooses.
    pub platform: Option<Platform>,
    /// Which image of those in an archive or a layout: a tag of `docker save`, an `org.opencontainers.image.ref.name`, or a digest.
    /// Default: the first of a layout; an archive must have only one.
    pub reference: Option<String>,
    /// Bounds.
    pub limits: ImageLimits,
    /// Set this from another thread, or from a handler of signals, to end whatever is being unpacked soon: opening a compressed archive,
    /// and reading layers, also in the middle of a huge entry. Default: none.
    pub interrupted: Option<Arc<AtomicBool>>,
}

impl ImageOptions {
    pub(super) fn is_interrupted(&self) -> bool {
        is_set(self.interrupted.as_ref())
    }
}

fn is_set(interrupted: Option<&Arc<AtomicBool>>) -> bool {
    interrupted.is_some_and(|flag| flag.load(Ordering::Relaxed))
}

/// What an image may need.
#[derive(Debug, Clone)]
pub struct ImageLimits {
    /// The most bytes of one document: an index, a manifest, a configuration. Default: 8 MiB.
    pub most_document: u64,
    /// The most layers. Default: 1000.
    pub most_layers: usize,
    /// The most bytes of an archive when it is unpacked, which it is on a disk. Default: 64 GiB.
    pub most_archive: u64,
    /// The most entries of an archive, not counting those in its layers. Default: 100,000.
    pub most_archive_entries: usize,
    /// The most unpacked bytes of one layer. Default: 32 GiB.
    pub most_layer: u64,
    /// The most unpacked bytes of all layers that are read, and as many again for layers that hard links have read once more. Default: 128 GiB.
    pub most_image: u64,
    /// How many times as many bytes may come out of compressed ones. What gzip can do at most is about 1032. Default: 2000.
    pub most_ratio: u64,
    /// Up to so many unpacked bytes their number to that of the compressed ones does not matter. Default: 256 MiB.
    pub any_ratio_up_to: u64,
}

impl Default for ImageLimits {
    fn default() -> Self {
        Self {
            most_document: 8 << 20,
            most_layers: 1000,
            most_archive: 64 << 30,
            most_archive_entries: 100_000,
            most_layer: 32 << 30,
            most_image: 128 << 30,
            most_ratio: 2000,
            any_ratio_up_to: 256 << 20,
        }
    }
}

impl ImageLimits {
    /// Whether more bytes came out of compressed ones than may.
    pub(super) fn is_bomb(&self, stored: u64, unpacked: u64) -> bool {
        unpacked > self.any_ratio_up_to && unpacked > stored.saturating_mul(self.most_ratio)
    }
}

/// How much was unpacked of each layer at most.
#[derive(Debug)]
pub(crate) struct Totals {
    layers: Vec<AtomicU64>,
    again: AtomicU64,
    interrupted: Option<Arc<AtomicBool>>,
}

impl Totals {
    pub(super) fn new(layers: usize, options: &ImageOptions) -> Self {
        Self {
            layers: (0..layers).map(|_| AtomicU64::new(0)).collect(),
            again: AtomicU64::new(0),
            interrupted: options.interrupted.clone(),
        }
    }

    pub(super) fn read_again(&self) -> u64 {
        self.again.load(Ordering::Relaxed)
    }

    pub(super) fn has_read_again(&self, unpacked: u64) {
        self.again.fetch_add(unpacked, Ordering::Relaxed);
    }

    fn set(&self, index: usize, unpacked: u64) -> u64 {
        if let Some(layer) = self.layers.get(index) {
            layer.fetch_max(unpacked, Ordering::Relaxed);
        }
        self.layers
            .iter()
            .fold(0, |sum, layer| sum.saturating_add(layer.load(Ordering::Relaxed)))
    }
}

/// Why a layer is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// For its own files.
    Files,
    /// For what hard links lead to.
    Links,
}

/// The bounds of unpacking one layer.
pub(crate) struct Unpacking<'a> {
    limits: &'a ImageLimits,
    totals: &'a Totals,
    index: usize,
    purpose: Purpose,
    counted: u64,
}

/// After how many bytes the sum of all layers is taken.
const STEP: u64 = 1 << 20;

impl<'a> Unpacking<'a> {
    pub(super) fn new(limits: &'a ImageLimits, totals: &'a Totals, index: usize, purpose: Purpose) -> Self {
        Self {
            limits,
            totals,
            index,
            purpose,
            counted: 0,
        }
    }

    /// Takes note of how many bytes came out of how many.
    pub(crate) fn count(&mut self, stored: u64, unpacked: u64) -> Result<(), LayerErrorKind> {
        let limits = self.limits;
        if is_set(self.totals.interrupted.as_ref()) {
            return Err(LayerErrorKind::Stopped);
        }
        if unpacked > limits.most_layer {
            return Err(LayerErrorKind::TooLarge {
                limit: limits.most_layer,
            });
        }
        if limits.is_bomb(stored, unpacked) {
            return Err(LayerErrorKind::Bomb {
                stored,
                limit: limits.most_ratio,
            });
        }
        let counts = self.purpose == Purpose::Files;
        if counts && unpacked.saturating_sub(self.counted) >= STEP.min(limits.most_image) {
            self.counted = unpacked;
            if self.totals.set(self.index, unpacked) > limits.most_image {
                return Err(LayerErrorKind::ImageTooLarge {
                    limit: limits.most_image,
                });
            }
        }
        Ok(())
    }
}
