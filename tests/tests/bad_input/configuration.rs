//! Configurations that make no sense. Nothing of it needs an engine, but for the ports in use.

use std::os::unix::fs::symlink;

use tests::{Finished, Procos};

use crate::system::{Folder, System, told};

/// A call in a folder of its own with this configuration.
fn run(configuration: &str, arguments: &[&str]) -> Finished {
    let folder = Folder::new("configuration");
    folder.write("procos.yml", configuration);
    Procos::new(folder.path()).args(arguments).run()
}

/// Checks that a configuration is refused at its place, as text and as JSON.
#[track_caller]
fn refused(configuration: &str, place: &str, parts: &[&str]) {
    let finished = run(configuration, &["config", "show"]);
    told(&finished, 2, &[&format!("procos.yml:{place}: ")]);
    told(&finished, 2, parts);
    let error = run(configuration, &["config", "show", "--json"]).json();
    let error = error["error"].as_str().unwrap_or_default();
    assert!(error.starts_with("procos.yml:"), "{error}");
}

#[test]
fn an_unknown_key_is_named_with_the_nearest_at_every_depth() {
    refused("engin: {}\n", "1:1", &["`engin`", "did you mean `engine`?"]);
    refused("engine:\n  urll: x\n", "2:3", &["`engine.urll`", "`url`"]);
    let login = "engine:\n  auth:\n    basic:\n      usrname: a\n      password: b\n";
    refused(
        login,
        "4:7",
        &["engine.auth.basic.usrname", "did you mean `username`?"],
    );
    let pool = "workers:\n  pools:\n    - {name: a, capacity: 1, topic: [x]}\n";
    refused(
        pool,
        "3:30",
        &["workers.pools[0].topic", "did you mean `topics`?"],
    );
    refused(
        "routes:\n  x: {adaptor: http}\n",
        "2:7",
        &["did you mean `adapter`?"],
    );
    let service = "services:\n  http:\n    default:\n      alow: [a]\n";
    refused(
        service,
        "4:7",
        &["services.http.default.alow", "did you mean `allow`?"],
    );
    refused("services: {htp: {}}\n", "1:12", &["did you mean `http`?"]);
    refused("engine.url: http://x\n", "1:1", &["section: {key: value}"]);
}

#[test]
fn a_value_of_the_wrong_kind_is_told_with_the_right_one() {
    refused("engine: java\n", "1:1", &["a section of keys", "the text `java`"]);
    refused("engine: {kind: jvm}\n", "1:10", &["did you mean `java`?"]);
    refused(
        "engine: {job_executor_threads: many}\n",
        "1:10",
        &["a whole number", "`many`"],
    );
    refused("engine: {job_executor_threads: 0}\n", "1:10", &["1 at least"]);
    refused(
        "engine: {url: 8080}\n",
        "1:10",
        &["http://127.0.0.1:8080/engine-rest"],
    );
    refused("engine: {url: 'ftp://x'}\n", "1:10", &["`ftp://x`"]);
    refused("http: {listen: 8099}\n", "1:8", &["127.0.0.1:8099"]);
    refused("data_dir: [a]\n", "1:1", &["a path", "not a list"]);
    refused("secrets: {directories: /run}\n", "1:11", &["a list such as"]);
    refused("workers: {pools: {name: a}}\n", "1:11", &["not a section"]);
    refused(
        "engine: {database: {username: x}}\n",
        "1:10",
        &["needs the key `url`"],
    );
    refused("services: {http: {default: 5}}\n", "1:19", &["a section of keys"]);
    refused(
        "services: {http: {default: {base_url: billing}}}\n",
        "1:29",
        &["https://"],
    );
    refused(
        "services: {http: {default: {allow: ['10.0.0.0/99']}}}\n",
        "1:37",
        &["10.2.0.0/16"],
    );
    refused(
        "services: {http: {default: {max_bytes: big}}}\n",
        "1:29",
        &["10Mi"],
    );
}

#[test]
fn a_duration_has_to_be_one() {
    for bad in ["soon", "5", "-5s", "99999999999999999999h", "''", "[30s]"] {
        refused(
            &format!("workers: {{default_timeout: {bad}}}\n"),
            "1:11",
            &["workers.default_timeout", "30s, 2m or PT2M"],
        );
    }
    refused("workers: {lock_duration: 0s}\n", "1:11", &["longer than nothing"]);
    refused("workers: {retry: often}\n", "1:11", &["R3/PT1M"]);
    refused("workers: {retry: R0/PT1S}\n", "1:11", &["R3/PT1M"]);
    refused(
        "services: {http: {default: {timeout: soon}}}\n",
        "1:29",
        &["30s, 2m or PT30S"],
    );
}

#[test]
fn routes_and_pools_lead_somewhere_and_to_one_place() {
    refused(
        "routes:\n  x: {adapter: htp}\n",
        "2:7",
        &["routes.x.adapter", "did you mean `http`?"],
    );
    refused(
        "routes:\n  x: {timeout: 1s}\n",
        "2:3",
        &["say which adapter", "http"],
    );
    refused(
        "routes:\n  x: {adapter: core}\n",
        "2:3",
        &["input_validation, response_formatting"],
    );
    let topic = "routes:\n  x: {adapter: http, topic: http_reqest}\n";
    refused(topic, "2:22", &["did you mean `http_request`?"]);
    let input = "routes:\n  x: {adapter: http, with: {urll: a}}\n";
    refused(input, "2:29", &["routes.x.with.urll", "did you mean `url`?"]);
    let pools = |second: &str| {
        format!(
            "workers:\n  pools:\n    - {{name: a, capacity: 1, topics: [http_request]}}\n    - {second}\n"
        )
    };
    let twice = pools("{name: b, capacity: 1, topics: [http_request]}");
    refused(
        &twice,
        "4:39",
        &["`a` and `b` both name the topic `http_request`"],
    );
    let same = pools("{name: a, capacity: 1, topics: ['*']}");
    refused(&same, "4:8", &["two pools are named `a`"]);
    let idle = pools("{name: b, capacity: 0, topics: ['*']}");
    refused(&idle, "4:17", &["1 at least"]);
    // Only those who work off tasks need every topic of a pool.
    let unknown = pools("{name: b, capacity: 1, topics: [http_reqest]}") + "http: {listen: '127.0.0.1:0'}\n";
    for command in ["up", "worker"] {
        told(
            &run(&format!("{unknown}engine: {{kind: attached}}\n"), &[command]),
            2,
            &[
                "procos.yml:4:39",
                "`http_reqest` in pool `b`",
                "did you mean `http_request`?",
            ],
        );
    }
}

#[test]
fn broken_yaml_is_told_with_its_place() {
    refused("engine: {url: \"http://x\n", "1:15", &["not valid YAML"]);
    refused("engine:\n\turl: x\n", "2:2", &["not valid YAML", "tabs"]);
    refused("engine: {}\nengine: {}\n", "2:1", &["duplicated key"]);
    refused("engine: *nowhere\n", "1:9", &["not valid YAML"]);
    refused("- a\n", "1:1", &["`key: value` lines"]);
    refused("engine: {}\n---\nhttp: {}\n", "3:1", &["second document", "---"]);
    refused(&format!("a: {}", "[".repeat(5000)), "1:259", &["recursion"]);
    let folder = Folder::new("encoding");
    folder.write("procos.yml", b"engine: {}\ndata_dir: \xff\n");
    let finished = Procos::new(folder.path()).args(["ps"]).run();
    told(&finished, 2, &["procos.yml:2", "save it as UTF-8"]);
}

#[test]
fn every_layer_is_named_where_it_is_wrong() {
    let folder = Folder::new("layers");
    folder.write("procos.d/10-team.yml", "engine:\n  urll: x\n");
    let call = || Procos::new(folder.path()).args(["ps"]);
    told(
        &call().run(),
        2,
        &["procos.d/10-team.yml:2:3", "did you mean `url`?"],
    );
    folder.write("procos.d/10-team.yml", "");
    let set = |name: &str, value: &str| call().env(name, value).run();
    told(
        &set("PROCOS_ENGINE__URLL", "http://x"),
        2,
        &["environment variable PROCOS_ENGINE__URLL", "did you mean `url`?"],
    );
    told(
        &set("PROCOS_ENGINE__URL", "nonsense"),
        2,
        &["PROCOS_ENGINE__URL", "`nonsense`"],
    );
    told(&set("PROCOS_ENGINE__", "x"), 2, &["two underscores"]);
    told(
        &set("PROCOS_WORKERS__POOLS", "[{name: a"),
        2,
        &["PROCOS_WORKERS__POOLS", "not valid YAML"],
    );
    for file in ["nowhere.yml", "procos.d"] {
        let named = Procos::new(folder.path()).args(["--config", file, "ps"]).run();
        told(&named, 2, &[file, "cannot be read"]);
    }
}

#[test]
fn a_secret_that_is_not_there_or_cannot_be_read() {
    let configuration = |rest: &str| {
        format!(
            "engine:\n  kind: attached\n  auth: {{basic: {{username: a, password: 'secret:billing-token'}}}}\n{rest}"
        )
    };
    let missing = configuration("");
    told(
        &run(&missing, &["ps"]),
        2,
        &[
            "procos.yml:3:",
            "`billing-token`",
            "PROCOS_SECRET_BILLING_TOKEN",
            "/run/secrets/billing-token",
        ],
    );
    let folder = Folder::new("secrets");
    folder.write("procos.yml", configuration("secrets: {directories: [there]}\n"));
    let call = || Procos::new(folder.path()).args(["ps"]);
    // Root may read every file, so what cannot be read is none: a folder, or a link to itself.
    std::fs::create_dir_all(folder.file("there/billing-token")).unwrap();
    told(&call().run(), 2, &["cannot be read from there/billing-token"]);
    std::fs::remove_dir(folder.file("there/billing-token")).unwrap();
    symlink("billing-token", folder.file("there/billing-token")).unwrap();
    told(&call().run(), 2, &["there/billing-token"]);
    let token = "never-to-be-shown\n\u{1}";
    let finished = call().env("PROCOS_SECRET_BILLING_TOKEN", token).run();
    assert!(
        !finished.stderr.contains("never-to-be-shown"),
        "{}",
        finished.stderr
    );
}

#[test]
fn a_data_directory_that_cannot_be() {
    let folder = Folder::new("data");
    let file = folder.write("file", "");
    let below = format!("{file}/data");
    for command in ["up", "kernel", "ps"] {
        let call = Procos::new(folder.path()).args([command, "--data-dir", &below]);
        let finished = call.env("PROCOS_HTTP__LISTEN", "127.0.0.1:0").run();
        told(&finished, 2, &[&below, "--data-dir"]);
    }
    assert_eq!(std::fs::read(&file).unwrap(), b"", "the file is as it was");
}

#[test]
fn a_port_in_use_is_told_with_the_key_that_changes_it() {
    let system = System::shared();
    let folder = Folder::new("ports");
    let call = || Procos::new(folder.path()).args(["up"]);
    let same_engine = call()
        .env("PROCOS_ENGINE__URL", system.engine_url())
        .env("PROCOS_HTTP__LISTEN", "127.0.0.1:0")
        .run();
    told(&same_engine, 3, &["in use by java", "engine.url"]);
    let same_http = call().env("PROCOS_HTTP__LISTEN", system.http_address()).run();
    told(&same_http, 3, &[system.http_address(), "http.listen"]);
    told(&system.run(["up"]), 3, &["data"]);
    system.run(["status"]).expect_code(0);
}
