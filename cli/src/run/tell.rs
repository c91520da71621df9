//! The kernel's events as a person reads them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use microkernel::{Event, Phase};
use serde_json::json;

use super::around;
use super::reporter::Reporter;
use crate::config::Config;
use crate::config::model::EngineKind;
use crate::output::{duration, harmless};

/// Tells what the kernel does.
pub(super) struct Teller {
    reporter: Arc<Reporter>,
    /// What kind of engine it is, after its version.
    engine: String,
    /// How many definitions are deployed, and how many of them are new.
    deployed: Mutex<(usize, usize)>,
}

impl Teller {
    /// Tells it to the reporter.
    pub(super) fn new(reporter: Arc<Reporter>, config: &Config) -> Self {
        let settings = config.settings();
        let engine = match (&settings.engine.kind, &settings.engine.database) {
            (EngineKind::Attached, _) => format!("at {}", settings.engine.url),
            (EngineKind::Java, None) => format!("H2 in {}", settings.data_dir.display()),
            (EngineKind::Docker, None) => "H2 in a container's volume".to_owned(),
            (_, Some(database)) if database.url.starts_with("jdbc:postgresql:") => "PostgreSQL".to_owned(),
            (_, Some(_)) => "H2".to_owned(),
        };
        Self {
            reporter,
            engine,
            deployed: Mutex::default(),
        }
    }

    /// Tells an event.
    pub(super) fn tell(&self, event: &Event) {
        let reporter = &self.reporter;
        match event {
            Event::Phase {
                phase,
                previous,
                took,
            } => self.phase(*phase, *previous, *took),
            Event::Pulling { image, detail } => reporter.working(format!("pulling {image}: {detail}")),
            Event::Orphan { what } => {
                reporter.warn("engine", &format!("ending one that was left over ({what})"))
            }
            Event::EngineReady { version, took } => {
                reporter.done(
                    "engine",
                    &format!("Camunda {version}, {}", self.engine),
                    Some(*took),
                );
            }
            Event::Deployed { outcome, .. } => {
                let new = outcome
                    .definitions
                    .iter()
                    .filter(|definition| definition.new)
                    .count();
                let mut deployed = self.deployed.lock().unwrap_or_else(PoisonError::into_inner);
                *deployed = (deployed.0 + outcome.definitions.len(), deployed.1 + new);
            }
            Event::RootRunning { key, outdated, .. } => {
                reporter.done("root", &format!("{key} is listening"), None);
                if *outdated {
                    let text = format!(
                        "{key} runs in an older version than the one deployed; Cockpit can migrate it"
                    );
                    reporter.warn("root", &text);
                }
            }
            Event::EngineDown { reason, log } => {
                reporter.warn("engine", reason);
                for line in log.iter().flat_map(|log| &log.lines) {
                    reporter.line(&format!("             {}", harmless(line)));
                }
            }
            Event::Restarting { attempt, of, delay } => {
                let text = format!(
                    "starting it again in {} (attempt {attempt} of {of})",
                    duration(*delay)
                );
                reporter.warn("engine", &text);
                reporter.working("starting the engine again");
            }
            Event::EngineUp { after } => {
                reporter.done("engine", &format!("is back after {}", duration(*after)), None);
            }
            Event::AroundGate(violation) => around::tell(violation, reporter),
            Event::Warning(text) => reporter.warn("kernel", text),
            _ => {}
        }
    }

    fn phase(&self, phase: Phase, previous: Phase, took: Duration) {
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        // A failure is told with its message, and a stop when it begins: with the workers.
        if !matches!(phase, Phase::Failed | Phase::Stopping) {
            let object = json!({"phase": phase.name(), "previous": previous.name(), "previous_ms": took_ms});
            self.reporter.object(&object);
        }
        if previous == Phase::Deploying {
            let (all, new) =
                std::mem::take(&mut *self.deployed.lock().unwrap_or_else(PoisonError::into_inner));
            let processes = if all == 1 { "process" } else { "processes" };
            let text = match new {
                0 => format!("{all} system {processes}, nothing new"),
                new => format!("{all} system {processes}, {new} new"),
            };
            self.reporter.done("deployed", &text, Some(took));
        }
        match phase {
            Phase::Starting | Phase::Awaiting => self.reporter.working("starting the engine"),
            Phase::Deploying => self.reporter.working("deploying the system processes"),
            Phase::Rooting => self.reporter.working("starting the root process"),
            _ => {}
        }
    }
}
