//! How a sandbox is set up.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{Language, Level, Limits};

/// Which backend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackendChoice {
    /// The launcher where its socket is there, else bubblewrap, else Docker: the first that passes the self-test.
    #[default]
    Auto,
    /// Unprivileged namespaces, by the program `bwrap`.
    Bubblewrap,
    /// Containers of a Docker daemon.
    Docker,
    /// A `procos sandbox-launcher` that holds the Docker socket.
    Launcher,
}

/// How a sandbox is set up.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which backend.
    pub backend: BackendChoice,
    /// What a run may use at most, whatever it asks for.
    pub limits: Limits,
    /// How many cells of each shape that is in use wait for their run.
    pub warm: usize,
    /// The languages of which cells wait from the start; others once they have been used.
    pub languages: Vec<Language>,
    /// Docker's images: by a language's name, or by a name of the operator's own for scripts that ask for it.
    pub images: BTreeMap<String, String>,
    /// Bubblewrap's unpacked roots, by the same names. A language without one uses this machine's `/usr`.
    pub roots: BTreeMap<String, PathBuf>,
    /// The program of the bubblewrap backend.
    pub bubblewrap: PathBuf,
    /// The launcher's socket.
    pub launcher: PathBuf,
    /// Where it is noted which sandboxes live, so that what a killed one leaves is found at the next start.
    pub state_dir: PathBuf,
    /// Barriers that are taken away.
    #[cfg(feature = "weakened")]
    pub weakened: Weakened,
}

impl Settings {
    /// The usual ones, with notes in this folder.
    #[must_use]
    pub fn new(state_dir: impl Into<PathBuf>) -> Self {
        let images = [
            ("python", "procos/script-python:bookworm"),
            ("javascript", "procos/script-javascript:bookworm"),
            ("shell", "procos/script-shell:bookworm"),
            ("scilab", "procos/script-scilab:bookworm"),
            ("science", "procos/script-science:bookworm"),
        ];
        Self {
            backend: BackendChoice::Auto,
            limits: Level::Medium.limits(),
            warm: 2,
            languages: Vec::new(),
            images: images
                .map(|(name, image)| (name.to_owned(), image.to_owned()))
                .into(),
            roots: BTreeMap::new(),
            bubblewrap: "bwrap".into(),
            launcher: "/run/procos/launcher.sock".into(),
            state_dir: state_dir.into(),
            #[cfg(feature = "weakened")]
            weakened: Weakened::default(),
        }
    }
}

/// Barriers that are taken away, for tests that show that an attack bites without them.
#[cfg(feature = "weakened")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a barrier of its own")]
pub struct Weakened {
    /// No filter of system calls.
    pub seccomp: bool,
    /// The network of this namespace (bubblewrap: a path such as `/run/netns/x`; docker: `container:NAME`).
    pub network: Option<String>,
    /// Processes outside are seen, and can be signalled.
    pub processes: bool,
    /// The root can be written to.
    pub root: bool,
    /// Capabilities stay, and user namespaces can be made.
    pub capabilities: bool,
    /// The environment of the worker is handed on.
    pub environment: bool,
    /// These paths of the host are seen, writable.
    pub binds: Vec<PathBuf>,
    /// Limits that are not enforced.
    pub limits: Vec<crate::Limit>,
    /// What is written is not counted.
    pub working_directory: bool,
    /// What the worker itself has inherited is handed on.
    pub descriptors: bool,
    /// The self-test is left out.
    pub unproved: bool,
}
