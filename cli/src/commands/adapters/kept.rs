//! Files that are kept up to date in a folder: written where they are not as they should be, or only looked at.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::exit::Trouble;
use crate::output::{Table, Theme};

/// What is with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// It was written.
    Written,
    /// It says the same already.
    Unchanged,
    /// It says something else.
    Outdated,
    /// It is not there.
    Missing,
    /// It is of something that is no more.
    LeftOver,
}

/// One file.
#[derive(Debug, PartialEq)]
pub(super) struct Told {
    /// What it is of.
    pub(super) name: String,
    pub(super) file: PathBuf,
    pub(super) state: State,
}

/// A file as it is to be.
pub(super) struct Wanted {
    /// What it is of.
    pub(super) name: String,
    /// Its name in the folder.
    pub(super) file: String,
    pub(super) text: String,
}

/// A folder of such files.
pub(super) struct Kept<'a> {
    pub(super) folder: &'a Path,
    /// Of what a file that is not wanted is, where it is one of ours.
    pub(super) is_ours: fn(&Path) -> Option<String>,
}

impl Kept<'_> {
    /// Writes what is not in the folder as it should be, or with `check` only tells.
    ///
    /// # Errors
    /// Names the file that cannot be read or written.
    pub(super) fn bring_up_to_date(&self, wanted: &[Wanted], check: bool) -> Result<Vec<Told>, Trouble> {
        let folder = self.folder;
        let mut told = Vec::new();
        for Wanted { name, file, text } in wanted {
            let file = folder.join(file);
            let state = match fs::read(&file) {
                Ok(found) if found == text.as_bytes() => State::Unchanged,
                Ok(_) if check => State::Outdated,
                Err(error) if check && error.kind() == ErrorKind::NotFound => State::Missing,
                Err(error) if check => return Err(cannot("read", &file, &error)),
                _ => {
                    fs::create_dir_all(folder).map_err(|error| cannot("make the folder", folder, &error))?;
                    fs::write(&file, text).map_err(|error| cannot("write", &file, &error))?;
                    State::Written
                }
            };
            told.push(Told {
                name: name.clone(),
                file,
                state,
            });
        }
        told.extend(self.left_over(wanted)?);
        Ok(told)
    }

    fn left_over(&self, wanted: &[Wanted]) -> Result<Vec<Told>, Trouble> {
        let entries = match fs::read_dir(self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(cannot("read", self.folder, &error)),
        };
        let names: BTreeSet<_> = wanted.iter().map(|it| it.file.as_str()).collect();
        let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        files.sort();
        let told = files.into_iter().filter_map(|file| {
            let is_other = !names.contains(file.file_name()?.to_str()?);
            let name = is_other.then(|| (self.is_ours)(&file))??;
            Some(Told {
                name,
                file,
                state: State::LeftOver,
            })
        });
        Ok(told.collect())
    }
}

/// Whether something has to be done about what was looked at.
pub(super) fn is_stale(told: &[Told]) -> bool {
    told.iter()
        .any(|told| !matches!(told.state, State::Written | State::Unchanged))
}

/// What was done, for people. `command` is what writes what is out of date, and `why` says why a file is left over.
pub(super) fn summary(told: &[Told], command: &str, why: &str, theme: &Theme) -> String {
    let mut table = Table::new();
    let mut unchanged = 0;
    for Told { file, state, .. } in told {
        let (state, why) = match state {
            State::Written => (theme.good("written"), ""),
            State::Outdated => (theme.bad("outdated"), ""),
            State::Missing => (theme.bad("missing"), ""),
            State::LeftOver => (theme.warn("left over"), why),
            State::Unchanged => {
                unchanged += 1;
                continue;
            }
        };
        table.row([state, file.display().to_string(), theme.dim(why)]);
    }
    let mut text = table.render(theme);
    if unchanged > 0 {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&theme.dim(&format!("{unchanged} up to date")));
    }
    let is_behind = |told: &Told| matches!(told.state, State::Outdated | State::Missing);
    if told.iter().any(is_behind) {
        text.push_str(&format!("\n\nrun {}", theme.command(command)));
    }
    text
}

fn cannot(what: &str, path: &Path, error: &std::io::Error) -> Trouble {
    Trouble::no(format!("cannot {what} {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(texts: &[(&str, &str)]) -> Vec<Wanted> {
        let wanted = |(name, text): &(&str, &str)| Wanted {
            name: (*name).to_owned(),
            file: format!("{name}.json"),
            text: (*text).to_owned(),
        };
        texts.iter().map(wanted).collect()
    }

    fn bring_up_to_date(folder: &Path, wanted: &[Wanted], check: bool) -> Result<Vec<Told>, Trouble> {
        let kept = Kept {
            folder,
            is_ours: |_| None,
        };
        kept.bring_up_to_date(wanted, check)
    }

    fn states(told: &[Told]) -> Vec<(&str, State)> {
        told.iter().map(|it| (it.name.as_str(), it.state)).collect()
    }

    #[test]
    fn what_is_up_to_date_is_left_alone_and_the_rest_is_written() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join("deep/down");
        let first = wanted(&[("a", "1"), ("b", "1")]);
        let told = bring_up_to_date(&folder, &first, true).unwrap();
        assert_eq!(states(&told), [("a", State::Missing), ("b", State::Missing)]);
        assert!(!folder.exists(), "a check writes nothing");
        bring_up_to_date(&folder, &first, false).unwrap();

        let long_ago = std::time::UNIX_EPOCH;
        let a = fs::File::options()
            .write(true)
            .open(folder.join("a.json"))
            .unwrap();
        a.set_modified(long_ago).unwrap();
        let then = wanted(&[("a", "1"), ("b", "2")]);
        let told = bring_up_to_date(&folder, &then, true).unwrap();
        assert_eq!(states(&told), [("a", State::Unchanged), ("b", State::Outdated)]);
        assert_eq!(fs::read_to_string(folder.join("b.json")).unwrap(), "1");
        let told = bring_up_to_date(&folder, &then, false).unwrap();
        assert_eq!(states(&told), [("a", State::Unchanged), ("b", State::Written)]);
        let modified = fs::metadata(folder.join("a.json")).unwrap().modified().unwrap();
        assert_eq!(modified, long_ago, "not written again");
        assert_eq!(fs::read_to_string(folder.join("b.json")).unwrap(), "2");
    }

    #[test]
    fn a_folder_that_cannot_be_is_named() {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("file");
        fs::write(&file, "x").unwrap();
        let trouble = bring_up_to_date(&file, &wanted(&[("a", "1")]), false).unwrap_err();
        assert!(trouble.message.contains(&file.display().to_string()), "{trouble}");
    }
}
