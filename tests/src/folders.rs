//! Where things are: the workspace, what has been built, and folders for a test's own files.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tempfile::TempDir;

/// The workspace's folder.
#[must_use]
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ is in it")
}

/// The engine's jar.
///
/// # Panics
/// Where it has not been built.
#[must_use]
pub fn engine_jar() -> PathBuf {
    let jar = workspace().join("engine/engine-server/target/procos-engine.jar");
    assert!(
        jar.is_file(),
        "{} is missing; run `mvn -f engine/engine-server package -DskipTests`",
        jar.display()
    );
    jar
}

/// The `procos` binary of the profile that the running test was built with.
///
/// # Panics
/// Where it has not been built, or one of its sources is newer than it: cargo builds no other package's binary
/// for a test, and a test of yesterday's binary proves nothing.
#[must_use]
pub fn procos_binary() -> PathBuf {
    fresh(
        profile_folder().join("procos"),
        "run `cargo build -p cli`, or `script/test rust`, which does",
    )
}

/// The worker of the example adapter `stock`, of the profile that the running test was built with.
///
/// # Panics
/// Where it has not been built, or one of its sources is newer than it.
#[must_use]
pub fn stock_binary() -> PathBuf {
    fresh(
        profile_folder().join("stock"),
        "run `cargo build -p stock`, or `script/test rust`, which does",
    )
}

/// The binary of a package's example, of the profile that the running test was built with.
///
/// # Panics
/// Where it has not been built, or one of its sources is newer than it.
#[must_use]
pub fn example_binary(package: &str, name: &str) -> PathBuf {
    fresh(
        profile_folder().join("examples").join(name),
        &format!("run `cargo build -p {package} --examples`, or `script/test rust`, which does"),
    )
}

fn fresh(binary: PathBuf, remedy: &str) -> PathBuf {
    let built = modified(&binary).unwrap_or_else(|| panic!("{} is missing; {remedy}", binary.display()));
    let sources = fs::read_to_string(binary.with_extension("d")).unwrap_or_default();
    let newer = sources
        .split_whitespace()
        .skip(1)
        .find(|source| modified(Path::new(source)).is_some_and(|changed| changed > built));
    if let Some(source) = newer {
        panic!("{} is older than {source}; {remedy}", binary.display());
    }
    binary
}

/// A folder of a test's own, below the build folder. It goes when the value does, unless the test has failed:
/// then it stays until the next run, and its path is printed.
#[derive(Debug)]
pub struct Scratch {
    folder: Option<TempDir>,
}

impl Scratch {
    /// A new, empty folder; `name` becomes part of its path.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let parent = profile_folder().join("../tmp");
        fs::create_dir_all(&parent).expect("the folder for scratch folders");
        sweep(&parent);
        let folder = tempfile::Builder::new()
            .prefix(&format!("{PREFIX}{}-{name}-", std::process::id()))
            .tempdir_in(parent.canonicalize().expect("it is there"))
            .expect("a scratch folder");
        Self { folder: Some(folder) }
    }

    /// Its absolute path.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.as_ref().expect("there until dropped").path()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(folder) = self.folder.take()
        {
            eprintln!("kept for a look: {}", folder.keep().display());
        }
    }
}

const PREFIX: &str = "scratch-";

/// Removes what earlier runs have kept, and what a static has kept because nobody drops one.
fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name
            .to_str()
            .and_then(|name| name.strip_prefix(PREFIX)?.split('-').next());
        if owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// `target/debug` for a test in `target/debug/deps`.
fn profile_folder() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it is");
    test.ancestors()
        .nth(2)
        .expect("cargo puts tests into PROFILE/deps")
        .to_owned()
}

fn modified(file: &Path) -> Option<SystemTime> {
    fs::metadata(file).ok()?.modified().ok()
}

/// The ids of a user of this machine and of its group.
pub(crate) fn user(name: &str) -> Option<(u32, u32)> {
    let users = fs::read_to_string("/etc/passwd").expect("/etc/passwd");
    let mut fields = users
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?
        .split(':');
    Some((fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?))
}
