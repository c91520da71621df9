//! Deploys a process, starts an instance of it, waits for its end and shows its variables.
//!
//! ```sh
//! cargo run -p engine-client --example start -- FILE.bpmn KEY '{"net": 100}'    # ENGINE_URL, ENGINE_USERNAME, …
//! ```

use std::time::Duration;

use anyhow::{Context, bail};
use engine_client::{DeploymentRequest, EngineClient, Resource, Variable, Variables};
use serde_json::{Map, Value};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, key, variables] = arguments.as_slice() else {
        bail!("usage: start FILE.bpmn KEY VARIABLES, these as a JSON object");
    };
    let variables: Map<String, Value> = serde_json::from_str(variables).context("the variables")?;
    let to_variable = |(name, value)| (name, Variable::from(value));
    let variables: Variables = variables.into_iter().map(to_variable).collect();
    let engine = EngineClient::from_env()?;

    let resource = Resource {
        name: format!("{key}.bpmn"),
        content: std::fs::read(file).with_context(|| file.clone())?.into(),
    };
    let request = DeploymentRequest {
        name: key,
        source: "the example `start`",
        tenant_id: None,
        resources: vec![resource],
        changed_only: true,
    };
    let deployed = engine.deploy(&request).await?;
    // None where the same file has been deployed before: that makes nothing new.
    for definition in deployed.deployed_process_definitions.values() {
        println!("deployed {} version {}", definition.key, definition.version);
    }

    let instance = engine.start_instance(key, None, None, &variables).await?;
    println!("started {}", instance.id);

    // The engine tells nobody of an end, so it is asked.
    let mut ask = tokio::time::interval(Duration::from_millis(200));
    let state = loop {
        ask.tick().await;
        let state = engine.instance_record(&instance.id).await?.state;
        if state.is_over() {
            break state;
        }
        if let Some(incident) = engine.incidents(Some(&instance.id)).await?.first() {
            let why = incident
                .incident_message
                .as_deref()
                .unwrap_or("it does not say why");
            bail!("the instance stands still: {why}");
        }
    };
    for record in engine.variable_records(&instance.id).await? {
        // A task's own variables belong to its activity instance.
        if record.activity_instance_id == instance.id {
            println!("{} = {}", record.name, record.value.to_json());
        }
    }
    println!("ended: {state:?}");
    Ok(())
}
