//! What an adapter costs beside the bare library: see `--help`.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use adapter_http::HttpAdapter;
use adapter_sql::SqlAdapter;
use anyhow::{Context, ensure};
use axum::Router;
use axum::routing::get;
use benches::{Machine, Spread, Usage};
use clap::Parser;
use futures::{StreamExt, stream};
use secrets::SecretStore;
use serde_json::{Value as Json, json};
use worker_api::{Adapter, Task, TaskContext};

const EXAMPLES: &str = "\
Examples:
  cargo run --release -p benches --bin adapters
  cargo run --release -p benches --bin adapters -- --rounds 9 --tasks 20000

`http`: GETs of a small JSON answer from a server on loopback in a thread of its own, by the adapter and by a bare loop
over reqwest, at the same concurrency. `sql`: SELECTs of one row from SQLite by the adapter, without a peer. Each round
measures each once, and which comes first changes from round to round. Memory is that of the whole process, before and
after one round's tasks of the adapter when everything is warm.

Quote the median of the ratios, and the load average with it. The exit status says whether it could be measured, nothing
about the figures.";

/// Measures adapters against the bare libraries under them.
#[derive(Debug, Parser)]
#[command(name = "adapters", after_help = EXAMPLES, max_term_width = 110)]
struct Args {
    /// How many tasks are run, each time
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    tasks: u32,

    /// How often each is measured
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// How many run at once
    #[arg(long, value_name = "N", default_value_t = 32)]
    concurrency: usize,

    /// Print one JSON object, with tasks in a second
    #[arg(long)]
    json: bool,

    /// Measure a debug build
    #[arg(long)]
    allow_debug: bool,
}

/// The throughput that the adapter is to have of the bare loop's.
const TARGET: f64 = 0.9;

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("adapters: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args) -> anyhow::Result<()> {
    ensure!(
        args.allow_debug || !cfg!(debug_assertions),
        "this is a debug build, whose figures say nothing; use `cargo run --release -p benches --bin adapters`, or \
         --allow-debug to try the benchmark itself"
    );
    let machine = Machine::here()?;
    let before = Machine::load()?;
    let url = serve()?;
    let http = Arc::new(http_adapter(&url)?);
    let bare = bare()?;
    let folder = tempfile::tempdir()?;
    let sql = Arc::new(sql_adapter(folder.path())?);
    let (mut adapters, mut peers, mut ratios, mut statements) = (vec![], vec![], vec![], vec![]);
    let mut latencies = Vec::new();
    let mut memory = (0, 0);
    // The first round of all is to warm up.
    for round in 0..=args.rounds {
        let own = async |latencies: &mut Vec<Duration>| {
            let inputs = json!({"url": url, "connection": "bench"});
            measure(args, latencies, || task(&http, "http_request", &inputs)).await
        };
        let peer = async || {
            measure(args, &mut Vec::new(), || {
                let (bare, url) = (bare.clone(), url.clone());
                async move {
                    bare.get(url).send().await?.json::<Json>().await?;
                    Ok(())
                }
            })
            .await
        };
        let started = Usage::of(std::process::id())?.anonymous;
        let (adapter, bare) = if round % 2 == 0 {
            let adapter = own(&mut latencies).await?;
            (adapter, peer().await?)
        } else {
            let bare = peer().await?;
            (own(&mut latencies).await?, bare)
        };
        let inputs = json!({"sql": "SELECT $1 AS answer", "parameters": [7]});
        let select = measure(args, &mut Vec::new(), || task(&sql, "sql_query", &inputs)).await?;
        memory = (started, Usage::of(std::process::id())?.anonymous);
        if round == 0 {
            latencies.clear();
            continue;
        }
        adapters.push(adapter);
        peers.push(bare);
        ratios.push(adapter / bare);
        statements.push(select);
    }
    let after = Machine::load()?;
    let spread = |values| Spread::of(values).context("no rounds");
    let (http, bare, ratio, sql) = (
        spread(adapters)?,
        spread(peers)?,
        spread(ratios)?,
        spread(statements)?,
    );
    latencies.sort();
    let at = |part: f64| {
        let index = (latencies.len() as f64 * part) as usize;
        latencies
            .get(index.min(latencies.len().saturating_sub(1)))
            .copied()
            .unwrap_or_default()
            .as_secs_f64()
            * 1e3
    };
    let (p50, p99) = (at(0.5), at(0.99));
    if args.json {
        let figures = json!({
            "machine": machine, "load_average": {"before": before, "after": after}, "http": http, "reqwest": bare,
            "ratio": ratio, "http_ms": {"p50": p50, "p99": p99}, "sqlite": sql,
            "memory": {"before": memory.0, "after": memory.1},
        });
        println!("{figures}");
        return Ok(());
    }
    let row =
        |name: &str, it: Spread| println!("{name:<22}{:>10.0}{:>10.0}{:>10.0}", it.min, it.median, it.max);
    println!(
        "{} tasks, {} at once, {} rounds; tasks in a second",
        args.tasks, args.concurrency, args.rounds
    );
    println!("{:<22}{:>10}{:>10}{:>10}", "", "min", "median", "max");
    row("http_request", http);
    row("reqwest, bare", bare);
    row("sql_query, SQLite", sql);
    println!(
        "http_request to reqwest: {:.2} ({:.2} to {:.2}); wanted: {TARGET:.2}",
        ratio.median, ratio.min, ratio.max
    );
    println!("http_request takes {p50:.2} ms at the median, {p99:.2} ms at the 99th percentile");
    let kibibytes = |bytes: u64| bytes / 1024;
    println!(
        "memory before and after the last round: {} and {} KiB",
        kibibytes(memory.0),
        kibibytes(memory.1)
    );
    println!(
        "{} cores, load average {before:.1} before and {after:.1} after",
        machine.cores
    );
    Ok(())
}

/// Tasks in a second.
async fn measure<F: Future<Output = anyhow::Result<()>>>(
    args: &Args,
    latencies: &mut Vec<Duration>,
    task: impl Fn() -> F,
) -> anyhow::Result<f64> {
    let began = Instant::now();
    let mut running = stream::iter(0..args.tasks)
        .map(|_| async {
            let began = Instant::now();
            task().await.map(|()| began.elapsed())
        })
        .buffer_unordered(args.concurrency);
    while let Some(took) = running.next().await {
        latencies.push(took?);
    }
    Ok(f64::from(args.tasks) / began.elapsed().as_secs_f64())
}

/// One task, from its variables to its answer.
async fn task(adapter: &Arc<impl Adapter>, topic: &str, inputs: &Json) -> anyhow::Result<()> {
    let task = Task {
        topic: topic.to_owned(),
        ..Task::default()
    };
    let variables = inputs.as_object().into_iter().flatten();
    let variables = variables.map(|(name, value)| (name.clone(), value.clone().into()));
    let context = TaskContext::new(task, Duration::from_secs(60)).with_variables(variables.collect());
    match adapter.execute(context).await {
        Ok(_) => Ok(()),
        Err(error) => anyhow::bail!("{error:?}"),
    }
}

/// A server with a thread and a runtime of its own: its address.
fn serve() -> anyhow::Result<String> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let url = format!("http://{}/", listener.local_addr()?);
    let answer = || async { axum::Json(json!({"item": "desk", "amount": 2})) };
    std::thread::spawn(move || -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            Ok(axum::serve(listener, Router::new().route("/", get(answer))).await?)
        })
    });
    Ok(url)
}

fn http_adapter(url: &str) -> anyhow::Result<HttpAdapter> {
    let connections = json!({"bench": {"base_url": url, "allow": ["127.0.0.1"]}});
    Ok(HttpAdapter::new(
        serde_json::from_value(connections)?,
        SecretStore::default(),
    )?)
}

fn bare() -> anyhow::Result<reqwest::Client> {
    // Every program that uses reqwest has to say which.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Ok(reqwest::Client::builder().no_proxy().tls_certs_only([]).build()?)
}

fn sql_adapter(folder: &std::path::Path) -> anyhow::Result<SqlAdapter> {
    let file = folder.join("bench.db");
    // An empty file is an empty database.
    std::fs::write(&file, "")?;
    let connections = json!({"default": {"url": format!("sqlite:{}", file.display())}});
    Ok(SqlAdapter::new(
        serde_json::from_value(connections)?,
        SecretStore::default(),
    )?)
}
