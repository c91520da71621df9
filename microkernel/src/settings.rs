//! What the kernel is to do: plain data, from wherever the caller has it.

use std::path::PathBuf;
use std::time::Duration;

use engine_client::{Login, Tls};
use secrecy::SecretString;
use url::Url;

use crate::{Credentials, RestartPolicy};

/// Everything that a kernel needs to know.
#[derive(Clone, Debug)]
pub struct KernelSettings {
    /// Where the engine's database, log and the lock lie. One kernel at a time uses it.
    pub data_dir: PathBuf,
    /// The engine.
    pub engine: EngineSettings,
    /// How long an engine may take from its start until it answers.
    pub boot_timeout: Duration,
    /// System processes that the program carries inside; deployed first.
    pub system_processes: Vec<deploy::Bundle>,
    /// Directories of further system processes, each a deployment of its own.
    pub process_directories: Vec<PathBuf>,
    /// What the deploy gate is told: the operator's exceptions and what topics there are.
    pub gate: deploy::GateContext,
    /// What is done about models that come around the gate.
    pub around: Around,
    /// The key of the process of which one instance runs for as long as the system lives.
    pub root_process: Option<String>,
    /// When to start a dead engine again, and when to give up.
    pub restart: RestartPolicy,
    /// How often the engine is asked whether it is well.
    pub health_interval: Duration,
    /// How long an engine may leave that unanswered before it counts as dead, although its process lives.
    pub unresponsive_after: Duration,
}

impl KernelSettings {
    /// Settings with everything else at its default.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>, engine: EngineSettings) -> Self {
        Self {
            data_dir: data_dir.into(),
            engine,
            boot_timeout: Duration::from_secs(60),
            system_processes: Vec::new(),
            process_directories: Vec::new(),
            gate: deploy::GateContext::default(),
            around: Around::default(),
            root_process: None,
            restart: RestartPolicy::default(),
            health_interval: Duration::from_secs(2),
            unresponsive_after: Duration::from_secs(60),
        }
    }
}

/// What is done about models that are deployed around the gate.
#[derive(Clone, Copy, Debug)]
pub struct Around {
    /// How often they are looked for; zero for never.
    pub every: Duration,
    /// Whether definitions that the gate refuses are suspended with their instances. They are told in any case.
    pub suspends: bool,
}

impl Default for Around {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(30),
            suspends: false,
        }
    }
}

/// Which engine.
#[derive(Clone, Debug)]
pub struct EngineSettings {
    /// The REST API's address. The kinds java and docker listen on its host and port.
    pub url: Url,
    /// Where the engine comes from.
    pub kind: EngineKind,
}

/// Where the engine comes from.
#[derive(Clone, Debug)]
pub enum EngineKind {
    /// A child process.
    Java(JavaSettings),
    /// A container on this machine's Docker daemon.
    Docker(DockerSettings),
    /// One that somebody else runs: it is neither started nor stopped.
    Attached {
        /// How to log in there.
        login: Login,
        /// Whom to trust there, and which certificate to show.
        tls: Tls,
    },
}

/// How to run the engine as a child process.
#[derive(Clone, Debug)]
pub struct JavaSettings {
    /// The engine's jar.
    pub jar: PathBuf,
    /// The `java` program: where none is named, `$JAVA_HOME/bin/java`, else the one in the `PATH`.
    pub java: Option<PathBuf>,
    /// Options of the JVM, before `-jar`.
    pub flags: Vec<String>,
    /// What the engine itself is told.
    pub server: ServerSettings,
}

impl JavaSettings {
    /// A small heap and one thread for its garbage, which suit a machine that does other things besides; an engine
    /// without memory ends, and is started again. The thresholds keep the optimising compiler from code that runs at
    /// the boot alone, a fifth of the boot's processor time (measured in `engine/engine-server/README.md`).
    #[must_use]
    pub fn default_flags() -> Vec<String> {
        [
            "-XX:+UseSerialGC",
            "-Xmx512m",
            "-XX:+ExitOnOutOfMemoryError",
            "-Dfile.encoding=UTF-8",
            "-XX:Tier4InvocationThreshold=30000",
            "-XX:Tier4MinInvocationThreshold=20000",
            "-XX:Tier4CompileThreshold=60000",
            "-XX:Tier4BackEdgeThreshold=400000",
        ]
        .map(str::to_owned)
        .to_vec()
    }
}

/// How to run the engine in a container.
#[derive(Clone, Debug)]
pub struct DockerSettings {
    /// The image: a local one, else it is pulled.
    pub image: String,
    /// The most memory that the container may take, in bytes; none for no limit.
    pub memory: Option<u64>,
    /// What the engine itself is told.
    pub server: ServerSettings,
}

/// What an engine that the kernel boots is told, whichever way it is run.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// The database; where none is given, H2 in a file under the data directory or in the container's volume.
    pub database: Option<Database>,
    /// `none`, `activity`, `audit` or `full`.
    pub history_level: String,
    /// How many threads run timers and asynchronous continuations.
    pub job_executor_threads: u32,
    /// Who may log in.
    pub users: Users,
}

impl ServerSettings {
    /// The defaults, for these users.
    #[must_use]
    pub fn new(users: Users) -> Self {
        Self {
            database: None,
            history_level: "full".to_owned(),
            job_executor_threads: 10,
            users,
        }
    }
}

/// A database as JDBC names it.
#[derive(Clone, Debug)]
pub struct Database {
    /// Such as `jdbc:postgresql://127.0.0.1:5432/procos`.
    pub url: String,
    /// The user.
    pub username: String,
    /// The user's password.
    pub password: SecretString,
}

/// The engine's users that ProcOS relies on.
#[derive(Clone, Debug)]
pub struct Users {
    /// The person at Cockpit and Tasklist.
    pub admin: User,
    /// The kernel itself: may deploy and see everything about processes.
    pub kernel: User,
    /// The workers: external tasks only.
    pub worker: User,
}

impl Users {
    /// `admin`, `kernel` and `worker`, with the passwords of the data directory.
    #[must_use]
    pub fn of(credentials: &Credentials) -> Self {
        let user = |id: &str, password: &SecretString| User {
            id: id.to_owned(),
            password: password.clone(),
        };
        Self {
            admin: user("admin", &credentials.admin),
            kernel: user("kernel", &credentials.kernel),
            worker: user("worker", &credentials.worker),
        }
    }
}

/// A login.
#[derive(Clone, Debug)]
pub struct User {
    /// Its id: letters and digits only.
    pub id: String,
    /// Its password.
    pub password: SecretString,
}

impl User {
    /// The login as the client takes it.
    #[must_use]
    pub fn login(&self) -> Login {
        Login::Basic {
            username: self.id.clone(),
            password: self.password.clone(),
        }
    }
}
