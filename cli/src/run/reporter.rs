//! What a person sees of a boot: a line for each thing that is done, a spinner for what takes long. With `--json` a
//! program reads objects on stdout, and the lines go to stderr.

use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value as Json;

use crate::context::Context;
use crate::output::{Progress, Theme, duration, remark, say, say_json};

/// Tells how a boot goes. A reader that has gone away is no reason to stop.
pub(super) struct Reporter {
    json: bool,
    spins: bool,
    theme: Theme,
    progress: Mutex<Option<Progress>>,
}

impl Reporter {
    /// For a command that was called like this.
    pub(super) fn new(context: &Context) -> Self {
        Self {
            json: context.json,
            // Log lines and a spinner would write over each other.
            spins: std::io::stderr().is_terminal() && context.verbose == 0,
            theme: if context.json {
                Theme::stderr()
            } else {
                Theme::stdout()
            },
            progress: Mutex::default(),
        }
    }

    /// Colours.
    pub(super) fn theme(&self) -> &Theme {
        &self.theme
    }

    /// Something begins that takes a while.
    pub(super) fn working(&self, text: impl Into<String>) {
        let text = text.into();
        if !self.spins {
            return;
        }
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        match progress.as_ref() {
            Some(progress) => progress.say(text),
            None => *progress = Some(Progress::start(text)),
        }
    }

    /// Something is done, in the time given.
    pub(super) fn done(&self, what: &str, text: &str, took: Option<Duration>) {
        let took = took.map(duration).unwrap_or_default();
        let line = format!(
            "{} {what:<10} {text:<48} {}",
            self.theme.good("✓"),
            self.theme.dim(&took)
        );
        self.line(line.trim_end());
    }

    /// Something to look at.
    pub(super) fn warn(&self, what: &str, text: &str) {
        self.line(&format!("{} {what:<10} {text}", self.theme.warn("!")));
    }

    /// A line, or several.
    pub(super) fn line(&self, text: &str) {
        self.quiet();
        if self.json {
            remark(text);
        } else if let Err(trouble) = say(text) {
            tracing::warn!(%trouble, "nobody can read this");
        }
    }

    /// An object for programs.
    pub(super) fn object(&self, object: &Json) {
        if self.json
            && let Err(trouble) = say_json(object)
        {
            tracing::warn!(%trouble, "nobody can read this");
        }
    }

    /// What took a while is over.
    pub(super) fn quiet(&self) {
        self.progress
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
    }
}
