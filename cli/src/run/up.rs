//! `procos up`: everything on this machine, in the foreground.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use microkernel::{BootError, Credentials, Event, Kernel, Phase};
use secrecy::ExposeSecret;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use worker_api::Router;
use worker_runtime::PoolSettings;

use super::health::Health;
use super::http::{self, Port};
use super::observe::PoolObserver;
use super::pools::{self, Pools, Site};
use super::reporter::Reporter;
use super::scripts::{Scripts, State};
use super::tell::Teller;
use super::{Signals, boot, catalogue, dispatcher, example, kernel};
use crate::args::UpArgs;
use crate::config::model::EngineKind;
use crate::context::Context;
use crate::exit::{Status, Trouble};

/// Boots everything, and stops it in order when it is told to.
///
/// # Errors
/// Where it does not boot, or the engine cannot be kept alive. An example that fails makes the status 1.
pub(crate) async fn up(
    args: UpArgs,
    context: &Context,
    signals: &Signals,
    began: Instant,
) -> Result<Status, Trouble> {
    let reporter = Arc::new(Reporter::new(context));
    let result = run(&args, context, signals, &reporter, began).await;
    reporter.quiet();
    if let Err(trouble) = &result {
        reporter.object(&json!({"phase": Phase::Failed.name(), "message": trouble.message}));
    }
    result
}

async fn run(
    args: &UpArgs,
    context: &Context,
    signals: &Signals,
    reporter: &Arc<Reporter>,
    began: Instant,
) -> Result<Status, Trouble> {
    let config = &context.config;
    let credentials = kernel::credentials(context)?;
    let settings = boot::kernel_settings(config, &credentials)?;
    let listener = http::bind(context).await?;
    let router = catalogue::with_own_port(config, &listener)?;
    let plans = if args.no_workers {
        Vec::new()
    } else {
        let offers = dispatcher::offers(config, &router)?;
        pools::plan(config, router.as_ref(), offers.as_ref(), None)?
    };
    // While the engine boots.
    let mut scripts = Scripts::open(&router, &plans);
    let (health, metrics) = (Health::default(), kernel::metrics()?);
    let end = CancellationToken::new();
    let _ends_all = end.clone().drop_guard();
    let port = Port {
        health: health.clone(),
        metrics: metrics.clone(),
        password: credentials.http.clone(),
        webhooks: router.webhooks(),
        examples: true,
    };
    tokio::spawn(http::serve(listener, port, end.clone()));

    let observer = {
        let teller = Teller::new(Arc::clone(reporter), config);
        let (health, metrics) = (health.clone(), metrics.clone());
        Arc::new(move |event: &Event| {
            kernel::note(event, &health, &metrics);
            teller.tell(event);
        })
    };
    let mut kernel = match Kernel::boot(settings, observer, signals.stop.clone()).await {
        Ok(kernel) => kernel,
        Err(error) => {
            scripts.close().await;
            return match error {
                BootError::Interrupted => Ok(Status::Done),
                error => Err(boot::failed(&error)),
            };
        }
    };
    tokio::spawn(kernel::count_backlog(
        kernel.engine().clone(),
        router.topics(),
        metrics.clone(),
        end.clone(),
    ));
    let pools = if plans.is_empty() {
        None
    } else {
        let mut inbounds = router.inbounds().to_vec();
        inbounds.extend(dispatcher::inbounds(config, &router, kernel.engine())?);
        let mut site = Site::new(context, &router, inbounds)?;
        site.observer = Arc::new(PoolObserver::new(&metrics, &plans));
        reporter.working("testing the sandbox");
        tell_pools(&plans, &scripts.state().await, &scripts, reporter);
        let pools = Arc::new(Pools::start(plans, site)?);
        health.pools(Arc::clone(&pools));
        Some(pools)
    };
    let boot = began.elapsed();
    let url = config.settings().engine.url.as_str();
    reporter.object(&json!({"phase": "ready", "engine_url": url, "boot_ms": millis(boot)}));

    let engine = kernel.engine().clone();
    let example_failed = AtomicBool::new(false);
    let after_boot = async {
        if args.example
            && let Err(trouble) = example::run(&engine, reporter).await
        {
            // What went wrong is looked at with the system running.
            example_failed.store(true, Ordering::Relaxed);
            reporter.line(&trouble.message);
            reporter.object(&json!({"phase": "example", "error": trouble.message}));
        }
        reporter.quiet();
        reporter.line(&addresses(context, args, &credentials, boot, reporter));
        std::future::pending().await
    };
    let outcome = tokio::select! {
        watched = kernel.watch(signals.stop.clone()) => watched.map_err(|error| boot::failed(&error)),
        never = after_boot => never,
    };
    reporter.quiet();
    stop(pools.as_deref(), &scripts, kernel, &health, reporter).await;
    outcome?;
    Ok(if example_failed.into_inner() {
        Status::No
    } else {
        Status::Done
    })
}

/// A line for each pool; and one on the sandbox where there is none.
fn tell_pools(plans: &[PoolSettings], sandbox: &State, scripts: &Scripts, reporter: &Reporter) {
    for plan in plans {
        let topics = if plan.topics.len() == 1 { "topic" } else { "topics" };
        let mut text = format!(
            "pool {}: {} slots, {} {topics}",
            plan.name,
            plan.capacity,
            plan.topics.len()
        );
        if let State::Open(sandbox) = sandbox
            && scripts.are_served_by(plan)
        {
            text.push_str(&format!(", sandbox {sandbox}"));
        }
        reporter.done("workers", &text, None);
    }
    if let State::Refused(reason) = sandbox {
        let reason = reason.replace('\n', " ");
        let text = format!("{reason}. Script tasks become incidents, all others are worked off");
        reporter.warn("sandbox", &text);
        reporter.object(&json!({"sandbox": {"refused": reason}}));
    }
}

/// Stops workers, then the engine.
async fn stop(
    pools: Option<&Pools>,
    scripts: &Scripts,
    kernel: Kernel,
    health: &Health,
    reporter: &Reporter,
) {
    health.draining();
    reporter.object(&json!({"phase": Phase::Stopping.name()}));
    if let Some(pools) = pools {
        match pools.in_flight() {
            0 => reporter.working("stopping the workers"),
            tasks => {
                let text = format!(
                    "waiting for {tasks} running tasks, at most {}",
                    crate::output::duration(pools::DRAIN)
                );
                reporter.working(format!("{text}; Ctrl-C once more stops at once"));
            }
        }
        let report = pools.stop().await;
        if report.given_up > 0 {
            let text = format!(
                "not done in time: {} of the running tasks; what may be repeated is run again at the next start",
                report.given_up
            );
            reporter.warn("workers", &text);
        }
    }
    scripts.close().await;
    reporter.working("stopping the engine");
    let began = Instant::now();
    kernel.stop().await;
    reporter.done("stopped", "all data is kept", Some(began.elapsed()));
}

/// Where everything is, how to log in, and what to do next.
fn addresses(
    context: &Context,
    args: &UpArgs,
    credentials: &Credentials,
    boot: Duration,
    reporter: &Reporter,
) -> String {
    let theme = reporter.theme();
    let settings = context.config.settings();
    let mut lines = vec![String::new()];
    if settings.engine.kind != EngineKind::Attached {
        let shows = args.show_password || credentials.created;
        let login = match (shows, credentials.created) {
            (true, true) => format!("password {} (shown this once)", credentials.admin.expose_secret()),
            (true, false) => format!("password {}", credentials.admin.expose_secret()),
            (false, _) => "password: procos up --show-password".to_owned(),
        };
        for (name, path) in [("Cockpit", "cockpit"), ("Tasklist", "tasklist")] {
            if let Ok(url) = settings.engine.url.join(&format!("/camunda/app/{path}/")) {
                let login = if name == "Cockpit" {
                    format!("    user admin, {login}")
                } else {
                    String::new()
                };
                lines.push(format!("{name:<9} {url}{login}"));
            }
        }
    }
    let start = "procos start order-check --var order='{\"item\":\"desk\",\"amount\":2}' --wait";
    if args.example {
        lines.push(format!("Next      {}", theme.command(start)));
        let show = theme.command("procos show last");
        lines.push(format!("          {show}            what happened, step by step"));
    } else {
        let deploy = theme.command("procos deploy my-process.bpmn");
        lines.push(format!("Next      {deploy}   in another terminal"));
    }
    let ready = format!("ready in {}", crate::output::duration(boot));
    lines.push(format!(
        "Ctrl-C stops everything and keeps the data. {}",
        theme.dim(&ready)
    ));
    lines.join("\n")
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
