//! A tiny debugger: lists what stands still and why, and gives it another attempt.
//!
//! ```sh
//! cargo run -p engine-client --example incidents                    # ENGINE_URL, ENGINE_USERNAME, …
//! cargo run -p engine-client --example incidents -- retry INSTANCE
//! ```

use anyhow::bail;
use engine_client::{EngineClient, EngineError, Incident};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let engine = EngineClient::from_env()?;
    match arguments.as_slice() {
        [] => {
            for incident in engine.incidents(None).await? {
                show(&engine, &incident).await?;
            }
        }
        ["retry", instance] => {
            for incident in engine.incidents(Some(instance)).await? {
                retry(&engine, &incident).await?;
            }
        }
        _ => bail!("usage: incidents [retry INSTANCE]"),
    }
    Ok(())
}

async fn show(engine: &EngineClient, incident: &Incident) -> Result<(), EngineError> {
    let or_unknown = |text: &Option<String>| text.clone().unwrap_or_else(|| "?".to_owned());
    println!(
        "instance {}, {}: {}",
        or_unknown(&incident.process_instance_id),
        or_unknown(&incident.activity_id),
        or_unknown(&incident.incident_message),
    );
    let ("failedExternalTask", Some(task)) = (incident.incident_type.as_str(), &incident.configuration)
    else {
        return Ok(());
    };
    match engine.error_details(task).await {
        Ok(details) => details.lines().for_each(|line| println!("    {line}")),
        // Retried or cancelled by somebody else since the incidents were listed.
        Err(error) if error.is_not_found() => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

async fn retry(engine: &EngineClient, incident: &Incident) -> anyhow::Result<()> {
    let element = incident.activity_id.as_deref().unwrap_or("?");
    let Some(failed) = &incident.configuration else {
        bail!(
            "{element}: an incident of kind {} has nothing to retry",
            incident.incident_type
        );
    };
    match incident.incident_type.as_str() {
        "failedExternalTask" => engine.set_external_task_retries(failed, 1).await?,
        "failedJob" => engine.set_job_retries(failed, 1).await?,
        other => bail!("{element}: an incident of kind {other} is not for retrying"),
    }
    println!("{element} is tried again");
    Ok(())
}
