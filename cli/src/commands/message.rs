//! `procos message`: correlates a message and says what it hit.

use engine_client::{
    CorrelationHit, EngineClient, EngineError, EventSubscription, InstanceQuery, MessageCorrelation,
    Variables,
};
use serde::Serialize;

use super::story::{process, starts_event_subprocess};
use super::{find, variables};
use crate::args::MessageArgs;
use crate::context::{Context, connect};
use crate::exit::{Status, Trouble};
use crate::output::{Theme, say, say_json, short_id, story};

/// As many candidates are named where several fit.
const NAMED: usize = 5;

/// What a message has hit.
#[derive(Serialize)]
struct Hit {
    instance_id: String,
    key: String,
    business_key: Option<String>,
    /// Whether the message has started it.
    started: bool,
}

pub(super) async fn run(args: MessageArgs, context: &Context) -> Result<Status, Trouble> {
    let engine = connect(&context.config)?;
    let variables = variables::read(args.variables, None)?;
    let (name, tenant) = (args.name.as_str(), args.tenant.tenant.as_deref());
    let business_key = args.business_key.as_deref();
    let waiting = waiting(&engine, name, business_key, tenant).await?;
    if waiting.is_empty() {
        return Err(nobody(&engine, "message", name, business_key, tenant).await?);
    }
    let is_scoped = match waiting.first() {
        Some(first) if !variables.is_empty() => opens_scope(&engine, first).await?,
        _ => false,
    };
    let (variables, scope_variables) = if is_scoped {
        (Variables::new(), variables)
    } else {
        (variables, Variables::new())
    };
    let message = MessageCorrelation {
        name,
        business_key,
        tenant_id: tenant,
        variables,
        scope_variables,
        ..MessageCorrelation::default()
    };
    let hits = match engine.correlate(&message).await {
        Err(error) if error.is_bad_request() && waiting.len() > 1 => {
            return Err(several(&engine, name, &waiting).await?);
        }
        Err(error) => return Err(refused(name, error)),
        Ok(hits) => hits,
    };
    let hits = told(&engine, hits).await?;
    if context.json {
        say_json(&serde_json::json!({ "message": name, "hits": hits }))?;
    } else {
        say(&hits
            .iter()
            .map(|hit| line(name, hit, is_scoped, &Theme::stdout()))
            .collect::<String>())?;
    }
    Ok(Status::Done)
}

/// Variables of a message go to the instance, where all its later steps see them. One that starts an event
/// subprocess is different: that may run many times at once in its instance, and the variables of one run are
/// not to reach the others.
async fn opens_scope(engine: &EngineClient, waiting: &EventSubscription) -> Result<bool, EngineError> {
    let (Some(instance), Some(element)) = (&waiting.process_instance_id, &waiting.activity_id) else {
        return Ok(false);
    };
    let definition = engine.instance(instance).await?.definition_id;
    let process = process(engine, &definition).await?;
    Ok(process.is_some_and(|process| starts_event_subprocess(&process, element)))
}

async fn waiting(
    engine: &EngineClient,
    name: &str,
    business_key: Option<&str>,
    tenant: Option<&str>,
) -> Result<Vec<EventSubscription>, EngineError> {
    let mut waiting = engine.event_subscriptions("message", name).await?;
    waiting.retain(|it| tenant.is_none() || it.tenant_id.as_deref() == tenant);
    if business_key.is_some() {
        let query = InstanceQuery {
            business_key,
            ..InstanceQuery::default()
        };
        let instances = engine.instances(&query).await?;
        // A message start takes any business key, for the instance that it starts.
        let fits = |id: &String| instances.iter().any(|instance| instance.id == *id);
        waiting.retain(|it| it.process_instance_id.as_ref().is_none_or(fits));
    }
    Ok(waiting)
}

/// What to say where nothing waits: what does.
///
/// # Errors
/// As every call of the engine.
pub(super) async fn nobody(
    engine: &EngineClient,
    kind: &str,
    name: &str,
    business_key: Option<&str>,
    tenant: Option<&str>,
) -> Result<Trouble, EngineError> {
    let mut names: Vec<String> = engine
        .all_event_subscriptions(kind)
        .await?
        .into_iter()
        .filter_map(|it| it.event_name)
        .collect();
    names.sort();
    names.dedup();
    let whose = business_key.map(|key| format!(" with the business key {key}"));
    let of = tenant.map(|tenant| format!(" of the tenant {tenant}"));
    let rest = if names.iter().any(|known| known == name) {
        match (business_key, tenant) {
            (_, Some(_)) => "something of another tenant, or of none, does; look at --tenant".to_owned(),
            _ => "instances with other business keys do; `procos ps` lists them".to_owned(),
        }
    } else {
        match find::hint(name, &names) {
            None => format!("nothing waits for any {kind}"),
            Some(hint) if hint.starts_with("did") => hint,
            Some(_) => format!("{kind}s that are waited for: {}", names.join(", ")),
        }
    };
    Ok(Trouble::no(format!(
        "nothing{} waits for the {kind} {name}{}; {rest}",
        of.unwrap_or_default(),
        whose.unwrap_or_default()
    )))
}

async fn several(
    engine: &EngineClient,
    name: &str,
    waiting: &[EventSubscription],
) -> Result<Trouble, EngineError> {
    let mut lines = Vec::new();
    for id in waiting
        .iter()
        .filter_map(|it| it.process_instance_id.as_ref())
        .take(NAMED)
    {
        let record = engine.instance_record(id).await?;
        let business_key = record.business_key.unwrap_or_else(|| "(none)".to_owned());
        lines.push(format!(
            "  {id}  {}  business key {business_key}",
            record.process_definition_key
        ));
    }
    let number = waiting.len();
    let more = if number > lines.len() { "\n  …" } else { "" };
    Ok(Trouble::no(format!(
        "{number} wait for the message {name}, and one is meant; choose by --business-key:\n{}{more}",
        lines.join("\n")
    )))
}

/// What follows the message runs before the engine answers, so a model's mistakes show here.
fn refused(name: &str, error: EngineError) -> Trouble {
    match error.engine_message() {
        Some(message) if error.is_internal() || error.is_bad_request() => Trouble::no(format!(
            "the message {name} was not taken, nothing has changed: {message}"
        )),
        _ => error.into(),
    }
}

async fn told(engine: &EngineClient, hits: Vec<CorrelationHit>) -> Result<Vec<Hit>, EngineError> {
    let mut told = Vec::new();
    for hit in hits {
        let (id, started) = match hit {
            CorrelationHit::Waiting { process_instance_id } => (process_instance_id, false),
            CorrelationHit::Started { process_instance_id } => (process_instance_id, true),
        };
        let record = engine.instance_record(&id).await?;
        told.push(Hit {
            instance_id: id,
            key: record.process_definition_key,
            business_key: record.business_key,
            started,
        });
    }
    Ok(told)
}

fn line(name: &str, hit: &Hit, is_scoped: bool, theme: &Theme) -> String {
    let done = if hit.started { "started" } else { "reached" };
    let business_key = hit
        .business_key
        .iter()
        .map(|key| format!(" {key}"))
        .collect::<String>();
    let mut text = format!(
        "{} {name} {done} {}{business_key} {}\n",
        theme.good("✓"),
        theme.strong(&hit.key),
        hit.instance_id
    );
    // What an event subprocess has been started for is seldom the whole instance.
    let (which, what) = if is_scoped {
        ("last", "what it has started")
    } else {
        (short_id(&hit.instance_id), "how it goes on")
    };
    text.push_str(&story::next(&[(format!("procos show {which}"), what)], theme));
    text
}
