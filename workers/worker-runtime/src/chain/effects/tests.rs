//! What is written down, in which order, for each way in which an attempt can end.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use worker_api::{
    Adapter, AdapterDescription, Answer, BpmnError, Effect, Failure, Inquiry, Ledger, Noted, OUTCOME_UNKNOWN,
    Outcome, Postponed, Task, TaskContext, TaskError, async_trait,
};

use crate::Chain;

/// All that happens, in order.
type Log = Arc<Mutex<Vec<&'static str>>>;

struct Sends {
    log: Log,
    effect: Effect,
    outcomes: Mutex<VecDeque<Outcome>>,
    inquiry: Inquiry,
}

#[async_trait]
impl Adapter for Sends {
    fn description(&self) -> AdapterDescription {
        AdapterDescription::new("sends", "Sends")
    }

    fn effect(&self, _: &TaskContext) -> Effect {
        self.effect
    }

    async fn inquire(&self, _: &TaskContext) -> Inquiry {
        self.log.lock().unwrap().push("inquire");
        self.inquiry.clone()
    }

    async fn execute(&self, _: TaskContext) -> Outcome {
        self.log.lock().unwrap().push("send");
        let outcome = self.outcomes.lock().unwrap().pop_front();
        match outcome {
            Some(outcome) => outcome,
            None => std::future::pending().await,
        }
    }
}

#[derive(Debug)]
struct Memory {
    log: Log,
    noted: Noted,
    refuses: bool,
}

#[async_trait]
impl Ledger for Memory {
    async fn noted(&self, key: &str) -> Result<Noted, Failure> {
        assert_eq!(key, "task-1");
        Ok(self.noted.clone())
    }

    async fn intend(&self, _: &str) -> Result<(), Failure> {
        self.log.lock().unwrap().push("intend");
        match self.refuses {
            true => Err(Failure::retryable("no engine").nothing_done()),
            false => Ok(()),
        }
    }

    async fn receive(&self, _: &str, _: &Answer) {
        self.log.lock().unwrap().push("receive");
    }

    async fn forget(&self, _: &str) {
        self.log.lock().unwrap().push("forget");
    }

    fn undo(&self, _: &str) {
        self.log.lock().unwrap().push("undo");
    }

    fn lose(&self, _: &str) {
        self.log.lock().unwrap().push("lose");
    }
}

struct Case {
    effect: Effect,
    noted: Noted,
    inquiry: Inquiry,
    refuses: bool,
    outcome: Option<Outcome>,
}

fn case(outcome: impl Into<Option<Outcome>>) -> Case {
    Case {
        effect: Effect::Once,
        noted: Noted::Nothing,
        inquiry: Inquiry::Unknown,
        refuses: false,
        outcome: outcome.into(),
    }
}

impl Case {
    async fn run(self) -> (Vec<&'static str>, Outcome) {
        let log = Log::default();
        let adapter = Sends {
            log: Arc::clone(&log),
            effect: self.effect,
            outcomes: Mutex::new(self.outcome.into_iter().collect()),
            inquiry: self.inquiry,
        };
        let ledger = Memory {
            log: Arc::clone(&log),
            noted: self.noted,
            refuses: self.refuses,
        };
        let task = Task {
            id: "task-1".into(),
            activity_id: "pay".into(),
            ..Task::default()
        };
        let context = TaskContext::new(task, Duration::from_secs(5)).with_ledger(Arc::new(ledger));
        let outcome = Chain::default().run(context, &adapter).await;
        let log = log.lock().unwrap().clone();
        (log, outcome)
    }
}

fn unknown(outcome: Outcome) -> BpmnError {
    match outcome {
        Err(TaskError::Bpmn(error)) if error.code == OUTCOME_UNKNOWN => error,
        other => panic!("{other:?}"),
    }
}

fn intent() -> Noted {
    Noted::Intent {
        at: "2026-03-01T10:00:00Z".into(),
        worker: "generic-1".into(),
    }
}

#[tokio::test]
async fn what_may_be_repeated_costs_nothing() {
    let repeatable = Case {
        effect: Effect::Repeatable,
        noted: intent(),
        ..case(Ok(Answer::new()))
    };
    assert_eq!(repeatable.run().await, (vec!["send"], Ok(Answer::new())));
}

#[tokio::test]
async fn an_answer_has_an_intent_before_it_and_a_receipt_behind() {
    let (log, outcome) = case(Ok(Answer::new().with("id", 7))).run().await;
    assert_eq!(log, ["intend", "send", "receive"]);
    assert_eq!(outcome, Ok(Answer::new().with("id", 7)));
}

#[tokio::test]
async fn what_the_engine_does_not_note_is_not_sent() {
    let refused = Case {
        refuses: true,
        ..case(Ok(Answer::new()))
    };
    let (log, outcome) = refused.run().await;
    assert_eq!(log, ["intend", "undo"]);
    assert!(matches!(outcome, Err(TaskError::Failure(failure)) if failure.message == "no engine"));
}

#[tokio::test]
async fn what_has_done_nothing_is_forgotten_and_told_as_it_is() {
    let nothing_done: [(TaskError, &str); 3] = [
        (Failure::retryable("no line").nothing_done().into(), "undo"),
        (BpmnError::new("OUT_OF_STOCK", "none left").into(), "undo"),
        // The engine is told nothing of it that could say so.
        (Postponed::new("later", Duration::from_secs(1)).into(), "forget"),
    ];
    for (error, last) in nothing_done {
        let (log, outcome) = case(Err(error.clone())).run().await;
        assert_eq!(log, ["intend", "send", last], "{error}");
        assert_eq!(outcome, Err(error));
    }
}

#[tokio::test]
async fn a_failure_that_leaves_it_open_is_an_unknown_outcome_that_keeps_what_was_told() {
    let failure = Failure::retryable("the line went dead").with_details("at byte 7");
    let (log, outcome) = case(Err(failure.into())).run().await;
    assert_eq!(log, ["intend", "send", "lose"]);
    let error = unknown(outcome);
    assert_eq!(
        error.message,
        "whether pay was done is not known: the line went dead"
    );
    let details = error.details.unwrap();
    assert!(
        details.starts_with("at byte 7\n\n") && details.contains("idempotency key task-1"),
        "{details}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_is_out_of_time_has_an_unknown_outcome() {
    let (log, outcome) = case(None).run().await;
    assert_eq!(log, ["intend", "send", "lose"]);
    assert!(
        unknown(outcome).message.contains("no outcome within 5s"),
        "as it was"
    );
}

#[tokio::test]
async fn a_receipt_is_the_answer() {
    let received = Case {
        noted: Noted::Receipt(Answer::new().with("id", 7)),
        ..case(None)
    };
    assert_eq!(received.run().await, (vec![], Ok(Answer::new().with("id", 7))));
}

#[tokio::test]
async fn of_an_intent_without_a_receipt_the_service_is_asked() {
    let found = |inquiry: Inquiry| Case {
        noted: intent(),
        inquiry,
        ..case(Ok(Answer::new().with("id", 8)))
    };
    let (log, outcome) = found(Inquiry::Unknown).run().await;
    assert_eq!(log, ["inquire", "lose"]);
    let error = unknown(outcome);
    assert!(
        error
            .message
            .contains("the worker generic-1 was about to do it at 2026-03-01T10:00:00Z"),
        "{error}"
    );

    let (log, outcome) = found(Inquiry::NotDone).run().await;
    assert_eq!(log, ["inquire", "intend", "send", "receive"]);
    assert_eq!(outcome, Ok(Answer::new().with("id", 8)));

    let (log, outcome) = found(Inquiry::Done(Answer::new().with("id", 7))).run().await;
    assert_eq!(log, ["inquire"]);
    assert_eq!(outcome, Ok(Answer::new().with("id", 7)));
}
