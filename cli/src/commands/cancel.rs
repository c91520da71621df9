//! `procos cancel`: ends instances before their time.

use engine_client::{EngineClient, EngineError, InstanceRecord};
use serde::Serialize;

use super::find::{self, Among};
use crate::args::CancelArgs;
use crate::context::{Context, connect};
use crate::exit::{Status, Trouble};
use crate::output::{Theme, remark, say, say_json, short_id};

/// An instance that has been ended.
#[derive(Serialize)]
struct Cancelled {
    instance_id: String,
    key: String,
    business_key: Option<String>,
    /// Instances that had called it and for which nothing was left to do.
    ended_with_it: Vec<String>,
}

pub(super) async fn run(args: &CancelArgs, context: &Context) -> Result<Status, Trouble> {
    let engine = connect(&context.config)?;
    let theme = Theme::stdout();
    let (mut cancelled, mut status) = (Vec::new(), Status::Done);
    // One that is not there does not keep the others alive.
    for id in &args.instances {
        match cancel(&engine, id).await {
            Ok(done) => {
                if !context.json {
                    say(&line(&done, &theme))?;
                }
                cancelled.push(done);
            }
            Err(trouble) if trouble.status == Status::No => {
                remark(&format!("procos: {trouble}"));
                status = Status::No;
            }
            Err(trouble) => return Err(trouble),
        }
    }
    if context.json {
        say_json(&cancelled)?;
    }
    Ok(status)
}

async fn cancel(engine: &EngineClient, id: &str) -> Result<Cancelled, Trouble> {
    let record = find::instance(engine, id, Among::Running).await?;
    let callers = callers(engine, &record).await?;
    match engine.cancel_instance(&record.id).await {
        // It has ended by itself in the meantime.
        Err(error) if error.is_not_found() => {}
        answer => answer?,
    }
    // The engine takes the calling step's token away, too; a caller without any other has ended by that.
    let mut ended_with_it = Vec::new();
    for caller in callers {
        if engine
            .instance_record(&caller.id)
            .await
            .is_ok_and(|caller| caller.state.is_over())
        {
            ended_with_it.push(caller.id);
        }
    }
    Ok(Cancelled {
        instance_id: record.id,
        key: record.process_definition_key,
        business_key: record.business_key,
        ended_with_it,
    })
}

async fn callers(engine: &EngineClient, record: &InstanceRecord) -> Result<Vec<InstanceRecord>, EngineError> {
    let mut callers: Vec<InstanceRecord> = Vec::new();
    while let Some(caller) = find::caller(engine, callers.last().unwrap_or(record)).await? {
        callers.push(caller);
    }
    Ok(callers)
}

fn line(cancelled: &Cancelled, theme: &Theme) -> String {
    let business_key = cancelled
        .business_key
        .iter()
        .map(|key| format!(" {key}"))
        .collect::<String>();
    let with_it: Vec<_> = cancelled.ended_with_it.iter().map(|id| short_id(id)).collect();
    let with_it = match with_it.as_slice() {
        [] => String::new(),
        ids => format!(", and with it {} that had called it", ids.join(", ")),
    };
    format!(
        "{} cancelled {}{business_key} {}{with_it}",
        theme.good("✓"),
        cancelled.key,
        cancelled.instance_id
    )
}
