//! What the machine is told, and what it says.

use std::time::Duration;

use super::{Fetch, TaskId};

/// What a pool may do.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    /// How many handlers run at once.
    pub(crate) capacity: usize,
    /// How many tasks more may be locked, where handlers are short.
    pub(crate) prefetch: usize,
    pub(crate) lock_duration: Duration,
    pub(crate) long_poll: Duration,
    /// Topics, each with its own limit where it has one.
    pub(crate) subscriptions: Vec<(String, Option<usize>)>,
}

/// What is to be done. `T` is what the pool keeps with a task.
#[derive(Debug, PartialEq)]
pub(crate) enum Action<T> {
    /// Ask for tasks; answered by [`Machine::fetched`](super::Machine::fetched) or [`Machine::fetch_failed`](super::Machine::fetch_failed).
    Fetch(Fetch),
    /// Run the task's handler; answered by [`Machine::handler_ended`](super::Machine::handler_ended).
    Run(TaskId),
    /// Stop the task's handler; its end is still told.
    Cancel(TaskId),
    /// Extend the lock; answered by [`Machine::extended`](super::Machine::extended).
    Extend(TaskId),
    /// Send the task's report; answered by [`Machine::reported`](super::Machine::reported).
    Report(TaskId),
    /// Ask whether the lock is still ours, by extending it; answered by [`Machine::probed`](super::Machine::probed).
    Probe(TaskId),
    /// The engine will not take the report: put a failure in its place, if there is one; answered by
    /// [`Machine::replaced`](super::Machine::replaced).
    Replace(TaskId),
    /// Let the lock end now; answered by [`Machine::freed`](super::Machine::freed).
    Free(TaskId),
    /// Nothing more is done for what the pool kept with a task.
    Over(TaskId, T, How),
}

/// How it went on with a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// The engine has taken the report.
    Reported,
    /// Nothing was reported: the lock was lost, or the pool gave up.
    Dropped,
    /// It was never run here: more than there was room for.
    Returned,
}

/// The engine's answer on a task, as far as decisions depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// Carried out.
    Done,
    /// There is no such task any more.
    Gone,
    /// The lock is not ours, or the request itself is wrong.
    NotOurs,
    /// The engine cannot carry it out, for a reason that it does not tell apart.
    Refused,
    /// Not now: the same again may do.
    Busy,
    /// No answer.
    Down,
}

/// How a handler ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HandlerEnd {
    /// With something to report.
    Report,
    /// It was cancelled.
    Cancelled,
    /// It took its attempt down with it: nothing is known, and the lock is left to run out.
    Broke,
}
