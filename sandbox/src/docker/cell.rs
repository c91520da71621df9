//! One container as a cell.

use std::collections::VecDeque;
use std::pin::Pin;

use async_trait::async_trait;
use bollard::container::LogOutput;
use bollard::errors::Error;
use futures::{FutureExt, Stream, StreamExt};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::NAME;
use super::autopsy::autopsy;
use super::remains::Container;
use crate::cell::{Autopsy, Cell, Event};
use crate::protocol::READY;
use crate::{Limits, SandboxError};

/// How much of what a harness says that does not start is passed on, in bytes.
const SAID: usize = 4096;

type Output = Pin<Box<dyn Stream<Item = Result<LogOutput, Error>> + Send>>;
type Input = Pin<Box<dyn AsyncWrite + Send>>;

/// A container to whose streams we are attached.
pub(super) struct DockerCell {
    output: Output,
    input: Option<Input>,
    /// What was read before somebody asked for it.
    ahead: VecDeque<Event>,
    closed: bool,
    /// Last: dropped after the streams, so that the removal need not drain them.
    container: Container,
}

impl DockerCell {
    /// With streams that were attached before it started.
    pub(super) fn new(container: Container, output: Output, input: Input) -> Self {
        Self {
            output,
            input: Some(input),
            ahead: VecDeque::new(),
            closed: false,
            container,
        }
    }

    /// Waits until the harness can take an order.
    pub(super) async fn until_ready(&mut self) -> Result<(), String> {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        loop {
            match self.next().await {
                Event::Stdout(bytes) => {
                    stdout.extend_from_slice(&bytes);
                    if let Some(more) = stdout.strip_prefix(READY) {
                        if !more.is_empty() {
                            self.ahead.push_back(Event::Stdout(more.to_vec().into()));
                        }
                        return Ok(());
                    }
                    if !READY.starts_with(&stdout) {
                        stdout.truncate(SAID);
                        return Err(format!(
                            "its harness does not say that it is ready, but: {}",
                            String::from_utf8_lossy(&stdout).trim()
                        ));
                    }
                }
                Event::Stderr(bytes) => {
                    let room = SAID.saturating_sub(stderr.len()).min(bytes.len());
                    stderr.extend_from_slice(&bytes[..room]);
                }
                Event::Hit(_) | Event::Closed => {
                    let status = self.autopsy().await.status;
                    return Err(format!(
                        "its harness ended before it was ready ({}): {}",
                        status.as_deref().unwrap_or("nobody knows how"),
                        String::from_utf8_lossy(&stderr).trim()
                    ));
                }
            }
        }
    }

    fn event(&mut self, read: Option<Result<LogOutput, Error>>) -> Option<Event> {
        match read {
            Some(Ok(LogOutput::StdOut { message })) => Some(Event::Stdout(message)),
            Some(Ok(LogOutput::StdErr { message })) => Some(Event::Stderr(message)),
            // What is left of a frame that was cut off.
            Some(Ok(LogOutput::Console { .. } | LogOutput::StdIn { .. })) => None,
            Some(Err(_)) | None => {
                self.closed = true;
                Some(Event::Closed)
            }
        }
    }
}

#[async_trait]
impl Cell for DockerCell {
    async fn send(&mut self, order: &[u8], _: &Limits) -> Result<(), SandboxError> {
        let lost = |said: String| SandboxError::Lost { backend: NAME, said };
        if let Some(read) = self.output.next().now_or_never() {
            match self.event(read) {
                Some(Event::Closed) => return Err(lost("it ended while it waited".to_owned())),
                Some(event) => self.ahead.push_back(event),
                None => {}
            }
        }
        let Some(mut input) = self.input.take() else {
            return Err(lost("it has had its order".to_owned()));
        };
        match input.write_all(order).await {
            // An end of the input that does not arrive is none that is needed: the order says how long it is.
            Ok(()) => {
                let _ = input.shutdown().await;
                Ok(())
            }
            Err(error) => match self.autopsy().await.hit {
                // It has had enough of the order alone.
                Some(limit) => {
                    self.ahead.push_back(Event::Hit(limit));
                    Ok(())
                }
                None => Err(lost(error.to_string())),
            },
        }
    }

    async fn next(&mut self) -> Event {
        if let Some(event) = self.ahead.pop_front() {
            return event;
        }
        loop {
            if self.closed {
                return Event::Closed;
            }
            let read = self.output.next().await;
            if let Some(event) = self.event(read) {
                return event;
            }
        }
    }

    fn answered(&mut self) {
        self.container.ends_by_itself();
    }

    async fn autopsy(&mut self) -> Autopsy {
        // The daemon ends no container whose output waits for us to read it.
        if !self.closed {
            self.output = Box::pin(futures::stream::empty());
            self.input = None;
        }
        autopsy(&self.container, self.closed).await
    }
}
