//! Mail that comes in.

use super::*;
use tests::{Arrivals, until};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use worker_api::{BpmnError, Effect, InboundContext, Retry};

mod fetching;
mod receiving;

const SOON: Duration = Duration::from_secs(60);

/// The settings of one who reads this mailbox of the tests' server.
fn reader(name: &str, more: Json) -> Json {
    let server = server();
    let mut settings = json!({
        "imap": {
            "host": "localhost", "port": server.imaps, "ca_file": server.ca_file(),
            "username": format!("{name}@shop.example"), "password": LOGIN.1,
        },
    });
    settings
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    settings
}

/// A mail to a desk, with these lines as its head beside the usual ones.
fn mail(id: &str, subject: &str, head: &str, text: &str) -> String {
    format!(
        "From: Ada Lovelace <Ada@example.com>\nTo: desk@shop.example\nSubject: {subject}\nMessage-ID: <{id}@example.com>\n\
         Date: Mon, 02 Feb 2026 10:00:00 +0100\n{head}\n{text}\n"
    )
}

/// A mail with a text, an HTML form of it, and a file.
const LARGE: &str = "From: ada@example.com\nTo: a@shop.example, \"B\" <b@shop.example>\nSubject: =?utf-8?q?R=C3=BCckfrage?=\n\
Message-ID: <l-1@example.com>\nIn-Reply-To: <o-2@shop.example>\nReferences: <o-1@shop.example> <o-2@shop.example>\n\
MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: multipart/alternative; boundary=y\n\n\
--y\nContent-Type: text/plain; charset=utf-8\n\nHello\n--y\nContent-Type: text/html; charset=utf-8\n\n<p>Hello</p>\n--y--\n\
--x\nContent-Type: application/pdf\nContent-Disposition: attachment; filename=\"a b.pdf\"\n\
Content-Transfer-Encoding: base64\n\nJVBERg==\n--x--\n";

/// Makes a mailbox beside the inbox.
async fn make_mailbox(name: &str, mailbox: &str) {
    let settings: crate::ConnectionSettings = serde_json::from_value(reader(name, json!({}))).unwrap();
    let place = crate::inbox::Place {
        imap: settings.imap.as_ref().unwrap(),
        name: "test".to_owned(),
    };
    let mut session = crate::inbox::open(&place, &SecretStore::default()).await.unwrap();
    session.create(mailbox).await.unwrap();
    session.logout().await.unwrap();
}

fn fetching(inputs: Json) -> TaskContext {
    let mut context = context(inputs);
    context.operation = "email_fetch".into();
    context
}

/// The subjects of mails that were fetched.
fn subjects(answer: &Answer) -> Vec<String> {
    let mails = answer.fields()["mails"].to_json();
    let mails = mails.as_array().expect("a list").iter();
    mails
        .map(|mail| mail["subject"].as_str().unwrap().to_owned())
        .collect()
}
