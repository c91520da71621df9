//! What stands between the engine and whoever should not have to ask it: offers of tasks, and events.

use std::sync::Arc;

use adapter_catalog::Catalogue;
use dispatcher::{Dispatcher, DispatcherSettings, Events};
use engine_client::EngineClient;
use tokio_util::sync::CancellationToken;
use worker_api::{Dispatch, Failure, Inbound};

use super::health::Health;
use super::http::{self, Port};
use super::pools::{Pools, Site};
use super::worker::{http_password, wait_for};
use super::{Signals, catalogue, kernel};
use crate::config::Config;
use crate::context::{Context, Role, connect_as};
use crate::exit::{Status, Trouble};

/// Offers tasks and tells events until it is told to stop.
///
/// # Errors
/// Where the configuration makes no sense, or the engine refuses the login.
pub(crate) async fn dispatcher(context: &Context, signals: &Signals) -> Result<Status, Trouble> {
    let config = &context.config;
    let settings = config.settings();
    if settings.dispatch.is_none() && settings.events.is_none() {
        return Err(Trouble::usage(
            "there is nothing to do: say with `dispatch: {broker: …}` where tasks are offered, with `events: {broker: …}` where is \
             told what happens, or both",
        ));
    }
    let engine = connect_as(config, Role::Kernel)?;
    let password = http_password(context)?;
    let listener = http::bind(context).await?;
    let router = catalogue::with_own_port(config, &listener)?;
    let inbounds = inbounds(config, &router, &engine)?;
    let (health, metrics) = (Health::default(), kernel::metrics()?);
    let end = CancellationToken::new();
    let _ends_all = end.clone().drop_guard();
    let port = Port {
        health: health.clone(),
        metrics,
        password,
        webhooks: None,
        examples: false,
    };
    tokio::spawn(http::serve(listener, port, end.clone()));
    match signals.stop.run_until_cancelled(wait_for(&engine)).await {
        None => return Ok(Status::Done),
        Some(answer) => answer?,
    }
    let names: Vec<&str> = inbounds.iter().map(|one| one.name()).collect();
    tracing::info!(parts = names.join(","), "dispatcher starts");
    let site = Site::new(context, &router, inbounds)?;
    let pools = Arc::new(Pools::start(Vec::new(), site)?);
    health.pools(Arc::clone(&pools));
    signals.stop.cancelled().await;
    health.draining();
    pools.stop().await;
    tracing::info!("stopped");
    Ok(Status::Done)
}

/// Where tasks are offered, if anywhere.
///
/// # Errors
/// Where the connection is not there.
pub(super) fn offers(config: &Config, catalogue: &Catalogue) -> Result<Option<Arc<dyn Dispatch>>, Trouble> {
    let Some(dispatch) = &config.settings().dispatch else {
        return Ok(None);
    };
    let broker = catalogue.broker().map(|broker| broker.dispatch(&dispatch.broker));
    let offers = broker
        .transpose()
        .map_err(|failure| unknown(config, "dispatch", &failure))?;
    Ok(offers)
}

/// What offers tasks and tells events, as far as the configuration has it.
///
/// # Errors
/// Where a connection is not there.
pub(super) fn inbounds(
    config: &Config,
    catalogue: &Catalogue,
    engine: &EngineClient,
) -> Result<Vec<Arc<dyn Inbound>>, Trouble> {
    let settings = config.settings();
    let mut inbounds: Vec<Arc<dyn Inbound>> = Vec::new();
    if let (Some(dispatch), Some(offers)) = (&settings.dispatch, offers(config, catalogue)?) {
        let settings = DispatcherSettings {
            interval: dispatch.interval,
            ahead: dispatch.ahead.into(),
            lifetime: dispatch.lifetime,
        };
        inbounds.push(Arc::new(Dispatcher::new(engine.clone(), offers, settings)));
    }
    if let (Some(events), Some(broker)) = (&settings.events, catalogue.broker()) {
        let sink = broker
            .events(&events.broker, &events.exchange)
            .map_err(|failure| unknown(config, "events", &failure))?;
        let file = settings.data_dir.join("events.json");
        inbounds.push(Arc::new(Events::new(engine.clone(), sink, events.interval, file)));
    }
    Ok(inbounds)
}

fn unknown(config: &Config, section: &str, failure: &Failure) -> Trouble {
    config
        .wrong(&format!("{section}.broker"), failure.message.clone())
        .into()
}
