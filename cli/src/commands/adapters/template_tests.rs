use schemars::JsonSchema;
use serde_json::json;

use super::*;

/// What the task is given.
#[derive(JsonSchema)]
#[schemars(extend("additionalProperties" = true))]
#[expect(dead_code, reason = "only its schema is looked at")]
struct Inputs {
    /// Whom to greet, such as `Ada`, if age < 3 & more.
    full_name: String,
    /// In which manner.
    manner: Option<Manner>,
    /// Where.
    #[schemars(default = "Inputs::here")]
    place: String,
    /// Whether it is meant.
    meant: Option<bool>,
    /// Anything.
    extra: serde_json::Value,
    /// What chooses the topic.
    language: Option<String>,
    /// What the operator fixes.
    fixed: Option<String>,
}

impl Inputs {
    fn here() -> String {
        "here".to_owned()
    }
}

/// A manner.
#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "only its schema is looked at")]
enum Manner {
    /// With a smile.
    Kindly,
    Coldly,
}

/// What comes of it.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is looked at")]
struct Answer {
    /// The greeting.
    text: String,
    /// How long it took.
    took: u32,
}

fn greet() -> TopicDescription {
    TopicDescription::new::<Inputs, Answer>("greet", "Greets a person")
        .asks(["manner", "full_name"])
        .keeps(["text"])
        .chosen_by("language", "english")
        .error("NOBODY", "there is <nobody>")
        .version(3)
}

fn made_of(topic: &str, described: &TopicDescription) -> Template {
    template(&Subject {
        topic,
        adapter: "greeter",
        described,
        is_fixed: &|input| input == "fixed",
    })
}

fn made(topic: &str, described: &TopicDescription) -> Json {
    serde_json::to_value(made_of(topic, described)).unwrap()
}

/// The property that is bound to this.
fn bound(template: &Json, key: &str, name: &str) -> Json {
    let properties = template["properties"].as_array().unwrap();
    let found = properties.iter().find(|it| it["binding"][key] == name);
    found.cloned().unwrap_or_default()
}

#[test]
fn a_template_in_full() {
    insta::assert_snapshot!(serde_json::to_string_pretty(&made_of("greet", &greet())).unwrap());
}

#[test]
fn the_task_is_external_and_has_the_topic() {
    let template = made("greet", &greet());
    for (name, value) in [("camunda:type", "external"), ("camunda:topic", "greet")] {
        let property = bound(&template, "name", name);
        assert_eq!(
            (&property["type"], &property["value"]),
            (&json!("Hidden"), &json!(value))
        );
    }
    assert_eq!(
        (&template["id"], &template["version"]),
        (&json!("procos.greet"), &json!(3))
    );
}

#[test]
fn inputs_stand_in_the_order_in_which_they_are_asked_for_then_the_others() {
    let template = made("greet", &greet());
    let inputs = template["properties"].as_array().unwrap().iter();
    let inputs: Vec<_> = inputs
        .filter(|it| it["binding"]["type"] == "camunda:inputParameter")
        .map(|it| {
            (
                it["binding"]["name"].as_str().unwrap(),
                it["group"].as_str().unwrap(),
            )
        })
        .collect();
    // `extra` is required, though nobody asks for it by name.
    let asked = [("manner", "inputs"), ("full_name", "inputs"), ("extra", "inputs")];
    let others = [("meant", "more"), ("place", "more")];
    assert_eq!(inputs, [asked.as_slice(), others.as_slice()].concat());
}

#[test]
fn what_is_required_must_not_be_empty_and_what_has_a_default_shows_it() {
    let template = made("greet", &greet());
    let name = bound(&template, "name", "full_name");
    assert_eq!(
        (&name["label"], &name["type"]),
        (&json!("Full name"), &json!("String"))
    );
    assert_eq!(name["constraints"], json!({"notEmpty": true}));
    let place = bound(&template, "name", "place");
    assert_eq!(
        (&place["value"], &place["constraints"]),
        (&json!("here"), &Json::Null)
    );
}

#[test]
fn a_choice_that_may_be_left_out_can_be() {
    let template = made("greet", &greet());
    let choices = bound(&template, "name", "manner")["choices"].clone();
    let names: Vec<_> = choices
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["name"].clone())
        .collect();
    assert_eq!(names, ["(not set)", "coldly", "kindly: With a smile"]);
    assert_eq!(choices[0]["value"], "");
    assert_eq!(bound(&template, "name", "meant")["choices"][1]["value"], "true");
}

#[test]
fn help_is_html_that_says_what_the_schema_says() {
    let name = bound(&made("greet", &greet()), "name", "full_name");
    assert_eq!(
        name["description"],
        "Whom to greet, such as <code>Ada</code>, if age &lt; 3 &amp; more."
    );
    let map = bound(&made("greet", &greet()), "name", "errorMap");
    let text = map["description"].as_str().unwrap();
    assert!(
        text.contains("<br/><code>NOBODY</code>: there is &lt;nobody&gt;"),
        "{text}"
    );
}

#[test]
fn a_topic_of_a_route_lacks_what_the_route_fixes() {
    let template = made("greet_guests", &greet());
    assert_eq!(template["name"], "greet_guests: Greets a person");
    assert_eq!(bound(&template, "name", "camunda:topic")["value"], "greet_guests");
    assert_eq!(bound(&template, "name", "fixed"), Json::Null);
    assert_eq!(bound(&template, "name", "language"), Json::Null);
}

#[test]
fn answers_that_are_kept_are_outputs_and_the_rest_is_told() {
    let template = made("greet", &greet());
    let text = bound(
        &template,
        "source",
        "${execution.hasVariable('text') ? text : null}",
    );
    assert_eq!((&text["value"], &text["type"]), (&json!("text"), &Json::Null));
    let outputs = template["properties"].as_array().unwrap().iter();
    let outputs = outputs.filter(|it| it["binding"]["type"] == "camunda:outputParameter");
    assert_eq!(outputs.count(), 1);
    let whole = bound(&template, "name", "resultVariable");
    assert!(
        whole["description"]
            .as_str()
            .unwrap()
            .contains("<code>took</code>"),
        "{whole}"
    );
}

#[test]
fn the_ordinary_inputs_are_there_where_a_task_may_have_others() {
    assert_eq!(made("greet", &greet())["entriesVisible"], true);
    let closed = TopicDescription::new::<Answer, Answer>("closed", "Is closed");
    assert_eq!(made("closed", &closed)["entriesVisible"], false);
}
