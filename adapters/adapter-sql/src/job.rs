//! One statement as a database is given it.

use std::time::Duration;

use serde_json::Value as Json;

use crate::gather::Limits;
use crate::receipt::Receipt;

/// One statement with its values.
#[derive(Debug)]
pub(crate) struct Job<'a> {
    pub(crate) sql: &'a str,
    pub(crate) parameters: &'a [Json],
    /// Whether it is to change anything; the database refuses it otherwise.
    pub(crate) writes: bool,
    pub(crate) limits: Limits,
    /// Where it is to be done once.
    pub(crate) receipt: Option<Receipt<'a>>,
    /// How long it may take.
    pub(crate) timeout: Duration,
}
