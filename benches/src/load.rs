//! Work for a running system.

use std::time::Duration;

use anyhow::{Context, ensure};
use engine_client::{EngineClient, InstanceState, Variable, Variables};
use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::json;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::setup::workspace;

const MODEL: &str = "processes/examples/order-check.bpmn";
const KEY: &str = "order-check";

/// How many are started at once.
const AT_ONCE: usize = 8;

/// Deploys the example order-check, starts so many instances of it, and waits until all have reached their end.
///
/// # Errors
/// Where the engine says no, an instance does not end in time, or one ends otherwise.
pub async fn run_order_checks(
    engine: &EngineClient,
    instances: usize,
    patience: Duration,
) -> anyhow::Result<()> {
    let bundle = deploy::load(&[workspace().join(MODEL)])?;
    let gate = deploy::GateContext::default();
    deploy::deploy(engine, &bundle, None, None, &gate).await?;
    let order = Variable::Json(json!({"item": "desk", "amount": 101.03}));
    let variables = &Variables::from([("order".to_owned(), order)]);
    let all = async {
        stream::iter(0..instances)
            .map(|number| async move {
                let business_key = number.to_string();
                engine
                    .start_instance(KEY, None, Some(&business_key), variables)
                    .await
            })
            .buffer_unordered(AT_ONCE)
            .try_for_each(async |_| Ok(()))
            .await?;
        let mut ticks = interval(Duration::from_millis(200));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !engine
            .instance_records(Some(KEY), Some(true), 1)
            .await?
            .is_empty()
        {
            ticks.tick().await;
        }
        engine.instance_records(Some(KEY), Some(false), instances).await
    };
    let records = timeout(patience, all)
        .await
        .with_context(|| format!("{instances} instances of {KEY} do not end within {patience:?}"))??;
    let completed = records
        .iter()
        .filter(|record| record.state == InstanceState::Completed)
        .count();
    ensure!(
        completed == instances,
        "only {completed} of {instances} instances of {KEY} have reached their end"
    );
    Ok(())
}
