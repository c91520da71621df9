//! The system's own passwords: made at the first boot, kept in the data directory.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rand::distr::{Alphanumeric, SampleString};
use secrecy::SecretString;

/// How many letters and digits a password has: 190 bits.
const LENGTH: usize = 32;

/// The system's own passwords. Each lies in a file of its own in `secrets/` below the data directory, mode 0600.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Of the person at Cockpit and Tasklist: `engine-admin-password`.
    pub admin: SecretString,
    /// Of the kernel: `engine-kernel-password`.
    pub kernel: SecretString,
    /// Of the workers: `engine-worker-password`.
    pub worker: SecretString,
    /// Of ProcOS's own HTTP port: `http-password`.
    pub http: SecretString,
    /// Whether any of them was made just now: the moment to show the administrator's.
    pub created: bool,
    /// Files that others could read until now.
    pub tightened: Vec<PathBuf>,
}

/// Passwords that cannot be read or made.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// No kernel has used the data directory yet.
    #[error("there is no password in {}; boot once with `procos up`, or choose the data directory with --data-dir", .0.display())]
    Missing(PathBuf),
    /// A file without a password.
    #[error("{} is empty; delete it, and the next boot makes a new password", .0.display())]
    Empty(PathBuf),
    /// The file system says no.
    #[error("cannot use the password file {}: {source}", .path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the file system says.
        source: std::io::Error,
    },
}

impl Credentials {
    /// Reads the passwords of a data directory, and makes those that are not there yet.
    ///
    /// # Errors
    /// Where the file system does not allow it, or a file holds no password.
    pub fn load_or_create(data_dir: &Path) -> Result<Self, CredentialsError> {
        let directory = data_dir.join("secrets");
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&directory)
            .map_err(at(&directory))?;
        // Two that boot at once must not replace each other's passwords: the second waits, and reads the first's.
        let _turn = File::open(&directory).and_then(|directory| directory.lock().map(|()| directory));
        Self::collect(&directory, true)
    }

    /// Reads the passwords of a data directory that a kernel has used before.
    ///
    /// # Errors
    /// Where one is not there, or cannot be read.
    pub fn load(data_dir: &Path) -> Result<Self, CredentialsError> {
        Self::collect(&data_dir.join("secrets"), false)
    }

    fn collect(directory: &Path, create: bool) -> Result<Self, CredentialsError> {
        let (mut created, mut tightened) = (false, Vec::new());
        let mut password = |name: &str| {
            let file = directory.join(name);
            match read(&file, &mut tightened) {
                Err(CredentialsError::Missing(_)) if create => {
                    created = true;
                    make(&file)?;
                    read(&file, &mut tightened)
                }
                other => other,
            }
        };
        Ok(Self {
            admin: password("engine-admin-password")?,
            kernel: password("engine-kernel-password")?,
            worker: password("engine-worker-password")?,
            http: password("http-password")?,
            created,
            tightened,
        })
    }
}

fn read(path: &Path, tightened: &mut Vec<PathBuf>) -> Result<SecretString, CredentialsError> {
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(CredentialsError::Missing(path.into()));
        }
        other => other.map_err(at(path))?,
    };
    if file.metadata().map_err(at(path))?.permissions().mode() & 0o077 != 0 {
        file.set_permissions(Permissions::from_mode(0o600))
            .map_err(at(path))?;
        tightened.push(path.into());
    }
    let text = std::io::read_to_string(file).map_err(at(path))?;
    match text.trim() {
        "" => Err(CredentialsError::Empty(path.into())),
        password => Ok(password.to_owned().into()),
    }
}

/// Written beside and moved into place: a crash leaves the whole password or none.
fn make(path: &Path) -> Result<(), CredentialsError> {
    let beside = path.with_extension("new");
    let write = || {
        let _ = std::fs::remove_file(&beside);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&beside)?;
        let password = Alphanumeric.sample_string(&mut rand::rng(), LENGTH);
        file.write_all(password.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&beside, path)
    };
    write().map_err(at(path))
}

fn at(path: &Path) -> impl FnOnce(std::io::Error) -> CredentialsError {
    let path = path.to_owned();
    move |source| CredentialsError::Io { path, source }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn made_once_and_for_their_owner_only() {
        let data = tempfile::tempdir().unwrap();
        let first = Credentials::load_or_create(data.path()).unwrap();
        assert!(first.created);
        assert_eq!(mode(&data.path().join("secrets")), 0o700);
        let mut passwords = std::collections::BTreeSet::new();
        for (name, password) in [
            ("engine-admin-password", &first.admin),
            ("engine-kernel-password", &first.kernel),
            ("engine-worker-password", &first.worker),
            ("http-password", &first.http),
        ] {
            assert_eq!(mode(&data.path().join("secrets").join(name)), 0o600, "{name}");
            let password = password.expose_secret();
            assert!(password.len() >= 24 && password.chars().all(|c| c.is_ascii_alphanumeric()));
            assert!(passwords.insert(password.to_owned()), "{name} is another's");
        }
        let second = Credentials::load_or_create(data.path()).unwrap();
        assert!(!second.created);
        assert_eq!(second.admin.expose_secret(), first.admin.expose_secret());
        assert!(!format!("{first:?}").contains(first.admin.expose_secret()));
    }

    #[test]
    fn a_file_that_others_can_read_is_tightened() {
        let data = tempfile::tempdir().unwrap();
        Credentials::load_or_create(data.path()).unwrap();
        let file = data.path().join("secrets/http-password");
        std::fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        assert_eq!(
            Credentials::load(data.path()).unwrap().tightened.as_slice(),
            std::slice::from_ref(&file)
        );
        assert_eq!(mode(&file), 0o600);
    }

    #[test]
    fn a_missing_and_an_empty_file_are_named() {
        let data = tempfile::tempdir().unwrap();
        let missing = Credentials::load(data.path()).unwrap_err().to_string();
        assert!(
            missing.contains("engine-admin-password") && missing.contains("procos up"),
            "{missing}"
        );
        Credentials::load_or_create(data.path()).unwrap();
        std::fs::write(data.path().join("secrets/engine-worker-password"), "\n").unwrap();
        let empty = Credentials::load_or_create(data.path()).unwrap_err().to_string();
        assert!(empty.contains("engine-worker-password"), "{empty}");
    }
}
