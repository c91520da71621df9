//! Mail through a real server, read back by a parser that is not ours.

mod inbox;
mod mails;
mod refusals;
mod servers;
mod settings;

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use secrets::SecretStore;
use serde_json::{Value as Json, json};
use tests::{LOGIN, MailServer};
use worker_api::{
    Adapter, Answer, Failure, File, Hit, Message, Outcome, PortError, ProcessPort, Signal, StartProcess,
    Started, Task, TaskContext, TaskError, TopicCall, TopicDescription, Value, async_trait,
};

use crate::EmailAdapter;

fn server() -> &'static MailServer {
    MailServer::shared().unwrap()
}

/// A connection that logs in to the tests' server.
fn settings() -> Json {
    let server = server();
    json!({
        "from": "Orders <orders@shop.example>",
        "smtp": {
            "host": "localhost", "port": server.smtp, "ca_file": server.ca_file(),
            "username": LOGIN.0, "password": LOGIN.1,
        },
    })
}

fn adapter(settings: Json) -> EmailAdapter {
    let settings = serde_json::from_value(json!({"default": settings})).unwrap();
    EmailAdapter::new(settings, SecretStore::default()).unwrap()
}

fn context(inputs: Json) -> TaskContext {
    let task = Task {
        id: "6f1c-7".into(),
        activity_id: "tell".into(),
        topic: "email_send".into(),
        ..Task::default()
    };
    let inputs = inputs.as_object().unwrap().clone();
    let variables = inputs.into_iter().map(|(name, value)| (name, value.into()));
    TaskContext::new(task, Duration::from_secs(60)).with_variables(variables.collect())
}

fn with_file(
    mut context: TaskContext,
    input: &str,
    name: &str,
    kind: &str,
    content: &'static [u8],
) -> TaskContext {
    let file = File {
        name: name.to_owned(),
        media_type: Some(kind.to_owned()),
        encoding: None,
        content: Bytes::from_static(content).into(),
    };
    context.variables.insert(input.to_owned(), Value::File(file));
    context
}

async fn send(inputs: Json) -> Outcome {
    adapter(settings()).execute(context(inputs)).await
}

fn failure(outcome: Result<Answer, TaskError>) -> Failure {
    match outcome {
        Err(TaskError::Failure(failure)) => failure,
        other => panic!("no failure: {other:?}"),
    }
}

fn code(outcome: Result<Answer, TaskError>) -> String {
    match outcome {
        Err(TaskError::Bpmn(error)) => error.code,
        other => panic!("no BPMN error: {other:?}"),
    }
}

/// A mail as Python's own library reads it: its headers, and its parts with their headers.
fn parsed(mail: &str) -> Json {
    const READ: &str = r"
import email, email.policy, json, sys
mail = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.default)
def part(it):
    content = None if it.is_multipart() else it.get_content()
    if isinstance(content, bytes): content = content.decode('latin-1')
    return {'type': it.get_content_type(), 'name': it.get_filename(), 'id': it['content-id'],
            'shown': it.get_content_disposition(), 'content': content}
print(json.dumps({'headers': {name.lower(): str(value) for name, value in mail.items()}, 'parts': [part(it) for it in mail.walk()],
                  'faults': [str(it) for it in mail.defects]}))
";
    let mut python = Command::new("python3")
        .args(["-c", READ])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut python.stdin.take().unwrap(), mail.as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A port that fills in templates as the worker does, and has one deployed file.
#[derive(Debug)]
struct Port;

#[async_trait]
impl ProcessPort for Port {
    async fn start(&self, _: StartProcess) -> Result<Started, PortError> {
        unreachable!("mail starts nothing")
    }

    async fn correlate(&self, _: Message) -> Result<Vec<Hit>, PortError> {
        unreachable!("mail correlates nothing")
    }

    async fn signal(&self, _: Signal) -> Result<(), PortError> {
        unreachable!("mail throws no signals")
    }

    async fn call_topic(&self, caller: &TaskContext, call: TopicCall) -> Result<Outcome, PortError> {
        let called = caller.called(call, std::time::Instant::now());
        Ok(adapter_core::CoreAdapter::new().execute(called).await)
    }

    async fn resource(&self, _: &TaskContext, path: &str) -> Result<Option<Bytes>, PortError> {
        let html = "<style>p { color: red }</style><p>Dear {{ name }}</p>";
        Ok((path == "mails/welcome.html").then(|| Bytes::from_static(html.as_bytes())))
    }

    fn topic(&self, _: &str) -> Option<TopicDescription> {
        None
    }
}

fn filled(inputs: Json) -> TaskContext {
    context(inputs).with_processes(Arc::new(Port))
}
