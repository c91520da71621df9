//! What tasks can do: `procos adapters`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `procos adapters`.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  procos adapters                            all, a line a topic
  procos adapters http                       one, with every input and error
  procos adapters templates --out DIR        forms for Camunda Modeler, one a topic
  procos adapters reference --out DIR        pages in Markdown, one an adapter"
)]
pub(crate) struct AdaptersArgs {
    /// Only this adapter, or this topic
    pub name: Option<String>,

    /// What else to do.
    #[command(subcommand)]
    pub command: Option<AdaptersCommand>,
}

/// What `procos adapters` can do besides.
#[derive(Debug, Subcommand)]
pub(crate) enum AdaptersCommand {
    /// Write element templates, with which Camunda Modeler shows each topic as a form
    ///
    /// An element template lets Camunda Modeler show a task as a form: its inputs as labelled fields with help, defaults and
    /// choices, its answer, and what is to happen when it fails. Nobody types a topic's name then. There is one for each
    /// topic, those of the configuration's `routes` included: without the inputs that a route fixes.
    ///
    /// Modeler finds templates in .camunda/element-templates, in the folder of the model or any above it, and for all models
    /// in resources/element-templates in its own folder (Linux: ~/.config/camunda-modeler, macOS: ~/Library/Application
    /// Support/camunda-modeler, Windows: %APPDATA%\camunda-modeler). It reads them when it starts. Then click on a task and
    /// choose Template → Select in the properties panel.
    ///
    /// A file that says the same already is left alone. Files of other templates are, too; one that ProcOS has written for a
    /// topic that is no more is named, and deleted by nobody but you.
    #[command(after_help = "\
Examples:
  procos adapters templates --out .camunda/element-templates   for the models here
  procos adapters templates --out DIR --check                  in CI: up to date?
  procos adapters templates --out DIR --json                   {\"templates\": [{\"topic\", …}]}

With --json each has a topic, a file and a state: written, unchanged, outdated, missing or left_over.

Exit status: 0 done, or up to date; 1 with --check out of date, or a file cannot be written.")]
    Templates(FolderArgs),

    /// Write pages about the adapters in Markdown, one each
    ///
    /// They tell every topic with all its inputs, answers and errors, those of programs of your own included: what
    /// `procos adapters NAME` shows, for a site or a repository. A page that ProcOS has written for an adapter that is no
    /// more is named, and deleted by nobody but you; other files are left alone.
    #[command(after_help = "\
Examples:
  procos adapters reference --out docs/reference           write what is not up to date
  procos adapters reference --out docs/reference --check   in CI: up to date?

With --json each page has an adapter, a file and a state: written, unchanged, outdated, missing or left_over.

Exit status: 0 done, or up to date; 1 with --check out of date, or a file cannot be written.")]
    Reference(FolderArgs),
}

/// A folder whose files are kept up to date.
#[derive(Debug, Args)]
pub(crate) struct FolderArgs {
    /// The folder to write to; it is made where it is not there
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,

    /// Write nothing; name the files that are out of date, missing or left over
    #[arg(long)]
    pub check: bool,
}
