//! The Java that an engine of our own needs.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use crate::BootError;
use crate::error::JAVA;

/// How long a `java` may take to tell its version.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a JVM may need of the environment; the rest, secrets above all, is none of its business and would show in its
/// crash files. Names that end in `*` are beginnings.
const ENVIRONMENT: [&str; 14] = [
    "PATH",
    "HOME",
    "USER",
    "LANG",
    "LANGUAGE",
    "LC_*",
    "TZ",
    "TMPDIR",
    "JAVA_HOME",
    "JAVA_TOOL_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "_JAVA_OPTIONS",
    "LD_LIBRARY_PATH",
    "SSL_CERT_*",
];

/// A call of the program, with what a JVM may need of the environment and nothing else.
pub(crate) fn command(program: &Path) -> Command {
    let is_needed = |name: &OsStr| {
        let name = name.as_encoded_bytes();
        ENVIRONMENT.iter().any(|known| match known.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning.as_bytes()),
            None => name == known.as_bytes(),
        })
    };
    let mut command = Command::new(program);
    command
        .env_clear()
        .envs(std::env::vars_os().filter(|(name, _)| is_needed(name)));
    command
}

/// The program to run: the one named, else `$JAVA_HOME/bin/java`, else the one in the `PATH`.
///
/// # Errors
/// Where there is none, or it is too old.
pub(crate) async fn find(named: Option<&Path>) -> Result<PathBuf, BootError> {
    let program = locate(named)?;
    // A JDK or JRE says in a file what it is, which is faster than asking it.
    let version = match released(&program) {
        Some(version) => version,
        None => ask(&program).await?,
    };
    match major(&version) {
        Some(number) if number >= JAVA => Ok(program),
        _ => Err(BootError::JavaTooOld {
            program: program.display().to_string(),
            version,
        }),
    }
}

fn locate(named: Option<&Path>) -> Result<PathBuf, BootError> {
    let home = std::env::var_os("JAVA_HOME").filter(|home| !home.is_empty());
    let chosen = match (named, home) {
        (Some(named), _) => named.to_owned(),
        (None, Some(home)) => Path::new(&home).join("bin/java"),
        (None, None) => PathBuf::from("java"),
    };
    if chosen.components().count() > 1 {
        let missing = || BootError::JavaMissing {
            program: chosen.display().to_string(),
        };
        return chosen.is_file().then(|| chosen.clone()).ok_or_else(missing);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut candidates = std::env::split_paths(&path).map(|directory| directory.join(&chosen));
    candidates
        .find(|candidate| candidate.is_file())
        .ok_or_else(|| BootError::JavaMissing {
            program: format!("{} in the PATH", chosen.display()),
        })
}

/// `JAVA_VERSION="17.0.15"` in the file `release` of its installation.
fn released(program: &Path) -> Option<String> {
    let installation = program.canonicalize().ok()?.parent()?.parent()?.join("release");
    let text = std::fs::read_to_string(installation).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("JAVA_VERSION="))?;
    Some(line.trim().trim_matches('"').to_owned())
}

async fn ask(program: &Path) -> Result<String, BootError> {
    let broken = |said: String| BootError::JavaBroken {
        program: program.display().to_string(),
        said,
    };
    let mut command = command(program);
    command
        .args(["-XshowSettings:properties", "-version"])
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output())
        .await
        .map_err(|_| broken(format!("it did not tell its version within {PATIENCE:?}")))?
        .map_err(|error| broken(error.to_string()))?;
    // It goes to standard error.
    let text = String::from_utf8_lossy(&output.stderr);
    let version = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("java.version = "));
    version.map(str::to_owned).ok_or_else(|| {
        let line = text.lines().find(|line| !line.trim().is_empty());
        broken(line.map_or_else(|| output.status.to_string(), |line| line.trim().to_owned()))
    })
}

/// 17 of `17.0.15` and of `17-ea`, 8 of `1.8.0_392`.
fn major(version: &str) -> Option<u32> {
    let mut numbers = version.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    match numbers.next()?.ok()? {
        1 => numbers.next()?.ok(),
        number => Some(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_old_and_new() {
        for (version, wanted) in [
            ("17.0.15", Some(17)),
            ("1.8.0_392", Some(8)),
            ("25", Some(25)),
            ("21-ea", Some(21)),
            ("?", None),
        ] {
            assert_eq!(major(version), wanted, "{version}");
        }
    }

    #[tokio::test]
    async fn the_environment_stays_behind_but_for_what_a_jvm_needs() {
        // Cargo sets it for tests; a secret comes along in the same way.
        assert!(std::env::var_os("CARGO_PKG_NAME").is_some());
        let output = command(Path::new("env")).output().await.unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(
            text.contains("PATH=") && !text.contains("CARGO_PKG_NAME"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_named() {
        let error = find(Some(Path::new("/nowhere/bin/java"))).await.unwrap_err();
        assert!(
            matches!(&error, BootError::JavaMissing { program } if program == "/nowhere/bin/java"),
            "{error}"
        );
    }
}
