//! A fake engine in the test's own process, for tests of adapters and workers: without sockets, without Java, by
//! tokio's clock.
//!
//! It answers the REST API's own JSON, so that the same client code runs as against a real engine: external tasks with
//! fetch-and-lock and long polls, locks that expire, completions, failures with retries and incidents, BPMN errors,
//! variables, instances and their history, of processes that are a row of external tasks ([`LinearProcess`]). What it
//! does not do it answers with status 501 and says so. The project runs the same contract tests on it, on Camunda 7.24
//! and on Operaton: where it differs from them, that is a fault of the fake.
//!
//! On a paused clock (`#[tokio::test(start_paused = true)]`) an hour's retry delay takes no time.
//!
//! ```
//! use std::time::Duration;
//! use engine_client::fake::{FakeEngine, LinearProcess, TaskStep};
//! use engine_client::{Completion, EngineClient, EngineError, FetchRequest, FetchTopic, InstanceState, Variable, Variables};
//!
//! /// What is to be tested: doubles `n`.
//! async fn work_once(engine: EngineClient) -> Result<(), EngineError> {
//!     let request = FetchRequest {
//!         worker_id: "w".to_owned(),
//!         max_tasks: 1,
//!         use_priority: false,
//!         long_poll: Duration::from_secs(20),
//!         topics: vec![FetchTopic::new("double", Duration::from_secs(60))],
//!         ..FetchRequest::default()
//!     };
//!     for task in engine.fetch_and_lock(&request).await? {
//!         let Some(Variable::Integer(n)) = task.variables.get("n") else { continue };
//!         let report = Completion {
//!             variables: Variables::from([("doubled".to_owned(), Variable::Integer(2 * n))]),
//!             ..Completion::default()
//!         };
//!         engine.complete(&task.id, "w", &report).await?;
//!     }
//!     Ok(())
//! }
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), EngineError> {
//! let fake = FakeEngine::new();
//! fake.deploy(LinearProcess::new("sums").then(TaskStep::new("double-it", "double").input("n", "${n}")));
//! let worker = tokio::spawn(work_once(fake.client()));
//!
//! let variables = Variables::from([("n".to_owned(), Variable::Integer(21))]);
//! let instance = fake.client().start_instance("sums", None, None, &variables).await?;
//! assert_eq!(fake.ended(&instance.id).await, Some(InstanceState::Completed));
//! assert_eq!(fake.variables(&instance.id)["doubled"], Variable::Integer(42));
//! # worker.await.expect("it does not panic")
//! # }
//! ```

mod answer;
mod fault;
mod fetch;
mod http;
mod instance;
mod lists;
mod polls;
mod process;
mod render;
mod state;
mod tasks;
mod upload;
mod value;
mod watch;

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ::http::{Method, Request, Response};
use bytes::Bytes;
use tokio::sync::watch as channel;

use self::answer::{Answer, Refused};
use self::fetch::Fetch;
use self::http::Call;
use self::polls::{Begun, Polls};
use self::state::State;
use crate::{EngineClient, InProcess};

pub use self::fault::Fault;
pub use self::process::{LinearProcess, TaskStep};

/// The fake engine. Clones are the same engine. See the [module](self) for an example.
#[derive(Clone, Debug)]
pub struct FakeEngine {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    inner: Mutex<Inner>,
    /// Told after every call.
    changed: channel::Sender<()>,
}

#[derive(Debug)]
struct Inner {
    state: State,
    polls: Polls,
    faults: Vec<Fault>,
    calls: Vec<String>,
}

impl Default for FakeEngine {
    fn default() -> Self {
        Self::new()
    }
}

impl FakeEngine {
    /// An engine without processes. Its clock is tokio's: make it inside the test's runtime where that is paused.
    #[must_use]
    pub fn new() -> Self {
        let inner = Inner {
            state: State::new(),
            polls: Polls::new(),
            faults: Vec::new(),
            calls: Vec::new(),
        };
        Self {
            shared: Arc::new(Shared {
                inner: Mutex::new(inner),
                changed: channel::Sender::new(()),
            }),
        }
    }

    /// Lets a BPMN error that nothing catches end its instance in silence, as engines do unless they enable exceptions
    /// after unhandled BPMN errors. Without this, the report of such an error is refused with status 500.
    #[must_use]
    pub fn with_silent_bpmn_errors(self) -> Self {
        self.lock().state.uncaught_is_error = false;
        self
    }

    /// A client of this engine.
    #[must_use]
    pub fn client(&self) -> EngineClient {
        EngineClient::in_process(Arc::new(self.clone()))
    }

    /// Deploys the next version of a process, and gives its definition's id. The model is not checked: element ids
    /// that occur twice, say, are for a real engine to refuse.
    pub fn deploy(&self, process: LinearProcess) -> String {
        self.lock().state.deploy(process)
    }

    /// Lets calls go wrong. Of several faults for a path, the first one injected comes first.
    pub fn inject(&self, fault: Fault) {
        self.lock().faults.push(fault);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing that holds the lock can panic half way through a change.
        self.shared.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self, request: Request<Bytes>) -> Response<Bytes> {
        let path = request.uri().path().to_owned();
        let fault = {
            let mut inner = self.lock();
            inner.calls.push(path.clone());
            fault::take(&mut inner.faults, &path)
        };
        let Some(fault) = fault else {
            return self.carry_out(request).await;
        };
        tokio::time::sleep(fault.delay).await;
        if let Some(status) = fault.gateway {
            return answer::of_a_gateway(status);
        }
        if let Some((status, code)) = fault.instead {
            return Refused::injected(status, code).into_response();
        }
        let response = self.carry_out(request).await;
        if fault.silent {
            return std::future::pending().await;
        }
        if fault.lost {
            return Refused::injected(502, None).into_response();
        }
        response
    }

    async fn carry_out(&self, request: Request<Bytes>) -> Response<Bytes> {
        let path = http::segments(request.uri().path());
        let is_fetch = path == ["external-task", "fetchAndLock"] && request.method() == Method::POST;
        let answer = if is_fetch {
            self.fetch_and_lock(request.body()).await
        } else {
            let query = request.uri().query().unwrap_or_default();
            let query = url::form_urlencoded::parse(query.as_bytes()).into_owned();
            let call = Call {
                method: request.method(),
                path,
                query: query.collect(),
                body: request.body(),
            };
            let mut inner = self.lock();
            let answer = inner.state.answer(call);
            inner.wake_polls();
            answer
        };
        let _ = self.shared.changed.send(());
        match answer {
            Ok(answer) => answer.into_response(),
            Err(refused) => refused.into_response(),
        }
    }

    async fn fetch_and_lock(&self, body: &[u8]) -> Result<Answer, Refused> {
        let fetch = Fetch::read(body)?;
        let begun = {
            let mut inner = self.lock();
            let Inner { state, polls, .. } = &mut *inner;
            polls.begin(state, fetch)?
        };
        let mut answer = match begun {
            Begun::Answered(tasks) => return Ok(Answer::Json(tasks.into())),
            Begun::Waiting(answer) => answer,
        };
        loop {
            let next = self.lock().polls.next_check();
            tokio::select! {
                biased;
                tasks = &mut answer => {
                    let tasks = tasks.unwrap_or_else(|_| Err(Refused::cancelled()))?;
                    return Ok(Answer::Json(tasks.into()));
                }
                () = tokio::time::sleep_until(next) => self.lock().check_if_due(),
            }
        }
    }
}

impl Inner {
    /// Looks at the pending polls where something has happened that they wait for.
    fn wake_polls(&mut self) {
        if std::mem::take(&mut self.state.woken) {
            self.polls.check(&mut self.state);
        }
    }

    /// Each waiting poll comes here at the same moment: the first one looks at all of them.
    fn check_if_due(&mut self) {
        if self.polls.next_check() <= tokio::time::Instant::now() {
            self.polls.check(&mut self.state);
        }
    }
}

impl InProcess for FakeEngine {
    fn call(&self, request: Request<Bytes>) -> Pin<Box<dyn Future<Output = Response<Bytes>> + Send>> {
        let engine = self.clone();
        Box::pin(async move { engine.answer(request).await })
    }
}
