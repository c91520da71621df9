//! What can be typed: every command with its flags, help and examples.

use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand, ValueEnum};

mod adapters;
mod client;

pub(crate) use adapters::{AdaptersArgs, AdaptersCommand, FolderArgs};
pub(crate) use client::{
    CancelArgs, CheckArgs, DeployArgs, IncidentsArgs, MessageArgs, PsArgs, RetryArgs, ShowArgs, SignalArgs,
    StartArgs, StatusArgs, Variable,
};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default());

const FIRST_STEPS: &str = "\
First steps:
  procos up                                  boot everything; Ctrl-C stops it and keeps the data
  procos deploy my-process.bpmn              in another terminal: check and deploy a model
  procos start my-process --var amount=2 --wait
  procos show last                           what happened, step by step

Exit status: 0 done; 1 it ran and the answer is no (a finding, an incident, an unknown key);
2 wrong usage or configuration, or a login refused; 3 the engine cannot be reached or does not boot.";

/// Runs business processes: boots a BPMN engine, deploys models, and works off their tasks.
///
/// Processes are modelled in Camunda Modeler. `procos up` boots the engine, the kernel and a pool of workers on
/// this machine; the other commands talk to what is running.
#[derive(Debug, Parser)]
#[command(name = "procos", version, styles = STYLES, after_help = FIRST_STEPS, max_term_width = 110)]
pub(crate) struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What every command takes.
#[derive(Clone, Debug, Args)]
pub(crate) struct GlobalArgs {
    /// Configuration file [default: procos.yml, where it is there]
    ///
    /// Files in the folder `procos.d` beside it are read after it, in the order of their names. Then come
    /// environment variables such as PROCOS_ENGINE__URL (for `engine: {url: …}`), then flags.
    #[arg(long, global = true, value_name = "FILE", help_heading = "Everywhere")]
    pub config: Option<PathBuf>,

    /// Where the database, logins and logs are kept [default: ./data] [env: PROCOS_DATA_DIR]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Everywhere")]
    pub data_dir: Option<PathBuf>,

    /// Answer in JSON on stdout; what people read goes to stderr
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub json: bool,

    /// Say more: -v shows what happens, -vv everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Everywhere")]
    pub verbose: u8,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Boot engine, kernel and workers here, in the foreground
    Up(UpArgs),
    /// Boot the engine and run the kernel, without workers, as a container does
    Kernel(KernelArgs),
    /// Work off tasks of an engine that runs elsewhere
    Worker(WorkerArgs),
    /// Offer the tasks that wait on a broker, and tell there what happens
    ///
    /// For many workers: one asks the engine which tasks wait, and the pools with `dispatched: true` take its offers and lock
    /// the tasks themselves. Several may run: one works, the others stand by. With `events` in the configuration it tells what
    /// the engine's history says has happened. `procos up` does both by itself.
    #[command(after_help = "\
Examples:
  procos dispatcher                  with `dispatch: {broker: main}`, `events: {broker: main}` or both in procos.yml")]
    Dispatcher,
    /// Run scripts in sandboxes for workers that hold no Docker socket
    ///
    /// Whoever holds the Docker socket rules the machine, so a worker should not. The launcher holds it instead, and does one
    /// thing for those who may open its own socket: it runs a script in a sandbox, within the limits of its own configuration
    /// (section `sandbox`). A worker in whose configuration `sandbox.launcher` names the socket uses it by itself where the
    /// socket is there.
    SandboxLauncher(LauncherArgs),
    /// Tell whether everything runs: kernel, engine, pools, incidents
    Status(StatusArgs),
    /// Check models, then put them on the engine
    Deploy(DeployArgs),
    /// Check models without an engine: may they run, and will they do what is meant
    ///
    /// Says what `procos deploy` would refuse, and warns of what is likely to go wrong. Errors: the file cannot be read, or it
    /// would run code inside the engine, around every sandbox: scripts, Java classes, expressions that call methods. Warnings:
    /// ends that are dead, gateways that may find no way, topics that nobody works, errors that nothing catches. What of it
    /// is wanted all the same is listed in procos.yml, under security.gate.allow, and passes.
    ///
    /// With --unused it looks at what is deployed instead: which process definitions, latest and older versions, nobody has
    /// started for a quarter, and none of which runs. What was deployed since is left out, and so are the latest versions of
    /// ProcOS's own. The engine's history tells, as far as it reaches: where a definition keeps less of it
    /// (historyTimeToLive), the list says so.
    Check(CheckArgs),
    /// Start a process
    Start(StartArgs),
    /// Correlate a message: start what waits for it, or let it go on
    Message(MessageArgs),
    /// Broadcast a signal
    Signal(SignalArgs),
    /// List what is running
    Ps(PsArgs),
    /// List what is stuck, and why
    Incidents(IncidentsArgs),
    /// Try the failed tasks of an instance again
    Retry(RetryArgs),
    /// End an instance before its time
    Cancel(CancelArgs),
    /// Tell what happened in an instance: steps, attempts, variables, errors
    Show(ShowArgs),
    /// List what tasks can do: topics, their inputs, answers and errors
    Adapters(AdaptersArgs),
    /// Look at the configuration
    Config(ConfigArgs),
    /// Look for trouble, and say how to mend it
    Doctor,
    /// Run a filter that is given on standard input: how `json_transform` runs each in a process of its own
    #[command(hide = true)]
    Transform,
    /// Print a completion script for a shell
    #[command(after_help = "\
Examples:
  procos completions bash > ~/.local/share/bash-completion/completions/procos
  procos completions zsh  > ~/.zfunc/_procos
  procos completions fish > ~/.config/fish/completions/procos.fish")]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

/// Where the engine comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum EngineKind {
    /// A Java program that procos starts and stops
    Java,
    /// A container that procos starts and stops
    Docker,
    /// One that runs already, at `engine.url`
    Attached,
}

/// `procos up`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  procos up                          everything on this machine, data in ./data
  procos up --example                besides, run the example order-check and show its steps
  procos up --engine attached        use the engine at engine.url instead of starting one
  procos up --data-dir /tmp/try      a second world that shares nothing with the first")]
pub(crate) struct UpArgs {
    /// Where the engine comes from [default: engine.kind, which is java]
    #[arg(long, value_name = "KIND")]
    pub engine: Option<EngineKind>,

    /// Boot engine and kernel alone; tasks wait until a worker comes
    #[arg(long)]
    pub no_workers: bool,

    /// Show the administrator's password, as at the first boot
    #[arg(long)]
    pub show_password: bool,

    /// When all is ready, deploy the examples, run order-check to its end and show its steps
    #[arg(long, conflicts_with = "no_workers")]
    pub example: bool,
}

/// `procos kernel`.
#[derive(Debug, Args)]
pub(crate) struct KernelArgs {
    /// Where the engine comes from [default: engine.kind, which is java]
    #[arg(long, value_name = "KIND")]
    pub engine: Option<EngineKind>,
}

/// `procos worker`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  procos worker                      every pool of the configuration
  procos worker --pool python        one of them, as one container of many")]
pub(crate) struct WorkerArgs {
    /// Only this pool of `workers.pools`
    #[arg(long, value_name = "NAME")]
    pub pool: Option<String>,
}

/// `procos sandbox-launcher`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  procos sandbox-launcher                                     at sandbox.launcher, /run/procos/launcher.sock
  procos sandbox-launcher --listen /srv/procos/launcher.sock  elsewhere; workers: sandbox: {launcher: …}

Before it listens its sandbox has to pass the self-test; a backend that lets one probe through is refused.
SIGTERM stops it in order: it takes no more scripts, those that run may end, and what it has made is removed.")]
pub(crate) struct LauncherArgs {
    /// The socket to listen at [default: sandbox.launcher]
    #[arg(long, value_name = "SOCKET")]
    pub listen: Option<PathBuf>,
}

/// `procos config`.
#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: ConfigCommand,
}

/// What `procos config` can do.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Show the configuration in force; secrets are masked
    #[command(after_help = "\
Examples:
  procos config show                 the whole, as it could stand in procos.yml
  procos config show --sources       a line for each value: which file, variable or flag it comes from")]
    Show {
        /// Say for each value where it comes from
        #[arg(long)]
        sources: bool,
    },
}
