//! XML within limits: bytes in, a tree of elements out, or where it breaks.

mod broken;
mod build;
mod decode;
mod encoding;
mod names;

pub(crate) use build::parse;
pub use decode::decode;
pub(crate) use decode::{decode_utf8, head};
pub(crate) use names::CAMUNDA;
pub use names::Namespace;

/// The largest file that is read, in bytes.
pub const MAX_BYTES: usize = 16 << 20;
/// How many elements may be nested in each other.
pub const MAX_DEPTH: usize = 256;
/// How many elements a file may have. Camunda 7.24 with the usual heap of 512 MiB takes a file full of user tasks
/// as large as this in some ten seconds, and runs out of memory at two and a half times as many.
pub const MAX_ELEMENTS: usize = 20_000;
/// How many attributes an element may have.
pub const MAX_ATTRIBUTES: usize = 1_000;
