//! A folder is a layer: which crate may import which, as ARCHITECTURE.md has it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "test code")]

use std::collections::BTreeMap;
use std::fs;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};
use tests::workspace;

/// Crate → the crates of this workspace that it may import. A new crate needs a line here.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("diagnostics", &[]),
    ("engine-client", &[]),
    ("sandbox", &[]),
    ("secrets", &[]),
    ("telemetry", &[]),
    ("worker-api", &[]),
    ("bpmn", &["diagnostics"]),
    ("deploy", &["bpmn", "diagnostics", "engine-client"]),
    (
        "worker-runtime",
        &["bpmn", "diagnostics", "engine-client", "worker-api"],
    ),
    ("dispatcher", &["engine-client", "worker-api"]),
    ("adapter-ai", &["http-client", "secrets", "worker-api"]),
    (
        "adapter-broker",
        &["arrival", "json-path", "secrets", "worker-api"],
    ),
    ("adapter-core", &["secrets", "worker-api"]),
    (
        "adapter-email",
        &["arrival", "http-client", "json-path", "secrets", "worker-api"],
    ),
    ("adapter-file", &["worker-api"]),
    (
        "adapter-http",
        &["http-client", "json-path", "secrets", "worker-api"],
    ),
    // It is handed the adapter that runs scripts, and knows it as an adapter.
    ("adapter-program", &["worker-api"]),
    ("adapter-script", &["sandbox", "worker-api"]),
    ("adapter-slack", &["http-client", "secrets", "worker-api"]),
    ("adapter-sql", &["secrets", "worker-api"]),
    (
        "adapter-webhook",
        &["arrival", "json-path", "secrets", "worker-api"],
    ),
    ("arrival", &["json-path", "worker-api"]),
    ("http-client", &["worker-api"]),
    ("json-path", &[]),
    // The catalogue hands adapters the store that their settings' references lead to.
    (
        "adapter-catalog",
        &[
            "adapter-ai",
            "adapter-broker",
            "adapter-core",
            "adapter-email",
            "adapter-file",
            "adapter-http",
            "adapter-program",
            "adapter-script",
            "adapter-slack",
            "adapter-sql",
            "adapter-webhook",
            "secrets",
            "worker-api",
        ],
    ),
    ("microkernel", &["deploy", "engine-client"]),
    ("benches", ALL),
    ("cli", ALL),
    ("stock", &["engine-client", "worker-runtime"]),
    ("tests", ALL),
];

/// Where everything is put together.
const ALL: &[&str] = &["*"];

#[test]
fn crates_import_only_what_their_layer_allows() {
    let rules = BTreeMap::from_iter(MAY_IMPORT.iter().copied());
    let metadata = metadata();
    let members: Vec<&str> = metadata
        .workspace_packages()
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    let mut wrong = Vec::new();
    for package in metadata.workspace_packages() {
        let name = package.name.as_str();
        let Some(allowed) = rules.get(name) else {
            wrong.push(format!(
                "{name}: no rule in tests/tests/dependencies.rs says what it may import"
            ));
            continue;
        };
        // What a crate's tests use is free.
        for dependency in package
            .dependencies
            .iter()
            .filter(|one| one.kind != DependencyKind::Development)
        {
            let import = dependency.name.as_str();
            if members.contains(&import) && *allowed != ALL && !allowed.contains(&import) {
                wrong.push(format!("{name} imports {import}; it may import {allowed:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn rules_name_only_crates_that_exist() {
    let metadata = metadata();
    let members: Vec<&str> = metadata
        .workspace_packages()
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    let named = MAY_IMPORT
        .iter()
        .flat_map(|(name, allowed)| allowed.iter().chain([name]));
    let unknown: Vec<_> = named
        .filter(|name| **name != "*" && !members.contains(name))
        .collect();
    assert!(unknown.is_empty(), "no such crate: {unknown:?}");
}

#[test]
fn a_folder_is_called_as_its_crate() {
    for package in metadata().workspace_packages() {
        let folder = package.manifest_path.parent().unwrap();
        assert_eq!(folder.file_name(), Some(package.name.as_str()), "{folder}");
    }
}

/// The workspace's crates, but for those that people copy as an example: these stand for themselves.
fn own(metadata: &Metadata) -> Vec<&Package> {
    let mut packages = metadata.workspace_packages();
    packages.retain(|package| !package.manifest_path.as_str().contains("/examples/"));
    packages
}

#[test]
fn every_crate_takes_version_edition_and_lints_from_the_workspace() {
    let metadata = metadata();
    for package in own(&metadata) {
        let manifest = manifest(package);
        for key in ["version", "edition", "rust-version", "license", "publish"] {
            assert!(
                inherits(&manifest["package"], key),
                "{}: package.{key}",
                package.manifest_path
            );
        }
        assert_eq!(
            manifest.get("lints").and_then(|lints| lints.get("workspace")),
            Some(&toml::Value::Boolean(true)),
            "{}: [lints] workspace = true",
            package.manifest_path
        );
    }
}

#[test]
fn versions_of_dependencies_stand_in_the_workspace_alone() {
    let metadata = metadata();
    for package in own(&metadata) {
        let manifest = manifest(package);
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let Some(table) = manifest.get(section).and_then(toml::Value::as_table) else {
                continue;
            };
            let wrong: Vec<&String> = table
                .iter()
                .filter(|(_, one)| !inherits_itself(one))
                .map(|(name, _)| name)
                .collect();
            assert!(
                wrong.is_empty(),
                "{} [{section}]: {wrong:?} without workspace = true",
                package.manifest_path
            );
        }
    }
}

/// The sandbox without a barrier is for its own tests.
#[test]
fn nothing_that_is_installed_can_take_a_barrier_away() {
    let metadata = metadata();
    let mut asking = Vec::new();
    for package in metadata.workspace_packages() {
        for dependency in &package.dependencies {
            if dependency
                .features
                .iter()
                .any(|feature| feature.contains("weakened"))
            {
                asking.push((package.name.as_str(), dependency.kind));
            }
        }
        for (feature, enables) in &package.features {
            let others = enables.iter().any(|enabled| enabled.contains("weakened"));
            assert!(
                !others,
                "{}: the feature {feature} takes barriers away",
                package.name
            );
        }
    }
    assert_eq!(asking, [("sandbox", DependencyKind::Development)]);
}

fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(workspace().join("Cargo.toml"))
        .no_deps()
        .other_options(["--locked".to_owned(), "--offline".to_owned()])
        .exec()
        .unwrap_or_else(|error| panic!("cargo metadata: {error}"))
}

fn manifest(package: &Package) -> toml::Value {
    toml::from_str(&fs::read_to_string(&package.manifest_path).unwrap()).unwrap()
}

fn inherits(table: &toml::Value, key: &str) -> bool {
    table.get(key).is_some_and(inherits_itself)
}

fn inherits_itself(value: &toml::Value) -> bool {
    value.get("workspace") == Some(&toml::Value::Boolean(true))
}
