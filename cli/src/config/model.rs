//! The keys of `procos.yml`, with their types and defaults.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use adapter_catalog::RouteSetting;
use secrets::SecretSetting;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use url::Url;
use worker_api::RetryPolicy;

use super::sandbox::Sandbox;
use super::security::Security;
use super::{duration, parsed};

/// The configuration in force.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// Where the database, logins and logs are kept.
    pub data_dir: PathBuf,
    /// The HTTP port: health, metrics.
    pub http: Http,
    /// How the kernel boots.
    pub microkernel: Microkernel,
    /// Which engine.
    pub engine: Engine,
    /// What works off tasks.
    pub workers: Workers,
    /// Topics that the operator adds, by name. Every adapter's own topics are routed already.
    pub routes: BTreeMap<String, RouteSetting>,
    /// What adapters connect to: a section an adapter, in it named connections. The adapters read them.
    pub services: Map<String, Json>,
    /// Where tasks are offered to pools that do not ask the engine themselves.
    pub dispatch: Option<Dispatch>,
    /// Where is told what happens.
    pub events: Option<Events>,
    /// In what scripts are run, and what they may use.
    pub sandbox: Sandbox,
    /// What models may do, and what processes may do that do not say it themselves.
    pub security: Security,
    /// What is told about what happens.
    pub telemetry: Telemetry,
    /// Where `secret:NAME` is looked up.
    pub secrets: SecretSources,
}

/// `http`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Http {
    /// Address and port to listen at.
    #[serde(deserialize_with = "parsed::listen")]
    pub listen: SocketAddr,
}

/// `microkernel`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Microkernel {
    /// What is logged.
    pub log_level: LogLevel,
    /// How long the engine may take to boot.
    #[serde(with = "duration")]
    pub bootstrap_timeout: Duration,
    /// Folders whose models are deployed at each boot, after the system processes in the binary.
    pub process_directories: Vec<PathBuf>,
    /// The key of the process that is started once and runs as long as the data lives.
    pub root_process: String,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogLevel {
    /// What went wrong for good.
    Error,
    /// What went wrong and may mend itself.
    Warn,
    /// What happens.
    #[default]
    Info,
    /// What happens within.
    Debug,
    /// Everything.
    Trace,
}

/// `engine`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Engine {
    /// Where the engine comes from.
    pub kind: EngineKind,
    /// Its REST API. Kinds `java` and `docker` listen on this host and port.
    #[serde(deserialize_with = "parsed::url")]
    pub url: Url,
    /// The image of kind `docker`.
    pub image: String,
    /// The login of kind `attached`; the other kinds make their own.
    pub auth: Option<Auth>,
    /// Whom to trust on encrypted connections to an attached engine, and what to show there.
    pub tls: Tls,
    /// Where the engine keeps instances.
    pub database: Option<Database>,
    /// How much history the engine keeps.
    pub history_level: HistoryLevel,
    /// How many of the engine's threads work off timers and asynchronous steps.
    pub job_executor_threads: u16,
    /// The engine's jar, where it is not found by itself.
    pub jar: Option<PathBuf>,
    /// The Java program of kind `java`; absent, the one in `JAVA_HOME` or on the path.
    pub java: Option<PathBuf>,
    /// Options of the JVM of kind `java`, in place of the usual ones.
    pub java_flags: Option<Vec<String>>,
}

/// Where the engine comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum EngineKind {
    /// A Java program that procos starts and stops.
    #[default]
    Java,
    /// A container that procos starts and stops.
    Docker,
    /// One that runs already.
    Attached,
}

/// How much history the engine keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum HistoryLevel {
    /// Nothing.
    None,
    /// Which elements ran.
    Activity,
    /// Besides, the last value of each variable.
    Audit,
    /// Everything.
    #[default]
    Full,
}

impl HistoryLevel {
    /// The engine's name of it.
    #[must_use]
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Activity => "activity",
            Self::Audit => "audit",
            Self::Full => "full",
        }
    }
}

/// `engine.auth`: how an attached engine wants to be logged in to.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Auth {
    /// HTTP Basic.
    Basic(Basic),
    /// A bearer token.
    Bearer(SecretSetting),
    /// Bearer tokens that procos gets for itself, by OAuth 2.0's client credentials.
    OAuth2(OAuth2),
}

/// `engine.auth.oauth2`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OAuth2 {
    /// The token endpoint.
    #[serde(deserialize_with = "parsed::url")]
    pub token_url: Url,
    /// The client's id there.
    pub client_id: String,
    /// Its secret.
    pub client_secret: SecretSetting,
    /// The scopes to ask for, separated by spaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
}

/// `engine.tls`.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Tls {
    /// Certificates in the form PEM of authorities that are trusted besides the system's.
    pub ca_file: Option<PathBuf>,
    /// The certificate in the form PEM that procos shows where it is asked for one.
    pub certificate_file: Option<PathBuf>,
    /// Its key in the form PEM.
    pub key_file: Option<PathBuf>,
}

/// A user name and a password.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Basic {
    /// The user's id.
    pub(crate) username: String,
    /// The user's password.
    pub password: SecretSetting,
}

/// `engine.database`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Database {
    /// The JDBC address; H2 and PostgreSQL are known.
    pub url: String,
    /// The database user.
    pub(crate) username: Option<String>,
    /// Its password.
    pub password: Option<SecretSetting>,
}

/// `workers`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Workers {
    /// How long an attempt at a task may take, where neither the model nor a route says it.
    #[serde(with = "duration")]
    pub default_timeout: Duration,
    /// How long a task is locked at a time. It is extended while the task runs; after a crash it is how long the
    /// task waits for another worker.
    #[serde(with = "duration")]
    pub lock_duration: Duration,
    /// How failures are retried, where neither the model nor a route says it.
    pub retry: RetryPolicy,
    /// The pools.
    pub pools: Vec<Pool>,
}

/// One of `workers.pools`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pool {
    /// Its name.
    pub name: String,
    /// How many tasks it runs at once.
    pub capacity: u16,
    /// Its topics; `*` is every routed topic that no other pool names.
    pub topics: Vec<String>,
    /// How many tasks of a topic are locked at once at most, for topics that may not take all slots.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, u16>,
    /// How many tasks more than there are slots are locked, where tasks are short; as many as slots unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefetch: Option<u16>,
    /// Whether tasks of a higher priority come first.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub priorities: bool,
    /// Whether its tasks come by the offers of a dispatcher, and the engine is not asked for them: see `dispatch`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dispatched: bool,
}

/// `dispatch`: where tasks are offered to the pools that are `dispatched`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Dispatch {
    /// The connection, of those under `services.broker`.
    pub broker: String,
    /// How long after a question that has found nothing the engine is asked again for tasks that wait.
    #[serde(with = "duration")]
    pub interval: Duration,
    /// How many tasks of a topic are on offer at once.
    pub ahead: u16,
    /// How long an offer stands that nobody takes; then it is made anew.
    #[serde(with = "duration")]
    pub lifetime: Duration,
}

/// `events`: where is told what happens.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Events {
    /// The connection, of those under `services.broker`.
    pub broker: String,
    /// The exchange; it is made where it is not there.
    pub exchange: String,
    /// How often the engine's history is asked.
    #[serde(with = "duration")]
    pub interval: Duration,
}

/// `telemetry`.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Telemetry {
    /// How log lines look.
    pub log_format: LogFormat,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people on a terminal, JSON elsewhere.
    #[default]
    Auto,
    /// For people.
    Human,
    /// A JSON object a line.
    Json,
}

/// `secrets`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SecretSources {
    /// What the environment variables of secrets begin with.
    pub env_prefix: String,
    /// Folders with a file a secret. The data directory's `secrets` is always the last of them.
    pub directories: Vec<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            data_dir: "./data".into(),
            http: Http::default(),
            microkernel: Microkernel::default(),
            engine: Engine::default(),
            workers: Workers::default(),
            routes: BTreeMap::new(),
            services: Map::new(),
            dispatch: None,
            events: None,
            sandbox: Sandbox::default(),
            security: Security::default(),
            telemetry: Telemetry::default(),
            secrets: SecretSources::default(),
        }
    }
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8099)),
        }
    }
}

impl Default for Microkernel {
    fn default() -> Self {
        Self {
            log_level: LogLevel::default(),
            bootstrap_timeout: Duration::from_secs(60),
            process_directories: Vec::new(),
            root_process: "root_orchestrator".into(),
        }
    }
}

impl Default for Engine {
    fn default() -> Self {
        Self {
            kind: EngineKind::default(),
            url: default_url(),
            image: "procos/engine:7.24.0".into(),
            auth: None,
            tls: Tls::default(),
            database: None,
            history_level: HistoryLevel::default(),
            job_executor_threads: 10,
            jar: None,
            java: None,
            java_flags: None,
        }
    }
}

#[expect(clippy::expect_used, reason = "a constant that a test reads")]
fn default_url() -> Url {
    Url::parse("http://127.0.0.1:8080/engine-rest").expect("a constant address")
}

impl Default for Dispatch {
    fn default() -> Self {
        Self {
            broker: "default".into(),
            interval: Duration::from_millis(500),
            ahead: 1000,
            lifetime: Duration::from_secs(30),
        }
    }
}

impl Default for Events {
    fn default() -> Self {
        Self {
            broker: "default".into(),
            exchange: "procos.events".into(),
            interval: Duration::from_secs(1),
        }
    }
}

impl Default for Workers {
    fn default() -> Self {
        Self {
            default_timeout: Duration::from_secs(30),
            lock_duration: Duration::from_secs(60),
            retry: default_retry(),
            pools: vec![Pool {
                name: "generic".into(),
                capacity: 64,
                topics: vec!["*".into()],
                limits: BTreeMap::new(),
                prefetch: None,
                priorities: false,
                dispatched: false,
            }],
        }
    }
}

#[expect(clippy::expect_used, reason = "a constant that a test reads")]
fn default_retry() -> RetryPolicy {
    "R3/PT10S".parse().expect("a constant policy")
}

impl Default for SecretSources {
    fn default() -> Self {
        Self {
            env_prefix: "PROCOS_SECRET_".into(),
            directories: vec!["/run/secrets".into()],
        }
    }
}
