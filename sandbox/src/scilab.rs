//! Inputs as Scilab's assignments, Scilab having no JSON in all its versions.
//!
//! A list becomes a matrix where it is one (numbers, booleans or texts alone, or rows of them of one length), else a `list`.
//! An object becomes a struct, null becomes `[]`. Numbers are doubles, as everything in Scilab.

use serde_json::{Map, Value as Json};

/// Words that name no variable.
const KEYWORDS: [&str; 30] = [
    "abort",
    "break",
    "case",
    "catch",
    "clear",
    "continue",
    "do",
    "else",
    "elseif",
    "end",
    "endfunction",
    "exit",
    "for",
    "function",
    "help",
    "hidden",
    "if",
    "inline",
    "pause",
    "quit",
    "resume",
    "return",
    "select",
    "switch",
    "then",
    "try",
    "what",
    "while",
    "who",
    "otherwise",
];

/// Longer texts, and matrices of more elements, are put together beforehand: Scilab reads no literal of more than 16 KiB, and
/// a long matrix by the second.
const LONGEST_TEXT: usize = 2000;
const MOST_ELEMENTS: usize = 64;
/// Of long sums, such as a text with many codes would be, its parser dies.
const MOST_CONTROLS: usize = 16;

/// Lines that set each input. An error tells the name or the place that Scilab has no word for.
pub(crate) fn assignments(inputs: &Map<String, Json>) -> Result<String, String> {
    let mut said = String::new();
    for (name, value) in inputs {
        if !is_identifier(name) {
            return Err(format!(
                "the input `{name}` is no name of a variable in Scilab: letters, digits and _ make one, a digit is not \
                 the first, and it is none of Scilab's own words"
            ));
        }
        let mut words = Words::default();
        words.write(value, name)?;
        said += &format!("{}{name}={};\n", words.before, words.said);
        for part in 1..=words.parts {
            said += &format!("clear procos_{part};\n");
        }
    }
    Ok(said)
}

fn is_identifier(name: &str) -> bool {
    let starts = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    starts
        && name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_')
        // What the harness calls its own.
        && !name.starts_with("procos_")
        && !KEYWORDS.contains(&name)
}

/// What is said of one input.
#[derive(Default)]
struct Words {
    /// Statements that come before, setting variables.
    before: String,
    /// How many these are.
    parts: usize,
    said: String,
}

impl Words {
    /// `place` is what an error calls the value.
    fn write(&mut self, value: &Json, place: &str) -> Result<(), String> {
        match value {
            Json::Null => self.said.push_str("[]"),
            Json::Bool(value) => self.said.push_str(if *value { "%t" } else { "%f" }),
            Json::Number(number) => self.said.push_str(&number.to_string()),
            Json::String(text) => self.write_text(text, place)?,
            Json::Array(list) => match rows(list) {
                Some(rows) => self.write_matrix(&rows, place)?,
                None => {
                    self.said.push_str("list(");
                    for (at, element) in list.iter().enumerate() {
                        self.separate(at);
                        self.write(element, &format!("{place}({})", at + 1))?;
                    }
                    self.said.push(')');
                }
            },
            Json::Object(members) => {
                self.said.push_str("struct(");
                for (at, (name, member)) in members.iter().enumerate() {
                    self.separate(at);
                    let place = format!("{place}.{name}");
                    self.write_text(name, &place)?;
                    self.said.push(',');
                    self.write(member, &place)?;
                }
                self.said.push(')');
            }
        }
        Ok(())
    }

    fn separate(&mut self, at: usize) {
        if at > 0 {
            self.said.push(',');
        }
    }

    fn write_matrix(&mut self, rows: &[&[Json]], place: &str) -> Result<(), String> {
        let columns = rows.first().map_or(0, |row| row.len());
        let elements = || rows.iter().copied().flatten();
        if rows.len() * columns > MOST_ELEMENTS && elements().all(|element| !element.is_string()) {
            self.write_numbers(elements(), rows.len(), columns);
            return Ok(());
        }
        self.said.push('[');
        for (at, row) in rows.iter().enumerate() {
            if at > 0 {
                self.said.push(';');
            }
            for (at, element) in row.iter().enumerate() {
                self.separate(at);
                self.write(element, place)?;
            }
        }
        self.said.push(']');
        Ok(())
    }

    /// Many numbers, or booleans, by way of their text.
    fn write_numbers<'a>(&mut self, elements: impl Iterator<Item = &'a Json>, rows: usize, columns: usize) {
        let part = self.part();
        let mut text = String::new();
        let mut are_booleans = false;
        let put = |before: &mut String, text: &mut String| {
            *before += &format!("{part}=[{part};strtod(tokens(\"{text}\",\",\"))];\n");
            text.clear();
        };
        for element in elements {
            let word = match element {
                Json::Bool(value) => {
                    are_booleans = true;
                    u8::from(*value).to_string()
                }
                number => number.to_string(),
            };
            if text.len() + word.len() >= LONGEST_TEXT {
                put(&mut self.before, &mut text);
            }
            if !text.is_empty() {
                text.push(',');
            }
            text += &word;
        }
        put(&mut self.before, &mut text);
        // Scilab counts down the columns.
        self.said += &format!(
            "(matrix({part},{columns},{rows})'{})",
            if are_booleans { "==1" } else { "" }
        );
    }

    /// A text in quotes, both kinds of which are doubled in it; what is not printed goes by its code.
    fn write_text(&mut self, text: &str, place: &str) -> Result<(), String> {
        if text.contains('\0') {
            return Err(format!(
                "the input `{place}` holds a NUL, which ends a text in Scilab"
            ));
        }
        let (piece, mut rest) = piece(text);
        if rest.is_empty() {
            self.said += &quoted(piece);
            return Ok(());
        }
        let part = self.part();
        self.before += &format!("{part}(1)={};\n", quoted(piece));
        for at in 2.. {
            let (next, further) = self::piece(rest);
            self.before += &format!("{part}({at})={};\n", quoted(next));
            rest = further;
            if rest.is_empty() {
                break;
            }
        }
        self.said += &format!("strcat({part})");
        Ok(())
    }

    /// A new variable for what comes before.
    fn part(&mut self) -> String {
        self.parts += 1;
        let part = format!("procos_{}", self.parts);
        self.before += &format!("{part}=[];\n");
        part
    }
}

/// As much of a text as one literal takes, and the rest.
fn piece(text: &str) -> (&str, &str) {
    let controls = text.char_indices().filter(|(_, char)| char.is_control());
    let too_many = controls
        .map(|(at, _)| at)
        .nth(MOST_CONTROLS)
        .unwrap_or(text.len());
    text.split_at(text.floor_char_boundary(LONGEST_TEXT).min(too_many))
}

fn quoted(text: &str) -> String {
    let mut said = String::from('"');
    for char in text.chars() {
        match char {
            '"' | '\'' => {
                said.push(char);
                said.push(char);
            }
            char if char.is_control() => {
                let codes: Vec<String> = char.to_string().bytes().map(|byte| byte.to_string()).collect();
                said += &format!("\"+ascii([{}])+\"", codes.join(","));
            }
            char => said.push(char),
        }
    }
    said.push('"');
    if text.contains(char::is_control) {
        said = format!("({said})");
    }
    said
}

/// The rows of a matrix, where a list is one.
fn rows(list: &[Json]) -> Option<Vec<&[Json]>> {
    if list.is_empty() {
        return Some(Vec::new());
    }
    if is_row(list) {
        return Some(vec![list]);
    }
    let rows: Vec<&[Json]> = list
        .iter()
        .map(|row| row.as_array().map(Vec::as_slice).filter(|row| is_row(row)))
        .collect::<Option<_>>()?;
    let first = rows.first()?;
    rows.iter()
        .all(|row| row.len() == first.len() && kind(&row[0]) == kind(&first[0]))
        .then_some(rows)
}

/// Whether these are elements of one kind.
fn is_row(list: &[Json]) -> bool {
    list.first()
        .and_then(kind)
        .is_some_and(|first| list.iter().all(|element| kind(element) == Some(first)))
}

/// What an element of a matrix may be.
fn kind(value: &Json) -> Option<u8> {
    match value {
        Json::Bool(_) => Some(0),
        Json::Number(_) => Some(1),
        Json::String(_) => Some(2),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(inputs: &Json) -> Result<String, String> {
        assignments(inputs.as_object().unwrap())
    }

    #[test]
    fn each_kind_of_value_has_its_word() {
        for (value, word) in [
            (json!(1), "1"),
            (json!(-2.5e-10), "-2.5e-10"),
            (json!(true), "%t"),
            (json!(null), "[]"),
            (json!("it's \"so\""), r#""it''s ""so""""#),
            (json!("a\nb"), r#"("a"+ascii([10])+"b")"#),
            (json!([]), "[]"),
            (json!([1, 2.5]), "[1,2.5]"),
            (json!([[1, 2], [3, 4]]), "[1,2;3,4]"),
            (json!(["x", "y"]), r#"["x","y"]"#),
            (json!([true, false]), "[%t,%f]"),
            (json!([1, "x", null]), r#"list(1,"x",[])"#),
            (json!([[1], [2, 3]]), "list([1],[2,3])"),
            (json!([[1], ["x"]]), r#"list([1],["x"])"#),
            (json!([[]]), "list([])"),
            (json!([[[1]]]), "list([1])"),
            (json!([{"u": 1}]), r#"list(struct("u",1))"#),
            (
                json!({"k": [], "l m": {"n": false}}),
                r#"struct("k",[],"l m",struct("n",%f))"#,
            ),
        ] {
            assert_eq!(said(&json!({"x": value})).unwrap(), format!("x={word};\n"));
        }
    }

    #[test]
    fn no_line_is_longer_than_scilab_reads() {
        let inputs = json!({
            "numbers": vec![-1.0 / 3.0; 5000],
            "rows": vec![vec![true; 100]; 50],
            "text": "é\n'".repeat(10_000),
        });
        let said = said(&inputs).unwrap();
        // Doubled quotes and codes make a text longer.
        assert!(
            said.lines().all(|line| line.len() < 16 * 1024),
            "{}",
            said.lines().map(str::len).max().unwrap()
        );
    }

    #[test]
    fn what_is_no_variable_is_refused_by_name() {
        for name in ["", "1a", "a b", "é", "%pi", "function", "a;b", "procos_x"] {
            let error = said(&json!({name: 1})).unwrap_err();
            assert!(error.contains(&format!("`{name}`")), "{error}");
        }
    }

    #[test]
    fn a_nul_is_refused_with_its_place() {
        let error = said(&json!({"a": {"b": [1, "x\u{0}"]}})).unwrap_err();
        assert!(error.contains("`a.b(2)`"), "{error}");
    }
}
