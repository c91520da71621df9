//! `procos sandbox-launcher`: makes sandboxes for workers that hold no Docker socket.

use std::path::PathBuf;

use sandbox::{BackendChoice, Sandbox};

use super::Signals;
use super::scripts::told;
use crate::args::LauncherArgs;
use crate::context::Context;
use crate::exit::{Status, Trouble};

/// Runs scripts for those who connect to its socket, until it is told to stop.
///
/// # Errors
/// Where no sandbox can be used, or nobody can listen at the socket.
pub(crate) async fn launcher(
    args: LauncherArgs,
    context: &Context,
    signals: &Signals,
) -> Result<Status, Trouble> {
    let settings = context.config.settings();
    let mut sandbox = settings.sandbox.script_settings(&settings.data_dir).sandbox;
    let socket: PathBuf = args.listen.unwrap_or_else(|| sandbox.launcher.clone());
    // It is the launcher that others use, so it cannot be one that uses another.
    if matches!(sandbox.backend, BackendChoice::Auto | BackendChoice::Launcher) {
        sandbox.backend = BackendChoice::Docker;
    }
    let opened = match signals.stop.run_until_cancelled(Sandbox::open(&sandbox)).await {
        None => return Ok(Status::Done),
        Some(opened) => opened.map_err(|error| Trouble::unreachable(error.to_string()))?,
    };
    tracing::info!(
        sandbox = told(opened.self_test()),
        socket = %socket.display(),
        "scripts are run for who connects"
    );
    let served = sandbox::serve(&socket, opened, signals.stop.clone()).await;
    tracing::info!("stopped");
    served.map_err(|error| Trouble::unreachable(error.to_string()))?;
    Ok(Status::Done)
}
