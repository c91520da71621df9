//! Reads BPMN 2.0, DMN and forms with positions, and judges them before they are deployed.
//!
//! Everything is pure: bytes in, models and findings out.
//!
//! - [`read()`] gives a [`Model`]: processes, topics, error catchers. It is as liberal as it can be, since it also
//!   reads what other vendors' tools have deployed: whatever is well-formed XML with `definitions` at its root gives
//!   a model, with its errors beside it.
//! - [`decode()`] makes text of a file's bytes, as the engine's reader would: what is checked is what runs.
//! - [`tree::Tree`] keeps every element, attribute and text with its place; [`camunda::Extensions`] and
//!   [`security::Security`] are what stands in it, typed.
//! - [`juel`] reads the engine's expressions, [`policy`] says which of them only read data.
//! - [`check()`] is the deploy gate: it refuses what would run code in the engine, by the table of [`gate::places`],
//!   and warns of what will not do what is meant. [`explain()`] has a page for every code.

pub mod camunda;
mod catches;
pub mod codes;
pub mod dmn;
pub mod form;
pub mod gate;
pub mod juel;
mod lint;
mod model;
pub mod policy;
mod read;
pub mod security;
pub mod tree;
mod xml;

pub use codes::{Code, explain};
pub use gate::{Allowance, FileKind, GateContext, Judgement, check, judge};
pub use lint::complexity;
pub use model::{
    ErrorDefinition, Event, Flow, FlowNode, Input, Kind, Message, Model, Process, Property, Topic, TopicUse,
};
pub use read::{read, read_text};
pub use xml::{MAX_ATTRIBUTES, MAX_BYTES, MAX_DEPTH, MAX_ELEMENTS, Namespace, decode};
