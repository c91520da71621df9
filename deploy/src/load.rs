//! From files and directories to a bundle.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use crate::{Bundle, Model};

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

/// What the engine is given; it tells by these suffixes what a resource is.
const SUFFIXES: [&str; 3] = ["bpmn", "dmn", "form"];

/// Reads models: files as they are named, directories with everything below them but hidden entries. The
/// deployment's name is `procos:` and the directories' names, so that deploying a file alone or with its directory
/// finds the same earlier deployment.
///
/// Blocks while it reads.
///
/// # Errors
/// Where a path is missing, holds no model, or cannot be read: each names the path.
pub fn load(paths: &[impl AsRef<Path>]) -> Result<Bundle, LoadError> {
    let mut found = Found::default();
    for path in paths.iter().map(AsRef::as_ref) {
        let about = std::fs::metadata(path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => LoadError::Missing(path.into()),
            _ => unreadable(path)(error),
        })?;
        if about.is_dir() {
            found.directory(path)?;
        } else if about.is_file() && is_model(path) {
            found.file(path, path.file_name().map(PathBuf::from).unwrap_or_default())?;
            found.root(path.parent().filter(|parent| !parent.as_os_str().is_empty()))?;
        } else {
            return Err(LoadError::NotAModel(path.into()));
        }
    }
    if found.models.is_empty() {
        return Err(LoadError::NoPaths);
    }
    let name = format!("procos:{}", Vec::from_iter(found.roots).join("+"));
    Ok(Bundle::new(
        name,
        found.models.into_values().map(|(_, model)| model).collect(),
    ))
}

/// Models by resource name with the true path of each, and the names of the directories that hold them.
#[derive(Default)]
struct Found {
    models: BTreeMap<String, (PathBuf, Model)>,
    roots: BTreeSet<String>,
}

impl Found {
    fn directory(&mut self, root: &Path) -> Result<(), LoadError> {
        let entries = WalkDir::new(root)
            .follow_links(true)
            .sort_by_file_name()
            .into_iter();
        let mut empty = true;
        // The root itself may be called what it likes.
        for entry in entries.filter_entry(|entry| entry.depth() == 0 || !is_hidden(entry.path())) {
            let entry = entry.map_err(|error| LoadError::Unreadable {
                path: error.path().unwrap_or(root).into(),
                source: error.into(),
            })?;
            if entry.file_type().is_file() && is_model(entry.path()) {
                let below = entry.path().strip_prefix(root).unwrap_or(entry.path());
                self.file(entry.path(), below.into())?;
                empty = false;
            }
        }
        if empty {
            return Err(LoadError::Empty(root.into()));
        }
        self.root(Some(root))
    }

    /// The same file given twice is one.
    fn file(&mut self, path: &Path, below_root: PathBuf) -> Result<(), LoadError> {
        let real = path.canonicalize().map_err(unreadable(path))?;
        let resource = text(&below_root)?.replace(std::path::MAIN_SEPARATOR, "/");
        match self.models.get(&resource) {
            Some((other, _)) if *other == real => return Ok(()),
            Some((_, other)) => {
                return Err(LoadError::SameResource {
                    resource,
                    first: PathBuf::from(&other.file),
                    second: path.into(),
                });
            }
            None if self.models.values().any(|(other, _)| *other == real) => return Ok(()),
            None => {}
        }
        let model = Model {
            resource: resource.clone(),
            file: text(path)?.to_owned(),
            content: std::fs::read(path).map_err(unreadable(path))?.into(),
        };
        self.models.insert(resource, (real, model));
        Ok(())
    }

    /// Notes a root's name; `.` has one, too.
    fn root(&mut self, path: Option<&Path>) -> Result<(), LoadError> {
        let path = path.unwrap_or(Path::new("."));
        let real = path.canonicalize().map_err(unreadable(path))?;
        self.roots.insert(match real.file_name() {
            Some(name) => text(Path::new(name))?.to_owned(),
            None => "/".to_owned(),
        });
        Ok(())
    }
}

fn is_model(path: &Path) -> bool {
    path.extension()
        .is_some_and(|suffix| SUFFIXES.iter().any(|known| suffix == *known))
}

fn is_hidden(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn text(path: &Path) -> Result<&str, LoadError> {
    path.to_str().ok_or_else(|| LoadError::NotUtf8(path.into()))
}

fn unreadable(path: &Path) -> impl FnOnce(std::io::Error) -> LoadError {
    let path = path.to_owned();
    move |source| LoadError::Unreadable { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[&str]) -> tempfile::TempDir {
        let root = tempfile::Builder::new().prefix("models").tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, *file).unwrap();
        }
        root
    }

    fn resources(bundle: &Bundle) -> Vec<&str> {
        bundle
            .models()
            .iter()
            .map(|model| model.resource.as_str())
            .collect()
    }

    #[test]
    fn a_directory_gives_its_models_under_names_relative_to_it() {
        let root = tree(&[
            "b.bpmn",
            "sub/a.dmn",
            "sub/c.form",
            "notes.txt",
            ".git/x.bpmn",
            "x.bpmn20.xml",
        ]);
        let bundle = load(&[root.path()]).unwrap();
        assert_eq!(resources(&bundle), ["b.bpmn", "sub/a.dmn", "sub/c.form"]);
        assert_eq!(
            bundle.models()[0].file,
            root.path().join("b.bpmn").to_str().unwrap()
        );
        let directory = root.path().file_name().unwrap().to_str().unwrap();
        assert_eq!(bundle.name(), format!("procos:{directory}"));
    }

    #[test]
    fn a_file_alone_is_deployed_under_the_same_names_as_with_its_directory() {
        let root = tree(&["b.bpmn", "c.bpmn"]);
        let (alone, all) = (
            load(&[root.path().join("b.bpmn")]).unwrap(),
            load(&[root.path()]).unwrap(),
        );
        assert_eq!(resources(&alone), ["b.bpmn"]);
        assert_eq!(alone.name(), all.name());
    }

    #[test]
    fn the_same_file_twice_is_one_and_two_of_a_name_are_refused() {
        let root = tree(&["one/a.bpmn", "two/a.bpmn"]);
        let one = root.path().join("one");
        assert_eq!(
            load(&[one.clone(), one.join("a.bpmn")]).unwrap().models().len(),
            1
        );
        let error = load(&[one, root.path().join("two")]).unwrap_err().to_string();
        assert!(
            error.contains("one/a.bpmn") && error.contains("two/a.bpmn"),
            "{error}"
        );
    }

    #[test]
    fn what_cannot_be_deployed_is_named() {
        let root = tree(&["notes.txt"]);
        let missing = root.path().join("nothing");
        assert!(matches!(load(&[&missing]), Err(LoadError::Missing(path)) if path == missing));
        assert!(matches!(load(&[root.path()]), Err(LoadError::Empty(path)) if path == root.path()));
        let notes = root.path().join("notes.txt");
        assert!(matches!(load(&[&notes]), Err(LoadError::NotAModel(path)) if path == notes));
        assert!(matches!(load(&[] as &[&Path]), Err(LoadError::NoPaths)));
    }

    #[cfg(unix)]
    #[test]
    fn a_loop_of_links_ends() {
        let root = tree(&["sub/a.bpmn"]);
        std::os::unix::fs::symlink(root.path(), root.path().join("sub/again")).unwrap();
        assert!(matches!(load(&[root.path()]), Err(LoadError::Unreadable { .. })));
    }
}
