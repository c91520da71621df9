//! Which deployments have been looked at, over restarts.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// A deployment has the time at which its transaction began, and is seen when that has ended: this long it may take.
const LATE: SignedDuration = SignedDuration::from_mins(10);

/// The time of the newest deployment that was looked at, and all those that are not much older.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Seen {
    until: Option<Timestamp>,
    ids: BTreeMap<String, Timestamp>,
}

impl Seen {
    /// What was kept. A file that cannot be read is as good as none.
    pub(crate) fn load(file: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(file).ok()?).ok()
    }

    /// Moved into place whole.
    pub(crate) fn save(&self, file: &Path) -> std::io::Result<()> {
        let beside = file.with_extension("new");
        let mut new = File::create(&beside)?;
        new.write_all(&serde_json::to_vec(self)?)?;
        new.sync_all()?;
        std::fs::rename(&beside, file)
    }

    /// Notes one, and forgets those that are too old to come again.
    pub(crate) fn note(&mut self, id: &str, time: Option<Timestamp>) {
        let time = time.or(self.until).unwrap_or(Timestamp::UNIX_EPOCH);
        self.until = self.until.max(Some(time));
        self.ids.insert(id.to_owned(), time);
        let from = self.from();
        self.ids.retain(|_, time| Some(*time) > from);
    }

    /// Whether it has been looked at.
    pub(crate) fn holds(&self, id: &str) -> bool {
        self.ids.contains_key(id)
    }

    /// Nothing that has begun by then can come any more.
    pub(crate) fn from(&self) -> Option<Timestamp> {
        self.until?.checked_sub(LATE).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_late_is_new_and_what_was_seen_is_not() {
        let file = tempfile::tempdir().unwrap();
        let file = file.path().join("gate.json");
        assert_eq!(Seen::load(&file), None);
        let at = |seconds| Some(Timestamp::from_second(seconds).unwrap());
        let mut seen = Seen::default();
        assert_eq!(seen.from(), None, "everything is new at first");
        seen.note("a", at(10_000));
        seen.note("late", at(9_500));
        assert_eq!(seen.from(), at(9_400));
        seen.save(&file).unwrap();
        let mut seen = Seen::load(&file).unwrap();
        assert!(seen.holds("a") && seen.holds("late") && !seen.holds("b"));
        seen.note("b", at(10_300));
        assert_eq!(seen.from(), at(9_700));
        assert!(seen.holds("a") && !seen.holds("late"), "{seen:?}");
    }
}
