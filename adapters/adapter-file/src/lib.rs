//! Tasks that read, write and list files, in folders that the operator names and nowhere else: neither `..`, nor an
//! absolute path, nor a symbolic link leads out of them. That is left to `cap-std`, which asks the kernel to resolve paths
//! beneath a folder.
//!
//! [`FileAdapter`] is one task from end to end, `root` a folder with what is done in it, `settings` what the operator says
//! of one.

mod adapter;
mod inputs;
mod problem;
mod root;
mod settings;

pub use adapter::{FileAdapter, NAME};
pub use settings::FolderSettings;

#[cfg(test)]
mod tests;
