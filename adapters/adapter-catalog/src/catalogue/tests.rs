//! Routes and services that make sense, and those that do not.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::json;

use super::*;

fn build(services: Json, routes: Json) -> Result<Catalogue, CatalogueError> {
    let services = serde_json::from_value(services).unwrap();
    let routes = serde_json::from_value(routes).unwrap();
    Catalogue::build(
        &services,
        &routes,
        &SecretStore::new("PROCOS_CATALOGUE_TEST_", []),
        ScriptSettings::new(std::env::temp_dir()),
    )
}

fn error(services: Json, routes: Json) -> CatalogueError {
    build(services, routes).err().unwrap()
}

#[test]
fn every_adapters_own_topics_are_routed_and_its_own_alone() {
    let catalogue = build(json!({}), json!({})).unwrap();
    assert_eq!(
        catalogue.topics(),
        [
            "ai_query",
            "csv_parse",
            "date_calculate",
            "email_fetch",
            "email_send",
            "file_list",
            "file_read",
            "file_write",
            "http_request",
            "input_validation",
            "javascript_script",
            "json_transform",
            "message_publish",
            "python_script",
            "response_formatting",
            "scilab_compute",
            "shell_script",
            "slack_message",
            "sql_query"
        ]
    );
    for topic in catalogue.topics() {
        assert_eq!(catalogue.route(&topic).unwrap().operation, topic);
    }
    assert!(catalogue.route("data_processing").is_none());
    assert!(catalogue.is_script("shell_script") && !catalogue.is_script("http_request"));
    let unique: BTreeSet<_> = catalogue.own_topics().map(|(_, topic)| &topic.topic).collect();
    assert_eq!(unique.len(), catalogue.own_topics().count());
    assert!(
        catalogue
            .descriptions()
            .all(|own| catalogue.adapters.contains_key(own.name.as_str()))
    );
}

#[test]
fn what_a_form_asks_for_and_what_is_kept_are_inputs_and_answers() {
    let catalogue = build(json!({}), json!({})).unwrap();
    for (_, topic) in catalogue.own_topics() {
        for (names, schema) in [(&topic.asks, &topic.inputs), (&topic.keeps, &topic.answer)] {
            assert!(!names.is_empty(), "{}", topic.topic);
            for name in names {
                assert!(
                    schema.as_value()["properties"].get(name).is_some(),
                    "{}: {name}",
                    topic.topic
                );
            }
        }
    }
}

#[test]
fn a_route_names_fixes_and_overrides() {
    let routes = json!({
        "fetch_bill": {"adapter": "http", "with": {"connection": "billing"}, "timeout": "2m", "retry": "R2/PT1S"},
        "check": {"adapter": "core", "topic": "input_validation"},
        "http_request": {"timeout": "PT5S"},
        "greet": {"adapter": "core", "topic": "response_formatting", "with": {"anything": 1}}
    });
    let catalogue = build(json!({}), routes).unwrap();
    let fetch = catalogue.route("fetch_bill").unwrap();
    assert_eq!(
        (fetch.adapter_name.as_str(), fetch.operation.as_str()),
        ("http", "http_request")
    );
    assert_eq!(fetch.with["connection"], "billing");
    assert_eq!(
        (fetch.timeout, fetch.retry.as_ref().unwrap().attempts()),
        (Some(Duration::from_secs(120)), 2)
    );
    assert_eq!(catalogue.route("check").unwrap().operation, "input_validation");
    let own = catalogue.route("http_request").unwrap();
    assert_eq!(
        (own.adapter_name.as_str(), own.timeout),
        ("http", Some(Duration::from_secs(5)))
    );
}

#[test]
fn a_route_that_leads_nowhere_is_named_with_what_is_near() {
    for (routes, key, parts) in [
        (
            json!({"a": {"adapter": "htp"}}),
            "routes.a.adapter",
            [
                "`htp`",
                "did you mean `http`",
                "core, email, file, http, program, script, slack, sql, webhook",
            ],
        ),
        (
            json!({"a": {"adapter": "mainframe"}}),
            "routes.a.adapter",
            [
                "`mainframe`",
                "there are",
                "core, email, file, http, program, script, slack, sql, webhook",
            ],
        ),
        (
            json!({"a": {"timeout": "1s"}}),
            "routes.a.adapter",
            ["which adapter", "core", "http"],
        ),
        (
            json!({"a": {"adapter": "webhook"}}),
            "routes.a.adapter",
            ["`webhook`", "runs no tasks", "choose another"],
        ),
        (
            json!({"a": {"adapter": "core"}}),
            "routes.a.topic",
            ["which topic", "input_validation", "response_"],
        ),
        (
            json!({"a": {"adapter": "core", "topic": "input_validatoin"}}),
            "routes.a.topic",
            [
                "`input_validatoin`",
                "did you mean `input_validation`",
                "response_formatting",
            ],
        ),
        (
            json!({"a": {"adapter": "http", "with": {"conection": "b"}}}),
            "routes.a.with.conection",
            ["`conection`", "did you mean `connection`", "url"],
        ),
    ] {
        let error = error(json!({}), routes);
        assert_eq!(error.key, key);
        for part in parts {
            assert!(error.problem.contains(part), "{error}");
        }
    }
    let far = error(json!({}), json!({"a": {"adapter": "mainframe"}}));
    assert!(!far.problem.contains("did you mean"), "{far}");
}

#[test]
fn an_input_that_a_route_fixes_can_stand_for_the_topic() {
    let with = |with: Json| json!({"crunch": {"adapter": "script", "with": with}});
    let catalogue = build(json!({}), with(json!({"language": "shell", "rate": 1.17}))).unwrap();
    let route = catalogue.route("crunch").unwrap();
    assert_eq!(
        (route.operation.as_str(), &route.with["rate"]),
        ("shell_script", &json!(1.17))
    );
    assert!(catalogue.is_script("crunch"));
    let misspelt = error(json!({}), with(json!({"language": "pyton"})));
    assert_eq!(misspelt.key, "routes.crunch.with.language");
    assert!(misspelt.problem.contains("did you mean `python`"), "{misspelt}");
    let silent = error(json!({}), with(json!({})));
    assert!(
        silent.key == "routes.crunch.topic" && silent.problem.contains("scilab_compute"),
        "{silent}"
    );
    let torn =
        json!({"crunch": {"adapter": "script", "topic": "python_script", "with": {"language": "shell"}}});
    let torn = error(json!({}), torn);
    assert!(
        torn.key == "routes.crunch.with.language" && torn.problem.contains("python_script"),
        "{torn}"
    );
    let own = json!({"python_script": {"with": {"language": "shell"}}});
    assert_eq!(error(json!({}), own).key, "routes.python_script.with.language");
}

#[test]
fn a_password_in_the_wrong_place_is_not_repeated() {
    for setting in [
        json!({"auth": "hunter2"}),
        json!({"auth": {"hunter2": ""}}),
        json!({"auth": {"basic": "hunter2"}}),
        json!({"auth": {"bearer": ["hunter2"]}}),
        json!({"headers": "hunter2"}),
        json!({"headers": ["hunter2"]}),
        json!({"auth": 47_112}),
        json!({"auth": {"basic": 47_112}}),
        json!({"headers": {"X-Api-Key": 47_112}}),
    ] {
        let error = error(json!({"http": {"a": setting}}), json!({}));
        assert!(error.key.starts_with("services.http.a."), "{error}");
        let said = error.problem;
        assert!(!said.contains("hunter2") && !said.contains("47112"), "{said}");
    }
}

#[test]
fn a_service_that_cannot_be_used_is_named_by_its_place() {
    for (services, key, part) in [
        (json!({"htp": {}}), "services.htp", "did you mean `http`"),
        (
            json!({"core": {"default": {}}}),
            "services.core.default",
            "no settings",
        ),
        (
            json!({"http": {"a": {"bas_url": "x"}}}),
            "services.http.a.bas_url",
            "did you mean `base_url`",
        ),
        (
            json!({"http": {"a": {"allow": ["10.0.0.0/8", "*"]}}}),
            "services.http.a.allow[1]",
            "10.2.0.0/16",
        ),
        (
            json!({"http": {"a": {"timeout": "soon"}}}),
            "services.http.a.timeout",
            "30s",
        ),
        (
            json!({"http": {"a": {"auth": {"bearer": "t"}}}}),
            "services.http.a.auth",
            "base_url",
        ),
        (json!({"script": {}}), "services.script", "`sandbox`"),
        (json!({"http": []}), "services.http", "a section of keys"),
        (
            json!({"http": {"a": 5}}),
            "services.http.a",
            "`5`; write a section of keys",
        ),
        (
            json!({"http": {"a": {"auth": {"barer": "t"}}}}),
            "services.http.a.auth",
            "did you mean `bearer`",
        ),
        (
            json!({"http": {"a": {"base_url": "billing"}}}),
            "services.http.a.base_url",
            "https://",
        ),
    ] {
        let error = error(services, json!({}));
        assert!(error.key == key && error.problem.contains(part), "{error}");
    }
    assert!(build(json!({"http": null, "core": {}}), json!({})).is_ok());
}

#[test]
fn route_settings_read_and_show_and_refuse_what_is_unknown() {
    let text = json!({"adapter": "http", "with": {"url": "/a"}, "timeout": "2m", "retry": "R3/PT1S"});
    let setting: RouteSetting = serde_json::from_value(text.clone()).unwrap();
    assert_eq!(serde_json::to_value(&setting).unwrap(), text);
    for wrong in [
        json!({"adaptor": "http"}),
        json!({"timeout": "soon"}),
        json!({"timeout": "0s"}),
        json!({"retry": "R0/PT1S"}),
    ] {
        assert!(serde_json::from_value::<RouteSetting>(wrong).is_err());
    }
}

#[test]
fn an_adapter_is_described_by_name() {
    let catalogue = build(json!({}), json!({})).unwrap();
    assert_eq!(
        catalogue.description("http").unwrap().topics[0].topic,
        "http_request"
    );
    assert!(
        catalogue
            .description("htp")
            .unwrap_err()
            .problem
            .contains("`http`")
    );
}

#[test]
fn services_are_shown_with_defaults_and_without_secrets() {
    let http = json!({"a": {"base_url": "https://b.example/", "auth": {"bearer": "hunter2"}}});
    let shown = Json::Object(build(json!({ "http": http }), json!({})).unwrap().services());
    assert_eq!(shown["http"]["a"]["auth"]["bearer"], "********");
    assert_eq!(shown["http"]["default"]["timeout"], "PT30S");
    assert_eq!(shown.get("core"), None);
}

#[tokio::test]
async fn health_is_told_for_each_adapter() {
    let http = json!({"a": {"base_url": "https://b.example/", "auth": {"bearer": "secret:none"}}});
    let catalogue = build(json!({ "http": http }), json!({})).unwrap();
    // What a sandbox can do is not this test's to find out.
    catalogue.scripts().close().await;
    let adapters: BTreeMap<_, _> = catalogue.adapters().collect();
    assert_eq!(adapters["core"].health().await, Ok(()));
    assert!(adapters["http"].health().await.unwrap_err().contains("none"));
}

#[test]
fn a_folder_says_where_it_is_and_what_it_may_be_used_for() {
    let catalogue = build(
        json!({"file": {"in": {"path": "/srv/in", "max_bytes": "1Mi"}}}),
        json!({}),
    )
    .unwrap();
    assert_eq!(
        catalogue.services()["file"],
        json!({"in": {"path": "/srv/in", "write": false, "max_bytes": "1Mi"}})
    );
    assert!(
        !build(json!({}), json!({}))
            .unwrap()
            .services()
            .contains_key("file")
    );
    let relative = error(json!({"file": {"in": {"path": "in"}}}), json!({}));
    assert_eq!(relative.key, "services.file.in.path");
    assert!(relative.problem.contains("write the whole path"), "{relative}");
    let misspelt = error(
        json!({"file": {"in": {"path": "/srv/in", "writ": true}}}),
        json!({}),
    );
    assert!(misspelt.problem.contains("did you mean `write`?"), "{misspelt}");
}

#[test]
fn a_route_says_what_stands_before_its_topic() {
    let cached =
        json!({"http_request": {"rate": "30/m", "breaker": {}, "cache": {"for": "10m", "by": ["url"]}}});
    let catalogue = build(json!({}), cached).unwrap();
    let guards = &catalogue.route("http_request").unwrap().guards;
    assert_eq!(guards.rate.unwrap().to_string(), "30/m");
    assert_eq!(guards.breaker.unwrap().failures.get(), 5);
    assert_eq!(guards.cache.as_ref().unwrap().by, ["url"]);
    for (by, told) in [(json!([]), "all tasks"), (json!(["ulr"]), "did you mean `url`")] {
        let cache = json!({"http_request": {"cache": {"for": "10m", "by": by}}});
        let error = error(json!({}), cache);
        assert_eq!(error.key, "routes.http_request.cache.by");
        assert!(error.problem.contains(told), "{error}");
    }
}

#[test]
fn a_programs_topics_are_routed_as_others_are_and_nobody_elses() {
    let folder = tempfile::tempdir().unwrap();
    let settings = json!({"program": {"own": {"directory": folder.path()}}});
    for (topic, is_taken) in [("iban_check", false), ("http_request", true)] {
        let manifest = json!({"language": "python", "main": "main.py", "topics": [{"topic": topic, "summary": "Tries"}]});
        std::fs::write(folder.path().join("adapter.json"), manifest.to_string()).unwrap();
        std::fs::write(folder.path().join("main.py"), "").unwrap();
        if is_taken {
            let error = error(settings.clone(), json!({}));
            assert_eq!(error.key, "services.program");
            assert!(
                error.problem.contains("`http_request` is the adapter http's"),
                "{error}"
            );
        } else {
            let catalogue = build(settings.clone(), json!({})).unwrap();
            assert_eq!(catalogue.route(topic).unwrap().adapter_name, "program");
            assert!(catalogue.route(topic).unwrap().sandboxed);
        }
    }
}

/// What a schema says of its properties, those of the objects in it included: the place of each that is not explained.
fn unexplained(schema: &Json, place: &str, all: &Json) -> Vec<String> {
    let schema = match schema["$ref"].as_str().and_then(|link| link.strip_prefix('#')) {
        Some(pointer) => all.pointer(pointer).unwrap(),
        None => schema,
    };
    let mut found = Vec::new();
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let place = format!("{place}.{name}");
        let help = property["description"].as_str().unwrap_or_default();
        // One word repeats the name. One of several forms is explained as a whole.
        let is_form = schema["description"].is_string() && schema["required"] == json!([name]);
        if help.split_whitespace().count() < 2 && !is_form && property["const"].is_null() {
            found.push(format!("{place}: {help:?}"));
        }
        found.extend(unexplained(property, &place, all));
    }
    for key in ["anyOf", "oneOf"] {
        for one in schema[key].as_array().into_iter().flatten() {
            found.extend(unexplained(one, place, all));
        }
    }
    found
}

#[test]
fn every_input_answer_and_error_is_explained() {
    let catalogue = build(json!({}), json!({})).unwrap();
    let mut missing = Vec::new();
    for (adapter, topic) in catalogue.own_topics() {
        for (kind, schema) in [("inputs", &topic.inputs), ("answer", &topic.answer)] {
            let place = format!("{adapter}.{}.{kind}", topic.topic);
            missing.extend(unexplained(schema.as_value(), &place, schema.as_value()));
        }
        for error in &topic.errors {
            if error.meaning.split_whitespace().count() < 2 {
                missing.push(format!("{}: {}", topic.topic, error.code));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}
