//! `procos worker`: the pools alone, against an engine that runs elsewhere.

use std::sync::Arc;
use std::time::Duration;

use engine_client::{EngineClient, EngineError};
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use super::health::Health;
use super::http::{self, Port};
use super::observe::PoolObserver;
use super::pools::{self, Pools, Site};
use super::scripts::{Scripts, State};
use super::{Signals, catalogue, dispatcher, kernel};
use crate::args::WorkerArgs;
use crate::context::{Context, Role, connect_as};
use crate::exit::{Status, Trouble};

/// The longest time between two looks whether the engine is there.
const LONGEST: Duration = Duration::from_secs(10);

/// Runs worker pools until it is told to stop.
///
/// # Errors
/// Where the configuration makes no sense, or the engine refuses the login.
pub(crate) async fn worker(
    args: WorkerArgs,
    context: &Context,
    signals: &Signals,
) -> Result<Status, Trouble> {
    let config = &context.config;
    let engine = connect_as(config, Role::Worker)?;
    let password = http_password(context)?;
    let listener = http::bind(context).await?;
    let router = catalogue::with_own_port(config, &listener)?;
    let offers = dispatcher::offers(config, &router)?;
    let plans = pools::plan(config, router.as_ref(), offers.as_ref(), args.pool.as_deref())?;
    let mut site = Site::new(context, &router, router.inbounds().to_vec())?;
    let mut scripts = Scripts::open(&router, &plans);
    let (health, metrics) = (Health::default(), kernel::metrics()?);
    let end = CancellationToken::new();
    let _ends_all = end.clone().drop_guard();
    let port = Port {
        health: health.clone(),
        metrics: metrics.clone(),
        password,
        webhooks: router.webhooks(),
        examples: false,
    };
    tokio::spawn(http::serve(listener, port, end.clone()));
    match signals.stop.run_until_cancelled(wait_for(&engine)).await {
        None => {
            scripts.close().await;
            return Ok(Status::Done);
        }
        Some(answer) => answer?,
    }
    let sandbox = match scripts.state().await {
        State::NotNeeded => None,
        State::Open(told) => Some(told),
        State::Refused(reason) => {
            tracing::warn!(reason, "script tasks become incidents, all others are worked off");
            None
        }
    };
    site.observer = Arc::new(PoolObserver::new(&metrics, &plans));
    for plan in &plans {
        tracing::info!(
            pool = plan.name,
            slots = plan.capacity,
            topics = plan.topic_names().join(","),
            sandbox = sandbox.as_deref().filter(|_| scripts.are_served_by(plan)),
            "pool starts"
        );
    }
    let pools = Arc::new(Pools::start(plans, site)?);
    health.pools(Arc::clone(&pools));
    signals.stop.cancelled().await;
    health.draining();
    tracing::info!(in_flight = pools.in_flight(), "stopping; running tasks may end");
    let report = pools.stop().await;
    scripts.close().await;
    tracing::info!(finished = report.finished, given_up = report.given_up, "stopped");
    Ok(Status::Done)
}

/// The port's password: the secret `http-password`, else the one in the data directory, which is made where it is
/// not there.
pub(super) fn http_password(context: &Context) -> Result<SecretString, Trouble> {
    match context.config.secret_store().get("http-password") {
        Ok(secret) => Ok(SecretString::from(secret.expose().to_owned())),
        Err(secrets::SecretError::Missing { .. }) => Ok(kernel::credentials(context)?.http),
        Err(error) => Err(error.into()),
    }
}

/// Waits until the engine answers, and says so.
pub(super) async fn wait_for(engine: &EngineClient) -> Result<(), EngineError> {
    let mut pause = Duration::from_millis(500);
    loop {
        match engine.version().await {
            Ok(version) => {
                tracing::info!(version, url = %engine.url(), "the engine answers");
                return Ok(());
            }
            Err(error) if error.is_unreachable() => {
                tracing::warn!(%error, again_in_ms = pause.as_millis(), "waiting for the engine");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST);
            }
            Err(error) => return Err(error),
        }
    }
}
