//! Tests of layers, places and messages.

use std::fs;

use insta::assert_snapshot;
use proptest::prelude::*;
use serde_json::json;

use super::*;

mod gate;
mod sandbox;
mod security;

fn read(text: &str) -> Result<Config, ConfigError> {
    Config::merge(vec![yaml::layer("procos.yml", text.as_bytes())?])
}

fn message(text: &str) -> String {
    read(text).unwrap_err().to_string()
}

fn from_environment(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let variables = variables
        .iter()
        .map(|(name, value)| ((*name).into(), (*value).into()));
    Config::merge(environment::layers(variables)?)
}

fn source(config: &Config, key: &str) -> (Json, String) {
    let found = config
        .sources()
        .into_iter()
        .find(|sourced| sourced.key == key)
        .unwrap();
    (found.value, found.source)
}

#[test]
fn defaults_stand_alone() {
    let config = read("").unwrap();
    assert_eq!(
        config.settings().engine.url.as_str(),
        "http://127.0.0.1:8080/engine-rest"
    );
    assert_eq!(config.settings().workers.retry.attempts(), 3);
    assert_eq!(
        source(&config, "workers.lock_duration"),
        (json!("1m"), "default".into())
    );
}

#[test]
fn each_layer_wins_over_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("my.yml");
    fs::create_dir(folder.path().join("procos.d")).unwrap();
    fs::write(
        &file,
        "engine:\n  job_executor_threads: 1\n  history_level: audit\nhttp: {listen: '127.0.0.1:1'}\n",
    )
    .unwrap();
    fs::write(
        folder.path().join("procos.d/20.yml"),
        "engine: {job_executor_threads: 3}\n",
    )
    .unwrap();
    fs::write(
        folder.path().join("procos.d/10.yml"),
        "engine: {job_executor_threads: 2}\ndata_dir: /file\n",
    )
    .unwrap();
    fs::write(folder.path().join("procos.d/notes.txt"), "not: read\n").unwrap();
    let environment = [
        ("PROCOS_HTTP__LISTEN", "127.0.0.1:2"),
        ("PROCOS_DATA_DIR", "/environment"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let flags = Flags {
        data_dir: Some("/flag".into()),
        engine: Some(model::EngineKind::Docker),
    };
    let config = Config::load(Some(&file), environment, &flags).unwrap();

    let place = |path: &str, at: &str| format!("{}:{at}", folder.path().join(path).display());
    assert_eq!(
        source(&config, "engine.history_level"),
        (json!("audit"), place("my.yml", "3:3"))
    );
    assert_eq!(
        source(&config, "engine.job_executor_threads"),
        (json!(3), place("procos.d/20.yml", "1:10"))
    );
    assert_eq!(
        source(&config, "http.listen"),
        (
            json!("127.0.0.1:2"),
            "environment variable PROCOS_HTTP__LISTEN".into()
        )
    );
    assert_eq!(
        source(&config, "data_dir"),
        (json!("/flag"), "flag --data-dir".into())
    );
    assert_eq!(
        source(&config, "engine.kind"),
        (json!("docker"), "flag --engine".into())
    );
    assert_eq!(source(&config, "engine.url").1, "default");
}

#[test]
fn a_list_of_a_higher_layer_takes_the_place_of_the_whole_list() {
    let lower = "services: {http: {default: {allow: [{host: a}, b]}}}";
    let higher =
        environment::layers([("PROCOS_SERVICES__HTTP__DEFAULT__ALLOW".into(), "[c]".into())]).unwrap();
    let mut layers = vec![yaml::layer("procos.yml", lower.as_bytes()).unwrap()];
    layers.extend(higher);
    let config = Config::merge(layers).unwrap();
    assert_eq!(
        config.effective()["services"]["http"]["default"]["allow"],
        json!(["c"])
    );
    assert!(!config.places.contains_key("services.http.default.allow[0].host"));
}

#[test]
fn a_key_without_a_value_goes_back_to_its_default() {
    let config = read("engine:\nhttp:\n  listen:\ntelemetry: ~\n").unwrap();
    assert_eq!(config.settings().http.listen.port(), 8099);
}

#[test]
fn the_environment_takes_values_as_yaml_and_text_to_its_last_character() {
    let config = from_environment(&[
        ("PROCOS_ENGINE__JOB_EXECUTOR_THREADS", "4"),
        ("PROCOS_ENGINE__DATABASE__URL", "jdbc:h2:mem:a # no comment"),
        ("PROCOS_ENGINE__DATABASE__PASSWORD", "'123'"),
        (
            "PROCOS_SERVICES__HTTP__DEFAULT__ALLOW",
            "[\"127.0.0.1:8080\", 10.0.0.0/8]",
        ),
        ("PROCOS_SECRET_A__B", "hunter2"),
        ("PROCOS_ENGINE__IMAGE", ""),
        ("PROCOS_ENGINE_JAR", "/elsewhere"),
        ("HOME", "/root"),
    ])
    .unwrap();
    let engine = &config.settings().engine;
    assert_eq!(engine.job_executor_threads, 4);
    assert_eq!(
        engine.database.as_ref().unwrap().url,
        "jdbc:h2:mem:a # no comment"
    );
    assert_eq!(
        config.settings().services["http"]["default"]["allow"],
        json!(["127.0.0.1:8080", "10.0.0.0/8"])
    );
}

#[test]
fn wrong_variables_are_named() {
    let message = |name, value| from_environment(&[(name, value)]).unwrap_err().to_string();
    assert_snapshot!(message("PROCOS_ENGIN__URL", "x"), @"environment variable PROCOS_ENGIN__URL: unknown key `engin`: did you mean `engine`? Known here: data_dir, dispatch, engine, events, http, microkernel, routes, sandbox, secrets, security, services, telemetry, workers");
    assert_snapshot!(message("PROCOS_ENGINE__PORT", "1"), @"environment variable PROCOS_ENGINE__PORT: unknown key `engine.port`: known here: auth, database, history_level, image, jar, java, java_flags, job_executor_threads, kind, tls, url");
    assert_snapshot!(message("PROCOS_ENGINE____URL", "x"), @"environment variable PROCOS_ENGINE____URL: sets no key: two underscores stand between a section and its key, as in PROCOS_ENGINE__URL");
    assert_snapshot!(message("PROCOS_HTTP__LISTEN", "8099"), @"environment variable PROCOS_HTTP__LISTEN: `http.listen` must be an address and a port such as 127.0.0.1:8099, not the number `8099`");
    assert_snapshot!(message("PROCOS_ENGINE__DATABASE", "[a"), @"environment variable PROCOS_ENGINE__DATABASE:2:1: is not valid YAML: while parsing a flow sequence, expected ',' or ']'");
}

#[test]
fn unknown_keys_are_refused_with_the_nearest() {
    assert_snapshot!(message("data_dir: x\nengine:\n  kind: java\n  urll: http://a\n"), @"procos.yml:4:3: unknown key `engine.urll`: did you mean `url`? Known here: auth, database, history_level, image, jar, java, java_flags, job_executor_threads, kind, tls, url");
    assert_snapshot!(message("budget: {memory: 1}"), @"procos.yml:1:1: unknown key `budget`: known here: data_dir, dispatch, engine, events, http, microkernel, routes, sandbox, secrets, security, services, telemetry, workers");
    assert_snapshot!(message("workers:\n  pools:\n    - {name: a, capacity: 1, topic: [x]}\n"), @"procos.yml:3:30: unknown key `workers.pools[0].topic`: did you mean `topics`? Known here: capacity, dispatched, limits, name, prefetch, priorities, topics");
    assert_snapshot!(message("engine.url: http://a"), @"procos.yml:1:1: unknown key `engine.url`: write nested keys as `section: {key: value}`");
    assert_snapshot!(message("routes:\n  a: {adaptor: http}\n"), @"procos.yml:2:7: unknown key `routes.a.adaptor`: did you mean `adapter`? Known here: adapter, breaker, cache, rate, retry, timeout, topic, with");
    assert_snapshot!(message("engine: {kind: jav}"), @"procos.yml:1:10: unknown value `jav` of `engine.kind`: did you mean `java`? Known here: attached, docker, java");
    assert_snapshot!(message("engine:\n  auth:\n    basik: {username: a, password: b}\n"), @"procos.yml:2:3: unknown value `basik` of `engine.auth`: did you mean `basic`? Known here: basic, bearer, oauth2");
}

#[test]
fn wrong_types_are_named_with_what_is_expected() {
    assert_snapshot!(message("http:\n  listen: here\n"), @"procos.yml:2:3: `http.listen` must be an address and a port such as 127.0.0.1:8099, not the text `here`");
    assert_snapshot!(message("http:\n  listen: 8099\n"), @"procos.yml:2:3: `http.listen` must be an address and a port such as 127.0.0.1:8099, not the number `8099`");
    assert_snapshot!(message("engine:\n  job_executor_threads: many\n"), @"procos.yml:2:3: `engine.job_executor_threads` must be a whole number from 0 to 65535, not the text `many`");
    assert_snapshot!(message("engine:\n  job_executor_threads: 70000\n"), @"procos.yml:2:3: `engine.job_executor_threads` must be a whole number from 0 to 65535, not the number `70000`");
    assert_snapshot!(message("engine: java"), @"procos.yml:1:1: `engine` must be a section of keys, not the text `java`");
    assert_snapshot!(message("engine:\n  url: 127.0.0.1:8080\n"), @"procos.yml:2:3: `engine.url` must be an address such as http://127.0.0.1:8080/engine-rest, not the text `127.0.0.1:8080`");
    assert_snapshot!(message("engine:\n  url: 'file:///tmp'\n"), @"procos.yml:2:3: `engine.url` must be an address such as http://127.0.0.1:8080/engine-rest, not the text `file:///tmp`");
    assert_snapshot!(message("workers:\n  lock_duration: 60\n"), @"procos.yml:2:3: `workers.lock_duration` must be a duration such as 30s, 2m or PT2M, not the number `60`");
    assert_snapshot!(message("workers:\n  lock_duration: soon\n"), @"procos.yml:2:3: `workers.lock_duration` must be a duration such as 30s, 2m or PT2M, not the text `soon`");
    assert_snapshot!(message("workers:\n  lock_duration: 0s\n"), @"procos.yml:2:3: `workers.lock_duration` must be longer than nothing");
    assert_snapshot!(message("workers:\n  retry: 3\n"), @"procos.yml:2:3: `workers.retry` must be text (put it in quotes), not the number `3`");
    assert_snapshot!(message("workers:\n  retry: thrice\n"), @"procos.yml:2:3: `workers.retry`: `thrice` is no retry policy: write R3/PT1M (three attempts in all, a minute apart) or a list of delays such as PT5S,PT1M,PT10M; how much longer a delay may get stands at the end, such as R3/PT1M~20%");
    assert_snapshot!(message("workers:\n  pools:\n    - {capacity: 1, topics: [x]}\n"), @"procos.yml:3:7: `workers.pools[0]` needs the key `name`: add it");
    assert_snapshot!(message("workers:\n  pools: {name: a}\n"), @"procos.yml:2:3: `workers.pools` must be a list such as [a, b], not a section");
    assert_snapshot!(message("engine:\n  auth:\n    basic: {username: a}\n"), @"procos.yml:3:5: `engine.auth.basic` needs the key `password`: add it");
    assert_snapshot!(message("services: [http]"), @"procos.yml:1:1: `services` must be a section of keys, not a list");
}

#[test]
fn a_secret_of_the_wrong_type_is_not_told() {
    let message = message("engine:\n  database: {url: a, password: 4711}\n");
    assert!(!message.contains("4711"), "{message}");
    assert_snapshot!(message, @"procos.yml:2:22: `engine.database.password` must be text (put it in quotes), not the number");
}

#[test]
fn what_is_no_configuration_is_refused() {
    assert_snapshot!(message("- a\n- b\n"), @"procos.yml:1:1: the file must consist of `key: value` lines, such as `data_dir: ./data`");
    assert_snapshot!(message("just text"), @"procos.yml:1:1: the file must consist of `key: value` lines, such as `data_dir: ./data`");
    assert_snapshot!(message("engine:\n  kind: java\n  kind: docker\n"), @"procos.yml:3:3: is not valid YAML: duplicated key in mapping");
    assert_snapshot!(message("engine: {kind: java\n"), @"procos.yml:2:1: is not valid YAML: while parsing a flow mapping, did not find expected ',' or '}'");
    assert_snapshot!(message("engine:\n\tkind: java\n"), @"procos.yml:2:2: is not valid YAML: tabs disallowed within this context (block indentation)");
    assert_snapshot!(message("data_dir: a\n---\ndata_dir: b\n"), @"procos.yml:3:1: a second document begins here; put everything into one (remove the line `---`)");
    assert_snapshot!(message("engine: !java {}\n"), @"procos.yml:1:9: the tag `!java` means nothing here; remove it");
    assert_snapshot!(message("1: a\n"), @"procos.yml:1:1: this key is not text; put it in quotes");
    assert_snapshot!(message("data_dir: *a\n"), @"procos.yml:1:11: is not valid YAML: while parsing node, found unknown anchor");
    let bytes = yaml::layer("procos.yml", b"data_dir: a\nhttp: \xff\n").unwrap_err();
    assert_snapshot!(bytes, @"procos.yml:2: is not UTF-8 text; save it as UTF-8");
    assert_snapshot!(message(&format!("services: {{http: {{a: {}", "[".repeat(200))), @"procos.yml:2:1: is not valid YAML: while parsing a node, did not find expected node content");
}

#[test]
fn deep_nesting_is_refused() {
    let depth = 100_000;
    let text = format!("services: {}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(read(&text).is_err());
    let text = format!("services: {{http: {}{}}}", "{a: ".repeat(70), "}".repeat(70));
    assert_snapshot!(message(&text), @"procos.yml:1:274: is nested deeper than any key is");
}

#[test]
fn anchors_are_followed() {
    let config = read("data_dir: &a /tmp/a\nengine: {jar: *a}\n").unwrap();
    assert_eq!(config.settings().engine.jar.as_deref(), Some(Path::new("/tmp/a")));
}

#[test]
fn a_named_file_must_be_there() {
    let error = Config::load(Some(Path::new("/nowhere/procos.yml")), [], &Flags::default()).unwrap_err();
    assert_snapshot!(error, @"/nowhere/procos.yml: cannot be read: No such file or directory (os error 2)");
}

#[test]
fn pools_must_not_contradict_each_other() {
    let pools = |pools: &str| message(&format!("workers:\n  pools:\n{pools}"));
    assert_snapshot!(pools("    - {name: a, capacity: 1, topics: [x]}\n    - {name: a, capacity: 1, topics: [y]}\n"), @"procos.yml:4:8: two pools are named `a`; give one another name");
    assert_snapshot!(pools("    - {name: a, capacity: 1, topics: [x]}\n    - {name: b, capacity: 1, topics: [y, x]}\n"), @"procos.yml:4:42: the pools `a` and `b` both name the topic `x`; a topic belongs to one pool");
    assert_snapshot!(pools("    - {name: a, capacity: 1, topics: [x], dispatched: true}\n"), @"procos.yml:3:43: pool `a` takes tasks that a dispatcher offers, and nothing says where: add `dispatch: {broker: …}` with a connection of services.broker");
    assert_snapshot!(message("dispatch: {interval: 0s}"), @"procos.yml:1:12: `dispatch.interval` must be longer than nothing");
    assert_snapshot!(message("events: {interval: 0s}"), @"procos.yml:1:10: `events.interval` must be longer than nothing");
    assert_snapshot!(pools("    - {name: a, capacity: 1, topics: [x, x]}\n"), @"procos.yml:3:42: pool `a` names the topic `x` twice; remove one");
    assert_snapshot!(pools("    - {name: a, capacity: 1, topics: ['*']}\n    - {name: b, capacity: 1, topics: ['*']}\n"), @"procos.yml:4:39: the pools `a` and `b` both name the topic `*`; a topic belongs to one pool");
    assert_snapshot!(pools("    - {name: a, capacity: 0, topics: [x]}\n"), @"procos.yml:3:17: pool `a` can run nothing: its capacity must be 1 at least");
    assert_snapshot!(pools("    - {name: a, capacity: 1, topics: []}\n"), @r#"procos.yml:3:30: pool `a` has no topics; `["*"]` gives it all that no other pool names"#);
    assert_snapshot!(pools("    - {name: a, capacity: 1, topics: [x], limits: {x: 0}}\n"), @"procos.yml:3:52: the limit of `x` in pool `a` must be 1 at least");
    assert_snapshot!(pools("    - {name: a, capacity: 1, topics: [x], limits: {y: 1}}\n"), @"procos.yml:3:52: pool `a` limits the topic `y`, which is none of its topics; add it to them or remove the limit");
    assert_snapshot!(pools("    - {name: '', capacity: 1, topics: [x]}\n"), @"procos.yml:3:8: a pool's name must not be empty");
    assert_snapshot!(pools("    - {name: ../a, capacity: 1, topics: [x]}\n"), @"procos.yml:3:8: `../a` cannot be a pool's name, which is part of a file's name; take at most 40 of the letters a to z, digits, `-`, `_` and `.`, the dot not first");
    for name in [".a", "a/b", "a b", "\"a\\e[2J\"", "ä", &"a".repeat(41)] {
        let message = pools(&format!("    - {{name: {name}, capacity: 1, topics: [x]}}\n"));
        assert!(
            message.contains("cannot be a pool's name") && !message.contains('\u{1b}'),
            "{message}"
        );
    }
    let name = "A-1_b.".repeat(6) + "2345";
    assert!(
        read(&format!(
            "workers: {{pools: [{{name: {name}, capacity: 1, topics: [x]}}]}}"
        ))
        .is_ok()
    );
}

#[test]
fn nothing_secret_is_shown() {
    let config = read(
        "engine:\n  auth: {basic: {username: me, password: hunter2}}\n  \
           database: {url: 'jdbc:postgresql://db/a?user=x&password=hunter2&ssl=true', username: a, password: 'secret:db'}\n\
         services:\n  http:\n    a: {base_url: 'https://me:hunter2@example.org/x', auth: {bearer_token: hunter2}, headers: {X-Api-Key: hunter2}}\n",
    )
    .unwrap();
    let effective = config.effective();
    assert!(!effective.to_string().contains("hunter2"), "{effective:#}");
    assert!(!format!("{:?}", config.sources()).contains("hunter2"));
    assert_eq!(effective["engine"]["database"]["password"], "secret:db");
    assert_eq!(
        effective["engine"]["database"]["url"],
        "jdbc:postgresql://db/a?user=x&password=********&ssl=true"
    );
}

#[test]
fn what_is_shown_reads_back() {
    let text = "routes:\n  a: {adapter: http, with: {method: GET}, timeout: 2m, retry: 'PT5S,PT1M'}\nengine: {auth: {bearer: 'secret:t'}}\n";
    let once = read(text).unwrap().effective();
    let again = read(&once.to_string()).unwrap().effective();
    assert_eq!(once, again);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(layer) = yaml::layer("procos.yml", &bytes) {
            let _ = Config::merge(vec![layer]).map(|config| config.sources());
        }
    }

    #[test]
    fn no_yaml_makes_it_panic(text in "([a-z_]{1,8}: ?)?[\\[\\]{}:,\\-&*!|>'\"#%@` \n\ta-z0-9.~]{0,60}") {
        let _ = read(&text).map(|config| config.effective());
        let _ = from_environment(&[("PROCOS_ENGINE__URL", &text), ("PROCOS_SERVICES__HTTP__A", &text)]);
    }
}
