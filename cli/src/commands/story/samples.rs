//! Stories for the tests of what is shown: such as the engine has told, with round times.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{Attempt, State, Step, StepState, Story, Stuck};
use crate::output::Theme;

fn at(millis: i64) -> Option<Timestamp> {
    Some(Theme::plain().now - SignedDuration::from_secs(161) + SignedDuration::from_millis(millis))
}

fn step(id: &str, kind: &str, topic: Option<&str>, from: i64, to: Option<i64>) -> Step {
    let mut name = id.replace('_', " ");
    name[..1].make_ascii_uppercase();
    Step {
        visit: format!("{id}:1"),
        id: id.into(),
        name: Some(name),
        kind: kind.into(),
        topic: topic.map(str::to_owned),
        state: if to.is_some() {
            StepState::Completed
        } else {
            StepState::Running
        },
        waits_for: None,
        started: at(from),
        ended: to.and_then(at),
        attempts: Vec::new(),
        variables: Default::default(),
        steps: Vec::new(),
        called: None,
    }
}

fn attempt(millis: i64, error: Option<&str>, retries_left: i32) -> Attempt {
    Attempt {
        at: at(millis),
        worker: Some("generic-7c2e".into()),
        error: error.map(str::to_owned),
        details: error.map(|error| {
            format!("price.py:4   total = inputs[\"order\"][\"amount\"] * rate\n             {error}")
        }),
        retries_left: Some(retries_left),
    }
}

/// An order that went through, at the second attempt.
pub(crate) fn finished() -> Story {
    let mut fetch = step(
        "fetch_exchange_rate",
        "serviceTask",
        Some("http_request"),
        10,
        Some(1_230),
    );
    fetch.attempts = vec![
        attempt(200, Some("connection refused"), 2),
        attempt(1_230, None, 2),
    ];
    Story {
        instance_id: "735d8ccd-e56e-11f1-a45b-02fc00000001".into(),
        key: "order-check".into(),
        name: Some("Order check".into()),
        version: Some(2),
        business_key: Some("4711".into()),
        tenant_id: None,
        state: State::Completed,
        suspended: false,
        reason: None,
        started: at(0),
        ended: at(1_296),
        steps: vec![
            step("order_received", "startEvent", None, 0, Some(0)),
            step(
                "validate_order",
                "serviceTask",
                Some("input_validation"),
                1,
                Some(5),
            ),
            fetch,
            step("large_order", "exclusiveGateway", None, 1_230, Some(1_230)),
            step(
                "confirm",
                "serviceTask",
                Some("response_formatting"),
                1_231,
                Some(1_290),
            ),
            step("order_confirmed", "noneEndEvent", None, 1_290, Some(1_290)),
        ],
        variables: [
            ("confirmation".to_owned(), json!("Order 4711: 118.20 EUR")),
            ("order".to_owned(), json!({"item": "desk", "amount": 101.03})),
        ]
        .into(),
        incidents: Vec::new(),
    }
}

/// One that is stuck at a script.
pub(crate) fn stuck() -> Story {
    let mut price = step("price", "serviceTask", Some("python_script"), 20, None);
    price.state = StepState::Incident;
    price.attempts = (0..3)
        .map(|n| attempt(34 + 10_000 * n, Some("KeyError: 'amount'"), 2 - n as i32))
        .collect();
    price.variables = [
        ("order".to_owned(), json!({"item": "desk"})),
        ("rate".to_owned(), json!(1.17)),
    ]
    .into();
    let mut story = finished();
    story.state = State::Incident;
    story.ended = None;
    story.steps.truncate(2);
    story.steps.push(price);
    story.variables = [("order".to_owned(), json!({"item": "desk"}))].into();
    story.incidents = vec![Stuck {
        incident_id: "06f9ca2b-e56f-11f1-a45b-02fc00000001".into(),
        kind: "failedExternalTask".into(),
        instance_id: Some(story.instance_id.clone()),
        key: Some("order-check".into()),
        step_id: Some("price".into()),
        step_name: Some("Price".into()),
        visit: Some("price:1".into()),
        message: "KeyError: 'amount'".into(),
        since: at(20_034),
    }];
    story
}

/// One that has called another within a subprocess, and waits for a person.
pub(crate) fn nested() -> Story {
    let mut inner = stuck();
    inner.instance_id = "92ce3070-e570-11f1-a45b-02fc00000001".into();
    inner.incidents[0].instance_id = Some(inner.instance_id.clone());
    let mut call = step("check_the_order", "callActivity", None, 3, None);
    call.state = StepState::Incident;
    let incidents = inner.incidents.clone();
    call.called = Some(Box::new(inner));
    let mut both = step("both", "subProcess", None, 2, None);
    both.steps = vec![step("begin", "startEvent", None, 2, Some(2)), call];
    let mut look = step("look_at_it", "userTask", None, 2, None);
    look.waits_for = Some("somebody to complete it".into());
    let mut skipped = step("remind", "serviceTask", Some("email_send"), 2, Some(400));
    skipped.state = StepState::Cancelled;
    Story {
        key: "caller".into(),
        name: None,
        business_key: None,
        tenant_id: Some("acme".into()),
        steps: vec![
            step("called_for", "startEvent", None, 0, Some(1)),
            both,
            skipped,
            look,
        ],
        variables: Default::default(),
        incidents,
        ..stuck()
    }
}

/// One that waits for a message.
pub(crate) fn waiting() -> Story {
    let mut paid = step("paid", "intermediateMessageCatch", None, 2, None);
    paid.waits_for = Some("the message paid".into());
    let mut story = finished();
    (story.state, story.ended) = (State::Running, None);
    story.steps.truncate(2);
    story.steps.push(paid);
    story
}
