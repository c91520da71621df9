//! Variables as they are given on the command line and in files.

use std::collections::BTreeMap;
use std::path::Path;

use diagnostics::{Diagnostic, LineIndex, Position};
use engine_client::Variables;
use serde_json::{Map, Value as Json};

use crate::args::Variable;
use crate::exit::Trouble;
use crate::output::Theme;

/// The variables of `--var`, over those of a file.
///
/// # Errors
/// Where the file is not there or holds no JSON object, with the place; where a name is given twice.
pub(crate) fn read(variables: Vec<Variable>, file: Option<&Path>) -> Result<Variables, Trouble> {
    let mut all: BTreeMap<String, Json> = match file {
        Some(file) => object(file)?.into_iter().collect(),
        None => BTreeMap::new(),
    };
    let mut given = BTreeMap::new();
    for Variable { name, value } in variables {
        if given.contains_key(&name) {
            return Err(Trouble::usage(format!(
                "--var gives `{name}` twice; leave one out"
            )));
        }
        given.insert(name, value);
    }
    all.extend(given);
    Ok(all
        .into_iter()
        .map(|(name, value)| (name, value.into()))
        .collect())
}

fn object(path: &Path) -> Result<Map<String, Json>, Trouble> {
    let file = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Trouble::usage(format!("the file {file} of --vars cannot be read: {error}")))?;
    serde_json::from_str(&text).map_err(|error| {
        let finding = Diagnostic::error(
            "variables",
            &file,
            format!("{file} holds no JSON object: {}", said(&error)),
        )
        .at(LineIndex::new(&text).range(place(&text, &error)))
        .help("write one object, a variable a field: {\"amount\": 2, \"customer\": \"Ada\"}");
        let source = |_: &str| Some(text.as_str());
        Trouble::usage(diagnostics::render(
            &finding,
            source,
            Theme::stderr().is_coloured(),
        ))
    })
}

/// What the reader says, without the place: that is shown.
fn said(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or_default().to_owned()
}

/// The character at which the reader gave up. It counts bytes, from 1; at the end of a line one too many.
fn place(text: &str, error: &serde_json::Error) -> std::ops::Range<usize> {
    let line = u32::try_from(error.line()).unwrap_or(u32::MAX);
    let start = LineIndex::new(text).offset(Position::new(line, 1)) + error.column().saturating_sub(1);
    let start = text.floor_char_boundary(start.min(text.len()));
    let character = text[start..].chars().next().map_or(0, char::len_utf8);
    start..start + character
}

#[cfg(test)]
mod tests {
    use engine_client::Variable as Value;

    use super::*;

    fn read_text(text: &str) -> Result<Variables, String> {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("vars.json");
        std::fs::write(&file, text).unwrap();
        read(vec!["amount=2".parse().unwrap()], Some(&file)).map_err(|trouble| {
            trouble
                .message
                .replace(&directory.path().display().to_string(), "DIR")
        })
    }

    #[test]
    fn flags_win_over_the_file() {
        let variables = read_text(r#"{"amount": 1, "customer": "Ada"}"#).unwrap();
        assert_eq!(variables["amount"], Value::Integer(2));
        assert_eq!(variables["customer"], Value::String("Ada".into()));
    }

    #[test]
    fn a_name_that_is_given_twice_is_refused() {
        let twice = ["a=1", "a=2"].map(|text| text.parse().unwrap());
        let error = read(twice.to_vec(), None).unwrap_err();
        assert_eq!(error.message, "--var gives `a` twice; leave one out");
    }

    #[test]
    fn a_file_that_is_no_object_is_refused_with_its_place() {
        insta::assert_snapshot!(read_text("{\"a\": 1,\n \"größe\": Ada}\n").unwrap_err());
        insta::assert_snapshot!(read_text("[1]").unwrap_err());
        insta::assert_snapshot!(read_text("").unwrap_err());
        assert!(
            read(Vec::new(), Some(Path::new("/nowhere.json")))
                .unwrap_err()
                .message
                .contains("/nowhere.json")
        );
    }
}
