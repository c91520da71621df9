//! The commands that talk to a running engine.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use serde_json::Value as Json;
use unicode_width::UnicodeWidthStr;

/// Whose it is, where keys may belong to tenants.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct TenantArgs {
    /// The tenant whose process is meant
    #[arg(long, value_name = "ID", value_parser = named::<LONGEST_TENANT>)]
    pub tenant: Option<String>,
}

/// A variable as it is typed: `NAME=JSON`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Variable {
    /// Its name.
    pub name: String,
    /// Its value. Text that is no JSON is refused rather than guessed at.
    pub value: Json,
}

impl FromStr for Variable {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, value) = text
            .split_once('=')
            .ok_or("write NAME=JSON, such as amount=2 or customer='\"Ada\"'")?;
        named::<LONGEST>(name).map_err(|error| format!("the name before `=`: {error}"))?;
        let json: Json = serde_json::from_str(value).map_err(|error| not_json(name, value, &error))?;
        // Rounded to a fraction it would be another number.
        if json.is_f64() && !value.contains(['.', 'e', 'E']) {
            return Err(format!(
                "the number of `{name}` is out of range: whole numbers go from {} to {}; as text it is exact: \
                 {name}='\"{}\"'",
                i64::MIN,
                u64::MAX,
                value.trim()
            ));
        }
        Ok(Self {
            name: name.to_owned(),
            value: json,
        })
    }
}

/// Says where in the value the reader gave up, and how it has to be written.
fn not_json(name: &str, value: &str, error: &serde_json::Error) -> String {
    let said = error.to_string();
    let said = said.split(" at line ").next().unwrap_or_default();
    let line = value
        .lines()
        .nth(error.line().saturating_sub(1))
        .unwrap_or_default();
    // The reader counts bytes, from 1.
    let before = &line[..line.floor_char_boundary(error.column().saturating_sub(1).min(line.len()))];
    let lead = if error.line() <= 1 {
        format!("{name}=")
    } else {
        String::new()
    };
    let caret = " ".repeat(lead.width() + before.width());
    let example = match value {
        "" => "text",
        text if text.chars().all(|c| c.is_alphanumeric() || " -_.@:/".contains(c)) => text,
        _ => "text",
    };
    format!(
        "the value of `{name}` is not JSON, column {}: {said}\n\n  {lead}{line}\n  {caret}^\n\ntext needs double quotes, \
         inside single ones for the shell: {name}='\"{example}\"'",
        before.chars().count() + 1,
    )
}

/// The engine keeps names and keys up to this length, and tenants' ids up to the other.
const LONGEST: usize = 255;
const LONGEST_TENANT: usize = 64;

/// Text that names something: not nothing, and no more than `MOST` characters.
fn named<const MOST: usize>(text: &str) -> Result<String, String> {
    match text.chars().count() {
        0 => Err("it is empty".to_owned()),
        length if length > MOST => Err(format!("it has {length} characters, {MOST} is the most")),
        _ => Ok(text.to_owned()),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    worker_api::parse_duration(text).ok_or_else(|| "write a duration such as 30s, 2m or PT5M".to_owned())
}

/// As many as a person could ever read, and as the engine can count to.
fn limit(text: &str) -> Result<usize, String> {
    let most = 1_000_000;
    text.parse()
        .ok()
        .filter(|limit| (1..=most).contains(limit))
        .ok_or_else(|| format!("write a whole number from 1 to {most}"))
}

/// `procos status`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  procos status
  procos status --wait 60s && procos start my-process")]
pub(crate) struct StatusArgs {
    /// Wait until everything is ready, no longer than this
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub wait: Option<Duration>,
}

/// `procos deploy`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  procos deploy order.bpmn                   one model
  procos deploy processes/                   every .bpmn, .dmn and .form below a folder, as one deployment,
                                             and the scripts that their tasks name by script_path
  procos deploy order.bpmn --dry-run         only check")]
pub(crate) struct DeployArgs {
    /// Models, or folders of them. Nothing new is made on the engine where nothing changed
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,

    /// Only check, without an engine; change nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Whose processes these are.
    #[command(flatten)]
    pub tenant: TenantArgs,
}

/// `procos check`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  procos check order.bpmn                    one model
  procos check processes/                    every BPMN, DMN and CMMN file and form below a folder
  procos check processes/ -v                 besides, how complex each process is
  procos check --explain java-class          what a finding means, and what to do
  procos check processes/ --json             {\"diagnostics\": […], \"errors\": N, \"warnings\": N}
  procos check --unused                      what is deployed and nobody has started for 90 days
  procos check --unused --days 365 --json    {\"days\": 365, \"unused\": [{\"key\", \"version\", \"id\", …}], …}

Exit status: 0 no errors, or a list, be it empty; 1 errors; 2 wrong usage, or a path where no model is.")]
pub(crate) struct CheckArgs {
    /// Models, or folders of them
    #[arg(required_unless_present_any = ["explain", "unused"], value_name = "PATH")]
    pub paths: Vec<PathBuf>,

    /// Tell what the findings of this code mean, and what to do about them
    #[arg(long, value_name = "CODE", conflicts_with = "paths")]
    pub explain: Option<String>,

    /// List the definitions on the running engine that nobody has started for some time
    #[arg(long, conflicts_with_all = ["paths", "explain"])]
    pub unused: bool,

    /// With --unused: for how long
    #[arg(long, value_name = "N", default_value_t = 90, requires = "unused", value_parser = clap::value_parser!(u16).range(0..=36_500))]
    pub days: u16,
}

/// `procos start`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  procos start order-check --var order='{\"item\":\"desk\",\"amount\":2}' --wait
  procos start order-check --vars order.json --business-key 4711
  procos start order-check --wait 5m --json")]
pub(crate) struct StartArgs {
    /// The process's key: the id of the process in the model
    #[arg(value_parser = named::<LONGEST>)]
    pub key: String,

    /// A variable; its value is JSON. Wins over --vars
    #[arg(long = "var", value_name = "NAME=JSON")]
    pub variables: Vec<Variable>,

    /// A file with one JSON object: a variable a field
    #[arg(long = "vars", value_name = "FILE")]
    pub variables_file: Option<PathBuf>,

    /// What the instance is called in your business: an order's number, a ticket
    #[arg(long, value_name = "KEY", value_parser = named::<LONGEST>)]
    pub business_key: Option<String>,

    /// Wait for the instance's end, no longer than DURATION (without one: until it ends or is stuck)
    #[arg(long, value_name = "DURATION", value_parser = duration, num_args = 0..=1)]
    pub wait: Option<Option<Duration>>,

    /// Whose process it is.
    #[command(flatten)]
    pub tenant: TenantArgs,
}

/// `procos message`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  procos message payment-received --business-key 4711 --var amount=118.20
  procos message procos_request --var request='{\"process\":\"order-check\"}' --var order='{\"item\":\"desk\",\"amount\":2}'")]
pub(crate) struct MessageArgs {
    /// The message's name
    #[arg(value_parser = named::<LONGEST>)]
    pub name: String,

    /// Only instances with this business key
    #[arg(long, value_name = "KEY", value_parser = named::<LONGEST>)]
    pub business_key: Option<String>,

    /// A variable that the message carries; its value is JSON
    ///
    /// It goes to the process instance, where every later step sees it. Where the message starts an event
    /// subprocess, which may run several times at once, it goes to that run alone.
    #[arg(long = "var", value_name = "NAME=JSON")]
    pub variables: Vec<Variable>,

    /// Whose processes are meant.
    #[command(flatten)]
    pub tenant: TenantArgs,
}

/// `procos signal`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  procos signal month-closed --var month='\"2024-05\"'")]
pub(crate) struct SignalArgs {
    /// The signal's name
    #[arg(value_parser = named::<LONGEST>)]
    pub name: String,

    /// A variable that the signal carries; its value is JSON
    #[arg(long = "var", value_name = "NAME=JSON")]
    pub variables: Vec<Variable>,

    /// Whose processes are meant.
    #[command(flatten)]
    pub tenant: TenantArgs,
}

/// `procos ps`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  procos ps
  procos ps --key order-check
  procos ps --all --limit 100 --json")]
pub(crate) struct PsArgs {
    /// Only instances of this process
    #[arg(long, value_name = "KEY", value_parser = named::<LONGEST>)]
    pub key: Option<String>,

    /// Those that have ended, too
    #[arg(short, long)]
    pub all: bool,

    /// How many are listed at most, the latest started first
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = limit)]
    pub limit: usize,

    /// Whose instances are meant.
    #[command(flatten)]
    pub tenant: TenantArgs,
}

/// `procos incidents`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  procos incidents
  procos incidents --key order-check --json")]
pub(crate) struct IncidentsArgs {
    /// Only instances of this process
    #[arg(long, value_name = "KEY", value_parser = named::<LONGEST>)]
    pub key: Option<String>,

    /// Whose instances are meant.
    #[command(flatten)]
    pub tenant: TenantArgs,
}

/// `procos retry`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  procos retry 6f1c2d3e-…                    after what was wrong outside has been mended
  procos retry 6f1c2d3e-… --again            also what may have been done already: it is done again
  procos retry 6f1c2d3e-… --var order='{\"item\":\"desk\",\"amount\":2}'")]
pub(crate) struct RetryArgs {
    /// The instance's id, as `procos ps` and `procos incidents` show it; its first characters are enough
    #[arg(value_parser = named::<LONGEST>)]
    pub instance: String,

    /// Also try what may have been done already (OUTCOME_UNKNOWN); without this it is left out
    #[arg(long)]
    pub again: bool,

    /// A process variable to set before the tasks are tried again; its value is JSON
    ///
    /// The failed steps then begin anew, so that their inputs are computed from it. A name that only an input of
    /// the failed step has replaces that input.
    #[arg(long = "var", value_name = "NAME=JSON")]
    pub variables: Vec<Variable>,
}

/// `procos cancel`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  procos cancel 6f1c2d3e-…")]
pub(crate) struct CancelArgs {
    /// The instances' ids; the first characters of each are enough
    #[arg(required = true, value_name = "INSTANCE", value_parser = named::<LONGEST>)]
    pub instances: Vec<String>,
}

/// `procos show`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  procos show last
  procos show 6f1c2d3e-…")]
pub(crate) struct ShowArgs {
    /// The instance's id (its first characters are enough), or `last`: the one started most recently
    #[arg(value_parser = named::<LONGEST>)]
    pub instance: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_a_name_and_json() {
        let variable: Variable = "order={\"amount\":2,\"note\":\"a=b\"}".parse().unwrap();
        assert_eq!(variable.name, "order");
        assert_eq!(variable.value["note"], "a=b");
    }

    #[test]
    fn what_is_not_json_is_refused_with_the_way_to_write_it() {
        let error = "customer=Ada".parse::<Variable>().unwrap_err();
        assert!(error.ends_with("customer='\"Ada\"'"), "{error}");
        assert!(error.contains("\n  customer=Ada\n           ^\n"), "{error}");
        let error = "größe={\"ä\": x}".parse::<Variable>().unwrap_err();
        assert!(error.contains("column 7: "), "{error}");
        assert!(
            error.contains("\n  größe={\"ä\": x}\n              ^\n"),
            "{error}"
        );
        assert!("amount".parse::<Variable>().unwrap_err().contains("NAME=JSON"));
        assert!("=1".parse::<Variable>().unwrap_err().contains("name"));
        let long = format!("{}=1", "n".repeat(256));
        assert!(long.parse::<Variable>().unwrap_err().contains("255"));
    }

    #[test]
    fn a_whole_number_keeps_its_value_or_is_refused() {
        let exact: Variable = "a=18446744073709551615".parse().unwrap();
        assert_eq!(exact.value, u64::MAX);
        for text in ["a=18446744073709551616", "a=-9223372036854775809"] {
            let error = text.parse::<Variable>().unwrap_err();
            assert!(error.contains("out of range"), "{error}");
        }
        assert!("a=1e30".parse::<Variable>().is_ok());
    }
}
