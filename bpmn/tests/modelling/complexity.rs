//! How complex a process is.

use bpmn::{complexity, read};

use crate::{NONE, flows, one, process};

#[test]
fn complexity_is_a_figure() {
    let figure = |content: &str| {
        let (model, _) = read("a", process("p", content).as_bytes());
        complexity(&model.unwrap().processes[0])
    };
    let line = format!(
        "<startEvent id=\"s\"/><endEvent id=\"z\"/>{}",
        flows(&[("s", "z")])
    );
    assert_eq!(figure(&line), 1);
    assert_eq!(figure(&format!("{line}{}", flows(&[("s", "a"), ("s", "b")]))), 3);
    assert_eq!(
        figure(&format!(
            "{line}<task id=\"t\"/><boundaryEvent id=\"b\" attachedToRef=\"t\"/>"
        )),
        2
    );
    let many: String = (0..40)
        .map(|it| flows(&[("s", &format!("t{it}"))]) + &format!("<endEvent id=\"t{it}\"/>"))
        .collect();
    assert_eq!(one(&format!("{line}{many}")), ["a:1 complex-process"]);
    let fewer: String = (0..39)
        .map(|it| flows(&[("s", &format!("t{it}"))]) + &format!("<endEvent id=\"t{it}\"/>"))
        .collect();
    assert_eq!(one(&format!("{line}{fewer}")), NONE);
}
