//! Each language, with its inputs and its result.

use engine_client::Variable;
use serde_json::json;

use crate::world::{Bench, has_root, variables};

#[tokio::test(flavor = "multi_thread")]
async fn python_has_native_values_and_gives_them_back() {
    let order = json!({"item": "Schreibtisch ✓", "amount": 2});
    let given = variables(&[
        ("order", Variable::Json(order)),
        ("rate", Variable::Double(1.17)),
        ("date", Variable::Date("2026-11-26T08:00:00Z".parse().unwrap())),
    ]);
    let source = "
print('pricing', inputs['order']['item'])
result = {
    'total': round(inputs['order']['amount'] * inputs['rate'], 2),
    'kinds': [type(inputs[name]).__name__ for name in ('order', 'rate', 'flag', 'text')],
    'date': inputs['date'],
    'over': inputs['over'],
}";
    let bench = Bench::new("python_script")
        .input("script", source)
        .input("order", "${order}")
        .input("rate", "${rate}")
        .input("date", "${date}")
        .input("flag", "${1 == 1}")
        .input("text", "007")
        .input("over", "from the task")
        .input("inputs", r#"{"over": ["wins"]}"#);
    let answer = bench.answer_to(&given).await;
    assert_eq!(
        answer["result"],
        json!({"total": 2.34, "kinds": ["dict", "float", "bool", "str"], "date": "2026-11-26T08:00:00Z", "over": ["wins"]})
    );
    assert_eq!(answer["stdout"], "pricing Schreibtisch ✓\n");
    assert_eq!(answer["stderr"], "");
    assert!(answer["duration_ms"].as_u64().unwrap() > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_is_there_for_output_parameters() {
    let bench = Bench::new("python_script")
        .input("script", "result = {'total': 3}")
        .output("total", "${result.prop('total').numberValue()}");
    let instance = bench.start(&variables(&[])).await;
    bench.completed(&instance).await;
    assert_eq!(bench.variable(&instance, "total").await, json!(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn javascript_runs() {
    let source = "console.error('thinking'); return {doubled: inputs.list.map(n => n * 2), sum: inputs.list.reduce((a, b) => a + b)};";
    let bench = Bench::new("javascript_script")
        .input("script", source)
        .input("inputs", r#"{"list": [1, 2, 3]}"#);
    let answer = bench.answer().await;
    assert_eq!(answer["result"], json!({"doubled": [2, 4, 6], "sum": 6}));
    assert_eq!(answer["stderr"], "thinking\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shell_scripts_inputs_are_its_standard_input_and_its_result_is_what_it_prints() {
    let source = "sed 's/.*\"word\":\"\\([a-z]*\\)\".*/{\"upper\": \"\\1\"}/' | tr a-z A-Z; echo counted >&2";
    let bench = Bench::new("shell_script")
        .input("script", source)
        .input("word", "tree");
    let answer = bench.answer().await;
    assert_eq!(answer["result"], json!({"UPPER": "TREE"}));
    assert_eq!(answer["stderr"], "counted\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn scilab_computes() {
    if !has_root("scilab", "scilab") {
        return;
    }
    let source = "x = A \\ b;\nresidual = norm(A * x - b);";
    let bench = Bench::new("scilab_compute")
        .input("script", source)
        .input("inputs", r#"{"A": [[2, 1], [1, 3]], "b": [[3], [5]]}"#)
        .input("outputs", "x, residual");
    let answer = bench.answer().await;
    let result = &answer["result"];
    let close = |value: &serde_json::Value, to: f64| (value.as_f64().unwrap() - to).abs() < 1e-9;
    assert!(
        close(&result["x"][0][0], 0.8) && close(&result["x"][1][0], 1.4),
        "{answer}"
    );
    assert!(close(&result["residual"], 0.0), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_of_the_operators_own_has_the_language_and_the_inputs_that_its_route_fixes() {
    let bench = Bench::new("data_processing")
        .input("script", "result = [inputs['rate'], inputs['amount']]")
        .input("inputs", r#"{"rate": 7, "amount": 3}"#);
    assert_eq!(bench.answer().await["result"], json!([2, 3]));
}
