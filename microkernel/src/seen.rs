//! Which deployments have been looked at, over restarts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// A deployment has the time at which its transaction began by the clock of the node that made it, and is seen when that
/// has ended: this long it may take, and so far may the clocks of an engine's nodes differ.
pub(crate) const LATE: SignedDuration = SignedDuration::from_hours(24);

/// The record of a deployment is this much younger than itself at most: it is not to be told as one that nobody has seen.
const RECORDED: SignedDuration = SignedDuration::from_mins(10);

/// The time of the newest deployment that was looked at, and all those that are not much older.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Seen {
    until: Option<Timestamp>,
    ids: BTreeMap<String, Timestamp>,
    /// The deployments that the gate has refused, with the definitions that were suspended.
    #[serde(default)]
    refused: BTreeMap<String, BTreeSet<String>>,
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

    /// Notes one.
    pub(crate) fn note(&mut self, id: &str, time: Option<Timestamp>) {
        let time = time.or(self.until).unwrap_or(Timestamp::UNIX_EPOCH);
        self.until = self.until.max(Some(time));
        self.ids.insert(id.to_owned(), time);
    }

    /// Forgets those that nobody asks for after this moment any more.
    pub(crate) fn forget(&mut self, from: Option<Timestamp>) {
        let from = from.and_then(|it| it.checked_sub(RECORDED).ok());
        self.ids.retain(|_, time| Some(*time) > from);
    }

    /// Notes that one was refused.
    pub(crate) fn refuse(&mut self, id: &str, definitions: BTreeSet<String>) {
        self.refused.insert(id.to_owned(), definitions);
    }

    /// Those that were.
    pub(crate) fn refused(&self) -> &BTreeMap<String, BTreeSet<String>> {
        &self.refused
    }

    /// One of them is an exception now, or gone.
    pub(crate) fn pardon(&mut self, id: &str) {
        self.refused.remove(id);
    }

    /// Whether it has been looked at.
    pub(crate) fn holds(&self, id: &str) -> bool {
        self.ids.contains_key(id)
    }

    /// Nothing that has begun by then can come any more. A time ahead of `now`, which an engine gives whose clock was
    /// wrong, does not count: until it has come, all that is made would be older.
    pub(crate) fn from(&self, now: Timestamp) -> Option<Timestamp> {
        self.until?.min(now).checked_sub(LATE).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_second(hours * 3600).unwrap()
    }

    #[test]
    fn what_comes_late_is_new_and_what_was_seen_is_not() {
        let file = tempfile::tempdir().unwrap();
        let file = file.path().join("gate.json");
        assert_eq!(Seen::load(&file), None);
        let now = at(1000);
        let mut seen = Seen::default();
        assert_eq!(seen.from(now), None, "everything is new at first");
        seen.note("a", Some(at(100)));
        seen.note("late", Some(at(90)));
        assert_eq!(seen.from(now), Some(at(76)));
        seen.refuse("late", BTreeSet::from(["d".to_owned()]));
        seen.save(&file).unwrap();
        let mut seen = Seen::load(&file).unwrap();
        assert!(seen.holds("a") && seen.holds("late") && !seen.holds("b"));
        assert_eq!(seen.refused().keys().collect::<Vec<_>>(), ["late"]);
        seen.note("b", Some(at(120)));
        seen.forget(seen.from(now));
        assert!(seen.holds("a") && !seen.holds("late"), "{seen:?}");
        seen.pardon("late");
        assert!(seen.refused().is_empty());
    }

    /// An engine's clock that was years ahead for a moment must not hide what comes after.
    #[test]
    fn a_time_ahead_does_not_count() {
        let mut seen = Seen::default();
        seen.note("ahead", Some(at(9000)));
        assert_eq!(seen.from(at(100)), Some(at(76)));
        seen.forget(seen.from(at(100)));
        assert!(seen.holds("ahead"), "it would be told again");
    }
}
