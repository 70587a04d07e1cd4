//! A policy, whichever way it is run.

use std::sync::Arc;

use serde_json::Value;
use wharf_engine::{Deadline, LinkError, Module};
use wharf_plugin::{Abi, IdentifiedModule, Limits};

use super::bridge::Bridge;
use super::capability::Grants;
use super::command::Command;
use super::fault::PolicyFault;
use super::host::PolicyHost;
use super::json;
use super::metadata::{ExecutionMode, Metadata, ProtocolVersion};
use super::rego::{Rego, RegoError};
use super::request::ReviewRequest;
use super::response::AdmissionResponse;
use super::settings::Settings;
use super::verdict::{SettingsVerdict, Verdict};
use crate::wapc::{self, Guest, PayloadLimits};

/// The release of Kubewarden whose protocol this is. Policies that need a later one are refused, as Kubewarden refuses
/// them: they were made with capabilities in mind that are not here.
pub const KUBEWARDEN_RELEASE: (u64, u64) = (1, 36);

/// A policy that is compiled, linked, and has its settings and what it is granted. Any number of threads may ask it at
/// once; each call runs in an instance of its own.
pub struct Policy {
    program: Program,
    metadata: Option<Metadata>,
    settings: Settings,
    grants: Arc<Grants>,
}

enum Program {
    Wapc(Guest),
    Command(Command),
    Rego(Rego),
}

/// What the deployer says of a policy.
#[derive(Debug, Clone, Default)]
pub struct PolicyOptions {
    /// How it is run. Needed where the module does not say so itself, but for waPC policies, which can be told by their
    /// exports.
    pub mode: Option<ExecutionMode>,
    /// Its settings.
    pub settings: Settings,
    /// What it may ask its host.
    pub grants: Grants,
    /// What its instances may use. Each call has a deadline of its own, so of those in it only that for the start is used,
    /// and for Rego alone.
    pub limits: Limits,
    /// How large what goes in and out may be.
    pub payload_limits: PayloadLimits,
    /// The entrypoint of a Rego policy, by its name, as `policy/main`. By default the one that is called as OPA's or
    /// Gatekeeper's own are, or the first.
    pub entrypoint: Option<String>,
    /// Whether a policy may be used that needs a later release of Kubewarden than [`KUBEWARDEN_RELEASE`].
    pub accept_newer: bool,
}

/// Why a module cannot be used as a policy.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// Nobody says how it is run.
    #[error(
        "the module has no Kubewarden metadata and is no waPC guest: name its execution mode (`opa`, `gatekeeper` or `wasi`)"
    )]
    ModeNotNamed,
    /// The metadata and the deployer say different things.
    #[error(
        "the policy's execution mode is {metadata} by its own metadata, and {named} by its configuration"
    )]
    ModeContradicted {
        /// What the metadata say.
        metadata: ExecutionMode,
        /// What the deployer says.
        named: ExecutionMode,
    },
    /// The module cannot be run in this mode.
    #[error("the policy's execution mode is {mode}, and its module exports no \"{export}\"")]
    WrongMode {
        /// The mode.
        mode: ExecutionMode,
        /// What such modules export.
        export: &'static str,
    },
    /// It speaks another protocol.
    #[error("the policy speaks an unknown version of Kubewarden's protocol, and only v1 is known here")]
    ProtocolVersion,
    /// It needs a later Kubewarden.
    #[error("the policy needs Kubewarden {needed}, and this host knows what Kubewarden {}.{} has", KUBEWARDEN_RELEASE.0, KUBEWARDEN_RELEASE.1)]
    NeedsNewer {
        /// What it needs, as `1.40`.
        needed: String,
    },
    /// It is no guest of waPC that can be called.
    #[error(transparent)]
    Wapc(#[from] wapc::LoadError),
    /// It imports what commands are not given.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// Its Rego cannot be run.
    #[error(transparent)]
    Rego(#[from] RegoError),
}

impl Policy {
    /// Makes a policy of a module, what is known of its bytes ([`wharf_plugin::identify`], [`Metadata::of_module`]) and
    /// what the deployer says. Rego is asked for its entrypoints within the startup deadline of its limits; other guests do not
    /// run yet, so a policy without metadata is not known to speak the protocol: [`Policy::validate_settings`] asks it.
    ///
    /// Of the version that it needs, major and minor count, as for Kubewarden.
    ///
    /// # Errors
    /// [`PolicyError`].
    pub fn new(
        module: &Module,
        identified: &IdentifiedModule,
        metadata: Option<Metadata>,
        options: PolicyOptions,
    ) -> Result<Self, PolicyError> {
        let mode = execution_mode(identified, metadata.as_ref(), options.mode)?;
        if let Some(metadata) = &metadata {
            check_versions(metadata, mode, options.accept_newer)?;
        }
        check_export(identified, mode)?;
        let program = match mode {
            ExecutionMode::KubewardenWapc => {
                let guest = Guest::new(module, &options.limits)?;
                Program::Wapc(guest.with_payload_limits(options.payload_limits))
            }
            ExecutionMode::Wasi => {
                Program::Command(Command::new(module, &options.limits, options.payload_limits)?)
            }
            ExecutionMode::Opa | ExecutionMode::Gatekeeper => Program::Rego(Rego::new(
                module,
                mode,
                &options.limits,
                options.entrypoint.as_deref(),
            )?),
        };
        Ok(Self {
            program,
            metadata,
            settings: options.settings,
            grants: Arc::new(options.grants),
        })
    }

    /// How it is run.
    pub fn mode(&self) -> ExecutionMode {
        match &self.program {
            Program::Wapc(_) => ExecutionMode::KubewardenWapc,
            Program::Command(_) => ExecutionMode::Wasi,
            Program::Rego(rego) => rego.mode(),
        }
    }

    /// What it says about itself.
    pub fn metadata(&self) -> Option<&Metadata> {
        self.metadata.as_ref()
    }

    /// Its settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What it may ask its host.
    pub fn grants(&self) -> &Grants {
        &self.grants
    }

    /// Asks the policy whether it can work with its settings. To be asked once, before it is asked anything else: a waPC
    /// policy whose metadata do not name its protocol is asked for that first.
    ///
    /// Rego policies have no way to say, and so their settings are valid.
    ///
    /// # Errors
    /// [`PolicyFault`] where it does not say, or speaks another protocol.
    pub fn validate_settings(
        &self,
        host: Box<dyn PolicyHost>,
        deadline: Deadline,
    ) -> Result<SettingsVerdict, PolicyFault> {
        let bridge = Bridge::new(host, Arc::clone(&self.grants));
        let settings = self.settings.json().get().as_bytes().to_vec();
        let (operation, answer) = match &self.program {
            Program::Wapc(guest) => {
                self.confirm_protocol(guest, bridge.clone(), deadline)?;
                let operation = "validate_settings";
                (operation, call(guest, operation, settings, bridge, deadline)?)
            }
            Program::Command(command) => {
                let operation = "validate-settings";
                (operation, command.run(operation, settings, bridge, deadline)?)
            }
            Program::Rego(_) => return Ok(SettingsVerdict::valid()),
        };
        SettingsVerdict::parse(&answer)
            .map_err(|problem| PolicyFault::UnreadableAnswer { operation, problem })
    }

    /// Asks the policy about a request.
    ///
    /// It blocks the thread until the policy has answered, at most until `deadline`. A verdict that comes later is none.
    ///
    /// # Errors
    /// [`PolicyFault`] where it gives no verdict.
    pub fn validate(
        &self,
        request: &ReviewRequest,
        host: Box<dyn PolicyHost>,
        deadline: Deadline,
    ) -> Result<Verdict, PolicyFault> {
        let verdict = self.ask(request, host, deadline);
        // What a policy says after its time was over it says without what its host had no time to answer.
        if deadline.has_passed() {
            return Err(PolicyFault::Timeout {
                allowed: deadline.given(),
            });
        }
        verdict
    }

    fn ask(
        &self,
        request: &ReviewRequest,
        host: Box<dyn PolicyHost>,
        deadline: Deadline,
    ) -> Result<Verdict, PolicyFault> {
        let bridge = Bridge::new(host, Arc::clone(&self.grants));
        let operation = "validate";
        let answer = match &self.program {
            Program::Wapc(guest) => call(guest, operation, self.payload(request), bridge, deadline)?,
            Program::Command(command) => command.run(operation, self.payload(request), bridge, deadline)?,
            Program::Rego(rego) => {
                return rego.validate(request, &self.settings, &self.grants, bridge, deadline);
            }
        };
        Verdict::parse(&answer).map_err(|problem| PolicyFault::UnreadableAnswer { operation, problem })
    }

    /// Asks the policy about a request, and makes an answer of its verdict.
    ///
    /// # Errors
    /// [`PolicyFault`] where it gives no verdict.
    pub fn review(
        &self,
        request: &ReviewRequest,
        host: Box<dyn PolicyHost>,
        deadline: Deadline,
    ) -> Result<AdmissionResponse, PolicyFault> {
        self.validate(request, host, deadline)?.into_response(request)
    }

    /// `{"request": …, "settings": …}`, both as they came.
    fn payload(&self, request: &ReviewRequest) -> Vec<u8> {
        let (request, settings) = (request.json(), self.settings.json().get());
        [r#"{"request":"#, request, r#","settings":"#, settings, "}"]
            .concat()
            .into_bytes()
    }

    /// Asks the policy for its protocol where its metadata do not name it.
    fn confirm_protocol(&self, guest: &Guest, bridge: Bridge, deadline: Deadline) -> Result<(), PolicyFault> {
        let declared = self
            .metadata
            .as_ref()
            .and_then(|metadata| metadata.protocol_version);
        if declared.is_some() {
            return Ok(());
        }
        let operation = "protocol_version";
        let answer = call(guest, operation, Vec::new(), bridge, deadline)?;
        match json::decode::<Value>(&answer) {
            Ok(Value::String(version)) if version == "v1" => Ok(()),
            Ok(other) => Err(PolicyFault::ProtocolVersion {
                answer: other.to_string().chars().take(100).collect(),
            }),
            Err(problem) => Err(PolicyFault::UnreadableAnswer { operation, problem }),
        }
    }
}

fn call(
    guest: &Guest,
    operation: &str,
    payload: Vec<u8>,
    bridge: Bridge,
    deadline: Deadline,
) -> Result<Vec<u8>, PolicyFault> {
    guest
        .call(operation, payload, Box::new(bridge), deadline)
        .map_err(|error| PolicyFault::of_call(error, deadline))
}

/// The mode by the metadata, which the deployer may repeat; without them the deployer's word, or what can be told.
fn execution_mode(
    identified: &IdentifiedModule,
    metadata: Option<&Metadata>,
    named: Option<ExecutionMode>,
) -> Result<ExecutionMode, PolicyError> {
    match (metadata.map(|metadata| metadata.execution_mode), named) {
        (Some(metadata), Some(named)) if metadata != named => {
            Err(PolicyError::ModeContradicted { metadata, named })
        }
        (Some(mode), _) | (None, Some(mode)) => Ok(mode),
        (None, None) if identified.abis.contains(&Abi::WaPc) => Ok(ExecutionMode::KubewardenWapc),
        (None, None) => Err(PolicyError::ModeNotNamed),
    }
}

fn check_versions(metadata: &Metadata, mode: ExecutionMode, accept_newer: bool) -> Result<(), PolicyError> {
    if mode == ExecutionMode::KubewardenWapc && metadata.protocol_version == Some(ProtocolVersion::Unknown) {
        return Err(PolicyError::ProtocolVersion);
    }
    match &metadata.minimum_kubewarden_version {
        Some(needed) if !accept_newer && (needed.major, needed.minor) > KUBEWARDEN_RELEASE => {
            Err(PolicyError::NeedsNewer {
                needed: format!("{}.{}", needed.major, needed.minor),
            })
        }
        _ => Ok(()),
    }
}

fn check_export(identified: &IdentifiedModule, mode: ExecutionMode) -> Result<(), PolicyError> {
    let export = match mode {
        ExecutionMode::KubewardenWapc => "__guest_call",
        ExecutionMode::Wasi => "_start",
        ExecutionMode::Opa | ExecutionMode::Gatekeeper => "opa_eval_ctx_new",
    };
    if identified.surface.exports_function(export) {
        return Ok(());
    }
    Err(PolicyError::WrongMode { mode, export })
}
