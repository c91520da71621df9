//! A folder, and what is done in it. Everything here blocks.

use std::io::{self, Read as _, Write as _};
use std::path::Path;

use bytes::Bytes;
use cap_std::ambient_authority;
use cap_std::fs::{Dir, Metadata, OpenOptions};
use globset::GlobMatcher;
use jiff::Timestamp;

use crate::inputs::{Entry, Mode};
use crate::settings::FolderSettings;

/// What a file is called that is not there yet.
const UNFINISHED: &str = ".procos-unfinished-";

/// The most files that a list has.
pub(crate) const MOST_LISTED: usize = 10_000;

/// How deep a list looks.
const DEEPEST: usize = 64;

/// A file that was read.
pub(crate) struct Found {
    pub(crate) content: Bytes,
    pub(crate) modified: Option<Timestamp>,
}

/// Opens the folder itself. Each task does so anew: it may be mounted anew.
///
/// # Errors
/// Where it is not there, or no folder.
pub(crate) fn open(settings: &FolderSettings) -> io::Result<Dir> {
    Dir::open_ambient_dir(&settings.path, ambient_authority())
}

/// The content of a file; none where it has more bytes than that.
///
/// # Errors
/// Those of the system.
pub(crate) fn read(folder: &Dir, path: &str, most: u64) -> io::Result<Option<Found>> {
    // Not to wait for who writes into a pipe.
    if !folder.metadata(path)?.is_file() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let file = folder.open(path)?;
    let about = file.metadata()?;
    if !about.is_file() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let mut content = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut content)?;
    let fits = u64::try_from(content.len()).is_ok_and(|size| size <= most);
    Ok(fits.then(|| Found {
        content: content.into(),
        modified: modified(&about),
    }))
}

/// Writes a file. It is on the disk when this returns.
///
/// # Errors
/// Those of the system. Unless it was to be appended, nothing is there then that was not there before but folders.
pub(crate) fn write(folder: &Dir, path: &str, content: &[u8], mode: Mode) -> io::Result<()> {
    let place = Path::new(path);
    if place.file_name().is_none() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let parent = place.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        folder.create_dir_all(parent)?;
    }
    if mode == Mode::Append {
        let mut file = folder.open_with(path, OpenOptions::new().append(true).create(true))?;
        file.write_all(content)?;
        return file.sync_all();
    }
    if folder.symlink_metadata(path).is_ok_and(|about| about.is_dir()) {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let unfinished = parent
        .unwrap_or_else(|| Path::new(""))
        .join(format!("{UNFINISHED}{}", uuid::Uuid::new_v4().simple()));
    let written = finished(folder, &unfinished, place, content, mode);
    if written.is_err() || mode == Mode::Create {
        // Where it was renamed there is none any more.
        let _ = folder.remove_file(&unfinished);
    }
    written
}

fn finished(folder: &Dir, unfinished: &Path, place: &Path, content: &[u8], mode: Mode) -> io::Result<()> {
    let mut file = folder.open_with(unfinished, OpenOptions::new().write(true).create_new(true))?;
    file.write_all(content)?;
    file.sync_all()?;
    match mode {
        // A link does not replace what is there.
        Mode::Create => folder.hard_link(unfinished, folder, place),
        Mode::Replace | Mode::Append => folder.rename(unfinished, folder, place),
    }
}

/// The files below a path, sorted; none where there are more than [`MOST_LISTED`].
///
/// # Errors
/// Those of the system.
pub(crate) fn list(
    folder: &Dir,
    path: &str,
    pattern: Option<&GlobMatcher>,
) -> io::Result<Option<Vec<Entry>>> {
    let mut files = Vec::new();
    let start = folder.open_dir(path)?;
    // A list of folders to go, not a call of this within this: it may be deep.
    let mut ahead = vec![(start, String::new(), 0)];
    while let Some((dir, before, depth)) = ahead.pop() {
        for entry in dir.entries()? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else {
                // No variable could hold it.
                continue;
            };
            let below = format!("{before}{name}");
            // What a link leads to is read by its own name.
            let kind = entry.file_type()?;
            if kind.is_dir() && pattern.is_some() && depth < DEEPEST {
                ahead.push((entry.open_dir()?, format!("{below}/"), depth + 1));
            }
            let is_meant = pattern.is_none_or(|pattern| pattern.is_match(&below));
            if !kind.is_file() || !is_meant || name.starts_with(UNFINISHED) {
                continue;
            }
            if files.len() == MOST_LISTED {
                return Ok(None);
            }
            let about = entry.metadata()?;
            files.push(Entry {
                path: joined(path, &below),
                name,
                size: about.len(),
                modified: modified(&about).map(|at| at.to_string()).unwrap_or_default(),
            });
        }
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(Some(files))
}

fn joined(path: &str, below: &str) -> String {
    match path.trim_end_matches('/') {
        "" | "." => below.to_owned(),
        path => format!("{path}/{below}"),
    }
}

fn modified(about: &Metadata) -> Option<Timestamp> {
    Timestamp::try_from(about.modified().ok()?.into_std()).ok()
}
