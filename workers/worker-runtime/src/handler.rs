//! Handlers: functions that work off tasks with inputs and answers of their own types.

use std::error::Error;
use std::fmt;
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use worker_api::{
    Adapter, AdapterDescription, Answer, BpmnError, Effect, Failure, Outcome, Postponed, TaskContext,
    TaskError, Value, async_trait,
};

/// What a handler gives.
pub type HandlerResult<T> = Result<T, HandlerError>;

/// An async function that works off the tasks of a topic. These are handlers:
///
/// | function | |
/// |---|---|
/// | `async fn(Inputs) -> HandlerResult<Output>` | the task's inputs as a type, the answer as a type |
/// | `async fn(Inputs, TaskContext) -> HandlerResult<Output>` | and besides what else is known of the task |
/// | `async fn(TaskContext) -> HandlerResult<Answer>` | nothing typed: for files, bytes and dates |
///
/// `Inputs` is any type that serde can read ([`serde::Deserialize`]) from the task's input parameters. One that is
/// missing or of the wrong kind is a failure that names it and is not tried again. `Output` is any type that serde
/// writes ([`Serialize`]) as an object: its fields are the answer. `()` is an answer without fields.
///
/// A closure is called for many tasks at once, so what it needs besides is cloned into each call; an [`Adapter`],
/// which has a `self`, is the handier form where there is much of that.
///
/// Cancellation: the future is dropped where the task's lock is lost, its time is up, or the worker has stopped and
/// its time to drain is over. Nothing of it is reported then.
#[diagnostic::on_unimplemented(
    message = "this is no handler of external tasks",
    label = "not a handler",
    note = "a handler is an async function of (Inputs), (Inputs, TaskContext) or (TaskContext)",
    note = "Inputs needs serde::Deserialize and owns what it holds; a closure says its type: `async |order: Order| …`",
    note = "it gives HandlerResult<Output>, where Output needs serde::Serialize; of (TaskContext), HandlerResult<Answer>",
    note = "its future is Send; what it borrows from around it is moved or cloned into each call"
)]
pub trait Handler<Arguments>: Send + Sync + 'static {
    /// Works off one attempt at a task.
    fn handle(&self, context: TaskContext) -> impl Future<Output = Outcome> + Send;
}

impl<F, Working, Inputs, Output> Handler<(Inputs,)> for F
where
    F: Fn(Inputs) -> Working + Send + Sync + 'static,
    Working: Future<Output = HandlerResult<Output>> + Send,
    Inputs: DeserializeOwned + Send,
    Output: Serialize,
{
    async fn handle(&self, context: TaskContext) -> Outcome {
        let output = self(context.inputs()?).await?;
        answer(output, &context.task.topic)
    }
}

impl<F, Working, Inputs, Output> Handler<(Inputs, TaskContext)> for F
where
    F: Fn(Inputs, TaskContext) -> Working + Send + Sync + 'static,
    Working: Future<Output = HandlerResult<Output>> + Send,
    Inputs: DeserializeOwned + Send,
    Output: Serialize,
{
    async fn handle(&self, context: TaskContext) -> Outcome {
        let topic = context.task.topic.clone();
        let output = self(context.inputs()?, context).await?;
        answer(output, &topic)
    }
}

impl<F, Working> Handler<TaskContext> for F
where
    F: Fn(TaskContext) -> Working + Send + Sync + 'static,
    Working: Future<Output = HandlerResult<Answer>> + Send,
{
    async fn handle(&self, context: TaskContext) -> Outcome {
        Ok(self(context).await?)
    }
}

/// Why a handler gives no answer. `?` makes one of any error:
///
/// - a [`BpmnError`], a [`Failure`], a [`Postponed`] or a [`TaskError`] stays what it is;
/// - any other error becomes a failure that is tried again as the task's retry policy says, with the chain of its
///   causes as details.
///
/// As other catch-all errors it is no [`Error`] itself; [`HandlerError::new`] takes those.
#[derive(Clone, PartialEq)]
pub struct HandlerError(TaskError);

impl HandlerError {
    /// A failure that is tried again, from what `?` does not take: text, a boxed error, an `anyhow::Error`. For
    /// use in `map_err`.
    #[must_use]
    pub fn new(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(known(error.into()))
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for HandlerError {
    fn from(error: E) -> Self {
        Self::new(error)
    }
}

impl From<HandlerError> for TaskError {
    fn from(error: HandlerError) -> Self {
        error.0
    }
}

impl fmt::Debug for HandlerError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl fmt::Display for HandlerError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// The error itself where an adapter may give it, else a failure that tells it with its causes.
fn known(error: Box<dyn Error + Send + Sync>) -> TaskError {
    let named = error
        .downcast::<TaskError>()
        .map(|error| *error)
        .or_else(|error| error.downcast::<BpmnError>().map(|error| (*error).into()))
        .or_else(|error| error.downcast::<Failure>().map(|error| (*error).into()))
        .or_else(|error| error.downcast::<Postponed>().map(|error| (*error).into()));
    named.unwrap_or_else(|error| {
        Failure::retryable(error.to_string())
            .caused_by(error.as_ref())
            .into()
    })
}

/// A handler as the adapter of its topic.
pub(crate) struct HandlerAdapter<H, Arguments> {
    name: String,
    handler: H,
    effect: Effect,
    arguments: PhantomData<fn(Arguments)>,
}

impl<H, Arguments> HandlerAdapter<H, Arguments> {
    pub(crate) fn new(name: &str, handler: H, effect: Effect) -> Self {
        Self {
            name: name.to_owned(),
            handler,
            effect,
            arguments: PhantomData,
        }
    }
}

#[async_trait]
impl<Arguments: 'static, H: Handler<Arguments>> Adapter for HandlerAdapter<H, Arguments> {
    fn description(&self) -> AdapterDescription {
        AdapterDescription::new(&self.name, "A handler")
    }

    fn effect(&self, _: &TaskContext) -> Effect {
        self.effect
    }

    async fn execute(&self, context: TaskContext) -> Outcome {
        self.handler.handle(context).await
    }
}

fn answer(output: impl Serialize, topic: &str) -> Outcome {
    let fault = |what: String| {
        Failure::permanent(format!(
            "the handler of topic `{topic}` gives {what}; an answer is a struct or a map with text as keys"
        ))
    };
    match serde_json::to_value(output) {
        Ok(Json::Object(fields)) => Ok(fields.into_iter().fold(Answer::new(), |answer, (name, value)| {
            answer.with(name, Value::from(value))
        })),
        Ok(Json::Null) => Ok(Answer::new()),
        Ok(other) => Err(fault(format!("`{other}`")).into()),
        Err(error) => Err(fault(format!("what cannot be written as JSON ({error})")).into()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use serde::Deserialize;
    use serde_json::json;
    use worker_api::{File, Retry, Task};

    use super::*;

    #[derive(Deserialize)]
    struct Order {
        amount: f64,
        country: String,
    }

    #[derive(Serialize)]
    struct Tax {
        country: String,
        total: f64,
        lines: Vec<u8>,
    }

    fn context(amount: Value) -> TaskContext {
        let task = Task {
            topic: "tax".into(),
            activity_id: "compute_tax".into(),
            ..Task::default()
        };
        TaskContext::new(task, Duration::from_secs(1)).with_variables(BTreeMap::from([
            ("amount".into(), amount),
            ("country".into(), "DE".into()),
        ]))
    }

    async fn outcome<A>(handler: impl Handler<A>) -> Outcome {
        handler.handle(context(Value::Double(100.0))).await
    }

    async fn failure<A>(handler: impl Handler<A>) -> Failure {
        match outcome(handler).await {
            Err(TaskError::Failure(failure)) => failure,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn inputs_are_read_and_the_outputs_fields_become_the_answer() {
        let tax = async |order: Order| {
            Ok(Tax {
                country: order.country,
                total: order.amount * 1.19,
                lines: vec![1, 2],
            })
        };
        let answer = outcome(tax).await.unwrap();
        let expected = Answer::new()
            .with("country", "DE")
            .with("total", 119.0)
            .with("lines", Value::Json(json!([1, 2])));
        assert_eq!(answer, expected);
    }

    #[tokio::test]
    async fn a_handler_is_told_of_its_task_where_it_asks() {
        async fn second(_: Order, context: TaskContext) -> HandlerResult<BTreeMap<String, String>> {
            Ok(BTreeMap::from([("step".to_owned(), context.task.activity_id)]))
        }
        let answer = outcome(second).await.unwrap();
        assert_eq!(answer, Answer::new().with("step", "compute_tax"));
    }

    #[tokio::test]
    async fn an_untyped_handler_may_answer_what_json_cannot_hold() {
        let file = File {
            name: "a.pdf".into(),
            media_type: None,
            encoding: None,
            content: "x".into(),
        };
        let expected = Answer::new().with("document", file);
        let answer = expected.clone();
        let handler = move |_: TaskContext| {
            let answer = answer.clone();
            async move { Ok(answer) }
        };
        assert_eq!(outcome(handler).await.unwrap(), expected);
    }

    #[tokio::test]
    async fn a_wrong_input_is_named_and_the_handler_not_called() {
        let tax = async |_: Order| -> HandlerResult<()> { panic!("called") };
        let outcome = tax.handle(context("much".into())).await;
        let Err(TaskError::Failure(failure)) = outcome else {
            panic!("{outcome:?}");
        };
        assert!(
            failure
                .message
                .contains("input `amount` of task compute_tax (tax)"),
            "{failure}"
        );
        assert_eq!(failure.retry, Retry::Never);
    }

    #[tokio::test]
    async fn nothing_is_an_answer_without_fields() {
        assert_eq!(outcome(async |_: Order| Ok(())).await, Ok(Answer::new()));
    }

    #[tokio::test]
    async fn an_output_without_fields_is_a_fault_that_is_never_retried() {
        for failure in [
            failure(async |_: Order| Ok(7)).await,
            failure(async |_: Order| Ok([1, 2])).await,
            failure(async |_: Order| Ok(BTreeMap::from([((1, 2), 3)]))).await,
        ] {
            assert!(failure.message.contains("topic `tax`"), "{failure}");
            assert_eq!(failure.retry, Retry::Never);
        }
    }

    #[tokio::test]
    async fn errors_of_this_trade_stay_what_they_are() {
        let error = BpmnError::new("NO_RATE", "no rate").with("country", "DE");
        let thrown = error.clone();
        let handler = move |_: Order| {
            let thrown = thrown.clone();
            async move { HandlerResult::<()>::Err(thrown.into()) }
        };
        assert_eq!(outcome(handler).await, Err(error.into()));
        let permanent =
            failure(async |_: Order| -> HandlerResult<()> { Err(Failure::permanent("no"))? }).await;
        assert_eq!(permanent, Failure::permanent("no"));
        let later = Postponed::new("not yet", Duration::from_secs(1));
        assert_eq!(TaskError::from(HandlerError::from(later.clone())), later.into());
        let nested = TaskError::from(BpmnError::new("A", "b"));
        assert_eq!(TaskError::from(HandlerError::from(nested.clone())), nested);
    }

    #[tokio::test]
    async fn any_other_error_is_retried_and_told_with_its_causes() {
        #[derive(Debug, thiserror::Error)]
        #[error("the rates cannot be read")]
        struct Unread(#[source] std::num::ParseIntError);

        let handler = async |_: Order| {
            "x".parse::<u8>().map_err(Unread)?;
            Ok(())
        };
        let failure = failure(handler).await;
        assert_eq!(failure.message, "the rates cannot be read");
        let details = failure.details.unwrap();
        assert!(details.contains("caused by: invalid digit"), "{details}");
        assert_eq!(failure.retry, Retry::ByPolicy);
    }

    #[tokio::test]
    async fn text_and_boxed_errors_are_taken_on_request() {
        let handler = async |_: Order| -> HandlerResult<()> { Err(HandlerError::new("no paper")) };
        assert_eq!(failure(handler).await.message, "no paper");
        let handler = async |_: Order| -> HandlerResult<()> {
            let inner = anyhow::anyhow!("no ink").context("cannot print");
            Err(HandlerError::new(inner))
        };
        let failure = failure(handler).await;
        assert_eq!(failure.message, "cannot print");
        assert!(failure.details.unwrap().contains("caused by: no ink"));
    }
}
