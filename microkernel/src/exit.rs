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
        "accessing the database connection",
    ]) {
        return BootError::DatabaseUnreachable { url, said, log };
    }
    if exit.code == Some(2)
        && let Some(said) = said(&["settings: "])
    {
        let said = said.trim_start_matches("settings: ").to_owned();
        return BootError::EngineSettings { said, log };
    }
    BootError::EngineDied {
        status: exit.status.clone(),
        log,
    }
}

/// A line of the log without time, level, logger and Java's classes: what a person can use of it.
fn sentence(line: &str) -> String {
    let line = line.trim().trim_end_matches('.');
    let message = line.split_once(" - ").map_or(line, |(_, message)| message);
    let message = message
        .strip_prefix("engine failed to start: ")
        .unwrap_or(message);
    match message.split_once(": ") {
        Some((class, host)) if class.ends_with("UnknownHostException") => format!("unknown host {host}"),
        Some((class, rest)) if class.contains('.') && !class.contains(' ') => rest.to_owned(),
        _ => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The last lines of a log as the real programs wrote them, and what is made of them.
    fn explained(code: i32, lines: &str) -> BootError {
        let about = About {
            program: "/usr/bin/java".into(),
            jar: "engine.jar".into(),
            address: "127.0.0.1:1".parse().unwrap(),
            database: "jdbc:postgresql://db/procos".into(),
            data_dir: "data".into(),
        };
        let exit = Exit {
            code: Some(code),
            status: format!("exit status: {code}"),
        };
        let log = LogTail {
            file: "data/logs/engine.log".into(),
            lines: lines.lines().map(str::to_owned).collect(),
        };
        explain(&exit, &about, log)
    }

    const START: &str = "2026-11-21T06:23:23.740Z ERROR org.procos.engine - engine failed to start: ";

    #[test]
    fn databases_that_do_not_let_in_or_do_not_answer() {
        let error = explained(
            1,
            &format!(
                "{START}org.postgresql.util.PSQLException: FATAL: password authentication failed for user \"postgres\""
            ),
        );
        assert_eq!(
            error.to_string(),
            "the database jdbc:postgresql://db/procos does not let the engine in: FATAL: password authentication failed for user \"postgres\"; check engine.database.username and password"
        );
        for (line, wanted) in [
            (
                "org.postgresql.util.PSQLException: FATAL: database \"nope\" does not exist",
                "FATAL: database \"nope\" does not exist",
            ),
            (
                "java.net.UnknownHostException: nowhere.invalid",
                "unknown host nowhere.invalid",
            ),
            (
                "org.camunda.bpm.engine.ProcessEngineException: ENGINE-12012 Exception on accessing the database connection: Error while creating file \"/proc/nope\" [90062-232]",
                "ENGINE-12012 Exception on accessing the database connection: Error while creating file \"/proc/nope\" [90062-232]",
            ),
        ] {
            let error = explained(1, &format!("{START}{line}"));
            assert!(
                matches!(&error, BootError::DatabaseUnreachable { said, .. } if said == wanted),
                "{error:?}"
            );
        }
        let error = explained(
            1,
            &format!(
                "{START}org.h2.jdbc.JdbcSQLNonTransientConnectionException: Database may be already in use: \"/data/engine/engine.mv.db\". Possible solutions: close all other connection(s); use the server mode [90020-232]"
            ),
        );
        assert!(matches!(error, BootError::DatabaseLocked { .. }), "{error:?}");
    }

    #[test]
    fn a_full_disk_and_a_port_that_somebody_took_after_the_check() {
        let error = explained(
            1,
            "2026-11-21T06:12:03.917Z ERROR org.procos.engine.database - SchemaOperationsProcessEngineBuild: java.io.IOException: No space left on device",
        );
        assert!(matches!(error, BootError::DiskFull { .. }), "{error:?}");
        let error = explained(
            1,
            &format!(
                "{START}org.springframework.boot.web.server.PortInUseException: Port 18141 is already in use\n{START}java.net.BindException: Address already in use"
            ),
        );
        assert!(matches!(error, BootError::PortInUse { .. }), "{error:?}");
    }

    #[test]
    fn what_the_jvm_says() {
        let error = explained(
            1,
            "Exception in thread \"main\" java.lang.OutOfMemoryError: Java heap space",
        );
        assert!(matches!(error, BootError::OutOfMemory { .. }), "{error:?}");
        let error = explained(1, "Error: Invalid or corrupt jarfile engine.jar");
        assert!(matches!(error, BootError::JarBroken { .. }), "{error:?}");
        let error = explained(
            1,
            "Invalid maximum heap size: -Xmx1x\nError: Could not create the Java Virtual Machine.",
        );
        assert!(
            matches!(&error, BootError::JavaFlags { said, .. } if said == "Invalid maximum heap size: -Xmx1x"),
            "{error:?}"
        );
    }

    #[test]
    fn settings_that_the_engine_does_not_take_and_an_end_without_a_known_reason() {
        let line = "settings: 'database.url' must start with jdbc:h2: or jdbc:postgresql:";
        assert_eq!(
            explained(2, line).to_string(),
            format!(
                "the engine does not take its settings: {}",
                &line["settings: ".len()..]
            )
        );
        let error = explained(1, "something new");
        assert_eq!(
            error.to_string(),
            "the engine ended (exit status: 1); the end of its log, data/logs/engine.log, may say why"
        );
        assert_eq!(error.log().unwrap().lines, ["something new"]);
    }
}
