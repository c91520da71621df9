//! The `procos` binary: reads what was typed and configured, and puts everything together.

mod args;
mod commands;
mod config;
mod context;
mod exit;
mod gate;
mod output;
mod run;

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Instant;

use clap::{CommandFactory, Parser};
use telemetry::logging::Format;
use tracing::level_filters::LevelFilter;

use args::{Cli, Command};
use config::{Config, Flags, model};
use context::Context;
use exit::{Status, Trouble};
use run::Signals;

fn main() -> ExitCode {
    let began = Instant::now();
    let cli = Cli::parse();
    if let Command::Transform = cli.command {
        return adapter_catalog::serve_transformation();
    }
    let json = cli.global.json;
    match dispatch(cli, began) {
        Ok(status) => status.into(),
        Err(trouble) => {
            if json {
                // Nobody is left to tell where stdout is closed.
                let _ = output::say_json(&serde_json::json!({"error": trouble.message}));
            }
            output::remark(&format!("procos: {trouble}"));
            trouble.status.into()
        }
    }
}

fn dispatch(cli: Cli, began: Instant) -> Result<Status, Trouble> {
    if let Command::Completions { shell } = cli.command {
        return completions(shell);
    }
    let context = Context {
        config: Config::load(cli.global.config.as_deref(), variables(), &flags(&cli))?,
        json: cli.global.json,
        verbose: cli.global.verbose,
    };
    log(&cli.command, &context)?;
    let runtime = runtime()?;
    let result = runtime.block_on(run(cli.command, &context, began));
    // After a second signal nothing is waited for.
    runtime.shutdown_background();
    result
}

async fn run(command: Command, context: &Context, began: Instant) -> Result<Status, Trouble> {
    if !matches!(
        command,
        Command::Up(_)
            | Command::Kernel(_)
            | Command::Worker(_)
            | Command::Dispatcher
            | Command::SandboxLauncher(_)
    ) {
        return commands::run(command, context).await;
    }
    let signals =
        Signals::listen().map_err(|error| Trouble::no(format!("cannot listen for signals: {error}")))?;
    let stays = async {
        match command {
            Command::Up(args) => run::up(args, context, &signals, began).await,
            Command::Kernel(_) => run::kernel(context, &signals).await,
            Command::Worker(args) => run::worker(args, context, &signals).await,
            Command::Dispatcher => run::dispatcher(context, &signals).await,
            Command::SandboxLauncher(args) => run::launcher(args, context, &signals).await,
            other => commands::run(other, context).await,
        }
    };
    tokio::select! {
        result = stays => result,
        () = signals.force.cancelled() => {
            Err(Trouble::no("stopped at once; what was running is run again at the next start"))
        }
    }
}

/// Sets up the log: on stderr, quiet where a person reads answers or watches a boot.
fn log(command: &Command, context: &Context) -> Result<(), Trouble> {
    let settings = context.config.settings();
    let configured = match settings.microkernel.log_level {
        model::LogLevel::Error => LevelFilter::ERROR,
        model::LogLevel::Warn => LevelFilter::WARN,
        model::LogLevel::Info => LevelFilter::INFO,
        model::LogLevel::Debug => LevelFilter::DEBUG,
        model::LogLevel::Trace => LevelFilter::TRACE,
    };
    let (is_up, stays) = match command {
        Command::Up(_) => (true, true),
        Command::Kernel(_) | Command::Worker(_) | Command::Dispatcher | Command::SandboxLauncher(_) => {
            (false, true)
        }
        _ => (false, false),
    };
    let is_read = !stays || is_up && std::io::stderr().is_terminal();
    let level = if is_read {
        configured.min(LevelFilter::WARN)
    } else {
        configured
    };
    let format = match settings.telemetry.log_format {
        model::LogFormat::Auto if context.json && stays && !is_up => Format::Json,
        model::LogFormat::Auto if !stays => Format::Human,
        model::LogFormat::Auto => Format::Auto,
        model::LogFormat::Human => Format::Human,
        model::LogFormat::Json => Format::Json,
    };
    telemetry::logging::init(format, level, context.verbose)
        .map_err(|error| Trouble::usage(error.to_string()))
}

fn completions(shell: clap_complete::Shell) -> Result<Status, Trouble> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "procos", &mut script);
    output::say(&String::from_utf8_lossy(&script))?;
    Ok(Status::Done)
}

/// What the command line says about the configuration.
fn flags(cli: &Cli) -> Flags {
    let engine = match &cli.command {
        Command::Up(up) => up.engine,
        Command::Kernel(kernel) => kernel.engine,
        _ => None,
    };
    Flags {
        data_dir: cli.global.data_dir.clone(),
        engine: engine.map(|kind| match kind {
            args::EngineKind::Java => model::EngineKind::Java,
            args::EngineKind::Docker => model::EngineKind::Docker,
            args::EngineKind::Attached => model::EngineKind::Attached,
        }),
    }
}

/// The environment, as far as it is text.
fn variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// Few threads: procos waits far more than it computes.
fn runtime() -> Result<tokio::runtime::Runtime, Trouble> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Trouble::usage(format!("cannot start: {error}")))
}
