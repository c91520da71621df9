//! What the kernel is told, from the configuration.

use microkernel::{
    Around, BootError, Credentials, Database, DockerSettings, EngineKind, EngineSettings, JavaSettings,
    KernelSettings, ServerSettings, Users,
};
use secrecy::SecretString;

use super::{embedded, jar};
use crate::config::security::OnViolation;
use crate::config::{Config, model};
use crate::context::{attached_login, attached_tls};
use crate::exit::Trouble;
use crate::gate;
use crate::output::harmless;

/// The kernel's settings.
///
/// # Errors
/// Where a secret, or the engine's jar, is not there.
pub(super) fn kernel_settings(config: &Config, credentials: &Credentials) -> Result<KernelSettings, Trouble> {
    let settings = config.settings();
    let engine = &settings.engine;
    let kind = match engine.kind {
        model::EngineKind::Java => EngineKind::Java(JavaSettings {
            jar: jar::find(config)?,
            java: engine.java.clone(),
            flags: engine
                .java_flags
                .clone()
                .unwrap_or_else(JavaSettings::default_flags),
            server: server(config, credentials)?,
        }),
        model::EngineKind::Docker => EngineKind::Docker(DockerSettings {
            image: engine.image.clone(),
            memory: None,
            server: server(config, credentials)?,
        }),
        model::EngineKind::Attached => EngineKind::Attached {
            login: attached_login(config)?,
            tls: attached_tls(config)?,
        },
    };
    let security = &settings.security.gate;
    let engine = EngineSettings {
        url: engine.url.clone(),
        kind,
    };
    Ok(KernelSettings {
        boot_timeout: settings.microkernel.bootstrap_timeout,
        system_processes: vec![embedded::system_processes()],
        process_directories: settings.microkernel.process_directories.clone(),
        // What was right once shall not be wrong at a later boot: neither the time nor what the configuration now says
        // of topics is looked at. The workers refuse what it forbids.
        gate: deploy::GateContext {
            now: None,
            sandboxed_topics: None,
            default_topics: None,
            ..gate::context(config)?
        },
        around: Around {
            every: security.watch,
            suspends: match (security.on_violation, settings.engine.kind) {
                (OnViolation::Suspend, _) => true,
                (OnViolation::Report, _) => false,
                // On another's engine others may have their reasons.
                (OnViolation::Auto, kind) => kind != model::EngineKind::Attached,
            },
        },
        root_process: Some(settings.microkernel.root_process.clone()),
        ..KernelSettings::new(&settings.data_dir, engine)
    })
}

fn server(config: &Config, credentials: &Credentials) -> Result<ServerSettings, Trouble> {
    let engine = &config.settings().engine;
    let database = match &engine.database {
        None => None,
        Some(database) => {
            let key = "engine.database.password";
            let password = match &database.password {
                None => SecretString::default(),
                Some(setting) => setting
                    .resolve(&config.secret_store())
                    .map(|secret| SecretString::from(secret.expose().to_owned()))
                    .map_err(|error| config.wrong(key, format!("`{key}`: {error}")))?,
            };
            Some(Database {
                url: database.url.clone(),
                username: database.username.clone().unwrap_or_else(|| "sa".to_owned()),
                password,
            })
        }
    };
    Ok(ServerSettings {
        database,
        history_level: engine.history_level.as_str().to_owned(),
        job_executor_threads: engine.job_executor_threads.into(),
        ..ServerSettings::new(Users::of(credentials))
    })
}

/// What a person reads when the boot has failed or the engine cannot be kept alive.
pub(super) fn failed(error: &BootError) -> Trouble {
    let mut message = error.to_string();
    if let Some(report) = error.report() {
        for finding in &report.diagnostics {
            message.push_str(&format!("\n  {finding}"));
        }
    }
    if let Some(log) = error.log() {
        message.push_str(&format!(
            "\n\nThe end of the engine's log, {}:",
            log.file.display()
        ));
        for line in &log.lines {
            message.push_str(&format!("\n  {}", harmless(line)));
        }
    }
    match error {
        BootError::Settings(_) => Trouble::usage(message),
        _ => Trouble::unreachable(message),
    }
}
