//! Schemas, repairs, reviews and tools.

use super::*;

const API: &str = "openai_chat";

fn schema() -> Json {
    json!({"type": "object", "required": ["urgent"], "properties": {"urgent": {"type": "boolean"}}})
}

#[tokio::test]
async fn an_answer_that_does_not_fit_is_sent_back_with_what_is_wrong() {
    let server = server([
        Turn::say("Yes, it is."),
        Turn::json(&json!({"urgent": "very"})),
        Turn::json(&json!({"urgent": true})),
    ]);
    let adapter = only(&server, API, json!({}));
    let answer = fields(ask(&adapter, json!({"prompt": "Urgent?", "output_schema": schema()})).await).await;
    assert_eq!(answer["ai_response"], json!({"urgent": true}));
    assert_eq!(answer["tokens_used"], 54);
    let asked = server.asked();
    let second = asked[1].body["messages"].to_string();
    assert!(
        second.contains("it is no JSON") && second.contains("Yes, it is."),
        "{second}"
    );
    let third = asked[2].body["messages"].to_string();
    assert!(
        third.contains("urgent") && third.contains("is not of type"),
        "{third}"
    );
}

#[tokio::test]
async fn an_answer_that_never_fits_is_a_bpmn_error_with_the_answer() {
    let server = server([
        Turn::say("a"),
        Turn::say("b"),
        Turn::say("c"),
        Turn::json(&json!({"urgent": true})),
    ]);
    let adapter = only(&server, API, json!({}));
    let error = bpmn(ask(&adapter, json!({"prompt": "Urgent?", "output_schema": schema()})).await);
    assert_eq!(error.code, "AI_INVALID_OUTPUT");
    assert_eq!(error.variables["ai_response"], "c".into());
    assert_eq!(error.variables["tokens_used"], Value::Integer(54));
    assert!(matches!(error.variables["transcript"], Value::File(_)));
    assert_eq!(server.asked().len(), 3);
}

#[tokio::test]
async fn a_model_that_is_not_sure_asks_for_a_person() {
    let unsure = json!({"answer": {"urgent": false}, "confidence": 0.4});
    let sure = json!({"answer": "It is.", "confidence": 0.9});
    let server = server([
        Turn::json(&unsure),
        Turn::json(&sure),
        Turn::json(&json!({"answer": "No.", "confidence": 7})),
    ]);
    let adapter = only(&server, API, json!({}));
    let answer = fields(
        ask(
            &adapter,
            json!({"prompt": "Urgent?", "output_schema": schema(), "review_below": "0.8"}),
        )
        .await,
    )
    .await;
    assert_eq!(
        (
            &answer["ai_response"],
            &answer["confidence"],
            &answer["needs_review"]
        ),
        (&json!({"urgent": false}), &json!(0.4), &json!(true))
    );
    let answer = fields(ask(&adapter, json!({"prompt": "Urgent?", "review_below": 0.8})).await).await;
    assert_eq!(
        (&answer["ai_response"], &answer["needs_review"]),
        (&json!("It is."), &json!(false))
    );
    // What is no confidence is sent back; what the server says then is no JSON either.
    let error = bpmn(ask(&adapter, json!({"prompt": "Urgent?", "review_below": 0.8})).await);
    assert_eq!(error.code, "AI_INVALID_OUTPUT");
}

#[tokio::test]
async fn a_process_is_a_tool_and_is_started_once_however_often_it_is_tried() {
    let turns = || {
        [
            Turn::call("check_credit", json!({"customer": "Ada"})),
            Turn::say("It is 7."),
        ]
    };
    let server = server(turns().into_iter().chain(turns()));
    let adapter = only(&server, API, json!({}));
    let tools = json!([{"process": "check_credit", "description": "Checks a customer's credit",
                        "inputs": {"type": "object", "properties": {"customer": {"type": "string"}}},
                        "with": {"limit": 3}}]);
    let port = Arc::new(Port::default());
    for _ in 0..2 {
        let context =
            context(json!({"prompt": "Is Ada good for it?", "tools": tools})).with_processes(port.clone());
        let answer = fields(adapter.execute(context).await).await;
        assert_eq!(answer["ai_response"], "It is 7.");
    }
    assert_eq!(
        port.calls.lock().unwrap()[0],
        ("check_credit".to_owned(), json!({"customer": "Ada", "limit": 3}))
    );
    assert_eq!(port.started.lock().unwrap().len(), 1);
    assert!(server.asked()[1].body.to_string().contains(r#"{\"score\":7}"#));
}

#[tokio::test]
async fn what_no_model_can_mend_ends_the_task() {
    let server = server([
        Turn::call("lost", json!({})),
        Turn::call("forbidden", json!({})),
        Turn::call("nothing", json!({})),
        Turn::say("Then not."),
    ]);
    let adapter = only(&server, API, json!({}));
    let tools = json!(["lost", "forbidden"]);
    let lost = bpmn(ask(&adapter, json!({"prompt": "?", "tools": tools})).await);
    assert_eq!(lost.code, "OUTCOME_UNKNOWN");
    let refused = failure(ask(&adapter, json!({"prompt": "?", "tools": tools})).await);
    assert_eq!(refused.codes, ["POLICY_REFUSED"]);
    // A tool that is not there is something the model can mend.
    let answer = fields(ask(&adapter, json!({"prompt": "?", "tools": tools})).await).await;
    assert_eq!(answer["ai_response"], "Then not.");
    let told = server.asked()[3].body.to_string();
    assert!(
        told.contains("there is no tool `nothing`; there are: lost, forbidden"),
        "{told}"
    );
}

#[tokio::test]
async fn tools_are_called_no_more_often_than_is_allowed() {
    let server = server((0..9).map(|_| Turn::call("look_up", json!({"number": "A-1"}))));
    let adapter = only(&server, API, json!({}));
    let port = Arc::new(Port::default());
    let context = context(json!({"prompt": "?", "tools": ["look_up"], "max_tool_calls": "3"}))
        .with_processes(port.clone());
    let failure = failure(adapter.execute(context).await);
    assert!(failure.message.contains("raise max_tool_calls"), "{failure}");
    let calls = port.calls.lock().unwrap();
    let keys: BTreeSet<&String> = calls.iter().map(|(key, _)| key).collect();
    assert_eq!((calls.len(), keys.len()), (3, 3), "{calls:?}");
}

#[tokio::test]
async fn inputs_that_cannot_be_meant_are_named() {
    let server = server([]);
    let adapter = only(&server, API, json!({}));
    for (inputs, part) in [
        (json!({}), "`prompt`"),
        (json!({"prompt": "?", "prompt_path": "a"}), "`prompt_path`"),
        (json!({"prompt_path": "nowhere.md"}), "nowhere.md"),
        (json!({"prompt": "?", "provider": "other"}), "there are: it"),
        (json!({"prompt": "?", "tools": ["nothing"]}), "no topic `nothing`"),
        (
            json!({"prompt": "?", "tools": ["look_up", "look_up"]}),
            "two are called `look_up`",
        ),
        (
            json!({"prompt": "?", "tools": [{"topic": "a", "process": "b"}]}),
            "one of the two",
        ),
        (json!({"prompt": "?", "files": ["photo"]}), "`photo`"),
        (json!({"prompt": "?", "output_schema": "no"}), "`output_schema`"),
    ] {
        let failure = failure(ask(&adapter, inputs.clone()).await);
        assert_eq!(failure.retry, worker_api::Retry::Never, "{inputs}");
        assert!(failure.message.contains(part), "{inputs}: {failure}");
    }
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn what_has_no_room_in_the_context_is_left_out_and_named() {
    let server = server([]);
    let adapter = only(&server, API, json!({}));
    let inputs = json!({"prompt": "?", "context": {"a": "short", "b": "x".repeat(400), "c": "short, too"}, "context_tokens": "50"});
    let answer = fields(ask(&adapter, inputs).await).await;
    assert_eq!(answer["context_left_out"], json!(["b"]));
    let body = server.asked()[0].body.to_string();
    assert!(body.contains("short, too") && !body.contains("xxx"), "{body}");
}
