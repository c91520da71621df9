//! Gateways that may find no way on.

use crate::{NONE, flows, one};

#[test]
fn gateways_that_may_find_no_way_on() {
    let gateway = |kind: &str, default: &str, one: &str, other: &str| {
        let flow = |id: &str, condition: &str| match condition {
            "" => format!("\n<sequenceFlow id=\"{id}\" sourceRef=\"g\" targetRef=\"z\"/>"),
            condition => format!(
                "\n<sequenceFlow id=\"{id}\" sourceRef=\"g\" targetRef=\"z\"><conditionExpression>{condition}</conditionExpression></sequenceFlow>"
            ),
        };
        format!(
            "<startEvent id=\"s\"/><endEvent id=\"z\"/>{}\n<{kind} id=\"g\"{default}/>{}{}",
            flows(&[("s", "g")]),
            flow("f", one),
            flow("h", other)
        )
    };
    let exclusive = |default: &str, a: &str, b: &str| one(&gateway("exclusiveGateway", default, a, b));
    assert_eq!(exclusive("", "${a}", ""), ["a:5 flow-without-condition"]);
    assert_eq!(exclusive(" default=\"h\"", "${a}", ""), NONE);
    assert_eq!(exclusive("", "${a}", "${b}"), ["a:3 gateway-without-default"]);
    for (a, b) in [
        ("${a}", "${!a}"),
        ("${not a}", "#{a}"),
        ("${not a}", "${ a }"),
        ("${x.y &gt; 1}", "${x.y &lt;= 1}"),
        ("${x lt 1}", "${x ge 1}"),
        ("${x == 'a'}", "${x != 'a'}"),
        ("${x == true}", "${x == false}"),
        ("${empty x}", "${not empty x}"),
    ] {
        assert_eq!(exclusive("", a, b), NONE, "{a} {b}");
    }
    for (a, b) in [
        ("${x &gt; 1}", "${x &lt; 1}"),
        ("${x.y == 'a'}", "${x.z != 'a'}"),
        ("${x == 'a'}", "${x == 'b'}"),
    ] {
        assert_eq!(exclusive("", a, b), ["a:3 gateway-without-default"], "{a} {b}");
    }
    assert_eq!(
        one(&gateway("inclusiveGateway", "", "${a}", "${b}")),
        ["a:3 gateway-without-default"]
    );
    assert_eq!(one(&gateway("parallelGateway", "", "", "")), NONE);
    // An inclusive gateway takes a flow without a condition always; then its default never.
    assert_eq!(one(&gateway("inclusiveGateway", "", "${a}", "")), NONE);
    assert_eq!(
        one(&gateway("inclusiveGateway", " default=\"f\"", "${a}", "")),
        ["a:5 flow-without-condition"]
    );
}
