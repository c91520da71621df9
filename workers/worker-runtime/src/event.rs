//! What a pool tells about itself while it works: the source of its metrics.

use std::time::Duration;

use worker_api::Task;

/// Hears what a pool does. Called on the hot path: it returns at once and never blocks.
pub trait Observer: Send + Sync + 'static {
    /// Something has happened in the pool.
    fn observe(&self, pool: &str, event: Event<'_>);
}

/// An observer that hears nothing, for programs without metrics.
impl Observer for () {
    fn observe(&self, _pool: &str, _event: Event<'_>) {}
}

/// What has happened in a pool.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A fetch has brought tasks.
    Fetched {
        /// How many.
        tasks: usize,
    },
    /// An attempt at a task begins.
    Started {
        /// The task.
        task: &'a Task,
    },
    /// An attempt at a task is over, its report taken or dropped.
    Finished {
        /// The task.
        task: &'a Task,
        /// How it ended.
        ended: Ended,
        /// From its start to the adapter's outcome: without the report.
        elapsed: Duration,
    },
    /// A task was unlocked without having been run here: there was no room for it, by its topic's limit or because the
    /// slots did not become free soon enough.
    Returned,
    /// The engine did not answer a fetch. Told once for a row of failed fetches.
    EngineLost,
    /// The engine answers again.
    EngineBack,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The task is done.
    Completed,
    /// A BPMN error was thrown in the process.
    BpmnError,
    /// The attempt failed and there will be another.
    Failed,
    /// The attempt failed, and was the last: an incident.
    Incident,
    /// Nothing was reported: the lock was lost, the task is gone, or the worker stops.
    Dropped,
}
