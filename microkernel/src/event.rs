//! What the kernel tells while it works.

use std::sync::Arc;
use std::time::Duration;

use crate::{LogTail, Phase, Violation};

/// Who is told. Called from the kernel's own task: it must not block.
pub type Observer = Arc<dyn Fn(&Event) + Send + Sync>;

/// Something that has happened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// One phase has ended, another begun.
    Phase {
        /// The one that begins.
        phase: Phase,
        /// The one that ended.
        previous: Phase,
        /// How long that one took.
        took: Duration,
    },
    /// An image is being pulled.
    Pulling {
        /// The image.
        image: String,
        /// What the daemon says of it: which layer, how far.
        detail: String,
    },
    /// An engine of a kernel that was killed was still there and is being ended.
    Orphan {
        /// Its process id or container.
        what: String,
    },
    /// The engine answers.
    EngineReady {
        /// Its version.
        version: String,
        /// How long it took to answer, from its start.
        took: Duration,
    },
    /// A bundle of system processes is on the engine.
    Deployed {
        /// The deployment's name.
        name: String,
        /// What it brought.
        outcome: deploy::Outcome,
    },
    /// The root process runs.
    RootRunning {
        /// Its key.
        key: String,
        /// The instance.
        instance_id: String,
        /// Whether it was started just now.
        started: bool,
        /// Whether a newer version of the process is deployed than the one that the instance runs.
        outdated: bool,
    },
    /// The engine has ended, or does not answer any more.
    EngineDown {
        /// What is known of it.
        reason: String,
        /// The end of the engine's log, where it is at hand.
        log: Option<LogTail>,
    },
    /// A dead engine will be started again.
    Restarting {
        /// Which attempt this is, from 1.
        attempt: u32,
        /// How many there are before the kernel gives up.
        of: u32,
        /// How long the kernel waits first.
        delay: Duration,
    },
    /// The engine answers again.
    EngineUp {
        /// How long it did not.
        after: Duration,
    },
    /// Models were deployed around the gate that it refuses.
    AroundGate(Violation),
    /// Something that deserves a line in the log and changes nothing.
    Warning(String),
}
