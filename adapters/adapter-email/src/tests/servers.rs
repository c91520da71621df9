//! Servers: encrypted, out of reach, silent, and in the middle of a mail.

use std::time::Duration;

use serde_json::{Value as Json, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use worker_api::{Adapter, Retry};

use super::{adapter, context, failure, server, settings};

fn mail(to: &str) -> Json {
    json!({"to": to, "subject": "x", "body": "x"})
}

#[tokio::test]
async fn both_kinds_of_encryption_are_spoken() {
    let mut at_once = settings();
    at_once["smtp"]["port"] = json!(server().smtps);
    at_once["smtp"]["tls"] = json!("tls");
    for settings in [settings(), at_once] {
        let adapter = adapter(settings);
        adapter.health().await.unwrap();
        adapter.execute(context(mail("max@shop.example"))).await.unwrap();
    }
    assert_eq!(server().mail("max", 2).await.len(), 2);
}

#[tokio::test]
async fn without_a_login_a_server_on_the_same_machine_is_spoken_to_in_the_clear() {
    let settings = json!({
        "from": "orders@shop.example",
        "smtp": {"host": "127.0.0.1", "port": server().smtp, "tls": "none"},
    });
    adapter(settings)
        .execute(context(mail("nina@shop.example")))
        .await
        .unwrap();
    server().mail("nina", 1).await;
}

#[tokio::test]
async fn a_wrong_login_is_an_incident_that_does_not_tell_it() {
    let mut wrong = settings();
    wrong["smtp"]["password"] = json!("hunter2");
    let adapter = adapter(wrong);
    let refused = failure(adapter.execute(context(mail("otto@shop.example"))).await);
    assert!(
        refused
            .message
            .contains("services.email.default.smtp refuses the login"),
        "{refused}"
    );
    assert!(
        refused.nothing_done && refused.retry == Retry::Never,
        "{refused:?}"
    );
    let health = adapter.health().await.unwrap_err();
    assert!(health.contains("services.email.default.smtp"), "{health}");
    for text in [format!("{refused:?}"), health] {
        assert!(
            !text.contains("hunter2") && !text.contains("aHVudGVyMg"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_or_for_another_name_is_refused() {
    let mut unknown = settings();
    unknown["smtp"].as_object_mut().unwrap().remove("ca_file");
    let mut other = settings();
    other["smtp"]["host"] = json!("127.0.0.1");
    for settings in [unknown, other] {
        let failure = failure(
            adapter(settings)
                .execute(context(mail("paul@shop.example")))
                .await,
        );
        assert!(failure.message.contains("is not trusted"), "{failure}");
        assert!(
            failure.nothing_done && failure.retry == Retry::Never,
            "{failure:?}"
        );
    }
    let mut missing = settings();
    missing["smtp"]["ca_file"] = json!("/no/such.pem");
    let failure = failure(adapter(missing).execute(context(mail("paul@shop.example"))).await);
    assert!(failure.message.contains("ca_file: /no/such.pem"), "{failure}");
}

#[tokio::test]
async fn a_server_that_is_away_is_tried_again() {
    let mut away = settings();
    away["smtp"]["port"] = json!(tests::free_port());
    let failure = failure(adapter(away).execute(context(mail("quinn@shop.example"))).await);
    assert!(
        failure.message.contains("cannot be reached") && failure.nothing_done,
        "{failure:?}"
    );
    assert_ne!(failure.retry, Retry::Never);
}

/// A server that answers each line as the script says, in the clear; and the settings of a connection to it.
async fn scripted(answer: fn(&str) -> Option<&'static str>) -> Json {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (read, mut write) = stream.into_split();
                let mut lines = BufReader::new(read).lines();
                write.write_all(b"220 here\r\n").await.unwrap();
                while let Ok(Some(line)) = lines.next_line().await {
                    let Some(said) = answer(&line) else { return };
                    if write.write_all(said.as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    json!({
        "from": "orders@shop.example",
        "smtp": {"host": "127.0.0.1", "port": port, "tls": "none", "timeout": "500ms"},
    })
}

fn polite(line: &str) -> &'static str {
    match line.split([' ', ':']).next() {
        Some("EHLO") => "250 here\r\n",
        Some("DATA") => "354 go on\r\n",
        Some("MAIL" | "RCPT" | "NOOP" | "RSET" | "QUIT" | ".") => "250 ok\r\n",
        _ => "",
    }
}

#[tokio::test]
async fn whether_a_mail_was_taken_is_unknown_only_once_it_was_handed_over() {
    type Answer = fn(&str) -> Option<&'static str>;
    let cases: [(&str, Answer, bool, Option<Retry>); 6] = [
        (
            "breaks at MAIL",
            |line| (!line.starts_with("MAIL")).then(|| polite(line)),
            true,
            None,
        ),
        (
            "breaks at the end",
            |line| (line != ".").then(|| polite(line)),
            false,
            None,
        ),
        (
            "is silent at the end",
            |line| Some(if line == "." { "" } else { polite(line) }),
            false,
            None,
        ),
        (
            "is silent at MAIL",
            |line| {
                Some(if line.starts_with("MAIL") {
                    ""
                } else {
                    polite(line)
                })
            },
            true,
            None,
        ),
        (
            "is busy at the end",
            |line| {
                Some(if line == "." {
                    "451 later\r\n"
                } else {
                    polite(line)
                })
            },
            true,
            None,
        ),
        (
            "is busy at RCPT",
            |line| {
                Some(if line.starts_with("RCPT") {
                    "450 later\r\n"
                } else {
                    polite(line)
                })
            },
            true,
            None,
        ),
    ];
    for (what, answer, nothing_done, _) in cases {
        let adapter = adapter(scripted(answer).await);
        let failure = failure(adapter.execute(context(mail("rosa@shop.example"))).await);
        assert_eq!(failure.nothing_done, nothing_done, "{what}: {failure:?}");
        assert_ne!(failure.retry, Retry::Never, "{what}");
    }
    let refuses = |line: &str| Some(if line == "." { "554 spam\r\n" } else { polite(line) });
    let refused = adapter(scripted(refuses).await)
        .execute(context(mail("rosa@shop.example")))
        .await;
    assert_eq!(super::code(refused), "EMAIL_REFUSED");
}

#[tokio::test]
async fn a_server_that_ends_kept_connections_costs_no_mail() {
    // It ends each connection when it is asked whether it still lives.
    let adapter = adapter(scripted(|line| (line != "NOOP").then(|| polite(line))).await);
    for _ in 0..2 {
        adapter.execute(context(mail("sven@shop.example"))).await.unwrap();
    }
}

#[tokio::test]
async fn a_task_that_is_given_up_ends_at_once() {
    let silent = |line: &str| Some(if line == "." { "" } else { polite(line) });
    let mut settings = scripted(silent).await;
    settings["smtp"]["timeout"] = json!("1h");
    let adapter = adapter(settings);
    let sent = adapter.execute(context(mail("tom@shop.example")));
    tokio::time::timeout(Duration::from_millis(300), sent)
        .await
        .unwrap_err();
}

#[tokio::test]
async fn a_token_is_sent_as_xoauth2() {
    // `user=ada^Aauth=Bearer token^A^A`, as Google and Microsoft document it.
    let takes = |line: &str| {
        Some(match line {
            line if line.starts_with("EHLO") => "250-here\r\n250 AUTH XOAUTH2\r\n",
            "AUTH XOAUTH2 dXNlcj1hZGEBYXV0aD1CZWFyZXIgdG9rZW4BAQ==" => "235 welcome\r\n",
            line if line.starts_with("AUTH") => "535 no\r\n",
            line => polite(line),
        })
    };
    let settings = scripted(takes).await;
    let mut smtp: crate::Smtp = serde_json::from_value(settings["smtp"].clone()).unwrap();
    smtp.username = Some("ada".to_owned());
    smtp.token = serde_json::from_value(json!("token")).unwrap();
    let secrets = secrets::SecretStore::default();
    crate::server::Server::default()
        .connection(&smtp, &secrets)
        .await
        .map(drop)
        .unwrap();
    smtp.token = serde_json::from_value(json!("another")).unwrap();
    crate::server::Server::default()
        .connection(&smtp, &secrets)
        .await
        .map(drop)
        .unwrap_err();
}
