//! What only shows when all files are looked at.

use bpmn::check;

use crate::{NONE, context, flows, process, said};

fn calls(key: &str, called: &str) -> String {
    process(
        key,
        &format!(
            "<startEvent id=\"s\"/><endEvent id=\"z\"/>{}\n<callActivity id=\"c\" calledElement=\"{called}\"/>",
            flows(&[("s", "c"), ("c", "z")])
        ),
    )
}

#[test]
fn files_together() {
    let (a, b, c) = (calls("a", "b"), calls("b", "c"), calls("c", "a"));
    assert_eq!(said(&[("a", &a), ("b", &b), ("c", &c)]), ["a:3 call-recursion"]);
    let found = check(
        &[("a", a.as_bytes()), ("b", b.as_bytes()), ("c", c.as_bytes())],
        &context(),
    );
    assert!(
        found[0].message.contains("`b`, which calls `c`, which calls `a`"),
        "{}",
        found[0].message
    );
    assert_eq!(said(&[("a", &calls("a", "a"))]), ["a:3 call-recursion"]);
    assert_eq!(said(&[("a", &calls("a", "nowhere"))]), ["a:3 unknown-call"]);
    assert_eq!(said(&[("a", &calls("a", "there"))]), NONE);
    assert_eq!(said(&[("a", &calls("a", "${any}"))]), NONE);
    let twice = check(
        &[
            ("a", calls("k", "there").as_bytes()),
            ("b", calls("k", "there").as_bytes()),
        ],
        &context(),
    );
    assert_eq!(twice.len(), 1);
    assert_eq!(
        twice[0].to_string(),
        "b:1:117: error[duplicate-process]: the process `k` is also in a"
    );
    assert_eq!(twice[0].related[0].file, "a");
}
