//! What must not happen twice is written down before and after it happens. Here, for every adapter, so that none can
//! forget it.

use worker_api::{
    BpmnError, Effect, Inquiry, Middleware, Next, Noted, OUTCOME_UNKNOWN, Outcome, TaskContext, TaskError,
    async_trait,
};

/// Around the adapter's own time: an attempt that is out of time has an unknown outcome as well.
pub(super) struct Effects;

#[async_trait]
impl Middleware for Effects {
    fn name(&self) -> &'static str {
        "effects"
    }

    async fn handle(&self, context: TaskContext, next: Next<'_>) -> Outcome {
        if next.effect(&context) == Effect::Repeatable {
            return next.run(context).await;
        }
        let (ledger, key) = (context.ledger().clone(), context.idempotency_key().to_owned());
        // The rest of the context goes to the adapter.
        let (activity_id, is_called) = (context.task.activity_id.clone(), context.depth() > 0);
        match ledger.noted(&key).await? {
            Noted::Nothing => {}
            Noted::Receipt(answer) => {
                tracing::info!("the task was done already; its receipt is its answer");
                return Ok(answer);
            }
            Noted::Intent { at, worker } => match inquire(&context, &next).await {
                Inquiry::Done(answer) => return Ok(answer),
                Inquiry::NotDone => {}
                Inquiry::Unknown => {
                    ledger.lose(&key);
                    let message = format!(
                        "the worker {worker} was about to do it at {at}, and nobody knows what came of that"
                    );
                    return Err(unknown(&activity_id, &key, &message, None).into());
                }
            },
        }
        if let Err(failure) = ledger.intend(&key).await {
            // The note may be there all the same.
            ledger.undo(&key);
            return Err(failure.into());
        }
        let outcome = next.run(context).await;
        match outcome {
            Ok(answer) => {
                ledger.receive(&key, &answer).await;
                Ok(answer)
            }
            Err(TaskError::Failure(failure)) if !failure.nothing_done => {
                ledger.lose(&key);
                Err(unknown(&activity_id, &key, &failure.message, failure.details).into())
            }
            // Whoever goes on with it meanwhile tells the engine nothing.
            Err(error) if is_called || matches!(error, TaskError::Postponed(_)) => {
                ledger.forget(&key).await;
                Err(error)
            }
            Err(error) => {
                ledger.undo(&key);
                Err(error)
            }
        }
    }
}

/// No longer than the task itself may take.
async fn inquire(context: &TaskContext, next: &Next<'_>) -> Inquiry {
    tokio::time::timeout(context.timeout, next.inquire(context))
        .await
        .unwrap_or(Inquiry::Unknown)
}

fn unknown(what: &str, key: &str, message: &str, details: Option<String>) -> BpmnError {
    let remedy = format!(
        "It is not done again by itself. Find out at the service, by the idempotency key {key} or whatever it knows the request \
         by. Where it was not done, `procos retry --again` gives the task a new attempt, which does it; where it was, move the \
         instance on behind {what}. In the model an error boundary event with the code {OUTCOME_UNKNOWN} can take over, and \
         `errorMap: {OUTCOME_UNKNOWN} -> retry` says that doing it twice is no harm."
    );
    let details = match details {
        Some(details) => format!("{details}\n\n{remedy}"),
        None => remedy,
    };
    BpmnError::new(
        OUTCOME_UNKNOWN,
        format!("whether {what} was done is not known: {message}"),
    )
    .with_details(details)
    .with("idempotencyKey", key)
}

#[cfg(test)]
mod tests;
