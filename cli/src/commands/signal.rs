//! `procos signal`: broadcasts a signal and says whom it reached.

use engine_client::EngineClient;
use serde::Serialize;

use super::{message, variables};
use crate::args::SignalArgs;
use crate::context::{Context, connect};
use crate::exit::{Status, Trouble};
use crate::output::{Theme, remark, say, say_json};

/// Something that the signal has reached.
#[derive(Serialize)]
struct Hit {
    /// The instance that waited; none where the signal starts one.
    instance_id: Option<String>,
    /// Its key.
    key: Option<String>,
    /// The element that caught it.
    step_id: Option<String>,
}

pub(super) async fn run(args: SignalArgs, context: &Context) -> Result<Status, Trouble> {
    let engine = connect(&context.config)?;
    let variables = variables::read(args.variables, None)?;
    let tenant = args.tenant.tenant.as_deref();
    // The engine does not tell whom it reached: that is who waited right before.
    let hits = waiting(&engine, &args.name, tenant).await?;
    engine.signal(&args.name, tenant, &variables).await?;
    if context.json {
        say_json(&serde_json::json!({ "signal": args.name, "hits": hits }))?;
    } else {
        say(&told(&args.name, &hits, &Theme::stdout()))?;
    }
    if hits.is_empty() {
        remark(&format!(
            "procos: {}",
            message::nobody(&engine, "signal", &args.name, None, tenant).await?
        ));
    }
    Ok(Status::Done)
}

async fn waiting(engine: &EngineClient, name: &str, tenant: Option<&str>) -> Result<Vec<Hit>, Trouble> {
    let mut hits = Vec::new();
    for subscription in engine.event_subscriptions("signal", name).await? {
        if tenant.is_some() && subscription.tenant_id.as_deref() != tenant {
            continue;
        }
        let key = match &subscription.process_instance_id {
            None => None,
            Some(id) => match engine.instance_record(id).await {
                Err(error) if error.is_not_found() => continue,
                record => Some(record?.process_definition_key),
            },
        };
        hits.push(Hit {
            instance_id: subscription.process_instance_id,
            key,
            step_id: subscription.activity_id,
        });
    }
    Ok(hits)
}

fn told(name: &str, hits: &[Hit], theme: &Theme) -> String {
    let number = match hits.len() {
        0 => "nobody".to_owned(),
        1 => "1 subscription".to_owned(),
        several => format!("{several} subscriptions"),
    };
    let mark = if hits.is_empty() {
        theme.warn("–")
    } else {
        theme.good("✓")
    };
    let lines = hits.iter().map(|hit| {
        let step = hit.step_id.as_deref().unwrap_or_default();
        match (&hit.instance_id, &hit.key) {
            (Some(id), Some(key)) => format!("  {id}  {key} at {step}\n"),
            _ => format!("  a new instance, started by {step}\n"),
        }
    });
    format!("{mark} {name} reached {number}\n{}", lines.collect::<String>())
}
