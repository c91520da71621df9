//! Rows, up to the limits.

use serde_json::{Map, Value as Json};

use crate::inputs::{Answered, OnMore};

/// What an answer's rows may amount to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    pub(crate) on_more: OnMore,
}

/// Rows that are being gathered.
#[derive(Debug)]
pub(crate) struct Gathered {
    limits: Limits,
    bytes: u64,
    answer: Answered,
}

/// There is more than the limits allow.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum TooMuch {
    Rows,
    Bytes,
}

impl Gathered {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            bytes: 0,
            answer: Answered::default(),
        }
    }

    /// Takes a row. Gives whether another one is wanted.
    ///
    /// # Errors
    /// Where it is one too many, and that is an error.
    pub(crate) fn take(&mut self, row: Map<String, Json>) -> Result<bool, TooMuch> {
        let size = serde_json::to_string(&row).map_or(0, |text| text.len() as u64);
        let too_much = if self.answer.row_count >= self.limits.rows {
            TooMuch::Rows
        } else if self.bytes.saturating_add(size) > self.limits.bytes {
            TooMuch::Bytes
        } else {
            self.bytes += size;
            self.answer.row_count += 1;
            self.answer.rows.push(row);
            return Ok(true);
        };
        match self.limits.on_more {
            OnMore::Error => Err(too_much),
            OnMore::Truncate => {
                self.answer.truncated = true;
                Ok(false)
            }
        }
    }

    pub(crate) fn affected(&mut self, rows: u64) {
        self.answer.rows_affected = self.answer.rows_affected.saturating_add(rows);
    }

    pub(crate) fn answer(mut self) -> Answered {
        self.answer.row = self.answer.rows.first().cloned();
        self.answer
    }
}
