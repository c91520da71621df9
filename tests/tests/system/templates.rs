//! What Modeler makes of element templates runs: fields left empty are not given.

use std::fs;

use serde_json::json;
use tests::workspace;

use crate::journeys::variable;
use crate::world::System;

#[test]
fn a_process_that_is_made_of_element_templates_runs() {
    let system = System::shared();
    let model = workspace().join("tests/modeler/templates/applied/quote.bpmn");
    system.procos(["deploy"]).args([model]).run().expect_code(0);
    let quote = |wish: &str| system.start_and_wait(&["quote", "--var", &format!("wish={wish}")]);
    let answer = quote(r#"{"item":"desk","amount":2}"#);
    assert_eq!(answer["state"], "completed", "{answer}");
    assert_eq!(variable(&answer, "quote"), "desk\ncosts 2", "{answer}");
    assert_eq!(
        variable(&answer, "whole_answer"),
        &json!({"text": "desk\ncosts 2"})
    );
    assert_eq!(variable(&answer, "wish_is_valid"), true);
    assert_eq!(variable(&answer, "rate_status"), 200);
    assert_eq!(variable(&answer, "rate")["rate"], 1.17, "{answer}");
    for input in ["method", "body_type", "follow_redirects", "text", "body", ""] {
        assert!(answer["variables"].get(input).is_none(), "{input}: {answer}");
    }
}

#[test]
fn files_are_listed_read_and_written_where_the_operator_says() {
    let system = System::shared();
    let [orders, bills] = ["orders", "bills"].map(|name| system.scratch.path().join(name));
    fs::create_dir_all(&orders).unwrap();
    fs::create_dir_all(&bills).unwrap();
    fs::write(orders.join("desk.json"), r#"{"item": "desk"}"#).unwrap();
    fs::write(orders.join("notes.txt"), "").unwrap();
    let model = workspace().join("tests/modeler/templates/applied/papers.bpmn");
    system.procos(["deploy"]).args([model]).run().expect_code(0);
    let answer = system.start_and_wait(&["papers"]);
    assert_eq!(answer["state"], "completed", "{answer}");
    assert_eq!(variable(&answer, "order"), &json!({"item": "desk"}));
    let listed = variable(&answer, "orders").as_array().unwrap();
    let names: Vec<_> = listed.iter().map(|file| file["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["desk.json"]);
    assert_eq!(
        fs::read_to_string(bills.join("desk.txt")).unwrap(),
        r#"{"item":"desk"}"#
    );
}

#[test]
fn a_table_becomes_rows_that_the_process_keeps() {
    let system = System::shared();
    let model = workspace().join("tests/modeler/templates/applied/tables.bpmn");
    system.procos(["deploy"]).args([model]).run().expect_code(0);
    let table = json!("item;price\ndesk;101.5\nlamp;7\n");
    let answer = system.start_and_wait(&["tables", "--var", &format!("table={table}")]);
    assert_eq!(answer["state"], "completed", "{answer}");
    assert_eq!(
        variable(&answer, "prices"),
        &json!([{"item": "desk", "price": 101.5}, {"item": "lamp", "price": 7}])
    );
    assert_eq!(variable(&answer, "sum"), 217.0);
    assert_eq!(variable(&answer, "due_day"), "28.12.2026");
    assert!(
        variable(&answer, "due")
            .as_str()
            .unwrap()
            .starts_with("2026-12-28T")
    );
}
