//! What types cannot say: values that contradict each other.

use std::collections::HashMap;

use worker_api::Router;

use super::{Config, ConfigError};
use crate::output::shorten;

/// The topic of a pool that takes what no other pool names.
pub(crate) const ANY_TOPIC: &str = "*";

/// How many characters a pool's name may have.
const LONGEST_NAME: usize = 40;

/// Whether it can stand in the name of a file and in the ids of workers.
fn is_pool_name(name: &str) -> bool {
    name.len() <= LONGEST_NAME
        && !name.starts_with('.')
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

impl Config {
    /// Checks what needs no adapters.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let settings = self.settings();
        for (key, value) in [
            (
                "microkernel.bootstrap_timeout",
                settings.microkernel.bootstrap_timeout,
            ),
            ("workers.default_timeout", settings.workers.default_timeout),
            ("workers.lock_duration", settings.workers.lock_duration),
        ]
        .into_iter()
        .chain(settings.dispatch.iter().flat_map(|dispatch| {
            [
                ("dispatch.interval", dispatch.interval),
                ("dispatch.lifetime", dispatch.lifetime),
            ]
        }))
        .chain(
            settings
                .events
                .iter()
                .map(|events| ("events.interval", events.interval)),
        ) {
            if value.as_millis() == 0 {
                return Err(self.wrong(key, format!("`{key}` must be longer than nothing")));
            }
        }
        let url = &settings.engine.url;
        if !url.username().is_empty() || url.password().is_some() {
            let message = "`engine.url` holds a login, which every message about the engine would show; \
                           give it under `engine.auth`";
            return Err(self.wrong("engine.url", message));
        }
        let tls = &settings.engine.tls;
        for (key, is_alone, other) in [
            (
                "engine.tls.certificate_file",
                tls.certificate_file.is_some() && tls.key_file.is_none(),
                "engine.tls.key_file",
            ),
            (
                "engine.tls.key_file",
                tls.key_file.is_some() && tls.certificate_file.is_none(),
                "engine.tls.certificate_file",
            ),
        ] {
            if is_alone {
                return Err(self.wrong(key, format!("`{key}` is of no use without `{other}`: add it")));
            }
        }
        let key = "engine.job_executor_threads";
        if settings.engine.job_executor_threads == 0 {
            return Err(self.wrong(key, format!("`{key}` must be 1 at least: timers need one")));
        }
        self.check_sandbox()?;
        self.check_gate()?;
        self.check_pools()
    }

    fn check_pools(&self) -> Result<(), ConfigError> {
        let mut names = HashMap::new();
        let mut topics = HashMap::new();
        for (index, pool) in self.settings().workers.pools.iter().enumerate() {
            let key = |field: &str| format!("workers.pools[{index}].{field}");
            if pool.name.trim().is_empty() {
                return Err(self.wrong(&key("name"), "a pool's name must not be empty"));
            }
            if !is_pool_name(&pool.name) {
                let message = format!(
                    "`{}` cannot be a pool's name, which is part of a file's name; take at most {LONGEST_NAME} of the \
                     letters a to z, digits, `-`, `_` and `.`, the dot not first",
                    shorten(&pool.name, LONGEST_NAME)
                );
                return Err(self.wrong(&key("name"), message));
            }
            if names.insert(&pool.name, index).is_some() {
                let message = format!("two pools are named `{}`; give one another name", pool.name);
                return Err(self.wrong(&key("name"), message));
            }
            if pool.capacity == 0 {
                let message = format!(
                    "pool `{}` can run nothing: its capacity must be 1 at least",
                    pool.name
                );
                return Err(self.wrong(&key("capacity"), message));
            }
            if pool.dispatched && self.settings().dispatch.is_none() {
                let message = format!(
                    "pool `{}` takes tasks that a dispatcher offers, and nothing says where: add `dispatch: {{broker: …}}` with a \
                     connection of services.broker",
                    pool.name
                );
                return Err(self.wrong(&key("dispatched"), message));
            }
            if pool.topics.is_empty() {
                let message = format!(
                    "pool `{}` has no topics; `[\"*\"]` gives it all that no other pool names",
                    pool.name
                );
                return Err(self.wrong(&key("topics"), message));
            }
            for (topic, limit) in &pool.limits {
                let key = key(&format!("limits.{topic}"));
                if *limit == 0 {
                    let message = format!(
                        "the limit of `{topic}` in pool `{}` must be 1 at least",
                        pool.name
                    );
                    return Err(self.wrong(&key, message));
                }
                if !pool.topics.iter().any(|own| own == topic || own == ANY_TOPIC) {
                    let message = format!(
                        "pool `{}` limits the topic `{topic}`, which is none of its topics; add it to them or remove \
                         the limit",
                        pool.name
                    );
                    return Err(self.wrong(&key, message));
                }
            }
            for (position, topic) in pool.topics.iter().enumerate() {
                if let Some(other) = topics.insert(topic, &pool.name) {
                    let message = if other == &pool.name {
                        format!("pool `{other}` names the topic `{topic}` twice; remove one")
                    } else {
                        format!(
                            "the pools `{other}` and `{}` both name the topic `{topic}`; a topic belongs to one pool",
                            pool.name
                        )
                    };
                    return Err(self.wrong(&key(&format!("topics[{position}]")), message));
                }
            }
        }
        Ok(())
    }

    /// The topics of the pool at an index of `workers.pools`, sorted; `*` has become every topic that is routed and
    /// that no other pool names.
    ///
    /// # Errors
    /// Where the pool names a topic that has no route.
    pub(crate) fn topics_of(&self, index: usize, router: &dyn Router) -> Result<Vec<String>, ConfigError> {
        let pools = &self.settings().workers.pools;
        let Some(pool) = pools.get(index) else {
            return Ok(Vec::new());
        };
        let mut topics = Vec::new();
        for (position, topic) in pool.topics.iter().enumerate() {
            if topic == ANY_TOPIC {
                let named = |topic: &String| pools.iter().any(|pool| pool.topics.contains(topic));
                topics.extend(router.topics().into_iter().filter(|topic| !named(topic)));
            } else if router.route(topic).is_some() {
                topics.push(topic.clone());
            } else {
                let known = router.topics();
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                let key = format!("workers.pools[{index}].topics[{position}]");
                let what = format!("topic `{topic}` in pool `{}`", pool.name);
                return Err(ConfigError::unknown(&self.places, &key, topic, &known, &what));
            }
        }
        topics.sort();
        Ok(topics)
    }
}
