//! Boots an engine, deploys the system processes, starts the root process and watches.
//!
//! [`Kernel::boot`] walks through the [`Phase`]s and tells an [`Observer`] of each; [`Kernel::watch`] keeps the
//! engine alive until it is told to stop or cannot go on; [`Kernel::stop`] ends it in order. The caller sets
//! up logging, handles signals and runs the workers: the kernel knows nothing of them.

mod around;
mod child;
mod credentials;
mod data_dir;
mod docker;
mod engine;
mod engine_log;
mod error;
mod event;
mod exit;
mod health;
mod java;
mod kernel;
mod listen;
mod phase;
mod progress;
mod restart;
mod root;
mod seen;
mod server;
mod settings;

pub use around::{Intruder, Violation};
pub use credentials::{Credentials, CredentialsError};
pub use error::{BootError, LogTail};
pub use event::{Event, Observer};
pub use kernel::Kernel;
pub use phase::{Phase, Step};
pub use restart::RestartPolicy;
pub use settings::{
    Around, Database, DockerSettings, EngineKind, EngineSettings, JavaSettings, KernelSettings,
    ServerSettings, User, Users,
};
