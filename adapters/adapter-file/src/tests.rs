//! The adapter from its front door, in folders that the tests make.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value as Json, json};
use tempfile::TempDir;
use worker_api::{
    Adapter, Answer, BpmnError, Effect, Failure, File, Inquiry, Outcome, Retry, Task, TaskContext, TaskError,
    Value,
};

use crate::{FileAdapter, FolderSettings};

struct Bed {
    adapter: FileAdapter,
    home: TempDir,
}

/// With the folder `default`, where tasks may write up to 100 bytes, and `seen`, where they may not.
fn bed() -> Bed {
    let home = tempfile::tempdir().unwrap();
    let folders = ["default", "seen"].map(|name| {
        let path = home.path().join(name);
        fs::create_dir(&path).unwrap();
        let settings = FolderSettings {
            path,
            write: name == "default",
            max_bytes: 100,
        };
        (name.to_owned(), settings)
    });
    fs::write(home.path().join("outside.txt"), "secret").unwrap();
    Bed {
        adapter: FileAdapter::new(folders.into()).unwrap(),
        home,
    }
}

impl Bed {
    fn path(&self, path: &str) -> std::path::PathBuf {
        self.home.path().join("default").join(path)
    }

    fn put(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    async fn run(&self, topic: &str, inputs: Json) -> Outcome {
        self.adapter.execute(context(topic, inputs)).await
    }
}

fn context(topic: &str, inputs: Json) -> TaskContext {
    let inputs: Map<String, Json> = serde_json::from_value(inputs).unwrap();
    let task = Task {
        activity_id: "file".into(),
        topic: topic.into(),
        ..Task::default()
    };
    let variables = inputs.into_iter().map(|(name, value)| (name, value.into()));
    TaskContext::new(task, Duration::from_secs(60)).with_variables(variables.collect())
}

fn answer(outcome: Outcome) -> BTreeMap<String, Json> {
    let fields = outcome.unwrap().into_fields();
    fields
        .into_iter()
        .map(|(name, value)| (name, value.to_json()))
        .collect()
}

fn failure(outcome: Outcome) -> Failure {
    match outcome {
        Err(TaskError::Failure(failure)) => failure,
        other => panic!("no failure: {other:?}"),
    }
}

fn error(outcome: Outcome) -> BpmnError {
    match outcome {
        Err(TaskError::Bpmn(error)) => error,
        other => panic!("no BPMN error: {other:?}"),
    }
}

#[tokio::test]
async fn a_file_is_read_as_the_task_wants_it() {
    let bed = bed();
    bed.put("2026/order.json", r#"{"item": "desk"}"#);
    let read = async |form: &str| {
        let inputs = json!({"path": "2026/order.json", "as": form});
        bed.run("file_read", inputs).await.unwrap().into_fields()
    };
    assert_eq!(
        read("text").await["content"],
        Value::String(r#"{"item": "desk"}"#.into())
    );
    assert_eq!(
        read("json").await["content"],
        Value::Json(json!({"item": "desk"}))
    );
    assert_eq!(
        read("bytes").await["content"],
        Value::Bytes(r#"{"item": "desk"}"#.into())
    );
    let file = read("file").await;
    let expected = File {
        name: "order.json".into(),
        media_type: Some("application/json".into()),
        encoding: None,
        content: r#"{"item": "desk"}"#.into(),
    };
    assert_eq!(file["content"], Value::File(expected));
    assert_eq!(file["size"], Value::Integer(16));
    assert!(matches!(file["modified"], Value::Date(_)), "{file:?}");
}

#[tokio::test]
async fn what_is_no_text_or_json_is_told_with_what_to_do() {
    let bed = bed();
    bed.put("a.bin", [0xff, 0xfe]);
    for form in ["text", "json"] {
        let failure = failure(bed.run("file_read", json!({"path": "a.bin", "as": form})).await);
        assert!(
            failure.retry == Retry::Never && failure.message.contains("read it as a `file`"),
            "{failure}"
        );
    }
}

#[tokio::test]
async fn a_file_that_is_not_there_or_too_large_is_an_error_of_the_business() {
    let bed = bed();
    bed.put("large.txt", "x".repeat(101));
    bed.put("fits.txt", "x".repeat(100));
    let read = async |path: &str| bed.run("file_read", json!({"path": path})).await;
    assert_eq!(error(read("none.txt").await).code, "FILE_NOT_FOUND");
    assert_eq!(error(read("large.txt").await).code, "FILE_TOO_LARGE");
    assert!(read("fits.txt").await.is_ok());
    let listed = bed.run("file_list", json!({"path": "nowhere"})).await;
    assert_eq!(error(listed).code, "FILE_NOT_FOUND");
    let written = bed
        .run("file_write", json!({"path": "a.txt", "content": "x".repeat(101)}))
        .await;
    assert_eq!(error(written).code, "FILE_TOO_LARGE");
    assert!(!bed.path("a.txt").exists());
}

#[tokio::test]
async fn nothing_leads_out_of_the_folder() {
    let bed = bed();
    let outside = bed.home.path().join("outside.txt");
    symlink(&outside, bed.path("link.txt")).unwrap();
    symlink(bed.home.path(), bed.path("up")).unwrap();
    symlink("../outside.txt", bed.path("relative.txt")).unwrap();
    for path in [
        "../outside.txt",
        "a/../../outside.txt",
        outside.to_str().unwrap(),
        "link.txt",
        "relative.txt",
        "up/outside.txt",
        "up/new.txt",
    ] {
        for (topic, inputs) in [
            ("file_read", json!({"path": path})),
            (
                "file_write",
                json!({"path": path, "content": "x", "mode": "append"}),
            ),
        ] {
            // A folder on the way that is not there is no way out either.
            if let Ok(answer) = bed.run(topic, inputs).await {
                panic!("{topic} {path}: {answer:?}");
            }
        }
        let inputs = json!({"path": path, "content": "x"});
        let _ = bed.run("file_write", inputs).await;
        assert_eq!(fs::read_to_string(&outside).unwrap(), "secret", "{path}");
    }
    assert!(!bed.home.path().join("new.txt").exists());
    let out = failure(bed.run("file_read", json!({"path": "../outside.txt"})).await);
    assert!(
        out.nothing_done && out.message.contains("leads out of the folder `default`"),
        "{out}"
    );
    let listed = bed.run("file_list", json!({"path": "up"})).await;
    assert!(
        failure(listed).message.contains("leads out"),
        "a list does not follow it either"
    );
}

#[tokio::test]
async fn a_file_is_written_as_a_whole_and_leaves_nothing_else() {
    let bed = bed();
    let write = async |inputs: Json| bed.run("file_write", inputs).await;
    let written = answer(write(json!({"path": "new/a.txt", "content": "one"})).await);
    assert_eq!(
        written,
        BTreeMap::from([("path".into(), json!("new/a.txt")), ("size".into(), json!(3))])
    );
    write(json!({"path": "new/a.txt", "content": {"item": "desk"}}))
        .await
        .unwrap();
    assert_eq!(
        fs::read_to_string(bed.path("new/a.txt")).unwrap(),
        r#"{"item":"desk"}"#
    );
    write(json!({"path": "new/a.txt", "content": "\nmore", "mode": "append"}))
        .await
        .unwrap();
    assert_eq!(
        fs::read_to_string(bed.path("new/a.txt")).unwrap(),
        "{\"item\":\"desk\"}\nmore"
    );
    write(json!({"path": "new/b.txt", "content": "b", "mode": "create"}))
        .await
        .unwrap();
    let again = write(json!({"path": "new/b.txt", "content": "c", "mode": "create"})).await;
    assert_eq!(error(again).code, "FILE_EXISTS");
    assert_eq!(fs::read_to_string(bed.path("new/b.txt")).unwrap(), "b");
    let names: Vec<_> = fs::read_dir(bed.path("new"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names.len(), 2, "{names:?}");
    for path in ["", ".", "new", "new/"] {
        let failed = failure(write(json!({"path": path, "content": "x"})).await);
        assert_eq!(failed.retry, Retry::Never, "{path:?}: {failed}");
    }
}

#[tokio::test]
async fn bytes_and_files_are_written_as_they_are() {
    let bed = bed();
    let file = File {
        name: "x".into(),
        media_type: None,
        encoding: None,
        content: vec![1, 255].into(),
    };
    for (value, expected) in [
        (Value::Bytes(vec![0, 255].into()), vec![0, 255]),
        (Value::File(file), vec![1, 255]),
    ] {
        let mut context = context("file_write", json!({"path": "a.bin"}));
        context.variables.insert("content".into(), value);
        bed.adapter.execute(context).await.unwrap();
        assert_eq!(fs::read(bed.path("a.bin")).unwrap(), expected);
    }
}

#[tokio::test]
async fn a_folder_for_reading_is_not_written_to_and_an_unknown_one_is_named() {
    let bed = bed();
    let inputs = json!({"folder": "seen", "path": "a", "content": "x"});
    let refused = failure(bed.run("file_write", inputs).await);
    assert!(
        refused.message.contains("services.file.seen.write: true"),
        "{refused}"
    );
    let unknown = failure(bed.run("file_read", json!({"folder": "sean", "path": "a"})).await);
    assert!(unknown.message.contains("there are: default, seen"), "{unknown}");
    assert!(refused.nothing_done && unknown.nothing_done);
}

#[tokio::test]
async fn files_are_listed_by_their_paths() {
    let bed = bed();
    for path in ["b.csv", "a.csv", "c.txt", "2026/d.csv", "2026/05/e.csv"] {
        bed.put(path, "12");
    }
    bed.put(".procos-unfinished-x", "");
    let paths = async |inputs: Json| {
        let files = answer(bed.run("file_list", inputs).await)
            .remove("files")
            .unwrap();
        let files = files.as_array().unwrap().clone();
        files
            .iter()
            .map(|file| file["path"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(paths(json!({})).await, ["a.csv", "b.csv", "c.txt"]);
    assert_eq!(paths(json!({"pattern": "*.csv"})).await, ["a.csv", "b.csv"]);
    assert_eq!(
        paths(json!({"pattern": "**/*.csv"})).await,
        ["2026/05/e.csv", "2026/d.csv", "a.csv", "b.csv"]
    );
    assert_eq!(paths(json!({"path": "2026/"})).await, ["2026/d.csv"]);
    let wrong = failure(bed.run("file_list", json!({"pattern": "["})).await);
    assert!(wrong.message.contains("write one such as *.csv"), "{wrong}");
}

/// A pipe would be waited for, for ever.
#[tokio::test]
async fn what_is_no_file_is_not_read() {
    let bed = bed();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        bed.path("pipe"),
        rustix::fs::FileType::Fifo,
        0o600.into(),
        0,
    )
    .unwrap();
    for path in ["pipe", "."] {
        let failed = failure(bed.run("file_read", json!({"path": path})).await);
        assert_eq!(failed.retry, Retry::Never, "{path}: {failed}");
    }
}

#[tokio::test]
async fn what_may_be_done_twice_and_what_a_file_tells_of_an_attempt() {
    let bed = bed();
    let ask = |mode: &str| {
        context(
            "file_write",
            json!({"path": "a.txt", "content": "one", "mode": mode}),
        )
    };
    for (mode, effect) in [
        ("replace", Effect::Repeatable),
        ("append", Effect::Once),
        ("create", Effect::Once),
    ] {
        assert_eq!(bed.adapter.effect(&ask(mode)), effect, "{mode}");
    }
    assert_eq!(
        bed.adapter.effect(&context("file_read", json!({"path": "a"}))),
        Effect::Repeatable
    );
    assert_eq!(bed.adapter.inquire(&ask("create")).await, Inquiry::NotDone);
    bed.put("a.txt", "one");
    let done = Answer::new().with("path", "a.txt").with("size", 3_i64);
    assert_eq!(bed.adapter.inquire(&ask("create")).await, Inquiry::Done(done));
    assert_eq!(bed.adapter.inquire(&ask("append")).await, Inquiry::Unknown);
    bed.put("a.txt", "another's");
    assert_eq!(bed.adapter.inquire(&ask("create")).await, Inquiry::Unknown);
}

#[tokio::test]
async fn a_folder_is_absolute_and_its_health_is_whether_it_is_there() {
    let settings = |path: &Path| FolderSettings {
        path: path.to_owned(),
        write: false,
        max_bytes: 1,
    };
    let relative = BTreeMap::from([("in".to_owned(), settings(Path::new("in")))]);
    let wrong = FileAdapter::new(relative).unwrap_err();
    assert_eq!(wrong.key, "in.path");
    let bed = bed();
    assert_eq!(bed.adapter.health().await, Ok(()));
    fs::remove_dir(bed.home.path().join("seen")).unwrap();
    let gone = bed.adapter.health().await.unwrap_err();
    assert!(gone.starts_with("services.file.seen.path"), "{gone}");
    let failed = failure(bed.run("file_read", json!({"folder": "seen", "path": "a"})).await);
    assert!(
        failed.nothing_done && failed.message.contains("cannot be opened"),
        "{failed}"
    );
}
