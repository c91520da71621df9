//! `csv_parse`: a table of text into rows (RFC 4180, and what is usual beside).

use bytes::Bytes;
use csv::{ReaderBuilder, StringRecord, Trim};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use worker_api::{Answer, BpmnError, Failure, Outcome, TaskContext, TaskError, Value};

/// The topic.
pub(crate) const TOPIC: &str = "csv_parse";

/// The BPMN error of what is no table.
pub(crate) const ERROR: &str = "CSV_INVALID";

/// Bytes that a table may have.
const LARGEST: usize = 8 << 20;

/// What the task is given.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Inputs {
    /// The table: a text, or a file in UTF-8.
    #[schemars(extend("contentMediaType" = "text/plain"))]
    #[allow(dead_code, reason = "it is read as it was given, which may be a file")]
    csv: Json,
    /// What stands between two values: `,`, `;`, `|` or `tab`.
    #[serde(default)]
    delimiter: Delimiter,
    /// Whether the first row has the columns' names. Rows are objects then, otherwise lists.
    #[serde(default = "yes", deserialize_with = "worker_api::flexible")]
    header: bool,
    /// Whether spaces around values are taken off.
    #[serde(default = "yes", deserialize_with = "worker_api::flexible")]
    trim: bool,
    /// Whether values that are numbers as JSON writes them become numbers; all are texts otherwise. `007` stays a text.
    #[serde(default, deserialize_with = "worker_api::flexible")]
    numbers: bool,
    /// How many rows the table may have.
    #[serde(default = "most_rows", deserialize_with = "worker_api::flexible")]
    max_rows: usize,
}

/// What stands between two values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum Delimiter {
    /// A comma.
    #[default]
    #[serde(rename = ",")]
    Comma,
    /// A semicolon.
    #[serde(rename = ";")]
    Semicolon,
    /// A bar.
    #[serde(rename = "|")]
    Bar,
    /// A tabulator.
    #[serde(rename = "tab")]
    Tab,
}

/// The answer.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Table {
    /// The rows: objects by the columns' names, or lists where there is no header.
    rows: Vec<Json>,
    /// The columns' names; empty where there is no header.
    columns: Vec<String>,
    /// How many rows there are.
    count: usize,
}

/// The table's bytes, from wherever they are.
///
/// # Errors
/// Where it is too large, or cannot be fetched.
pub(crate) async fn content(context: &TaskContext) -> Result<Bytes, Failure> {
    let given = match context.variables.get("csv") {
        Some(value) if !context.settings.contains_key("csv") => value.clone(),
        _ => Value::from(context.settings.get("csv").cloned().unwrap_or_default()),
    };
    let bytes = match given {
        Value::File(file) => return file.content.bytes_within(LARGEST).await,
        Value::Bytes(bytes) => bytes,
        Value::String(text) => Bytes::from(text),
        _ => return Err(Failure::permanent("the input `csv` is neither a text nor a file")),
    };
    if bytes.len() > LARGEST {
        return Err(Failure::permanent(format!(
            "the input `csv` has {} bytes, and {LARGEST} are the most that are read",
            bytes.len()
        )));
    }
    Ok(bytes)
}

/// Reads a table.
pub(crate) fn parse(content: &[u8], inputs: &Inputs) -> Outcome {
    // What other programs put before a text in UTF-8.
    let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
    let mut reader = ReaderBuilder::new()
        .delimiter(match inputs.delimiter {
            Delimiter::Comma => b',',
            Delimiter::Semicolon => b';',
            Delimiter::Bar => b'|',
            Delimiter::Tab => b'\t',
        })
        .has_headers(inputs.header)
        .trim(if inputs.trim { Trim::All } else { Trim::None })
        .from_reader(content);
    let columns = match inputs.header {
        true => reader.headers().map_err(|error| invalid(&error))?.clone(),
        false => StringRecord::new(),
    };
    let twice = columns
        .iter()
        .enumerate()
        .find(|(index, name)| columns.iter().take(*index).any(|other| other == *name));
    if let Some((index, name)) = twice {
        let message = format!("two columns are called `{name}`, the second at {}", index + 1);
        return Err(BpmnError::new(ERROR, message).with("line", 1_i64).into());
    }
    let value = |text: &str| match inputs.numbers {
        true => number(text).unwrap_or_else(|| text.into()),
        false => text.into(),
    };
    let mut rows: Vec<Json> = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| invalid(&error))?;
        if rows.len() == inputs.max_rows {
            return Err(Failure::permanent(format!(
                "the table has more than {} rows; raise the input `max_rows`, or give less",
                inputs.max_rows
            ))
            .into());
        }
        rows.push(match inputs.header {
            true => columns
                .iter()
                .map(str::to_owned)
                .zip(record.iter().map(value))
                .collect::<Map<_, _>>()
                .into(),
            false => record.iter().map(value).collect::<Vec<Json>>().into(),
        });
    }
    Ok(Answer::new()
        .with("count", i64::try_from(rows.len()).unwrap_or(i64::MAX))
        .with("rows", Json::from(rows))
        .with("columns", columns.iter().collect::<Json>()))
}

/// A number as JSON writes it.
fn number(text: &str) -> Option<Json> {
    serde_json::from_str::<serde_json::Number>(text)
        .ok()
        .map(Json::Number)
}

fn invalid(error: &csv::Error) -> TaskError {
    let line = error.position().map_or(Value::Null, |at| {
        Value::from(i64::try_from(at.line()).unwrap_or(i64::MAX))
    });
    BpmnError::new(ERROR, error.to_string()).with("line", line).into()
}

fn yes() -> bool {
    true
}

fn most_rows() -> usize {
    100_000
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "test code")]
mod tests {
    use std::time::Duration;

    use serde_json::json;
    use worker_api::{Adapter, File, Task};

    use super::*;
    use crate::CoreAdapter;

    async fn run(inputs: Json) -> Outcome {
        let task = Task {
            topic: TOPIC.into(),
            ..Task::default()
        };
        let inputs = inputs.as_object().unwrap().clone();
        let variables = inputs.into_iter().map(|(name, value)| (name, value.into()));
        let context = TaskContext::new(task, Duration::from_secs(10)).with_variables(variables.collect());
        CoreAdapter::new().execute(context).await
    }

    fn rows(outcome: Outcome) -> Json {
        outcome.unwrap().fields()["rows"].to_json()
    }

    #[tokio::test]
    async fn rows_are_objects_by_their_columns_or_lists() {
        let answer = run(json!({"csv": "\u{feff}item, price\n\"desk, large\",101.5\n\"a \"\"b\"\"\",007\n"}))
            .await
            .unwrap();
        assert_eq!(
            answer.fields()["rows"].to_json(),
            json!([{"item": "desk, large", "price": "101.5"}, {"item": "a \"b\"", "price": "007"}])
        );
        assert_eq!(answer.fields()["columns"].to_json(), json!(["item", "price"]));
        assert_eq!(answer.fields()["count"].to_json(), 2);
        for (delimiter, csv) in [
            (";", "a;1\r\nb;2,5"),
            ("|", "a|1\nb|2,5\n"),
            ("tab", "a\t1\nb\t2,5"),
        ] {
            let inputs = json!({"csv": csv, "delimiter": delimiter, "header": "false", "numbers": "true"});
            assert_eq!(
                rows(run(inputs).await),
                json!([["a", 1], ["b", "2,5"]]),
                "{delimiter}"
            );
        }
        let numbers = json!({"csv": "a,b,c,d\n1,-2.5e3,007,\n", "numbers": true});
        assert_eq!(
            rows(run(numbers).await),
            json!([{"a": 1, "b": -2500.0, "c": "007", "d": ""}])
        );
        let untrimmed = json!({"csv": "a\n x \n", "trim": false});
        assert_eq!(rows(run(untrimmed).await), json!([{"a": " x "}]));
        assert_eq!(rows(run(json!({"csv": ""})).await), json!([]));
    }

    #[tokio::test]
    async fn a_file_is_read_as_a_text_is() {
        let task = Task {
            topic: TOPIC.into(),
            ..Task::default()
        };
        let file = File {
            name: "a.csv".into(),
            media_type: Some("text/csv".into()),
            encoding: None,
            content: Bytes::from_static("größe\n1\n".as_bytes()).into(),
        };
        let variables = [("csv".to_owned(), Value::File(file))].into();
        let context = TaskContext::new(task, Duration::from_secs(10)).with_variables(variables);
        let outcome = CoreAdapter::new().execute(context).await;
        assert_eq!(rows(outcome), json!([{"größe": "1"}]));
    }

    #[tokio::test]
    async fn what_is_no_table_is_a_bpmn_error_with_its_line() {
        for (csv, line, told) in [
            ("a,b\n1,2\n3\n", json!(3), "2 fields"),
            ("a,a\n1,2\n", json!(1), "called `a`"),
        ] {
            let TaskError::Bpmn(error) = run(json!({"csv": csv})).await.unwrap_err() else {
                panic!("no error of the model's")
            };
            assert_eq!(
                (error.code.as_str(), error.variables["line"].to_json()),
                (ERROR, line)
            );
            assert!(error.message.contains(told), "{error}");
        }
        for (inputs, told) in [
            (json!({"csv": 7}), "neither a text nor a file"),
            (json!({"csv": "a\n1\n2\n", "max_rows": 1}), "more than 1 rows"),
            (json!({"csv": "a", "delimiter": "x"}), "delimiter"),
            (json!({"csv": "a".repeat(LARGEST + 1)}), "bytes"),
        ] {
            let TaskError::Failure(failure) = run(inputs).await.unwrap_err() else {
                panic!("no failure")
            };
            assert!(failure.message.contains(told), "{failure}");
        }
    }
}
