//! A server's files, in a directory that goes with the test.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use wharf_tls::{AlpnProtocol, LoadError, ReloadReport, ServerTls, ServerTlsSettings};

use crate::pki::{Ca, Identity};

pub(crate) struct Site {
    directory: TempDir,
    pub(crate) settings: ServerTlsSettings,
}

impl Site {
    /// A directory without files.
    pub(crate) fn empty() -> Site {
        let directory = tempfile::tempdir().unwrap();
        let settings = ServerTlsSettings {
            alpn: vec![AlpnProtocol::H2, AlpnProtocol::Http11],
            ..ServerTlsSettings::new(directory.path().join("tls.crt"), directory.path().join("tls.key"))
        };
        Site { directory, settings }
    }

    pub(crate) fn of(identity: &Identity) -> Site {
        let site = Site::empty();
        site.write(identity);
        site
    }

    /// Clients need a certificate of one of these CAs.
    pub(crate) fn mutual(identity: &Identity, cas: &[&Ca]) -> Site {
        let mut site = Site::of(identity);
        site.settings.client_ca = vec![site.path("ca.crt")];
        site.write_cas(cas);
        site
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes certificate and key in place.
    pub(crate) fn write(&self, identity: &Identity) {
        self.write_certificate(&identity.pem);
        self.write_key(&identity.key_pem);
    }

    pub(crate) fn write_certificate(&self, bytes: impl AsRef<[u8]>) {
        fs::write(&self.settings.certificate, bytes).unwrap();
    }

    pub(crate) fn write_key(&self, bytes: impl AsRef<[u8]>) {
        write_private(&self.settings.key, bytes.as_ref());
    }

    pub(crate) fn write_cas(&self, cas: &[&Ca]) {
        let bundle: String = cas.iter().map(|ca| ca.pem.as_str()).collect();
        fs::write(self.path("ca.crt"), bundle).unwrap();
    }

    /// Writes certificate and key beside those that are there, and renames the new ones over the old ones.
    pub(crate) fn rename(&self, identity: &Identity) {
        for (path, text) in [
            (&self.settings.certificate, &identity.pem),
            (&self.settings.key, &identity.key_pem),
        ] {
            let new = path.with_extension("new");
            write_private(&new, text.as_bytes());
            fs::rename(new, path).unwrap();
        }
    }

    /// Writes the files as Kubernetes mounts a secret: `tls.crt` leads to `..data/tls.crt`, and `..data` to a directory
    /// that a new one replaces as a whole.
    pub(crate) fn swap(&self, version: &str, identity: &Identity) {
        let directory = self.path(version);
        fs::create_dir(&directory).unwrap();
        write_private(&directory.join("tls.crt"), identity.pem.as_bytes());
        write_private(&directory.join("tls.key"), identity.key_pem.as_bytes());
        symlink(version, self.path("..data_tmp")).unwrap();
        fs::rename(self.path("..data_tmp"), self.path("..data")).unwrap();
        for name in ["tls.crt", "tls.key"] {
            if !self.path(name).is_symlink() {
                symlink(Path::new("..data").join(name), self.path(name)).unwrap();
            }
        }
    }

    pub(crate) fn load(&self) -> ServerTls {
        ServerTls::load(self.settings.clone()).unwrap()
    }

    #[track_caller]
    pub(crate) fn load_error(&self) -> LoadError {
        ServerTls::load(self.settings.clone()).unwrap_err()
    }

    /// A text that has the directory's path, without it.
    pub(crate) fn without_path(&self, text: &str) -> String {
        text.replace(&self.directory.path().display().to_string(), "DIR")
    }
}

fn write_private(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// Two looks, the second of which decides.
pub(crate) fn look_twice(tls: &ServerTls) -> ReloadReport {
    let first = tls.look();
    assert!(matches!(first, ReloadReport::Unsettled), "{first:?}");
    tls.look()
}

/// Two looks that take the files.
#[track_caller]
pub(crate) fn reload(tls: &ServerTls) {
    let report = look_twice(tls);
    assert!(matches!(report, ReloadReport::Reloaded(_)), "{report:?}");
}
