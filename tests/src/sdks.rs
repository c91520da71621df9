//! The vendors' own clients in Python, which say whether a stand-in for their service speaks as it does.

use std::process::Command;

use crate::{Finished, workspace};

/// Runs a Python program with the vendors' clients at hand (`openai`, `anthropic`, `ollama`, `slack_sdk`: those of
/// `tests/sdks/requirements.txt`) and these arguments, or says why it cannot: `script/test` installs them.
///
/// # Errors
/// Where they are not installed.
///
/// # Panics
/// Where Python does not run.
pub fn python_with_sdks(program: &str, arguments: &[&str]) -> Result<Finished, &'static str> {
    let python = workspace().join("target/tools/sdks/bin/python");
    if !python.is_file() {
        return Err("the vendors' clients are not installed: script/test rust installs them");
    }
    let output = Command::new(python)
        .args(["-c", program])
        .args(arguments)
        .env("NO_PROXY", "*")
        .output()
        .expect("Python runs");
    Ok(Finished {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}
