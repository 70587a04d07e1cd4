//! `wharf new`: writes a project to begin with. Nothing that is there is ever overwritten.

mod name;
mod template;
mod write;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use self::name::ProjectName;
use self::template::Language;
use self::write::write;
use crate::exit::Code;
use crate::words::{explain, say};

/// What can be begun.
#[derive(Debug, Subcommand)]
pub(crate) enum New {
    /// A proxy-wasm filter, with its build, tests, a configuration to serve it and a README.
    Filter(NewFilter),
}

/// The arguments of `wharf new filter`.
#[derive(Debug, Args)]
pub(crate) struct NewFilter {
    /// What it is written in.
    #[arg(long, value_enum, value_name = "LANG")]
    lang: Language,
    /// The name of the filter, such as `add-header`: of its package, its file and its plugin.
    #[arg(value_name = "NAME", value_parser = ProjectName::new)]
    name: ProjectName,
    /// The folder to write, which must be empty or not there; by default the name.
    #[arg(long, value_name = "PATH")]
    dir: Option<PathBuf>,
}

/// Writes a project, and says how to go on.
pub(super) fn run(what: &New) -> Code {
    let New::Filter(NewFilter { lang, name, dir }) = what;
    let folder = dir.clone().unwrap_or_else(|| PathBuf::from(name.as_str()));
    let files = lang.files(name);
    match write(&folder, &files) {
        Ok(()) => {
            say(format_args!(
                "wrote a filter in {} to {}:",
                lang.title(),
                folder.display()
            ));
            for file in &files {
                say(format_args!("  {}", file.path));
            }
            say(format_args!(
                "\nIt needs {}. Go on in {} with\n",
                lang.needs(),
                folder.display()
            ));
            for command in lang.commands(name) {
                say(format_args!("  {command}"));
            }
            Code::Success
        }
        Err(error) => {
            explain(&error, &error.notes(), Some(error.hint()));
            Code::Failure
        }
    }
}
