//! Files that fit together, ready to serve with.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, ParsedCertificate, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SigningKey};
use rustls::{RootCertStore, ServerConfig};

use crate::certificate::Certificate;
use crate::error::LoadError;
use crate::files::{Contents, ContentsDigest, FileContents, TlsFile};
use crate::pem;
use crate::settings::ServerTlsSettings;
use crate::store::CertificateStore;
use crate::timestamp::Timestamp;
use crate::warning::{self, Warning};

/// The most bytes of subjects of CAs that clients are told. TLS has no room for more than 64 KiB, and few clients look at them.
const MOST_SUBJECTS: usize = 16 * 1024;

/// The rights of users who are neither the owner nor of the group: to read and to write.
const OTHERS: u32 = 0o006;

/// Files that fit together, ready to serve with. Never changed: a reload makes another.
pub(crate) struct Loaded {
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) digest: ContentsDigest,
    pub(crate) loaded_at: Timestamp,
    /// The server's certificate, then the rest of its chain.
    pub(crate) chain: Vec<Certificate>,
    pub(crate) client_cas: Vec<Certificate>,
    certificate_file: TlsFile,
    /// The files of client CAs, each with how many of `client_cas` are from it.
    client_ca_files: Vec<(TlsFile, usize)>,
    /// Those that do not depend on the time.
    warnings: Vec<Warning>,
}

impl Loaded {
    /// Reads the PEM of the files, and finds out whether they fit together.
    pub(crate) fn from_contents(
        settings: &ServerTlsSettings,
        contents: &Contents,
    ) -> Result<Loaded, LoadError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let chain = pem::certificates(&contents.certificate)?;
        let shown: Vec<Certificate> = chain.iter().map(|der| Certificate::of(der)).collect();
        let key = certified_key(contents, chain, &provider)?;
        let clients = Clients::from_bundles(&contents.client_ca, &provider)?;
        let (verifier, client_cas, client_ca_files) = match clients {
            Some(clients) => (Some(clients.verifier), clients.shown, clients.files),
            None => (None, Vec::new(), Vec::new()),
        };
        let config = config(settings, provider, key, verifier).map_err(|error| LoadError::SetUp {
            certificate: contents.certificate.file.clone(),
            reason: reason(error),
        })?;
        Ok(Loaded {
            config: Arc::new(config),
            digest: contents.digest(),
            loaded_at: Timestamp::now(),
            warnings: lasting_warnings(contents, &shown),
            chain: shown,
            client_cas,
            certificate_file: contents.certificate.file.clone(),
            client_ca_files,
        })
    }

    /// What is odd about the files at this moment.
    pub(crate) fn warnings(&self, now: Timestamp) -> Vec<Warning> {
        let mut warnings = warning::of_dates(&self.certificate_file, &self.chain, now);
        let mut rest = &self.client_cas[..];
        for (file, count) in &self.client_ca_files {
            let (of_file, others) = rest.split_at(*count);
            warnings.extend(warning::of_dates(file, of_file, now));
            rest = others;
        }
        warnings.extend(self.warnings.iter().cloned());
        warnings
    }
}

fn lasting_warnings(contents: &Contents, chain: &[Certificate]) -> Vec<Warning> {
    let key = &contents.key;
    let open_key = (key.mode & OTHERS != 0).then(|| Warning::OpenKey {
        file: key.file.clone(),
        mode: key.mode,
    });
    let nameless = |certificate: &Certificate| certificate.validity.is_some() && certificate.names.is_empty();
    let no_names = chain.first().is_some_and(nameless).then(|| Warning::NoNames {
        file: contents.certificate.file.clone(),
    });
    open_key.into_iter().chain(no_names).collect()
}

/// The chain with the key of its first certificate.
fn certified_key(
    contents: &Contents,
    chain: Vec<CertificateDer<'static>>,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, LoadError> {
    let certificate = &contents.certificate.file;
    for (position, der) in (1..).zip(&chain) {
        ParsedCertificate::try_from(der)
            .map_err(|error| bad_certificate(&contents.certificate, position, error))?;
    }
    let der = pem::private_key(&contents.key)?;
    let key = provider
        .key_provider
        .load_private_key(der)
        .map_err(|error| LoadError::BadKey {
            file: contents.key.file.clone(),
            reason: reason(error),
        })?;
    let certified = CertifiedKey::new(chain, key);
    if certified.keys_match().is_ok() {
        return Ok(certified);
    }
    Err(LoadError::KeyMismatch {
        certificate: certificate.clone(),
        key: contents.key.file.clone(),
        fits: position_of(&*certified.key, &certified.cert),
    })
}

/// Which certificate a key belongs to, from 1.
fn position_of(key: &dyn SigningKey, certificates: &[CertificateDer<'_>]) -> Option<usize> {
    let public = key.public_key()?;
    let fits = |der: &CertificateDer<'_>| {
        ParsedCertificate::try_from(der).is_ok_and(|parsed| parsed.subject_public_key_info() == public)
    };
    certificates.iter().position(fits).map(|index| index + 1)
}

/// Whose clients are let in.
struct Clients {
    verifier: Arc<dyn ClientCertVerifier>,
    shown: Vec<Certificate>,
    /// The files, each with how many of `shown` are from it.
    files: Vec<(TlsFile, usize)>,
}

impl Clients {
    /// The CAs of all files together; none where there are no files.
    fn from_bundles(
        bundles: &[FileContents],
        provider: &Arc<CryptoProvider>,
    ) -> Result<Option<Clients>, LoadError> {
        let Some(first) = bundles.first() else {
            return Ok(None);
        };
        let mut roots = RootCertStore::empty();
        let mut shown = Vec::new();
        let mut files = Vec::with_capacity(bundles.len());
        for bundle in bundles {
            let before = shown.len();
            for (position, der) in (1..).zip(pem::certificates(bundle)?) {
                shown.push(Certificate::of(&der));
                roots
                    .add(der)
                    .map_err(|error| bad_certificate(bundle, position, error))?;
            }
            files.push((bundle.file.clone(), shown.len() - before));
        }
        let subjects: usize = roots
            .subjects()
            .iter()
            .map(|subject| subject.as_ref().len() + 2)
            .sum();
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
        let builder = if subjects > MOST_SUBJECTS {
            builder.clear_root_hint_subjects()
        } else {
            builder
        };
        let verifier = builder.build().map_err(|error| LoadError::SetUp {
            certificate: first.file.clone(),
            reason: error.to_string(),
        })?;
        Ok(Some(Clients {
            verifier,
            shown,
            files,
        }))
    }
}

fn config(
    settings: &ServerTlsSettings,
    provider: Arc<CryptoProvider>,
    key: CertifiedKey,
    verifier: Option<Arc<dyn ClientCertVerifier>>,
) -> Result<ServerConfig, rustls::Error> {
    let builder = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(settings.minimum_version.and_newer())?;
    let shows_certificates = verifier.is_some();
    let builder = match verifier {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(Arc::new(CertificateStore::of(key)));
    let names = settings
        .alpn
        .iter()
        .map(|protocol| protocol.name().as_bytes().to_vec());
    config.alpn_protocols = names.collect();
    if shows_certificates {
        // Who resumes would be let in without a look at the certificate's dates.
        config.session_storage = Arc::new(NoServerSessionStorage {});
    }
    Ok(config)
}

fn bad_certificate(contents: &FileContents, position: usize, error: rustls::Error) -> LoadError {
    LoadError::BadCertificate {
        file: contents.file.clone(),
        position,
        reason: reason(error),
    }
}

/// The library's words, without those that speak of a peer: these are our own files.
fn reason(error: rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(error) => error.to_string(),
        rustls::Error::General(text) => text,
        error => error.to_string(),
    }
}
