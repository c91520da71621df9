//! Which sandboxes live: a note for each, locked as long as it does.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// The folder of the notes, in the state directory.
const NOTES: &str = "sandbox-owners";

/// A sandbox that lives. Dropped, its note goes, unless it leaves something behind.
#[derive(Debug)]
pub(crate) struct Owner {
    id: String,
    path: PathBuf,
    note_stays: AtomicBool,
    _lock: File,
}

impl Owner {
    /// Notes a new one.
    pub(crate) fn register(state_dir: &Path) -> io::Result<Self> {
        let folder = state_dir.join(NOTES);
        fs::create_dir_all(&folder)?;
        loop {
            let id = format!("{:016x}", rand::random::<u64>());
            let path = folder.join(&id);
            // Whoever can read it can lock it.
            let lock = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path)?;
            lock.lock()?;
            // Somebody who looks for the dead may have found it before it was locked, and taken the note away.
            if path.exists() {
                return Ok(Self {
                    id,
                    path,
                    note_stays: AtomicBool::new(false),
                    _lock: lock,
                });
            }
        }
    }

    /// Its id.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Says that something is left behind, so that the note has to stay for who looks for it.
    pub(crate) fn leaves_something(&self) {
        self.note_stays.store(true, Ordering::Relaxed);
    }

    /// Those that have been noted and live no more.
    pub(crate) fn dead(state_dir: &Path) -> io::Result<Vec<DeadOwner>> {
        let mut dead = Vec::new();
        for entry in fs::read_dir(state_dir.join(NOTES))?.flatten() {
            let file = match File::open(entry.path()) {
                Ok(file) => file,
                // It has gone in order meanwhile, and its note with it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => continue,
                Err(TryLockError::Error(error)) => return Err(error),
            }
            if entry.path().exists() {
                let id = entry.file_name().to_string_lossy().into_owned();
                dead.push(DeadOwner {
                    id,
                    path: entry.path(),
                    _lock: file,
                });
            }
        }
        Ok(dead)
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        if !*self.note_stays.get_mut() {
            let _ = fs::remove_file(&self.path);
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(state_dir: &Path) -> Vec<String> {
        let dead = Owner::dead(state_dir).unwrap();
        dead.iter().map(|dead| dead.id().to_owned()).collect()
    }

    #[test]
    fn who_lives_is_not_dead_and_who_went_in_order_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let owner = Owner::register(folder.path()).unwrap();
        assert!(ids(folder.path()).is_empty());
        drop(owner);
        assert!(ids(folder.path()).is_empty());
        assert_eq!(fs::read_dir(folder.path().join(NOTES)).unwrap().count(), 0);
    }

    #[test]
    fn who_left_something_is_found_until_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let owner = Owner::register(folder.path()).unwrap();
        let id = owner.id().to_owned();
        owner.leaves_something();
        drop(owner);
        let dead = Owner::dead(folder.path()).unwrap();
        assert_eq!(dead.iter().map(DeadOwner::id).collect::<Vec<_>>(), [&id]);
        // Whoever looks meanwhile leaves it to the first.
        assert!(ids(folder.path()).is_empty());
        drop(dead);
        assert_eq!(ids(folder.path()), [id]);
        Owner::dead(folder.path())
            .unwrap()
            .into_iter()
            .for_each(DeadOwner::forget);
        assert!(ids(folder.path()).is_empty());
    }
}
