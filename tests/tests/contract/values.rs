//! Variables: what the engine takes, and what it gives back.

use std::collections::BTreeMap;

use bytes::Bytes;
use engine_client::{Completion, Scope, Variable, Variables};
use serde_json::{Value as Json, json};

use crate::subject::Subject;

contract! {
    plain_types_come_back_as_they_went;
    null_of_any_type_is_null;
    a_wrong_value_is_a_bad_request_and_nothing_happens;
    dates_have_one_form;
    a_string_has_at_most_4000_characters;
    json_is_text_that_the_engine_does_not_look_into on camunda fake;
    json_carries_what_a_string_cannot on camunda fake;
    an_untyped_object_becomes_a_java_object;
    a_transient_value_is_not_kept;
    files_come_without_their_content;
    a_files_content_is_with_the_execution_and_else_the_process;
    bytes_come_with_their_content_and_leave_it_to_a_call_in_history;
    completions_overwrite_where_a_variable_stands_and_else_go_to_the_process;
    local_results_are_for_output_parameters;
    outputs_that_cannot_be_computed_refuse_the_completion;
    inputs_that_cannot_be_computed_refuse_the_start;
    a_failure_may_bring_variables;
    variables_can_be_set_from_outside;
    the_client_sends_and_reads_every_kind_but_json;
    the_client_sends_and_reads_json on camunda fake;
}

/// Starts an instance with one variable and gives its variables as they come.
async fn kept(subject: &Subject, value: Json) -> Result<Json, (u16, Json)> {
    let path = format!("/process-definition/key/{}/start", subject.key);
    let started = subject.post(&path, json!({ "variables": { "v": value } })).await;
    if started.status != 200 {
        return Err((started.status, started.json()["code"].clone()));
    }
    let instance = started.json()["id"].as_str().unwrap().to_owned();
    let kept = subject
        .get(&format!(
            "/process-instance/{instance}/variables?deserializeValues=false"
        ))
        .await
        .json();
    let fetched = subject.fetch_one().await;
    assert_eq!(
        fetched["variables"], kept,
        "a fetch shows the same as a question for the variables"
    );
    Ok(kept["v"].clone())
}

async fn plain_types_come_back_as_they_went(subject: Subject) {
    subject.deploy_task(|work| work).await;
    for (sent, kind, value) in [
        (
            json!({ "value": true, "type": "Boolean" }),
            "Boolean",
            json!(true),
        ),
        (json!({ "value": 7, "type": "Short" }), "Short", json!(7)),
        (json!({ "value": 7, "type": "Integer" }), "Integer", json!(7)),
        (
            json!({ "value": 1_i64 << 40, "type": "Long" }),
            "Long",
            json!(1_i64 << 40),
        ),
        (json!({ "value": 0.5, "type": "Double" }), "Double", json!(0.5)),
        (json!({ "value": 2, "type": "Double" }), "Double", json!(2.0)),
        (
            json!({ "value": "ä\n", "type": "String" }),
            "String",
            json!("ä\n"),
        ),
        // What fits is made to fit, and the first letter may be small.
        (json!({ "value": "7", "type": "Integer" }), "Integer", json!(7)),
        (json!({ "value": 7, "type": "String" }), "String", json!("7")),
        (json!({ "value": 7, "type": "integer" }), "Integer", json!(7)),
        // Without a type the engine guesses.
        (json!({ "value": true }), "Boolean", json!(true)),
        (json!({ "value": "x" }), "String", json!("x")),
        (json!({ "value": 1 }), "Integer", json!(1)),
        (json!({ "value": 1_i64 << 40 }), "Long", json!(1_i64 << 40)),
        (json!({ "value": 1.5 }), "Double", json!(1.5)),
    ] {
        let kept = kept(&subject, sent.clone()).await.unwrap();
        assert_eq!(
            kept,
            json!({ "type": kind, "value": value, "valueInfo": {} }),
            "{sent}"
        );
    }
}

async fn null_of_any_type_is_null(subject: Subject) {
    subject.deploy_task(|work| work).await;
    for (sent, kind) in [
        (json!({ "value": null }), "Null"),
        (json!({ "value": null, "type": "Null" }), "Null"),
        (json!({ "value": null, "type": "String" }), "String"),
        (json!({ "value": null, "type": "Integer" }), "Integer"),
    ] {
        let kept = kept(&subject, sent.clone()).await.unwrap();
        assert_eq!((&kept["type"], &kept["value"]), (&json!(kind), &Json::Null));
    }
}

async fn a_wrong_value_is_a_bad_request_and_nothing_happens(subject: Subject) {
    let (instance, task) = subject.locked_task().await;
    for wrong in [
        json!({ "value": "x", "type": "Integer" }),
        json!({ "value": 1_i64 << 40, "type": "Integer" }),
        json!({ "value": 1.5, "type": "Integer" }),
        json!({ "value": "x", "type": "Boolean" }),
        json!({ "value": "%", "type": "Bytes" }),
        json!({ "value": 5, "type": "Null" }),
        json!({ "value": 5, "type": "Nonsense" }),
    ] {
        let completion = json!({ "variables": { "good": { "value": 1 }, "wrong": wrong } });
        let answer = subject.report(&task, "complete", completion).await;
        answer.refuses_with(400, Json::Null);
    }
    assert_eq!(subject.variable(&instance, "good").await, None);
    assert_eq!(subject.state(&instance).await, "ACTIVE");
}

async fn dates_have_one_form(subject: Subject) {
    subject.deploy_task(|work| work).await;
    let date = |text: &str| json!({ "value": text, "type": "Date" });
    for (sent, expected) in [
        ("2026-03-01T10:00:00.250+0000", "2026-03-01T10:00:00.250+0000"),
        ("2026-03-01T12:00:00.250+0200", "2026-03-01T10:00:00.250+0000"),
    ] {
        let kept = kept(&subject, date(sent)).await.unwrap();
        assert_eq!(kept["value"], json!(expected));
    }
    for wrong in [
        "2026-03-01T10:00:00Z",
        "2026-03-01T10:00:00.250Z",
        "2026-03-01T10:00:00+0000",
        "2026-03-01T10:00:00.250+00:00",
        "2026-03-01",
    ] {
        assert_eq!(
            kept(&subject, date(wrong)).await,
            Err((400, Json::Null)),
            "{wrong}"
        );
    }
}

async fn a_string_has_at_most_4000_characters(subject: Subject) {
    subject.deploy_task(|work| work).await;
    let string = |length: usize| json!({ "value": "ä".repeat(length), "type": "String" });
    assert!(kept(&subject, string(4000)).await.is_ok());
    assert_eq!(kept(&subject, string(4001)).await, Err((500, json!(10_002))));
    let instance = subject.start(json!({})).await;
    let task = subject.fetch_one().await;
    let completion = json!({ "variables": { "v": string(4001) } });
    let task = task["id"].as_str().unwrap();
    subject
        .report(task, "complete", completion)
        .await
        .refuses_with(500, 10_002);
    assert_eq!(subject.state(&instance).await, "ACTIVE");
}

async fn json_is_text_that_the_engine_does_not_look_into(subject: Subject) {
    subject.deploy_task(|work| work).await;
    for text in [r#"{"a": [1, null]}"#, "\"x\"", "{"] {
        let kept = kept(&subject, json!({ "value": text, "type": "Json" }))
            .await
            .unwrap();
        assert_eq!(kept, json!({ "type": "Json", "value": text, "valueInfo": {} }));
    }
    let object = json!({ "value": { "a": 1 }, "type": "Json" });
    assert_eq!(kept(&subject, object).await, Err((400, Json::Null)));
}

async fn json_carries_what_a_string_cannot(subject: Subject) {
    subject.deploy_task(|work| work).await;
    let text = json!("x".repeat(100_000)).to_string();
    let kept = kept(&subject, json!({ "value": text, "type": "Json" }))
        .await
        .unwrap();
    assert_eq!(kept["value"], json!(text));
}

async fn an_untyped_object_becomes_a_java_object(subject: Subject) {
    subject.deploy_task(|work| work).await;
    for value in [json!({ "a": 1 }), json!([1])] {
        let kept = kept(&subject, json!({ "value": value })).await.unwrap();
        assert_eq!(kept["type"], json!("Object"));
        let class = kept["valueInfo"]["objectTypeName"].as_str().unwrap();
        assert!(class.starts_with("java.util."), "{class}");
    }
}

async fn a_transient_value_is_not_kept(subject: Subject) {
    // It is there for the inputs of the first task, and gone at its wait.
    subject.deploy_task(|work| work.input("copy", "${v}")).await;
    let transient = json!({ "value": "x", "type": "String", "valueInfo": { "transient": true } });
    let instance = subject.start(json!({ "v": transient })).await;
    let task = subject.fetch_one().await;
    let names: Vec<_> = task["variables"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["copy"]);
    assert_eq!(subject.variable(&instance, "v").await, None);
}

fn file() -> Json {
    let info = json!({ "filename": "a.txt", "mimeType": "text/plain" });
    json!({ "value": "aGk=", "type": "File", "valueInfo": info })
}

async fn files_come_without_their_content(subject: Subject) {
    subject.deploy_task(|work| work).await;
    let file = file();
    let kept = kept(&subject, file.clone()).await.unwrap();
    let expected = json!({ "type": "File", "value": null, "valueInfo": file["valueInfo"] });
    assert_eq!(kept, expected);
    let nameless = json!({ "value": "aGk=", "type": "File" });
    let start = format!("/process-definition/key/{}/start", subject.key);
    let answer = subject
        .post(&start, json!({ "variables": { "v": nameless } }))
        .await;
    assert_eq!(answer.status, 500, "{}", answer.json());
}

async fn a_files_content_is_with_the_execution_and_else_the_process(subject: Subject) {
    subject.deploy_task(|work| work.input("copy", "${v}")).await;
    let instance = subject.start(json!({ "v": file() })).await;
    let task = subject.fetch_one().await;
    // A file that an expression copies is no file any more.
    assert_eq!(task["variables"]["copy"]["type"], json!("Bytes"));
    let execution = task["executionId"].as_str().unwrap();
    let local = |name: &str| format!("/execution/{execution}/localVariables/{name}/data");
    assert_eq!(subject.get(&local("copy")).await.bytes, "hi");
    assert_eq!(
        subject.get(&local("v")).await.status,
        404,
        "the process's is not here"
    );
    let process = format!("/process-instance/{instance}/variables/v/data");
    assert_eq!(subject.get(&process).await.bytes, "hi");
    let none = format!("/process-instance/{instance}/variables/none/data");
    assert_eq!(subject.get(&none).await.status, 404);
    // The client asks both.
    let client = subject.client();
    for name in ["copy", "v"] {
        let data = client.variable_data(execution, &instance, name, 10).await;
        assert_eq!(data.unwrap().whole().await.unwrap(), "hi");
    }
    let missing = client.variable_data(execution, &instance, "none", 10).await;
    assert!(missing.unwrap_err().is_not_found());
    // An execution that is gone is an internal error, not 404.
    let gone = subject.get("/execution/none/localVariables/v/data").await;
    gone.refuses_with(500, 0);
}

async fn bytes_come_with_their_content_and_leave_it_to_a_call_in_history(subject: Subject) {
    subject.deploy_task(|work| work).await;
    let bytes = json!({ "value": "aGk=", "type": "Bytes" });
    let kept = kept(&subject, bytes.clone()).await.unwrap();
    assert_eq!(kept["value"], json!("aGk="));
    let instance = subject.start(json!({ "v": bytes, "f": file() })).await;
    assert_eq!(
        subject.variable(&instance, "v").await,
        Some(("Bytes".to_owned(), Json::Null))
    );
    let client = subject.client();
    for record in client.variable_records(&instance).await.unwrap() {
        let data = client.variable_record_data(&record.id).await.unwrap();
        assert_eq!(data, "hi", "{}", record.name);
    }
}

async fn completions_overwrite_where_a_variable_stands_and_else_go_to_the_process(subject: Subject) {
    subject.deploy_task(|work| work.input("inner", "before")).await;
    let instance = subject
        .start(json!({ "outer": { "value": "before" }, "inner": { "value": "process" } }))
        .await;
    let task = subject.fetch_one().await;
    let after = json!({ "value": "after" });
    let completion = json!({ "variables": { "outer": after, "inner": after, "new": after } });
    let task = task["id"].as_str().unwrap();
    subject.report(task, "complete", completion).await.is_done();
    for (name, expected) in [("outer", "after"), ("new", "after"), ("inner", "process")] {
        let value = subject.variable(&instance, name).await.unwrap().1;
        assert_eq!(value, json!(expected), "{name}");
    }
}

async fn local_results_are_for_output_parameters(subject: Subject) {
    subject
        .deploy_task(|work| work.output("result", "${answer}"))
        .await;
    let instance = subject.start(json!({})).await;
    let task = subject.fetch_one().await;
    let completion = json!({ "localVariables": { "answer": { "value": 42 } } });
    let task = task["id"].as_str().unwrap();
    subject.report(task, "complete", completion).await.is_done();
    assert_eq!(
        subject.variable(&instance, "result").await,
        Some(("Integer".to_owned(), json!(42)))
    );
    assert_eq!(subject.variable(&instance, "answer").await, None);
}

async fn outputs_that_cannot_be_computed_refuse_the_completion(subject: Subject) {
    subject
        .deploy_task(|work| work.output("result", "${answer}"))
        .await;
    let instance = subject.start(json!({})).await;
    let task = subject.fetch_one().await;
    let task = task["id"].as_str().unwrap();
    let completion = json!({ "variables": { "other": { "value": 1 } } });
    subject
        .report(task, "complete", completion)
        .await
        .refuses_with(500, 0);
    assert_eq!(subject.variable(&instance, "other").await, None);
    assert_eq!(
        subject.task(task).await["workerId"],
        json!("w"),
        "it is still ours"
    );
}

async fn inputs_that_cannot_be_computed_refuse_the_start(subject: Subject) {
    subject.deploy_task(|work| work.input("copy", "${nobody}")).await;
    let start = format!("/process-definition/key/{}/start", subject.key);
    subject.post(&start, json!({})).await.refuses_with(500, 0);
    assert!(subject.fetch().await.is_empty());
}

async fn a_failure_may_bring_variables(subject: Subject) {
    let (instance, task) = subject.locked_task().await;
    let failure = json!({
        "retries": 1,
        "variables": { "of_the_process": { "value": 1 } },
        "localVariables": { "own": { "value": 2 } },
    });
    subject.report(&task, "failure", failure).await.is_done();
    assert!(subject.variable(&instance, "of_the_process").await.is_some());
    assert!(subject.variable(&instance, "own").await.is_none());
    assert_eq!(subject.fetch_one().await["variables"]["own"]["value"], json!(2));
}

async fn variables_can_be_set_from_outside(subject: Subject) {
    subject.deploy_task(|work| work).await;
    let instance = subject.start(json!({})).await;
    let task = subject.fetch_one().await;
    let execution = task["executionId"].as_str().unwrap();
    let client = subject.client();
    let one = |name: &str| Variables::from([(name.to_owned(), Variable::Integer(1))]);
    client
        .change_variables(Scope::Instance(&instance), &one("outer"), &[])
        .await
        .unwrap();
    client
        .change_variables(Scope::Execution(execution), &one("inner"), &[])
        .await
        .unwrap();
    let names = |variables: Variables| variables.into_keys().collect::<Vec<_>>();
    assert_eq!(
        names(client.variables(Scope::Instance(&instance)).await.unwrap()),
        ["outer"]
    );
    assert_eq!(
        names(client.variables(Scope::Execution(execution)).await.unwrap()),
        ["inner"]
    );
    let gone = subject.get("/process-instance/none/variables").await;
    gone.refuses_with(500, 0);
}

async fn round_trip(subject: Subject, variables: BTreeMap<String, Variable>) {
    subject.deploy_task(|work| work).await;
    let client = subject.client();
    let instance = client
        .start_instance(&subject.key, None, None, &variables)
        .await
        .unwrap()
        .id;
    assert_eq!(
        client.variables(Scope::Instance(&instance)).await.unwrap(),
        variables
    );
    let task = subject.fetch_one().await;
    let report = Completion {
        variables: variables.clone(),
        ..Completion::default()
    };
    let task = task["id"].as_str().unwrap();
    client.complete(task, "w", &report).await.unwrap();
    let records = client.variable_records(&instance).await.unwrap();
    let records: Variables = records.into_iter().map(|it| (it.name, it.value)).collect();
    // The history leaves the content of bytes to a call of its own.
    let variables = variables
        .into_iter()
        .filter(|(name, _)| name != "bytes")
        .collect::<Variables>();
    for (name, value) in variables {
        assert_eq!(records[&name], value, "{name}");
    }
}

async fn the_client_sends_and_reads_every_kind_but_json(subject: Subject) {
    let variables = [
        ("null", Variable::Null),
        ("boolean", Variable::Boolean(true)),
        ("integer", Variable::Integer(-7)),
        ("long", Variable::Integer(i64::MAX)),
        ("double", Variable::Double(0.1)),
        ("string", Variable::String("ä\n\"".to_owned())),
        (
            "date",
            Variable::Date("2026-03-01T10:00:00.250Z".parse().unwrap()),
        ),
        ("bytes", Variable::Bytes(Bytes::from_static(&[0, 255]))),
    ];
    round_trip(subject, variables.map(|(name, it)| (name.to_owned(), it)).into()).await;
}

async fn the_client_sends_and_reads_json(subject: Subject) {
    let variables = [
        ("object", Variable::Json(json!({ "a": [1, null, "x"] }))),
        // More than a String can hold: it travels as Json, and is text again for who reads it.
        ("long_text", Variable::String("x".repeat(5000))),
    ];
    round_trip(subject, variables.map(|(name, it)| (name.to_owned(), it)).into()).await;
}
