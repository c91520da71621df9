//! Reads BPMN 2.0: processes, topics, error catchers, with positions.
//!
//! [`read()`] is pure: bytes in, a [`Model`] and findings out. It is as liberal as it can be, since it also reads
//! what other vendors' tools have deployed: whatever is well-formed XML with `definitions` at its root gives a
//! model, with its errors beside it.

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
pub use read::read;
pub use xml::{MAX_ATTRIBUTES, MAX_BYTES, MAX_DEPTH, MAX_ELEMENTS, Namespace};
