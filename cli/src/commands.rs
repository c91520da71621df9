//! The commands that talk to a running engine, a module each.

use crate::args::Command;
use crate::context::Context;
use crate::exit::{Status, Trouble};

/// Runs one of them.
///
/// # Errors
/// See [`Trouble`].
pub async fn run(command: Command, context: &Context) -> Result<Status, Trouble> {
    let _ = (command, context);
    Err(Trouble::no("this command is not there yet"))
}
