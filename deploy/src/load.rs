//! From files and directories to a bundle.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use bpmn::FileKind;
use walkdir::WalkDir;

use crate::{Bundle, Model, scripts};

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
    #[error("{} is not a model: deploy takes .bpmn, .dmn and .form files, and beside them scripts", .0.display())]
    NotAModel(PathBuf),
    /// Scripts without a model.
    #[error("{} is a script, which is deployed beside the model that names it: give the model, too", .0.display())]
    ScriptAlone(PathBuf),
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

/// Reads models: files as they are named, directories with everything below them but hidden entries. The scripts that
/// the models name in `script_path` come along where they lie below the models' folder, and others where they are given. The
/// deployment's name is `procos:` and the directories' names, so that deploying a file alone or with its directory
/// finds the same earlier deployment.
///
/// Blocks while it reads.
///
/// # Errors
/// Where a path is missing, holds no model, or cannot be read: each names the path.
pub fn load(paths: &[impl AsRef<Path>]) -> Result<Bundle, LoadError> {
    read(paths, Found::default())
}

/// Reads what is only to be checked: besides what [`load`] takes, whatever an engine would take for a model by the end
/// of its name (`x.bpmn20.xml`, `order.cmmn`), and files of one name from several folders.
///
/// Blocks while it reads.
///
/// # Errors
/// Where a path is missing, holds no model, or cannot be read: each names the path.
pub fn load_to_check(paths: &[impl AsRef<Path>]) -> Result<Bundle, LoadError> {
    let found = Found {
        only_checks: true,
        ..Found::default()
    };
    read(paths, found)
}

fn read(paths: &[impl AsRef<Path>], mut found: Found) -> Result<Bundle, LoadError> {
    let mut given = Vec::new();
    for path in paths.iter().map(AsRef::as_ref) {
        let about = std::fs::metadata(path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => LoadError::Missing(path.into()),
            _ => unreadable(path)(error),
        })?;
        if about.is_dir() {
            found.directory(path)?;
        } else if about.is_file() && found.takes(path) {
            found.file(path, path.file_name().map(PathBuf::from).unwrap_or_default())?;
            found.root(path.parent().filter(|parent| !parent.as_os_str().is_empty()))?;
        } else if about.is_file() && path.to_str().is_some_and(scripts::is_script) {
            given.push(path);
        } else {
            return Err(LoadError::NotAModel(path.into()));
        }
    }
    match given.first() {
        Some(script) if found.models.is_empty() => return Err(LoadError::ScriptAlone(script.into())),
        _ => found.scripts(&given)?,
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
    /// Nothing of it will be deployed.
    only_checks: bool,
}

impl Found {
    fn takes(&self, path: &Path) -> bool {
        is_model(path) || self.only_checks && is_model_to_engines(path)
    }

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
            if entry.file_type().is_file() && self.takes(entry.path()) {
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

    /// The scripts that are given, and those that the models name.
    fn scripts(&mut self, given: &[&Path]) -> Result<(), LoadError> {
        let models: Vec<Model> = self.models.values().map(|(_, model)| model.clone()).collect();
        for script in given {
            let real = script.canonicalize().map_err(unreadable(script))?;
            // Under the name by which a model beside it, or above it, can mean it.
            let folders = models.iter().filter_map(|model| Path::new(&model.file).parent());
            let below = folders.filter_map(|folder| {
                let folder = if folder.as_os_str().is_empty() {
                    Path::new(".")
                } else {
                    folder
                };
                real.strip_prefix(folder.canonicalize().ok()?)
                    .ok()
                    .map(PathBuf::from)
            });
            let name = below.min_by_key(|path| path.components().count());
            self.file(
                script,
                name.unwrap_or_else(|| script.file_name().unwrap_or_default().into()),
            )?;
        }
        for model in models.iter().filter(|model| model.is_bpmn()) {
            for candidates in scripts::wanted(model) {
                let there = candidates.iter().find(|(_, path)| path.is_file());
                if let Some((name, path)) = there
                    && !self.models.contains_key(name)
                {
                    self.file(path, name.into())?;
                }
            }
        }
        Ok(())
    }

    /// The same file given twice is one.
    fn file(&mut self, path: &Path, below_root: PathBuf) -> Result<(), LoadError> {
        let real = path.canonicalize().map_err(unreadable(path))?;
        let mut resource = text(&below_root)?.replace(std::path::MAIN_SEPARATOR, "/");
        if self.only_checks
            && self
                .models
                .get(&resource)
                .is_some_and(|(other, _)| *other != real)
        {
            text(path)?.clone_into(&mut resource);
        }
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

/// Engines look at the name's end alone. A form has to be called one: `platform` is more likely something else.
fn is_model_to_engines(path: &Path) -> bool {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    matches!(
        FileKind::of(name, b""),
        FileKind::Bpmn | FileKind::Dmn | FileKind::Cmmn
    )
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
mod tests;
