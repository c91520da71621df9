//! `procos doctor`: looks for trouble, and says how to mend it.

use serde::Serialize;

use crate::context::Context;
use crate::exit::{Status, Trouble};
use crate::output::{Progress, Theme, say, say_json};

mod engine;
mod host;
mod parts;
mod sandbox;

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
struct Check {
    /// What was looked at.
    name: &'static str,
    state: State,
    /// What was found.
    message: String,
    /// What to do about it; none where nothing has to be done.
    fix: Option<String>,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    /// As it should be.
    Ok,
    /// Worth knowing.
    Info,
    /// Works, but not for long, or not safely.
    Warning,
    /// Does not work.
    Trouble,
}

impl Check {
    fn ok(name: &'static str, message: impl Into<String>) -> Self {
        Self {
            name,
            state: State::Ok,
            message: message.into(),
            fix: None,
        }
    }

    fn info(name: &'static str, message: impl Into<String>) -> Self {
        Self {
            name,
            state: State::Info,
            message: message.into(),
            fix: None,
        }
    }

    fn warning(name: &'static str, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            name,
            state: State::Warning,
            message: message.into(),
            fix: Some(fix.into()),
        }
    }

    fn trouble(name: &'static str, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            name,
            state: State::Trouble,
            message: message.into(),
            fix: Some(fix.into()),
        }
    }
}

pub(super) async fn run(context: &Context) -> Result<Status, Trouble> {
    let progress = Progress::start("looking around");
    let (engine, is_up) = engine::checks(context).await;
    let mut checks = engine;
    checks.extend(host::checks(context, is_up).await);
    checks.extend(parts::checks(context).await);
    drop(progress);
    if context.json {
        say_json(&checks)?;
    } else {
        say(&text(&checks, &Theme::stdout()))?;
    }
    let has_trouble = checks.iter().any(|check| check.state == State::Trouble);
    Ok(if has_trouble { Status::No } else { Status::Done })
}

fn text(checks: &[Check], theme: &Theme) -> String {
    let width = checks.iter().map(|check| check.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for check in checks {
        let mark = match check.state {
            State::Ok => theme.good("✓"),
            State::Info => theme.dim("·"),
            State::Warning => theme.warn("!"),
            State::Trouble => theme.bad("✗"),
        };
        text.push_str(&format!("{mark} {:<width$}  {}\n", check.name, check.message));
        if let Some(fix) = &check.fix {
            text.push_str(&format!("  {:<width$}  {} {fix}\n", "", theme.command("→")));
        }
    }
    let count = |state| checks.iter().filter(|check| check.state == state).count();
    let summary = match (count(State::Trouble), count(State::Warning)) {
        (0, 0) => theme.good("nothing is wrong"),
        (0, warnings) => theme.warn(&format!("works; {warnings} to look at")),
        (troubles, _) => theme.bad(&format!("{troubles} in the way")),
    };
    text + "\n" + &summary
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_finding_has_its_remedy() {
        let checks = [
            Check::ok(
                "engine",
                "Camunda 7.24.0 at http://127.0.0.1:8080/engine-rest, 4 ms",
            ),
            Check::info("docker", "no daemon; only `engine.kind: docker` needs one"),
            Check::warning("disk", "0.9 GiB are free", "make room"),
            Check::trouble("java", "there is no java", "apt install openjdk-17-jre-headless"),
        ];
        insta::assert_snapshot!(text(&checks, &Theme::plain()));
        assert!(text(&checks[..2], &Theme::plain()).ends_with("nothing is wrong"));
    }

    #[test]
    fn scripts_get_a_list() {
        let check = Check::trouble("java", "there is no java", "install one");
        insta::assert_snapshot!(serde_json::to_string(&[check]).unwrap());
    }
}
