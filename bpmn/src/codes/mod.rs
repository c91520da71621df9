//! Every kind of finding that reading a BPMN file can give: its code, and what to do about it.

mod table;

use diagnostics::{Diagnostic, Range};

/// A kind of finding. Codes are stable: scripts and configurations name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// The code in kebab-case.
    pub code: &'static str,
    /// What to do about it.
    pub help: &'static str,
    /// A page about it: what it is, why it is said, what to do instead.
    pub page: &'static str,
}

/// The page about a code: what it is, why it is said, what to do instead.
pub fn explain(code: &str) -> Option<&'static str> {
    ALL.iter().find(|it| it.code == code).map(|it| it.page)
}

/// The codes that are spelt nearly like `wanted`, the nearest first: at most three.
pub fn near(wanted: &str) -> Vec<&'static str> {
    nearest(wanted, ALL.iter().map(|it| it.code))
}

/// Those of `known` that are spelt nearly like `wanted`, the nearest first: at most three.
pub(crate) fn nearest<'k>(wanted: &str, known: impl Iterator<Item = &'k str>) -> Vec<&'k str> {
    let far = 1.max(wanted.chars().count() / 3);
    let wanted = wanted.to_lowercase();
    let mut ranked: Vec<_> = known
        .map(|it| (strsim::damerau_levenshtein(&wanted, &it.to_lowercase()), it))
        .filter(|(distance, it)| *distance <= far || wanted.len() > 3 && it.contains(&wanted))
        .collect();
    ranked.sort_unstable();
    ranked.into_iter().take(3).map(|(_, it)| it).collect()
}

impl Code {
    pub(crate) fn error(&self, file: &str, range: impl Into<Option<Range>>, message: String) -> Diagnostic {
        Diagnostic::error(self.code, file, message)
            .at(range)
            .help(self.help)
    }

    pub(crate) fn warning(&self, file: &str, range: impl Into<Option<Range>>, message: String) -> Diagnostic {
        Diagnostic::warning(self.code, file, message)
            .at(range)
            .help(self.help)
    }
}

pub use table::*;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_in_kebab_case() {
        let unique: BTreeSet<_> = ALL.iter().map(|it| it.code).collect();
        assert_eq!(unique.len(), ALL.len());
        for code in unique {
            assert!(
                code.chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'),
                "{code}"
            );
        }
    }

    #[test]
    fn every_code_has_a_page_of_its_own() {
        for it in ALL {
            let page = explain(it.code).unwrap();
            assert!(page.starts_with(&format!("# {}\n", it.code)), "{page}");
            for part in ["## Why", "## What to do"] {
                assert!(page.contains(part), "{}: {part}", it.code);
            }
        }
        assert_eq!(explain("nothing"), None);
    }

    #[test]
    fn a_slip_finds_the_code_that_is_meant() {
        assert_eq!(near("script-tsk")[0], "script-task");
        assert_eq!(near("Listener"), ["task-listener", "execution-listener"]);
        assert_eq!(near("xyz"), [""; 0]);
    }
}
