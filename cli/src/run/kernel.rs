//! `procos kernel`, and what it has in common with `procos up`: booting, watching, telling.

use std::sync::Arc;
use std::time::Duration;

use engine_client::EngineClient;
use microkernel::{Credentials, Event, Kernel};
use telemetry::metrics::Metrics;
use tokio_util::sync::CancellationToken;
use worker_api::Router;

use super::health::Health;
use super::http::{self, Port};
use super::{Signals, around, boot};
use crate::context::Context;
use crate::exit::{Status, Trouble};

/// How often the backlog is counted.
const BACKLOG_INTERVAL: Duration = Duration::from_secs(15);

/// Boots the engine and runs the kernel until it is told to stop.
///
/// # Errors
/// Where it does not boot, or the engine cannot be kept alive.
pub(crate) async fn kernel(context: &Context, signals: &Signals) -> Result<Status, Trouble> {
    let config = &context.config;
    let credentials = credentials(context)?;
    let listener = http::bind(context).await?;
    let settings = boot::kernel_settings(config, &credentials)?;
    let router = config.catalogue()?;
    let (health, metrics) = (Health::default(), metrics()?);
    let observer = {
        let (health, metrics) = (health.clone(), metrics.clone());
        Arc::new(move |event: &Event| {
            note(event, &health, &metrics);
            log(event);
        })
    };
    let end = CancellationToken::new();
    let _ends_all = end.clone().drop_guard();
    let port = Port {
        health: health.clone(),
        metrics: metrics.clone(),
        password: credentials.http.clone(),
        webhooks: None,
        examples: false,
    };
    tokio::spawn(http::serve(listener, port, end.clone()));
    let mut kernel = match Kernel::boot(settings, observer, signals.stop.clone()).await {
        Err(microkernel::BootError::Interrupted) => return Ok(Status::Done),
        Err(error) => return Err(boot::failed(&error)),
        Ok(kernel) => kernel,
    };
    tokio::spawn(count_backlog(
        kernel.engine().clone(),
        router.topics(),
        metrics,
        end.clone(),
    ));
    let watched = kernel.watch(signals.stop.clone()).await;
    health.draining();
    kernel.stop().await;
    match watched {
        Ok(()) => Ok(Status::Done),
        Err(error) => Err(boot::failed(&error)),
    }
}

/// The passwords of the data directory; made where they are not there.
pub(super) fn credentials(context: &Context) -> Result<Credentials, Trouble> {
    let credentials = Credentials::load_or_create(&context.config.settings().data_dir)
        .map_err(|error| Trouble::usage(format!("{error}; choose a data directory with --data-dir")))?;
    for file in &credentials.tightened {
        tracing::warn!(file = %file.display(), "others could read this password file; it is for its owner alone now");
    }
    Ok(credentials)
}

pub(super) fn metrics() -> Result<Metrics, Trouble> {
    Metrics::new().map_err(|error| Trouble::no(format!("the metrics cannot be set up: {error}")))
}

/// Keeps health and metrics true.
pub(super) fn note(event: &Event, health: &Health, metrics: &Metrics) {
    match event {
        Event::Phase { phase, .. } => {
            health.phase(*phase);
            metrics.kernel_phase(phase.name());
        }
        Event::EngineReady { version, .. } => {
            health.engine(version);
            metrics.engine_up(true);
        }
        Event::EngineDown { .. } => metrics.engine_up(false),
        Event::EngineUp { .. } => metrics.engine_up(true),
        Event::Restarting { .. } => metrics.engine_restarted(),
        Event::AroundGate(violation) if !violation.again => health.violation(),
        _ => {}
    }
}

/// Writes what happens into the log.
pub(super) fn log(event: &Event) {
    match event {
        Event::Phase {
            phase,
            previous,
            took,
        } => {
            tracing::info!(
                phase = phase.name(),
                previous = previous.name(),
                took_ms = took.as_millis(),
                "phase"
            );
        }
        Event::Pulling { image, detail } => tracing::info!(image, detail, "pulling the engine's image"),
        Event::Orphan { what } => tracing::warn!(what, "ending the engine of a kernel that was killed"),
        Event::EngineReady { version, took } => {
            tracing::info!(version, took_ms = took.as_millis(), "the engine answers");
        }
        Event::Deployed { name, outcome } => {
            let new = outcome
                .definitions
                .iter()
                .filter(|definition| definition.new)
                .count();
            tracing::info!(name, definitions = outcome.definitions.len(), new, "deployed");
        }
        Event::RootRunning {
            key,
            instance_id,
            started,
            outdated,
        } => {
            tracing::info!(key, instance_id, started, outdated, "the root process runs");
        }
        Event::EngineDown { reason, log } => {
            let log = log.as_ref().map(|log| log.lines.join("\n")).unwrap_or_default();
            tracing::error!(reason, log, "the engine is down");
        }
        Event::Restarting { attempt, of, delay } => {
            tracing::warn!(
                attempt,
                of,
                delay_ms = delay.as_millis(),
                "starting the engine again"
            );
        }
        Event::EngineUp { after } => tracing::info!(after_ms = after.as_millis(), "the engine answers again"),
        Event::AroundGate(violation) => around::log(violation),
        Event::Warning(text) => tracing::warn!("{text}"),
        _ => {}
    }
}

/// Counts what waits for a worker, for the metrics, until the token is cancelled.
pub(super) async fn count_backlog(
    engine: EngineClient,
    topics: Vec<String>,
    metrics: Metrics,
    end: CancellationToken,
) {
    let count = async {
        let mut tick = tokio::time::interval(BACKLOG_INTERVAL);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let mut waiting = Vec::with_capacity(topics.len());
            for topic in &topics {
                match engine.backlog(topic).await {
                    Ok(tasks) => waiting.push((topic.as_str(), tasks)),
                    Err(error) => tracing::debug!(%error, topic, "cannot count the backlog"),
                }
            }
            metrics.backlog(waiting);
        }
    };
    end.run_until_cancelled(count).await;
}
