//! How answers look: colours, times, values and tables for people, JSON for programs.
//!
//! Rendering makes text out of data and a [`Theme`]; only the functions here write it. What was asked for goes
//! to stdout, everything else to stderr. Engines, logs and registries have a say in the text: on its way out
//! everything but colours is taken from it that could steer the terminal.

use std::io::{self, Write};

use serde::Serialize;

use crate::exit::Trouble;

mod progress;
pub(crate) mod story;
mod table;
mod theme;
mod time;
mod tree;
mod value;

pub(crate) use progress::Progress;
pub(crate) use table::Table;
pub(crate) use theme::Theme;
pub(crate) use time::{ago, duration};
pub(crate) use value::{harmless, one_line, short_id, shorten};

/// Writes the answer for people, ended by a line break. A reader that has gone away, as in `procos ps | head`,
/// is no error.
///
/// # Errors
/// Where stdout cannot be written to, such as a file on a full disk.
pub(crate) fn say(text: &str) -> Result<(), Trouble> {
    if text.is_empty() {
        return Ok(());
    }
    write(io::stdout().lock(), &value::printed(text))
}

/// Writes the answer for programs: one JSON value on one line.
///
/// # Errors
/// As [`say`].
pub(crate) fn say_json(value: &impl Serialize) -> Result<(), Trouble> {
    let text = serde_json::to_string(value)
        .map_err(|error| Trouble::no(format!("the answer cannot be written as JSON: {error}")))?;
    write(io::stdout().lock(), &text)
}

/// Writes a remark to stderr. Where that is closed there is nobody to tell.
pub(crate) fn remark(text: &str) {
    let _ = write(io::stderr().lock(), &value::printed(text));
}

fn write(mut to: impl Write, text: &str) -> Result<(), Trouble> {
    let text = text.strip_suffix('\n').unwrap_or(text);
    match writeln!(to, "{text}").and_then(|()| to.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Trouble::no(format!("the answer cannot be written: {error}")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Refusing(io::ErrorKind);

    impl Write for Refusing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_went_away_is_no_error_and_a_full_disk_is() {
        assert!(write(Refusing(io::ErrorKind::BrokenPipe), "x").is_ok());
        assert!(write(Refusing(io::ErrorKind::StorageFull), "x").is_err());
    }
}
