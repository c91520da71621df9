//! What every command is given, and the engine's client with the right login.

use std::path::Path;

use engine_client::{ClientSettings, EngineClient, Login, OAuth2, Tls};
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
    connect_with(config, login)
}

/// A client of the configured engine with whatever login, for instance with none.
///
/// # Errors
/// Where a certificate cannot be read, or the client not be set up.
pub(crate) fn connect_with(config: &Config, login: Login) -> Result<EngineClient, Trouble> {
    let engine = &config.settings().engine;
    let tls = match engine.kind {
        EngineKind::Attached => attached_tls(config)?,
        EngineKind::Java | EngineKind::Docker => Tls::new(),
    };
    Ok(ClientSettings::new().tls(tls).client(engine.url.clone(), login)?)
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
        Some(Auth::OAuth2(oauth2)) => Login::OAuth2(OAuth2 {
            token_url: oauth2.token_url.clone(),
            client_id: oauth2.client_id.clone(),
            client_secret: resolve("engine.auth.oauth2.client_secret", &oauth2.client_secret)?,
            scope: oauth2.scope.clone(),
        }),
    })
}

/// The certificates for an attached engine: `engine.tls`.
///
/// # Errors
/// Where one cannot be read.
pub(crate) fn attached_tls(config: &Config) -> Result<Tls, ConfigError> {
    let files = &config.settings().engine.tls;
    let read = |key: &str, file: &Path| {
        std::fs::read(file).map_err(|error| {
            let message = format!("`{key}`: {} cannot be read: {error}", file.display());
            config.wrong(key, message)
        })
    };
    let mut tls = Tls::new();
    if let Some(file) = &files.ca_file {
        tls = tls.trusting(read("engine.tls.ca_file", file)?);
    }
    if let (Some(certificate), Some(key)) = (&files.certificate_file, &files.key_file) {
        tls = tls.identified_by(
            read("engine.tls.certificate_file", certificate)?,
            read("engine.tls.key_file", key)?,
        );
    }
    Ok(tls)
}
