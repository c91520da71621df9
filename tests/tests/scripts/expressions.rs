//! What the engine makes of a source that stands in a model: it evaluates `${…}`, unless that is written `\${…}`.

use engine_client::Variable;
use serde_json::json;

use crate::world::{Bench, variables};

#[tokio::test(flavor = "multi_thread")]
async fn dollar_signs_with_a_backslash_before_them_are_the_scripts_own() {
    let source =
        r"const name = inputs.name; return `Hello \${name}, \${1 + 1} \\n and #{x}`.replace('\#{', '');";
    let hash = source.replace("and #{x}", "and");
    let bench = Bench::new("javascript_script")
        .input("script", &hash)
        .input("name", "Ann");
    assert_eq!(bench.answer().await["result"], json!("Hello Ann, 2 \\n and"));
    let bench = Bench::new("shell_script").input(
        "script",
        r#"read -r inputs; x=abc; echo "\"\${x%c}-\${#inputs}-$x\"""#,
    );
    assert_eq!(bench.answer().await["result"], json!("ab-2-abc"));
    let bench = Bench::new("python_script").input("script", r"result = '\${x} \#{y} $z \n'");
    assert_eq!(bench.answer().await["result"], json!("${x} #{y} $z \n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn others_are_evaluated_by_the_engine_before_the_script_is_seen() {
    let given = variables(&[("rate", Variable::Integer(3))]);
    let bench = Bench::new("python_script").input("script", "result = ${rate} * 2");
    assert_eq!(bench.answer_to(&given).await["result"], json!(6));
}
