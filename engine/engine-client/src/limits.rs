//! What an engine can keep of a report and of a variable's value, checked before anything is sent: the engine would
//! refuse it each time it is sent, mostly without telling which value it is.
//!
//! The figures are those of Camunda 7.24: its tables (`activiti.*.create.engine.sql`), `ExternalTaskEntity`,
//! `FileValueSerializer`, `VariableValueDto`, and the JSON parser that its REST API comes with. Tried on H2 and
//! PostgreSQL. Lengths of text are in UTF-16 code units, as Java and H2 count; PostgreSQL counts code points, so what
//! fits in the former fits in the latter.

use std::borrow::Cow;
use std::io;

use jiff::Timestamp;
use jiff::civil::date;
use jiff::tz::TimeZone;
use mime::Mime;
use serde_json::Value as Json;

use crate::{Variable, Variables};

/// A failure's message. The engine cuts a longer one at this place, through the middle of a character where it falls
/// there; what it then answers is no JSON that everybody can read.
pub const LONGEST_MESSAGE: usize = 666;

/// Text that is kept as a String, such as the message of a BPMN error in the variable that the model names for it.
pub const LONGEST_STRING: usize = 4000;

/// A variable's name, a business key, a topic, a worker's id.
pub const LONGEST_NAME: usize = 255;

/// The bytes of a Bytes or File value: the engine's REST API reads no text of more than 20,000,000 characters in JSON,
/// and content travels there as base64.
pub const LARGEST_CONTENT: usize = 15_000_000;

/// A Json value's text, for the same reason.
pub const LONGEST_JSON: usize = 20_000_000;

/// How deep objects and lists nest in a Json value: no client that reads JSON as this one does can read it back where
/// they nest deeper. The engine's own expressions end at 1000.
pub const DEEPEST_JSON: usize = 127;

/// A value that the engine cannot keep.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the variable `{name}` {problem}; {remedy}")]
pub struct UnrepresentableValue {
    /// The variable's name; the start of it where it is too long.
    pub name: String,
    /// What the engine cannot keep of it, and what the limit is.
    pub problem: String,
    /// What to do about it.
    pub remedy: &'static str,
}

/// Whether the engine can keep the variables.
///
/// # Errors
/// The first that it cannot keep.
pub fn check(variables: &Variables) -> Result<(), UnrepresentableValue> {
    variables.iter().try_for_each(|(name, variable)| {
        check_name(name)
            .and_then(|()| check_value(variable))
            .map_err(|(problem, remedy)| UnrepresentableValue {
                name: shortened(name, 60).into_owned(),
                problem,
                remedy,
            })
    })
}

/// Whether the engine, on whatever database, can keep the text as a String. PostgreSQL keeps no zero character.
pub(crate) fn fits_string(text: &str) -> bool {
    !is_longer_than(text, LONGEST_STRING) && !text.contains('\0')
}

/// The start of a text, in so many UTF-16 code units, with `…` at its end where something is left out; and without
/// the zero character, which PostgreSQL cannot keep in text: a report with it would be refused for ever.
#[must_use]
pub fn shortened(text: &str, longest: usize) -> Cow<'_, str> {
    let text = match text.contains('\0') {
        true => Cow::Owned(text.replace('\0', "\u{fffd}")),
        false => Cow::Borrowed(text),
    };
    if !is_longer_than(&text, longest) {
        return text;
    }
    let mut room = longest.saturating_sub(1);
    let kept = text.chars().take_while(|character| {
        let fits = character.len_utf16() <= room;
        room = room.saturating_sub(character.len_utf16());
        fits
    });
    Cow::Owned(kept.chain(['…']).collect())
}

type Problem = (String, &'static str);

fn check_name(name: &str) -> Result<(), Problem> {
    if name.is_empty() {
        return Err(("has an empty name".into(), "give it one"));
    }
    if name.contains('\0') {
        return Err(("has a zero character in its name".into(), "give it another name"));
    }
    if is_longer_than(name, LONGEST_NAME) {
        return Err((
            format!("has a name of more than {LONGEST_NAME} characters"),
            "give it a shorter name",
        ));
    }
    Ok(())
}

fn check_value(variable: &Variable) -> Result<(), Problem> {
    match variable {
        Variable::Double(value) if !value.is_finite() => Err((
            format!("is {value}, which is no number that can be stored"),
            "give it as text, or leave it out",
        )),
        Variable::Date(value) if *value < first_date() => Err((
            format!("is the date {value}, and the engine keeps none before the year 1"),
            "give it as text",
        )),
        Variable::String(text) if !fits_string(text) => check_json(&Json::from(text.as_str())),
        Variable::Json(value) => check_json(value),
        Variable::Bytes(content) => check_content(content.len()),
        Variable::File {
            name,
            media_type,
            encoding,
            content,
        } => {
            check_file(name, media_type.as_deref(), encoding.as_deref())?;
            check_content(content.as_ref().map_or(0, bytes::Bytes::len))
        }
        _ => Ok(()),
    }
}

fn check_content(bytes: usize) -> Result<(), Problem> {
    if bytes <= LARGEST_CONTENT {
        return Ok(());
    }
    Err((
        format!("has {bytes} bytes, and the engine takes {LARGEST_CONTENT} at the most"),
        "keep the content somewhere else, and put its address in the process",
    ))
}

fn check_json(value: &Json) -> Result<(), Problem> {
    if !nests_within(value, DEEPEST_JSON) {
        return Err((
            format!("is JSON whose objects and lists nest deeper than {DEEPEST_JSON}"),
            "give it as text, or make it flatter",
        ));
    }
    let mut length = Length(0);
    // Counting cannot fail, and a value has text for all its keys.
    let counted = serde_json::to_writer(&mut length, value);
    if counted.is_ok() && length.0 <= LONGEST_JSON {
        return Ok(());
    }
    Err((
        format!(
            "is JSON of {} bytes, and the engine takes {LONGEST_JSON} at the most",
            length.0
        ),
        "keep it somewhere else, and put its address in the process",
    ))
}

fn nests_within(value: &Json, deepest: usize) -> bool {
    match value {
        Json::Array(items) => deepest > 0 && items.iter().all(|item| nests_within(item, deepest - 1)),
        Json::Object(fields) => deepest > 0 && fields.values().all(|item| nests_within(item, deepest - 1)),
        _ => true,
    }
}

/// How the engine keeps both is `type#encoding`, and how it hands the content out is `type; charset=encoding`: a type
/// that no HTTP header can name makes the content unreadable for ever.
fn check_file(name: &str, media_type: Option<&str>, encoding: Option<&str>) -> Result<(), Problem> {
    if name.contains('\0') || is_longer_than(name, LONGEST_STRING) {
        return Err((
            format!(
                "is a file whose name is longer than {LONGEST_STRING} characters, or has a zero character"
            ),
            "give it another name",
        ));
    }
    let mut shown = media_type.unwrap_or("application/octet-stream").to_owned();
    if let Some(encoding) = encoding {
        shown.push_str("; charset=");
        shown.push_str(encoding);
    }
    if shown.contains('#') || is_longer_than(&shown, LONGEST_STRING) || shown.parse::<Mime>().is_err() {
        return Err((
            format!("is a file of the media type `{}`", shortened(&shown, 60)),
            "give one such as text/csv, with an encoding such as UTF-8",
        ));
    }
    Ok(())
}

/// The engine's date format has no era: an earlier date comes back as another one.
fn first_date() -> Timestamp {
    date(1, 1, 1)
        .to_zoned(TimeZone::UTC)
        .map_or(Timestamp::MIN, |first| first.timestamp())
}

fn is_longer_than(text: &str, longest: usize) -> bool {
    text.len() > longest && text.encode_utf16().count() > longest
}

/// Counts what is written to it.
struct Length(usize);

impl io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::json;

    use super::*;

    fn problem(name: &str, variable: Variable) -> Option<String> {
        let variables = Variables::from([(name.to_owned(), variable)]);
        check(&variables).err().map(|error| error.to_string())
    }

    fn nested(depth: usize) -> Json {
        (1..depth).fold(json!([]), |inner, _| json!([inner]))
    }

    fn file(name: &str, media_type: &str, encoding: Option<&str>) -> Variable {
        Variable::File {
            name: name.into(),
            media_type: Some(media_type.into()),
            encoding: encoding.map(str::to_owned),
            content: None,
        }
    }

    #[test]
    fn what_just_fits_passes() {
        for (name, variable) in [
            ("n".repeat(255), Variable::Null),
            ("a b-c.ä".into(), Variable::Integer(i64::MIN)),
            (
                "x".into(),
                Variable::Date("0001-01-01T00:00:00Z".parse().unwrap()),
            ),
            ("x".into(), Variable::Date(Timestamp::MAX)),
            ("x".into(), Variable::Bytes(vec![0; LARGEST_CONTENT].into())),
            ("x".into(), Variable::Json(nested(DEEPEST_JSON))),
            (
                "x".into(),
                Variable::Json(Json::from("a".repeat(LONGEST_JSON - 2))),
            ),
            ("x".into(), Variable::String("long\0".repeat(10_000))),
            ("x".into(), file("", "text/csv", Some("UTF-8"))),
            (
                "x".into(),
                file("ä.pdf", "application/vnd.a.b+json; version=1", None),
            ),
        ] {
            assert_eq!(problem(&name, variable), None, "{name}");
        }
    }

    #[test]
    fn what_does_not_fit_is_told_with_its_name_the_limit_and_a_remedy() {
        for (name, variable, said) in [
            ("", Variable::Null, "`` has an empty name; give"),
            ("a\0b", Variable::Null, "zero character in its name"),
            ("rate", Variable::Double(f64::NAN), "`rate` is NaN"),
            ("rate", Variable::Double(f64::NEG_INFINITY), "`rate` is -inf"),
            (
                "d",
                Variable::Date("0000-12-31T23:59:59Z".parse().unwrap()),
                "before the year 1",
            ),
            (
                "b",
                Variable::Bytes(vec![0; LARGEST_CONTENT + 1].into()),
                "15000001 bytes",
            ),
            (
                "j",
                Variable::Json(nested(DEEPEST_JSON + 1)),
                "nest deeper than 127",
            ),
            (
                "j",
                Variable::Json(Json::from("a".repeat(LONGEST_JSON))),
                "20000002 bytes",
            ),
            ("s", Variable::String("a".repeat(LONGEST_JSON)), "20000002 bytes"),
            ("f", file("a\0", "a/b", None), "a file whose name"),
            ("f", file(&"a".repeat(4001), "a/b", None), "a file whose name"),
            ("f", file("a", "no type", None), "`no type`"),
            ("f", file("a", "a#b/c", None), "`a#b/c`"),
            ("f", file("a", "text/csv", Some("no such")), "charset=no such"),
        ] {
            let told = problem(name, variable).unwrap();
            assert!(told.contains(said) && told.contains("; "), "{told}");
        }
        let told = problem(&"\u{1F600}".repeat(128), Variable::Null).unwrap();
        assert!(told.contains("more than 255") && told.len() < 400, "{told}");
    }

    #[test]
    fn this_client_reads_back_the_deepest_json_and_none_deeper() {
        let read = |depth| serde_json::from_str::<Json>(&nested(depth).to_string());
        assert!(read(DEEPEST_JSON).is_ok());
        assert!(read(DEEPEST_JSON + 1).is_err());
    }

    #[test]
    fn text_is_cut_between_characters_and_says_so() {
        assert_eq!(shortened("abc", 3), "abc");
        assert_eq!(shortened("abcd", 3), "ab…");
        assert_eq!(shortened("a\0b", 3), "a\u{fffd}b");
        // Two units each: one character and the dots.
        assert_eq!(shortened("\u{1F600}\u{1F600}\u{1F600}", 4), "\u{1F600}…");
        assert_eq!(shortened("ab", 0), "…");
        for length in 660..680 {
            let cut = shortened(&"\u{1F600}".repeat(length), LONGEST_MESSAGE).into_owned();
            assert!(cut.encode_utf16().count() <= LONGEST_MESSAGE);
        }
    }

    #[test]
    fn text_fits_by_its_utf16_units() {
        assert!(fits_string(&"ä".repeat(4000)) && !fits_string(&"ä".repeat(4001)));
        assert!(fits_string(&"\u{1F600}".repeat(2000)) && !fits_string(&"\u{1F600}".repeat(2001)));
        assert!(!fits_string("a\0"));
        assert_eq!(check_content(Bytes::new().len()), Ok(()));
    }
}
