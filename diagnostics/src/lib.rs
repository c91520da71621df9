//! What every checker says: a finding as data, and its renderings.
//!
//! A checker makes a [`Diagnostic`] and never prints. What is shown is made elsewhere: serde gives the JSON
//! that scripts read, [`render()`] the text that people read.

mod lines;
mod model;
mod render;

pub use lines::LineIndex;
pub use model::{Diagnostic, Edit, Fix, Position, Range, Related, Report, Severity};
pub use render::{render, render_report};
