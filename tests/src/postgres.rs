//! A PostgreSQL server of the tests' own.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use tempfile::TempDir;

use crate::{Running, free_port, user};

const PASSWORD: &str = "of-the-tests";

/// Runs the server until standard input closes, which it also does when the test is killed, then removes the
/// folder: statics are never dropped.
const LIFELINE: &str = r#"
"$1/postgres" -D "$2/data" -p "$3" -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off &
trap 'kill -QUIT $!; wait; rm -rf "$2"' EXIT
read -r _
"#;

/// A PostgreSQL server from the system's packages, on loopback and a free port, with its data in a temporary
/// folder. It ends with the value, and with the test process however that ends.
#[derive(Debug)]
pub struct Postgres {
    port: u16,
    programs: PathBuf,
    process: Running,
    folder: TempDir,
}

/// A database and who may use it.
#[derive(Clone, Debug)]
pub struct Database {
    /// The server's port on loopback.
    pub port: u16,
    /// The database's name.
    pub name: String,
    /// The login.
    pub username: String,
    /// Its password.
    pub password: String,
}

impl Postgres {
    /// The one server of this test binary, started when first asked for, or why there is none: PostgreSQL is not
    /// installed.
    ///
    /// # Errors
    /// Where PostgreSQL's programs are not there.
    ///
    /// # Panics
    /// Where they are and do not run.
    pub fn shared() -> Result<&'static Self, &'static str> {
        static SHARED: OnceLock<Result<Postgres, String>> = OnceLock::new();
        SHARED.get_or_init(Self::start).as_ref().map_err(String::as_str)
    }

    /// The server's processes: to see that they end.
    #[must_use]
    pub fn process(&self) -> &Running {
        &self.process
    }

    /// Its folder; the data is in `data`.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Stops the server, as the end of the test process does.
    pub fn cut_lifeline(&mut self) {
        drop(self.process.stdin().take());
    }

    /// A new, empty database called `name` (letters, digits and underscores).
    ///
    /// # Panics
    /// Where there is one of this name already.
    #[must_use]
    pub fn database(&self, name: &str) -> Database {
        let made = Command::new(self.programs.join("createdb"))
            .args([
                "-h",
                "127.0.0.1",
                "-p",
                &self.port.to_string(),
                "-U",
                "postgres",
                name,
            ])
            .env("PGPASSWORD", PASSWORD)
            .output()
            .expect("createdb");
        assert!(
            made.status.success(),
            "createdb: {}",
            String::from_utf8_lossy(&made.stderr)
        );
        Database {
            port: self.port,
            name: name.to_owned(),
            username: "postgres".to_owned(),
            password: PASSWORD.to_owned(),
        }
    }

    /// Runs statements in a database, behind the back of whoever uses it.
    ///
    /// # Panics
    /// Where the server refuses one.
    pub fn execute(&self, database: &Database, statements: &str) {
        let done = Command::new(self.programs.join("psql"))
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string()])
            .args(["-U", &database.username, "-d", &database.name])
            .args(["-v", "ON_ERROR_STOP=1", "-q", "-c", statements])
            .env("PGPASSWORD", &database.password)
            .output()
            .expect("psql");
        assert!(
            done.status.success(),
            "psql: {}",
            String::from_utf8_lossy(&done.stderr)
        );
    }

    /// A server of a test's own, or why there is none.
    ///
    /// # Errors
    /// Where PostgreSQL's programs are not there.
    ///
    /// # Panics
    /// Where they are and do not run.
    pub fn start() -> Result<Self, String> {
        let programs = programs().ok_or(
            "PostgreSQL is not installed: no /usr/lib/postgresql/*/bin (apt-get install postgresql)",
        )?;
        // Not in the build folder: the server's user must be able to reach it.
        let folder = tempfile::Builder::new()
            .prefix("procos-postgres-")
            .tempdir()
            .expect("a folder");
        let data = folder.path().join("data");
        let secret = folder.path().join("password");
        fs::write(&secret, PASSWORD).expect("the password's file");
        let user = server_user();
        if let Some((uid, gid)) = user {
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).expect("its mode");
            for path in [folder.path(), &secret] {
                chown(path, Some(uid), Some(gid)).expect("a folder for the server's user");
            }
        }
        let as_user = |program: &Path| {
            let mut command = Command::new(program);
            command.current_dir(folder.path());
            if let Some((uid, gid)) = user {
                command.uid(uid).gid(gid);
            }
            command
        };
        let made = as_user(&programs.join("initdb"))
            .args([
                "--username=postgres",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--no-locale",
            ])
            .args(["--no-sync", "--no-instructions"])
            .arg(format!("--pwfile={}", secret.display()))
            .arg(&data)
            .output()
            .expect("initdb");
        assert!(
            made.status.success(),
            "initdb: {}",
            String::from_utf8_lossy(&made.stderr)
        );
        let port = free_port();
        let process = Running::start(
            "PostgreSQL",
            as_user(Path::new("/bin/sh"))
                .args(["-c", LIFELINE, "postgres"])
                .args([programs.as_path(), folder.path()])
                .arg(port.to_string()),
        );
        process.wait_for_line(
            "database system is ready to accept connections",
            Duration::from_secs(60),
        );
        Ok(Self {
            port,
            programs,
            process,
            folder,
        })
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.cut_lifeline();
        let _ = self.process.ends_within(Duration::from_secs(10));
    }
}

impl Database {
    /// Its address for the engine.
    #[must_use]
    pub fn jdbc_url(&self) -> String {
        format!("jdbc:postgresql://127.0.0.1:{}/{}", self.port, self.name)
    }
}

/// Debian's place for them, the newest version's.
fn programs() -> Option<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .flatten()
        .map(|version| version.path().join("bin"))
        .filter(|folder| folder.join("initdb").is_file())
        .collect();
    found.sort();
    found.pop()
}

/// PostgreSQL refuses to run as root: the user of its package, or nobody.
fn server_user() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    user("postgres").or_else(|| user("nobody"))
}
