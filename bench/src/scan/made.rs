//! What is scanned, and the modules, all made in a temporary folder.

use std::fs;
use std::path::{Path, PathBuf};

use wharf_testing::{Image, Layer};

use crate::Outcome;

/// How many layers the image has.
pub(super) const LAYERS: usize = 5;
/// How many files lie in one folder.
const IN_A_FOLDER: usize = 100;
/// One file in so many has a key in it, which the module in C finds.
const WITH_KEY: usize = 100;

/// Folders of modules.
pub(super) struct Guests {
    pub(super) none: PathBuf,
    pub(super) c: PathBuf,
    pub(super) go_1: PathBuf,
    pub(super) go_4: PathBuf,
}

impl Guests {
    /// Puts them below a folder.
    ///
    /// # Errors
    /// When a guest is missing; this runs where `guests` is.
    pub(super) fn put(directory: &Path) -> Outcome<Self> {
        let packages = guest("trivy-packages")?;
        let severity = guest("trivy-severity")?;
        // Trivy takes no two analyzers of one name. These are other modules in every byte that counts: each is compiled.
        let more = [
            renamed(&packages, "packages-list", "packages-lisu")?,
            renamed(&severity, "exposure-severity", "exposure-severitz")?,
        ];
        let [other_packages, other_severity] = more;
        let folder = |name: &str, modules: &[&[u8]]| -> Outcome<PathBuf> {
            let folder = directory.join("modules").join(name);
            fs::create_dir_all(&folder)?;
            for (index, module) in modules.iter().enumerate() {
                fs::write(folder.join(format!("{index}.wasm")), module)?;
            }
            Ok(folder)
        };
        Ok(Self {
            none: folder("none", &[])?,
            c: folder("c", &[&guest("trivy-secrets")?])?,
            go_1: folder("go-1", &[&packages])?,
            go_4: folder("go-4", &[&packages, &severity, &other_packages, &other_severity])?,
        })
    }
}

fn guest(name: &str) -> Outcome<Vec<u8>> {
    let path = Path::new("guests/trivy").join(name).join(format!("{name}.wasm"));
    fs::read(&path).map_err(|error| format!("{}: {error}", path.display()).into())
}

/// The module with another name, which differs from its own in the last character only, so that nothing in it moves. Compilers have a
/// text of this length in the data, or else in constants of eight bytes in the code, the last of which is that of its end.
fn renamed(module: &[u8], name: &str, other: &str) -> Outcome<Vec<u8>> {
    let texts = [name, other].map(|name| name.as_bytes().to_vec());
    let ends = [name, other].map(|name| constant(name.as_bytes()));
    let [from, to] = [texts, ends]
        .into_iter()
        .find(|[from, _]| position(module, from).is_some())
        .ok_or_else(|| format!("no module is called {name}"))?;
    let mut renamed = module.to_vec();
    while let Some(at) = position(&renamed, &from) {
        renamed[at..at + from.len()].copy_from_slice(&to);
    }
    Ok(renamed)
}

fn position(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}

/// The last eight bytes of a text as a constant of 64 bits, in the signed LEB128 of WebAssembly.
fn constant(text: &[u8]) -> Vec<u8> {
    let mut rest = text
        .iter()
        .rev()
        .take(8)
        .fold(0_i64, |value, byte| value << 8 | i64::from(*byte));
    let mut encoded = Vec::new();
    loop {
        let low = (rest & 0x7f) as u8;
        rest >>= 7;
        if rest == 0 && low & 0x40 == 0 {
            encoded.push(low);
            return encoded;
        }
        encoded.push(low | 0x80);
    }
}

/// A folder with a file for each module and one for none.
pub(super) fn small_folder(directory: &Path) -> Outcome<PathBuf> {
    let folder = directory.join("small");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("packages.list"), "left-pad 1.3.0\n")?;
    fs::write(folder.join("service.conf"), "exposure = internal\n")?;
    fs::write(folder.join("readme.md"), "# Nothing\n")?;
    Ok(folder)
}

/// A folder with so many small files.
pub(super) fn many_files(directory: &Path, count: usize) -> Outcome<PathBuf> {
    let root = directory.join("many");
    for number in 0..count {
        let path = root.join(path(number));
        if number % IN_A_FOLDER == 0
            && let Some(folder) = path.parent()
        {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, content(number))?;
    }
    Ok(root)
}

/// An archive of an image with so many small files, the same number in each layer.
pub(super) fn image(directory: &Path, count: usize) -> Outcome<PathBuf> {
    let file = directory.join("image.tar");
    let in_a_layer = count / LAYERS;
    let image = (0..LAYERS).fold(Image::default(), |image, layer| {
        let numbers = layer * in_a_layer..(layer + 1) * in_a_layer;
        image.layer(numbers.fold(Layer::default(), |layer, number| {
            layer.file(&path(number), &content(number))
        }))
    });
    image.tag("example/app:1").write_archive(&file)?;
    Ok(file)
}

fn path(number: usize) -> String {
    format!("folder-{}/file-{number}.txt", number / IN_A_FOLDER)
}

fn content(number: usize) -> String {
    let lines = "a line of a file that is small\n".repeat(8);
    if number.is_multiple_of(WITH_KEY) {
        format!("{lines}key = acme_{number:024}\n")
    } else {
        lines
    }
}
