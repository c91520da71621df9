//! What the end of an engine means: from its exit status and the last lines of its log.
//!
//! The texts are those of OpenJDK 17, H2 2.3, PostgreSQL's driver 42.7 and the project's own engine, which prints
//! the causes of a failed boot one a line, the root cause last. They are read for the message alone: what the
//! kernel does about a death does not depend on them.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::{BootError, LogTail, listen};

/// How an engine ended.
#[derive(Clone, Debug)]
pub(crate) struct Exit {
    /// Its exit code; none where a signal ended it.
    pub(crate) code: Option<i32>,
    /// The same in words.
    pub(crate) status: String,
}

/// What is known of the engine besides.
#[derive(Clone, Debug)]
pub(crate) struct About {
    /// `java`, or the image.
    pub(crate) program: String,
    /// The jar, or the image.
    pub(crate) jar: PathBuf,
    /// Where it was to listen.
    pub(crate) address: SocketAddr,
    /// Its database, without parameters.
    pub(crate) database: String,
    /// The data directory.
    pub(crate) data_dir: PathBuf,
}

/// Says why.
pub(crate) fn explain(exit: &Exit, about: &About, log: LogTail) -> BootError {
    let said = |marks: &[&str]| {
        let mut lines = log.lines.iter().rev();
        let line = lines.find(|line| marks.iter().any(|mark| line.contains(mark)))?;
        Some(sentence(line))
    };
    let url = about.database.clone();
    if said(&[
        "corrupt jarfile",
        "Unable to access jarfile",
        "no main manifest attribute",
        "Could not find or load main class",
    ])
    .is_some()
    {
        return BootError::JarBroken {
            jar: about.jar.clone(),
            log,
        };
    }
    if let Some(said) = said(&["UnsupportedClassVersionError"]) {
        return BootError::JavaBroken {
            program: about.program.clone(),
            said,
        };
    }
    if let Some(said) = said(&[
        "Unrecognized VM option",
        "Unrecognized option",
        "Invalid maximum heap size",
        "Invalid initial heap size",
        "Conflicting collector",
    ]) {
        return BootError::JavaFlags {
            program: about.program.clone(),
            said,
            log,
        };
    }
    if let Some(said) = said(&[
        "Could not reserve enough space",
        "insufficient memory",
        "OutOfMemoryError",
        "Cannot allocate memory",
    ]) {
        return BootError::OutOfMemory { said, log };
    }
    if said(&["No space left on device", "Disk full", "could not extend file"]).is_some() {
        return BootError::DiskFull {
            path: about.data_dir.clone(),
            log,
        };
    }
    if said(&[
        "Address already in use",
        "PortInUseException",
        "was already in use",
    ])
    .is_some()
    {
        return listen::in_use(about.address);
    }
    if said(&["Database may be already in use", "OverlappingFileLockException"]).is_some() {
        return BootError::DatabaseLocked { url, log };
    }
    if let Some(said) = said(&[
        "authentication failed",
        "Wrong user name or password",
        "no pg_hba.conf entry",
    ]) {
        return BootError::DatabaseLogin { url, said, log };
    }
    if let Some(said) = said(&[
        "PSQLException",
        "JdbcSQLNonTransientConnectionException",
        "SQLTransientConnectionException",
        "UnknownHostException",
    ]) {
        return BootError::DatabaseUnreachable { url, said, log };
    }
    if exit.code == Some(2)
        && let Some(said) = said(&["settings: "])
    {
        return BootError::EngineSettings { said, log };
    }
    BootError::EngineDied {
        status: exit.status.clone(),
        log,
    }
}

/// A line of the log without time, level, logger and Java's class names: what a person can use of it.
fn sentence(line: &str) -> String {
    let line = line.trim().trim_end_matches('.');
    let message = line.split_once(" - ").map_or(line, |(_, message)| message);
    let message = message
        .strip_prefix("engine failed to start: ")
        .unwrap_or(message);
    let mut parts = message.split(": ").skip_while(|part| is_class(part)).peekable();
    match parts.peek() {
        None => message.to_owned(),
        Some(_) => parts.collect::<Vec<_>>().join(": "),
    }
}

fn is_class(part: &str) -> bool {
    part.contains('.')
        && part
            .split('.')
            .all(|name| name.chars().all(|c| c.is_alphanumeric() || c == '$' || c == '_') && !name.is_empty())
}
