//! Budgets, prices and limits.

use super::*;

const API: &str = "openai_chat";

/// 11 and 7 tokens cost 11·1 + 7·10 = 81 millionths.
fn priced(more: Json) -> Json {
    let mut settings = json!({"prices": {"small": {"input": 1.0, "output": 10.0}, "s*": {"input": 1000.0, "output": 1000.0}}});
    settings
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    settings
}

#[tokio::test]
async fn what_it_cost_is_told() {
    let server = server([]);
    let adapter = only(&server, API, priced(json!({})));
    let answer = fields(ask(&adapter, json!({"prompt": "?"})).await).await;
    assert!(
        (answer["cost"].as_f64().unwrap() - 0.000_081).abs() < 1e-9,
        "{answer}"
    );
    let answer = fields(ask(&adapter, json!({"prompt": "?", "model": "sage"})).await).await;
    assert!(
        (answer["cost"].as_f64().unwrap() - 0.018).abs() < 1e-9,
        "{answer}"
    );
    let answer = fields(ask(&adapter, json!({"prompt": "?", "model": "other"})).await).await;
    assert_eq!(answer["cost"], Json::Null);
}

#[tokio::test]
async fn nothing_is_asked_that_a_budget_does_not_cover() {
    let long = "x".repeat(30_000);
    for (settings, inputs, whose) in [
        (json!({}), json!({"prompt": long, "budget": "0.005"}), "task"),
        (
            json!({"budgets": {"task": 0.005}}),
            json!({"prompt": long, "budget": "5"}),
            "task",
        ),
        (
            json!({"budgets": {"instance": 0.005}}),
            json!({"prompt": long}),
            "instance",
        ),
        (json!({"budgets": {"day": 0.005}}), json!({"prompt": long}), "day"),
    ] {
        let server = server([]);
        let adapter = only(&server, API, priced(settings.clone()));
        let error = bpmn(ask(&adapter, inputs).await);
        assert_eq!(error.code, "AI_BUDGET_EXCEEDED");
        assert!(
            error.message.contains(&format!("the {whose} budget")),
            "{settings}: {error}"
        );
        assert!(server.asked().is_empty());
    }
}

#[tokio::test]
async fn an_answer_may_be_no_longer_than_the_budget_pays_for() {
    let server = server([]);
    let adapter = only(&server, API, priced(json!({})));
    ask(&adapter, json!({"prompt": "?", "budget": 0.001}))
        .await
        .unwrap();
    let most = server.asked()[0].body["max_tokens"].as_u64().unwrap();
    assert!((90..=100).contains(&most), "{most}");
}

#[tokio::test]
async fn the_budgets_of_the_instance_and_the_day_are_used_up_task_by_task() {
    for budgets in [json!({"instance": 0.00035}), json!({"day": 0.00035})] {
        let server = server([]);
        let adapter = only(&server, API, priced(json!({"budgets": budgets})));
        let inputs = json!({"prompt": "?", "max_output_tokens": 20});
        let mut answered = 0;
        let error = loop {
            match ask(&adapter, inputs.clone()).await {
                Ok(_) => answered += 1,
                error => break bpmn(error),
            }
            assert!(answered < 9, "the budget has no end");
        };
        // Each costs 81 millionths, and what is left has to cover 201 or, at the least, 161.
        assert_eq!(
            (answered, error.code.as_str()),
            (3, "AI_BUDGET_EXCEEDED"),
            "{budgets}"
        );
        let mut other = context(inputs);
        other.task.process_instance_id = "instance-2".to_owned();
        assert_eq!(
            adapter.execute(other).await.is_ok(),
            budgets.get("instance").is_some()
        );
    }
}

#[tokio::test]
async fn tools_and_repairs_count_for_the_tasks_budget() {
    let server = server((0..9).map(|_| Turn::call("look_up", json!({"number": "A-1"}))));
    let adapter = only(&server, API, priced(json!({})));
    let inputs = json!({"prompt": "?", "tools": ["look_up"], "budget": 0.0006});
    let error = bpmn(ask(&adapter, inputs).await);
    assert_eq!(error.code, "AI_BUDGET_EXCEEDED");
    let asked = server.asked().len();
    assert!((2..6).contains(&asked), "{asked}");
    assert!(matches!(error.variables["cost"], Value::Double(cost) if cost < 0.0006));
}

#[tokio::test]
async fn a_model_without_a_price_is_not_used_within_a_budget() {
    let server = server([]);
    let adapter = only(&server, API, json!({}));
    let failure = failure(ask(&adapter, json!({"prompt": "?", "budget": 1})).await);
    assert!(
        failure.message.contains("services.ai.it.prices.small"),
        "{failure}"
    );
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn a_question_that_was_not_taken_on_costs_nothing() {
    let server = server([
        Turn::Status(503, None),
        Turn::Status(503, None),
        Turn::Status(503, None),
    ]);
    let adapter = only(&server, API, priced(json!({"budgets": {"day": 0.00025}})));
    let inputs = json!({"prompt": "?", "max_output_tokens": 20});
    for _ in 0..3 {
        failure(ask(&adapter, inputs.clone()).await);
    }
    ask(&adapter, inputs).await.unwrap();
}

#[tokio::test]
async fn limits_hold_tasks_back_and_give_them_back_where_it_takes_long() {
    let server = server([]);
    let adapter = only(&server, API, json!({"limits": {"requests": 2}}));
    for _ in 0..2 {
        ask(&adapter, json!({"prompt": "?"})).await.unwrap();
    }
    let Err(TaskError::Postponed(postponed)) = ask(&adapter, json!({"prompt": "?"})).await else {
        panic!("not given back");
    };
    assert!(
        postponed.reason.contains("services.ai.it.limits.requests")
            && postponed.after > Duration::from_secs(10)
            && postponed.after <= Duration::from_secs(30),
        "{postponed:?}"
    );
    let small = only(&server, API, json!({"limits": {"tokens": 1000}}));
    let failure = failure(ask(&small, json!({"prompt": "?"})).await);
    assert!(failure.message.contains("limits.tokens is 1000"), "{failure}");
    ask(&small, json!({"prompt": "?", "max_output_tokens": 900}))
        .await
        .unwrap();
    assert!(matches!(
        ask(&small, json!({"prompt": "?", "max_output_tokens": 900})).await,
        Err(TaskError::Postponed(_))
    ));
}
