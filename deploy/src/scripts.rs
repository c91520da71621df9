//! Scripts that go along with the models that name them.

use std::path::{Path, PathBuf};

use bpmn::{Input, TopicUse};

use crate::Model;

/// The input parameter in which a model names a script's file.
const SCRIPT_PATH: &str = "script_path";

/// What the name of a script's file ends with.
const SUFFIXES: [&str; 6] = ["py", "js", "mjs", "cjs", "sh", "sce"];

/// A script that a task names, by its path from the model's own file on.
#[derive(Clone, Copy, Debug)]
pub struct NamedScript<'m> {
    /// The task, with its topic.
    pub task: TopicUse<'m>,
    /// Where it is named.
    pub input: &'m Input,
    /// The path.
    pub path: &'m str,
}

/// The scripts that a model's tasks name as they are: not those that an expression comes to.
pub fn named_scripts(model: &bpmn::Model) -> impl Iterator<Item = NamedScript<'_>> {
    model.topics().filter_map(|task| {
        let input = task.node.input(SCRIPT_PATH)?;
        let path = input.value.as_deref()?;
        let is_literal = !path.is_empty() && !path.contains("${") && !path.contains("#{");
        is_literal.then_some(NamedScript { task, input, path })
    })
}

pub(crate) fn is_script(name: &str) -> bool {
    let suffix = Path::new(name).extension();
    suffix.is_some_and(|suffix| SUFFIXES.iter().any(|known| suffix == *known))
}

/// The names in a deployment under which a script is looked for: from the model's folder on, then from the root.
pub(crate) fn resources(model: &str, path: &str) -> [String; 2] {
    let folder = model.rfind('/').map_or("", |end| &model[..=end]);
    [format!("{folder}{path}"), path.to_owned()]
}

/// Where the files of the scripts may lie that a model names, each with its name in the deployment.
pub(crate) fn wanted(model: &Model) -> Vec<[(String, PathBuf); 2]> {
    let (read, _) = bpmn::read(&model.file, &model.content);
    let Some(read) = read else {
        return Vec::new();
    };
    // The folder that the deployment's names count from: the file's own path less its name there.
    let file = Path::new(&model.file);
    let depth = model.resource.split('/').count();
    let root = file.ancestors().nth(depth).unwrap_or(Path::new(""));
    named_scripts(&read)
        .filter(|script| is_inside(script.path))
        .map(|script| resources(&model.resource, script.path).map(|name| (name.clone(), root.join(name))))
        .collect()
}

/// Whether a path leads to a script below the folder that it counts from.
fn is_inside(path: &str) -> bool {
    is_script(path) && !path.contains('\\') && !path.split('/').any(|part| matches!(part, "" | "." | ".."))
}

impl crate::Bundle {
    /// Whether a script that the model of this resource names is deployed with it.
    #[must_use]
    pub fn holds_script(&self, model: &str, path: &str) -> bool {
        let names = resources(model, path);
        self.models().iter().any(|one| names.contains(&one.resource))
    }
}
