//! Why a boot failed, or why the kernel cannot go on.

use std::path::PathBuf;
use std::time::Duration;

use engine_client::EngineError;

/// The end of the engine's log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogTail {
    /// Where the whole log is.
    pub file: PathBuf,
    /// Its last lines, oldest first.
    pub lines: Vec<String>,
}

/// Why a boot failed, or why the kernel cannot go on. Each message names the thing and the remedy; where the
/// engine's log has more to say, [`log`](Self::log) gives its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BootError {
    /// The boot was told to stop.
    #[error("interrupted before the engine was ready")]
    Interrupted,
    /// The data directory cannot be used.
    #[error("cannot use the data directory {}: {source}; make it writable, or choose another with --data-dir", .path.display())]
    DataDir {
        /// The file or directory in question.
        path: PathBuf,
        /// What the file system says.
        source: std::io::Error,
    },
    /// Another kernel uses the data directory.
    #[error(
        "another procos{} uses the data directory {}; stop it, or choose another with --data-dir",
        .process.map(|id| format!(" (process {id})")).unwrap_or_default(), .path.display()
    )]
    DataDirInUse {
        /// The data directory.
        path: PathBuf,
        /// The other kernel's process, where it is known.
        process: Option<u32>,
    },
    /// The data directory's identity is damaged.
    #[error(
        "{} does not hold the data directory's identity; write back what follows `procos-engine-` in the name of the \
         engine's Docker volume (docker volume ls), or remove the file where no engine of kind docker has run", .0.display()
    )]
    Identity(PathBuf),
    /// Passwords cannot be read or made.
    #[error(transparent)]
    Credentials(#[from] crate::CredentialsError),
    /// A setting that cannot be.
    #[error("{0}")]
    Settings(String),
    /// Too little space for a database.
    #[error(
        "the disk is full: {} has {} MiB free, an engine needs {} MiB; free some, or choose another disk with --data-dir",
        .path.display(), .free / MIB, .needed / MIB
    )]
    DiskTooSmall {
        /// The data directory.
        path: PathBuf,
        /// What is free, in bytes.
        free: u64,
        /// What an engine needs at the least, in bytes.
        needed: u64,
    },
    /// The engine ran out of space.
    #[error("the disk is full: the engine could not write to its database; free some space where the data directory {} is", .path.display())]
    DiskFull {
        /// The data directory.
        path: PathBuf,
        /// The engine's log.
        log: LogTail,
    },
    /// Somebody else listens there.
    #[error(
        "{address} is in use{}; stop that, or give engine.url another port",
        .holder.as_ref().map(|holder| format!(" by {holder}")).unwrap_or_default()
    )]
    PortInUse {
        /// Host and port.
        address: String,
        /// The process that listens, where it is known.
        holder: Option<String>,
    },
    /// The address is not one to listen on.
    #[error(
        "cannot listen on {address}: {source}; engine.url must name an address of this machine, such as http://127.0.0.1:8080/engine-rest"
    )]
    Address {
        /// Host and port.
        address: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// There is no such program.
    #[error(
        "there is no Java at {program}; install a JRE of version {JAVA} or newer (Debian: apt install openjdk-17-jre-headless), or set JAVA_HOME"
    )]
    JavaMissing {
        /// The program that was looked for.
        program: String,
    },
    /// It is too old.
    #[error(
        "{program} is Java {version}, the engine needs {JAVA} or newer; install one (Debian: apt install openjdk-17-jre-headless) and set JAVA_HOME to it"
    )]
    JavaTooOld {
        /// The program.
        program: String,
        /// Its version.
        version: String,
    },
    /// It does not say which version it is.
    #[error("{program} does not work as a Java: {said}; set JAVA_HOME to a JRE of version {JAVA} or newer")]
    JavaBroken {
        /// The program.
        program: String,
        /// What it says instead.
        said: String,
    },
    /// The JVM does not take its flags.
    #[error("{program} does not start with its flags: {said}; check engine.java_flags")]
    JavaFlags {
        /// The program.
        program: String,
        /// What it says.
        said: String,
        /// The engine's log.
        log: LogTail,
    },
    /// The JVM does not get its memory.
    #[error("the engine has too little memory: {said}; free some, or change -Xmx in engine.java_flags")]
    OutOfMemory {
        /// What the JVM says.
        said: String,
        /// The engine's log.
        log: LogTail,
    },
    /// The jar is not there.
    #[error("the engine's jar {} is missing; build it: mvn -f engine/engine-server package", .0.display())]
    JarMissing(PathBuf),
    /// The jar is no jar, or not the engine's.
    #[error("{} is not the engine's jar, or a broken one; build it anew: mvn -f engine/engine-server clean package", .jar.display())]
    JarBroken {
        /// The jar.
        jar: PathBuf,
        /// The engine's log.
        log: LogTail,
    },
    /// The engine does not take its settings.
    #[error("the engine does not take its settings: {said}")]
    EngineSettings {
        /// What it says.
        said: String,
        /// The engine's log.
        log: LogTail,
    },
    /// The database does not answer.
    #[error(
        "the engine cannot reach its database {url}: {said}; check engine.database.url and that the database runs"
    )]
    DatabaseUnreachable {
        /// The JDBC address, without its parameters.
        url: String,
        /// What the driver says.
        said: String,
        /// The engine's log.
        log: LogTail,
    },
    /// The database does not let the engine in.
    #[error(
        "the database {url} does not let the engine in: {said}; check engine.database.username and password"
    )]
    DatabaseLogin {
        /// The JDBC address, without its parameters.
        url: String,
        /// What the driver says.
        said: String,
        /// The engine's log.
        log: LogTail,
    },
    /// The database's file belongs to another engine.
    #[error("the database {url} is in use by another engine; stop that one, or use another data directory")]
    DatabaseLocked {
        /// The JDBC address, without its parameters.
        url: String,
        /// The engine's log.
        log: LogTail,
    },
    /// The engine ended, for a reason that the kernel has no words for.
    #[error("the engine ended ({status}); the end of its log, {}, may say why", .log.file.display())]
    EngineDied {
        /// How it ended, such as `exit status: 1`.
        status: String,
        /// The engine's log.
        log: LogTail,
    },
    /// A booting engine does not answer.
    #[error("the engine at {url} did not answer within {after:?}{}; {}", because(.last), boot_advice(.log))]
    Timeout {
        /// The REST API's address.
        url: String,
        /// How long it was waited for.
        after: Duration,
        /// What the last attempt to reach it gave.
        last: Option<String>,
        /// The engine's log: no file for one that somebody else runs.
        log: LogTail,
    },
    /// An engine that did answer does so no more, although its process lives or is somebody else's.
    #[error("the engine at {url} has not answered for {after:.1?}{}", because(.last))]
    Lost {
        /// The REST API's address.
        url: String,
        /// How long it was waited for.
        after: Duration,
        /// What the last attempt to reach it gave.
        last: Option<String>,
        /// The engine's log: no file for one that somebody else runs.
        log: LogTail,
    },
    /// The Docker daemon is not there or not for us.
    #[error(
        "cannot use Docker: {said}; start the daemon, or give this user access to it (group docker), or use --engine java"
    )]
    DockerUnavailable {
        /// What it says.
        said: String,
    },
    /// There is no such image.
    #[error(
        "the image {image} is not here and cannot be pulled: {said}; build it with script/engine-image, or name another in engine.image"
    )]
    ImageMissing {
        /// The image.
        image: String,
        /// What the daemon says.
        said: String,
    },
    /// The Docker daemon did not do what it was asked.
    #[error("Docker could not {action}: {said}")]
    Docker {
        /// What it was asked.
        action: &'static str,
        /// What it says.
        said: String,
    },
    /// The engine does not know the login.
    #[error("the engine at {url} refuses the login of {user}; check engine.auth")]
    LoginRefused {
        /// The REST API's address.
        url: String,
        /// Who logged in: a user's name, or what kind of login it was.
        user: String,
    },
    /// Something else answers there.
    #[error(
        "{url} does not answer like a Camunda 7 REST API: {reason}; check engine.url, its path is usually /engine-rest"
    )]
    NotAnEngine {
        /// The REST API's address.
        url: String,
        /// What is wrong with the answer.
        reason: String,
    },
    /// The engine refused a call that the boot needs.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A directory of system processes cannot be read.
    #[error("{0} (named in microkernel.process_directories)")]
    Load(#[from] deploy::LoadError),
    /// System processes cannot be deployed.
    #[error("system processes `{name}`: {source}")]
    Deploy {
        /// The bundle.
        name: String,
        /// Why.
        source: deploy::DeployError,
    },
    /// There is no such process.
    #[error(
        "the root process `{0}` is not deployed; check microkernel.root_process and that a directory of microkernel.process_directories holds it"
    )]
    RootMissing(String),
    /// The engine died too often.
    #[error(
        "gave up on the engine: it died, and {attempts} restarts within {window:?} did not help. The last time: {last}"
    )]
    GaveUp {
        /// How many restarts were tried.
        attempts: u32,
        /// Within which time.
        window: Duration,
        /// Why the last one failed.
        last: Box<BootError>,
    },
}

/// The oldest Java that runs the engine.
pub(crate) const JAVA: u32 = 17;

const MIB: u64 = 1 << 20;

impl BootError {
    /// The end of the engine's log, where it tells more than the message.
    #[must_use]
    pub fn log(&self) -> Option<&LogTail> {
        match self {
            Self::DiskFull { log, .. }
            | Self::JavaFlags { log, .. }
            | Self::OutOfMemory { log, .. }
            | Self::JarBroken { log, .. }
            | Self::EngineSettings { log, .. }
            | Self::DatabaseUnreachable { log, .. }
            | Self::DatabaseLogin { log, .. }
            | Self::DatabaseLocked { log, .. }
            | Self::EngineDied { log, .. }
            | Self::Timeout { log, .. }
            | Self::Lost { log, .. } => Some(log).filter(|log| !log.lines.is_empty()),
            Self::GaveUp { last, .. } => last.log(),
            _ => None,
        }
    }

    /// The findings in the models, where they are the reason.
    #[must_use]
    pub fn report(&self) -> Option<&deploy::Report> {
        match self {
            Self::Deploy { source, .. } => source.report(),
            Self::GaveUp { last, .. } => last.report(),
            _ => None,
        }
    }
}

fn because(last: &Option<String>) -> String {
    last.as_ref().map(|last| format!(" ({last})")).unwrap_or_default()
}

fn boot_advice(log: &LogTail) -> String {
    if log.file.as_os_str().is_empty() {
        return "check engine.url and that the engine runs".to_owned();
    }
    let file = log.file.display();
    format!("its log {file} may say why; microkernel.bootstrap_timeout gives it longer")
}
