//! The temporary folder: the projects, and a `bin` in front of the PATH, so that a README's commands find Wharf and the toolchains.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::toolchain::Environment;
use super::{PROJECT, TemplateError};
use crate::guests::Language;
use crate::guests::toolchain::{Program, output};

/// Removed with all that is in it when it is dropped.
pub(super) struct Workshop {
    folder: TempDir,
    /// Where compilers keep what they made, from run to run. It is ignored.
    caches: PathBuf,
}

impl Workshop {
    pub(super) fn open(root: &Path, wharf: &Path) -> io::Result<Self> {
        let workshop = Self {
            folder: tempfile::Builder::new().prefix("wharf-templates-").tempdir()?,
            caches: root.join("target").join("templates"),
        };
        fs::create_dir_all(workshop.bin())?;
        fs::create_dir_all(&workshop.caches)?;
        symlink(wharf, workshop.bin().join("wharf"))?;
        Ok(workshop)
    }

    fn bin(&self) -> PathBuf {
        self.folder.path().join("bin")
    }

    /// A place for a file of this name, outside of the projects.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn cache(&self, name: &str) -> PathBuf {
        self.caches.join(name)
    }

    /// Lets `wharf new` write a project, and gives its folder.
    pub(super) fn new_project(&self, language: Language) -> Result<PathBuf, TemplateError> {
        let folder = self.folder.path().join(language.key());
        let command = format!("wharf new filter --lang {} {PROJECT}", language.key());
        let mut new = self.shell(
            &format!("{command} --dir \"$FOLDER\""),
            self.folder.path(),
            &Environment::default(),
        );
        output(new.env("FOLDER", &folder)).map_err(|source| TemplateError::Command { command, source })?;
        Ok(folder)
    }

    /// Makes a program known under this name, whatever it is called and wherever it lies.
    pub(super) fn provide(&self, name: &str, program: &Program) -> io::Result<()> {
        let mut words = vec![found(&program.name)?];
        words.extend(program.arguments.iter().cloned());
        let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
        let path = self.bin().join(name);
        fs::write(&path, format!("#!/bin/sh\nexec {} \"$@\"\n", words.join(" ")))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))
    }

    /// A command line, to be run in this folder.
    pub(super) fn shell(&self, command: &str, folder: &Path, environment: &Environment) -> Command {
        let mut paths = vec![self.bin()];
        paths.extend(std::env::split_paths(
            &std::env::var_os("PATH").unwrap_or_default(),
        ));
        // A path with a colon in it cannot be on the PATH in the first place.
        let path = std::env::join_paths(paths).unwrap_or_else(|_| OsString::from(self.bin()));
        let mut shell = Command::new("sh");
        shell
            .args(["-c", command])
            .current_dir(folder)
            .env("PATH", path)
            .env("XDG_CACHE_HOME", self.folder.path().join("cache"))
            .env("WHARF_LOG", "warn")
            .envs(environment.set.iter().map(|(name, value)| (name, value)));
        for name in environment.unset {
            shell.env_remove(name);
        }
        shell
    }
}

/// Where a program lies: its name alone would find the file in `bin` that calls it.
fn found(name: &str) -> io::Result<String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = || {
        std::env::split_paths(&path)
            .map(|folder| folder.join(name))
            .find(|file| file.is_file())
    };
    let file = if name.contains('/') {
        std::path::absolute(name)?
    } else {
        on_path().ok_or(io::ErrorKind::NotFound)?
    };
    Ok(file.to_string_lossy().into_owned())
}

/// A word for the shell, whatever is in it.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_with_arguments_is_called_by_its_name() {
        let workshop = Workshop::open(tempfile::tempdir().unwrap().path(), Path::new("/bin/true")).unwrap();
        let program = Program {
            name: "echo".to_owned(),
            arguments: vec!["it's".to_owned(), "$HOME".to_owned()],
        };
        workshop.provide("echo", &program).unwrap();
        let mut shell = workshop.shell(
            "exec echo one 'two  three'",
            Path::new("/"),
            &Environment::default(),
        );
        assert_eq!(output(&mut shell).unwrap(), "it's $HOME one two  three");
        let mut shell = workshop.shell("wharf", Path::new("/"), &Environment::default());
        assert_eq!(output(&mut shell).unwrap(), "");
    }
}
