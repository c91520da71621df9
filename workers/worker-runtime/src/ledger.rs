//! The effects of a task, written down in the engine: as local variables of its execution, in the engine's own database,
//! so that whichever worker gets the task next knows what the last one was about to do.

mod note;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use engine_client::{EngineClient, EngineError, LockedTask, Scope, Variable, Variables};
use jiff::Timestamp;
use worker_api::{Answer, Failure, Ledger, Noted, async_trait};

use self::note::{Note, State};
use crate::backoff;

/// The variable that holds what a task was about to do or has done; what a topic that it calls does follows behind a
/// slash. No task sees it among its inputs.
pub const EFFECT_VARIABLE: &str = "procosEffect";

/// Whether a variable is a note on what must not be done twice: written by a worker, and no input of a task.
#[must_use]
pub fn is_effect_note(name: &str) -> bool {
    let rest = name.strip_prefix(EFFECT_VARIABLE);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Characters of a variable's name that the engine keeps.
const LONGEST_NAME: usize = 255;

/// How long an engine that is in trouble is asked again; the task's lock is extended meanwhile.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is known at the end of an attempt that has failed.
#[derive(Clone, Copy, Debug)]
enum ToTell {
    /// Nothing has happened.
    Undone,
    /// Nobody knows whether it has happened.
    Lost,
}

/// One task's. It is read from the variables with which the task was fetched.
#[derive(Debug)]
pub(crate) struct TaskLedger {
    engine: EngineClient,
    task_id: String,
    execution_id: String,
    worker_id: String,
    lock_duration: Duration,
    noted: BTreeMap<String, Noted>,
    /// Whether all variables of its scope came along with the task, and so all that was written down.
    has_all: bool,
    /// What the report of a failure has to tell besides, by name.
    to_tell: Mutex<BTreeMap<String, ToTell>>,
}

impl TaskLedger {
    /// Takes what was written down of this task out of its variables.
    pub(crate) fn take(
        engine: &EngineClient,
        task: &mut LockedTask,
        has_all: bool,
        lock_duration: Duration,
    ) -> Self {
        let notes = task.variables.extract_if(.., |name, _| is_effect_note(name));
        let noted = notes.filter_map(|(name, variable)| match variable {
            // Another task's is nobody's here.
            Variable::Json(json) => Note::read(json, &task.id).map(|noted| (name, noted)),
            _ => None,
        });
        Self {
            noted: noted.collect(),
            has_all,
            engine: engine.clone(),
            task_id: task.id.clone(),
            execution_id: task.execution_id.clone(),
            worker_id: task.worker_id.clone(),
            lock_duration,
            to_tell: Mutex::default(),
        }
    }

    /// What goes with the report of a failure: that nothing was done; and where the report `tells` that the outcome is unknown,
    /// that somebody has been told, so that the next attempt may do it.
    pub(crate) fn with_failure(&self, tells: bool) -> Variables {
        let to_tell = self.to_tell.lock().unwrap_or_else(PoisonError::into_inner);
        let notes = to_tell.iter().filter_map(|(name, what)| match what {
            ToTell::Undone => Some((name.clone(), self.note(State::Undone))),
            ToTell::Lost if tells => Some((name.clone(), self.note(State::Told))),
            ToTell::Lost => None,
        });
        notes.collect()
    }

    fn tell(&self, key: &str, what: ToTell) {
        let mut to_tell = self.to_tell.lock().unwrap_or_else(PoisonError::into_inner);
        to_tell.insert(self.name(key), what);
    }

    fn note(&self, state: State) -> Variable {
        let note = Note {
            task: self.task_id.clone(),
            worker: self.worker_id.clone(),
            at: Timestamp::now().to_string(),
            state,
        };
        Variable::Json(note.write())
    }

    /// The name of the variable for an idempotency key.
    fn name(&self, key: &str) -> String {
        format!(
            "{EFFECT_VARIABLE}{}",
            key.strip_prefix(&self.task_id).unwrap_or(key)
        )
    }

    async fn write(&self, name: &str, state: State) -> Result<(), EngineError> {
        let set = Variables::from([(name.to_owned(), self.note(state))]);
        patiently(|| {
            self.engine
                .change_variables(Scope::Execution(&self.execution_id), &set, &[])
        })
        .await
    }
}

#[async_trait]
impl Ledger for TaskLedger {
    async fn noted(&self, key: &str) -> Result<Noted, Failure> {
        let name = self.name(key);
        if let Some(noted) = self.noted.get(&name) {
            return Ok(noted.clone());
        }
        if self.has_all {
            return Ok(Noted::Nothing);
        }
        let scope = Scope::Execution(&self.execution_id);
        match patiently(|| self.engine.variable(scope, &name)).await {
            Ok(Variable::Json(json)) => Ok(Note::read(json, &self.task_id).unwrap_or(Noted::Nothing)),
            Ok(_) => Ok(Noted::Nothing),
            Err(error) if error.is_not_found() => Ok(Noted::Nothing),
            Err(error) => Err(Failure::retryable(format!(
                "nothing was sent, since the engine does not tell whether it was before: {error}"
            ))
            .nothing_done()),
        }
    }

    async fn intend(&self, key: &str) -> Result<(), Failure> {
        let name = self.name(key);
        if name.chars().count() > LONGEST_NAME {
            return Err(Failure::permanent(format!(
                "the key of a called topic is too long to be written down in the engine: {} characters are the most that \
                 fit; call it by a shorter one",
                LONGEST_NAME - EFFECT_VARIABLE.len()
            ))
            .nothing_done());
        }
        let failed = |error: EngineError| {
            Failure::retryable(format!(
                "nothing was sent, since the engine did not take the note that it was about to be: {error}"
            ))
            .nothing_done()
        };
        self.write(&name, State::Intent).await.map_err(failed)?;
        // Only who holds the lock after that may go on: whoever gets the task later finds the note, and where somebody
        // has got it before, the lock is theirs and this is refused.
        patiently(|| {
            self.engine
                .extend_lock(&self.task_id, &self.worker_id, self.lock_duration)
        })
        .await
        .map_err(failed)
    }

    async fn receive(&self, key: &str, answer: &Answer) {
        let written = match note::stored(answer).await {
            Ok(stored) => self.write(&self.name(key), State::Receipt(stored)).await,
            Err(failure) => {
                tracing::warn!(%failure, "what a task answers cannot be written down before it is reported");
                return;
            }
        };
        if let Err(error) = written {
            tracing::warn!(%error, "the engine does not take the receipt of a task that is done; it is reported without");
        }
    }

    async fn forget(&self, key: &str) {
        let name = self.name(key);
        // Not by its own address: the login of a worker on the project's engine may do no more than it has to.
        let (none, names) = (Variables::new(), [name.as_str()]);
        let scope = Scope::Execution(&self.execution_id);
        let forgotten = patiently(|| self.engine.change_variables(scope, &none, &names));
        if let Err(error) = forgotten.await {
            tracing::warn!(
                %error,
                "the engine does not take the note that a task has done nothing; its next attempt will say that its \
                 outcome is unknown"
            );
        }
    }

    fn undo(&self, key: &str) {
        self.tell(key, ToTell::Undone);
    }

    fn lose(&self, key: &str) {
        self.tell(key, ToTell::Lost);
    }
}

/// Asks again as long as the engine is in trouble that passes, for a while.
async fn patiently<F, T>(request: impl Fn() -> F) -> Result<T, EngineError>
where
    F: Future<Output = Result<T, EngineError>>,
{
    let (mut delays, end) = (backoff::delays(), tokio::time::Instant::now() + PATIENCE);
    loop {
        match request().await {
            Err(error) if error.is_transient() && tokio::time::Instant::now() < end => {
                tokio::time::sleep(delays.next().unwrap_or(backoff::LONGEST)).await;
            }
            answer => return answer,
        }
    }
}
