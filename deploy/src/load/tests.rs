//! Trees of files, and what of them is deployed.

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

/// A model with a task that names a script.
fn naming(path: &str) -> String {
    format!(
        r#"<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:camunda="http://camunda.org/schema/1.0/bpmn">
  <process id="p" isExecutable="true" camunda:historyTimeToLive="P1D">
  <serviceTask id="t" camunda:type="external" camunda:topic="python_script"><extensionElements><camunda:inputOutput>
    <camunda:inputParameter name="script_path">{path}</camunda:inputParameter>
  </camunda:inputOutput></extensionElements></serviceTask></process></definitions>"#
    )
}

#[test]
fn the_scripts_that_models_name_come_along_and_no_others() {
    let root = tree(&["a.py", "lib/b.py", "sub/c.py", "c.py", "other.py", "notes.txt"]);
    let write = |name: &str, path: &str| std::fs::write(root.path().join(name), naming(path)).unwrap();
    write("a.bpmn", "lib/b.py");
    write("sub/own.bpmn", "c.py");
    write("sub/roots.bpmn", "a.py");
    for (name, path) in [
        ("w.bpmn", "${x}.py"),
        ("x.bpmn", "../a.py"),
        ("y.bpmn", "missing.py"),
        ("z.bpmn", "notes.txt"),
    ] {
        write(name, path);
    }
    let bundle = load(&[root.path()]).unwrap();
    let scripts: Vec<_> = resources(&bundle)
        .into_iter()
        .filter(|name| !name.ends_with(".bpmn"))
        .collect();
    assert_eq!(scripts, ["a.py", "lib/b.py", "sub/c.py"]);
    assert!(bundle.holds_together());
    assert!(bundle.holds_script("sub/own.bpmn", "c.py") && bundle.holds_script("sub/roots.bpmn", "a.py"));
    assert!(!bundle.holds_script("y.bpmn", "missing.py"));
    let alone = load(&[root.path().join("a.bpmn")]).unwrap();
    assert_eq!(resources(&alone), ["a.bpmn", "lib/b.py"]);
    assert_eq!(alone.name(), bundle.name());
}

#[test]
fn a_script_that_is_given_goes_under_the_name_by_which_a_model_can_mean_it() {
    let (root, other) = (tree(&["lib/b.py"]), tree(&["c.sh"]));
    std::fs::write(root.path().join("a.bpmn"), naming("${x}")).unwrap();
    let paths = [
        root.path().join("a.bpmn"),
        root.path().join("lib/b.py"),
        other.path().join("c.sh"),
    ];
    let bundle = load(&paths).unwrap();
    assert_eq!(resources(&bundle), ["a.bpmn", "c.sh", "lib/b.py"]);
    let alone = load(&paths[2..]).unwrap_err();
    assert!(
        matches!(&alone, LoadError::ScriptAlone(path) if *path == paths[2]),
        "{alone}"
    );
}

#[test]
fn what_is_only_checked_may_have_other_names_and_the_same_twice() {
    let root = tree(&[
        "a/x.bpmn",
        "b/x.bpmn",
        "c/y.bpmn20.xml",
        "c/z.cmmn",
        "c/platform",
        "c/pom.xml",
    ]);
    let path = |file: &str| root.path().join(file);
    let bundle = load_to_check(&[path("a/x.bpmn"), path("b/x.bpmn"), path("c")]).unwrap();
    let mut files: Vec<_> = bundle
        .models()
        .iter()
        .map(|model| Path::new(&model.file).strip_prefix(root.path()).unwrap())
        .collect();
    files.sort();
    let wanted = ["a/x.bpmn", "b/x.bpmn", "c/y.bpmn20.xml", "c/z.cmmn"];
    assert_eq!(files, wanted.map(Path::new));
    assert!(matches!(load(&[path("c")]), Err(LoadError::Empty(_))));
}
