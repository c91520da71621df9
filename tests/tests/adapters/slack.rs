//! Slack on the real engine, and whether its stand-in speaks as Slack's own client expects.

use serde_json::{Value as Json, json};
use tests::{Process, SlackServer, boundary, python_with_sdks, skip, until};

use crate::world::{SOON, Worker, task};

/// Uses the stand-in by Slack's own client, and prints what this makes of its answers.
const CLIENT: &str = r##"
import json, sys
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.webhook import WebhookClient
base, token, hook = sys.argv[1:]
client = WebClient(token=token, base_url=base + "/")
found = {"team": client.auth_test()["team"]}
posted = client.chat_postMessage(channel="#orders", text="in", metadata={"event_type": "t", "event_payload": {"key": "1"}})
client.chat_postMessage(channel="C01", text="packed", thread_ts=posted["ts"])
found["updated"] = client.chat_update(channel=posted["channel"], ts=posted["ts"], text="out")["text"]
history = client.conversations_history(channel=posted["channel"], include_all_metadata=True, limit=10)
found["history"] = [[one["text"], one["metadata"]["event_payload"]] for one in history["messages"]]
replies = client.conversations_replies(channel=posted["channel"], ts=posted["ts"])
found["replies"] = [one["text"] for one in replies["messages"]]
found["files"] = len(client.files_upload_v2(channel="C01", filename="a.txt", content="abc", initial_comment="a file")["files"])
answer = WebhookClient(hook).send(text="hooked")
found["hooked"] = [answer.status_code, answer.body]
answer = WebhookClient(hook).send()
found["nothing"] = [answer.status_code, answer.body]
def refused(call):
    try: call()
    except SlackApiError as error: return error.response["error"]
found["archived"] = refused(lambda: client.chat_postMessage(channel="#archive", text="a"))
found["unknown"] = refused(lambda: client.chat_postMessage(channel="#none", text="a"))
found["token"] = refused(lambda: WebClient(token="no", base_url=base + "/").auth_test())
print(json.dumps(found))
"##;

/// Presses a button, as Slack tells of it and signs it.
const PRESS: &str = r#"
import json, sys, time, urllib.parse, urllib.request
from slack_sdk.signature import SignatureVerifier
address, secret, blocks, key = sys.argv[1:]
button = json.loads(blocks)[0]["elements"][0]
assert button["value"] == key, button
payload = {"type": "block_actions", "user": {"id": "U01"}, "trigger_id": "1.2", "actions": [button]}
body = urllib.parse.urlencode({"payload": json.dumps(payload)})
now = str(int(time.time()))
request = urllib.request.Request(address, body.encode(), {
    "Content-Type": "application/x-www-form-urlencoded", "X-Slack-Request-Timestamp": now,
    "X-Slack-Signature": SignatureVerifier(secret).generate_signature(timestamp=now, body=body)})
print(urllib.request.urlopen(request).status)
"#;

#[test]
fn the_stand_in_speaks_as_slacks_client_expects() {
    let server = SlackServer::start([]);
    let ran = match python_with_sdks(CLIENT, &[&server.api(), server.token(), &server.webhook()]) {
        Ok(ran) => ran,
        Err(why) => return skip("Slack's client", why),
    };
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let found: Json = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(
        found,
        json!({
            "team": "T", "updated": "out", "history": [["out", {"key": "1"}]], "replies": ["out", "packed"], "files": 1,
            "hooked": [200, "ok"], "nothing": [400, "no_text"],
            "archived": "is_archived", "unknown": "channel_not_found", "token": "invalid_auth",
        })
    );
    assert_eq!(server.files()["a.txt"], b"abc");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_with_a_button_goes_out_and_the_button_continues_the_instance() {
    let server = SlackServer::start([]);
    let process = Process::new("slack");
    let message = format!("{}-pressed", process.key);
    let blocks = r#"[{"type": "actions", "elements": [{"type": "button", "action_id": "approve", "value": "${number}",
        "text": {"type": "plain_text", "text": "Approve"}}]}]"#;
    let ask = task(
        &[
            ("channel", "C01"),
            ("message", "Order ${number}?"),
            ("blocks", blocks),
        ],
        &["message_id", "channel"],
    );
    let reply = task(
        &[
            ("channel", "${where}"),
            ("message", "Approved by ${who}"),
            ("thread", "${message_id}"),
        ],
        &[],
    );
    process
        .deploy(&format!(
            r#"<message id="m" name="{message}"/><process id="KEY" isExecutable="true" camunda:historyTimeToLive="P1D">
  <startEvent id="start"/><sequenceFlow id="g1" sourceRef="start" targetRef="ask"/>
  <serviceTask id="ask" camunda:type="external" camunda:topic="TOPIC">{ask}</serviceTask>
  <sequenceFlow id="g2" sourceRef="ask" targetRef="wait"/>
  <intermediateCatchEvent id="wait"><messageEventDefinition messageRef="m"/></intermediateCatchEvent>
  <sequenceFlow id="g3" sourceRef="wait" targetRef="work"/>
  <serviceTask id="work" camunda:type="external" camunda:topic="TOPIC">{reply}</serviceTask>
  <sequenceFlow id="g4" sourceRef="work" targetRef="end"/><endEvent id="end"/>
  {}
</process>"#,
            boundary("SLACK_CHANNEL_NOT_FOUND")
        ))
        .await;
    let worker = Worker::start(
        "slack",
        &[&process.key],
        &json!({
            "routes": {&process.key: {"adapter": "slack", "topic": "slack_message"}},
            "services": {
                "slack": {"default": {"base_url": server.api(), "token": server.token()}},
                "webhook": {"slack": {
                    "signature": {"slack": "signing-secret"}, "message": message,
                    "business_key": "$.actions[0].value", "variables": {"who": "$.user.id"},
                }},
            },
        }),
    );
    let press = |number: &str| {
        let messages = server.messages("C01");
        let asked = messages
            .iter()
            .find(|one| one["text"] == format!("Order {number}?"));
        let blocks = asked.expect("it was asked")["blocks"].to_string();
        let address = format!("{}/webhooks/slack", worker.address);
        python_with_sdks(PRESS, &[&address, "signing-secret", &blocks, number])
    };
    for (number, channel, ends_well) in [("A-1", "C01", true), ("A-2", "C09", false)] {
        let variables = [
            ("number".to_owned(), json!(number).into()),
            ("where".to_owned(), json!(channel).into()),
        ];
        let variables = variables.into_iter().collect();
        let started = process
            .engine
            .start_instance(&process.key, None, Some(number), &variables);
        let instance = started.await.unwrap().id;
        until("it waits for the button", SOON, async || {
            let steps = process.engine.activity_records(&instance).await.unwrap();
            let waits = steps.iter().any(|step| step.activity_id == "wait");
            waits.then_some(()).ok_or_else(|| format!("{steps:?}"))
        })
        .await;
        match press(number) {
            Ok(ran) => assert_eq!((ran.code, ran.stdout.trim()), (Some(0), "200"), "{}", ran.stderr),
            Err(why) => return skip("Slack's client", why),
        }
        if ends_well {
            process.completed(&instance).await;
        } else {
            process.rescued(&instance).await;
        }
    }
    let messages = server.messages("C01");
    let reply = messages.last().unwrap();
    let asked = &messages[0];
    assert_eq!(
        messages
            .iter()
            .filter(|one| one["thread_ts"] == asked["ts"])
            .count(),
        1
    );
    assert!(
        reply["text"] == "Order A-2?" && messages[1]["text"] == "Approved by U01",
        "{messages:?}"
    );
    let shown = worker.procos(&["config", "show", "--json"]).expect_code(0).stdout;
    assert!(
        shown.contains("\"slack\"") && !shown.contains(server.token()),
        "{shown}"
    );
}
