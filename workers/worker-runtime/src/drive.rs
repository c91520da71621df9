//! Does what the protocol's machine decides, and tells it what came of it: the one place where a pool's requests to
//! the engine are sent.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use engine_client::{EngineError, FetchRequest, LockedTask};
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::attempt::{self, End};
use crate::clock::now;
use crate::event::{Ended, Event};
use crate::journal;
use crate::offered::{self, NoTasks};
use crate::pool::{DrainReport, Shared};
use crate::protocol::{Action, Fetch, HandlerEnd, How, Machine, Reply, TaskId};

/// What reaches the driver from outside.
pub(crate) enum Told {
    /// A handler has ended; `None` where it took its attempt down with it.
    Ended(TaskId, Option<Box<End>>),
    /// Stop, and give up what is not done by then.
    Stop(Instant),
}

/// What is kept with a task while it is locked.
pub(crate) struct Flight {
    /// Until it is run.
    locked: Option<LockedTask>,
    cancelled: CancellationToken,
    /// Once its handler has ended; away while its report is under way.
    end: Option<Box<End>>,
}

/// A request's answer.
enum Answer {
    Fetched(usize, Instant, Result<Vec<LockedTask>, NoTasks>),
    Reported(TaskId, Box<End>, Result<(), EngineError>),
    Probed(TaskId, Instant, Reply),
    Extended(TaskId, Instant, Reply),
    Freed(TaskId, Result<bool, EngineError>),
}

/// One pool's driver.
pub(crate) struct Driver {
    shared: Arc<Shared>,
    machine: Machine<Flight>,
    requests: FuturesUnordered<BoxFuture<'static, Answer>>,
    /// Fetches under way are given up by it.
    fetching: CancellationToken,
    drained: DrainReport,
    stopping: bool,
    row_of_failures: bool,
}

impl Driver {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            machine: Machine::new(shared.settings.rules(), now()),
            shared,
            requests: FuturesUnordered::new(),
            fetching: CancellationToken::new(),
            drained: DrainReport::default(),
            stopping: false,
            row_of_failures: false,
        }
    }

    /// Works until it is stopped and nothing is left to do.
    pub(crate) async fn run(mut self, mut told: UnboundedReceiver<Told>) -> DrainReport {
        let shared = Arc::clone(&self.shared);
        // However this ends: nobody fetches any more.
        let _not_ready = NotReady(&shared);
        let mut may_be_told = true;
        loop {
            self.machine.settle(now());
            while let Some(action) = self.machine.next_action() {
                self.act(action);
            }
            self.show();
            // Asked only now: the last task's end is one of the actions.
            if self.machine.is_over() {
                return self.drained;
            }
            let wake_at = self.machine.wake_at(now());
            tokio::select! {
                Some(answer) = self.requests.next() => self.answered(answer),
                message = told.recv(), if may_be_told => match message {
                    Some(message) => self.told(message),
                    // The pool was dropped: its tasks go on.
                    None => may_be_told = false,
                },
                () = sleep_until(wake_at), if wake_at.is_some() => {}
            }
            // All that is there already, before anything is decided.
            while let Ok(message) = told.try_recv() {
                self.told(message);
            }
        }
    }

    /// Lets polls that wait hear of a task that will be free.
    fn nudge(&self, after: Duration) {
        if self.shared.settings.offers.is_none() {
            self.shared.nudger.after(after);
        }
    }

    fn show(&mut self) {
        let answers = self.machine.engine_answers();
        self.shared
            .in_flight
            .store(self.machine.locked().len(), Ordering::Relaxed);
        let ready = answers && !self.stopping;
        if self.shared.ready.swap(ready, Ordering::Relaxed) != ready && ready {
            self.shared.observe(Event::EngineBack);
        }
        if answers && self.row_of_failures && !self.stopping {
            self.row_of_failures = false;
            tracing::info!(pool = self.shared.settings.name, "the engine answers again");
        }
    }

    fn told(&mut self, message: Told) {
        match message {
            Told::Ended(id, end) => {
                let how = match &end {
                    None => HandlerEnd::Broke,
                    Some(end) if end.report.is_some() => HandlerEnd::Report,
                    Some(_) => HandlerEnd::Cancelled,
                };
                if let (Some(flight), Some(end)) = (self.machine.kept(&id), end) {
                    flight.end = Some(end);
                }
                self.machine.handler_ended(&id, now(), how);
            }
            Told::Stop(until) => {
                self.stopping = true;
                // Said here: with nothing else to do the driver ends before it sees the polls end.
                if self.machine.is_polling() {
                    self.shared.poll_was_cut.store(true, Ordering::Relaxed);
                }
                self.fetching.cancel();
                self.machine.stop(until);
            }
        }
    }

    fn act(&mut self, action: Action<Flight>) {
        match action {
            Action::Fetch(fetch) => self.fetch(fetch),
            Action::Run(id) => self.start(id),
            Action::Cancel(id) => {
                if let Some(flight) = self.machine.kept(&id) {
                    flight.cancelled.cancel();
                }
            }
            Action::Report(id) => self.report(id),
            Action::Replace(id) => {
                let end = self.machine.kept(&id).and_then(|flight| flight.end.as_mut());
                let by_another = end.is_some_and(|end| end.replace());
                self.machine.replaced(&id, now(), by_another);
            }
            Action::Extend(id) => self.extend(id, Answer::Extended),
            Action::Probe(id) => self.extend(id, Answer::Probed),
            Action::Free(id) => {
                let Some(lane) = self.machine.lane_of(&id) else {
                    return;
                };
                let shared = Arc::clone(&self.shared);
                self.send(async move {
                    let freed = journal::free(&shared.engine, &shared.worker_ids[lane], &id).await;
                    Answer::Freed(id, freed)
                });
            }
            Action::Over(_, flight, how) => self.over(flight, how),
        }
    }

    fn send(&self, request: impl Future<Output = Answer> + Send + 'static) {
        self.requests.push(Box::pin(request));
    }

    fn fetch(&mut self, fetch: Fetch) {
        let shared = Arc::clone(&self.shared);
        // Nothing comes to this lane before it is answered, so what is known now is what may not be freed.
        let known: HashSet<TaskId> = if fetch.recover {
            self.machine.locked().cloned().collect()
        } else {
            HashSet::new()
        };
        let given_up = self.fetching.clone();
        self.send(async move {
            let asked_at = now();
            let answer = given_up.run_until_cancelled(ask(&shared, &fetch, &known)).await;
            Answer::Fetched(fetch.lane, asked_at, answer.unwrap_or_else(|| Ok(Vec::new())))
        });
    }

    fn start(&mut self, id: TaskId) {
        let Some(flight) = self.machine.kept(&id) else {
            return;
        };
        let Some(locked) = flight.locked.take() else {
            return;
        };
        let (shared, cancelled) = (Arc::clone(&self.shared), flight.cancelled.clone());
        let mut telling = Telling {
            id,
            end: None,
            to: Arc::clone(&self.shared),
        };
        self.shared.handlers.spawn(async move {
            let end = attempt::run(&shared, locked, cancelled).await;
            telling.of(end);
        });
    }

    fn report(&mut self, id: TaskId) {
        let Some(lane) = self.machine.lane_of(&id) else {
            return;
        };
        let Some(end) = self.machine.kept(&id).and_then(|flight| flight.end.take()) else {
            return;
        };
        let shared = Arc::clone(&self.shared);
        let span = end.span.clone();
        let sending = async move {
            let sent = match &end.report {
                Some(report) => report.send(&shared.engine, &id, &shared.worker_ids[lane]).await,
                None => Ok(()),
            };
            Answer::Reported(id, end, sent)
        };
        self.send(sending.instrument(span));
    }

    fn extend(&mut self, id: TaskId, answer: impl FnOnce(TaskId, Instant, Reply) -> Answer + Send + 'static) {
        let Some(lane) = self.machine.lane_of(&id) else {
            return;
        };
        let shared = Arc::clone(&self.shared);
        self.send(async move {
            let asked_at = now();
            let (worker_id, lock) = (&shared.worker_ids[lane], shared.settings.lock_duration);
            let extended = shared.engine.extend_lock(&id, worker_id, lock).await;
            if let Err(error) = &extended {
                tracing::debug!(task = %id, %error, "could not extend a lock");
            }
            let reply = match reply(&extended) {
                Reply::NotOurs if is_suspended(&shared, &id, worker_id).await => Reply::Busy,
                reply => reply,
            };
            answer(id, asked_at, reply)
        });
    }

    fn answered(&mut self, answer: Answer) {
        let now = now();
        match answer {
            Answer::Fetched(lane, asked_at, Ok(tasks)) => self.fetched(lane, asked_at, tasks),
            Answer::Fetched(lane, _, Err(error)) => {
                let pool = &self.shared.settings.name;
                if !self.row_of_failures {
                    self.row_of_failures = true;
                    tracing::warn!(pool, %error, "cannot fetch tasks; trying again until it works");
                    self.shared.observe(Event::EngineLost);
                }
                self.machine.fetch_failed(lane, now);
            }
            Answer::Reported(id, mut end, sent) => {
                if let Err(error) = &sent {
                    end.refused(error);
                }
                if let Some(flight) = self.machine.kept(&id) {
                    flight.end = Some(end);
                }
                self.machine.reported(&id, now, reply(&sent));
            }
            Answer::Probed(id, asked_at, probed) => {
                if probed == Reply::NotOurs {
                    tracing::warn!(task = %id, "the task is not this worker's any more; its outcome is dropped");
                }
                self.machine.probed(&id, asked_at, now, probed);
            }
            Answer::Extended(id, asked_at, extended) => self.machine.extended(&id, asked_at, now, extended),
            Answer::Freed(id, freed) => {
                match freed {
                    // An engine does not notice by itself that a lock has ended.
                    Ok(true) => self.nudge(Duration::ZERO),
                    Ok(false) => {}
                    Err(error) => {
                        tracing::debug!(task = %id, %error, "could not free a task; its lock will run out");
                    }
                }
                self.machine.freed(&id);
            }
        }
    }

    fn fetched(&mut self, lane: usize, asked_at: Instant, tasks: Vec<LockedTask>) {
        if !tasks.is_empty() {
            self.shared.observe(Event::Fetched { tasks: tasks.len() });
        }
        let giving_up = &self.shared.giving_up;
        let tasks = tasks.into_iter().map(|locked| {
            let (id, topic) = (TaskId::from(locked.id.as_str()), locked.topic_name.clone());
            let cancelled = giving_up.child_token();
            (
                id,
                topic,
                Flight {
                    locked: Some(locked),
                    cancelled,
                    end: None,
                },
            )
        });
        self.machine.fetched(lane, asked_at, now(), tasks);
    }

    fn over(&mut self, flight: Flight, how: How) {
        let Some(end) = flight.end else {
            if how == How::Returned {
                self.drained.returned += usize::from(self.stopping);
                self.shared.observe(Event::Returned);
            }
            return;
        };
        let ended = match (how, &end.report) {
            (How::Reported, Some(report)) => {
                if let Some(delay) = report.retry_after() {
                    self.nudge(delay);
                }
                report.ended()
            }
            _ => Ended::Dropped,
        };
        tracing::debug!(parent: &end.span, ?ended, elapsed = ?end.elapsed, attempt = end.task.attempt, "task");
        if self.stopping {
            self.drained.finished += usize::from(how == How::Reported);
            self.drained.given_up += usize::from(how != How::Reported);
        }
        self.shared.observe(Event::Finished {
            task: &end.task,
            ended,
            elapsed: end.elapsed,
        });
    }
}

/// Asks for tasks; first frees what an answer that got lost had brought.
async fn ask(shared: &Shared, fetch: &Fetch, known: &HashSet<TaskId>) -> Result<Vec<LockedTask>, NoTasks> {
    let worker_id = &shared.worker_ids[fetch.lane];
    if fetch.recover {
        let freed = journal::free_all(&shared.engine, worker_id, |id| !known.contains(id)).await?;
        if freed > 0 {
            tracing::info!(
                pool = shared.settings.name,
                freed,
                "freed tasks that a lost answer had brought"
            );
        }
    }
    if let Some(dispatch) = &shared.settings.offers {
        return offered::take(shared, dispatch.as_ref(), fetch).await;
    }
    let topics = fetch
        .subscriptions
        .iter()
        .map(|index| shared.settings.topics[*index].request(&shared.settings));
    let request = FetchRequest {
        worker_id: worker_id.clone(),
        max_tasks: fetch.max_tasks,
        use_priority: shared.settings.priorities,
        long_poll: fetch.long_poll,
        topics: topics.collect(),
        ..FetchRequest::default()
    };
    Ok(shared.engine.fetch_and_lock(&request).await?)
}

/// Whether the task is this worker's still and its instance suspended: an engine refuses both reports and extensions
/// then, as it does for somebody else's lock.
async fn is_suspended(shared: &Shared, id: &TaskId, worker_id: &str) -> bool {
    let task = shared.engine.external_task(id).await;
    task.is_ok_and(|task| task.suspended && task.worker_id.as_deref() == Some(worker_id))
}

/// The engine's answer as far as decisions depend on it. Read from status and code alone.
fn reply(answer: &Result<(), EngineError>) -> Reply {
    match answer {
        Ok(()) => Reply::Done,
        Err(error) if error.is_unreachable() || error.is_unauthorized() => Reply::Down,
        Err(error) if error.is_transient() => Reply::Busy,
        // A gateway's own 404 says nothing of the task: it has no way to the engine. What else it refuses, such as a
        // report that it finds too large, it refuses each time.
        Err(error) if error.is_foreign() && error.is_not_found() => Reply::Down,
        Err(error) if error.is_foreign() => Reply::Refused,
        Err(error) if error.is_not_found() => Reply::Gone,
        Err(error) if error.is_not_owner() => Reply::NotOurs,
        Err(_) => Reply::Refused,
    }
}

async fn sleep_until(moment: Option<Instant>) {
    if let Some(moment) = moment {
        tokio::time::sleep_until(moment.into()).await;
    }
}

/// Tells the driver of a handler's end, also where that comes by a panic.
struct Telling {
    id: TaskId,
    end: Option<Box<End>>,
    to: Arc<Shared>,
}

impl Telling {
    fn of(&mut self, end: End) {
        self.end = Some(Box::new(end));
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        // Nobody listens any more where the driver itself is gone.
        let _ = self
            .to
            .told
            .send(Told::Ended(Arc::clone(&self.id), self.end.take()));
    }
}

/// A pool whose driver has ended is not ready.
struct NotReady<'a>(&'a Shared);

impl Drop for NotReady<'_> {
    fn drop(&mut self) {
        self.0.ready.store(false, Ordering::Relaxed);
    }
}
