//! `wharf sign` and `wharf attest`: what somebody with a key says of a plugin, put where cosign and Wharf find it.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use wharf_distribution::registry::{Manifest, RegistryClient, RegistryError};
use wharf_plugin::{ContentDigest, ImageReference, Reference};
use wharf_signature::{PrivateKey, PrivateKeyError, SIGN_PREDICATE_TYPE, SigningError};
use wharf_trust::{attach_bundle, attach_simple, bundle_beside};

use super::push::annotation;
use super::single;
use crate::exit::Code;
use crate::files::{read, write};
use crate::supply::{Supply, SupplyArguments, block_on};
use crate::words::{complain, print, say};

/// The most bytes of a private key, and of a password.
const MOST_KEY: u64 = 64 << 10;
/// The most bytes of a predicate.
const MOST_PREDICATE: u64 = 512 << 10;
/// The variable that cosign reads the password from.
const PASSWORD: &str = "COSIGN_PASSWORD";

/// With which key something is signed.
#[derive(Debug, Args)]
struct KeyArguments {
    /// The private key: PKCS #8 as PEM, or the file of `cosign generate-key-pair`, whose password COSIGN_PASSWORD has.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Read the password of the key from standard input.
    #[arg(long)]
    password_stdin: bool,
}

/// What is signed.
#[derive(Debug, Args)]
pub(crate) struct SignArguments {
    /// The plugin: an image in a registry, or a file.
    #[arg(value_name = "REF", value_parser = single::artifact)]
    reference: Reference,
    #[command(flatten)]
    key: KeyArguments,
    /// What the signature says beside the digest.
    #[arg(short, long = "annotation", value_name = "NAME=VALUE", value_parser = annotation)]
    annotations: Vec<(String, String)>,
    /// In which form images are signed: the tags that cosign 2 reads, the bundles that cosign 3 reads, or both.
    #[arg(long, value_enum, value_name = "FORM", default_value_t = SignatureForm::Both)]
    form: SignatureForm,
    /// Where the bundle of a file goes; beside the file, with `.sigstore.json` behind its name, by default.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    supply: SupplyArguments,
    /// Print what was signed as JSON on stdout.
    #[arg(long)]
    json: bool,
}

/// What is stated.
#[derive(Debug, Args)]
pub(crate) struct AttestArguments {
    /// The plugin: an image in a registry.
    #[arg(value_name = "REF", value_parser = single::artifact)]
    reference: Reference,
    #[command(flatten)]
    key: KeyArguments,
    /// The type of the predicate: a URI, or one of slsaprovenance, slsaprovenance1, spdxjson, cyclonedx, vuln, openvex.
    #[arg(long = "type", value_name = "TYPE", value_parser = predicate_type)]
    predicate_type: String,
    /// The predicate, as JSON.
    #[arg(long, value_name = "FILE")]
    predicate: PathBuf,
    #[command(flatten)]
    supply: SupplyArguments,
    /// Print what was stated as JSON on stdout.
    #[arg(long)]
    json: bool,
}

/// In which form an image is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SignatureForm {
    Both,
    Tag,
    Bundle,
}

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
enum SignError {
    #[error("the key {} cannot be used", path.display())]
    Key { path: PathBuf, source: PrivateKeyError },
    #[error("{} cannot be read", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{} is no JSON", path.display())]
    Predicate {
        path: PathBuf,
        source: serde_json::Error,
    },
    #[error(transparent)]
    Signing(#[from] SigningError),
    #[error("{reference} cannot be signed")]
    Registry {
        reference: Box<Reference>,
        source: Box<RegistryError>,
    },
}

impl SignError {
    fn hint(&self) -> &str {
        match self {
            Self::Key { source, .. } => match source {
                PrivateKeyError::NoPassword => "set COSIGN_PASSWORD, or give --password-stdin",
                PrivateKeyError::WrongPassword => "check COSIGN_PASSWORD",
                _ => {
                    "`cosign generate-key-pair` and `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256` make keys"
                }
            },
            Self::File { .. } => "check the path",
            Self::Predicate { .. } => "give the predicate alone, without the statement around it",
            Self::Signing(_) => "look what is wrong with /dev/urandom",
            Self::Registry { source, .. } => match &**source {
                RegistryError::Forbidden { .. } => {
                    "let these credentials push to the repository: signatures lie beside the image"
                }
                other => other.hint(),
            },
        }
    }
}

/// The types of predicates that have a short name, as cosign has them.
pub(super) fn predicate_type(text: &str) -> Result<String, String> {
    let uri = match text {
        "slsaprovenance" | "slsaprovenance02" => "https://slsa.dev/provenance/v0.2",
        "slsaprovenance1" => "https://slsa.dev/provenance/v1",
        "spdx" | "spdxjson" => "https://spdx.dev/Document",
        "cyclonedx" => "https://cyclonedx.org/bom",
        "vuln" => "https://cosign.sigstore.dev/attestation/vuln/v1",
        "openvex" => "https://openvex.dev/ns",
        uri if uri.contains("://") => uri,
        _ => {
            return Err(
                "write a URI, or one of slsaprovenance, slsaprovenance1, spdxjson, cyclonedx, vuln, openvex"
                    .to_owned(),
            );
        }
    };
    if uri == SIGN_PREDICATE_TYPE {
        return Err("this type is that of signatures: use `wharf sign`".to_owned());
    }
    Ok(uri.to_owned())
}

/// Signs a plugin.
pub(super) fn sign(arguments: &SignArguments) -> Code {
    finish(try_sign(arguments), arguments.json)
}

/// States something about a plugin.
pub(super) fn attest(arguments: &AttestArguments) -> Code {
    finish(try_attest(arguments), arguments.json)
}

fn finish(outcome: Result<Value, Code>, as_json: bool) -> Code {
    let told = match outcome {
        Ok(told) => told,
        Err(code) => return code,
    };
    let printed = if as_json {
        print(format_args!("{told:#}"))
    } else {
        // What is signed, for whoever pins it; where the signatures are, for people.
        for signature in told["signatures"].as_array().into_iter().flatten() {
            say(format_args!("signed: {}", signature.as_str().unwrap_or_default()));
        }
        print(told["reference"].as_str().unwrap_or_default())
    };
    printed.map_or(Code::Failure, |()| Code::Success)
}

fn try_sign(arguments: &SignArguments) -> Result<Value, Code> {
    let key = private_key(&arguments.key).map_err(|error| failed(&error))?;
    let annotations: BTreeMap<String, String> = arguments.annotations.iter().cloned().collect();
    match &arguments.reference {
        Reference::File(path) => {
            if !annotations.is_empty() {
                say(
                    "error: a file's signature has no annotations\n\nhint: push the plugin to a registry, and sign it there",
                );
                return Err(Code::CommandLine);
            }
            sign_file(&key, path, arguments.output.as_deref()).map_err(|error| failed(&error))
        }
        reference => {
            let image = image(reference)?;
            let supply = Supply::by_flags_for(&arguments.supply, true)?;
            block_on(sign_image(
                supply.client(),
                reference,
                &image,
                &key,
                &annotations,
                arguments.form,
            ))?
            .map_err(|error| failed(&error))
        }
    }
}

fn image(reference: &Reference) -> Result<ImageReference, Code> {
    match reference.as_image() {
        Some(Ok(image)) => Ok(image),
        Some(Err(error)) => {
            complain(
                &error,
                Some("write for example registry.example/plugins/greet:1.2"),
            );
            Err(Code::CommandLine)
        }
        None => {
            say(format_args!(
                "error: {reference} is neither an image nor a file, and nothing can be put beside it\n\nhint: push the plugin to a \
                 registry, and sign it there"
            ));
            Err(Code::CommandLine)
        }
    }
}

fn sign_file(key: &PrivateKey, path: &Path, output: Option<&Path>) -> Result<Value, SignError> {
    let unreadable = |source| SignError::File {
        path: path.to_owned(),
        source,
    };
    if path.extension().is_some_and(|extension| extension == "wat") {
        return Err(unreadable(io::Error::other(
            "it is the text of a module, and what runs is the module that it becomes: sign that",
        )));
    }
    let most = wharf_distribution::MOST_BYTES.bytes();
    let bytes = read(path, most).map_err(unreadable)?;
    let bundle = key.sign_file(&bytes)?;
    let output = output.map_or_else(|| bundle_beside(path), Path::to_owned);
    write(&output, &bundle).map_err(|source| SignError::File {
        path: output.clone(),
        source,
    })?;
    Ok(json!({
        "reference": Reference::File(path.to_owned()).to_string(),
        "digest": ContentDigest::sha256_of(&bytes).to_string(),
        "signer": format!("key {}", key.public_key().fingerprint()),
        "signatures": [output.to_string_lossy()],
    }))
}

async fn sign_image(
    client: &RegistryClient,
    reference: &Reference,
    image: &ImageReference,
    key: &PrivateKey,
    annotations: &BTreeMap<String, String>,
    form: SignatureForm,
) -> Result<Value, SignError> {
    let refused = |source| SignError::Registry {
        reference: Box::new(reference.clone()),
        source: Box::new(source),
    };
    let manifest = client.manifest(image).await.map_err(refused)?;
    let mut signatures = Vec::new();
    if form != SignatureForm::Bundle {
        let repository = format!("{}/{}", image.host().as_str(), image.repository());
        let signed = key.sign_simple(&manifest.digest, &repository, annotations)?;
        attach_simple(client, image, &manifest.digest, &signed)
            .await
            .map_err(refused)?;
        signatures.push(format!(
            "under the tag {}",
            wharf_signature::signature_tag(&manifest.digest)
        ));
    }
    if form != SignatureForm::Tag {
        let bundle = key.sign_bundle(&manifest.digest, annotations)?;
        let attached = attach_bundle(client, image, &manifest, bundle, SIGN_PREDICATE_TYPE)
            .await
            .map_err(refused)?;
        signatures.push(format!("as the referrer {attached}"));
    }
    Ok(told(image, &manifest, key, &signatures))
}

fn told(image: &ImageReference, manifest: &Manifest, key: &PrivateKey, signatures: &[String]) -> Value {
    json!({
        "reference": format!("oci:{}", image.with_digest(manifest.digest.clone())),
        "digest": manifest.digest.to_string(),
        "signer": format!("key {}", key.public_key().fingerprint()),
        "signatures": signatures,
    })
}

fn try_attest(arguments: &AttestArguments) -> Result<Value, Code> {
    let key = private_key(&arguments.key).map_err(|error| failed(&error))?;
    let image = image(&arguments.reference)?;
    let predicate = predicate(&arguments.predicate).map_err(|error| failed(&error))?;
    let supply = Supply::by_flags_for(&arguments.supply, true)?;
    let client = supply.client();
    let stating = async {
        let refused = |source| SignError::Registry {
            reference: Box::new(arguments.reference.clone()),
            source: Box::new(source),
        };
        let manifest = client.manifest(&image).await.map_err(refused)?;
        let bundle = key.attest(&manifest.digest, &arguments.predicate_type, predicate)?;
        let attached = attach_bundle(client, &image, &manifest, bundle, &arguments.predicate_type)
            .await
            .map_err(refused)?;
        let mut told = told(&image, &manifest, &key, &[format!("as the referrer {attached}")]);
        told["predicateType"] = json!(arguments.predicate_type);
        Ok(told)
    };
    block_on(stating)?.map_err(|error: SignError| failed(&error))
}

fn predicate(path: &Path) -> Result<Value, SignError> {
    let bytes = read(path, MOST_PREDICATE).map_err(|source| SignError::File {
        path: path.to_owned(),
        source,
    })?;
    serde_json::from_slice(&bytes).map_err(|source| SignError::Predicate {
        path: path.to_owned(),
        source,
    })
}

fn private_key(arguments: &KeyArguments) -> Result<PrivateKey, SignError> {
    let path = &arguments.key;
    let unreadable = |source| SignError::File {
        path: path.clone(),
        source,
    };
    let text = read(path, MOST_KEY).map_err(unreadable)?;
    let text = String::from_utf8_lossy(&text);
    let bad = |source| SignError::Key {
        path: path.clone(),
        source,
    };
    let password = if arguments.password_stdin {
        let mut text = String::new();
        io::stdin()
            .take(MOST_KEY)
            .read_to_string(&mut text)
            .map_err(unreadable)?;
        Some(text.trim_end_matches(['\n', '\r']).to_owned())
    } else {
        std::env::var(PASSWORD).ok()
    };
    match PrivateKey::from_pem(&text, password.as_deref().map(str::as_bytes)) {
        Err(PrivateKeyError::NoPassword) if io::stdin().is_terminal() => {
            let asked = rpassword::prompt_password(format!("password of {}: ", path.display()));
            PrivateKey::from_pem(&text, Some(asked.map_err(unreadable)?.as_bytes())).map_err(bad)
        }
        read => read.map_err(bad),
    }
}

fn failed(error: &SignError) -> Code {
    complain(error, Some(error.hint()));
    match error {
        SignError::Registry { .. } | SignError::Signing(_) => Code::Failure,
        _ => Code::CommandLine,
    }
}
