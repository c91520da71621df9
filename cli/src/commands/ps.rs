//! `procos ps`: which instances run, and where they stand.

use std::collections::HashMap;

use engine_client::{EngineClient, EngineError, InstanceRecord, RecordQuery};
use futures::stream::{self, StreamExt, TryStreamExt};
use jiff::Timestamp;
use serde::Serialize;

use super::story::State;
use crate::args::PsArgs;
use crate::context::{Context, connect};
use crate::exit::{Status, Trouble};
use crate::output::{Table, Theme, ago, say, say_json, short_id, shorten};

/// How many calls to the engine are under way at once.
const AT_ONCE: usize = 8;

/// One instance in the list.
#[derive(Debug, Serialize)]
struct Row {
    instance_id: String,
    key: String,
    version: Option<u32>,
    business_key: Option<String>,
    tenant_id: Option<String>,
    state: State,
    started: Option<Timestamp>,
    ended: Option<Timestamp>,
    /// Where it stands.
    steps: Vec<Standing>,
    /// How many open incidents it has.
    incidents: usize,
}

/// A step at which an instance stands.
#[derive(Debug, Serialize)]
struct Standing {
    id: String,
    name: Option<String>,
}

pub(super) async fn run(args: &PsArgs, context: &Context) -> Result<Status, Trouble> {
    let engine = connect(&context.config)?;
    let query = RecordQuery {
        process_definition_key: args.key.as_deref(),
        tenant_id: args.tenant.tenant.as_deref(),
        unfinished: !args.all,
        // One more than is shown tells whether there are more.
        max_results: args.limit.saturating_add(1),
        ..RecordQuery::default()
    };
    let mut records = engine.find_instance_records(&query).await?;
    let has_more = records.len() > args.limit;
    records.truncate(args.limit);
    let rows = rows(&engine, records).await?;
    if context.json {
        say_json(&rows)?;
    } else {
        say(&table(&rows, has_more, args, &Theme::stdout()))?;
    }
    Ok(Status::Done)
}

async fn rows(engine: &EngineClient, records: Vec<InstanceRecord>) -> Result<Vec<Row>, EngineError> {
    let mut incidents: HashMap<String, usize> = HashMap::new();
    for incident in engine.incidents(None).await? {
        *incidents
            .entry(incident.process_instance_id.unwrap_or_default())
            .or_default() += 1;
    }
    let rows = stream::iter(records).map(|record| {
        let incidents = incidents.get(&record.id).copied().unwrap_or(0);
        row(engine, record, incidents)
    });
    rows.buffered(AT_ONCE).try_collect().await
}

async fn row(engine: &EngineClient, record: InstanceRecord, incidents: usize) -> Result<Row, EngineError> {
    let current = match record.state.is_over() {
        true => Vec::new(),
        false => engine.current_activities(&record.id).await?,
    };
    let is_within = |id: &String| {
        current
            .iter()
            .any(|it| it.parent_activity_instance_id.as_ref() == Some(id))
    };
    let innermost = current.iter().filter(|step| !is_within(&step.id));
    Ok(Row {
        steps: innermost
            .map(|step| Standing {
                id: step.activity_id.clone(),
                name: step.activity_name.clone(),
            })
            .collect(),
        state: State::of(record.state, incidents > 0),
        instance_id: record.id,
        key: record.process_definition_key,
        version: record.process_definition_version,
        business_key: record.business_key,
        tenant_id: record.tenant_id,
        started: record.start_time,
        ended: record.end_time,
        incidents,
    })
}

fn table(rows: &[Row], has_more: bool, args: &PsArgs, theme: &Theme) -> String {
    if rows.is_empty() {
        let what = if args.all {
            "nothing has run yet"
        } else {
            "nothing runs"
        };
        return format!("{what}; `procos start KEY` starts a process");
    }
    let mut table = Table::with_heading(theme, ["INSTANCE", "KEY", "BUSINESS KEY", "STARTED", "", "AT"]);
    for row in rows {
        let started = row.started.map(|at| theme.local(at)).unwrap_or_default();
        table.row([
            short_id(&row.instance_id).to_owned(),
            theme.strong(&row.key),
            row.business_key
                .as_deref()
                .map(|key| shorten(key, 40))
                .unwrap_or_default(),
            started,
            row.started.map(|at| ago(at, theme)).unwrap_or_default(),
            standing(row, theme),
        ]);
    }
    let more = if has_more {
        theme.dim(&format!(
            "\nthere are more than {}: --limit N shows more",
            rows.len()
        ))
    } else {
        String::new()
    };
    table.render(theme) + &more
}

fn standing(row: &Row, theme: &Theme) -> String {
    let names: Vec<_> = row
        .steps
        .iter()
        .map(|step| shorten(step.name.as_deref().unwrap_or(&step.id), 40))
        .collect();
    let names = names.join(", ");
    match (row.state, row.incidents) {
        (State::Completed, _) => theme.good("completed"),
        (State::Terminated, _) => theme.warn("terminated"),
        (_, 0) => names,
        (_, 1) => format!("{names} {}", theme.bad("(1 incident)"))
            .trim_start()
            .to_owned(),
        (_, n) => format!("{names} {}", theme.bad(&format!("({n} incidents)")))
            .trim_start()
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    fn rows() -> Vec<Row> {
        let row = |id: &str, state, steps: &[&str], incidents| Row {
            instance_id: format!("{id}-e56e-11f1-a45b-02fc00000001"),
            key: "order-check".into(),
            version: Some(2),
            business_key: Some("4711".into()),
            tenant_id: None,
            state,
            started: Some(Theme::plain().now - SignedDuration::from_secs(161)),
            ended: None,
            steps: steps
                .iter()
                .map(|name| Standing {
                    id: name.to_lowercase(),
                    name: Some((*name).into()),
                })
                .collect(),
            incidents,
        };
        vec![
            row("735d8ccd", State::Incident, &["Price", "Pack"], 1),
            row("735d8cce", State::Running, &["Confirm"], 0),
            row("735d8ccf", State::Completed, &[], 0),
        ]
    }

    #[test]
    fn a_line_an_instance() {
        let args = PsArgs {
            key: None,
            all: true,
            limit: 3,
            tenant: Default::default(),
        };
        insta::assert_snapshot!(table(&rows(), true, &args, &Theme::plain()));
        assert!(table(&[], false, &args, &Theme::plain()).contains("procos start"));
    }

    #[test]
    fn scripts_get_whole_ids_and_times_in_utc() {
        insta::assert_snapshot!(serde_json::to_string_pretty(&rows()[0]).unwrap());
    }
}
