//! What can go wrong with a file, and what that is to the process.

use std::io;

use worker_api::{BpmnError, Failure, TaskError};

/// There is no such file.
pub(crate) const NOT_FOUND: &str = "FILE_NOT_FOUND";
/// There is one that must not be there.
pub(crate) const EXISTS: &str = "FILE_EXISTS";
/// It is larger than the operator allows.
pub(crate) const TOO_LARGE: &str = "FILE_TOO_LARGE";

/// What the system says of a path below a folder. Nothing was changed.
pub(crate) fn of(error: &io::Error, folder: &str, path: &str) -> TaskError {
    match error.kind() {
        io::ErrorKind::NotFound => BpmnError::new(
            NOT_FOUND,
            format!("there is no file {path} in the folder `{folder}`"),
        )
        .into(),
        io::ErrorKind::AlreadyExists => BpmnError::new(
            EXISTS,
            format!("there is a file {path} in the folder `{folder}` already"),
        )
        .into(),
        // What leads out is refused before the system is asked.
        io::ErrorKind::PermissionDenied if error.raw_os_error().is_none() => Failure::permanent(format!(
            "{path} leads out of the folder `{folder}`: give a path below it, without links that leave it"
        ))
        .nothing_done()
        .into(),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Failure::permanent(format!(
            "{path} in the folder `{folder}` cannot be used ({error}): give the worker's user access to it"
        ))
        .nothing_done()
        .into(),
        io::ErrorKind::IsADirectory
        | io::ErrorKind::NotADirectory
        | io::ErrorKind::InvalidInput
        | io::ErrorKind::InvalidFilename => Failure::permanent(format!(
            "{path} in the folder `{folder}` is no file that could be used ({error}): check the path"
        ))
        .nothing_done()
        .into(),
        _ => Failure::retryable(format!("{path} in the folder `{folder}`: {error}")).into(),
    }
}

/// A file of so many bytes.
pub(crate) fn too_large(folder: &str, path: &str, most: u64) -> TaskError {
    BpmnError::new(
        TOO_LARGE,
        format!("{path} has more than {most} bytes, the most that the folder `{folder}` allows (services.file.{folder}.max_bytes)"),
    )
    .into()
}
