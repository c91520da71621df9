//! The data directory: one kernel at a time, some space, and an identity.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::BootError;

/// What an engine needs for its database and log to begin with, in bytes.
pub(crate) const SPACE_NEEDED: u64 = 64 << 20;

/// The data directory, taken: nobody else gets it until this is dropped, however the process ends.
pub(crate) struct DataDir {
    path: PathBuf,
    id: String,
    _lock: File,
}

impl DataDir {
    /// Makes it where it is missing, and takes it.
    pub(crate) fn take(path: &Path) -> Result<Self, BootError> {
        for directory in ["engine", "logs"] {
            // Processes' data is nobody else's business.
            let mut builder = DirBuilder::new();
            let made = builder.recursive(true).mode(0o700).create(path.join(directory));
            made.map_err(at(path))?;
        }
        let path = path.canonicalize().map_err(at(path))?;
        let lock = lock(&path)?;
        let id = identity(&path)?;
        Ok(Self {
            path,
            id,
            _lock: lock,
        })
    }

    /// Its absolute path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Its identity, the same for as long as it exists: containers and volumes are labelled with it.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Whether there is enough space.
    pub(crate) fn check_space(&self) -> Result<(), BootError> {
        match free(&self.path) {
            Some(free) if free < SPACE_NEEDED => Err(BootError::DiskTooSmall {
                path: self.path.clone(),
                free,
                needed: SPACE_NEEDED,
            }),
            _ => Ok(()),
        }
    }
}

/// The space in bytes, where the system tells.
fn free(directory: &Path) -> Option<u64> {
    let about = rustix::fs::statvfs(directory).ok()?;
    Some(about.f_bavail.saturating_mul(about.f_frsize))
}

/// The lock's file tells whose it is, for the other's message.
fn lock(directory: &Path) -> Result<File, BootError> {
    let path = directory.join("kernel.lock");
    let mut options = OpenOptions::new();
    let mut file = options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(at(&path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let _ = file.read_to_string(&mut holder);
            return Err(BootError::DataDirInUse {
                path: directory.into(),
                process: holder.trim().parse().ok(),
            });
        }
        Err(TryLockError::Error(error)) => return Err(at(&path)(error)),
    }
    let note = |file: &mut File| {
        file.set_len(0)?;
        file.rewind()?;
        write!(file, "{}", std::process::id())
    };
    match note(&mut file) {
        // It is only for messages; the check of the space has better words for this.
        Err(error) if error.kind() != ErrorKind::StorageFull => Err(at(&path)(error)),
        _ => Ok(file),
    }
}

fn identity(directory: &Path) -> Result<String, BootError> {
    let path = directory.join("id");
    match std::fs::read_to_string(&path) {
        Ok(text) if Uuid::try_parse(text.trim()).is_ok() => return Ok(text.trim().to_owned()),
        // Another one in its place would leave the container's volume behind, and with it the database.
        Ok(_) => return Err(BootError::Identity(path)),
        Err(error) if error.kind() == ErrorKind::InvalidData => return Err(BootError::Identity(path)),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(at(&path)(error)),
    }
    let id = Uuid::new_v4().to_string();
    // Moved into place whole: with half an id the next start would take another, and with it another volume.
    let beside = directory.join("id.new");
    let write = || {
        let mut file = File::create(&beside)?;
        file.write_all(id.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&beside, &path)
    };
    match write() {
        Ok(()) => Ok(id),
        Err(error) if error.kind() == ErrorKind::StorageFull => Err(BootError::DiskTooSmall {
            path: directory.into(),
            free: free(directory).unwrap_or_default(),
            needed: SPACE_NEEDED,
        }),
        Err(error) => Err(at(&path)(error)),
    }
}

fn at(path: &Path) -> impl FnOnce(std::io::Error) -> BootError {
    let path = path.to_owned();
    move |source| BootError::DataDir { path, source }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn one_kernel_at_a_time() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("data");
        let first = DataDir::take(&path).unwrap();
        let error = DataDir::take(&path).err().unwrap();
        assert!(
            matches!(&error, BootError::DataDirInUse { process, .. } if *process == Some(std::process::id())),
            "{error}"
        );
        let mode = std::fs::metadata(path.join("engine"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o700, "the database is nobody else's business");
        let id = first.id().to_owned();
        drop(first);
        assert_eq!(DataDir::take(&path).unwrap().id(), id);
    }

    #[test]
    fn an_identity_is_never_replaced_nor_one_that_cannot_be_kept() {
        let data = tempfile::tempdir().unwrap();
        let id = data.path().join("id");
        for broken in ["", "4711", "\u{0}\u{0}"]
            .map(str::as_bytes)
            .into_iter()
            .chain([&b"\xff"[..]])
        {
            std::fs::write(&id, broken).unwrap();
            let error = DataDir::take(data.path()).err().unwrap().to_string();
            assert!(
                error.contains("/id") && error.contains("procos-engine-"),
                "{error}"
            );
            assert_eq!(std::fs::read(&id).unwrap(), broken);
        }
        std::fs::remove_file(&id).unwrap();
        std::os::unix::fs::symlink("/dev/full", data.path().join("id.new")).unwrap();
        let error = DataDir::take(data.path()).err().unwrap();
        assert!(matches!(&error, BootError::DiskTooSmall { .. }), "{error}");
    }

    #[test]
    fn a_file_in_its_place_is_named() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("data");
        std::fs::write(&path, "").unwrap();
        let error = DataDir::take(&path).err().unwrap().to_string();
        assert!(
            error.contains(path.to_str().unwrap()) && error.contains("--data-dir"),
            "{error}"
        );
    }
}
