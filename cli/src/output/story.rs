//! An instance's story for people: a tree of steps, and what to do where it is stuck.

use serde_json::Value as Json;
use worker_api::OUTCOME_UNKNOWN;

use super::time::between;
use super::tree::{Line, Tree};
use super::value::{harmless, one_line, short_id, shorten};
use super::{Theme, ago, duration};
use crate::commands::story::{State, Step, StepState, Story, Stuck};

/// As much of a value as is shown on its line where nobody counts columns, and at least.
const LONG_VALUE: usize = 160;
const SHORT_VALUE: usize = 40;

/// As many lines of a failure's details as are shown.
const DETAIL_LINES: usize = 30;

/// How much of a story is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// What was done: no gateways and no events but those at which the instance stands.
    Work,
    /// Everything, failed attempts included.
    All,
}

/// One line: `✓ order-check 4711 finished in 96 ms`.
pub(crate) fn headline(story: &Story, theme: &Theme) -> String {
    let took = between(story.started, story.ended.or(Some(theme.now)))
        .map(duration)
        .unwrap_or_default();
    let (mark, outcome) = match story.state {
        State::Completed => (theme.good("✓"), format!("finished in {took}")),
        State::Incident => (
            theme.bad("✗"),
            format!("is stuck since {}", stuck_since(story, theme)),
        ),
        State::Terminated => (theme.warn("–"), format!("was ended after {took}")),
        State::Running if story.suspended => (theme.warn("▶"), "is suspended".to_owned()),
        State::Running => (theme.command("▶"), format!("runs for {took}")),
    };
    let business_key = story
        .business_key
        .iter()
        .map(|key| format!(" {}", shorten(key, 60)));
    format!(
        "{mark} {}{} {outcome}",
        theme.strong(&story.key),
        business_key.collect::<String>()
    )
}

/// The steps as a tree.
pub(crate) fn steps(story: &Story, depth: Depth, theme: &Theme) -> String {
    let mut tree = Tree::default();
    add(&mut tree, &story.steps, depth, &mut Vec::new(), theme);
    tree.render(theme)
}

fn add(tree: &mut Tree, steps: &[Step], depth: Depth, above: &mut Vec<bool>, theme: &Theme) {
    // Where an instance stands is told whatever it is.
    let is_shown = |step: &&Step| depth == Depth::All || step.is_work() || step.ended.is_none();
    let shown: Vec<_> = steps.iter().filter(is_shown).collect();
    let last = shown.len().saturating_sub(1);
    for (index, step) in shown.into_iter().enumerate() {
        above.push(index == last);
        let inner = step
            .called
            .as_deref()
            .map_or(step.steps.as_slice(), |story| &story.steps);
        tree.push(above, line(step, theme));
        if depth == Depth::All {
            for text in failed_attempts(step, theme) {
                tree.remark(above, !inner.is_empty(), text);
            }
        }
        add(tree, inner, depth, above, theme);
        above.pop();
    }
}

fn line(step: &Step, theme: &Theme) -> Line {
    let what = match (&step.topic, &step.called) {
        (Some(topic), _) => topic.clone(),
        (None, Some(story)) => format!("{} {}", story.key, short_id(&story.instance_id)),
        (None, None) => in_words(&step.kind),
    };
    let took = step
        .is_work()
        .then(|| between(step.started, step.ended))
        .flatten();
    let attempts = step.attempts.len();
    let (failed, waits) = (step.state == StepState::Incident, step.waits_for.as_ref());
    let note = match step.state {
        StepState::Completed if attempts > 1 => theme.warn(&format!("{attempts} attempts")),
        StepState::Completed => String::new(),
        StepState::Cancelled => theme.dim("interrupted"),
        StepState::Incident => theme.bad(&format!("stuck{}", in_all(attempts))),
        StepState::Running => match waits {
            Some(waits) => theme.warn(&format!("waits for {}", shorten(waits, 60))),
            None => theme.command("runs"),
        },
    };
    let is_quiet = !step.is_work() && !failed && waits.is_none();
    Line {
        name: shorten(step.label(), 48),
        what: shorten(&what, 40),
        took: took.map(duration).unwrap_or_default(),
        note,
        is_quiet,
    }
}

fn in_all(attempts: usize) -> String {
    match attempts {
        0 => String::new(),
        1 => " after 1 attempt".to_owned(),
        more => format!(" after {more} attempts"),
    }
}

/// `exclusiveGateway` as people say it.
fn in_words(kind: &str) -> String {
    let mut words = String::with_capacity(kind.len() + 4);
    for c in kind.chars() {
        if c.is_uppercase() {
            words.push(' ');
        }
        words.extend(c.to_lowercase());
    }
    words
        .replace("none end event", "end event")
        .replace("multi instance body", "several at once")
}

fn failed_attempts<'a>(step: &'a Step, theme: &'a Theme) -> impl Iterator<Item = String> + 'a {
    let failed = step
        .attempts
        .iter()
        .enumerate()
        .filter_map(|(index, it)| Some((index, it, it.error.as_ref()?)));
    failed.map(|(index, attempt, error)| {
        let at = attempt
            .at
            .map(|at| format!(" at {}", theme.local(at)))
            .unwrap_or_default();
        theme.dim(&format!("attempt {} failed{at}: ", index + 1)) + &theme.bad(&shorten(error, 200))
    })
}

fn stuck_since(story: &Story, theme: &Theme) -> String {
    let since = story.incidents.iter().filter_map(|stuck| stuck.since).min();
    since.map_or_else(
        || "a moment".to_owned(),
        |since| format!("{} ({})", theme.local(since), ago(since, theme)),
    )
}

/// Variables, one a line, names in a column.
pub(crate) fn variables<'v>(
    variables: impl IntoIterator<Item = (&'v String, &'v Json)>,
    indent: &str,
    theme: &Theme,
) -> String {
    let variables: Vec<_> = variables
        .into_iter()
        .map(|(name, value)| (shorten(name, LONG_VALUE), value))
        .collect();
    let width = variables
        .iter()
        .map(|(name, _)| name.chars().count())
        .max()
        .unwrap_or(0);
    let lines = variables.into_iter().map(|(name, value)| {
        format!(
            "{indent}{name:<width$}  {}",
            one_line(value, fitting(theme, indent.len() + width + 2))
        )
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// How much of a value fits on its line, behind what stands before it.
fn fitting(theme: &Theme, before: usize) -> usize {
    theme
        .width
        .map_or(LONG_VALUE, |width| width.saturating_sub(before).max(SHORT_VALUE))
}

/// An incident, as the person reads it who has to do something: what failed, with which values, what to do.
/// `is_page` where everything else about the story stands above it.
pub(crate) fn stuck(story: &Story, stuck: &Stuck, is_page: bool, theme: &Theme) -> String {
    let step = story.stuck_step(stuck);
    let instance = stuck.instance_id.as_deref().unwrap_or(&story.instance_id);
    let topic = step
        .and_then(|step| step.topic.as_deref())
        .map(|topic| format!("  ({topic})"));
    let tried = step
        .map(|step| step.attempts.iter().filter(|it| it.error.is_some()).count())
        .unwrap_or(0);
    let mut text = format!(
        "{} instance {} stopped at  {}{}{}\n\n",
        theme.bad("✗"),
        short_id(instance),
        theme.strong(&shorten(stuck.step(), 80)),
        topic.unwrap_or_default(),
        in_all(tried).replacen(" after", ", after", 1),
    );
    let attempt = step.and_then(|step| step.attempts.iter().rev().find(|attempt| attempt.error.is_some()));
    let message = if stuck.message.is_empty() {
        "it failed without a message"
    } else {
        &stuck.message
    };
    let details = attempt.and_then(|attempt| attempt.details.as_deref());
    text.push_str(&failure(message, details, theme));
    text.push('\n');
    if let Some(step) = step.filter(|step| !step.variables.is_empty()) {
        for (index, (name, value)) in step.variables.iter().enumerate() {
            let label = if index == 0 { "inputs" } else { "" };
            let name = shorten(name, LONG_VALUE);
            text.push_str(&field(
                label,
                &format!(
                    "{name} = {}",
                    one_line(value, fitting(theme, 14 + name.chars().count()))
                ),
                theme,
            ));
        }
    }
    if let Some(worker) = attempt.and_then(|attempt| attempt.worker.as_deref()) {
        text.push_str(&field("worker", &shorten(worker, 80), theme));
    }
    if let Some(since) = stuck.since {
        text.push_str(&field(
            "since",
            &format!("{} ({})", theme.local(since), ago(since, theme)),
            theme,
        ));
    }
    // Nobody needs to be sent to where they are.
    let is_shown = is_page && instance == story.instance_id;
    text.push_str(&next(
        &remedies(stuck, short_id(instance))[usize::from(is_shown)..],
        theme,
    ));
    text
}

/// What an operator can do about an incident, as commands with what they are for.
pub(crate) fn remedies(stuck: &Stuck, id: &str) -> [(String, &'static str); 3] {
    let is_unknown = stuck.message.contains(OUTCOME_UNKNOWN);
    let again = if is_unknown { " --again" } else { "" };
    let retry = match stuck.kind.as_str() {
        _ if is_unknown => "only where it was not done: this does it",
        "failedExternalTask" | "failedJob" => "once the cause is mended; --var NAME=JSON corrects a value",
        _ => "where the model can go on",
    };
    [
        (format!("procos show {id}"), "everything that happened"),
        (format!("procos retry {id}{again}"), retry),
        (format!("procos cancel {id}"), "give it up"),
    ]
}

/// The commands that make sense now, under each other.
pub(crate) fn next(commands: &[(String, &'static str)], theme: &Theme) -> String {
    let width = commands
        .iter()
        .map(|(command, _)| command.chars().count())
        .max()
        .unwrap_or(0);
    let lines = commands.iter().enumerate().map(|(index, (command, purpose))| {
        let padding = " ".repeat(width - command.chars().count());
        let label = if index == 0 { "next" } else { "" };
        field(
            label,
            &format!("{}{padding}  {purpose}", theme.command(command)),
            theme,
        )
    });
    lines.collect()
}

fn failure(message: &str, details: Option<&str>, theme: &Theme) -> String {
    let message = harmless(message.trim());
    // Where the details hold the message they say it in its place, beside the user's own line.
    let details = details
        .map(|details| harmless(details.trim()))
        .unwrap_or_default();
    let whole = if details.contains(&message) {
        details
    } else {
        format!("{message}\n{details}")
    };
    let mut text = String::new();
    for (index, line) in whole.trim_end().lines().enumerate() {
        if index == DETAIL_LINES {
            text.push_str(&theme.dim("  …\n"));
            break;
        }
        let line = if index == 0 {
            theme.bad(line)
        } else {
            line.to_owned()
        };
        text.push_str(&format!("  {line}\n"));
    }
    text
}

fn field(label: &str, value: &str, theme: &Theme) -> String {
    format!("  {} {value}\n", theme.dim(&format!("{label:<8}")))
}
