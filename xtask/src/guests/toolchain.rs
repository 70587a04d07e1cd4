//! Finds the compilers of the guests and calls them.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Folders, Guest, Kind, Language};

/// The target of the Rust guests.
const RUST_TARGET: &str = "wasm32-wasip1";

/// A toolchain that is here.
pub(super) struct Toolchain {
    language: Language,
    program: Program,
    /// As the toolchain says it, in one line.
    pub(super) version: String,
}

/// How a program is called: its name or path, and its first arguments.
#[derive(Clone)]
pub(crate) struct Program {
    pub(crate) name: String,
    pub(crate) arguments: Vec<String>,
}

/// Why a guest could not be built.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BuildError {
    #[error("{program} could not be started: {source}")]
    Start { program: String, source: io::Error },
    #[error("{program} failed:\n{output}")]
    Compiler { program: String, output: String },
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{} is not WebAssembly: {source}", path.display())]
    NotWasm {
        path: PathBuf,
        source: wasmparser::BinaryReaderError,
    },
    #[error("{} is not a JSON object: {reason}", path.display())]
    Metadata { path: PathBuf, reason: String },
}

impl Toolchain {
    /// The toolchain of a language, or in a sentence why there is none.
    pub(super) fn find(language: Language, folders: &Folders) -> Result<Self, String> {
        let (program, version) = match language {
            Language::Rust => find_rust()?,
            Language::AssemblyScript => find_assemblyscript(folders)?,
            Language::C => find_simple("WHARF_ZIG", "zig", &["version"])?,
            Language::Go => find_simple("WHARF_GO", "go", &["env", "GOVERSION"])?,
        };
        Ok(Self {
            language,
            program,
            version,
        })
    }

    /// Builds the guest into the file `built`.
    pub(super) fn build(&self, guest: Guest, folders: &Folders, built: &Path) -> Result<(), BuildError> {
        let folder = built.parent().expect("the built file is in a folder");
        std::fs::create_dir_all(folder).map_err(|source| BuildError::File {
            path: folder.to_owned(),
            source,
        })?;
        match self.language {
            Language::Rust => self.build_rust(guest, folders, built),
            Language::AssemblyScript => self.build_assemblyscript(guest, folders, built),
            Language::C => self.build_c(guest, folders, built),
            Language::Go => self.build_go(guest, folders, built),
        }
    }

    fn build_rust(&self, guest: Guest, folders: &Folders, built: &Path) -> Result<(), BuildError> {
        // The sources of the dependencies have to be there before their folders can be remapped.
        run(cargo(guest, folders).args(["fetch", "--locked"]))?;
        let mut build = cargo(guest, folders);
        build
            .args([
                "build",
                "--release",
                "--locked",
                "--target",
                RUST_TARGET,
                "--package",
                guest.name,
            ])
            .arg("--target-dir")
            .arg(folders.target())
            .env("RUSTC", &self.program.name)
            .env("CARGO_ENCODED_RUSTFLAGS", remapping(folders)?)
            .env_remove("RUSTC_WRAPPER");
        if std::env::var_os("WHARF_RUSTC_WASM").is_some() {
            // A private compiler may lack a linker; the ordinary toolchain has one for every target.
            build.env("CARGO_TARGET_WASM32_WASIP1_LINKER", ordinary_linker()?);
        }
        run(&mut build)?;
        let file = format!("{}.wasm", guest.name.replace('-', "_"));
        let made = folders.target().join(RUST_TARGET).join("release").join(file);
        std::fs::copy(&made, built).map_err(|source| BuildError::File { path: made, source })?;
        Ok(())
    }

    fn build_assemblyscript(&self, guest: Guest, folders: &Folders, built: &Path) -> Result<(), BuildError> {
        let mut build = self.program.command();
        build
            .current_dir(folders.source(guest))
            .args([
                "--no-install",
                "asc",
                "assembly/index.ts",
                "--use",
                "abort=abort_proc_exit",
            ])
            .args(["--optimize", "--debug", "--binaryFile"])
            .arg(built);
        run(&mut build)
    }

    fn build_c(&self, guest: Guest, folders: &Folders, built: &Path) -> Result<(), BuildError> {
        let cache = folders.target().join("zig");
        let mut build = self.program.command();
        build
            .current_dir(folders.source(guest))
            .args([
                "cc",
                "-target",
                "wasm32-wasi",
                "-mexec-model=reactor",
                "-Os",
                "-g",
            ])
            .args(["-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror", "-o"])
            .arg(built)
            .arg(format!("{}.c", guest.name))
            .env("ZIG_LOCAL_CACHE_DIR", &cache)
            .env("ZIG_GLOBAL_CACHE_DIR", &cache);
        run(&mut build)
    }

    fn build_go(&self, guest: Guest, folders: &Folders, built: &Path) -> Result<(), BuildError> {
        let mut build = self.program.command();
        // Filters and modules are called again and again; a policy in Go is a command.
        let mode = match guest.kind {
            Kind::Filter | Kind::Module => "-buildmode=c-shared",
            Kind::Policy => "-buildmode=exe",
        };
        build
            .current_dir(folders.source(guest))
            .args([
                "build",
                "-trimpath",
                "-buildvcs=false",
                mode,
                "-ldflags=-w -buildid=",
                "-o",
            ])
            .arg(built)
            .arg(".")
            .envs([
                ("GOOS", "wasip1"),
                ("GOARCH", "wasm"),
                ("CGO_ENABLED", "0"),
                ("GOFLAGS", ""),
            ])
            .envs([("GOTOOLCHAIN", "local"), ("GOWORK", "off")])
            .env("GOCACHE", folders.target().join("go"));
        run(&mut build)
    }
}

pub(crate) fn find_rust() -> Result<(Program, String), String> {
    let rustc = Program::from_environment("WHARF_RUSTC_WASM", "rustc");
    let version = rustc.says(&["--version"]).map_err(|error| error.to_string())?;
    let libraries = rustc
        .says(&["--print", "target-libdir", "--target", RUST_TARGET])
        .map_err(|error| error.to_string())?;
    if !Path::new(&libraries).is_dir() {
        return Err(format!(
            "{version} has no {RUST_TARGET}: `rustup target add {RUST_TARGET}`, or set WHARF_RUSTC_WASM"
        ));
    }
    Ok((rustc, version))
}

/// The compiler is a package of the guest, so that its lock file decides on the version.
fn find_assemblyscript(folders: &Folders) -> Result<(Program, String), String> {
    let npx = Program::from_environment("WHARF_NPX", "npx");
    npx.says(&["--version"])
        .map_err(|error| format!("{error}; WHARF_NPX may name another"))?;
    let guest = folders.guests.join("as-counter");
    if !guest.join("node_modules").is_dir() {
        let mut install = npx.sibling("npm").command();
        install
            .current_dir(&guest)
            .args(["ci", "--no-audit", "--no-fund"]);
        run(&mut install).map_err(|error| format!("the packages could not be installed: {error}"))?;
    }
    let mut version = npx.command();
    version
        .current_dir(&guest)
        .args(["--no-install", "asc", "--version"]);
    let version = output(&mut version).map_err(|error| error.to_string())?;
    Ok((npx, format!("asc {}", version.trim_start_matches("Version "))))
}

pub(crate) fn find_simple(variable: &str, name: &str, version: &[&str]) -> Result<(Program, String), String> {
    let program = Program::from_environment(variable, name);
    let version = program
        .says(version)
        .map_err(|error| format!("{error}; {variable} may name another"))?;
    let version = if version.starts_with(name) {
        version
    } else {
        format!("{name} {version}")
    };
    Ok((program, version))
}

impl Program {
    /// What the variable says, split at spaces, or the program of this name on the PATH.
    pub(crate) fn from_environment(variable: &str, name: &str) -> Self {
        let value = std::env::var(variable).unwrap_or_default();
        let mut words = value.split_whitespace().map(str::to_owned);
        let name = words.next().unwrap_or_else(|| name.to_owned());
        Self {
            name,
            arguments: words.collect(),
        }
    }

    /// The program of another name in the same folder.
    pub(crate) fn sibling(&self, name: &str) -> Self {
        let name = Path::new(&self.name)
            .with_file_name(name)
            .to_string_lossy()
            .into_owned();
        Self {
            name,
            arguments: Vec::new(),
        }
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.name);
        command.args(&self.arguments);
        command
    }

    /// What the program answers to these arguments.
    pub(crate) fn says(&self, arguments: &[&str]) -> Result<String, BuildError> {
        output(self.command().args(arguments))
    }
}

/// The cargo that called this, or the one on the PATH, in the workspace of the guest.
fn cargo(guest: Guest, folders: &Folders) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(folders.workspace(guest.kind));
    cargo
}

/// The compiler's flags that keep the paths of this machine out of the modules, in cargo's encoding: a panic's
/// message names its source file.
fn remapping(folders: &Folders) -> Result<OsString, BuildError> {
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(std::env::home_dir()?.join(".cargo")));
    let registries = home.unwrap_or_default().join("registry").join("src");
    let entries = std::fs::read_dir(&registries).map_err(|source| BuildError::File {
        path: registries.clone(),
        source,
    })?;
    let mut folders_and_names = vec![(folders.guests.clone(), "/guests")];
    folders_and_names.extend(entries.flatten().map(|entry| (entry.path(), "/registry")));
    let mut flags = OsString::new();
    for (folder, name) in folders_and_names {
        if !flags.is_empty() {
            flags.push("\x1f");
        }
        flags.push("--remap-path-prefix=");
        flags.push(folder);
        flags.push(format!("={name}"));
    }
    Ok(flags)
}

/// The linker for WebAssembly that the ordinary Rust toolchain carries.
pub(crate) fn ordinary_linker() -> Result<PathBuf, BuildError> {
    let rustc = Program {
        name: "rustc".to_owned(),
        arguments: Vec::new(),
    };
    let sysroot = rustc.says(&["--print", "sysroot"])?;
    let host = rustc.says(&["--print", "host-tuple"])?;
    Ok(Path::new(&sysroot)
        .join("lib/rustlib")
        .join(host)
        .join("bin/rust-lld"))
}

fn run(command: &mut Command) -> Result<(), BuildError> {
    output(command).map(drop)
}

/// What the command writes to its standard output, without the space around it.
pub(crate) fn output(command: &mut Command) -> Result<String, BuildError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|source| BuildError::Start {
        program: program.clone(),
        source,
    })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let words = [
        &*String::from_utf8_lossy(&output.stdout),
        &*String::from_utf8_lossy(&output.stderr),
    ]
    .concat();
    Err(BuildError::Compiler {
        program,
        output: words.trim_end().to_owned(),
    })
}
