//! The model that Camunda Modeler makes of the templates for mail that comes in, language models, Slack and RabbitMQ, on the
//! real engine.

use serde_json::json;
use tests::{LOGIN, MailServer, ModelServer, RabbitMq, SlackServer, Turn, skip, workspace};

use crate::world::Worker;

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_is_fetched_sorted_by_a_model_told_to_the_team_and_published() {
    let (mail, rabbit) = match (MailServer::shared(), RabbitMq::start()) {
        (Ok(mail), Ok(rabbit)) => (mail, rabbit),
        (Err(why), _) | (_, Err(why)) => {
            return skip("the templates for mail, models, Slack and RabbitMQ", why);
        }
    };
    let ticket = json!({"title": "The lamp is broken", "urgent": true});
    let (model, slack) = (ModelServer::start([Turn::json(&ticket)]), SlackServer::start([]));
    mail.deliver(
        "desk-13",
        "From: tom@shop.example\nTo: desk-13@shop.example\nSubject: Lamp\nMessage-ID: <t-9@shop.example>\n\nIt is broken!\n",
    );
    let worker = Worker::start(
        "tickets",
        &["email_fetch", "ai_query", "slack_message", "message_publish"],
        &json!({"services": {
            "email": {"default": {"imap": {
                "host": "localhost", "port": mail.imaps, "ca_file": mail.ca_file(),
                "username": "desk-13@shop.example", "password": LOGIN.1,
            }}},
            "ai": {"openai": {
                "base_url": format!("{}/v1", model.address()), "api_key": model.key(), "default_model": "small",
            }},
            "slack": {"default": {"base_url": slack.api(), "token": slack.token()}},
            "broker": {"default": {
                "url": format!("amqp://127.0.0.1:{}", rabbit.port()),
                // Its queue is made by whoever takes from it.
                "consume": {"tickets": {"message": "nobody-waits-for-it", "patience": "1ms"}},
            }},
        }}),
    );
    let file = workspace().join("tests/modeler/templates/applied/tickets.bpmn");
    worker.procos(&["deploy", file.to_str().unwrap()]).expect_code(0);
    let started = worker.procos(&["start", "tickets", "--wait", "60s", "--json"]);
    let answer = started.expect_code(0).json();
    assert_eq!(answer["state"], "completed", "{answer}");
    assert!(
        model.asked()[0].body.to_string().contains("It is broken!"),
        "the mail is its context"
    );
    assert_eq!(slack.messages("C01")[0]["text"], "The lamp is broken");
    tests::until("the ticket is published", crate::world::SOON, async || {
        let queues = rabbit.queues();
        let published = queues
            .iter()
            .any(|(name, count)| name == "tickets.dead" && *count == 1);
        published.then_some(()).ok_or_else(|| format!("{queues:?}"))
    })
    .await;
}
