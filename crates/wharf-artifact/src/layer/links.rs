//! Hard links: other names of files that were passed before, or that are in a layer below.

use std::collections::{BTreeMap, HashMap};

use super::pass::{Reading, entries};
use super::{LayerErrorKind, LayerFile};
use crate::image::Purpose;
use crate::path::beneath_root;
use crate::tar::Kind;
use crate::{Image, ProblemKind};

/// How many links are followed from one to the next.
const MOST_STEPS: usize = 40;

/// The hard links of a layer.
#[derive(Default)]
pub(super) struct Links {
    targets: HashMap<String, String>,
    /// In the layer's order.
    wanted: Vec<String>,
    told: bool,
}

impl Links {
    pub(super) fn add(&mut self, path: String, target: String, wanted: bool) {
        if wanted {
            self.wanted.push(path.clone());
        }
        self.targets.insert(path, target);
    }

    pub(super) fn wanted(&self) -> usize {
        self.wanted.len()
    }

    /// Whether it is the first time that there are too many.
    pub(super) fn tell_once(&mut self) -> bool {
        !std::mem::replace(&mut self.told, true)
    }

    /// The wanted links by the file that they lead to, past links to links.
    fn by_file(&mut self) -> BTreeMap<String, Vec<String>> {
        let mut by_file: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut wanted = std::mem::take(&mut self.wanted);
        wanted.sort();
        wanted.dedup();
        for link in wanted {
            let mut file = &link;
            for _ in 0..MOST_STEPS {
                match self.targets.get(file) {
                    Some(target) => file = target,
                    None => break,
                }
            }
            let file = file.clone();
            by_file.entry(file).or_default().push(link);
        }
        by_file
    }
}

/// Gives the wanted hard links of a layer that was read: from that layer first, then from those below it, the nearest first.
pub(super) fn resolve(image: &Image, index: usize, reading: &mut Reading<'_>) -> Result<(), LayerErrorKind> {
    let mut missing = reading.links.by_file();
    for below in (0..=index).rev() {
        if missing.is_empty() {
            return Ok(());
        }
        // Layers that are full of links to nothing would have all layers below them read for each.
        if let Some(limit) = image.exhausted_for_links() {
            for link in missing.into_values().flatten() {
                reading.problem(link, ProblemKind::LinkTooCostly { limit })?;
            }
            return Ok(());
        }
        let limit = reading.options.most_file;
        let totals = entries(
            image,
            below,
            Purpose::Links,
            reading.options,
            &mut |reader, entry| {
                if entry.kind != Kind::File {
                    return Ok(());
                }
                let Ok(path) = beneath_root(&entry.name) else {
                    return Ok(());
                };
                let Some(links) = missing.remove(&path) else {
                    return Ok(());
                };
                let size = entry.size;
                if size > limit {
                    return links
                        .into_iter()
                        .try_for_each(|link| reading.problem(link, ProblemKind::TooLarge { size, limit }));
                }
                let bytes = reader.contents(&entry)?;
                links.into_iter().try_for_each(|path| {
                    reading.give(LayerFile {
                        path,
                        bytes: bytes.clone(),
                        mode: entry.mode,
                    })
                })
            },
        )?;
        image.has_read_again(totals.unpacked);
    }
    for (target, links) in missing {
        for link in links {
            reading.problem(
                link,
                ProblemKind::DanglingLink {
                    target: target.clone(),
                },
            )?;
        }
    }
    Ok(())
}
