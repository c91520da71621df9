//! Where the engine's jar is.

use std::path::PathBuf;

use crate::config::Config;
use crate::exit::Trouble;

const NAME: &str = "procos-engine.jar";
const VARIABLE: &str = "PROCOS_ENGINE_JAR";
const BUILT: &str = "engine/engine-server/target/procos-engine.jar";

/// The engine's jar: `engine.jar`, else `$PROCOS_ENGINE_JAR`, else the first there is of: beside the program,
/// `../share/procos` seen from there, and where Maven leaves it in a checkout.
///
/// # Errors
/// Where there is none, with every place that was looked at and the command that builds it.
pub(crate) fn find(config: &Config) -> Result<PathBuf, Trouble> {
    if let Some(jar) = &config.settings().engine.jar {
        return if jar.is_file() {
            Ok(jar.clone())
        } else {
            Err(config
                .wrong(
                    "engine.jar",
                    format!("`engine.jar`: there is no file {}", jar.display()),
                )
                .into())
        };
    }
    if let Some(jar) = std::env::var_os(VARIABLE).filter(|jar| !jar.is_empty()) {
        let jar = PathBuf::from(jar);
        return if jar.is_file() {
            Ok(jar)
        } else {
            Err(Trouble::usage(format!(
                "environment variable {VARIABLE}: there is no file {}",
                jar.display()
            )))
        };
    }
    let places = places();
    places.iter().find(|jar| jar.is_file()).cloned().ok_or_else(|| {
        let looked: String = places
            .iter()
            .map(|jar| format!("\n  {}", jar.display()))
            .collect();
        Trouble::unreachable(format!(
            "the engine's jar is not there. Looked for it at{looked}\nBuild it in the checkout with \
             `mvn -f engine/engine-server package`, or name it with engine.jar or {VARIABLE}"
        ))
    })
}

fn places() -> Vec<PathBuf> {
    let program = std::env::current_exe()
        .and_then(|program| program.canonicalize())
        .ok();
    let folder = program.as_ref().and_then(|program| program.parent());
    let beside = folder.map(|folder| folder.join(NAME));
    let shared = folder.and_then(|folder| Some(folder.parent()?.join("share/procos").join(NAME)));
    beside
        .into_iter()
        .chain(shared)
        .chain([PathBuf::from(BUILT)])
        .collect()
}
