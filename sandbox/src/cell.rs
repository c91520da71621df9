//! What a backend makes: cells, in each of which one script runs.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;

use crate::{Language, Limit, Limits, SandboxError};

/// The environment of every cell: nothing of the worker's.
pub(crate) const ENVIRONMENT: [(&str, &str); 7] = [
    ("PATH", "/usr/local/bin:/usr/bin:/bin"),
    ("LANG", "C.UTF-8"),
    ("HOME", "/work"),
    ("TMPDIR", "/work"),
    ("SCIHOME", "/work/.scilab"),
    // matplotlib: to files, as there is no screen.
    ("MPLBACKEND", "Agg"),
    ("MPLCONFIGDIR", "/work"),
];

/// What must be known of a run before its cell is made; cells of one shape can stand for each other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Shape {
    /// The language whose harness waits in it.
    pub(crate) language: Language,
    /// The image or root, where it is not the language's own.
    pub(crate) image: Option<String>,
    /// Bytes of memory.
    pub(crate) memory: u64,
    /// Thousandths of a processor.
    pub(crate) milli_cpus: u64,
    /// Processes and threads.
    pub(crate) pids: u32,
    /// Bytes in the working directory.
    pub(crate) tmpfs: u64,
}

impl Shape {
    /// The shape for a language with these limits.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast saturates, and there is always some share"
    )]
    pub(crate) fn new(language: Language, image: Option<String>, limits: &Limits) -> Self {
        Self {
            language,
            image,
            memory: limits.memory,
            milli_cpus: ((limits.cpus * 1000.0).round() as u64).max(10),
            pids: limits.pids,
            tmpfs: limits.tmpfs,
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let image = self.image.as_deref().unwrap_or(self.language.as_str());
        formatter.write_str(image)
    }
}

/// Makes cells.
#[async_trait]
pub(crate) trait Backend: Send + Sync + 'static {
    /// Its name in configurations.
    fn name(&self) -> &'static str;

    /// A new cell in which the harness waits for its order.
    ///
    /// Cancellation: what was begun is removed.
    async fn make(&self, shape: &Shape) -> Result<Box<dyn Cell>, SandboxError>;

    /// Removes what is still there of an earlier life, and of this one.
    async fn clear(&self) -> Result<(), SandboxError> {
        Ok(())
    }

    /// Waits until what was dropped is gone.
    async fn settle(&self) {}
}

/// A place for one run. Dropped, it ends everything in it; what is left to remove is removed behind one's back.
#[async_trait]
pub(crate) trait Cell: Send {
    /// Hands over the order and closes standard input. From now on the limits hold for what runs.
    async fn send(&mut self, order: &[u8], limits: &Limits) -> Result<(), SandboxError>;

    /// What happens next. It may be given up at any moment and asked for again without loss.
    async fn next(&mut self) -> Event;

    /// The harness has answered, and ends by itself: what is left need not be ended in a hurry.
    fn answered(&mut self) {}

    /// Ends everything in the cell, and tells what is known of the end: asked only where no answer came.
    async fn autopsy(&mut self) -> Autopsy;
}

/// What happens in a cell.
#[derive(Debug)]
pub(crate) enum Event {
    /// Standard output.
    Stdout(Bytes),
    /// Standard error.
    Stderr(Bytes),
    /// A limit was hit.
    Hit(Limit),
    /// Nothing more will come.
    Closed,
}

/// What is known of an end without an answer.
#[derive(Debug, Default)]
pub(crate) struct Autopsy {
    /// A limit that was hit.
    pub(crate) hit: Option<Limit>,
    /// How the harness ended, such as `exit status 3` or `signal 9`.
    pub(crate) status: Option<String>,
}
