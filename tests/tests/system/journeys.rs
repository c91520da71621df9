//! What a user does with the examples, whatever kind of engine runs them.

use serde_json::{Value, json};
use tests::until;

use crate::world::{SOON, System};

pub(crate) fn variable<'a>(answer: &'a Value, name: &str) -> &'a Value {
    &answer["variables"][name]
}

pub(crate) const SUPPLIER: &str = r#"{"name":"Oak Ltd","vat_id":"IE1234567T","iban":"DE89370400440532013000","contact":{"name":"Ann Lee"}}"#;

pub(crate) fn an_order_is_priced_and_confirmed(system: &System) {
    let order = r#"order={"item":"desk","amount":101.03}"#;
    let answer = system.start_and_wait(&["order-check", "--var", order, "--business-key", "4711"]);
    assert_eq!(answer["state"], "completed", "{answer}");
    assert_eq!(
        variable(&answer, "confirmation"),
        "Order 4711: 118.21 USD",
        "{answer}"
    );
    assert_eq!(variable(&answer, "rate"), 1.17);
    assert!(variable(&answer, "deposit").is_null());
    for leaked in ["valid", "body", "headers", "status", "text"] {
        assert!(
            variable(&answer, leaked).is_null(),
            "{leaked} is no process variable: {answer}"
        );
    }
}

pub(crate) fn a_large_order_asks_for_a_deposit(system: &System) {
    let answer = system.start_and_wait(&[
        "order-check",
        "--var",
        r#"order={"item":"ship","amount":2000}"#,
        "--business-key",
        "4712",
    ]);
    assert_eq!(
        variable(&answer, "confirmation"),
        "Order 4712: 2340.00 USD",
        "{answer}"
    );
    assert_eq!(
        variable(&answer, "deposit"),
        "Please transfer 702.00 USD in advance"
    );
}

pub(crate) fn a_boundary_error_event_takes_each_business_error(system: &System) {
    let unknown = system.start_and_wait(&[
        "order-check",
        "--var",
        r#"order={"item":"desk","amount":2}"#,
        "--var",
        r#"currency="XXX""#,
    ]);
    assert_eq!(
        (&unknown["state"], variable(&unknown, "problem")),
        (&json!("completed"), &json!("HTTP_404"))
    );
    for order in [
        r#"order={"item":"desk"}"#,
        r#"order={"item":"desk","amount":0}"#,
        r#"order="hello""#,
        "other=1",
    ] {
        let refused = system.start_and_wait(&["order-check", "--var", order]);
        assert_eq!(
            variable(&refused, "problem"),
            "VALIDATION_FAILED",
            "{order}: {refused}"
        );
        assert_eq!(refused["state"], "completed");
        assert!(
            variable(&refused, "rejection")
                .as_str()
                .unwrap()
                .starts_with("Order rejected: "),
            "{refused}"
        );
    }
}

pub(crate) fn both_branches_of_a_parallel_gateway_run_and_join(system: &System) {
    let admitted = system.start_and_wait(&["supplier-onboarding", "--var", &format!("supplier={SUPPLIER}")]);
    assert_eq!(admitted["state"], "completed", "{admitted}");
    assert_eq!(variable(&admitted, "bank_ok"), true);
    assert_eq!(
        variable(&admitted, "letter"),
        "Dear Ann Lee, welcome to our circle of suppliers."
    );
    let without = SUPPLIER.replace(r#""vat_id":"IE1234567T","#, "");
    let held = system.start_and_wait(&["supplier-onboarding", "--var", &format!("supplier={without}")]);
    assert_eq!(held["state"], "completed", "{held}");
    assert!(
        variable(&held, "question").is_string(),
        "the BPMN error was caught on its branch: {held}"
    );
}

pub(crate) fn an_incident_is_told_with_its_place_and_mended_by_retry(system: &System) {
    let without = SUPPLIER.replace(r#","contact":{"name":"Ann Lee"}"#, "");
    let stuck = system.procos(["start", "supplier-onboarding", "--wait", "60s", "--json", "--var"]);
    let stuck = stuck
        .args([format!("supplier={without}")])
        .run()
        .expect_code(1)
        .json();
    assert_eq!(stuck["state"], "incident", "{stuck}");
    let incident = stuck["incidents"][0].to_string();
    assert!(incident.contains("write_welcome_letter"), "{incident}");
    let instance = stuck["instance_id"].as_str().unwrap();

    let people = system.procos(["incidents"]).run().expect_code(0).stdout;
    assert!(people.contains(&instance[..8]), "{people}");
    let shown = system.procos(["show", instance]).run().expect_code(0).stdout;
    assert!(
        shown.contains("contact"),
        "the template's missing value is named: {shown}"
    );

    let mended = format!("supplier={SUPPLIER}");
    system
        .procos(["retry", instance, "--var"])
        .args([&mended])
        .run()
        .expect_code(0);
    let client_json = || {
        system
            .procos(["ps", "--all", "--limit", "200", "--json"])
            .run()
            .expect_code(0)
            .stdout
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(until("the instance is completed", SOON, async || {
        let shown = system
            .procos(["show", instance, "--json"])
            .run()
            .expect_code(0)
            .stdout;
        let shown = shown.to_lowercase();
        if shown.contains("\"completed\"") {
            Ok(())
        } else {
            Err(shown)
        }
    }));
    assert!(client_json().contains(instance));
    let none = system.procos(["retry", instance]).run().expect_code(1);
    assert!(!none.stderr.is_empty(), "nothing to retry is said");
}
