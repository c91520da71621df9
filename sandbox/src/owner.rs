//! Which sandboxes live: a note for each, locked as long as it does.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// The folder of the notes, in the state directory.
const NOTES: &str = "sandbox-owners";

/// A sandbox that lives. Dropped, its note goes.
#[derive(Debug)]
pub(crate) struct Owner {
    id: String,
    path: PathBuf,
    _lock: File,
}

impl Owner {
    /// Notes a new one.
    pub(crate) fn register(state_dir: &Path) -> io::Result<Self> {
        let folder = state_dir.join(NOTES);
        fs::create_dir_all(&folder)?;
        let id = format!("{:016x}", rand::random::<u64>());
        let path = folder.join(&id);
        let lock = File::create(&path)?;
        // Nobody else has heard of this id; who looks for the dead may hold it for a moment.
        lock.lock()?;
        Ok(Self { id, path, _lock: lock })
    }

    /// Its id.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Those that have been noted and live no more.
    pub(crate) fn dead(state_dir: &Path) -> io::Result<Vec<DeadOwner>> {
        let mut dead = Vec::new();
        for entry in fs::read_dir(state_dir.join(NOTES))?.flatten() {
            let file = File::open(entry.path())?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => continue,
                Err(TryLockError::Error(error)) => return Err(error),
            }
            // Its owner may have gone in order meanwhile, and its note with it.
            if entry.path().exists() {
                let id = entry.file_name().to_string_lossy().into_owned();
                dead.push(DeadOwner { id, path: entry.path(), _lock: file });
            }
        }
        Ok(dead)
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// One that lives no more, and whose remains are ours to remove.
#[derive(Debug)]
pub(crate) struct DeadOwner {
    id: String,
    path: PathBuf,
    _lock: File,
}

impl DeadOwner {
    /// Its id.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Takes the note away, once nothing is left of it.
    pub(crate) fn forget(self) {
        let _ = fs::remove_file(&self.path);
    }
}
