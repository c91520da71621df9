//! Programs in a real sandbox.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code")]

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use adapter_script::{ScriptAdapter, ScriptSettings};
use bytes::Bytes;
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use worker_api::{Adapter, BpmnError, Failure, File, Outcome, Retry, Task, TaskContext, TaskError, Value};

use crate::ProgramAdapter;

/// The programs of these folders, in the sandbox that needs nothing but this machine.
fn programs(state: &Path, folders: &[(&str, &Path)]) -> ProgramAdapter {
    let mut scripts = ScriptSettings::new(state);
    scripts.sandbox.backend = sandbox::BackendChoice::Bubblewrap;
    scripts.sandbox.warm = 0;
    let settings = folders
        .iter()
        .map(|(name, folder)| ((*name).to_owned(), json!({"directory": folder})));
    let settings: Json = settings.collect::<serde_json::Map<_, _>>().into();
    let scripts = Arc::new(ScriptAdapter::new(scripts));
    ProgramAdapter::new(serde_json::from_value(settings).unwrap(), scripts).unwrap()
}

fn example(name: &str) -> std::path::PathBuf {
    tests::workspace().join("examples/adapters").join(name)
}

fn context(topic: &str, inputs: Json) -> TaskContext {
    let task = Task {
        id: "task-1".into(),
        activity_id: "check".into(),
        topic: topic.into(),
        process_instance_id: "instance-1".into(),
        ..Task::default()
    };
    let inputs = inputs.as_object().unwrap().clone();
    let inputs = inputs.into_iter().map(|(name, value)| (name, value.into()));
    TaskContext::new(task, Duration::from_secs(60)).with_variables(inputs.collect())
}

fn failure(outcome: Outcome) -> Failure {
    match outcome.unwrap_err() {
        TaskError::Failure(failure) => failure,
        other => panic!("{other}"),
    }
}

fn bpmn(outcome: Outcome) -> BpmnError {
    match outcome.unwrap_err() {
        TaskError::Bpmn(error) => error,
        other => panic!("{other}"),
    }
}

/// A program in Python of the topic `try`, which says what this source says.
fn python(source: &str, more: Json) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut topic = json!({"topic": "try", "summary": "Tries"});
    topic
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let manifest = json!({"language": "python", "main": "main.py", "topics": [topic]});
    fs::write(folder.path().join("adapter.json"), manifest.to_string()).unwrap();
    let source = format!("import json, sys\nrequest = json.loads(sys.stdin.readline())\n{source}\n");
    fs::write(folder.path().join("main.py"), source).unwrap();
    fs::write(folder.path().join("beside.py"), "def double(x): return 2 * x\n").unwrap();
    folder
}

#[tokio::test]
async fn programs_of_both_languages_answer_and_raise_errors() {
    let state = tempfile::tempdir().unwrap();
    let (iban, slug) = (example("iban"), example("slug"));
    let adapter = programs(state.path(), &[("iban", &iban), ("slug", &slug)]);
    let description = adapter.description();
    let topics: Vec<&str> = description
        .topics
        .iter()
        .map(|topic| topic.topic.as_str())
        .collect();
    assert_eq!(topics, ["iban_check", "slug_make"]);
    assert!(description.topics.iter().all(|topic| topic.sandboxed));
    let answer = adapter
        .execute(context(
            "iban_check",
            json!({"iban": "DE89 3704 0044 0532 0130 00"}),
        ))
        .await
        .unwrap();
    assert_eq!(answer.fields()["iban"].to_json(), "DE89 3704 0044 0532 0130 00");
    assert_eq!(answer.fields()["country"].to_json(), "DE");
    assert_eq!(answer.fields().len(), 2);
    let wrong = bpmn(
        adapter
            .execute(context("iban_check", json!({"iban": "DE88370400440532013000"})))
            .await,
    );
    assert_eq!(wrong.code, "IBAN_WRONG");
    assert_eq!(wrong.variables["iban"].to_json(), "DE88370400440532013000");
    let answer = adapter
        .execute(context("slug_make", json!({"title": "Über Lampen & Tische!"})))
        .await
        .unwrap();
    assert_eq!(answer.fields()["slug"].to_json(), "uber-lampen-tische");
    let failed = failure(adapter.execute(context("slug_make", json!({"title": "?"}))).await);
    assert_eq!(
        (failed.message.as_str(), failed.retry),
        ("the title has no letters", Retry::Never)
    );
    adapter.health().await.unwrap();
    let unknown = failure(adapter.execute(context("other", json!({}))).await);
    assert!(unknown.message.contains("iban_check, slug_make"), "{unknown}");
}

#[tokio::test]
async fn a_program_has_its_files_the_tasks_files_and_what_the_route_fixes() {
    let source = r#"
from beside import double
inputs = request["inputs"]
open("made.txt", "w").write(open(inputs["upload"]).read().upper())
print(json.dumps({"answer": {"double": double(inputs["number"]), "key": request["idempotency_key"], "rate": inputs["rate"],
                             "instance": request["process_instance_id"], "left": request["seconds_left"] > 1}}))"#;
    let folder = python(source, json!({"files": {"made": "made.txt"}}));
    let state = tempfile::tempdir().unwrap();
    let adapter = programs(state.path(), &[("own", folder.path())]);
    let mut context = context(
        "try",
        json!({"number": 21, "script": "not the driver", "rate": 1}),
    );
    context.settings.insert("rate".into(), json!(7));
    let file = File {
        name: "a.txt".into(),
        media_type: None,
        encoding: None,
        content: Bytes::from_static(b"hello").into(),
    };
    context.variables.insert("upload".into(), Value::File(file));
    let answer = adapter.execute(context).await.unwrap();
    let field = |name: &str| answer.fields()[name].to_json();
    assert_eq!(
        (field("double"), field("rate"), field("left")),
        (json!(42), json!(7), json!(true))
    );
    assert_eq!(
        (field("key"), field("instance")),
        (json!("task-1"), json!("instance-1"))
    );
    let Value::File(made) = &answer.fields()["made"] else {
        panic!("no file")
    };
    assert_eq!(made.content.bytes().await.unwrap(), &b"HELLO"[..]);
}

#[tokio::test]
async fn what_a_program_does_wrongly_is_told_with_what_it_has_written() {
    let state = tempfile::tempdir().unwrap();
    for (source, told, detail) in [
        ("print('hello')", "is no JSON", "hello"),
        (
            "sys.stderr.write('on my way'); sys.exit(3)",
            "status 3 and without an answer",
            "on my way",
        ),
        (
            "print('{}')",
            "without `answer`, `error`, `failure` or `log`",
            "{}",
        ),
        ("print('{\"answer\": {}}\\n' * 2)", "two answers", "answer"),
        ("print('{\"error\": {}}')", "without a `code`", ""),
        ("raise ValueError('broken')", "status 1", "ValueError: broken"),
        (
            "import socket; socket.create_connection(('127.0.0.1', 1))",
            "status 1",
            "Error",
        ),
    ] {
        let folder = python(source, json!({}));
        let adapter = programs(state.path(), &[("own", folder.path())]);
        let failure = failure(adapter.execute(context("try", json!({}))).await);
        assert!(
            failure.message.contains(told) && failure.message.contains("own"),
            "{told}: {failure:?}"
        );
        assert!(
            failure.details.clone().unwrap_or_default().contains(detail),
            "{failure:?}"
        );
        assert_eq!(failure.retry, Retry::Never, "{failure:?}");
    }
    let retried = python("print('{\"failure\": {\"message\": \"busy\"}}')", json!({}));
    let adapter = programs(state.path(), &[("own", retried.path())]);
    assert_ne!(
        failure(adapter.execute(context("try", json!({}))).await).retry,
        Retry::Never
    );
}

#[tokio::test]
async fn a_program_is_stopped_at_its_limits() {
    let folder = python("import time\nwhile True: time.sleep(1)", json!({}));
    let state = tempfile::tempdir().unwrap();
    let adapter = programs(state.path(), &[("own", folder.path())]);
    let inputs = json!({"sandbox_config": {"timeout": "2s"}});
    let failure = failure(adapter.execute(context("try", inputs)).await);
    assert!(failure.message.contains("time limit"), "{failure}");
}

#[test]
fn what_is_wrong_with_a_program_is_told_before_anything_runs() {
    let state = tempfile::tempdir().unwrap();
    let scripts: Arc<dyn Adapter> = Arc::new(ScriptAdapter::new(ScriptSettings::new(state.path())));
    let wrong = |folders: &[(&str, &Path)]| {
        let settings = folders
            .iter()
            .map(|(name, folder)| ((*name).to_owned(), json!({"directory": folder})));
        let settings: Json = settings.collect::<serde_json::Map<_, _>>().into();
        ProgramAdapter::new(serde_json::from_value(settings).unwrap(), Arc::clone(&scripts))
            .err()
            .expect("it is wrong")
    };
    let folder = python("", json!({}));
    for (file, content, told) in [
        ("adapter.json", "{", "adapter.json: EOF"),
        (
            "adapter.json",
            r#"{"language": "cobol", "main": "a", "topics": []}"#,
            "cobol",
        ),
        (
            "adapter.json",
            r#"{"language": "python", "main": "b.py", "topics": []}"#,
            "`main` names b.py",
        ),
        (
            "adapter.json",
            r#"{"language": "python", "main": "main.py", "topics": []}"#,
            "no `topics`",
        ),
    ] {
        fs::write(folder.path().join(file), content).unwrap();
        let error = wrong(&[("own", folder.path())]);
        assert_eq!(error.key, "own.directory");
        assert!(error.problem.contains(told), "{error}");
    }
    let nested = python("", json!({}));
    fs::create_dir(nested.path().join("package")).unwrap();
    assert!(wrong(&[("own", nested.path())]).problem.contains("side by side"));
    let (one, other) = (python("", json!({})), python("", json!({})));
    let twice = wrong(&[("one", one.path()), ("other", other.path())]);
    assert!(
        twice.key == "other.directory" && twice.problem.contains("the program one's"),
        "{twice}"
    );
    assert!(
        wrong(&[("own", Path::new("/nowhere"))])
            .problem
            .contains("/nowhere")
    );
}
