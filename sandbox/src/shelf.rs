//! Cells that are made ahead, so that a run need not wait for one.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

use crate::SandboxError;
use crate::cell::{Backend, Cell, Shape};

/// It is quiet where no cell was taken for so long.
const QUIET: Duration = Duration::from_millis(100);

/// Shapes of which cells are kept; beyond that the one longest unused goes.
const MOST_SHAPES: usize = 8;

/// Cells by shape, each used once.
pub(crate) struct Shelf {
    backend: Arc<dyn Backend>,
    warm: usize,
    /// Cells are made one after the other beside the runs: making them is what costs most.
    maker: Arc<Semaphore>,
    state: Mutex<State>,
    closing: CancellationToken,
    tasks: TaskTracker,
}

#[derive(Default)]
struct State {
    rows: HashMap<Shape, Row>,
    clock: u64,
}

#[derive(Default)]
struct Row {
    cells: VecDeque<Box<dyn Cell>>,
    being_made: usize,
    used: u64,
    /// Whether somebody waits to fill it when it is quiet.
    awaits_quiet: bool,
}

impl Shelf {
    /// An empty one that keeps so many cells of each shape in use.
    pub(crate) fn new(backend: Arc<dyn Backend>, warm: usize) -> Arc<Self> {
        Arc::new(Self {
            backend,
            warm,
            maker: Arc::new(Semaphore::new(1)),
            state: Mutex::default(),
            closing: CancellationToken::new(),
            tasks: TaskTracker::new(),
        })
    }

    /// A cell of this shape: one that waits, else a new one.
    pub(crate) async fn take(self: &Arc<Self>, shape: &Shape) -> Result<Box<dyn Cell>, SandboxError> {
        let cell = match self.pop(shape) {
            Some(cell) => Ok(cell),
            None => self.take_new(shape).await,
        };
        // Not before: what is made ahead would be in the way of the one that is waited for.
        self.refill(shape);
        cell
    }

    /// A new cell of this shape.
    pub(crate) async fn take_new(&self, shape: &Shape) -> Result<Box<dyn Cell>, SandboxError> {
        self.backend.make(shape).await
    }

    /// Makes cells of this shape until as many wait as shall, in the background: one at once where few are left, and all that lack
    /// when it is quiet, since making them takes processors from the runs that follow on each other.
    pub(crate) fn refill(self: &Arc<Self>, shape: &Shape) {
        let (is_low, is_first) = {
            let mut state = self.lock();
            let row = state.rows.entry(shape.clone()).or_default();
            let is_low = row.cells.len() + row.being_made <= (self.warm / 4).max(1);
            (is_low, !std::mem::replace(&mut row.awaits_quiet, true))
        };
        if is_low {
            self.make(shape, 1);
        }
        if is_first {
            let (shelf, shape) = (Arc::clone(self), shape.clone());
            self.tasks.spawn(async move {
                let closing = shelf.closing.clone();
                if closing.run_until_cancelled(shelf.quiet(&shape)).await.is_some() {
                    shelf.make(&shape, usize::MAX);
                }
            });
        }
    }

    /// Waits until no cell of this shape has been taken for a while.
    async fn quiet(&self, shape: &Shape) {
        let mut before = None;
        loop {
            {
                let mut state = self.lock();
                let Some(row) = state.rows.get_mut(shape) else {
                    return;
                };
                if before == Some(row.used) {
                    row.awaits_quiet = false;
                    return;
                }
                before = Some(row.used);
            }
            tokio::time::sleep(QUIET).await;
        }
    }

    /// Makes so many cells of this shape, but no more than lack.
    fn make(self: &Arc<Self>, shape: &Shape, most: usize) {
        let lacking = {
            let mut state = self.lock();
            let row = state.rows.entry(shape.clone()).or_default();
            let lacking = self
                .warm
                .saturating_sub(row.cells.len() + row.being_made)
                .min(most);
            row.being_made += lacking;
            lacking
        };
        for _ in 0..lacking {
            let (shelf, shape) = (Arc::clone(self), shape.clone());
            self.tasks.spawn(async move {
                let closing = shelf.closing.clone();
                closing.run_until_cancelled(shelf.fill_one(&shape)).await;
            });
        }
    }

    /// How many cells wait, of all shapes.
    pub(crate) fn waiting(&self) -> usize {
        self.lock().rows.values().map(|row| row.cells.len()).sum()
    }

    /// Makes no more cells, ends those that wait, and waits until they are gone.
    pub(crate) async fn close(&self) {
        self.closing.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        let rows = std::mem::take(&mut self.lock().rows);
        drop(rows);
        self.backend.settle().await;
    }

    async fn fill_one(&self, shape: &Shape) {
        let made = match self.maker.acquire().await {
            Ok(_turn) => self.backend.make(shape).await,
            Err(_) => return,
        };
        let mut state = self.lock();
        let Some(row) = state.rows.get_mut(shape) else {
            return;
        };
        row.being_made = row.being_made.saturating_sub(1);
        match made {
            Ok(cell) => row.cells.push_back(cell),
            // The next run of this shape tries again, and says what it meets.
            Err(error) => warn!(%shape, %error, "cannot make a sandbox ahead"),
        }
    }

    fn pop(&self, shape: &Shape) -> Option<Box<dyn Cell>> {
        let (cell, unused) = {
            let mut state = self.lock();
            state.clock += 1;
            let now = state.clock;
            let row = state.rows.entry(shape.clone()).or_default();
            row.used = now;
            let cell = row.cells.pop_front();
            let unused = (state.rows.len() > MOST_SHAPES)
                .then(|| state.rows.iter().min_by_key(|(_, row)| row.used))
                .flatten()
                .map(|(shape, _)| shape.clone());
            (cell, unused.and_then(|unused| state.rows.remove(&unused)))
        };
        // Ending cells takes a while: not under the lock.
        drop(unused);
        cell
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
