//! What an engine of our own is told: one line of JSON on its standard input, which stays open for as long as it
//! shall live.

use std::net::SocketAddr;
use std::path::Path;

use secrecy::ExposeSecret;
use serde_json::json;

use crate::settings::{Database, ServerSettings, User};

impl ServerSettings {
    /// The line, with its end and with all passwords. `address` is where it listens, `directory` where its H2 lies
    /// by default. [`Kernel`](crate::Kernel) does this itself; it is for who runs the engine without one.
    #[must_use]
    pub fn line(&self, address: SocketAddr, directory: &Path) -> String {
        let database = self.database(directory);
        let user = |user: &User| json!({"id": user.id, "password": user.password.expose_secret()});
        let settings = json!({
            "address": address.ip().to_string(),
            "port": address.port(),
            "database": {
                "url": database.url,
                "username": database.username,
                "password": database.password.expose_secret(),
            },
            "history_level": self.history_level,
            "job_executor_threads": self.job_executor_threads,
            "users": {
                "admin": user(&self.users.admin),
                "kernel": user(&self.users.kernel),
                "worker": user(&self.users.worker),
            },
        });
        format!("{settings}\n")
    }

    /// The database in force.
    pub(crate) fn database(&self, directory: &Path) -> Database {
        self.database.clone().unwrap_or_else(|| Database {
            url: format!("jdbc:h2:file:{}", directory.join("engine").display()),
            username: "sa".to_owned(),
            password: String::new().into(),
        })
    }
}

impl Database {
    /// The address without its parameters, which may hold a password.
    pub(crate) fn shown(&self) -> String {
        let end = self.url.find(['?', ';']).unwrap_or(self.url.len());
        self.url[..end].to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Users, settings::User};

    fn server() -> ServerSettings {
        let user = |id: &str| User {
            id: id.to_owned(),
            password: format!("{id}\n\"secret").into(),
        };
        ServerSettings::new(Users {
            admin: user("admin"),
            kernel: user("kernel"),
            worker: user("worker"),
        })
    }

    #[test]
    fn one_line_whatever_the_passwords_hold() {
        let line = server().line("127.0.0.1:18140".parse().unwrap(), Path::new("/data/engine"));
        assert_eq!(line.matches('\n').count(), 1);
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["database"]["url"], "jdbc:h2:file:/data/engine/engine");
        assert_eq!(read["users"]["kernel"]["password"], "kernel\n\"secret");
        assert_eq!(read["port"], 18140);
    }

    #[test]
    fn a_database_is_shown_without_its_parameters() {
        let database = Database {
            url: "jdbc:postgresql://db/procos?password=x".into(),
            username: "u".into(),
            password: "p".to_owned().into(),
        };
        assert_eq!(database.shown(), "jdbc:postgresql://db/procos");
    }
}
