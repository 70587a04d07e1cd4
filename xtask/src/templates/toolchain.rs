//! What a language's project needs to be built here.

use std::ffi::OsString;
use std::path::Path;

use super::workshop::Workshop;
use crate::guests::Language;
use crate::guests::toolchain::{Program, find_rust, find_simple, ordinary_linker, output};

/// The module of Go's SDK.
const GO_SDK: &str = "github.com/proxy-wasm/proxy-wasm-go-sdk";

/// What the commands of a project find in their environment.
#[derive(Default)]
pub(super) struct Environment {
    /// The toolchain's version.
    pub(super) version: String,
    pub(super) set: Vec<(&'static str, OsString)>,
    /// What a caller has set for other builds than these.
    pub(super) unset: &'static [&'static str],
}

/// Finds the toolchain of a project, or says in a sentence why there is none.
pub(super) fn prepare(
    language: Language,
    workshop: &Workshop,
    project: &Path,
) -> Result<Environment, String> {
    match language {
        Language::Rust => rust(),
        Language::AssemblyScript => assemblyscript(workshop),
        Language::C => c(workshop),
        Language::Go => go(workshop, project),
    }
}

fn rust() -> Result<Environment, String> {
    let (rustc, version) = find_rust()?;
    let mut set = vec![("RUSTC", OsString::from(&rustc.name))];
    if std::env::var_os("WHARF_RUSTC_WASM").is_some() {
        // A private compiler may lack a linker; the ordinary toolchain has one for every target.
        let linker = ordinary_linker().map_err(|error| error.to_string())?;
        set.push(("CARGO_TARGET_WASM32_WASIP1_LINKER", linker.into()));
    }
    Ok(Environment {
        version,
        set,
        // The README says that the filter is in the project's own `target`.
        unset: &[
            "CARGO_TARGET_DIR",
            "CARGO_BUILD_TARGET_DIR",
            "CARGO_ENCODED_RUSTFLAGS",
            "RUSTFLAGS",
            "RUSTC_WRAPPER",
        ],
    })
}

fn c(workshop: &Workshop) -> Result<Environment, String> {
    let (zig, version) = find_simple("WHARF_ZIG", "zig", &["version"])?;
    Program::from_environment("", "make")
        .says(&["--version"])
        .map_err(|error| error.to_string())?;
    provide(workshop, "zig", &zig)?;
    let cache = workshop.cache("zig");
    Ok(Environment {
        version,
        set: vec![
            ("ZIG_LOCAL_CACHE_DIR", cache.clone().into()),
            ("ZIG_GLOBAL_CACHE_DIR", cache.into()),
        ],
        unset: &["ZIG", "WASI_SDK", "CFLAGS", "MAKEFLAGS"],
    })
}

fn assemblyscript(workshop: &Workshop) -> Result<Environment, String> {
    let npx = Program::from_environment("WHARF_NPX", "npx");
    npx.says(&["--version"])
        .map_err(|error| format!("{error}; WHARF_NPX may name another"))?;
    let npm = npx.sibling("npm");
    npm.says(&["view", "assemblyscript", "version"])
        .map_err(|error| format!("npm finds no packages: {error}"))?;
    provide(workshop, "npx", &npx)?;
    provide(workshop, "npm", &npm)?;
    Ok(Environment {
        version: "npm and the compiler of package-lock.json".to_owned(),
        ..Environment::default()
    })
}

fn go(workshop: &Workshop, project: &Path) -> Result<Environment, String> {
    let (go, version) = find_simple("WHARF_GO", "go", &["env", "GOVERSION"])?;
    provide(workshop, "go", &go)?;
    let mut environment = Environment {
        version,
        set: vec![
            ("GOTOOLCHAIN", "local".into()),
            ("GOWORK", "off".into()),
            ("GOCACHE", workshop.cache("go").into()),
        ],
        unset: &["GOFLAGS", "GOOS", "GOARCH"],
    };
    let manifest = std::fs::read_to_string(project.join("go.mod")).map_err(|error| error.to_string())?;
    let Some(sdk) = std::env::var_os("WHARF_GO_SDK") else {
        return if is_to_be_had(workshop, &environment, &manifest) {
            Ok(environment)
        } else {
            Err(format!(
                "{GO_SDK} cannot be had from Go's module proxy; WHARF_GO_SDK may name a folder with it"
            ))
        };
    };
    let sdk = std::path::absolute(&sdk).map_err(|error| format!("WHARF_GO_SDK: {error}"))?;
    if !sdk.join("go.mod").is_file() {
        return Err(format!("WHARF_GO_SDK: there is no go.mod in {}", sdk.display()));
    }
    // The project's own files stay as they are: this one stands in for its `go.mod`.
    let replaced = workshop.file("with-sdk.mod");
    let text = format!(
        "{manifest}\nreplace {GO_SDK} => {:?}\n",
        sdk.display().to_string()
    );
    std::fs::write(&replaced, text).map_err(|error| format!("{}: {error}", replaced.display()))?;
    let mut flag = OsString::from("-modfile=");
    flag.push(&replaced);
    environment.set.push(("GOFLAGS", flag));
    environment.unset = &["GOOS", "GOARCH"];
    environment.version += ", the SDK from WHARF_GO_SDK";
    Ok(environment)
}

/// Whether the SDK's commit is known here, or else Go's module proxy can be reached. Where only the commit is not to be had, that is
/// for the build to say.
fn is_to_be_had(workshop: &Workshop, environment: &Environment, manifest: &str) -> bool {
    let required = manifest.lines().find_map(|line| {
        let (_, version) = line.split_once(GO_SDK)?;
        Some(version.trim())
    });
    [required, Some("latest")].into_iter().flatten().any(|version| {
        let command = format!("go list -m {GO_SDK}@{version}");
        output(&mut workshop.shell(&command, &workshop.file(""), environment)).is_ok()
    })
}

fn provide(workshop: &Workshop, name: &str, program: &Program) -> Result<(), String> {
    workshop
        .provide(name, program)
        .map_err(|error| format!("{name} cannot be called: {error}"))
}
