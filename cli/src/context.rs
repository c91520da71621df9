//! What every command is given, and the engine's client with the right login.

use engine_client::{EngineClient, Login};
use microkernel::{Credentials, CredentialsError, Users};
use secrecy::SecretString;

use crate::config::model::{Auth, EngineKind};
use crate::config::{Config, ConfigError};
use crate::exit::Trouble;

/// What every command is given besides its own arguments.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    /// The configuration in force.
    pub config: Config,
    /// Whether the answer is JSON on stdout.
    pub json: bool,
    /// How often `-v` was given.
    pub verbose: u8,
}

/// Who logs in to an engine that procos boots itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// May deploy, and see and steer instances: the kernel and the client commands.
    Kernel,
    /// May work off external tasks, and nothing else.
    Worker,
}

/// A client of the configured engine, for commands: with the kernel's login from the data directory, for an
/// attached engine with `engine.auth`. Nothing is sent yet.
///
/// # Errors
/// Where the login cannot be read, or the client not be set up.
pub(crate) fn connect(config: &Config) -> Result<EngineClient, Trouble> {
    connect_as(config, Role::Kernel)
}

/// A client of the configured engine with the login of a role; an attached engine has one login for both.
///
/// # Errors
/// Where the login cannot be read, or the client not be set up.
pub(crate) fn connect_as(config: &Config, role: Role) -> Result<EngineClient, Trouble> {
    let login = match config.settings().engine.kind {
        EngineKind::Attached => attached_login(config)?,
        EngineKind::Java | EngineKind::Docker => {
            let data_dir = &config.settings().data_dir;
            let credentials = Credentials::load(data_dir).map_err(|error| match error {
                CredentialsError::Missing(_) => Trouble::usage(format!(
                    "there is no login in {}: nothing has booted there yet. Start with `procos up`, or name its \
                     data directory with --data-dir",
                    data_dir.join("secrets").display()
                )),
                error => Trouble::usage(format!("{error}; choose a data directory with --data-dir")),
            })?;
            let users = Users::of(&credentials);
            match role {
                Role::Kernel => users.kernel.login(),
                Role::Worker => users.worker.login(),
            }
        }
    };
    Ok(EngineClient::new(config.settings().engine.url.clone(), login)?)
}

/// The login of an attached engine: `engine.auth`.
///
/// # Errors
/// Where it refers to a secret that is not there.
pub(crate) fn attached_login(config: &Config) -> Result<Login, ConfigError> {
    let store = config.secret_store();
    let resolve = |key: &str, setting: &secrets::SecretSetting| {
        setting
            .resolve(&store)
            .map(|secret| SecretString::from(secret.expose().to_owned()))
            .map_err(|error| config.wrong(key, format!("`{key}`: {error}")))
    };
    Ok(match &config.settings().engine.auth {
        None => Login::None,
        Some(Auth::Basic(basic)) => Login::Basic {
            username: basic.username.clone(),
            password: resolve("engine.auth.basic.password", &basic.password)?,
        },
        Some(Auth::Bearer(token)) => Login::Bearer(resolve("engine.auth.bearer", token)?),
    })
}
