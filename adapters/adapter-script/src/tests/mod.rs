//! What a task becomes, and what a run does; runs themselves are tried on the real engine, in tests/tests/scripts.
#![allow(clippy::unwrap_used, clippy::panic, reason = "test code")]

mod given;
mod levels;
mod opening;
mod outcomes;
mod sources;

use std::time::Duration;

use worker_api::{Failure, Outcome, Task, TaskContext, TaskError, Value};

/// A task of the topic `python_script` with these variables.
fn context(variables: &[(&str, Value)]) -> TaskContext {
    let task = Task {
        activity_id: "price".into(),
        topic: "python_script".into(),
        process_definition_key: "order".into(),
        ..Task::default()
    };
    let variables = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()));
    TaskContext::new(task, Duration::from_secs(30)).with_variables(variables.collect())
}

fn failure(outcome: Outcome) -> Failure {
    match outcome.unwrap_err() {
        TaskError::Failure(failure) => failure,
        other => panic!("{other:?}"),
    }
}
