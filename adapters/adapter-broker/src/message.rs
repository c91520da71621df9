//! A task's inputs as a message.

use jiff::Timestamp;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};
use serde_json::{Value as Json, json};
use worker_api::{Failure, TaskContext, TraceContext, Value, parse_duration};

use crate::inputs::Inputs;

/// The media type of a CloudEvent in JSON.
pub(crate) const CLOUD_EVENT: &str = "application/cloudevents+json";

/// What goes out.
pub(crate) struct Outgoing {
    pub(crate) id: String,
    pub(crate) body: Vec<u8>,
    pub(crate) properties: BasicProperties,
}

impl Outgoing {
    /// What a task says, within so many bytes.
    ///
    /// # Errors
    /// Where it cannot be a message. Nothing is done then.
    pub(crate) async fn new(inputs: &Inputs, context: &TaskContext, most: usize) -> Result<Self, Failure> {
        let id = inputs
            .message_id
            .clone()
            .unwrap_or_else(|| context.idempotency_key().to_owned());
        let trace = TraceContext::of(context);
        // As it was given: the inputs know neither files nor bytes.
        let given = match context.variables.get("payload") {
            Some(value) if !context.settings.contains_key("payload") => value.clone(),
            _ => Value::from(inputs.payload.clone()),
        };
        let (body, media_type) = match (&inputs.event_type, given) {
            (Some(event_type), given) => (
                cloud_event(&id, event_type, inputs, &given, trace)?,
                CLOUD_EVENT.to_owned(),
            ),
            (None, Value::File(file)) => {
                let kind = file.media_type.clone();
                let body = file.content.bytes_within(most).await?.to_vec();
                (
                    body,
                    kind.unwrap_or_else(|| "application/octet-stream".to_owned()),
                )
            }
            (None, Value::Bytes(bytes)) => (bytes.to_vec(), "application/octet-stream".to_owned()),
            (None, Value::String(text)) => (text.into_bytes(), "text/plain; charset=utf-8".to_owned()),
            (None, value) => (
                value.to_json().to_string().into_bytes(),
                "application/json".to_owned(),
            ),
        };
        if body.len() > most {
            return Err(wrong(format!(
                "the message has {} bytes, and the connection allows {most}; send less, or raise its `max_bytes`",
                body.len()
            )));
        }
        let mut properties = BasicProperties::default()
            .with_message_id(short("message_id", &id)?.into())
            .with_content_type(
                short(
                    "content_type",
                    inputs.content_type.as_ref().unwrap_or(&media_type),
                )?
                .into(),
            )
            .with_delivery_mode(if inputs.persistent { 2 } else { 1 })
            .with_app_id("procos".into())
            .with_timestamp(Timestamp::now().as_second().try_into().unwrap_or_default())
            .with_headers(headers(inputs, trace));
        if let Some(priority) = inputs.priority {
            properties = properties.with_priority(priority);
        }
        if let Some(id) = &inputs.correlation_id {
            properties = properties.with_correlation_id(short("correlation_id", id)?.into());
        }
        if let Some(queue) = &inputs.reply_to {
            properties = properties.with_reply_to(short("reply_to", queue)?.into());
        }
        if let Some(kind) = &inputs.message_type {
            properties = properties.with_type(short("message_type", kind)?.into());
        }
        if let Some(expires) = &inputs.expires {
            let expires = parse_duration(expires).ok_or_else(|| {
                wrong(format!(
                    "the input `expires` is {expires:?}; write a time such as `10m` or `PT10M`"
                ))
            })?;
            properties = properties.with_expiration(expires.as_millis().to_string().into());
        }
        Ok(Self { id, body, properties })
    }
}

/// The envelope of CloudEvents 1.0, in its JSON format.
fn cloud_event(
    id: &str,
    event_type: &str,
    inputs: &Inputs,
    payload: &Value,
    trace: Option<TraceContext>,
) -> Result<Vec<u8>, Failure> {
    if matches!(payload, Value::File(_) | Value::Bytes(_)) {
        return Err(wrong(
            "a CloudEvent takes a value and no file; leave `event_type` out, or give a value as `payload`"
                .to_owned(),
        ));
    }
    let mut event = json!({
        "specversion": "1.0", "id": id, "source": "urn:procos", "type": event_type,
        "time": Timestamp::now().to_string(), "datacontenttype": "application/json", "data": payload.to_json(),
    });
    // CloudEvents' extension for distributed tracing.
    if let Some(trace) = trace {
        event["traceparent"] = trace.to_string().into();
    }
    if let Some(subject) = &inputs.subject {
        event["subject"] = subject.as_str().into();
    }
    Ok(event.to_string().into_bytes())
}

/// Headers of texts, numbers and truth values as such; what else there is as JSON.
fn headers(inputs: &Inputs, trace: Option<TraceContext>) -> FieldTable {
    let mut table = FieldTable::default();
    if let Some(trace) = trace {
        table.insert(
            "traceparent".into(),
            AMQPValue::LongString(trace.to_string().into()),
        );
    }
    for (name, value) in &inputs.headers {
        let value = match value {
            Json::Null => AMQPValue::Void,
            Json::Bool(value) => AMQPValue::Boolean(*value),
            Json::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(whole), _) => AMQPValue::LongLongInt(whole),
                (None, Some(double)) => AMQPValue::Double(double),
                (None, None) => AMQPValue::LongString(number.to_string().into()),
            },
            Json::String(text) => AMQPValue::LongString(text.as_str().into()),
            other => AMQPValue::LongString(other.to_string().into()),
        };
        table.insert(name.as_str().into(), value);
    }
    table
}

/// A text for a place where AMQP counts its length in one byte.
pub(crate) fn short<'a>(input: &str, text: &'a str) -> Result<&'a str, Failure> {
    if text.len() > usize::from(u8::MAX) {
        return Err(wrong(format!(
            "the input `{input}` has {} bytes, and AMQP takes 255",
            text.len()
        )));
    }
    Ok(text)
}

fn wrong(problem: String) -> Failure {
    Failure::permanent(problem).nothing_done()
}
