//! Compares clients of external tasks at the same work on the same engine: see `--help`.

mod args;
mod bed;
mod contender;
mod job;
mod library;
mod measure;
mod peers;
mod proxy;
mod raw;
mod report;
mod rounds;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Own};
use job::Job;

fn main() -> ExitCode {
    match dispatch(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("clients: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(args: &Args) -> anyhow::Result<()> {
    let one_thread = || tokio::runtime::Builder::new_current_thread().enable_all().build();
    match args.command {
        None => one_thread()?.block_on(rounds::run(args)),
        Some(Own::ClientRaw { reports }) => one_thread()?.block_on(raw::run(Job::of_environment()?, reports)),
        Some(Own::ClientLibrary) => library::runtime()?.block_on(library::run(Job::of_environment()?)),
    }
}
