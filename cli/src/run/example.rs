//! The example that `procos up --example` runs: the whole chain, once, for everybody to see.

use engine_client::{EngineClient, Variable, Variables};
use serde_json::json;

use super::embedded;
use super::reporter::Reporter;
use crate::commands::story::{State, collect};
use crate::commands::wait::{Over, until_settled};
use crate::exit::Trouble;
use crate::output::story::{self as draw, Depth};
use crate::output::{Progress, one_line};

const KEY: &str = "order-check";
const ORDER: &str = "4711";
const FILE: &str = "processes/examples/order-check.bpmn";

/// How long it may take; it takes a second.
const AT_MOST: std::time::Duration = std::time::Duration::from_secs(120);

/// Deploys the examples, runs one of them to its end and shows each step.
///
/// # Errors
/// Where it cannot be deployed or started, or does not reach its end.
pub(super) async fn run(engine: &EngineClient, reporter: &Reporter) -> Result<(), Trouble> {
    reporter.working("deploying the examples");
    let bundle = embedded::examples();
    // Models of our own, which need no exceptions.
    deploy::deploy(engine, &bundle, None, None, &deploy::GateContext::default())
        .await
        .map_err(|error| Trouble::no(format!("the examples cannot be deployed: {error}")))?;
    let theme = reporter.theme();
    reporter.line(&format!(
        "\n{} running the example  {}  (open {FILE} in Camunda Modeler)",
        theme.command("▶"),
        theme.strong(KEY)
    ));
    let order = json!({"item": "desk", "amount": 101.03});
    let variables = Variables::from([("order".to_owned(), Variable::Json(order))]);
    let instance = engine.start_instance(KEY, None, Some(ORDER), &variables).await?;
    let progress = Progress::start("running");
    let over = until_settled(engine, &instance.id, Some(AT_MOST), &progress).await?;
    drop(progress);
    if over == Over::Interrupted {
        return Ok(());
    }
    let story = collect(engine, &instance.id).await?;
    reporter.line(&draw::steps(&story, Depth::Work, theme));
    if story.state != State::Completed {
        let stuck = story
            .incidents
            .iter()
            .map(|stuck| draw::stuck(&story, stuck, false, theme));
        let stuck: Vec<_> = stuck.collect();
        return Err(Trouble::no(if stuck.is_empty() {
            format!(
                "the example is not done after {}; look at it with `procos show last`",
                crate::output::duration(AT_MOST)
            )
        } else {
            stuck.join("\n")
        }));
    }
    let result = story
        .variables
        .get("confirmation")
        .map(|value| format!("  → {}", one_line(value, 80)));
    reporter.line(&format!(
        "{}{}",
        draw::headline(&story, theme),
        result.unwrap_or_default()
    ));
    reporter.object(&json!({"phase": "example", "instance_id": instance.id, "state": story.state}));
    Ok(())
}
