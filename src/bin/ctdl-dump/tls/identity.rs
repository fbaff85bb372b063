//! The certificate of a server.

use std::fs::{DirBuilder, File, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::{Fingerprint, provider};

/// Certificate and key that are made at the first start, in the state directory. Private: whoever has it can pass for this server.
const OWN: &str = "wire-identity.pem";
/// The name in a certificate of our own. Nobody looks at it: the fingerprint decides.
const NAME: &str = "ctdl-dump";

/// A certificate, and the key that proves it to be ours.
pub struct Identity {
    certificates: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    /// The certificate and key in these files (PEM), the server's own certificate first.
    pub fn from_files(certificate: &Path, key: &Path) -> Result<Self> {
        let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect);
        let certificates = found.with_context(|| format!("--certificate {} can't be read", certificate.display()))?;
        if certificates.is_empty() {
            bail!("--certificate {} holds no certificate", certificate.display());
        }
        let key =
            PrivateKeyDer::from_pem_file(key).with_context(|| format!("--key {} can't be read", key.display()))?;
        Ok(Identity { certificates, key })
    }

    /// The certificate of this machine's own, made now if there is none. Says whether it was made.
    pub fn own(state_directory: &Path) -> Result<(Self, bool)> {
        let path = state_directory.join(OWN);
        let is_new = !path.exists() && make(state_directory, &path)?;
        let mode = path.metadata().with_context(|| path.display().to_string())?.permissions().mode();
        if mode & 0o077 != 0 {
            bail!(
                "{} may be read by others (mode {:o}); remove it, and peers must accept a new one",
                path.display(),
                mode & 0o777
            );
        }
        Self::from_files(&path, &path).map(|identity| (identity, is_new))
    }

    /// What clients know this server by.
    pub fn fingerprint(&self) -> Fingerprint {
        self.certificates.first().map(Fingerprint::of).unwrap_or_default()
    }

    /// How connections are accepted with it.
    pub fn into_config(self) -> Result<Arc<ServerConfig>> {
        let builder =
            ServerConfig::builder_with_provider(provider()).with_protocol_versions(&[&rustls::version::TLS13])?;
        let config = builder.with_no_client_auth().with_single_cert(self.certificates, self.key);
        Ok(Arc::new(config.context("certificate and key don't fit together")?))
    }
}

/// Makes a certificate; `false` if another process has just done so.
fn make(directory: &Path, path: &Path) -> Result<bool> {
    let made = rcgen::generate_simple_self_signed([NAME.to_owned()]).context("no certificate can be made")?;
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .with_context(|| format!("{} can't be made", directory.display()))?;
    let what = || format!("{} can't be written", path.display());
    let mut file = tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o600))
        .tempfile_in(directory)
        .with_context(what)?;
    file.write_all(made.cert.pem().as_bytes()).with_context(what)?;
    file.write_all(made.signing_key.serialize_pem().as_bytes()).with_context(what)?;
    file.as_file().sync_all().with_context(what)?;
    match file.persist_noclobber(path) {
        Ok(_) => {
            File::open(directory).and_then(|directory| directory.sync_all()).with_context(what)?;
            Ok(true)
        }
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error.error).with_context(what),
    }
}
