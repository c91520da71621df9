//! The launcher's socket: one launcher alone has it, and from its first moment only its group may use it.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

/// Who may connect: the owner, and the group that workers are put into.
const MODE: u32 = 0o660;

/// The launcher cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum LauncherError {
    /// Another one does.
    #[error("another launcher serves {}: stop it first, or name another socket in sandbox.launcher", .0.display())]
    AlreadyRunning(PathBuf),
    /// There is something that is no socket.
    #[error("{} is there already and is no socket: name another path in sandbox.launcher", .0.display())]
    NoSocket(PathBuf),
    /// The socket cannot be made.
    #[error(
        "cannot listen on {}: {said}; it needs a folder that this user can write to, named in sandbox.launcher",
        path.display()
    )]
    Socket {
        /// Where.
        path: PathBuf,
        /// What the system says.
        said: String,
    },
}

/// A socket that is ours. Dropped, its file goes.
#[derive(Debug)]
pub(super) struct Socket {
    path: PathBuf,
    _lock: File,
}

impl Socket {
    /// Listens there, in the place of a dead launcher's socket but not of a living one's.
    pub(super) fn bind(path: &Path) -> Result<(Self, UnixListener), LauncherError> {
        let failed = |error: io::Error| LauncherError::Socket {
            path: path.to_owned(),
            said: error.to_string(),
        };
        // A lock tells the living from the dead without asking them. Its file stays: who removes it while somebody else waits
        // for it gives it to both.
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            // Whoever can read it can lock it.
            .mode(0o600)
            .open(beside(path, "lock"))
            .map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LauncherError::AlreadyRunning(path.to_owned())),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        match fs::symlink_metadata(path) {
            Ok(found) if !found.file_type().is_socket() => {
                return Err(LauncherError::NoSocket(path.to_owned()));
            }
            _ => {}
        }
        let listener = bind_privately(path).map_err(failed)?;
        let path = path.to_owned();
        Ok((Self { path, _lock: lock }, listener))
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Binds where nobody else gets in, and moves the socket to its place when its mode is right: bound there, it would be open for a
/// moment to whom the umask lets in.
fn bind_privately(path: &Path) -> io::Result<UnixListener> {
    let folder = beside(path, "new");
    // Of one that was killed just here.
    let _ = fs::remove_dir_all(&folder);
    DirBuilder::new().mode(0o700).create(&folder)?;
    let bound = || {
        let socket = folder.join("s");
        let listener = UnixListener::bind(&socket)?;
        fs::set_permissions(&socket, Permissions::from_mode(MODE))?;
        fs::rename(&socket, path)?;
        Ok(listener)
    };
    let bound = bound();
    let _ = fs::remove_dir_all(&folder);
    bound
}

fn beside(path: &Path, what: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(what);
    name.into()
}
