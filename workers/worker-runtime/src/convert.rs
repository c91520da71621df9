//! Between the engine's variables and an adapter's values. No engine type goes past this crate.

use engine_client::{EngineClient, EngineError, LockedTask, Variable, Variables as EngineVariables};
use worker_api::{File, Value, Variables};

/// The task's variables for its adapter, with the content of files.
pub(crate) async fn inputs(engine: &EngineClient, task: &mut LockedTask) -> Result<Variables, EngineError> {
    let mut inputs = Variables::new();
    for (name, mut variable) in std::mem::take(&mut task.variables) {
        if let Variable::File {
            content: content @ None,
            ..
        } = &mut variable
        {
            *content = Some(
                engine
                    .variable_data(&task.execution_id, &task.process_instance_id, &name)
                    .await?,
            );
        }
        inputs.insert(name, value(variable));
    }
    Ok(inputs)
}

fn value(variable: Variable) -> Value {
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
            content: content.unwrap_or_default(),
        }),
        // Xml is text; what nobody here can look into is handed on as the engine tells it.
        Variable::Opaque(typed) => match typed.value {
            serde_json::Value::String(text) => Value::String(text),
            other => Value::Json(other),
        },
    }
}

/// An adapter's values for the engine.
pub(crate) fn variables(values: Variables) -> EngineVariables {
    values
        .into_iter()
        .map(|(name, value)| (name, variable(value)))
        .collect()
}

/// An adapter's values as one structured variable.
pub(crate) fn object<'a>(values: impl IntoIterator<Item = (&'a String, &'a Value)>) -> Variable {
    Variable::Json(
        values
            .into_iter()
            .map(|(name, value)| (name.clone(), value.to_json()))
            .collect(),
    )
}

fn variable(value: Value) -> Variable {
    match value {
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
            content: Some(content),
        },
    }
}
