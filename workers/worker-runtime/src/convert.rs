//! Between the engine's variables and an adapter's values. No engine type goes past this crate.

use std::sync::Arc;

use engine_client::{EngineClient, LockedTask, Variable, Variables as EngineVariables};
use futures::StreamExt;
use worker_api::{Content, ContentSource, ContentStream, Failure, File, Value, Variables, async_trait};

/// The task's variables for its adapter. The content of files stays in the engine until the adapter reads it.
pub(crate) fn inputs(engine: &EngineClient, task: &mut LockedTask) -> Variables {
    let variables = std::mem::take(&mut task.variables);
    let value = |(name, variable)| {
        let source = || InEngine {
            engine: engine.clone(),
            execution_id: task.execution_id.clone(),
            process_instance_id: task.process_instance_id.clone(),
            name: String::clone(&name),
        };
        let value = value(variable, source);
        (name, value)
    };
    variables.into_iter().map(value).collect()
}

/// A file's content in the engine.
struct InEngine {
    engine: EngineClient,
    execution_id: String,
    process_instance_id: String,
    name: String,
}

#[async_trait]
impl ContentSource for InEngine {
    async fn open(&self) -> Result<ContentStream, Failure> {
        let name = self.name.clone();
        let failed = move |error: engine_client::EngineError| {
            let message = format!("the content of the file variable `{name}` cannot be read: {error}");
            match error.is_not_found() || error.is_forbidden() {
                true => Failure::permanent(message),
                false => Failure::retryable(message),
            }
        };
        let download = self
            .engine
            .variable_data(
                &self.execution_id,
                &self.process_instance_id,
                &self.name,
                u64::MAX,
            )
            .await
            .map_err(&failed)?;
        let parts = futures::stream::try_unfold(download, move |mut download| {
            let failed = failed.clone();
            async move {
                let part = download.chunk().await.map_err(failed)?;
                Ok(part.map(|part| (part, download)))
            }
        });
        Ok(parts.boxed())
    }
}

/// A variable of an instance that has ended; a file is empty.
pub(crate) fn without_content(variable: Variable) -> Value {
    with_content(variable, || Content::from(Vec::new()))
}

fn value(variable: Variable, source: impl FnOnce() -> InEngine) -> Value {
    with_content(variable, || Content::elsewhere(Arc::new(source())))
}

fn with_content(variable: Variable, elsewhere: impl FnOnce() -> Content) -> Value {
    match variable {
        Variable::Null => Value::Null,
        Variable::Boolean(value) => Value::Boolean(value),
        Variable::Integer(value) => Value::Integer(value),
        Variable::Double(value) => Value::Double(value),
        Variable::String(value) => Value::String(value),
        Variable::Date(value) => Value::Date(value),
        Variable::Json(value) => Value::Json(value),
        Variable::Bytes(value) => Value::Bytes(value),
        Variable::File {
            name,
            media_type,
            encoding,
            content,
        } => Value::File(File {
            name,
            media_type,
            encoding,
            content: match content {
                Some(content) => content.into(),
                None => elsewhere(),
            },
        }),
        // Xml is text; what nobody here can look into is handed on as the engine tells it.
        Variable::Opaque(typed) => match typed.value {
            serde_json::Value::String(text) => Value::String(text),
            other => Value::Json(other),
        },
    }
}

/// An adapter's values for the engine, with the content of files.
pub(crate) async fn variables(values: Variables) -> Result<EngineVariables, Failure> {
    let mut variables = EngineVariables::new();
    for (name, value) in values {
        variables.insert(name, variable(value).await?);
    }
    Ok(variables)
}

/// An adapter's values as one structured variable.
///
/// # Errors
/// Where one is a number that JSON cannot hold: it would become null in silence.
pub(crate) fn object<'a>(
    values: impl IntoIterator<Item = (&'a String, &'a Value)>,
) -> Result<Variable, Failure> {
    let field = |(name, value): (&String, &Value)| match value {
        Value::Double(number) if !number.is_finite() => Err(Failure::permanent(format!(
            "the field `{name}` of the task's answer is {number}, which is no number that can be stored; \
             give it as text, or leave it out"
        ))),
        value => Ok((name.clone(), value.to_json())),
    };
    values
        .into_iter()
        .map(field)
        .collect::<Result<_, _>>()
        .map(Variable::Json)
}

async fn variable(value: Value) -> Result<Variable, Failure> {
    Ok(match value {
        Value::Null => Variable::Null,
        Value::Boolean(value) => Variable::Boolean(value),
        Value::Integer(value) => Variable::Integer(value),
        Value::Double(value) => Variable::Double(value),
        Value::String(value) => Variable::String(value),
        Value::Date(value) => Variable::Date(value),
        Value::Json(value) => Variable::Json(value),
        Value::Bytes(value) => Variable::Bytes(value),
        Value::File(File {
            name,
            media_type,
            encoding,
            content,
        }) => Variable::File {
            name,
            media_type,
            encoding,
            content: Some(content.bytes().await?),
        },
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use bytes::Bytes;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn there_and_back(values: &Variables) -> Variables {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let variables = runtime.block_on(variables(values.clone())).unwrap();
        let no_source = || InEngine {
            engine: EngineClient::new("http://127.0.0.1:1".parse().unwrap(), engine_client::Login::None)
                .unwrap(),
            execution_id: String::new(),
            process_instance_id: String::new(),
            name: String::new(),
        };
        let values = variables.into_iter();
        values
            .map(|(name, variable)| (name, value(variable, no_source)))
            .collect()
    }

    fn values() -> impl Strategy<Value = Value> {
        let bytes = || proptest::collection::vec(any::<u8>(), 0..16).prop_map(Bytes::from);
        prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Boolean),
            any::<i64>().prop_map(Value::Integer),
            any::<f64>()
                .prop_filter("equal to itself", |it| !it.is_nan())
                .prop_map(Value::Double),
            any::<String>().prop_map(Value::String),
            any::<i32>().prop_map(|at| Value::Date(jiff::Timestamp::from_second(at.into()).unwrap())),
            any::<String>().prop_map(|text| Value::Json(json!({ "a": [text] }))),
            bytes().prop_map(Value::Bytes),
            (any::<String>(), bytes()).prop_map(|(name, content)| Value::File(File {
                name,
                media_type: None,
                encoding: None,
                content: content.into(),
            })),
        ]
    }

    proptest! {
        #[test]
        fn an_adapters_values_come_back_as_they_went(
            values in proptest::collection::btree_map(".{1,8}", values(), 0..8)
        ) {
            prop_assert_eq!(there_and_back(&values), values);
        }
    }

    #[test]
    fn a_number_that_json_cannot_hold_is_refused_and_no_null() {
        let fields = |number| BTreeMap::from([("rate".to_owned(), Value::Double(number))]);
        let refused = object(&fields(f64::INFINITY)).unwrap_err();
        assert!(refused.message.contains("`rate`"), "{refused}");
        assert_eq!(
            object(&fields(0.5)).unwrap(),
            Variable::Json(json!({"rate": 0.5}))
        );
    }
}
