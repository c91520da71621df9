//! The section `sandbox`.

use std::path::Path;
use std::time::Duration;

use sandbox::{BackendChoice, Level};
use serde_json::json;

use super::{message, read, source};

#[test]
fn the_level_gives_the_numbers_and_what_is_set_wins_over_them() {
    let config = read("sandbox: {level: high, memory: 64Mi, timeout: 1m, output: 1000, cpus: 1}").unwrap();
    let (limits, high) = (config.settings().sandbox.limits(), Level::High.limits());
    assert_eq!(
        (limits.memory, limits.timeout),
        (64 << 20, Duration::from_secs(60))
    );
    assert_eq!((limits.output, limits.cpus), (1000, 1.0));
    assert_eq!((limits.pids, limits.tmpfs), (high.pids, high.tmpfs));
    assert_eq!(source(&config, "sandbox.memory").0, json!("64Mi"));
    assert_eq!(source(&config, "sandbox.output").0, json!(1000));
    assert_eq!(
        source(&config, "sandbox.pids"),
        (json!(high.pids), "default".into())
    );
    assert_eq!(source(&config, "sandbox.tmpfs").0, json!("16Mi"));
}

#[test]
fn images_are_added_to_those_that_are_known() {
    let config = read(
        "sandbox: {backend: docker, images: {mine: a/b:1, python: own/python}, script_directories: [a]}",
    );
    let settings = config
        .unwrap()
        .settings()
        .sandbox
        .script_settings(Path::new("data"));
    assert_eq!(settings.sandbox.backend, BackendChoice::Docker);
    assert_eq!(settings.sandbox.state_dir, Path::new("data/sandbox"));
    assert_eq!(
        (
            settings.sandbox.images["mine"].as_str(),
            settings.sandbox.images["python"].as_str()
        ),
        ("a/b:1", "own/python")
    );
    assert!(settings.sandbox.images.contains_key("science"));
    assert_eq!(settings.directories, [Path::new("a")]);
}

#[test]
fn what_makes_no_sense_is_told_with_what_does() {
    for (text, parts) in [
        (
            "sandbox: {backend: none}",
            ["procos.yml:1:11", "scripts run in a sandbox or not at all"],
        ),
        (
            "sandbox: {backend: dokcer}",
            ["procos.yml:1:11", "did you mean `docker`?"],
        ),
        ("sandbox: {level: none}", ["`sandbox.level`", "medium"]),
        (
            "sandbox: {memroy: 1Mi}",
            ["`sandbox.memroy`", "did you mean `memory`?"],
        ),
        (
            "sandbox: {memory: much}",
            ["a size such as 256Mi", "the text `much`"],
        ),
        (
            "sandbox: {memory: -1}",
            ["a size such as 256Mi", "the number `-1`"],
        ),
        ("sandbox: {tmpfs: 0}", ["`sandbox.tmpfs`", "more than nothing"]),
        ("sandbox: {cpus: 0.0}", ["`sandbox.cpus`", "more than nothing"]),
        (
            "sandbox: {cpus: many}",
            ["a number such as 0.5", "the text `many`"],
        ),
        (
            "sandbox: {timeout: 0s}",
            ["`sandbox.timeout`", "more than nothing"],
        ),
        (
            "sandbox: {timeout: 5}",
            ["a duration such as 30s", "the number `5`"],
        ),
        ("sandbox: {pids: -1}", ["a whole number", "the number `-1`"]),
        ("sandbox: {warm: lots}", ["a whole number", "the text `lots`"]),
        ("sandbox: {roots: [a]}", ["`sandbox.roots`", "a section of keys"]),
    ] {
        let message = message(text);
        assert!(parts.iter().all(|part| message.contains(part)), "{message}");
    }
}
