//! A script's own errors.

use engine_client::Variable;
use serde_json::json;

use crate::world::{Bench, has_root, variables};

const SOURCE: &str = "order = inputs['order']
rate = inputs['rate']
print('pricing')
total = order['amount'] * rate
result = total";

fn pricing() -> Bench {
    Bench::new("python_script")
        .input("script", SOURCE)
        .input("order", "${order}")
        .input("rate", "${rate}")
}

fn without_amount() -> engine_client::Variables {
    variables(&[
        ("order", Variable::Json(json!({"item": "desk"}))),
        ("rate", Variable::Double(1.17)),
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_that_the_process_catches_is_a_bpmn_error_with_its_line() {
    let bench = pricing().catching("SCRIPT_ERROR");
    let instance = bench.start(&without_amount()).await;
    bench.completed(&instance).await;
    assert_eq!(
        bench.variable(&instance, "reason").await,
        "price.py:4: KeyError: 'amount'"
    );
    let answer = bench.variable(&instance, "answer").await;
    assert_eq!(
        (&answer["code"], &answer["kind"], &answer["line"]),
        (&json!("SCRIPT_ERROR"), &json!("KeyError"), &json!(4))
    );
    assert_eq!(answer["stdout"], "pricing\n");
    assert!(
        answer["traceback"]
            .as_str()
            .unwrap()
            .contains("order['amount'] * rate"),
        "{answer}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_that_nothing_catches_is_an_incident_with_its_traceback() {
    let (incident, details) = pricing().incident_of(&without_amount()).await;
    Bench::told(
        &incident,
        &["BPMN error SCRIPT_ERROR", "price.py:4: KeyError: 'amount'"],
    );
    for part in [
        "price.py\", line 4",
        "order['amount'] * rate",
        "KeyError: 'amount'",
        "standard output:\npricing",
        "boundary event",
    ] {
        assert!(details.contains(part), "{part}: {details}");
    }
    assert!(
        !details.contains("<string>") && !details.contains("harness"),
        "the script's own frames alone: {details}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_can_have_an_error_retried() {
    let bench = pricing()
        .property("errorMap", "SCRIPT_ERROR -> retry")
        .property("retry", "R2/PT0S");
    let (incident, details) = bench.incident_of(&without_amount()).await;
    Bench::told(&incident, &["SCRIPT_ERROR: price.py:4: KeyError: 'amount'"]);
    assert!(
        details.contains("attempt 2 of 2") && details.contains("order['amount'] * rate"),
        "{details}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn each_language_names_the_line_of_the_script() {
    for (topic, source, name) in [
        (
            "javascript_script",
            "const x = 1;\nthrow new TypeError('no good');",
            "price.js:2: TypeError: no good",
        ),
        ("shell_script", "set -e\nfalse", "price.sh:2: exit status 1"),
        ("scilab_compute", "x = 1;\nerror('no good');", "price.sce:2: "),
        (
            "python_script",
            "x = 1\nif x\n  pass",
            "price.py:2: SyntaxError: ",
        ),
    ] {
        if topic == "scilab_compute" && !has_root("scilab-errors", "scilab") {
            continue;
        }
        let (incident, _) = Bench::new(topic).input("script", source).incident().await;
        Bench::told(&incident, &[name]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_is_no_json_is_the_scripts_error() {
    let bench = Bench::new("python_script")
        .input("script", "result = float('nan')")
        .catching("SCRIPT_ERROR");
    let instance = bench.start(&variables(&[])).await;
    bench.completed(&instance).await;
    let reason = bench.variable(&instance, "reason").await;
    assert!(
        reason.as_str().unwrap().starts_with("price.py: result is nan"),
        "{reason}"
    );
}
