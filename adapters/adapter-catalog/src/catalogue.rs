//! Adapters by name and routes by topic.

use std::collections::BTreeMap;
use std::sync::Arc;

use secrets::SecretStore;
use serde_json::{Map, Value as Json};
use worker_api::{Adapter, AdapterDescription, Route, Router, TopicDescription};

use crate::registry::{Made, make_all};
use crate::{CatalogueError, RouteSetting};

/// Every adapter, and which topic leads to which.
pub struct Catalogue {
    adapters: BTreeMap<&'static str, Listed>,
    routes: BTreeMap<String, Route>,
}

struct Listed {
    adapter: Arc<dyn Adapter>,
    settings: Json,
    description: AdapterDescription,
}

impl Catalogue {
    /// The catalogue for a configuration. `services` has a section of settings for each adapter that needs any;
    /// `routes` gives topics to adapters, beside those that are an adapter's own and need no route.
    ///
    /// # Errors
    /// The first setting or route that cannot be used, with its place in the configuration. Secrets are not read
    /// here: see [`Self::health`].
    pub fn build(
        services: &Map<String, Json>,
        routes: &BTreeMap<String, RouteSetting>,
        secrets: &SecretStore,
    ) -> Result<Self, CatalogueError> {
        let adapters = make_all(services, secrets)?
            .into_iter()
            .map(|(name, Made { adapter, settings })| {
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
        };
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

    /// Whether each adapter can do its work now, by name; an error says what is wrong and what to do.
    pub async fn health(&self) -> BTreeMap<String, Result<(), String>> {
        let mut health = BTreeMap::new();
        for (name, listed) in &self.adapters {
            health.insert((*name).to_owned(), listed.adapter.health().await);
        }
        health
    }

    fn own_topics(&self) -> impl Iterator<Item = (&'static str, &TopicDescription)> {
        self.adapters
            .iter()
            .flat_map(|(name, listed)| listed.description.topics.iter().map(move |topic| (*name, topic)))
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
        Ok(Route {
            adapter_name: name.to_owned(),
            adapter: Arc::clone(&listed.adapter),
            operation: operation.topic.clone(),
            with: setting.with.clone(),
            timeout: setting.timeout,
            retry: setting.retry.clone(),
        })
    }
}

/// The adapter's own topic that a route means: the one it names, else the routed one, else the only one.
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
        (None, None, _) => {
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

/// Inputs that an operator fixes have to be inputs: a misspelt one would be fixed to no effect.
fn check_fixed(
    setting: &RouteSetting,
    operation: &TopicDescription,
    key: &str,
) -> Result<(), CatalogueError> {
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

impl Router for Catalogue {
    fn topics(&self) -> Vec<String> {
        self.routes.keys().cloned().collect()
    }

    fn route(&self, topic: &str) -> Option<&Route> {
        self.routes.get(topic)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
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
            ["http_request", "input_validation", "response_formatting"]
        );
        for topic in catalogue.topics() {
            assert_eq!(catalogue.route(&topic).unwrap().operation, topic);
        }
        assert!(catalogue.route("python_script").is_none());
        let unique: BTreeSet<_> = catalogue.own_topics().map(|(_, topic)| &topic.topic).collect();
        assert_eq!(unique.len(), catalogue.own_topics().count());
        assert!(
            catalogue
                .descriptions()
                .all(|own| catalogue.adapters.contains_key(own.name.as_str()))
        );
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
                ["`htp`", "did you mean `http`", "core, http"],
            ),
            (
                json!({"a": {"adapter": "mainframe"}}),
                "routes.a.adapter",
                ["`mainframe`", "there are", "core, http"],
            ),
            (
                json!({"a": {"timeout": "1s"}}),
                "routes.a.adapter",
                ["which adapter", "core", "http"],
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
        let health = build(json!({ "http": http }), json!({})).unwrap().health().await;
        assert_eq!(health["core"], Ok(()));
        assert!(health["http"].as_ref().unwrap_err().contains("none"));
    }
}
