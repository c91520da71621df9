//! Timers that never fire.

use diagnostics::Diagnostic;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use crate::codes;
use crate::gate::GateContext;
use crate::juel;
use crate::tree::{Element, Tree};
use crate::xml::Namespace;

pub(super) fn check(file: &str, tree: &Tree<'_>, context: &GateContext, findings: &mut Vec<Diagnostic>) {
    let definitions = tree
        .root()
        .descendants()
        .filter(|it| it.is(Namespace::Bpmn, "timerEventDefinition"));
    for element in definitions.flat_map(|it| &it.children) {
        let text = element.text();
        let text = text.trim();
        if element.namespace != Namespace::Bpmn || juel::is_dynamic(text) {
            continue;
        }
        let mut say = |code: &codes::Code, message: String| {
            findings.push(code.warning(file, tree.range(element.tag.clone()), message));
        };
        match wrong(element, text, context) {
            Some(Wrong::Unreadable) => say(
                &codes::TIMER_SYNTAX,
                format!("the engine cannot read the timer's {} `{text}`", element.name),
            ),
            Some(Wrong::Past) => say(
                &codes::TIMER_IN_THE_PAST,
                format!("the timer's {} `{text}` lies in the past", element.name),
            ),
            Some(Wrong::Never) => say(
                &codes::TIMER_IN_THE_PAST,
                format!("the timer's {} `{text}` fires no time at all", element.name),
            ),
            None => {}
        }
    }
}

enum Wrong {
    Unreadable,
    Past,
    Never,
}

/// As `DueDateBusinessCalendar`, `DurationBusinessCalendar` and `CycleBusinessCalendar` read them.
fn wrong(element: &Element<'_>, text: &str, context: &GateContext) -> Option<Wrong> {
    match element.name {
        // A due date may also be a duration.
        "timeDate" if text.starts_with('P') => is_bad_duration(text),
        "timeDate" => is_past(text, context),
        "timeDuration" => is_bad_duration(text),
        "timeCycle" if text.starts_with('R') => cycle(text, context),
        // Seconds to days of the week, and maybe the year; or a name such as `@daily`.
        "timeCycle" if text.starts_with('@') => None,
        "timeCycle" => (!(6..=7).contains(&text.split_whitespace().count())).then_some(Wrong::Unreadable),
        _ => None,
    }
}

/// `R3/PT10S`, `R/START/PT10S` or `R/PT10S/END`.
fn cycle(text: &str, context: &GateContext) -> Option<Wrong> {
    let mut parts = text.split('/');
    let times = parts.next().unwrap_or_default().trim_start_matches('R');
    if !times.chars().all(|c| c.is_ascii_digit()) {
        return Some(Wrong::Unreadable);
    }
    let parts: Vec<&str> = parts.collect();
    let Some(duration) = parts.iter().position(|it| it.starts_with('P')) else {
        return Some(Wrong::Unreadable);
    };
    if !times.is_empty() && times.chars().all(|c| c == '0') {
        return Some(Wrong::Never);
    }
    let end = parts.get(duration + 1);
    is_bad_duration(parts[duration]).or_else(|| end.and_then(|end| is_past(end, context)))
}

fn is_bad_duration(text: &str) -> Option<Wrong> {
    // A start or an end may stand beside it: `START/PT1H`.
    let duration = text.split('/').find(|it| it.starts_with('P')).unwrap_or(text);
    let read = duration.starts_with('P') && duration.parse::<Span>().is_ok();
    (!read).then_some(Wrong::Unreadable)
}

fn is_past(text: &str, context: &GateContext) -> Option<Wrong> {
    let Some(time) = instant(text) else {
        return Some(Wrong::Unreadable);
    };
    context.now.is_some_and(|now| time < now).then_some(Wrong::Past)
}

/// Without an offset the engine's own zone counts: the latest that it could mean.
fn instant(text: &str) -> Option<Timestamp> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time);
    }
    let local = text
        .parse::<DateTime>()
        .or_else(|_| {
            text.parse::<Date>()
                .map(|date| date.to_datetime(jiff::civil::Time::midnight()))
        })
        .ok()?;
    let latest = TimeZone::fixed(jiff::tz::offset(-12));
    Some(local.to_zoned(latest).ok()?.timestamp())
}
