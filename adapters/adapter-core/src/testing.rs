//! What the tests of both topics share.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Map, Value as Json};
use tokio_util::sync::CancellationToken;
use worker_api::{Adapter, Outcome, Task, TaskContext};

use crate::CoreAdapter;

/// Runs one task with the given inputs, all the way from the adapter's front door.
pub(crate) async fn run(topic: &str, inputs: Json) -> Outcome {
    let inputs: Map<String, Json> = serde_json::from_value(inputs).unwrap();
    let context = TaskContext {
        task: Task {
            activity_id: "check".into(),
            topic: topic.into(),
            ..Task::default()
        },
        operation: topic.into(),
        variables: inputs
            .into_iter()
            .map(|(name, value)| (name, value.into()))
            .collect(),
        settings: Map::new(),
        properties: BTreeMap::new(),
        deadline: Instant::now() + Duration::from_secs(30),
        cancelled: CancellationToken::new(),
    };
    CoreAdapter::new().execute(context).await
}
