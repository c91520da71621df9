//! Leaving out what a machine cannot do, by name.

use std::fmt::Display;
use std::io::Write;

/// Says that `test` is left out and why, as one line `SKIPPED test: why`; the caller then returns. `script/test`
/// lists these lines in its summary.
///
/// # Panics
/// Where `CI` is set: a continuous-integration machine has all that the tests need.
pub fn skip(test: &str, why: impl Display) {
    assert!(
        std::env::var_os("CI").is_none(),
        "{test} must not be left out in continuous integration: {why}"
    );
    // Not `eprintln!`, which the test runner keeps to itself where a test passes.
    let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {why}");
}
