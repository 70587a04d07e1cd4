//! The arguments of the command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use wharf_plugin::Reference;

use crate::commands::admission::AdmissionArguments;
use crate::commands::lock::LockArguments;
use crate::commands::login::{LoginArguments, LogoutArguments};
use crate::commands::manifest::ManifestArguments;
use crate::commands::new::New;
use crate::commands::pull::PullArguments;
use crate::commands::push::PushArguments;
use crate::commands::run::arguments::RunArguments;
use crate::commands::scan::arguments::ScanArguments;
use crate::commands::schema::SchemaOf;
use crate::commands::sign::{AttestArguments, SignArguments};
use crate::commands::single;
use crate::commands::store::{LoadArguments, PruneArguments, RemoveArguments, SaveArguments, StoreArguments};
use crate::commands::test::TestArguments;
use crate::commands::verify::VerifyArguments;
use crate::supply::SupplyArguments;

/// Runs the WebAssembly plugins that platform teams already have.
#[derive(Debug, Parser)]
#[command(
    name = "wharf",
    version,
    arg_required_else_help = true,
    after_help = "Exit codes: 0 all went well; 1 something failed while running; 2 the command line is wrong; \
                  3 the configuration cannot be used; 4 a plugin cannot be loaded or does not start."
)]
pub(crate) struct Arguments {
    /// What is logged: off, error, warn, info, debug or trace, also by target, such as "info,wharf::plugin=debug";
    /// info where nobody says it.
    #[arg(long, global = true, env = "WHARF_LOG", value_name = "LEVEL")]
    pub(crate) log_level: Option<String>,

    /// How log lines look; by default text on a terminal and JSON otherwise.
    #[arg(long, global = true, value_enum, default_value_t = Format::Auto)]
    pub(crate) log_format: Format,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Auto,
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve what a configuration describes, until SIGTERM or SIGINT.
    Serve {
        /// The configuration file.
        #[arg(value_name = "CONFIG", default_value = "wharf.yaml")]
        config: PathBuf,
        /// Fetch nothing that the lock file beside the configuration does not have.
        #[arg(long)]
        locked: bool,
    },
    /// Serve Kubewarden's policies by policy-server's flags and variables, with no configuration.
    Admission(Box<AdmissionArguments>),
    /// Check a configuration as `serve` would: compile its plugins and start each in a VM made to try it.
    ///
    /// Nothing is bound, and nothing is sent but to registries.
    Check {
        /// The configuration file.
        #[arg(value_name = "CONFIG", default_value = "wharf.yaml")]
        config: PathBuf,
        /// Fetch nothing that the lock file beside the configuration does not have.
        #[arg(long)]
        locked: bool,
        /// Print what was found as JSON on stdout.
        #[arg(long)]
        json: bool,
    },
    /// Say what a module is, what it needs, and whether it would load as a filter, a policy or a module of Trivy.
    ///
    /// Its code is not run, but what tells the entrypoints and functions of Rego, and what a module of Trivy says that it is.
    Inspect {
        /// The module: the path of a file, or a reference such as `file:greet.wasm`.
        #[arg(value_name = "PLUGIN", value_parser = single::plugin)]
        plugin: Reference,
        #[command(flatten)]
        supply: SupplyArguments,
        /// Print what was found as JSON on stdout.
        #[arg(long)]
        json: bool,
    },
    /// Put requests through a filter by hand, a review through a policy, or a file through a module of Trivy, with no server, and
    /// show all that it does.
    Run(Box<RunArguments>),
    /// Run cases of filters and policies that stand in files: what a plugin goes through, and what is expected of it.
    ///
    /// Nothing is bound and nothing is sent. docs/testing.md shows what such files look like.
    #[command(
        after_help = "Exit codes: 0 all cases passed; 1 some failed, or a folder or report could not be read or written; \
                      2 the command line is wrong, or there is no case; 3 a file of cases is wrong; 4 a plugin cannot be \
                      loaded. Of several, 3 counts before 4, and 4 before 1; all that can be run is run."
    )]
    Test(Box<TestArguments>),
    /// Scan a directory, an image or an SBOM with Trivy's modules, and write a report.
    #[command(
        after_help = "Exit codes: 0 all went well, or the code of --exit-code where there are findings; 2 a module failed, so that \
                      findings may be missing, or the command line is wrong; 1 something failed; 3 the configuration, an ignore file \
                      or a VEX document cannot be used; 4 a module cannot be used whose faults end the scan; 130 it was interrupted. \
                      docs/scanning.md has more."
    )]
    Scan(Box<ScanArguments>),
    /// Print what a cluster needs to ask policies: webhooks, a server, and its rights.
    Manifest(Box<ManifestArguments>),
    /// Write a project to begin with.
    #[command(subcommand)]
    New(New),
    /// Fetch plugins from registries or URLs into the store, verify them by `trust`, and say what they are.
    Pull(Box<PullArguments>),
    /// Push a module to a registry, in a form that others read, and print its name by digest.
    Push(Box<PushArguments>),
    /// Sign a plugin in a registry, or a file, with a key, as cosign does.
    Sign(Box<SignArguments>),
    /// State something about a plugin in a registry: an in-toto statement, signed with a key.
    Attest(Box<AttestArguments>),
    /// Say who signed a plugin, and whether that is enough.
    Verify(Box<VerifyArguments>),
    /// Write the digest of each plugin that a configuration names into the lock file beside it.
    Lock(LockArguments),
    /// List the plugins in the store.
    Ls(StoreArguments),
    /// Take plugins out of the store.
    Rm(RemoveArguments),
    /// Take out of the store what was used least recently, until no more than a size is left.
    Prune(PruneArguments),
    /// Write plugins of the store with their signatures to an archive, for where there is no network.
    Save(SaveArguments),
    /// Take plugins and their signatures from an archive into the store.
    Load(LoadArguments),
    /// Keep credentials for a registry, once it took them.
    Login(LoginArguments),
    /// Forget the credentials for a registry.
    Logout(LogoutArguments),
    /// Print the JSON Schema of the configuration, or of other files (draft 2020-12).
    Schema {
        /// Of which files: the configuration, or the cases of `wharf test`.
        #[arg(long, value_enum, default_value_t = SchemaOf::Configuration)]
        of: SchemaOf,
    },
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
}
