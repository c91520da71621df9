//! What goes out and comes in, in each way of speaking.

use super::*;

#[tokio::test]
async fn a_question_is_answered_in_every_way_of_speaking() {
    for (name, api, _) in APIS {
        let server = server([Turn::say("It is urgent, since the heating is broken.")]);
        let adapter = only(&server, api, json!({}));
        let inputs = json!({
            "prompt": "Is it urgent?", "system": "You sort mail.", "context": {"mail": "It is cold."},
            "temperature": 0.2, "max_output_tokens": "500",
        });
        let answer = fields(ask(&adapter, inputs).await).await;
        assert_eq!(
            answer["ai_response"], "It is urgent, since the heating is broken.",
            "{name}"
        );
        assert_eq!(
            (
                &answer["tokens_used"],
                &answer["input_tokens"],
                &answer["output_tokens"]
            ),
            (&json!(18), &json!(11), &json!(7)),
            "{name}"
        );
        assert_eq!(
            (
                &answer["model_used"],
                &answer["provider_used"],
                &answer["complete"],
                &answer["cost"]
            ),
            (&json!("small"), &json!("it"), &json!(true), &Json::Null),
            "{name}"
        );
        let asked = &server.asked()[0];
        let body = asked.body.to_string();
        for part in [
            "You sort mail.",
            "## mail",
            "It is cold.",
            "Is it urgent?",
            "500",
            "0.2",
        ] {
            assert!(body.contains(part), "{name}: {part} in {body}");
        }
        let limit = match name {
            "responses" => &asked.body["max_output_tokens"],
            "ollama" => &asked.body["options"]["num_predict"],
            _ => &asked.body["max_tokens"],
        };
        assert_eq!(limit, 500, "{name}");
        let said = answer["transcript"].to_string();
        assert!(
            said.contains("You sort mail.") && said.contains("the heating is broken"),
            "{said}"
        );
        assert!(
            !said.contains(server.key()) && !body.contains(server.key()),
            "{name}"
        );
    }
}

#[tokio::test]
async fn tools_are_called_and_their_results_told_in_every_way_of_speaking() {
    for (name, api, _) in APIS {
        let server = server([
            Turn::Say(
                "I look.".to_owned(),
                vec![
                    ("look_up".to_owned(), json!({"number": "A-1"})),
                    ("look_up".to_owned(), json!({"number": "B-2"})),
                ],
            ),
            Turn::say("A-1 is sent."),
        ]);
        let adapter = only(&server, api, json!({}));
        let tools =
            json!([{"topic": "look_up", "description": "Finds orders", "with": {"connection": "orders"}}]);
        let port = Arc::new(Port::default());
        let context = context(json!({"prompt": "Where is it?", "tools": tools})).with_processes(port.clone());
        let answer = fields(adapter.execute(context).await).await;
        assert_eq!(answer["ai_response"], "A-1 is sent.", "{name}");
        assert_eq!(
            (&answer["tool_calls"], &answer["tokens_used"]),
            (&json!(2), &json!(36)),
            "{name}"
        );
        let calls = port.calls.lock().unwrap().clone();
        assert_eq!(
            calls[0].1,
            json!({"number": "A-1", "connection": "orders"}),
            "{name}"
        );
        assert!(
            calls[0].0.starts_with("task-1/look_up-") && calls[0].0 != calls[1].0,
            "{calls:?}"
        );
        let asked = server.asked();
        let first = asked[0].body["tools"].to_string();
        assert!(
            first.contains("Finds orders")
                && first.contains("The order's number.")
                && !first.contains("connection"),
            "{name}: {first}"
        );
        let second = asked[1].body.to_string();
        for part in ["state", "sent", "NO_ORDER: there is no such order", "I look."] {
            assert!(second.contains(part), "{name}: {part} in {second}");
        }
        // What the vendor's own words hold beyond that goes back unchanged.
        let own = match name {
            "responses" => "c2VjcmV0",
            "anthropic" => "c2ln",
            _ => "",
        };
        assert!(second.contains(own), "{name}: {second}");
    }
}

#[tokio::test]
async fn files_go_along_as_each_provider_takes_them() {
    for (name, api, _) in APIS {
        let server = server([]);
        let adapter = only(&server, api, json!({}));
        let mut context = context(json!({"prompt": "What is it?", "files": ["photo", "note"]}));
        context
            .variables
            .insert("photo".to_owned(), file("a.png", "image/png", b"\x89PNG"));
        context.variables.insert(
            "note".to_owned(),
            file("a.csv", "text/csv; charset=utf-8", "Öl;3".as_bytes()),
        );
        let answer = fields(adapter.execute(context.clone()).await).await;
        let body = &server.asked()[0].body;
        let image = match name {
            "responses" => json!("data:image/png;base64,iVBORw=="),
            "chat" => json!({"url": "data:image/png;base64,iVBORw=="}),
            "anthropic" => json!({"type": "base64", "media_type": "image/png", "data": "iVBORw=="}),
            _ => json!(["iVBORw=="]),
        };
        let found = match name {
            "responses" => &body["input"][0]["content"][0]["image_url"],
            "chat" => &body["messages"][0]["content"][0]["image_url"],
            "anthropic" => &body["messages"][0]["content"][0]["source"],
            _ => &body["messages"][0]["images"],
        };
        assert_eq!(found, &image, "{name}: {body}");
        assert!(
            body.to_string().contains("File a.csv:\\n\\nÖl;3"),
            "{name}: {body}"
        );
        assert!(
            !answer["transcript"].to_string().contains("iVBORw"),
            "{}",
            answer["transcript"]
        );
        context
            .variables
            .insert("photo".to_owned(), file("a.pdf", "application/pdf", b"%PDF"));
        let outcome = adapter.execute(context.clone()).await;
        if name == "ollama" {
            assert!(failure(outcome).message.contains("Ollama does not read"));
        } else {
            assert!(outcome.is_ok());
            assert!(server.asked()[1].body.to_string().contains("JVBERg=="), "{name}");
        }
        context
            .variables
            .insert("photo".to_owned(), file("a.zip", "application/zip", b"\xff\xfe"));
        let failure = failure(adapter.execute(context).await);
        assert!(
            failure.message.contains("a.zip") && failure.message.contains("PNG"),
            "{failure}"
        );
    }
}

#[tokio::test]
async fn a_schema_goes_out_as_each_provider_takes_it_and_the_answer_is_a_value() {
    let schema =
        json!({"type": "object", "required": ["urgent"], "properties": {"urgent": {"type": "boolean"}}});
    for (name, api, _) in APIS {
        let server = server([Turn::say("```json\n{\"urgent\": true}\n```")]);
        let adapter = only(&server, api, json!({}));
        let inputs = json!({"prompt_path": "prompts/triage.md", "output_schema": schema.to_string()});
        let answer = fields(ask(&adapter, inputs).await).await;
        assert_eq!(answer["ai_response"], json!({"urgent": true}), "{name}");
        let body = &server.asked()[0].body;
        let sent = match name {
            "responses" => &body["text"]["format"]["schema"],
            "chat" => &body["response_format"]["json_schema"]["schema"],
            "anthropic" => &body["output_config"]["format"]["schema"],
            _ => &body["format"],
        };
        assert_eq!(sent, &schema, "{name}: {body}");
        assert!(body.to_string().contains("Is it urgent?"), "{body}");
    }
}

#[tokio::test]
async fn what_goes_wrong_at_the_provider_is_told_and_tried_again_where_that_may_help() {
    for (name, api, _) in APIS {
        let turns = [
            Turn::Status(400, None),
            Turn::Status(429, Some(7)),
            Turn::Status(503, None),
            Turn::Status(404, None),
            Turn::Overloaded,
            Turn::BreakOff,
            Turn::FallSilent,
        ];
        let server = server(turns);
        let adapter = only(&server, api, json!({"idle_timeout": "300ms"}));
        let next = async || failure(ask(&adapter, json!({"prompt": "?"})).await);
        let wrong = next().await;
        assert_eq!(wrong.retry, worker_api::Retry::Never, "{name}: {wrong}");
        assert!(
            wrong.message.contains("400") && wrong.details.as_deref() == Some("the stand-in was told to"),
            "{wrong:?}"
        );
        let busy = next().await;
        assert_eq!(
            busy.retry,
            worker_api::Retry::NotBefore(Duration::from_secs(7)),
            "{name}"
        );
        assert_eq!(next().await.retry, worker_api::Retry::ByPolicy, "{name}");
        let missing = next().await;
        assert!(missing.message.contains("check the model"), "{name}: {missing}");
        for part in ["verloaded", "broke", "no answer within 300ms"] {
            let failure = next().await;
            let all = format!("{failure} {:?}", failure.details);
            assert!(
                failure.retry == worker_api::Retry::ByPolicy && all.contains(part),
                "{name} {part}: {all}"
            );
        }
    }
}

#[tokio::test]
async fn a_refusal_and_an_answer_that_is_cut_off_are_told() {
    for (name, api, _) in APIS {
        let turn = Turn::CutOff("Once upon a".to_owned());
        let server = server([turn.clone(), turn, Turn::Refuse]);
        let adapter = only(&server, api, json!({}));
        let cut = fields(ask(&adapter, json!({"prompt": "?"})).await).await;
        assert_eq!(
            (&cut["complete"], &cut["ai_response"]),
            (&json!(false), &json!("Once upon a")),
            "{name}"
        );
        let schema = json!({"type": "object"});
        let invalid = bpmn(ask(&adapter, json!({"prompt": "?", "output_schema": schema})).await);
        assert!(
            invalid.code == "AI_INVALID_OUTPUT" && invalid.message.contains("cut off"),
            "{name}: {invalid}"
        );
        assert_eq!(server.asked().len(), 2, "a longer answer would be cut off again");
        if name != "ollama" {
            let refused = bpmn(ask(&adapter, json!({"prompt": "?"})).await);
            assert_eq!(refused.code, "AI_REFUSED", "{name}: {refused}");
        }
    }
}

#[tokio::test]
async fn a_wrong_key_is_named_by_its_setting_and_never_shown() {
    for (name, api, _) in APIS.into_iter().filter(|(name, ..)| *name != "ollama") {
        let server = server([]);
        let adapter = only(&server, api, json!({"api_key": "sesame-open"}));
        let failure = failure(ask(&adapter, json!({"prompt": "?"})).await);
        assert!(
            failure.message.contains("services.ai.it.api_key"),
            "{name}: {failure}"
        );
        let health = adapter.health().await.unwrap_err();
        assert!(health.contains("services.ai.it.api_key"), "{name}: {health}");
        assert!(!format!("{failure:?} {health}").contains("sesame"), "{name}");
        let right = only(&server, api, json!({}));
        right.health().await.unwrap();
    }
}

#[tokio::test]
async fn a_task_that_is_given_up_closes_its_connection() {
    for (_, api, path) in APIS {
        let silent = tests::Silent::start().await;
        let url = format!("http://{}{path}", silent.address());
        let adapter =
            adapter(json!({"it": {"api": api, "base_url": url, "api_key": "k", "default_model": "m"}}));
        silent
            .gives_up(adapter.execute(context(json!({"provider": "it", "prompt": "?"}))))
            .await;
    }
}
