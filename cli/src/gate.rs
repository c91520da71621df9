//! What the deploy gate is told of this installation.

use std::collections::{BTreeMap, BTreeSet};

use deploy::GateContext;
use worker_api::{Route, Router, TopicDescription};

use crate::config::{Config, ConfigError};

/// The operator's exceptions, and the topics that there are with the errors that they throw. Which processes are
/// deployed already is the engine's to say.
///
/// # Errors
/// Where a route or a service of the configuration makes no sense.
pub(crate) fn context(config: &Config) -> Result<GateContext, ConfigError> {
    let catalogue = config.catalogue()?;
    let mut context = GateContext {
        allowances: config.settings().security.gate.allow.clone(),
        now: Some(jiff::Timestamp::now()),
        default_topics: config.settings().security.defaults().allowed_tasks,
        ..GateContext::default()
    };
    let (mut topics, mut sandboxed) = (BTreeMap::new(), BTreeSet::new());
    for topic in catalogue.topics() {
        if catalogue.is_script(&topic) {
            context.script_topics.insert(topic.clone());
        }
        let description = catalogue.route(&topic).and_then(description);
        if description.as_ref().is_some_and(|it| it.sandboxed) {
            sandboxed.insert(topic.clone());
        }
        topics.insert(topic, description.map(codes).unwrap_or_default());
    }
    context.topics = Some(topics);
    context.sandboxed_topics = Some(sandboxed);
    Ok(context)
}

/// What the adapter says about the operation that a route leads to.
fn description(route: &Route) -> Option<TopicDescription> {
    let topics = route.adapter.description().topics;
    topics.into_iter().find(|it| it.topic == route.operation)
}

/// The errors that tasks can throw. Where one stands for a family, such as `HTTP_4XX` for `HTTP_404`, the family is
/// enough to catch.
fn codes(topic: TopicDescription) -> Vec<String> {
    let codes: Vec<String> = topic.errors.into_iter().map(|it| it.code).collect();
    let has_family = |code: &String| {
        codes.iter().any(|family| {
            let stem = family.strip_suffix("XX");
            stem.is_some_and(|stem| family != code && family.len() == code.len() && code.starts_with(stem))
        })
    };
    codes.iter().filter(|code| !has_family(code)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_known_with_the_errors_that_have_to_be_caught() {
        let config = Config::load(None, [], &crate::config::Flags::default()).unwrap();
        let context = context(&config).unwrap();
        let topics = context.topics.unwrap();
        assert_eq!(topics["http_request"], ["HTTP_4XX"]);
        assert_eq!(topics["input_validation"], ["VALIDATION_FAILED"]);
        assert!(context.script_topics.contains("python_script"));
        assert!(context.now.is_some() && context.deployed.is_none());
        let sandboxed = context.sandboxed_topics.unwrap();
        assert!(sandboxed.contains("python_script") && !sandboxed.contains("http_request"));
        assert_eq!(context.default_topics, None);
    }

    #[test]
    fn what_the_operator_allows_all_processes_is_known() {
        let listed = (
            "PROCOS_SECURITY__DEFAULT__ALLOWED_TASKS".to_owned(),
            "[a]".to_owned(),
        );
        let config = Config::load(None, [listed], &crate::config::Flags::default()).unwrap();
        let topics = context(&config).unwrap().default_topics.unwrap();
        assert_eq!(topics.into_iter().collect::<Vec<_>>(), ["a"]);
    }
}
