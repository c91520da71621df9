//! What a task is given, and where its answer goes.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use engine_client::{Scope, Variable, Variables};
use serde_json::json;
use worker_api::{Answer, Value};

use crate::bench::{Bench, extension, property};

#[tokio::test]
async fn input_parameters_go_in_and_output_parameters_come_out() {
    let bench = Bench::new("inputs");
    let mapping = r#"<camunda:inputOutput>
      <camunda:inputParameter name="item">${item}</camunda:inputParameter>
      <camunda:inputParameter name="tags"><camunda:map><camunda:entry key="a">1</camunda:entry></camunda:map></camunda:inputParameter>
      <camunda:inputParameter name="list"><camunda:list><camunda:value>x</camunda:value></camunda:list></camunda:inputParameter>
      <camunda:outputParameter name="total">${price}</camunda:outputParameter></camunda:inputOutput>"#;
    bench.deploy_task(&extension(mapping), "").await;
    let given = Arc::new(Mutex::new(None));
    let (pool, _) = bench.pool(|_| {}, {
        let given = given.clone();
        move |context| {
            *given.lock().unwrap() = Some(context.variables.clone());
            async { Ok(Answer::new().with("price", 12.5).with("note", "not asked for")) }
        }
    });
    let variables = Variables::from([
        ("item".to_owned(), Variable::Json(json!({"name": "desk"}))),
        ("secret".to_owned(), Variable::String("of the process".to_owned())),
    ]);
    let instance = bench.start_with(&variables).await;
    bench.completed(&instance).await;

    let given = given.lock().unwrap().take().unwrap();
    let names: Vec<_> = given.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["item", "list", "tags"],
        "the task's own variables and no others"
    );
    assert_eq!(given["item"], Value::Json(json!({"name": "desk"})));
    assert_eq!(given["tags"], Value::Json(json!({"a": "1"})));
    assert_eq!(given["list"], Value::Json(json!(["x"])));
    let process = bench.process_variables(&instance).await;
    assert_eq!(process["total"], json!(12.5));
    assert!(
        !process.contains_key("note") && !process.contains_key("price"),
        "{process:?}"
    );
    pool.stop(crate::bench::SOON).await;
}

#[tokio::test]
async fn without_output_parameters_an_answer_leaves_nothing_behind() {
    let bench = Bench::new("no-leak");
    bench.deploy_task("", "").await;
    let (pool, _) = bench.pool(|_| {}, async |_| Ok(Answer::new().with("price", 12.5)));
    let instance = bench.start().await;
    bench.completed(&instance).await;
    assert_eq!(
        bench.process_variables(&instance).await,
        std::collections::BTreeMap::new()
    );
    pool.stop(crate::bench::SOON).await;
}

#[tokio::test]
async fn a_result_variable_gets_the_whole_answer() {
    let bench = Bench::new("result");
    bench
        .deploy_task(&property("resultVariable", "outcome"), "")
        .await;
    let (pool, _) = bench.pool(
        |_| {},
        async |_| {
            Ok(Answer::new()
                .with("price", 12.5)
                .with("lines", Value::Json(json!([1, 2]))))
        },
    );
    let instance = bench.start().await;
    bench.completed(&instance).await;
    let process = bench.process_variables(&instance).await;
    assert_eq!(
        process,
        [("outcome".to_owned(), json!({"price": 12.5, "lines": [1, 2]}))].into()
    );
    pool.stop(crate::bench::SOON).await;
}

#[tokio::test]
async fn every_kind_of_value_goes_through_a_task_unchanged() {
    let bench = Bench::new("kinds");
    let names = [
        "text", "long", "truth", "date", "bytes", "file", "nothing", "number",
    ];
    let inputs: String = names
        .iter()
        .map(|name| format!(r#"<camunda:inputParameter name="{name}">${{{name}}}</camunda:inputParameter>"#))
        .collect();
    let outputs: String = names
        .iter()
        .map(|name| {
            format!(r#"<camunda:outputParameter name="{name}_out">${{{name}}}</camunda:outputParameter>"#)
        })
        .collect();
    bench
        .deploy_task(
            &extension(&format!(
                "<camunda:inputOutput>{inputs}{outputs}</camunda:inputOutput>"
            )),
            "",
        )
        .await;
    let given = Arc::new(Mutex::new(None));
    let (pool, _) = bench.pool(|_| {}, {
        let given = given.clone();
        move |context| {
            *given.lock().unwrap() = Some(context.variables.clone());
            let echo = |answer: Answer, (name, value): (String, Value)| answer.with(name, value);
            async move { Ok(context.variables.into_iter().fold(Answer::new(), echo)) }
        }
    });
    let file = Variable::File {
        name: "a.pdf".into(),
        media_type: Some("application/pdf".into()),
        encoding: None,
        content: Some(Bytes::from_static(b"%PDF-1.7")),
    };
    let sent = Variables::from([
        (
            "text".to_owned(),
            Variable::String("Grüße \u{1F600}\n\"quoted\"".into()),
        ),
        ("long".to_owned(), Variable::Integer(i64::MAX)),
        ("truth".to_owned(), Variable::Boolean(true)),
        (
            "date".to_owned(),
            Variable::Date("2026-03-01T10:00:00.250Z".parse().unwrap()),
        ),
        (
            "bytes".to_owned(),
            Variable::Bytes(Bytes::from_static(&[0, 159, 255])),
        ),
        ("file".to_owned(), file.clone()),
        ("nothing".to_owned(), Variable::Null),
        ("number".to_owned(), Variable::Double(0.1)),
    ]);
    let instance = bench.start_with(&sent).await;
    bench.completed(&instance).await;
    let given = given.lock().unwrap().take().unwrap();
    assert_eq!(given["bytes"], Value::Bytes(Bytes::from_static(&[0, 159, 255])));
    // An expression reads a file variable as its bytes.
    assert_eq!(given["file"], Value::Bytes(Bytes::from_static(b"%PDF-1.7")));
    assert_eq!(given["long"], Value::Integer(i64::MAX));

    let records = bench.engine.variable_records(&instance).await.unwrap();
    let came_out = |name: &str| {
        records
            .iter()
            .find(|record| record.name == format!("{name}_out"))
            .expect("written")
    };
    for (name, value) in &sent {
        // The list of variables leaves the content of these out.
        if !matches!(value, Variable::File { .. } | Variable::Bytes(_)) {
            assert_eq!(&came_out(name).value, value, "{name}");
        }
    }
    for (name, content) in [("file", &b"%PDF-1.7"[..]), ("bytes", &[0, 159, 255])] {
        let id = &came_out(name).id;
        assert_eq!(
            bench.engine.variable_record_data(id).await.unwrap(),
            content,
            "{name}"
        );
    }
    pool.stop(crate::bench::SOON).await;
}

#[tokio::test]
async fn text_past_the_engines_limit_arrives_whole() {
    let bench = Bench::new("long-text");
    bench
        .deploy_task(&property("resultVariable", "outcome"), "")
        .await;
    let text = "ä".repeat(20_000);
    let answer = text.clone();
    let (pool, _) = bench.pool(
        |_| {},
        move |_| {
            let answer = answer.clone();
            async { Ok(Answer::new().with("text", answer)) }
        },
    );
    let instance = bench.start().await;
    bench.completed(&instance).await;
    assert_eq!(
        bench.process_variables(&instance).await["outcome"]["text"],
        json!(text)
    );
    pool.stop(crate::bench::SOON).await;
}

#[tokio::test]
async fn a_files_content_comes_along() {
    let bench = Bench::new("file");
    // With an input parameter the task has a scope of its own for the file.
    let mapping = r#"<camunda:inputOutput><camunda:inputParameter name="x">1</camunda:inputParameter></camunda:inputOutput>"#;
    bench.deploy_task(&extension(mapping), "").await;
    let instance = bench.start().await;
    let task = bench.engine.external_tasks(&instance).await.unwrap().remove(0);
    let file = Variable::File {
        name: "a.pdf".into(),
        media_type: Some("application/pdf".into()),
        encoding: None,
        content: Some(Bytes::from_static(b"%PDF-1.7")),
    };
    let local = Variables::from([("attachment".to_owned(), file)]);
    bench
        .engine
        .change_variables(Scope::Execution(&task.execution_id), &local, &[])
        .await
        .unwrap();

    let given = Arc::new(Mutex::new(None));
    let (pool, _) = bench.pool(|_| {}, {
        let given = given.clone();
        move |context| {
            let given = given.clone();
            async move {
                let Some(Value::File(file)) = context.variables.get("attachment") else {
                    panic!("{:?}", context.variables)
                };
                let content = file.content.bytes().await?;
                *given.lock().unwrap() = Some((file.name.clone(), file.media_type.clone(), content));
                Ok(Answer::new())
            }
        }
    });
    bench.completed(&instance).await;
    let given = given.lock().unwrap().take();
    let content = Bytes::from_static(b"%PDF-1.7");
    assert_eq!(
        given,
        Some(("a.pdf".to_owned(), Some("application/pdf".to_owned()), content))
    );
    pool.stop(crate::bench::SOON).await;
}
