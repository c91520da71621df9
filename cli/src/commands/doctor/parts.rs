//! What the configuration refers to: secrets and adapters.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use adapter_catalog::SCRIPTS;
use serde_json::Value as Json;
use worker_api::Adapter;

use super::{Check, sandbox};
use crate::context::Context;

/// How long an adapter may take to tell how it is.
const TIMEOUT: Duration = Duration::from_secs(10);

pub(super) async fn checks(context: &Context) -> Vec<Check> {
    let mut checks = secrets(context);
    match context.config.catalogue() {
        Err(trouble) => checks.push(Check::trouble(
            "adapters",
            trouble.message,
            "correct that section of the configuration",
        )),
        Ok(catalogue) => {
            let adapters: BTreeMap<String, Arc<dyn Adapter>> = catalogue
                .adapters()
                .filter(|(name, _)| *name != SCRIPTS)
                .map(|(name, adapter)| (name.to_owned(), Arc::clone(adapter)))
                .collect();
            // Before the adapters: the one that runs scripts is as its sandbox is.
            checks.push(sandbox::check(&catalogue, context).await);
            checks.extend(health(adapters).await);
            catalogue.scripts().close().await;
        }
    }
    checks
}

fn secrets(context: &Context) -> Vec<Check> {
    let mut references = Vec::new();
    collect("", &context.config.effective(), &mut references);
    let store = context.config.secret_store();
    let missing: Vec<_> = references
        .iter()
        .filter_map(|(key, name)| store.get(name).err().map(|error| (key, error)))
        .map(|(key, error)| Check::trouble("secrets", format!("{key} cannot be had"), error.to_string()))
        .collect();
    match (references.len(), missing.is_empty()) {
        (0, _) => vec![Check::info("secrets", "the configuration refers to none")],
        (number, true) => vec![Check::ok(
            "secrets",
            format!("all {number} that the configuration refers to are there"),
        )],
        (_, false) => missing,
    }
}

/// Every `secret:NAME` with its key.
fn collect(key: &str, value: &Json, found: &mut Vec<(String, String)>) {
    match value {
        Json::String(text) => {
            found.extend(
                text.strip_prefix(secrets::PREFIX)
                    .map(|name| (key.to_owned(), name.to_owned())),
            );
        }
        Json::Object(fields) => {
            for (name, value) in fields {
                let inner = if key.is_empty() {
                    name.clone()
                } else {
                    format!("{key}.{name}")
                };
                collect(&inner, value, found);
            }
        }
        Json::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                collect(&format!("{key}[{index}]"), value, found);
            }
        }
        _ => {}
    }
}

async fn health(adapters: BTreeMap<String, Arc<dyn Adapter>>) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut well = Vec::new();
    for (name, adapter) in adapters {
        match tokio::time::timeout(TIMEOUT, adapter.health()).await {
            Ok(Ok(())) => well.push(name),
            Ok(Err(trouble)) => checks.push(Check::trouble(
                "adapters",
                format!("{name}: {trouble}"),
                format!("correct services.{name} in the configuration"),
            )),
            Err(_) => checks.push(Check::trouble(
                "adapters",
                format!("{name} does not tell how it is within {} s", TIMEOUT.as_secs()),
                format!("see whether what services.{name} names can be reached"),
            )),
        }
    }
    if !well.is_empty() {
        checks.insert(0, Check::ok("adapters", format!("well: {}", well.join(", "))));
    }
    checks
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn references_are_found_wherever_they_stand() {
        let mut found = Vec::new();
        collect(
            "",
            &json!({"a": {"b": ["x", "secret:k"]}, "c": "secret:p", "d": "secrets"}),
            &mut found,
        );
        assert_eq!(found, [("a.b[1]".into(), "k".into()), ("c".into(), "p".into())]);
    }
}
