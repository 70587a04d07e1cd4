//! `wharf admission`: the admission server by policy-server's flags and variables.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Args, ValueEnum};
use wharf_config::kubewarden::{PolicySet, Sources, load_policies, load_sources, load_verification};
use wharf_config::{
    AccessLog, AdminConfig, AdmissionConfig, AdmissionTls, CacheConfig, Config, OnBadPolicy,
    RegistriesConfig, StoreConfig, TlsFiles, TrustConfig, TrustDefault, TrustRule,
};

use super::serve;
use crate::cli::Format;
use crate::exit::Code;
use crate::supply::Supply;
use crate::words::{colours, complain, say};

/// What a review may take where policy-server would have let it take for ever.
const NO_TIMEOUT: Duration = Duration::from_secs(3600);

/// The flags of policy-server. Each may be given by its variable, `KUBEWARDEN_` and its name.
#[derive(Debug, Args)]
pub(crate) struct AdmissionArguments {
    /// The address to listen on.
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "KUBEWARDEN_BIND_ADDRESS",
        default_value = "0.0.0.0"
    )]
    addr: IpAddr,
    /// The port to listen on.
    #[arg(long, value_name = "PORT", env = "KUBEWARDEN_PORT", default_value_t = 3000)]
    port: u16,
    /// The port for `/readiness`, `/metrics` and what else the admin port has, on the same address.
    #[arg(
        long,
        value_name = "PORT",
        env = "KUBEWARDEN_READINESS_PROBE_PORT",
        default_value_t = 8081
    )]
    readiness_probe_port: u16,
    /// A file of policies: `policies.yml`, or custom resources of Kubewarden. May be given several times.
    #[arg(
        short = 'f',
        long = "policies",
        value_name = "FILE",
        env = "KUBEWARDEN_POLICIES",
        default_value = "policies.yml"
    )]
    policies: Vec<PathBuf>,
    /// The certificate of the server, as PEM.
    #[arg(
        long,
        value_name = "FILE",
        env = "KUBEWARDEN_CERT_FILE",
        requires = "key_file"
    )]
    cert_file: Option<PathBuf>,
    /// The key of the certificate, as PEM.
    #[arg(
        long,
        value_name = "FILE",
        env = "KUBEWARDEN_KEY_FILE",
        requires = "cert_file"
    )]
    key_file: Option<PathBuf>,
    /// The CA whose clients may connect, as PEM; several with commas between them.
    #[arg(
        long,
        value_name = "FILES",
        env = "KUBEWARDEN_CLIENT_CA_FILE",
        value_delimiter = ',',
        requires = "cert_file"
    )]
    client_ca_file: Vec<PathBuf>,
    /// How many reviews run at once; by default as many as there are cores.
    #[arg(long, value_name = "COUNT", env = "KUBEWARDEN_WORKERS")]
    workers: Option<NonZeroUsize>,
    /// How many seconds a review may take.
    #[arg(
        long,
        value_name = "SECONDS",
        env = "KUBEWARDEN_POLICY_TIMEOUT",
        default_value_t = 2,
        value_parser = clap::value_parser!(u64).range(1..=3600)
    )]
    policy_timeout: u64,
    /// Let a review take an hour.
    #[arg(long, env = "KUBEWARDEN_DISABLE_TIMEOUT_PROTECTION", value_parser = BoolishValueParser::new())]
    disable_timeout_protection: bool,
    /// The namespace whose reviews are accepted without asking any policy.
    #[arg(
        long,
        value_name = "NAMESPACE",
        env = "KUBEWARDEN_ALWAYS_ACCEPT_ADMISSION_REVIEWS_ON_NAMESPACE"
    )]
    always_accept_admission_reviews_on_namespace: Option<String>,
    /// Start without a cluster that answers.
    #[arg(
        long,
        env = "KUBEWARDEN_IGNORE_KUBERNETES_CONNECTION_FAILURE",
        value_parser = BoolishValueParser::new()
    )]
    ignore_kubernetes_connection_failure: bool,
    /// Kubewarden's file of registries that are asked over plain HTTP or have authorities of their own.
    #[arg(long, value_name = "FILE", env = "KUBEWARDEN_SOURCES_PATH")]
    sources_path: Option<PathBuf>,
    /// Docker's `config.json` with the credentials for registries, or its directory; by default the user's own.
    #[arg(long, value_name = "PATH", env = "KUBEWARDEN_DOCKER_CONFIG_JSON_PATH")]
    docker_config_json_path: Option<PathBuf>,
    /// Where fetched policies are kept; by default the store of the user's cache directory.
    #[arg(long, value_name = "DIR", env = "KUBEWARDEN_POLICIES_DOWNLOAD_DIR")]
    policies_download_dir: Option<PathBuf>,
    /// Kubewarden's file of the signatures that all policies need.
    #[arg(long, value_name = "FILE", env = "KUBEWARDEN_VERIFICATION_CONFIG_PATH")]
    verification_path: Option<PathBuf>,
    /// The `trusted_root.json` or ClientTrustConfig of Sigstore that signatures of identities are checked with; by default that of
    /// the public instance.
    #[arg(long, value_name = "FILE", env = "KUBEWARDEN_SIGSTORE_TRUST_CONFIG_PATH")]
    sigstore_trust_config: Option<PathBuf>,
    /// Do not start when a policy cannot be used. Without it the others are served.
    #[arg(long)]
    refuse_bad_policies: bool,
    /// How log lines look; it counts before --log-format.
    #[arg(long, value_name = "FORMAT", value_enum, env = "KUBEWARDEN_LOG_FMT")]
    log_fmt: Option<LogFmt>,
    #[command(flatten)]
    unused: Unused,
}

/// The formats of policy-server's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LogFmt {
    Text,
    Json,
    /// Taken to say why it is refused.
    #[value(hide = true)]
    Otlp,
}

/// The variable of policy-server for --log-level, which here is a flag of all commands.
const LOG_LEVEL: &str = "KUBEWARDEN_LOG_LEVEL";

impl AdmissionArguments {
    /// The level of the log where no flag and no variable of Wharf's says it.
    pub(super) fn log_level() -> Option<String> {
        std::env::var(LOG_LEVEL).ok().filter(|level| !level.is_empty())
    }

    /// The format of the log, where policy-server's flag says it.
    ///
    /// # Errors
    /// Where it is one that there is not, which was said.
    pub(super) fn log_format(&self) -> Result<Option<Format>, Code> {
        match self.log_fmt {
            None => Ok(None),
            Some(LogFmt::Text) => Ok(Some(Format::Text)),
            Some(LogFmt::Json) => Ok(Some(Format::Json)),
            Some(LogFmt::Otlp) => {
                say(
                    "error: --log-fmt is otlp, and the log is written to stderr and not sent by OTLP\n\n\
                     hint: write --log-fmt json; collectors read such lines from the container's output",
                );
                Err(Code::CommandLine)
            }
        }
    }
}

/// Flags that have nothing to set here. They are taken so that a command line moves in as it is.
#[derive(Debug, Args)]
struct Unused {
    /// Always so: the other policies are served when one is bad.
    #[arg(
        long,
        env = "KUBEWARDEN_CONTINUE_ON_ERRORS",
        hide = true,
        value_parser = BoolishValueParser::new()
    )]
    continue_on_errors: bool,
    /// Always so: metrics are on the port of the readiness probe.
    #[arg(
        long,
        env = "KUBEWARDEN_ENABLE_METRICS",
        hide = true,
        value_parser = BoolishValueParser::new()
    )]
    enable_metrics: bool,
    #[arg(long, env = "KUBEWARDEN_SIGSTORE_CACHE_DIR", hide = true)]
    sigstore_cache_dir: Option<PathBuf>,
    #[arg(
        long,
        env = "KUBEWARDEN_ENABLE_PPROF",
        hide = true,
        value_parser = BoolishValueParser::new()
    )]
    enable_pprof: bool,
}

impl Unused {
    /// Those that were given and would have changed something in policy-server.
    fn given(&self) -> Vec<&'static str> {
        let given = [
            ("--sigstore-cache-dir", self.sigstore_cache_dir.is_some()),
            ("--enable-pprof", self.enable_pprof),
        ];
        given
            .into_iter()
            .filter(|(_, given)| *given)
            .map(|(flag, _)| flag)
            .collect()
    }
}

/// Serves policies until it is told to stop.
pub(super) fn run(arguments: &AdmissionArguments) -> Code {
    match config(arguments) {
        Ok(config) => {
            let files = arguments.policies.clone();
            let read = Box::new({
                let files = files.clone();
                move || read_again(&files)
            });
            let supply = match Supply::of(&config, Path::new("."), false) {
                Ok(supply) => supply,
                Err(error) => {
                    complain(&error, Some(error.hint()));
                    return Code::Configuration;
                }
            };
            serve::serve(&config, &supply, read, files)
                .err()
                .unwrap_or(Code::Success)
        }
        Err(code) => code,
    }
}

fn config(arguments: &AdmissionArguments) -> Result<Config, Code> {
    for flag in arguments.unused.given() {
        say(format_args!(
            "warning: {flag} has nothing to set here and is not used"
        ));
    }
    let bind = SocketAddr::new(arguments.addr, arguments.port);
    let tls = match (&arguments.cert_file, &arguments.key_file) {
        (Some(certificate), Some(key)) => AdmissionTls::Files(TlsFiles {
            certificate: certificate.clone(),
            key: key.clone(),
            client_ca: arguments.client_ca_file.clone(),
        }),
        _ => AdmissionTls::None,
    };
    if !tls.allows(bind) {
        say(format_args!(
            "error: reviews contain whole objects, Secrets too, so that plain HTTP is only served to this machine\n\n\
             hint: give --cert-file and --key-file, or --addr 127.0.0.1 instead of {}",
            arguments.addr
        ));
        return Err(Code::CommandLine);
    }
    let loaded = load_policies(&arguments.policies).map_err(|errors| {
        say(errors.render(colours()));
        Code::Configuration
    })?;
    loaded
        .warnings
        .iter()
        .for_each(|warning| say(warning.render(colours())));
    let mut admission = AdmissionConfig::new(bind, tls);
    admission.policies = loaded.policies;
    admission.policy_files.clone_from(&arguments.policies);
    admission.timeout = if arguments.disable_timeout_protection {
        NO_TIMEOUT
    } else {
        Duration::from_secs(arguments.policy_timeout)
    };
    admission.limits.deadline = admission.timeout;
    if let Some(workers) = arguments.workers {
        admission.queue.concurrent = workers;
    }
    if arguments.refuse_bad_policies {
        admission.on_bad_policy = OnBadPolicy::RefuseStart;
    }
    admission
        .always_accept_namespace
        .clone_from(&arguments.always_accept_admission_reviews_on_namespace);
    admission.kubernetes.ignore_connection_failure = arguments.ignore_kubernetes_connection_failure;
    Ok(Config {
        scan: None,
        plugins: BTreeMap::new(),
        proxy: None,
        drain_timeout: admission.drain_timeout,
        admission: Some(admission),
        admin: Some(AdminConfig {
            bind: SocketAddr::new(arguments.addr, arguments.readiness_probe_port),
        }),
        registries: RegistriesConfig {
            docker_config: arguments.docker_config_json_path.clone(),
            hosts: sources(arguments)?,
            ..RegistriesConfig::default()
        },
        trust: trust(arguments)?,
        store: StoreConfig {
            directory: arguments.policies_download_dir.clone(),
            ..StoreConfig::default()
        },
        cache: CacheConfig::default(),
        access_log: AccessLog::Off,
    })
}

/// Whose signatures all policies need, where there is a file that says so.
fn trust(arguments: &AdmissionArguments) -> Result<Option<TrustConfig>, Code> {
    let Some(path) = &arguments.verification_path else {
        return Ok(None);
    };
    let (signatures, warnings) = load_verification(path).map_err(|errors| {
        say(errors.render(colours()));
        Code::Configuration
    })?;
    warnings.iter().for_each(|warning| say(warning.render(colours())));
    Ok(Some(TrustConfig {
        default: TrustDefault::Deny,
        root: arguments.sigstore_trust_config.clone(),
        rules: vec![TrustRule {
            references: vec!["**".parse().expect("two asterisks are a pattern")],
            signatures: Some(signatures),
        }],
    }))
}

/// The registries that are not reached as all others are.
fn sources(arguments: &AdmissionArguments) -> Result<Sources, Code> {
    let Some(path) = &arguments.sources_path else {
        return Ok(Sources::new());
    };
    let (sources, warnings) = load_sources(path).map_err(|errors| {
        say(errors.render(colours()));
        Code::Configuration
    })?;
    warnings.iter().for_each(|warning| say(warning.render(colours())));
    Ok(sources)
}

fn read_again(files: &[PathBuf]) -> Option<PolicySet> {
    match load_policies(files) {
        Ok(loaded) => Some(loaded.policies),
        Err(errors) => {
            tracing::error!(
                "The policies were changed and cannot be read; what was served before goes on.\n{errors}"
            );
            None
        }
    }
}
