//! What Modeler makes of element templates runs: fields left empty are not given.

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
