//! What docs/scripts.md shows runs, as it is written there.

use serde_json::{Map, Value, json};
use tests::workspace;

use crate::world::{Bench, has_root};

/// An example: its topic, its inputs, its source, and what it comes to.
struct Example {
    topic: String,
    inputs: Map<String, Value>,
    source: String,
    result: Value,
}

/// The examples below `<!-- run: TOPIC INPUTS => RESULT -->`.
fn examples() -> Vec<Example> {
    let text = std::fs::read_to_string(workspace().join("docs/scripts.md")).unwrap();
    let marked = text.split("<!-- run: ").skip(1);
    let example = |part: &str| {
        let (head, rest) = part.split_once(" -->\n```").unwrap();
        let (topic, values) = head.split_once(' ').unwrap();
        let (inputs, result) = values.split_once(" => ").unwrap();
        let source = rest.split_once('\n').unwrap().1.split("\n```").next().unwrap();
        Example {
            topic: topic.to_owned(),
            inputs: serde_json::from_str(inputs).unwrap(),
            source: source.to_owned(),
            result: serde_json::from_str(result).unwrap(),
        }
    };
    marked.map(example).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_runs_as_it_is_written() {
    let examples = examples();
    assert!(examples.len() >= 6);
    for mut example in examples {
        if example.topic == "scilab_compute" && !has_root("scilab-documents", "scilab") {
            continue;
        }
        let mut bench = Bench::new(&example.topic).input("script", &example.source);
        for own in ["outputs", "output_files"] {
            if let Some(value) = example.inputs.remove(own) {
                bench = bench.input(own, value.as_str().unwrap_or(&value.to_string()));
            }
        }
        let answer = bench
            .input("inputs", &json!(example.inputs).to_string())
            .answer()
            .await;
        assert_eq!(answer["result"], example.result, "{}", example.source);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_process_runs() {
    let system = crate::world::System::shared();
    let procos = || tests::Procos::new(system.scratch.path());
    let file = workspace().join("processes/examples/price.bpmn");
    procos().args(["deploy"]).args([file]).run().expect_code(0);
    let start = |items: &str| {
        let items = format!("items={items}");
        procos()
            .args(["start", "price", "--var", &items, "--wait", "60s", "--json"])
            .run()
            .expect_code(0)
            .json()
    };
    let priced = start(r#"[{"item":"desk","price":101.03,"count":2}]"#);
    assert_eq!(priced["variables"]["total"], json!(240.45), "{priced}");
    let wrong = start(r#"[{"item":"desk"}]"#);
    assert_eq!(
        wrong["variables"]["reason"], "price_items.py:9: KeyError: 'price'",
        "{wrong}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_made_of_element_templates_runs() {
    let system = crate::world::System::shared();
    let procos = || tests::Procos::new(system.scratch.path());
    let file = workspace().join("tests/modeler/templates/applied/sums.bpmn");
    procos().args(["deploy"]).args([file]).run().expect_code(0);
    let answer = procos()
        .args(["start", "sums", "--var", "amount=1.2", "--wait", "60s", "--json"])
        .run()
        .json();
    assert_eq!(answer["state"], "completed", "{answer}");
    for (name, value) in [("taxed", json!(2.4)), ("rounded", json!(2)), ("spelt", json!(7))] {
        assert_eq!(answer["variables"][name], value, "{name}: {answer}");
    }
}
