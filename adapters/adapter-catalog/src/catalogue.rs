//! Adapters by name and routes by topic.

use std::collections::BTreeMap;
use std::sync::Arc;

use adapter_broker::BrokerAdapter;
use adapter_script::{ScriptAdapter, ScriptSettings};
use secrets::SecretStore;
use serde_json::{Map, Value as Json};
use worker_api::{
    Adapter, AdapterDescription, Cache, Choice, Guards, Inbound, Route, Router, TopicDescription,
};

use crate::registry::{Made, Parts, make_all};
use crate::{CatalogueError, RouteSetting};

/// Every adapter, and which topic leads to which.
pub struct Catalogue {
    adapters: BTreeMap<&'static str, Listed>,
    routes: BTreeMap<String, Route>,
    scripts: Arc<ScriptAdapter>,
    inbounds: Vec<Arc<dyn Inbound>>,
    webhooks: Option<axum::Router>,
    broker: Option<Arc<BrokerAdapter>>,
}

struct Listed {
    adapter: Arc<dyn Adapter>,
    settings: Json,
    description: AdapterDescription,
}

impl Catalogue {
    /// The catalogue for a configuration. `services` has a section of settings for each adapter that needs any;
    /// `routes` gives topics to adapters, beside those that are an adapter's own and need no route; `scripts` says how
    /// scripts are run. No sandbox is opened yet: see [`Self::scripts`].
    ///
    /// # Errors
    /// The first setting or route that cannot be used, with its place in the configuration. Secrets are not read
    /// here: see [`Adapter::health`].
    pub fn build(
        services: &Map<String, Json>,
        routes: &BTreeMap<String, RouteSetting>,
        secrets: &SecretStore,
        scripts: ScriptSettings,
    ) -> Result<Self, CatalogueError> {
        let scripts = Arc::new(ScriptAdapter::new(scripts));
        let parts = Parts {
            secrets,
            scripts: &scripts,
        };
        let mut inbounds = Vec::new();
        let (mut webhooks, mut broker) = (None, None);
        let adapters = make_all(services, &parts)?
            .into_iter()
            .map(|(name, made)| {
                let Made {
                    adapter, settings, ..
                } = made;
                inbounds.extend(made.inbounds);
                broker = broker.take().or(made.broker);
                webhooks = match (webhooks.take(), made.webhooks) {
                    (Some(one), Some(other)) => Some(axum::Router::merge(one, other)),
                    (one, other) => one.or(other),
                };
                let description = adapter.description();
                (
                    name,
                    Listed {
                        adapter,
                        settings,
                        description,
                    },
                )
            })
            .collect();
        let mut catalogue = Self {
            adapters,
            routes: BTreeMap::new(),
            scripts,
            inbounds,
            webhooks,
            broker,
        };
        catalogue.check_topics()?;
        let own: Vec<String> = catalogue
            .own_topics()
            .map(|(_, topic)| topic.topic.clone())
            .collect();
        for topic in own {
            let route = catalogue.resolve(&topic, &RouteSetting::default())?;
            catalogue.routes.insert(topic, route);
        }
        for (topic, setting) in routes {
            let route = catalogue.resolve(topic, setting)?;
            catalogue.routes.insert(topic.clone(), route);
        }
        Ok(catalogue)
    }

    /// The adapter that runs scripts, for who opens its sandbox when workers start and closes it when they stop.
    #[must_use]
    pub fn scripts(&self) -> &Arc<ScriptAdapter> {
        &self.scripts
    }

    /// Whether a topic leads to a script.
    #[must_use]
    pub fn is_script(&self, topic: &str) -> bool {
        let route = self.routes.get(topic);
        route.is_some_and(|route| route.adapter_name == adapter_script::NAME)
    }

    /// What turns what arrives from services into starts and correlations, to be run while workers run.
    #[must_use]
    pub fn inbounds(&self) -> &[Arc<dyn Inbound>] {
        &self.inbounds
    }

    /// What is to be served under `/webhooks`, without a login before it. It answers 503 until the inbound that belongs
    /// to it runs.
    #[must_use]
    pub fn webhooks(&self) -> Option<axum::Router> {
        self.webhooks.clone()
    }

    /// The adapter to brokers, for who offers tasks and tells events on its connections.
    #[must_use]
    pub fn broker(&self) -> Option<&BrokerAdapter> {
        self.broker.as_deref()
    }

    /// What every adapter says about itself, by name.
    pub fn descriptions(&self) -> impl Iterator<Item = &AdapterDescription> {
        self.adapters.values().map(|listed| &listed.description)
    }

    /// What the adapter of a name says about itself.
    ///
    /// # Errors
    /// Where there is none of that name; it names the nearest.
    pub fn description(&self, name: &str) -> Result<&AdapterDescription, CatalogueError> {
        self.listed("adapter", name)
            .map(|(_, listed)| &listed.description)
    }

    /// The settings of every adapter that has any, as they are in force: with defaults, and masks over secrets.
    #[must_use]
    pub fn services(&self) -> Map<String, Json> {
        let settings = self
            .adapters
            .iter()
            .filter(|(_, listed)| !listed.settings.is_null());
        settings
            .map(|(name, listed)| ((*name).to_owned(), listed.settings.clone()))
            .collect()
    }

    /// All adapters by name.
    pub fn adapters(&self) -> impl Iterator<Item = (&'static str, &Arc<dyn Adapter>)> {
        self.adapters
            .iter()
            .map(|(name, listed)| (*name, &listed.adapter))
    }

    fn own_topics(&self) -> impl Iterator<Item = (&'static str, &TopicDescription)> {
        self.adapters
            .iter()
            .flat_map(|(name, listed)| listed.description.topics.iter().map(move |topic| (*name, topic)))
    }

    /// Whether every topic is one adapter's: programs name theirs themselves.
    fn check_topics(&self) -> Result<(), CatalogueError> {
        let mut owners = BTreeMap::new();
        for (owner, topic) in self.own_topics() {
            if let Some(other) = owners.insert(topic.topic.as_str(), owner) {
                return Err(CatalogueError::new(
                    format!("services.{}", adapter_program::NAME),
                    format!(
                        "the topic `{}` is the adapter {}'s already: give the program's another name",
                        topic.topic,
                        if other == adapter_program::NAME {
                            owner
                        } else {
                            other
                        }
                    ),
                ));
            }
        }
        Ok(())
    }

    fn listed(&self, key: &str, name: &str) -> Result<(&'static str, &Listed), CatalogueError> {
        let found = self.adapters.iter().find(|(known, _)| **known == name);
        found
            .map(|(name, listed)| (*name, listed))
            .ok_or_else(|| CatalogueError::unknown(key, "adapter", name, self.adapters.keys().copied()))
    }

    fn resolve(&self, topic: &str, setting: &RouteSetting) -> Result<Route, CatalogueError> {
        let key = |name: &str| format!("routes.{topic}.{name}");
        let owner = self
            .own_topics()
            .find(|(_, own)| own.topic == topic)
            .map(|(owner, _)| owner);
        let name = setting.adapter.as_deref().or(owner).ok_or_else(|| {
            let known: Vec<&str> = self.adapters.keys().copied().collect();
            CatalogueError::new(
                key("adapter"),
                format!("say which adapter serves it; there are: {}", known.join(", ")),
            )
        })?;
        let (name, listed) = self.listed(&key("adapter"), name)?;
        let operation = operation(topic, setting, name, &listed.description)?;
        check_fixed(setting, operation, &key("with"))?;
        if let Some(cache) = &setting.cache {
            check_cache(cache, operation, &key("cache"))?;
        }
        Ok(Route {
            adapter_name: name.to_owned(),
            adapter: Arc::clone(&listed.adapter),
            operation: operation.topic.clone(),
            sandboxed: operation.sandboxed,
            with: setting.with.clone(),
            timeout: setting.timeout,
            retry: setting.retry.clone(),
            guards: Guards {
                rate: setting.rate,
                breaker: setting.breaker,
                cache: setting.cache.clone(),
            },
        })
    }
}

/// The adapter's own topic that a route means: the one it names, else the routed one, else the only one, else the one that
/// an input fixed by it stands for.
fn operation<'a>(
    topic: &str,
    setting: &RouteSetting,
    name: &str,
    description: &'a AdapterDescription,
) -> Result<&'a TopicDescription, CatalogueError> {
    let key = format!("routes.{topic}.topic");
    let own = || description.topics.iter().map(|own| own.topic.as_str());
    let find = |wanted: &str| description.topics.iter().find(|own| own.topic == wanted);
    match (&setting.topic, find(topic), description.topics.as_slice()) {
        (Some(wanted), ..) => find(wanted).ok_or_else(|| {
            CatalogueError::unknown(key, &format!("topic of the adapter {name} named"), wanted, own())
        }),
        (None, Some(same), _) => Ok(same),
        (None, None, [only]) => Ok(only),
        (None, None, []) => Err(CatalogueError::new(
            format!("routes.{topic}.adapter"),
            format!("the adapter `{name}` brings things in and runs no tasks; choose another"),
        )),
        (None, None, several) => {
            if let Some(chosen) = chosen(topic, setting, several) {
                return chosen;
            }
            let own: Vec<&str> = own().collect();
            Err(CatalogueError::new(
                key,
                format!(
                    "say which topic of the adapter {name} is meant: {}",
                    own.join(", ")
                ),
            ))
        }
    }
}

/// The topic that a fixed input stands for, where there is such an input.
fn chosen<'a>(
    topic: &str,
    setting: &RouteSetting,
    topics: &'a [TopicDescription],
) -> Option<Result<&'a TopicDescription, CatalogueError>> {
    let choices = || {
        topics
            .iter()
            .filter_map(|own| Some((own, own.chosen_by.as_ref()?)))
    };
    let (_, choice) = choices().find(|(_, choice)| setting.with.contains_key(&choice.input))?;
    let (input, given) = (&choice.input, setting.with.get(&choice.input)?);
    let is_meant =
        |(_, one): &(&TopicDescription, &Choice)| one.input == *input && *given == one.value.as_str();
    Some(choices().find(is_meant).map(|(own, _)| own).ok_or_else(|| {
        let given = given.as_str().map_or_else(|| given.to_string(), str::to_owned);
        let known = choices().filter(|(_, one)| one.input == *input);
        let known: Vec<&str> = known.map(|(_, one)| one.value.as_str()).collect();
        CatalogueError::unknown(format!("routes.{topic}.with.{input}"), input, &given, known)
    }))
}

/// Inputs that an operator fixes have to be inputs: a misspelt one would be fixed to no effect. One that stands for another
/// topic contradicts the route.
fn check_fixed(
    setting: &RouteSetting,
    operation: &TopicDescription,
    key: &str,
) -> Result<(), CatalogueError> {
    if let Some(Choice { input, value }) = &operation.chosen_by
        && let Some(given) = setting.with.get(input)
        && *given != value.as_str()
    {
        return Err(CatalogueError::new(
            format!("{key}.{input}"),
            format!(
                "it is {given}, and the topic {} that the route means has the {input} {value}; leave one of the two out",
                operation.topic
            ),
        ));
    }
    let schema = operation.inputs.as_value();
    let takes_others = schema
        .get("additionalProperties")
        .is_some_and(|others| others != &Json::Bool(false));
    let Some(inputs) = schema.get("properties").and_then(Json::as_object) else {
        return Ok(());
    };
    match setting
        .with
        .keys()
        .find(|name| !takes_others && !inputs.contains_key(*name))
    {
        None => Ok(()),
        Some(unknown) => Err(CatalogueError::unknown(
            format!("{key}.{unknown}"),
            &format!("input of {} named", operation.topic),
            unknown,
            inputs.keys().map(String::as_str),
        )),
    }
}

/// What a cache goes by has to be inputs: by a misspelt one all tasks would agree.
fn check_cache(cache: &Cache, operation: &TopicDescription, key: &str) -> Result<(), CatalogueError> {
    if cache.by.is_empty() {
        let problem = "say which inputs make the difference; by none all tasks would get the same answer";
        return Err(CatalogueError::new(format!("{key}.by"), problem));
    }
    let Some(inputs) = operation
        .inputs
        .as_value()
        .get("properties")
        .and_then(Json::as_object)
    else {
        return Ok(());
    };
    match cache.by.iter().find(|name| !inputs.contains_key(*name)) {
        None => Ok(()),
        Some(unknown) => Err(CatalogueError::unknown(
            format!("{key}.by"),
            &format!("input of {} named", operation.topic),
            unknown,
            inputs.keys().map(String::as_str),
        )),
    }
}

impl Router for Catalogue {
    fn topics(&self) -> Vec<String> {
        self.routes.keys().cloned().collect()
    }

    fn route(&self, topic: &str) -> Option<&Route> {
        self.routes.get(topic)
    }
}

#[cfg(test)]
mod tests;
