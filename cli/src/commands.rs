//! The commands that talk to a running engine, a module each.

use crate::args::Command;
use crate::context::Context;
use crate::exit::{Status, Trouble};

mod adapters;
mod besides;
mod cancel;
mod check;
mod config_show;
mod deploy;
mod doctor;
mod find;
pub(crate) mod http_port;
mod incidents;
mod message;
mod ps;
mod retry;
mod show;
mod signal;
mod start;
mod status;
pub(crate) mod story;
mod unused;
mod variables;
pub(crate) mod wait;

/// Runs one of them.
///
/// # Errors
/// See [`Trouble`].
pub(crate) async fn run(command: Command, context: &Context) -> Result<Status, Trouble> {
    match command {
        Command::Status(args) => status::run(&args, context).await,
        Command::Deploy(args) => deploy::run(&args, context).await,
        Command::Check(args) if args.unused => unused::run(args.days, context).await,
        Command::Check(args) => check::run(&args, context),
        Command::Start(args) => start::run(args, context).await,
        Command::Message(args) => message::run(args, context).await,
        Command::Signal(args) => signal::run(args, context).await,
        Command::Ps(args) => ps::run(&args, context).await,
        Command::Incidents(args) => incidents::run(&args, context).await,
        Command::Retry(args) => retry::run(args, context).await,
        Command::Cancel(args) => cancel::run(&args, context).await,
        Command::Show(args) => show::run(&args, context).await,
        Command::Adapters(args) => adapters::run(&args, context),
        Command::Config(args) => config_show::run(&args, context),
        Command::Doctor => doctor::run(context).await,
        // These do not ask a running system; the binary itself runs them.
        Command::Up(_)
        | Command::Kernel(_)
        | Command::Worker(_)
        | Command::Dispatcher
        | Command::Transform
        | Command::SandboxLauncher(_)
        | Command::Completions { .. } => Ok(Status::Done),
    }
}
