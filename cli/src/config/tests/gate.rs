//! The section `security.gate`.

use std::time::Duration;

use super::super::security::OnViolation;
use super::*;

fn allow(exception: &str) -> String {
    format!("security:\n  gate:\n    allow:\n      - {exception}\n")
}

#[test]
fn an_exception_has_all_four() {
    let whole = "{process: legacy_import, element: task_7, code: script-task, why: until May}";
    let config = read(&allow(whole)).unwrap();
    let gate = &config.settings().security.gate;
    assert_eq!(gate.allow[0].element, "task_7");
    assert_eq!(gate.watch, Duration::from_secs(30));
    assert_eq!(gate.on_violation, OnViolation::Auto);
    for missing in [
        "process: legacy_import, ",
        "element: task_7, ",
        "code: script-task, ",
        ", why: until May",
    ] {
        let said = message(&allow(&whole.replace(missing, "")));
        let key = missing.trim_matches([',', ' ']).split(':').next().unwrap();
        assert!(
            said.starts_with("procos.yml:4:") && said.contains(key),
            "without {key}: {said}"
        );
    }
}

#[test]
fn what_would_except_nothing_is_refused() {
    let said = message(&allow("{process: a, element: b, code: script-tsk, why: c}"));
    let said = said.split(" Known here").next().unwrap();
    assert_snapshot!(said, @"procos.yml:4:34: unknown code `script-tsk` of a finding: did you mean `script-task`?");
    assert_snapshot!(
        message(&allow("{process: a, element: b, code: script-task, why: ' '}")),
        @"procos.yml:4:53: `security.gate.allow[0].why` is empty; say why it is wanted: each deployment shows it"
    );
    assert_snapshot!(
        message(&allow("{process: a, element: '', code: script-task, why: c}")),
        @"procos.yml:4:22: `security.gate.allow[0].element` is empty; name the element's id, as the finding does"
    );
    let said = message("security: {gate: {on_violation: shout}}");
    assert!(said.contains("shout") && said.contains("suspend"), "{said}");
}
