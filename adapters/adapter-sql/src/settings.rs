//! The settings of a connection: what stands under `services.sql.NAME`.

use std::path::PathBuf;
use std::time::Duration;

use secrets::SecretSetting;
use serde::{Deserialize, Serialize};
use url::Url;

/// The settings of one named connection. There is none unless one is configured.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectionSettings {
    /// Which database: `postgres://HOST:5432/NAME`, or `sqlite:/srv/orders.db` for a file that is there.
    pub url: Url,
    /// The login's name, for PostgreSQL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The login's password, for PostgreSQL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<SecretSetting>,
    /// Whether the connection to PostgreSQL is encrypted and the server's certificate checked.
    #[serde(default)]
    pub tls: Tls,
    /// A PEM file with the certificates of a private authority, trusted beside those of the system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// Whether tasks may change rows. Otherwise the database itself refuses what does.
    #[serde(default)]
    pub write: bool,
    /// Whether what a task has done is written to the table `procos_done` in the same transaction: a task that is run once
    /// more then gets the answer it had, and changes nothing again.
    #[serde(default)]
    pub receipts: bool,
    /// Whether the login may be a superuser of PostgreSQL. One may run programs on the database's machine.
    #[serde(default)]
    pub superuser: bool,
    /// Rows that an answer may have.
    #[serde(default = "rows")]
    pub max_rows: u64,
    /// Bytes that an answer's rows may have, as JSON.
    #[serde(default = "bytes", with = "worker_api::size")]
    pub max_bytes: u64,
    /// How long a statement may take; a task's own time may end it earlier.
    #[serde(default = "timeout", with = "worker_api::duration")]
    pub timeout: Duration,
    /// Connections that are open at once, at most.
    #[serde(default = "connections")]
    pub connections: u32,
}

/// How a connection to PostgreSQL is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Tls {
    /// Encrypted, with a certificate of the host's name by an authority that is trusted.
    #[default]
    Verify,
    /// In the clear: for a server on the same machine.
    None,
}

/// Which database a connection leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Postgres,
    /// The file's path.
    Sqlite(PathBuf),
}

impl ConnectionSettings {
    /// Which database it is, where the settings agree with one another.
    pub(crate) fn target(&self) -> Result<Target, (&'static str, String)> {
        let wrong = |key, problem: &str| Err((key, problem.to_owned()));
        if !self.url.username().is_empty() || self.url.password().is_some() {
            return wrong("url", "it holds a login; give that as `username` and `password`");
        }
        if self.url.query().is_some() || self.url.fragment().is_some() {
            return wrong(
                "url",
                "it ends with the database's name; options are settings of their own",
            );
        }
        if self.receipts && !self.write {
            return wrong(
                "receipts",
                "they are of use where tasks write; set `write: true`, or leave it out",
            );
        }
        if self.connections == 0 {
            return wrong("connections", "at least one is needed");
        }
        match self.url.scheme() {
            "postgres" | "postgresql" => {
                if self.url.host_str().is_none_or(str::is_empty) {
                    return wrong("url", "it names no host; write postgres://HOST:5432/NAME");
                }
                if self.url.path().len() < 2 {
                    return wrong("url", "it names no database; write postgres://HOST:5432/NAME");
                }
                if self.username.is_none() {
                    return wrong("username", "PostgreSQL needs a login; give its name");
                }
                Ok(Target::Postgres)
            }
            "sqlite" => {
                for (key, is_set) in [
                    ("username", self.username.is_some()),
                    ("password", self.password.is_some()),
                    ("ca_file", self.ca_file.is_some()),
                ] {
                    if is_set {
                        return wrong(key, "SQLite has no logins and no network; leave it out");
                    }
                }
                let path = PathBuf::from(self.url.path());
                if !path.is_absolute() || self.url.host_str().is_some_and(|host| !host.is_empty()) {
                    return wrong(
                        "url",
                        "give the whole path of a file, such as sqlite:/srv/orders.db",
                    );
                }
                Ok(Target::Sqlite(path))
            }
            _ => wrong(
                "url",
                "use postgres://HOST:5432/NAME, or sqlite:/srv/orders.db for a file",
            ),
        }
    }
}

fn rows() -> u64 {
    1_000
}

fn bytes() -> u64 {
    4 << 20
}

fn timeout() -> Duration {
    Duration::from_secs(30)
}

fn connections() -> u32 {
    8
}
