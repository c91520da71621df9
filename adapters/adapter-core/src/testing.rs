//! What the tests of both topics share.

use std::time::Duration;

use serde_json::{Map, Value as Json};
use worker_api::{Adapter, Outcome, Task, TaskContext};

use crate::CoreAdapter;

/// Runs one task with the given inputs, all the way from the adapter's front door.
pub(crate) async fn run(topic: &str, inputs: Json) -> Outcome {
    let inputs: Map<String, Json> = serde_json::from_value(inputs).unwrap();
    let task = Task {
        activity_id: "check".into(),
        topic: topic.into(),
        ..Task::default()
    };
    let variables = inputs.into_iter().map(|(name, value)| (name, value.into()));
    let context = TaskContext::new(task, Duration::from_secs(30)).with_variables(variables.collect());
    CoreAdapter::new().execute(context).await
}
