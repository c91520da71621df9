//! The `procos` binary as a user runs it.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::{Running, procos_binary};

const JAR: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../engine/engine-server/target/procos-engine.jar"
);

/// A call of the built `procos` that is being put together.
#[derive(Debug)]
pub struct Procos {
    command: Command,
}

/// What a call of `procos` has said.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The exit status; None where a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Procos {
    /// A call in `folder`, where it finds `procos.yml` and puts `data`; the engine's jar is the checkout's. Of the
    /// test's own environment it sees only the path, the home and the JDK, so that a developer's settings change
    /// nothing.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        let mut command = Command::new(procos_binary());
        command.current_dir(folder).env_clear().env("NO_COLOR", "1");
        command.env("PROCOS_ENGINE_JAR", JAR);
        for name in ["PATH", "HOME", "JAVA_HOME", "DOCKER_HOST", "LANG", "TMPDIR"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        Self { command }
    }

    /// With these arguments, after the earlier ones.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.command.args(arguments);
        self
    }

    /// With an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Starts it and leaves it running.
    #[must_use]
    pub fn spawn(mut self) -> Running {
        Running::start("procos", &mut self.command)
    }

    /// Starts it for all tests of a binary, to be kept in a `static`, which is never dropped: it is ended when the
    /// test process has gone. Signals go to what watches over it, not to `procos`.
    #[must_use]
    pub fn spawn_for_all(self) -> Running {
        const UNTIL_INPUT_ENDS: &str =
            r#""$0" "$@" </dev/null & child=$!; cat >/dev/null; kill -TERM "$child"; wait "$child""#;
        let mut command = Command::new("sh");
        command
            .arg("-c")
            .arg(UNTIL_INPUT_ENDS)
            .arg(self.command.get_program())
            .args(self.command.get_args());
        command.env_clear().envs(
            self.command
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        if let Some(folder) = self.command.get_current_dir() {
            command.current_dir(folder);
        }
        Running::start("procos", &mut command)
    }

    /// Runs it to its end with nothing on standard input.
    ///
    /// # Panics
    /// Where that takes longer than a minute.
    #[must_use]
    pub fn run(self) -> Finished {
        let mut running = self.spawn();
        drop(running.stdin().take());
        let status = running.wait_for_end(Duration::from_secs(60));
        Finished {
            code: status.code(),
            stdout: running.stdout().join("\n"),
            stderr: running.stderr().join("\n"),
        }
    }
}

impl Finished {
    /// The one JSON value on standard output.
    ///
    /// # Panics
    /// Where it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("not one JSON value: {error}\n{}\n{}", self.stdout, self.stderr))
    }

    /// Itself, once it has ended with `code`.
    ///
    /// # Panics
    /// Where it has ended otherwise; the message shows what it said.
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "\n{}\n{}", self.stdout, self.stderr);
        self
    }
}
