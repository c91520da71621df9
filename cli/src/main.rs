//! The `procos` binary: reads what was typed and configured, and puts everything together.

mod args;
mod commands;
mod config;
mod context;
mod exit;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use args::{Cli, Command};
use config::{Config, Flags, model};
use context::Context;
use exit::{Status, Trouble};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let json = cli.global.json;
    match run(cli) {
        Ok(status) => status.into(),
        Err(trouble) => {
            if json {
                println!("{}", serde_json::json!({"error": trouble.message}));
            }
            eprintln!("procos: {trouble}");
            trouble.status.into()
        }
    }
}

fn run(cli: Cli) -> Result<Status, Trouble> {
    if let Command::Completions { shell } = cli.command {
        clap_complete::generate(shell, &mut Cli::command(), "procos", &mut std::io::stdout());
        return Ok(Status::Done);
    }
    let context = Context {
        config: Config::load(cli.global.config.as_deref(), variables(), &flags(&cli))?,
        json: cli.global.json,
        verbose: cli.global.verbose,
    };
    runtime()?.block_on(async {
        match cli.command {
            command => commands::run(command, &context).await,
        }
    })
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
