//! Other providers in the place of one, and settings.

use super::*;

#[tokio::test]
async fn another_provider_answers_where_one_cannot() {
    let closed = format!("http://127.0.0.1:{}", tests::free_port());
    for (turns, status) in [
        (vec![Turn::Status(503, None)], "503"),
        (vec![Turn::Status(401, None)], "401"),
        (vec![Turn::Overloaded], "overloaded"),
        (vec![], "closed"),
    ] {
        let (one, other) = (server(turns.clone()), server([]));
        let mut first = provider(&one, "openai_chat", json!({"fallback": ["second"]}));
        if turns.is_empty() {
            first["base_url"] = closed.as_str().into();
        }
        let second = provider(&other, "anthropic", json!({"default_model": "claude"}));
        let adapter = adapter(json!({"first": first, "second": second}));
        let inputs = json!({"prompt": "?", "provider": "first", "model": "gpt"});
        let answer = fields(ask(&adapter, inputs).await).await;
        assert_eq!(
            (&answer["provider_used"], &answer["model_used"]),
            (&json!("second"), &json!("claude")),
            "{status}"
        );
    }
}

#[tokio::test]
async fn a_question_that_is_wrong_is_asked_nobody_else_and_the_first_trouble_is_told() {
    let (one, other) = (
        server([Turn::Status(400, None), Turn::Status(503, None)]),
        server([Turn::Status(401, None)]),
    );
    let first = provider(&one, "openai_chat", json!({"fallback": ["second"]}));
    let second = provider(&other, "openai_chat", json!({}));
    let adapter = adapter(json!({"first": first, "second": second}));
    let inputs = json!({"prompt": "?", "provider": "first"});
    assert!(
        failure(ask(&adapter, inputs.clone()).await)
            .message
            .contains("400")
    );
    assert!(other.asked().is_empty());
    let both = failure(ask(&adapter, inputs).await);
    assert!(
        both.message.contains("first") && both.message.contains("503"),
        "{both}"
    );
    assert_eq!(other.asked().len(), 1);
}

#[tokio::test]
async fn a_conversation_goes_on_with_another_provider_in_the_middle() {
    let one = server([
        Turn::call("look_up", json!({"number": "A-1"})),
        Turn::Status(503, None),
    ]);
    let other = server([Turn::say("It is sent.")]);
    let first = provider(&one, "anthropic", json!({"fallback": ["second"]}));
    let second = provider(&other, "openai_responses", json!({}));
    let adapter = adapter(json!({"first": first, "second": second}));
    let inputs = json!({"prompt": "?", "provider": "first", "tools": ["look_up"]});
    let answer = fields(ask(&adapter, inputs).await).await;
    assert_eq!(answer["ai_response"], "It is sent.");
    let body = &other.asked()[0].body["input"];
    let kinds: Vec<&Json> = body
        .as_array()
        .unwrap()
        .iter()
        .map(|item| &item["type"])
        .collect();
    assert_eq!(
        kinds,
        [
            &Json::Null,
            &json!("function_call"),
            &json!("function_call_output")
        ]
    );
    assert!(
        !body.to_string().contains("c2ln"),
        "one vendor's own words are nothing to another: {body}"
    );
}

#[tokio::test]
async fn which_provider_is_meant_has_to_be_clear() {
    let server = server([]);
    let one = provider(&server, "openai_chat", json!({}));
    let two = adapter(json!({"a": one, "b": one}));
    let unclear = failure(ask(&two, json!({"prompt": "?"})).await);
    assert!(unclear.message.contains("which is meant: a, b"), "{unclear}");
    let none = failure(ask(&adapter(json!({})), json!({"prompt": "?"})).await);
    assert!(none.message.contains("there are none yet"), "{none}");
    let without = only(&server, "openai_chat", json!({"default_model": null}));
    let model = failure(ask(&without, json!({"prompt": "?"})).await);
    assert!(model.message.contains("services.ai.it.default_model"), "{model}");
}

#[test]
fn settings_that_cannot_be_meant_are_named() {
    for (settings, key) in [
        (json!({"mine": {}}), "mine.api"),
        (json!({"openai": {"fallback": ["other"]}}), "openai.fallback"),
        (json!({"openai": {"fallback": ["openai"]}}), "openai.fallback"),
        (
            json!({"openai": {"base_url": "ftp://a.example"}}),
            "openai.base_url",
        ),
        (
            json!({"openai": {"base_url": "https://ada:pw@a.example"}}),
            "openai.base_url",
        ),
        (json!({"openai": {"budgets": {"day": -1}}}), "openai.budgets.day"),
        (
            json!({"openai": {"prices": {"m": {"input": -1, "output": 0}}}}),
            "openai.prices.m.input",
        ),
    ] {
        let read = serde_json::from_value(settings.clone()).unwrap();
        let error = AiAdapter::new(read, SecretStore::default()).err().unwrap();
        assert_eq!(error.key, key, "{settings}: {error}");
    }
}

#[tokio::test]
async fn a_provider_reaches_its_own_address_and_no_other_internal_one() {
    // What the configuration names may be internal; nothing that a task says leads elsewhere.
    let server = server([]);
    let adapter = only(&server, "openai_chat", json!({}));
    ask(&adapter, json!({"prompt": "?"})).await.unwrap();
    let metadata =
        json!({"api": "openai_chat", "base_url": "http://metadata.google.internal", "default_model": "m"});
    let guarded = super::adapter(json!({"it": metadata}));
    failure(ask(&guarded, json!({"prompt": "?"})).await);
}
