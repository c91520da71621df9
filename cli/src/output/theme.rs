//! What the place where text appears is like: its colours, its width, its clock.

use std::io::IsTerminal;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use owo_colors::{OwoColorize, Style};
use supports_color::Stream;

/// How text is to look in one place. Colours are used where it is a terminal that has them and NO_COLOR is not
/// set; none of them carries meaning of its own.
#[derive(Clone, Debug)]
pub(crate) struct Theme {
    colour: bool,
    /// How many columns there are; none where nobody counts them, as in a file.
    pub(crate) width: Option<usize>,
    /// The zone in which times are told.
    pub(crate) zone: TimeZone,
    /// Now, so that one answer tells all its times against the same moment.
    pub(crate) now: Timestamp,
}

impl Theme {
    /// For text on stdout.
    pub(crate) fn stdout() -> Self {
        Self::of(Stream::Stdout, std::io::stdout().is_terminal())
    }

    /// For text on stderr.
    pub(crate) fn stderr() -> Self {
        Self::of(Stream::Stderr, std::io::stderr().is_terminal())
    }

    fn of(stream: Stream, is_terminal: bool) -> Self {
        let width = || terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
        Self {
            colour: is_terminal && supports_color::on(stream).is_some(),
            width: is_terminal.then(width).flatten(),
            zone: TimeZone::system(),
            now: Timestamp::now(),
        }
    }

    /// Without colours, at a fixed time: for snapshots.
    #[cfg(test)]
    pub(crate) fn plain() -> Self {
        Self {
            colour: false,
            width: Some(100),
            zone: TimeZone::fixed(jiff::tz::offset(1)),
            now: Timestamp::from_second(1_780_000_000).unwrap(),
        }
    }

    /// The same for text that is indented by a number of columns.
    pub(crate) fn narrower(&self, columns: usize) -> Self {
        Self {
            width: self.width.map(|width| width.saturating_sub(columns)),
            ..self.clone()
        }
    }

    /// Whether there are colours.
    pub(crate) fn is_coloured(&self) -> bool {
        self.colour
    }

    fn paint(&self, text: &str, style: Style) -> String {
        if self.colour && !text.is_empty() {
            text.style(style).to_string()
        } else {
            text.to_owned()
        }
    }

    /// What went well.
    pub(crate) fn good(&self, text: &str) -> String {
        self.paint(text, Style::new().green())
    }

    /// What went wrong.
    pub(crate) fn bad(&self, text: &str) -> String {
        self.paint(text, Style::new().red())
    }

    /// What to look at.
    pub(crate) fn warn(&self, text: &str) -> String {
        self.paint(text, Style::new().yellow())
    }

    /// What matters least.
    pub(crate) fn dim(&self, text: &str) -> String {
        self.paint(text, Style::new().dimmed())
    }

    /// What matters most.
    pub(crate) fn strong(&self, text: &str) -> String {
        self.paint(text, Style::new().bold())
    }

    /// Something to type.
    pub(crate) fn command(&self, text: &str) -> String {
        self.paint(text, Style::new().cyan())
    }
}
