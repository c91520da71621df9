//! Whether scripts can be run: the sandbox, with its self-test.

use std::time::Duration;

use adapter_catalog::Catalogue;
use sandbox::BackendChoice;

use super::Check;
use crate::context::Context;
use crate::run::scripts::told;

/// How long the self-test may take: with Docker it makes a few dozen containers.
const TIMEOUT: Duration = Duration::from_secs(120);

/// Opens the sandbox.
pub(super) async fn check(catalogue: &Catalogue, context: &Context) -> Check {
    let backend = context.config.settings().sandbox.backend;
    let refused = |reason: String| match backend {
        // Who has chosen none may need none.
        BackendChoice::Auto => Check::warning("sandbox", reason, fix(backend)),
        _ => Check::trouble("sandbox", reason, fix(backend)),
    };
    match tokio::time::timeout(TIMEOUT, catalogue.scripts().open()).await {
        Ok(Ok(self_test)) => Check::ok("sandbox", told(&self_test)),
        Ok(Err(error)) => refused(error.to_string()),
        Err(_) => refused(format!(
            "its self-test is not done within {} s",
            TIMEOUT.as_secs()
        )),
    }
}

fn fix(backend: BackendChoice) -> &'static str {
    match backend {
        BackendChoice::Auto => {
            "only script tasks need one: install bubblewrap (apt install bubblewrap), or start Docker and build the images \
             with script/sandbox-images"
        }
        BackendChoice::Bubblewrap => {
            "install bubblewrap (apt install bubblewrap), or name its program in sandbox.bubblewrap; it needs user namespaces"
        }
        BackendChoice::Docker => "start Docker, and build the images with script/sandbox-images",
        BackendChoice::Launcher => {
            "start `procos sandbox-launcher`, and see whether sandbox.launcher names its socket and may be opened"
        }
    }
}
