//! Certificates for the server of policies, in a folder as Kubernetes mounts a Secret: its files are links through one link
//! that is swapped when they change.

use std::cell::Cell;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

/// An authority.
pub(crate) struct Ca {
    pub(crate) pem: String,
    pub(crate) der: Vec<u8>,
    issuer: Issuer<'static, KeyPair>,
}

impl Ca {
    /// # Errors
    /// When none can be made.
    pub(crate) fn new(name: &str) -> Result<Self, rcgen::Error> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?;
        Ok(Self {
            pem: certificate.pem(),
            der: certificate.der().to_vec(),
            issuer: Issuer::new(params, key),
        })
    }

    /// The certificate of a server and its key.
    fn issue(&self, names: &[String]) -> Result<(String, String), rcgen::Error> {
        let mut params = CertificateParams::new(names.to_vec())?;
        params.distinguished_name.push(DnType::CommonName, "wharf");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok((certificate.pem(), key.serialize_pem()))
    }
}

/// The folder.
pub(crate) struct Mount {
    folder: PathBuf,
    names: Vec<String>,
    versions: Cell<u32>,
}

impl Mount {
    /// A folder with a certificate for these names.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn new(folder: PathBuf, names: Vec<String>, ca: &Ca) -> Result<Self, String> {
        let written = |error: std::io::Error| format!("{}: {error}", folder.display());
        fs::create_dir_all(&folder).map_err(written)?;
        for file in ["tls.crt", "tls.key"] {
            symlink(Path::new("..data").join(file), folder.join(file)).map_err(written)?;
        }
        let mount = Self {
            folder,
            names,
            versions: Cell::new(0),
        };
        mount.swap(ca)?;
        Ok(mount)
    }

    /// Puts a new certificate in the place of the other, all at once.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn swap(&self, ca: &Ca) -> Result<(), String> {
        self.versions.set(self.versions.get() + 1);
        let (certificate, key) = ca.issue(&self.names).map_err(|error| error.to_string())?;
        let version = format!("..version-{}", self.versions.get());
        let swap = || {
            let inside = self.folder.join(&version);
            fs::create_dir(&inside)?;
            fs::write(inside.join("tls.crt"), certificate)?;
            fs::write(inside.join("tls.key"), key)?;
            let next = self.folder.join("..data_tmp");
            symlink(&version, &next)?;
            fs::rename(next, self.folder.join("..data"))
        };
        swap().map_err(|error| format!("{}: {error}", self.folder.display()))
    }

    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.join("tls.crt")
    }

    pub(crate) fn key(&self) -> PathBuf {
        self.folder.join("tls.key")
    }
}
