//! Language models on the real engine, and whether their stand-in speaks as the vendors do.

use serde_json::{Value as Json, json};
use tests::{ModelServer, Process, Turn, boundary, python_with_sdks, skip};

use crate::world::{Worker, task};

/// Asks the stand-in by each vendor's own client, and prints what these make of its answers.
const CLIENTS: &str = r#"
import json, sys
import anthropic, ollama, openai
base, key = sys.argv[1:]
found = {}
client = openai.OpenAI(base_url=base + "/v1", api_key=key, max_retries=0)
tools = [{"type": "function", "name": "look_up", "parameters": {"type": "object", "properties": {}}, "strict": False}]
def responses():
    with client.responses.stream(model="m", input="?", tools=tools) as stream:
        for event in stream: pass
        answer = event.response
    calls = [[item.name, json.loads(item.arguments)] for item in answer.output if item.type == "function_call"]
    return [answer.output_text, calls, answer.usage.input_tokens, answer.usage.output_tokens, answer.status]
found["responses"] = [responses() for _ in range(3)]
chat_tools = [{"type": "function", "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}}}]
def chat():
    text, calls, usage, end = "", {}, None, None
    for chunk in client.chat.completions.create(model="m", messages=[{"role": "user", "content": "?"}], tools=chat_tools,
                                                stream=True, stream_options={"include_usage": True}):
        usage = chunk.usage or usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
            end = choice.finish_reason or end
            for call in choice.delta.tool_calls or []:
                one = calls.setdefault(call.index, ["", ""])
                one[0] += call.function.name or ""
                one[1] += call.function.arguments or ""
    return [text, [[name, json.loads(inputs)] for name, inputs in calls.values()], usage.prompt_tokens, usage.completion_tokens, end]
found["chat"] = [chat() for _ in range(3)]
claude = anthropic.Anthropic(base_url=base, api_key=key, max_retries=0)
def messages():
    with claude.messages.stream(model="m", max_tokens=10, messages=[{"role": "user", "content": "?"}]) as stream:
        answer = stream.get_final_message()
    text = "".join(block.text for block in answer.content if block.type == "text")
    calls = [[block.name, block.input] for block in answer.content if block.type == "tool_use"]
    return [text, calls, answer.usage.input_tokens, answer.usage.output_tokens, answer.stop_reason]
found["messages"] = [messages() for _ in range(3)]
local = ollama.Client(host=base)
def chat_locally():
    text, calls, last = "", [], None
    for part in local.chat(model="m", messages=[{"role": "user", "content": "?"}], stream=True):
        text += part.message.content or ""
        calls += [[call.function.name, dict(call.function.arguments)] for call in part.message.tool_calls or []]
        last = part
    return [text, calls, last.prompt_eval_count, last.eval_count, last.done_reason]
found["ollama"] = [chat_locally() for _ in range(3)]
wrong = {}
try: openai.OpenAI(base_url=base + "/v1", api_key="no", max_retries=0).models.list()
except openai.AuthenticationError as error: wrong["openai"] = error.code
try: anthropic.Anthropic(base_url=base, api_key="no", max_retries=0).models.list()
except anthropic.AuthenticationError as error: wrong["anthropic"] = error.status_code
print(json.dumps({"found": found, "wrong": wrong}))
"#;

#[test]
fn the_stand_in_speaks_as_the_vendors_clients_expect() {
    let turns = || {
        [
            Turn::say("It is sent, and paid."),
            Turn::Say(
                "Wait.".to_owned(),
                vec![("look_up".to_owned(), json!({"number": "A-1"}))],
            ),
            Turn::CutOff("Once upon".to_owned()),
        ]
    };
    let server = ModelServer::start((0..4).flat_map(|_| turns()));
    let ran = match python_with_sdks(CLIENTS, &[server.address(), server.key()]) {
        Ok(ran) => ran,
        Err(why) => return skip("the vendors' clients", why),
    };
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let read: Json = serde_json::from_str(&ran.stdout).unwrap();
    for (api, ends) in [
        ("responses", ["completed", "completed", "incomplete"]),
        ("chat", ["stop", "tool_calls", "length"]),
        ("messages", ["end_turn", "tool_use", "max_tokens"]),
        ("ollama", ["stop", "stop", "length"]),
    ] {
        assert_eq!(
            read["found"][api],
            json!([
                ["It is sent, and paid.", [], 11, 7, ends[0]],
                ["Wait.", [["look_up", {"number": "A-1"}]], 11, 7, ends[1]],
                ["Once upon", [], 11, 7, ends[2]],
            ]),
            "{api}"
        );
    }
    assert_eq!(
        read["wrong"],
        json!({"openai": "invalid_api_key", "anthropic": 401})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_asks_a_process_and_a_topic_and_the_answer_goes_on_in_the_instance() {
    let server = ModelServer::start([
        Turn::Say(
            String::new(),
            vec![
                ("check_credit".to_owned(), json!({"customer": "Ada"})),
                (
                    "input_validation".to_owned(),
                    json!({"value": 3, "on_invalid": "report"}),
                ),
            ],
        ),
        Turn::json(&json!({"good": true})),
        Turn::say("no JSON"),
        Turn::say("no JSON"),
        Turn::say("no JSON"),
    ]);
    let (process, credit) = (Process::new("ai"), Process::new("credit"));
    let inside = task(
        &[
            ("value", "${customer}"),
            ("template", "{{ value }} is good for 300."),
        ],
        &["text"],
    );
    credit.deploy_task(&inside, "").await;
    let secrets = tests::Scratch::new("ai-secrets");
    std::fs::write(secrets.path().join("model-key"), server.key()).unwrap();
    let worker = Worker::start(
        "ai",
        &[&process.key, &credit.key],
        &json!({
            "routes": {&process.key: {"adapter": "ai"}, &credit.key: {"adapter": "core", "topic": "response_formatting"}},
            "services": {"ai": {"claude": {
                "api": "anthropic", "base_url": server.address(), "api_key": "secret:model-key", "default_model": "small",
                "prices": {"*": {"input": 3, "output": 15}}, "budgets": {"day": 5},
            }}},
            "secrets": {"directories": [secrets.path()]},
        }),
    );
    let tools = json!([
        {"process": credit.key, "name": "check_credit", "description": "Says what a customer is good for"},
        {"topic": "input_validation", "with": {"schema": {"type": "integer"}}},
    ]);
    let schema = json!({"type": "object", "required": ["good"], "properties": {"good": {"type": "boolean"}}});
    let inside = task(
        &[
            ("prompt", "Is ${customer} good for ${amount}?"),
            ("context", r#"{"customer": "${customer}"}"#),
            ("tools", &tools.to_string()),
            ("output_schema", &schema.to_string()),
        ],
        &["ai_response", "cost", "transcript"],
    );
    process.deploy_task(&inside, &boundary("AI_INVALID_OUTPUT")).await;
    let start = async || {
        let variables = [
            ("customer".to_owned(), json!("Ada").into()),
            ("amount".to_owned(), json!(300).into()),
        ];
        process.start_with(&variables.into_iter().collect()).await
    };
    let instance = start().await;
    process.completed(&instance).await;
    let variables = process.process_variables(&instance).await;
    assert_eq!(variables["ai_response"], json!({"good": true}));
    let cost = variables["cost"].as_f64().unwrap();
    assert!(
        (cost - 2.0 * (11.0 * 3.0 + 7.0 * 15.0) / 1e6).abs() < 1e-9,
        "{cost}"
    );
    let asked = server.asked();
    let results = asked[1].body["messages"][2]["content"].to_string();
    assert!(
        results.contains("Ada is good for 300.") && results.contains(r#"\"valid\":true"#),
        "{results}"
    );
    assert_eq!(asked[0].headers["x-api-key"], server.key());
    // An answer that never fits goes the model's other way.
    let invalid = start().await;
    process.rescued(&invalid).await;
    let shown = worker.procos(&["config", "show", "--json"]).expect_code(0).stdout;
    assert!(
        shown.contains("secret:model-key") && !shown.contains(server.key()),
        "{shown}"
    );
}
