//! Tells what happens in the engine.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use engine_client::EngineClient;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::time::sleep;
use worker_api::{EventSink, Failure, Inbound, InboundContext, async_trait};

use crate::history::{self, Told};
use crate::offer::failure;

/// How far it looks back each time: a record bears the time at which its transaction wrote it, and is seen when that ends.
const LOOK_BACK: SignedDuration = SignedDuration::from_secs(30);

/// How many records of a kind are held at once.
const MOST: usize = 20_000;

/// How many events are told at once.
const BATCH: usize = 500;

/// Tells what the engine's history says has happened, each event at least once, in the order of their times: from half a minute
/// before its first start on, and after a pause from where it was.
#[derive(Debug)]
pub struct Events {
    engine: EngineClient,
    sink: Arc<dyn EventSink>,
    interval: Duration,
    file: PathBuf,
}

/// What is kept in the file.
#[derive(Debug, Serialize, Deserialize)]
struct Mark {
    /// All before it was told.
    told_until: Timestamp,
}

impl Events {
    /// One that reads this engine's history so often, and keeps in the file how far it has come. Its login has to be allowed
    /// to read the history; what is told of tasks needs the history level `full`.
    #[must_use]
    pub fn new(engine: EngineClient, sink: Arc<dyn EventSink>, interval: Duration, file: PathBuf) -> Self {
        Self {
            engine,
            sink,
            interval,
            file,
        }
    }

    async fn work(&self, context: &InboundContext) -> Result<(), Failure> {
        // Others bind to where it is told before there is anything to tell.
        self.sink.tell(&[]).await?;
        let mut mark = match read(&self.file)? {
            Some(mark) => mark,
            None => self.keep(self.now().await?)?,
        };
        // By id, with its time: what the look back shows again.
        let mut told = Told::new();
        let mut kept = mark;
        loop {
            let asked_at = self.now().await?;
            let since = mark
                .saturating_sub(LOOK_BACK)
                .map_err(|error| out_of_range(&error))?;
            let found = history::read(&self.engine, since, &told, MOST)
                .await
                .map_err(failure)?;
            for batch in found.events.chunks(BATCH) {
                self.sink.tell(batch).await?;
                told.extend(
                    batch
                        .iter()
                        .map(|event| (event.id.clone(), event.time.unwrap_or(asked_at))),
                );
            }
            // Seconds of the engine's clock, so that it never is before what was just read.
            mark = mark.max(found.until.unwrap_or(asked_at));
            // Where nothing happens, to have looked is not worth a write each time.
            if !found.events.is_empty() || mark.duration_since(kept) > LOOK_BACK {
                kept = self.keep(mark)?;
            }
            let horizon = mark
                .saturating_sub(LOOK_BACK)
                .map_err(|error| out_of_range(&error))?;
            told.retain(|_, time| *time >= horizon);
            context.ready();
            if found.until.is_none() {
                sleep(self.interval).await;
            }
        }
    }

    /// The engine's clock.
    async fn now(&self) -> Result<Timestamp, Failure> {
        let time = self.engine.server_time().await.map_err(failure)?;
        Ok(time.unwrap_or_else(Timestamp::now))
    }

    /// Writes down how far it has come.
    fn keep(&self, told_until: Timestamp) -> Result<Timestamp, Failure> {
        let written = || -> std::io::Result<()> {
            let folder = self.file.parent().unwrap_or(Path::new("."));
            std::fs::create_dir_all(folder)?;
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            serde_json::to_writer(&mut file, &Mark { told_until })?;
            file.flush()?;
            // Without it a power cut could leave an empty file.
            file.as_file().sync_all()?;
            file.persist(&self.file)?;
            Ok(())
        };
        written().map_err(|error| {
            let file = self.file.display();
            Failure::retryable(format!(
                "{file}, which keeps how far events were told, cannot be written: {error}"
            ))
        })?;
        Ok(told_until)
    }
}

#[async_trait]
impl Inbound for Events {
    fn name(&self) -> &str {
        "events"
    }

    async fn run(&self, context: InboundContext) -> Result<(), Failure> {
        let worked = context.stop.run_until_cancelled(self.work(&context)).await;
        worked.unwrap_or(Ok(()))
    }
}

fn read(file: &Path) -> Result<Option<Timestamp>, Failure> {
    let problem = |error: &dyn std::fmt::Display| {
        Failure::permanent(format!(
            "{}, which keeps how far events were told, cannot be read: {error}; mend it, or take it away to tell what happens from \
             now on",
            file.display()
        ))
    };
    match std::fs::read(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(problem(&error)),
        Ok(content) => {
            let mark: Mark = serde_json::from_slice(&content).map_err(|error| problem(&error))?;
            Ok(Some(mark.told_until))
        }
    }
}

fn out_of_range(error: &jiff::Error) -> Failure {
    Failure::permanent(format!("the engine's clock cannot be meant: {error}"))
}
