//! Is there a Docker daemon?

use std::process::Command;

/// The version of the Docker daemon that answers, or why none does.
///
/// # Errors
/// What the `docker` command says, or that there is none.
pub fn docker_daemon() -> Result<String, String> {
    let answer = Command::new("docker")
        .args(["version", "--format", "{{.Server.Version}}"])
        .output()
        .map_err(|error| format!("no Docker: cannot run `docker`: {error}"))?;
    if answer.status.success() {
        Ok(String::from_utf8_lossy(&answer.stdout).trim().to_owned())
    } else {
        let said = String::from_utf8_lossy(&answer.stderr);
        Err(format!("no Docker daemon: {}", said.trim()))
    }
}
