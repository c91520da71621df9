//! `procos check --unused`: process definitions that nobody needs any more, for whoever keeps house.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use engine_client::{DeploymentQuery, EngineClient, EngineError, ProcessDefinition, RecordQuery};
use futures::stream::{self, StreamExt, TryStreamExt};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::context::{Context, connect};
use crate::exit::{Status, Trouble};
use crate::output::{Table, Theme, say, say_json};
use crate::run::embedded;

/// How many calls to the engine are under way at once.
const AT_ONCE: usize = 8;

/// How many deployments are asked for at a time.
const PAGE: usize = 500;

/// The answer of `procos check --unused --json`.
#[derive(Debug, Serialize)]
struct Answer {
    days: u16,
    since: Timestamp,
    /// How many definitions there are, each version by itself.
    definitions: usize,
    /// How many of them were deployed since, and are left out.
    younger: usize,
    /// Whether the history holds any instance. Where not, what has run cannot be told from what has not.
    history: bool,
    unused: Vec<Unused>,
}

/// A definition that nobody has started since, and of which nothing runs.
#[derive(Debug, Serialize)]
struct Unused {
    key: String,
    version: u32,
    id: String,
    name: Option<String>,
    /// Whether it is what a start of the key would take.
    latest: bool,
    suspended: bool,
    tenant_id: Option<String>,
    deployment_id: Option<String>,
    /// For how many days its history is kept; none where for ever.
    history_days: Option<u32>,
    /// Whether the history reaches as far back as was asked.
    certain: bool,
}

pub(super) async fn run(days: u16, context: &Context) -> Result<Status, Trouble> {
    let engine = connect(&context.config)?;
    let since = Timestamp::now() - SignedDuration::from_hours(24 * i64::from(days));
    let answer = look(&engine, days, since).await?;
    if context.json {
        say_json(&answer)?;
    } else {
        say(&text(&answer, &Theme::stdout()))?;
    }
    Ok(Status::Done)
}

async fn look(engine: &EngineClient, days: u16, since: Timestamp) -> Result<Answer, EngineError> {
    let definitions = engine.all_definitions().await?;
    let history = engine.count_instance_records(&RecordQuery::default()).await? > 0;
    // One call that counts for all of them.
    let statistics = engine.statistics().await?;
    let running: HashSet<String> = statistics
        .into_iter()
        .filter(|it| it.instances > 0)
        .map(|it| it.id)
        .collect();
    let young = deployed_since(engine, since).await?;
    let is_young = |it: &ProcessDefinition| {
        it.deployment_id
            .as_ref()
            .is_some_and(|deployment| young.contains(deployment))
    };
    let latest = latest(&definitions);
    let own = own_processes();
    let is_own = |it: &ProcessDefinition| latest.contains(&it.id) && own.contains(&it.key);
    let (younger, old): (Vec<_>, Vec<_>) = definitions.iter().partition(|it| is_young(it));
    let idle = old
        .into_iter()
        .filter(|it| !running.contains(&it.id) && !is_own(it));
    let started = started_since(engine, since, &definitions, idle.clone()).await?;
    let mut unused: Vec<Unused> = idle
        .filter(|it| !started.contains(it.id.as_str()))
        .map(|it| Unused {
            latest: latest.contains(&it.id),
            certain: history && it.history_time_to_live.is_none_or(|kept| kept >= u32::from(days)),
            history_days: it.history_time_to_live,
            key: it.key.clone(),
            version: it.version,
            id: it.id.clone(),
            name: it.name.clone(),
            suspended: it.suspended,
            tenant_id: it.tenant_id.clone(),
            deployment_id: it.deployment_id.clone(),
        })
        .collect();
    unused.sort_by(|a, b| (&a.key, &a.tenant_id, a.version).cmp(&(&b.key, &b.tenant_id, b.version)));
    Ok(Answer {
        days,
        since,
        definitions: definitions.len(),
        younger: younger.len(),
        history,
        unused,
    })
}

/// Which of these definitions have been started. The engine counts by key or by one definition's id, so a key is asked for
/// first, and its versions, the newest first, until they make up the key's number: mostly one more call.
async fn started_since<'d>(
    engine: &EngineClient,
    since: Timestamp,
    all: &'d [ProcessDefinition],
    wanted: impl Iterator<Item = &'d ProcessDefinition>,
) -> Result<HashSet<&'d str>, EngineError> {
    let since = RecordQuery {
        started_after: Some(since),
        ..RecordQuery::default()
    };
    let wanted: BTreeSet<&str> = wanted.map(|it| it.key.as_str()).collect();
    if wanted.is_empty() || engine.count_instance_records(&since).await? == 0 {
        return Ok(HashSet::new());
    }
    let mut versions: BTreeMap<&str, Vec<&ProcessDefinition>> = BTreeMap::new();
    for definition in all.iter().filter(|it| wanted.contains(it.key.as_str())) {
        versions.entry(&definition.key).or_default().push(definition);
    }
    let started = stream::iter(versions).map(|(key, mut versions)| {
        let since = &since;
        async move {
            versions.sort_by_key(|it| std::cmp::Reverse(it.version));
            let of_key = RecordQuery {
                process_definition_key: Some(key),
                ..since.clone()
            };
            let mut left = engine.count_instance_records(&of_key).await?;
            let mut started = Vec::new();
            for definition in versions {
                if left == 0 {
                    break;
                }
                let of_version = RecordQuery {
                    process_definition_id: Some(&definition.id),
                    ..since.clone()
                };
                let count = engine.count_instance_records(&of_version).await?;
                if count > 0 {
                    started.push(definition.id.as_str());
                }
                left = left.saturating_sub(count);
            }
            Ok::<_, EngineError>(started)
        }
    });
    let started: Vec<Vec<&str>> = started.buffer_unordered(AT_ONCE).try_collect().await?;
    Ok(started.into_iter().flatten().collect())
}

/// The deployments that were made since.
async fn deployed_since(engine: &EngineClient, since: Timestamp) -> Result<HashSet<String>, EngineError> {
    let mut all = HashSet::new();
    for page in 0.. {
        let query = DeploymentQuery {
            after: Some(since),
            first_result: Some(page * PAGE),
            max_results: Some(PAGE),
            ..DeploymentQuery::default()
        };
        let found = engine.deployments(&query).await?;
        let is_last = found.len() < PAGE;
        all.extend(found.into_iter().map(|it| it.id));
        if is_last {
            break;
        }
    }
    Ok(all)
}

/// The ids of each key's and tenant's newest version.
fn latest(definitions: &[ProcessDefinition]) -> HashSet<String> {
    let mut newest: HashMap<(&str, Option<&str>), &ProcessDefinition> = HashMap::new();
    for definition in definitions {
        let latest = newest
            .entry((&definition.key, definition.tenant_id.as_deref()))
            .or_insert(definition);
        if latest.version < definition.version {
            *latest = definition;
        }
    }
    newest.into_values().map(|it| it.id.clone()).collect()
}

/// The keys of the processes that the system itself consists of: each start deploys what is missing of them.
fn own_processes() -> HashSet<String> {
    let bundle = embedded::system_processes();
    let models = bundle
        .models()
        .iter()
        .filter_map(|it| bpmn::read(&it.file, &it.content).0);
    models.flat_map(|it| it.processes).map(|it| it.id).collect()
}

fn text(answer: &Answer, theme: &Theme) -> String {
    let Answer {
        days,
        definitions,
        younger,
        unused,
        ..
    } = answer;
    let mut parts = Vec::new();
    if !answer.history {
        parts.push(format!(
            "{} the engine's history holds no instance: it keeps none, this login may not read it, or nothing has ever \
             run; the list says only of what nothing runs now",
            theme.warn("!")
        ));
    }
    if !unused.is_empty() {
        let mut table = Table::with_heading(theme, ["KEY", "VERSION", "TENANT", ""]).wrapped();
        for it in unused {
            let version = format!("{}{}", it.version, if it.latest { ", latest" } else { "" });
            let tenant = it.tenant_id.clone().unwrap_or_default();
            table.row([
                theme.strong(&it.key),
                version,
                tenant,
                theme.dim(&notes(it, *days)),
            ]);
        }
        parts.push(table.render(theme));
    }
    let younger = match younger {
        0 => String::new(),
        1 => "; 1 was deployed since and is left out".to_owned(),
        several => format!("; {several} were deployed since and are left out"),
    };
    parts.push(match unused.len() {
        0 => format!(
            "{} none of {definitions} process definitions has gone without a start for {days} days{younger}",
            theme.good("✓")
        ),
        some => format!(
            "{some} of {definitions} process definitions were not started in the last {days} days, and none of their \
             instances runs{younger}\nremove with its history what nobody needs: Cockpit, or DELETE \
             /process-definition/ID?cascade=true (--json has the ids)"
        ),
    });
    parts.join("\n\n")
}

/// What is to be said of one besides.
fn notes(unused: &Unused, days: u16) -> String {
    let mut notes = Vec::new();
    if unused.suspended {
        notes.push("suspended".to_owned());
    }
    if let Some(kept) = unused.history_days.filter(|kept| *kept < u32::from(days)) {
        let kept = if kept == 1 {
            "1 day".to_owned()
        } else {
            format!("{kept} days")
        };
        notes.push(format!(
            "its history is kept for {kept}: what ran before that it cannot tell"
        ));
    }
    notes.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unused(key: &str, latest: bool, history_days: Option<u32>) -> Unused {
        Unused {
            key: key.into(),
            version: 2,
            id: format!("{key}:2:x"),
            name: None,
            latest,
            suspended: !latest,
            tenant_id: None,
            deployment_id: Some("d".into()),
            history_days,
            certain: history_days.is_none_or(|days| days >= 90),
        }
    }

    #[test]
    fn each_says_how_far_its_history_reaches() {
        let mut answer = Answer {
            days: 90,
            since: Timestamp::UNIX_EPOCH,
            definitions: 12,
            younger: 1,
            history: true,
            unused: vec![unused("import", true, Some(30)), unused("order", false, None)],
        };
        insta::assert_snapshot!(text(&answer, &Theme::plain()));
        answer.history = false;
        answer.unused.clear();
        answer.younger = 2;
        insta::assert_snapshot!("nothing", text(&answer, &Theme::plain()));
    }

    #[test]
    fn the_systems_own_processes_are_known() {
        let own = own_processes();
        assert!(
            own.contains("root_orchestrator") && own.contains("general_process_handler"),
            "{own:?}"
        );
    }
}
