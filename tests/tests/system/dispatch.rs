//! `procos up` with pools that take offers: it makes the offers, and tells events, itself.

use serde_json::json;
use tests::{RabbitMq, skip};

use crate::journeys::variable;
use crate::world::{Kind, System};

#[test]
fn up_offers_tasks_and_tells_events_by_itself() {
    let rabbit = match RabbitMq::start() {
        Ok(rabbit) => rabbit,
        Err(why) => return skip("RabbitMQ", why),
    };
    let configuration = json!({
        "services": {"broker": {"default": {"url": format!("amqp://127.0.0.1:{}", rabbit.port())}}},
        "dispatch": {}, "events": {},
        "workers": {"pools": [{"name": "all", "capacity": 4, "topics": ["*"], "dispatched": true}]},
    });
    // JSON is YAML, too: each section a line.
    let sections = configuration.as_object().unwrap().iter();
    let sections: String = sections
        .map(|(name, section)| format!("{name}: {section}\n"))
        .collect();
    let system = System::boot_with("dispatch", Kind::Java, &sections);
    system.deploy_examples();
    let order = r#"order={"item":"desk","amount":2}"#;
    let answer = system.start_and_wait(&["order-check", "--var", order]);
    assert_eq!(answer["state"], "completed", "{answer}");
    assert!(variable(&answer, "confirmation").is_string(), "{answer}");
    let queues = rabbit.queues();
    let offered = |topic: &str| {
        queues
            .iter()
            .any(|(name, _)| *name == format!("procos.dispatch.{topic}"))
    };
    assert!(
        offered("http_request") && offered("response_formatting"),
        "{queues:?}"
    );
    let (status, health) = system.ask("/health/ready", None);
    assert_eq!(status, 200, "{health}");
    assert!(
        health.contains(r#""name":"dispatcher","state":"ready""#),
        "{health}"
    );
    assert!(health.contains(r#""name":"events","state":"ready""#), "{health}");
}
