//! The languages, and how an interpreter of each is started.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The harness of shells.
const SHELL: &str = concat!(
    include_str!("harness/answer.sh"),
    include_str!("harness/shell.sh")
);

/// The half of Scilab's harness that is a shell's.
const SCILAB: &str = concat!(
    include_str!("harness/answer.sh"),
    include_str!("harness/scilab.sh")
);

/// A language that scripts are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Python 3.
    Python,
    /// JavaScript, run by Node.js.
    JavaScript,
    /// A POSIX shell's, run by bash where there is one.
    Shell,
    /// Scilab.
    Scilab,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Python, Self::JavaScript, Self::Shell, Self::Scilab];

    /// Its name in configurations.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::JavaScript => "javascript",
            Self::Shell => "shell",
            Self::Scilab => "scilab",
        }
    }

    /// What the name of a file in this language ends with.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Python => "py",
            Self::JavaScript => "js",
            Self::Shell => "sh",
            Self::Scilab => "sce",
        }
    }

    /// The command that starts its harness: an interpreter that waits for an order on standard input, runs it and
    /// answers on standard output, as [`protocol`](crate::protocol) says. Everything that is ours is in the arguments, so
    /// that an image needs the interpreter and nothing else.
    #[must_use]
    pub(crate) fn command(self) -> Vec<&'static str> {
        match self {
            // -I: neither the environment nor the working directory say what is imported. -X utf8: whatever the locale.
            Self::Python => vec![
                "python3",
                "-I",
                "-X",
                "utf8",
                "-c",
                include_str!("harness/python.py"),
            ],
            Self::JavaScript => vec!["node", "-e", include_str!("harness/javascript.cjs")],
            Self::Shell => vec!["sh", "-c", SHELL],
            Self::Scilab => vec!["sh", "-c", SCILAB, "scilab", include_str!("harness/scilab.sce")],
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A name that is no language's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no language `{0}`; there are: python, javascript, shell, scilab")]
pub struct UnknownLanguage(pub String);

impl FromStr for Language {
    type Err = UnknownLanguage;

    fn from_str(name: &str) -> Result<Self, UnknownLanguage> {
        Self::ALL
            .into_iter()
            .find(|language| language.as_str() == name)
            .ok_or_else(|| UnknownLanguage(name.to_owned()))
    }
}
