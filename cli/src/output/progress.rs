//! Progress of what takes long: a spinner on a terminal, nothing elsewhere.

use std::borrow::Cow;
use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::shorten;

/// How many characters of a text are shown.
const LONGEST: usize = 200;

/// A spinner with a text and the time that has passed, on stderr. It is gone when dropped, so that the answer
/// stands alone; where stderr is no terminal it never shows.
#[derive(Debug)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// Begins to spin after a moment: what is done at once leaves no flicker.
    pub(crate) fn start(text: impl Into<Cow<'static, str>>) -> Self {
        let style = ProgressStyle::with_template("{spinner} {msg}  {elapsed}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner());
        let bar = ProgressBar::new_spinner()
            .with_style(style)
            .with_message(shown(text));
        bar.enable_steady_tick(Duration::from_millis(120));
        Self(bar)
    }

    /// Whether anybody sees it: finding out what to say may cost.
    pub(crate) fn is_visible(&self) -> bool {
        std::io::stderr().is_terminal() && !self.0.is_hidden()
    }

    /// Says something else.
    pub(crate) fn say(&self, text: impl Into<Cow<'static, str>>) {
        self.0.set_message(shown(text));
    }
}

/// Docker's registries have a say in it.
fn shown(text: impl Into<Cow<'static, str>>) -> String {
    shorten(&text.into(), LONGEST)
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
