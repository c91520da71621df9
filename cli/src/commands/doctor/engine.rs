//! The engine: whether it answers, who may do what with it, what it keeps, its clock.

use std::time::{Duration, Instant};

use engine_client::{EngineClient, EngineError, Login, RecordQuery};

use super::Check;
use crate::config::model::EngineKind;
use crate::context::{Context, connect, connect_with};
use crate::exit::Status;
use crate::output::duration;

/// How far the engine's clock may be off: its header counts whole seconds, and the call takes a moment.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(5);

/// The checks, and whether the engine answers.
pub(super) async fn checks(context: &Context) -> (Vec<Check>, bool) {
    let engine = match connect(&context.config) {
        Ok(engine) => engine,
        Err(trouble) => {
            return (
                vec![Check::trouble(
                    "engine",
                    trouble.message,
                    "boot once with `procos up`",
                )],
                false,
            );
        }
    };
    let asked = Instant::now();
    let version = match engine.version().await {
        Ok(version) => version,
        Err(error) => return (vec![away(error)], false),
    };
    let took = duration(asked.elapsed());
    let mut checks = vec![Check::ok(
        "engine",
        format!("Camunda {version} at {}, {took}", engine.url()),
    )];
    match engine.latest_definitions(None).await {
        Ok(definitions) => checks.push(Check::ok(
            "login",
            format!("accepted; {} processes are deployed", definitions.len()),
        )),
        Err(error) => checks.push(away(error)),
    }
    checks.push(
        history(&engine)
            .await
            .unwrap_or_else(|error| unclear("history", &error)),
    );
    checks.push(anonymous(&engine, context).await);
    checks.push(
        queries(&engine)
            .await
            .unwrap_or_else(|error| unclear("queries", &error)),
    );
    checks.push(models(context));
    checks.push(
        clock(&engine)
            .await
            .unwrap_or_else(|error| unclear("clock", &error)),
    );
    (checks, true)
}

fn away(error: EngineError) -> Check {
    let is_login = error.is_unauthorized();
    let trouble = crate::exit::Trouble::from(error);
    match trouble.status {
        Status::Usage if is_login => Check::trouble(
            "login",
            trouble.message,
            "use the data directory of the `procos up` that runs (--data-dir), or correct engine.auth",
        ),
        Status::Unreachable => Check::trouble(
            "engine",
            trouble.message,
            "start it with `procos up`, or correct engine.url",
        ),
        _ => Check::trouble(
            "engine",
            trouble.message,
            "look into the engine's log in the data directory",
        ),
    }
}

fn unclear(name: &'static str, error: &EngineError) -> Check {
    Check::warning(
        name,
        format!("cannot be told: {error}"),
        "give the login the right to read it",
    )
}

/// REST tells the level nowhere, but what is kept shows it.
async fn history(engine: &EngineClient) -> Result<Check, EngineError> {
    let query = RecordQuery {
        max_results: 1,
        ..RecordQuery::default()
    };
    let running = engine.instances(&Default::default()).await?;
    let kept = engine.find_instance_records(&query).await?;
    let fix = "set engine.history_level to full; an attached engine has it in its own configuration";
    Ok(match (running.is_empty(), kept.is_empty()) {
        (true, true) => Check::info(
            "history",
            "nothing has run yet, so what the engine keeps cannot be told",
        ),
        (false, true) => Check::trouble(
            "history",
            "the engine keeps none: show and start --wait cannot work",
            fix,
        ),
        _ if engine.keeps_details().await? => Check::ok("history", "full"),
        _ => Check::warning(
            "history",
            "no values of variables over time were found: the level may be below full",
            fix,
        ),
    })
}

async fn anonymous(engine: &EngineClient, context: &Context) -> Check {
    let stranger = match connect_with(&context.config, Login::None) {
        Ok(stranger) => stranger,
        Err(trouble) => return Check::trouble("door: login", trouble.message, "correct engine.tls"),
    };
    let answer = stranger.latest_definitions(None).await;
    let is_local = engine
        .url()
        .host_str()
        .is_some_and(|host| matches!(host, "127.0.0.1" | "localhost" | "[::1]"));
    match answer {
        Err(error) if error.is_unauthorized() || error.is_forbidden() => {
            Check::ok("door: login", "the REST API refuses whoever does not log in")
        }
        Err(error) => unclear("door: login", &error),
        Ok(_) => {
            let message = "the REST API lets in whoever reaches it, also to deploy";
            let fix = match context.config.settings().engine.kind {
                EngineKind::Attached => "have the engine ask for a login, and set engine.auth",
                EngineKind::Java | EngineKind::Docker => {
                    "something else than procos's own engine answers: check engine.url"
                }
            };
            if is_local {
                Check::warning("door: login", message, fix)
            } else {
                Check::trouble("door: login", message, fix)
            }
        }
    }
}

async fn queries(engine: &EngineClient) -> Result<Check, EngineError> {
    Ok(match engine.evaluates_queries().await? {
        false => Check::ok("door: queries", "expressions in queries are refused"),
        true => Check::trouble(
            "door: queries",
            "the engine evaluates expressions in queries: who may query may run code in it",
            "set enableExpressionsInAdhocQueries to false in the engine's configuration",
        ),
    })
}

/// Beans, script engines and plug-ins show only to a model that uses them, and nothing is deployed here.
fn models(context: &Context) -> Check {
    match context.config.settings().engine.kind {
        EngineKind::Java | EngineKind::Docker => Check::info(
            "door: models",
            "procos's own engine has no scripts, beans or mail; not tried, as that takes a deployment",
        ),
        EngineKind::Attached => Check::info(
            "door: models",
            "whether models can reach scripts, beans or plug-ins of this engine is not tried: that takes a deployment",
        ),
    }
}

async fn clock(engine: &EngineClient) -> Result<Check, EngineError> {
    let Some(theirs) = engine.server_time().await? else {
        return Ok(Check::info("clock", "the engine does not tell its time"));
    };
    let difference = jiff::Timestamp::now().duration_since(theirs).unsigned_abs();
    Ok(if difference <= CLOCK_TOLERANCE {
        Check::ok("clock", "the engine's agrees with this machine's")
    } else {
        Check::warning(
            "clock",
            format!(
                "the engine's differs by {} from this machine's",
                duration(difference)
            ),
            "let both follow a time server: locks and timers run by the engine's clock",
        )
    })
}
