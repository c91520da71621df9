//! What an adapter is given.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};
use tokio_util::sync::CancellationToken;

use crate::{
    Failure, File, Ledger, NoLedger, NoProcesses, ProcessPort, ProcessSecurity, SandboxLevel, TopicCall,
    Value, Variables,
};

/// One attempt at one external task, or at a topic that such a task calls.
#[derive(Clone, Debug)]
pub struct TaskContext {
    /// Which task of which process it is.
    pub task: Task,
    /// The name of the adapter that the task is routed to.
    pub adapter: String,
    /// The adapter's own topic that the task's topic is routed to; the same as [`Task::topic`] unless the
    /// configuration gives the adapter another name to answer to.
    pub operation: String,
    /// Whether the adapter runs code of users for this topic, in a sandbox: [`Route::sandboxed`](crate::Route).
    pub sandboxed: bool,
    /// How strict that sandbox has to be at least, as the policy says; none where what is configured is enough.
    pub sandbox_level: Option<SandboxLevel>,
    /// What the process says about its own security; none where it says nothing. The policy fills it in: layers
    /// inside of it and the adapter see it.
    pub security: Option<Arc<ProcessSecurity>>,
    /// The task's local variables: what the model gives as input parameters.
    pub variables: Variables,
    /// What the operator's route fixes (`with`); wins over a variable of the same name.
    pub settings: Map<String, Json>,
    /// The task's extension properties.
    pub properties: BTreeMap<String, String>,
    /// How long the adapter may take, from when it gets the task.
    pub timeout: Duration,
    /// When the attempt is given up. The worker enforces it by dropping the adapter's future. A middleware sees what
    /// it would be if the adapter got the task at once; time spent waiting before that does not count.
    pub deadline: Instant,
    /// Cancelled when the attempt is given up: its lock was lost, its time has run out or the worker stops.
    /// The adapter's own future is dropped then; whoever spawns work of its own watches this token.
    pub cancelled: CancellationToken,
    processes: Arc<dyn ProcessPort>,
    ledger: Arc<dyn Ledger>,
    caller: Option<Arc<Caller>>,
}

/// What a topic that is called inherits.
#[derive(Debug)]
struct Caller {
    idempotency_key: String,
    depth: u32,
    deadline: Instant,
}

/// Which task of which process it is. Ids are the engine's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Task {
    /// The external task's id: the same for every attempt, so it serves as an idempotency key.
    pub id: String,
    /// The topic the model names; in a topic that a task calls, the called one.
    pub topic: String,
    /// The id of the model's element.
    pub activity_id: String,
    /// The process definition's key.
    pub process_definition_key: String,
    /// The process definition's id: one version of it.
    pub process_definition_id: String,
    /// The process instance's id.
    pub process_instance_id: String,
    /// The execution whose local variables are the task's own.
    pub execution_id: String,
    /// The business key of the process instance, where it has one.
    pub business_key: Option<String>,
    /// The tenant, where the instance belongs to one.
    pub tenant_id: Option<String>,
    /// Which attempt this is, from 1.
    pub attempt: u32,
}

impl TaskContext {
    /// An attempt that may take this long from now, without variables, and with a port that leads nowhere: for the
    /// worker to fill in, and for tests of adapters.
    #[must_use]
    pub fn new(task: Task, timeout: Duration) -> Self {
        Self {
            adapter: String::new(),
            operation: task.topic.clone(),
            sandboxed: false,
            sandbox_level: None,
            security: None,
            task,
            variables: Variables::new(),
            settings: Map::new(),
            properties: BTreeMap::new(),
            timeout,
            deadline: after(Instant::now(), timeout),
            cancelled: CancellationToken::new(),
            processes: Arc::new(NoProcesses),
            ledger: Arc::new(NoLedger),
            caller: None,
        }
    }

    /// Sets the task's variables.
    #[must_use]
    pub fn with_variables(mut self, variables: Variables) -> Self {
        self.variables = variables;
        self
    }

    /// Sets where starts, correlations and calls go.
    #[must_use]
    pub fn with_processes(mut self, processes: Arc<dyn ProcessPort>) -> Self {
        self.processes = processes;
        self
    }

    /// Sets where the effects of the task are written down.
    #[must_use]
    pub fn with_ledger(mut self, ledger: Arc<dyn Ledger>) -> Self {
        self.ledger = ledger;
        self
    }

    /// Where the effects of the task, and of the topics that it calls, are written down. For middleware: the worker does
    /// it for every adapter.
    #[must_use]
    pub fn ledger(&self) -> &Arc<dyn Ledger> {
        &self.ledger
    }

    /// Starts processes, correlates messages, and calls topics:
    /// `context.processes().call_topic(&context, call).await??`.
    #[must_use]
    pub fn processes(&self) -> &Arc<dyn ProcessPort> {
        &self.processes
    }

    /// The same for every attempt at the same work, and for nothing else: the task's id, in a topic that it calls
    /// followed by the call's key.
    #[must_use]
    pub fn idempotency_key(&self) -> &str {
        self.caller
            .as_ref()
            .map_or(&self.task.id, |caller| &caller.idempotency_key)
    }

    /// How many calls of topics lie between the external task and this: 0 in the task itself.
    #[must_use]
    pub fn depth(&self) -> u32 {
        self.caller.as_ref().map_or(0, |caller| caller.depth)
    }

    /// The context of a topic that this task calls: it belongs to the same task, is cancelled with it, and ends no
    /// later. The task's own variables, settings and properties stay behind, and what the policy
    /// has granted: the called topic has to pass it for itself. For who implements [`ProcessPort`].
    #[must_use]
    pub fn called(&self, call: TopicCall, now: Instant) -> Self {
        let caller = Caller {
            idempotency_key: format!("{}/{}", self.idempotency_key(), call.key),
            depth: self.depth() + 1,
            deadline: self.deadline,
        };
        Self {
            task: Task {
                topic: call.topic.clone(),
                ..self.task.clone()
            },
            adapter: String::new(),
            operation: call.topic,
            sandboxed: false,
            sandbox_level: None,
            security: None,
            variables: call.inputs,
            settings: Map::new(),
            properties: BTreeMap::new(),
            timeout: self.deadline.saturating_duration_since(now),
            deadline: self.deadline,
            cancelled: self.cancelled.child_token(),
            processes: Arc::clone(&self.processes),
            ledger: Arc::clone(&self.ledger),
            caller: Some(Arc::new(caller)),
        }
    }

    /// Lets the time for the adapter run from now: [`Self::timeout`], and for a called topic no longer than its
    /// caller has.
    pub fn start_clock(&mut self, now: Instant) {
        let deadline = after(now, self.timeout);
        self.deadline = self
            .caller
            .as_ref()
            .map_or(deadline, |caller| deadline.min(caller.deadline));
    }

    /// The inputs as a type of the adapter's own: the task's variables, then over them what the route fixes.
    ///
    /// An input that is null where its field cannot be counts as not given: an input parameter that a person has left
    /// empty in Modeler is null.
    ///
    /// # Errors
    /// A permanent [`Failure`] that names the input which is missing or of the wrong kind.
    pub fn inputs<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        self.read(|_| true)
    }

    /// Those of the inputs that have these names, as a type of the adapter's own: where the rest, which may be large, does
    /// not matter.
    ///
    /// # Errors
    /// As [`Self::inputs`].
    pub fn inputs_named<T: DeserializeOwned>(&self, names: &[&str]) -> Result<T, Failure> {
        self.read(|name| names.contains(&name))
    }

    /// The file in the input of this name, which another input, `place`, names. Raw bytes count as a file that is called as
    /// the input is.
    ///
    /// # Errors
    /// A permanent [`Failure`] where that is no file of this task.
    pub fn file(&self, place: &str, input: &str) -> Result<File, Failure> {
        match self.variables.get(input) {
            Some(Value::File(file)) => Ok(file.clone()),
            Some(Value::Bytes(bytes)) => Ok(File {
                name: input.to_owned(),
                media_type: None,
                encoding: None,
                content: bytes.clone().into(),
            }),
            _ => Err(Failure::permanent(format!(
                "the input `{place}` names the input `{input}`, which is no file of this task; give it one as an input parameter"
            ))
            .nothing_done()),
        }
    }

    fn read<T: DeserializeOwned>(&self, is_wanted: impl Fn(&str) -> bool) -> Result<T, Failure> {
        let variables = self.variables.iter().filter(|(name, _)| is_wanted(name));
        let mut inputs: Map<String, Json> = variables
            .map(|(name, value)| (name.clone(), value.to_json()))
            .collect();
        let settings = self.settings.iter().filter(|(name, _)| is_wanted(name));
        inputs.extend(settings.map(|(name, value)| (name.clone(), value.clone())));
        loop {
            // There is only another look where something can be left out.
            let kept = inputs.values().any(Json::is_null).then(|| inputs.clone());
            let error = match serde_path_to_error::deserialize(Json::Object(inputs)) {
                Ok(read) => return Ok(read),
                Err(error) => error,
            };
            let place = error.path().to_string();
            match kept {
                Some(mut kept) if kept.get(&place).is_some_and(Json::is_null) => {
                    kept.remove(&place);
                    inputs = kept;
                }
                _ => return Err(self.wrong_input(&place, error.inner())),
            }
        }
    }

    fn wrong_input(&self, place: &str, error: &serde_json::Error) -> Failure {
        let place = match place {
            "." => String::new(),
            place => format!(" `{place}`"),
        };
        Failure::permanent(format!(
            "input{place} of task {} ({}): {error}; set it as an input parameter of the task",
            self.task.activity_id, self.task.topic,
        ))
        .nothing_done()
    }
}

/// A moment in the future, at most a hundred years away: beyond that the clock could overflow.
fn after(now: Instant, timeout: Duration) -> Instant {
    now + timeout.min(Duration::from_secs(100 * 365 * 86_400))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Retry;

    #[derive(Debug, serde::Deserialize)]
    struct Inputs {
        url: String,
        #[serde(default)]
        limit: u8,
    }

    fn context(variables: &[(&str, Value)]) -> TaskContext {
        let task = Task {
            id: "task-1".into(),
            activity_id: "fetch".into(),
            topic: "http_request".into(),
            ..Task::default()
        };
        let variables = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()));
        TaskContext::new(task, Duration::from_secs(60)).with_variables(variables.collect())
    }

    #[test]
    fn inputs_are_read_and_the_route_wins() {
        let mut context = context(&[("url", "http://a".into()), ("limit", Value::Integer(3))]);
        context.settings.insert("limit".into(), Json::from(5));
        let inputs: Inputs = context.inputs().unwrap();
        assert_eq!((inputs.url.as_str(), inputs.limit), ("http://a", 5));
    }

    #[test]
    fn an_input_left_empty_is_none() {
        let empty = context(&[("url", "http://a".into()), ("limit", Value::Null)]);
        assert_eq!(empty.inputs::<Inputs>().unwrap().limit, 0);
        let missing = context(&[("url", Value::Null)]).inputs::<Inputs>().unwrap_err();
        assert!(missing.message.contains("missing field `url`"), "{missing}");
    }

    #[test]
    fn inputs_that_are_not_named_are_not_read() {
        let mut context = context(&[("url", "http://a".into()), ("limit", Value::Integer(300))]);
        let inputs: Inputs = context.inputs_named(&["url"]).unwrap();
        assert_eq!((inputs.url.as_str(), inputs.limit), ("http://a", 0));
        context.settings.insert("url".into(), "http://b".into());
        let inputs: Inputs = context.inputs_named(&["url"]).unwrap();
        assert_eq!(inputs.url, "http://b");
    }

    #[test]
    fn an_input_that_is_named_as_a_file_has_to_be_one() {
        let context = context(&[("raw", Value::Bytes(vec![1, 2].into())), ("text", "a".into())]);
        let raw = context.file("attachments", "raw").unwrap();
        assert_eq!((raw.name.as_str(), raw.content.known_len()), ("raw", Some(2)));
        for input in ["text", "nothing"] {
            let error = context.file("attachments", input).unwrap_err();
            assert!(
                error.message.contains("`attachments`")
                    && error.message.contains(input)
                    && error.nothing_done,
                "{error:?}"
            );
        }
    }

    #[test]
    fn a_missing_or_wrong_input_is_named_and_never_retried() {
        let missing = context(&[]).inputs::<Inputs>().unwrap_err();
        assert!(missing.message.contains("missing field `url`"), "{missing}");
        assert_eq!(missing.retry, Retry::Never);
        let wrong = context(&[("url", "http://a".into()), ("limit", Value::Integer(300))]);
        let wrong = wrong.inputs::<Inputs>().unwrap_err();
        assert!(wrong.message.contains("`limit`"), "{wrong}");
    }

    #[test]
    fn a_called_topic_inherits_the_end_of_its_caller_and_nothing_of_its_inputs() {
        let mut outer = context(&[("url", "http://a".into())]);
        outer.properties.insert("concurrencyKey".into(), "a".into());
        outer.settings.insert("limit".into(), Json::from(5));
        let now = Instant::now();
        let mut inner = outer.called(TopicCall::new("ai_query", "tool-1"), now);
        assert_eq!(
            (inner.task.topic.as_str(), inner.operation.as_str()),
            ("ai_query", "ai_query")
        );
        assert!(inner.variables.is_empty() && inner.settings.is_empty() && inner.properties.is_empty());
        inner.timeout = Duration::from_secs(3600);
        inner.start_clock(now);
        assert_eq!(inner.deadline, outer.deadline);
        inner.timeout = Duration::from_secs(1);
        inner.start_clock(now);
        assert_eq!(inner.deadline, now + Duration::from_secs(1));
        outer.cancelled.cancel();
        assert!(inner.cancelled.is_cancelled());
    }

    #[test]
    fn each_call_has_a_key_of_its_own_that_is_the_same_at_each_attempt() {
        let outer = context(&[]);
        assert_eq!((outer.idempotency_key(), outer.depth()), ("task-1", 0));
        let call =
            |context: &TaskContext, key: &str| context.called(TopicCall::new("t", key), Instant::now());
        let inner = call(&call(&outer, "a"), "b");
        assert_eq!((inner.idempotency_key(), inner.depth()), ("task-1/a/b", 2));
        assert_eq!(inner.task.id, "task-1");
    }
}
