//! Where log lines go and what they look like.

use std::env::{self, VarError};
use std::fmt;
use std::io::{self, IsTerminal};

use jiff::Zoned;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

/// The variables that replace the configured level, the first that is set. They hold directives such as
/// `info,worker_runtime=debug`.
pub const VARIABLES: [&str; 2] = ["PROCOS_LOG", "RUST_LOG"];

/// Libraries that tell every byte: they stay at `info` unless a variable asks for more.
const CHATTY: [&str; 7] = [
    "bollard",
    "h2",
    "hyper",
    "hyper_util",
    "reqwest",
    "rustls",
    "tower",
];

/// What log lines look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// [`Human`](Self::Human) on a terminal, else [`Json`](Self::Json).
    #[default]
    Auto,
    /// Short lines with the local time, coloured on a terminal unless `NO_COLOR` is set.
    Human,
    /// One JSON object a line, times in UTC. The fields of an event and of the spans around it stand side by
    /// side, the inner ones over the outer: `{"timestamp":…,"level":"INFO","message":…,"target":…,"topic":…}`;
    /// `name` is the innermost span's.
    Json,
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A variable does not hold directives.
    #[error(
        "{variable}={value:?} is not a log filter ({reason}): write a level, or target=level pairs such as info,worker_runtime=debug"
    )]
    Filter {
        /// The variable.
        variable: &'static str,
        /// What it holds.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Logging has been set up before in this process.
    #[error("logging is set up already")]
    Twice,
}

/// Sends the whole process's log to standard error; standard output stays free for answers.
///
/// `level` is the configured one; each `-v` on the command line (`verbosity`) raises it by one. A closed
/// standard error loses lines and does no other harm.
///
/// # Errors
/// A variable of [`VARIABLES`] that holds no filter, or a second call.
pub fn init(format: Format, level: LevelFilter, verbosity: u8) -> Result<(), Error> {
    let level = raise(level, verbosity);
    let filter = match from_environment()? {
        Some(filter) => filter,
        None => default_filter(level),
    };
    let terminal = io::stderr().is_terminal();
    // A failed write would otherwise be told on standard error, which panics where that is what is closed.
    let layer: Box<dyn Layer<Registry> + Send + Sync> = if as_json(format, terminal) {
        let layer = json_subscriber::fmt::layer()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .flatten_span_list_on_top_level(true)
            .log_internal_errors(false);
        Box::new(layer.with_writer(io::stderr).with_filter(filter))
    } else {
        let layer = tracing_subscriber::fmt::layer()
            .compact()
            .with_timer(LocalTime)
            .with_target(level > LevelFilter::INFO)
            .with_ansi(colours(terminal, env::var_os("NO_COLOR").as_deref()))
            .log_internal_errors(false);
        Box::new(layer.with_writer(io::stderr).with_filter(filter))
    };
    tracing_subscriber::registry()
        .with(layer)
        .try_init()
        .map_err(|_| Error::Twice)
}

fn as_json(format: Format, terminal: bool) -> bool {
    match format {
        Format::Auto => !terminal,
        Format::Human => false,
        Format::Json => true,
    }
}

/// As <https://no-color.org> has it: set and not empty means no.
fn colours(terminal: bool, no_color: Option<&std::ffi::OsStr>) -> bool {
    terminal && no_color.is_none_or(std::ffi::OsStr::is_empty)
}

fn raise(level: LevelFilter, by: u8) -> LevelFilter {
    const LEVELS: [LevelFilter; 6] = [
        LevelFilter::OFF,
        LevelFilter::ERROR,
        LevelFilter::WARN,
        LevelFilter::INFO,
        LevelFilter::DEBUG,
        LevelFilter::TRACE,
    ];
    let at = LEVELS.iter().take_while(|it| **it < level).count() + usize::from(by);
    LEVELS.get(at).copied().unwrap_or(LevelFilter::TRACE)
}

fn default_filter(level: LevelFilter) -> EnvFilter {
    let chatty = level.min(LevelFilter::INFO);
    let directives = CHATTY.iter().map(|it| format!("{it}={chatty}"));
    EnvFilter::new(
        std::iter::once(level.to_string())
            .chain(directives)
            .collect::<Vec<_>>()
            .join(","),
    )
}

fn from_environment() -> Result<Option<EnvFilter>, Error> {
    for variable in VARIABLES {
        let value = match env::var(variable) {
            Ok(value) if value.trim().is_empty() => continue,
            Err(VarError::NotPresent) => continue,
            Ok(value) => value,
            Err(VarError::NotUnicode(value)) => value.to_string_lossy().into_owned(),
        };
        return match EnvFilter::builder().parse(&value) {
            Ok(filter) => Ok(Some(filter)),
            Err(error) => Err(Error::Filter {
                variable,
                value,
                reason: error.to_string(),
            }),
        };
    }
    Ok(None)
}

/// The clock on the wall: who reads lines on a terminal sits beside it.
struct LocalTime;

impl FormatTime for LocalTime {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        write!(writer, "{}", Zoned::now().strftime("%H:%M:%S%.3f"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_follows_the_terminal_unless_chosen() {
        assert!(as_json(Format::Auto, false) && !as_json(Format::Auto, true));
        assert!(as_json(Format::Json, true) && !as_json(Format::Human, false));
    }

    #[test]
    fn colour_needs_a_terminal_and_consent() {
        assert!(colours(true, None) && colours(true, Some("".as_ref())));
        assert!(!colours(true, Some("1".as_ref())) && !colours(false, None));
    }

    #[test]
    fn each_v_raises_the_level_by_one() {
        assert_eq!(raise(LevelFilter::INFO, 0), LevelFilter::INFO);
        assert_eq!(raise(LevelFilter::INFO, 1), LevelFilter::DEBUG);
        assert_eq!(raise(LevelFilter::WARN, 1), LevelFilter::INFO);
        assert_eq!(raise(LevelFilter::INFO, 200), LevelFilter::TRACE);
    }

    #[test]
    fn chatty_libraries_stay_quiet_and_never_say_more_than_asked_for() {
        assert!(
            default_filter(LevelFilter::TRACE)
                .to_string()
                .contains("hyper=info")
        );
        assert!(
            default_filter(LevelFilter::ERROR)
                .to_string()
                .contains("hyper=error")
        );
    }
}
