//! Email on the real engine, through a real mail server.

use serde_json::json;
use tests::{LOGIN, MailServer, Process, boundary, skip, until};

use crate::world::{SOON, Worker, task};

#[tokio::test(flavor = "multi_thread")]
async fn a_process_writes_to_a_customer_and_goes_another_way_where_nobody_is_there() {
    let server = match MailServer::shared() {
        Ok(server) => server,
        Err(why) => return skip("email", why),
    };
    let process = Process::new("email");
    let secrets = tests::Scratch::new("secrets");
    std::fs::write(secrets.path().join("smtp-password"), LOGIN.1).unwrap();
    let worker = Worker::start(
        "email",
        &[&process.key],
        &json!({
            "routes": {&process.key: {"adapter": "email", "topic": "email_send"}},
            "services": {"email": {"default": {
                "from": "Orders <orders@shop.example>",
                "smtp": {
                    "host": "localhost", "port": server.smtp, "ca_file": server.ca_file(),
                    "username": LOGIN.0, "password": "secret:smtp-password",
                },
            }}},
            "secrets": {"directories": [secrets.path()]},
        }),
    );
    let inside = task(
        &[
            ("to", "${customer}"),
            ("subject", "Order {{ number }}"),
            ("html", "<p>Dear {{ name }}, it is on its way.</p>"),
            ("values", r#"{"number": "A-1", "name": "<Uma>"}"#),
        ],
        &["message_id"],
    );
    process
        .deploy_task(&inside, &boundary("EMAIL_RECIPIENT_REFUSED"))
        .await;
    let start = async |customer: &str| {
        let variables = [("customer".to_owned(), json!(customer).into())];
        process.start_with(&variables.into_iter().collect()).await
    };
    let instance = start("uma@shop.example").await;
    process.completed(&instance).await;
    let mail = server.mail("uma", 1).await;
    let id = process.process_variables(&instance).await["message_id"].clone();
    let mail = &mail[0];
    assert!(
        mail.contains(&format!("Message-ID: {}", id.as_str().unwrap())),
        "{mail}"
    );
    assert!(
        mail.contains("Subject: Order A-1") && mail.contains("Dear &lt;Uma&gt;"),
        "{mail}"
    );

    let instance = start("stranger@shop.example").await;
    process.rescued(&instance).await;
    let shown = worker.procos(&["config", "show", "--json"]).expect_code(0).stdout;
    let log = [worker.process.stdout(), worker.process.stderr()]
        .concat()
        .join("\n");
    assert!(
        !shown.contains(LOGIN.1) && !log.contains(LOGIN.1),
        "{shown}\n{log}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_starts_an_instance_whose_mail_is_answered_and_continues_it() {
    let server = match MailServer::shared() {
        Ok(server) => server,
        Err(why) => return skip("email", why),
    };
    let process = Process::new("desk");
    let message = format!("{}-answered", process.key);
    let ask = task(
        &[
            ("to", "${customer}"),
            ("subject", "Re: ${subject}"),
            ("body", "Which one?"),
        ],
        &["message_id"],
    );
    process
        .deploy(&format!(
            r#"<message id="m" name="{message}"/><process id="KEY" isExecutable="true" camunda:historyTimeToLive="P1D">
  <startEvent id="start"/><sequenceFlow id="f1" sourceRef="start" targetRef="ask"/>
  <serviceTask id="ask" camunda:type="external" camunda:topic="TOPIC">{ask}</serviceTask>
  <sequenceFlow id="f2" sourceRef="ask" targetRef="wait"/>
  <intermediateCatchEvent id="wait"><messageEventDefinition messageRef="m"/></intermediateCatchEvent>
  <sequenceFlow id="f3" sourceRef="wait" targetRef="end"/><endEvent id="end"/>
</process>"#
        ))
        .await;
    let login = json!({"username": "desk-12@shop.example", "password": LOGIN.1});
    let with_login = |mut server: serde_json::Value| {
        let own = login.as_object().unwrap().clone();
        server.as_object_mut().unwrap().extend(own);
        server
    };
    let mut worker = Worker::start(
        "desk",
        &[&process.key],
        &json!({
            "routes": {&process.key: {"adapter": "email", "topic": "email_send"}},
            "services": {"email": {"default": {
                "from": "Desk <desk-12@shop.example>",
                "smtp": with_login(json!({"host": "localhost", "port": server.smtp, "ca_file": server.ca_file()})),
                "imap": with_login(json!({"host": "localhost", "port": server.imaps, "ca_file": server.ca_file()})),
                "receive": {"INBOX": {
                    "process": process.key, "reply": {"message": message, "variable": "message_id"}, "attachments": true,
                    "variables": {"subject": "$.subject", "customer": "$.from.address"},
                }},
            }}},
        }),
    );
    server.deliver(
        "desk-12",
        "From: tom@shop.example\nTo: desk-12@shop.example\nSubject: A lamp\nMessage-ID: <t-1@shop.example>\n\nA lamp, please.\n",
    );
    let query = engine_client::RecordQuery {
        process_definition_key: Some(&process.key),
        max_results: 10,
        ..engine_client::RecordQuery::default()
    };
    let instances = async || process.engine.find_instance_records(&query).await.unwrap();
    let instance = until("it is started", SOON, async || {
        instances().await.pop().ok_or("not yet")
    })
    .await
    .id;
    let asked = server.mail("tom", 1).await.remove(0);
    let id = asked
        .lines()
        .find_map(|line| line.strip_prefix("Message-ID: "))
        .expect("it has an id");
    assert!(asked.contains("Subject: Re: A lamp"), "{asked}");
    // Killed and started again, it knows what it has taken.
    worker.kill9_and_start().await;
    server.deliver(
        "desk-12",
        &format!(
            "From: tom@shop.example\nTo: desk-12@shop.example\nSubject: Re: A lamp\nMessage-ID: <t-2@shop.example>\n\
             In-Reply-To: {id}\nContent-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: text/plain\n\nThe red one.\n\
             --x\nContent-Type: text/plain\nContent-Disposition: attachment; filename=lamp.txt\n\nred\n--x--\n"
        ),
    );
    process.completed(&instance).await;
    let all = instances().await;
    assert_eq!(all.len(), 1, "{all:?}");
    let variables = process.process_variables(&instance).await;
    assert!(
        variables["payload"]["text"]
            .as_str()
            .unwrap()
            .contains("The red one."),
        "{variables:?}"
    );
    let records = process.engine.variable_records(&instance).await.unwrap();
    let file = records
        .iter()
        .find(|record| record.name == "attachment_1")
        .unwrap();
    let content = process.engine.variable_record_data(&file.id).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&content).trim(), "red");
    assert_eq!(server.mail_of("tom").len(), 1);
}
