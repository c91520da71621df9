//! Tasks that cannot be done as they are modelled: what their incidents say.

use crate::system::{Folder, System, process, told};

/// A process with one external task.
fn task(key: &str, topic: &str, inputs: &[(&str, &str)], properties: &[(&str, &str)]) -> String {
    let inputs: String = inputs
        .iter()
        .map(|(name, value)| {
            format!("<camunda:inputParameter name=\"{name}\">{value}</camunda:inputParameter>")
        })
        .collect();
    let properties: String = properties
        .iter()
        .map(|(name, value)| format!("<camunda:property name=\"{name}\" value=\"{value}\"/>"))
        .collect();
    process(
        key,
        &format!(
            r#"<serviceTask id="task" name="Do it" camunda:type="external" camunda:topic="{topic}"><extensionElements>
      <camunda:inputOutput>{inputs}</camunda:inputOutput><camunda:properties>{properties}</camunda:properties>
    </extensionElements></serviceTask>"#
        ),
    )
}

/// One attempt is enough for what cannot get better.
const ONCE: &[(&str, &str)] = &[("retry", "R1/PT1S")];

/// Runs each model to its incident, which has to name the step and hold these parts.
fn stuck(name: &str, cases: &[(&str, String, &[&str])]) {
    let system = System::shared();
    let folder = Folder::new(name);
    for (key, model, _) in cases {
        folder.write(&format!("{key}.bpmn"), model);
    }
    {
        let _alone = system.deploying();
        system.run(["deploy", folder.text()]).expect_code(0);
    }
    for (key, _, parts) in cases {
        let finished = system.run(["start", key, "--wait", "50s"]);
        told(&finished, 1, parts);
        told(&finished, 1, &["stopped at  Do it", "procos retry"]);
        let listed = system
            .run(["incidents", "--key", key, "--json"])
            .expect_code(0)
            .stdout;
        assert!(listed.contains(key), "{listed}");
    }
}

#[test]
fn requests_that_are_not_sent() {
    let request = |key: &str, inputs: &[(&str, &str)]| task(key, "http_request", inputs, ONCE);
    stuck(
        "requests",
        &[
            (
                "internal-address",
                request("internal-address", &[("url", "http://127.0.0.1:1/x")]),
                &["loopback", "add 127.0.0.1:1 to `allow` of services.http.default"],
            ),
            (
                "internal-name",
                request("internal-name", &[("url", "http://localhost:1/x")]),
                &["localhost leads to 127.0.0.1:1", "add 127.0.0.1:1 to `allow`"],
            ),
            (
                "private-base",
                request("private-base", &[("connection", "billing"), ("url", "/x")]),
                &["10.0.0.1", "private", "services.http.billing"],
            ),
            (
                "unknown-connection",
                request("unknown-connection", &[("connection", "billling"), ("url", "/x")]),
                &["no connection `billling` under services.http", "billing"],
            ),
            (
                "relative-url",
                request("relative-url", &[("url", "orders")]),
                &["`url`", "a whole address such as https://", "base_url"],
            ),
            (
                "misspelt-input",
                request("misspelt-input", &[("urll", "http://example.com")]),
                &["`url`", "input parameter"],
            ),
            (
                "no-method",
                request("no-method", &[("url", "http://example.com"), ("method", "GE T")]),
                &["\"GE T\" is no method", "use GET"],
            ),
        ],
    );
}

#[test]
fn templates_and_schemas_that_are_none() {
    let format = |key: &str, template: &str| {
        task(
            key,
            "response_formatting",
            &[("value", "1"), ("template", template)],
            ONCE,
        )
    };
    let check = |key: &str, schema: &str| {
        task(
            key,
            "input_validation",
            &[("value", "1"), ("schema", schema)],
            ONCE,
        )
    };
    stuck(
        "templates",
        &[
            (
                "open-template",
                format("open-template", "Hello {{ value"),
                &["the template is wrong in line 1"],
            ),
            (
                "missing-value",
                format("missing-value", "Hello {{ customer.name }}"),
                &["uses `customer.name`, which has no value", "|default"],
            ),
            (
                "endless",
                format(
                    "endless",
                    "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}",
                ),
                &["steps", "give it less to repeat"],
            ),
            (
                "no-schema",
                check("no-schema", "{\"type\": \"strin\"}"),
                &["`schema` is no valid JSON Schema at `/type`", "strin"],
            ),
            (
                "no-json",
                check("no-json", "{\"type\": "),
                &["`schema` is not JSON", "line 1 column"],
            ),
            (
                "remote-schema",
                check("remote-schema", "{\"$ref\": \"https://example.com/x\"}"),
                &["`https://example.com/x` is outside of it", "$defs"],
            ),
            (
                "invalid-value",
                check("invalid-value", "{\"type\": \"object\"}"),
                &["VALIDATION_FAILED"],
            ),
        ],
    );
}

#[test]
fn extension_properties_that_make_no_sense() {
    let with = |key: &str, property| {
        task(
            key,
            "response_formatting",
            &[("value", "1"), ("template", "x")],
            &[property],
        )
    };
    stuck(
        "properties",
        &[
            (
                "bad-retry",
                with("bad-retry", ("retry", "often")),
                &["`retry` of task", "`often`", "R3/PT1M"],
            ),
            (
                "bad-timeout",
                with("bad-timeout", ("timeout", "soon")),
                &["`timeout` of task", "`soon`", "30s"],
            ),
        ],
    );
}
