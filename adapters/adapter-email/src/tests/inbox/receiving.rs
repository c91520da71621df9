//! What comes while procos waits for it.

use super::*;

/// The one mail that an instance of the engine has sent.
const SENT: &str = "<o-1@shop.example>";

fn away() -> PortError {
    PortError::Unavailable {
        action: "start".into(),
        reason: "away".into(),
    }
}

/// A mailbox that is received, with the engine behind it.
struct Received {
    engine: Arc<Arrivals>,
    stop: CancellationToken,
    runs: JoinHandle<Result<(), Failure>>,
}

impl Received {
    async fn start(adapter: &EmailAdapter, refuses: Vec<PortError>) -> Self {
        let engine = Arc::new(Arrivals::refusing(refuses).for_keys(SENT));
        let stop = CancellationToken::new();
        let (told, mut ready) = tokio::sync::mpsc::unbounded_channel();
        let context = InboundContext::new(Arc::clone(&engine) as _, stop.clone(), move || {
            let _ = told.send(());
        });
        let inbound = adapter.inbounds().remove(0);
        let runs = tokio::spawn(async move { inbound.run(context).await });
        ready.recv().await.expect("it takes mails");
        Self { engine, stop, runs }
    }

    async fn starts(&self, count: usize) -> Vec<StartProcess> {
        until("processes are started", SOON, async || {
            let started = self.engine.started();
            if started.len() >= count {
                Ok(started)
            } else {
                Err(started.len())
            }
        })
        .await
    }

    async fn end(self) {
        self.stop.cancel();
        self.runs.await.unwrap().unwrap();
    }
}

/// The subjects of the mails in a mailbox, of those that are not seen or of all.
async fn there(name: &str, mailbox: &str, unseen: bool) -> Vec<String> {
    let context = fetching(json!({"mailbox": mailbox, "unseen": unseen, "after": "keep"}));
    let answer = adapter(reader(name, json!({}))).execute(context).await.unwrap();
    subjects(&answer)
}

#[tokio::test]
async fn a_mail_starts_a_process_once_as_it_arrives_and_is_marked() {
    server().deliver("desk-5", LARGE);
    let settings = json!({
        "process": "ticket", "business_key": "$.message_id", "attachments": true,
        "variables": {"subject": "$.subject", "from": "$.from.address"},
    });
    let adapter = adapter(reader("desk-5", json!({"receive": {"INBOX": settings}})));
    assert_eq!(adapter.inbounds()[0].name(), "email.default.INBOX");
    let received = Received::start(&adapter, Vec::new()).await;
    // One was there; the other comes while the server is listened to.
    received.starts(1).await;
    server().deliver("desk-5", &mail("2", "Second", "", "a"));
    let started = received.starts(2).await;
    assert_eq!(
        (
            started[0].key.as_str(),
            started[0].business_key.as_deref(),
            started[0].unless_there
        ),
        ("ticket", Some("<l-1@example.com>"), true)
    );
    assert_eq!(started[0].variables["subject"].to_json(), "Rückfrage");
    assert!(matches!(&started[0].variables["attachment_1"], Value::File(file) if file.name == "a b.pdf"));
    assert_eq!(started[1].variables["from"].to_json(), "Ada@example.com");
    received.end().await;
    assert_eq!(there("desk-5", "INBOX", true).await, [""; 0]);
    assert_eq!(there("desk-5", "INBOX", false).await.len(), 2);
}

#[tokio::test]
async fn an_answer_continues_the_instance_that_sent_the_mail_and_others_start_one() {
    server().deliver("desk-6", LARGE);
    server().deliver(
        "desk-6",
        &mail("2", "New", "In-Reply-To: <somebody@example.com>\n", "a"),
    );
    let settings = json!({"process": "ticket", "reply": {"message": "answered", "variable": "message_id"}});
    let own = adapter(reader("desk-6", json!({"receive": {"INBOX": settings}})));
    let received = Received::start(&own, Vec::new()).await;
    let started = received.starts(1).await;
    assert_eq!(started[0].variables["payload"].to_json()["subject"], "New");
    let correlated = received.engine.correlated();
    // What it answers directly nobody has sent; what that answered, we have.
    assert_eq!(correlated.len(), 1);
    assert_eq!(correlated[0].name, "answered");
    assert_eq!(correlated[0].once_per.as_deref(), Some("<l-1@example.com>"));
    assert_eq!(correlated[0].correlation_keys["message_id"].to_json(), SENT);
    assert_eq!(
        correlated[0].variables["payload"].to_json()["subject"],
        "Rückfrage"
    );
    received.end().await;
    // Where nothing else is for them, what answers nobody is refused.
    let settings = json!({"patience": "1ms", "reply": {"message": "answered", "variable": "message_id"}});
    server().deliver(
        "desk-6",
        &mail("3", "Lost", "In-Reply-To: <somebody@example.com>\n", "a"),
    );
    let strict = adapter(reader("desk-6", json!({"receive": {"INBOX": settings}})));
    let received = Received::start(&strict, Vec::new()).await;
    until("it is seen", SOON, async || {
        let unseen = there("desk-6", "INBOX", true).await;
        unseen
            .is_empty()
            .then_some(())
            .ok_or_else(|| format!("{unseen:?}"))
    })
    .await;
    assert!(received.engine.correlated().is_empty());
    received.end().await;
}

#[tokio::test]
async fn programs_do_not_answer_one_another_without_end() {
    for (number, head) in [
        "Auto-Submitted: auto-replied\n",
        "Precedence: bulk\n",
        "List-Id: <news.example.com>\n",
        "Return-Path: <>\n",
    ]
    .iter()
    .enumerate()
    {
        server().deliver("desk-7", &mail(&format!("a-{number}"), "Automatic", head, "a"));
    }
    let own = mail("own", "Our own", "", "a").replace("Ada@example.com", "Desk@shop.example");
    server().deliver("desk-7", &own);
    for number in 0..3 {
        let by_hand = mail(&format!("m-{number}"), "By hand", "Auto-Submitted: no\n", "a");
        server().deliver("desk-7", &by_hand);
    }
    let receive = json!({"INBOX": {"process": "ticket", "per_sender": 2}});
    let adapter = adapter(reader(
        "desk-7",
        json!({"from": "desk@shop.example", "receive": receive}),
    ));
    let received = Received::start(&adapter, Vec::new()).await;
    until("all are seen", SOON, async || {
        let unseen = there("desk-7", "INBOX", true).await;
        unseen
            .is_empty()
            .then_some(())
            .ok_or_else(|| format!("{unseen:?}"))
    })
    .await;
    let started = received.starts(2).await;
    assert_eq!(started.len(), 2);
    assert!(
        started
            .iter()
            .all(|one| one.variables["payload"].to_json()["subject"] == "By hand")
    );
    received.end().await;
}

#[tokio::test]
async fn mails_that_programs_write_are_taken_where_that_is_meant() {
    let report = mail("1", "Report", "Auto-Submitted: auto-generated\n", "a");
    server().deliver("desk-8", &report);
    let receive = json!({"INBOX": {"process": "report", "automatic": true}});
    let adapter = adapter(reader("desk-8", json!({"receive": receive})));
    let received = Received::start(&adapter, Vec::new()).await;
    received.starts(1).await;
    received.end().await;
}

#[tokio::test]
async fn mails_go_where_they_belong_when_they_are_taken_or_cannot_be() {
    make_mailbox("desk-9", "Done").await;
    make_mailbox("desk-9", "Failed").await;
    for (id, subject, text) in [
        ("1", "Taken", "a".to_owned()),
        ("2", "Refused", "a".to_owned()),
        ("3", "Large", "a".repeat(3000)),
    ] {
        server().deliver("desk-9", &mail(id, subject, "", &text));
    }
    let rejected = PortError::Rejected {
        action: "start".into(),
        reason: "wrong".into(),
    };
    let receive =
        json!({"INBOX": {"process": "ticket", "done": "Done", "failed": "Failed", "max_bytes": 2000}});
    let adapter = adapter(reader("desk-9", json!({"receive": receive})));
    let received = Received::start(&adapter, vec![away(), rejected]).await;
    until("all have gone", SOON, async || {
        let left = there("desk-9", "INBOX", false).await;
        left.is_empty().then_some(()).ok_or_else(|| format!("{left:?}"))
    })
    .await;
    received.end().await;
    // The engine is away, then refuses one, then takes the other.
    let (done, mut failed) = (
        there("desk-9", "Done", false).await,
        there("desk-9", "Failed", false).await,
    );
    failed.sort();
    assert_eq!((done.len(), failed.len()), (1, 2), "{done:?} {failed:?}");
    assert!(failed.contains(&"Large".to_owned()), "{failed:?}");
}

#[tokio::test]
async fn what_is_in_hand_stays_unseen_where_procos_stops() {
    server().deliver("desk-10", &mail("1", "Waits", "", "a"));
    let receive = json!({"INBOX": {"process": "ticket"}});
    let adapter = adapter(reader("desk-10", json!({"receive": receive})));
    let received = Received::start(&adapter, vec![away(); 1000]).await;
    until("it was tried", SOON, async || {
        let asked = received.engine.asked();
        (asked > 0).then_some(()).ok_or(asked)
    })
    .await;
    received.end().await;
    assert_eq!(there("desk-10", "INBOX", true).await, ["Waits"]);
}

#[tokio::test]
async fn a_mailbox_that_is_not_there_and_settings_that_cannot_be_meant_are_told() {
    let missing = adapter(reader(
        "desk-11",
        json!({"receive": {"Nowhere": {"process": "ticket"}}}),
    ));
    let context = InboundContext::new(Arc::new(Arrivals::default()), CancellationToken::new(), || {});
    let failure = missing.inbounds()[0].run(context).await.unwrap_err();
    assert!(failure.message.contains("`Nowhere`"), "{failure}");
    for (settings, key) in [
        (
            json!({"receive": {"INBOX": {"process": "a"}}, "imap": null}),
            "imap",
        ),
        (json!({"receive": {"INBOX": {}}}), "receive.INBOX.process"),
        (
            json!({"receive": {"INBOX": {"process": "a", "message": "b"}}}),
            "receive.INBOX.message",
        ),
        (json!({"imap": {"host": "a", "username": "b"}}), "imap.password"),
        (json!({"imap": null}), "smtp"),
    ] {
        let mut settings = reader("desk-11", settings);
        if key == "imap" {
            settings["smtp"] = json!({"host": "localhost"});
            settings["from"] = json!("a@shop.example");
        }
        let connections = serde_json::from_value(json!({"default": settings})).unwrap();
        let error = EmailAdapter::new(connections, SecretStore::default())
            .err()
            .unwrap();
        assert_eq!(error.key, format!("default.{key}"));
    }
}
