//! The adapters, each made from its section of `services`.

use std::collections::BTreeMap;
use std::sync::Arc;

use adapter_ai::{AiAdapter, ProviderSettings};
use adapter_broker::BrokerAdapter;
use adapter_core::CoreAdapter;
use adapter_email::EmailAdapter;
use adapter_file::{FileAdapter, FolderSettings};
use adapter_http::{ConnectionSettings, HttpAdapter};
use adapter_program::{ProgramAdapter, ProgramSettings};
use adapter_script::ScriptAdapter;
use adapter_slack::SlackAdapter;
use adapter_sql::SqlAdapter;
use adapter_webhook::WebhookAdapter;
use secrets::SecretStore;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};
use worker_api::{Adapter, Inbound};

use crate::CatalogueError;

/// Makes an adapter out of its section of `services`, null where there is none.
type Make = fn(&Json, &Parts) -> Result<Made, CatalogueError>;

/// What adapters are made of beside their section.
pub(crate) struct Parts<'a> {
    /// Where `secret:NAME` leads.
    pub(crate) secrets: &'a SecretStore,
    /// The one that runs scripts: its settings are the section `sandbox`, and who has it opens and closes the sandbox.
    pub(crate) scripts: &'a Arc<ScriptAdapter>,
}

/// An adapter with its settings as they are in force, and what brings things in from the services it speaks to.
pub(crate) struct Made {
    pub(crate) adapter: Arc<dyn Adapter>,
    pub(crate) settings: Json,
    /// What turns what arrives into starts and correlations, while workers run.
    pub(crate) inbounds: Vec<Arc<dyn Inbound>>,
    /// What is served under `/webhooks` of procos's own port, to whoever can show that he may: no login stands before it.
    pub(crate) webhooks: Option<axum::Router>,
    /// The adapter once more, where it is the one to the broker.
    pub(crate) broker: Option<Arc<BrokerAdapter>>,
}

impl Made {
    /// An adapter that brings nothing in.
    fn new(adapter: Arc<dyn Adapter>, settings: Json) -> Self {
        Self {
            adapter,
            settings,
            inbounds: Vec::new(),
            webhooks: None,
            broker: None,
        }
    }
}

/// Every adapter: the name of its section, and how it is made.
const ADAPTERS: &[(&str, Make)] = &[
    (adapter_ai::NAME, ai),
    (adapter_broker::NAME, broker),
    (adapter_core::NAME, core),
    (adapter_email::NAME, email),
    (adapter_file::NAME, file),
    (adapter_http::NAME, http),
    (adapter_program::NAME, program),
    (adapter_script::NAME, script),
    (adapter_slack::NAME, slack),
    (adapter_sql::NAME, sql),
    (adapter_webhook::NAME, webhook),
];

/// All adapters by name.
pub(crate) fn make_all(
    services: &Map<String, Json>,
    parts: &Parts,
) -> Result<BTreeMap<&'static str, Made>, CatalogueError> {
    let names = || ADAPTERS.iter().map(|(name, _)| *name);
    if let Some(unknown) = services
        .keys()
        .find(|key| !names().any(|name| name == key.as_str()))
    {
        return Err(CatalogueError::unknown(
            format!("services.{unknown}"),
            "adapter",
            unknown,
            names(),
        ));
    }
    ADAPTERS
        .iter()
        .map(|(name, make)| Ok((*name, make(services.get(*name).unwrap_or(&Json::Null), parts)?)))
        .collect()
}

fn ai(section: &Json, parts: &Parts) -> Result<Made, CatalogueError> {
    let providers: BTreeMap<String, ProviderSettings> = read(adapter_ai::NAME, section)?;
    let adapter = AiAdapter::new(providers, parts.secrets.clone())
        .map_err(|error| CatalogueError::new(format!("services.ai.{}", error.key), error.problem))?;
    let settings = in_force(adapter_ai::NAME, &adapter.providers().collect())?;
    Ok(Made::new(Arc::new(adapter), settings))
}

fn broker(section: &Json, parts: &Parts) -> Result<Made, CatalogueError> {
    let connections: BTreeMap<String, adapter_broker::ConnectionSettings> =
        read(adapter_broker::NAME, section)?;
    let adapter = BrokerAdapter::new(connections, parts.secrets.clone())
        .map_err(|error| CatalogueError::new(format!("services.broker.{}", error.key), error.problem))?;
    let settings = in_force(adapter_broker::NAME, &adapter.connections().collect())?;
    let adapter = Arc::new(adapter);
    Ok(Made {
        inbounds: adapter.inbounds(),
        broker: Some(Arc::clone(&adapter)),
        ..Made::new(adapter, settings)
    })
}

fn core(section: &Json, _: &Parts) -> Result<Made, CatalogueError> {
    let _: BTreeMap<String, Nothing> = read(adapter_core::NAME, section)?;
    Ok(Made::new(Arc::new(CoreAdapter::new()), Json::Null))
}

fn email(section: &Json, parts: &Parts) -> Result<Made, CatalogueError> {
    let connections: BTreeMap<String, adapter_email::ConnectionSettings> =
        read(adapter_email::NAME, section)?;
    let adapter = EmailAdapter::new(connections, parts.secrets.clone())
        .map_err(|error| CatalogueError::new(format!("services.email.{}", error.key), error.problem))?;
    let settings = in_force(adapter_email::NAME, &adapter.connections().collect())?;
    Ok(Made {
        inbounds: adapter.inbounds(),
        ..Made::new(Arc::new(adapter), settings)
    })
}

fn file(section: &Json, _: &Parts) -> Result<Made, CatalogueError> {
    let folders: BTreeMap<String, FolderSettings> = read(adapter_file::NAME, section)?;
    let adapter = FileAdapter::new(folders)
        .map_err(|error| CatalogueError::new(format!("services.file.{}", error.key), error.problem))?;
    let settings = in_force(adapter_file::NAME, &adapter.folders().collect())?;
    Ok(Made::new(Arc::new(adapter), settings))
}

fn http(section: &Json, parts: &Parts) -> Result<Made, CatalogueError> {
    let connections: BTreeMap<String, ConnectionSettings> = read(adapter_http::NAME, section)?;
    let adapter = HttpAdapter::new(connections, parts.secrets.clone())
        .map_err(|error| CatalogueError::new(format!("services.http.{}", error.key), error.problem))?;
    let settings = in_force(adapter_http::NAME, &adapter.connections().collect())?;
    Ok(Made::new(Arc::new(adapter), settings))
}

fn program(section: &Json, parts: &Parts) -> Result<Made, CatalogueError> {
    let programs: BTreeMap<String, ProgramSettings> = read(adapter_program::NAME, section)?;
    let adapter = ProgramAdapter::new(programs, Arc::<ScriptAdapter>::clone(parts.scripts))
        .map_err(|error| CatalogueError::new(format!("services.program.{}", error.key), error.problem))?;
    let settings = in_force(adapter_program::NAME, adapter.settings())?;
    Ok(Made::new(Arc::new(adapter), settings))
}

fn script(section: &Json, parts: &Parts) -> Result<Made, CatalogueError> {
    if !section.is_null() {
        let problem = "scripts connect to nothing; how they are run stands under `sandbox`";
        return Err(CatalogueError::new(
            format!("services.{}", adapter_script::NAME),
            problem,
        ));
    }
    Ok(Made::new(Arc::<ScriptAdapter>::clone(parts.scripts), Json::Null))
}

fn slack(section: &Json, parts: &Parts) -> Result<Made, CatalogueError> {
    let connections: BTreeMap<String, adapter_slack::ConnectionSettings> =
        read(adapter_slack::NAME, section)?;
    let adapter = SlackAdapter::new(connections, parts.secrets.clone())
        .map_err(|error| CatalogueError::new(format!("services.slack.{}", error.key), error.problem))?;
    let settings = in_force(adapter_slack::NAME, &adapter.connections().collect())?;
    Ok(Made::new(Arc::new(adapter), settings))
}

fn sql(section: &Json, parts: &Parts) -> Result<Made, CatalogueError> {
    let connections: BTreeMap<String, adapter_sql::ConnectionSettings> = read(adapter_sql::NAME, section)?;
    let adapter = SqlAdapter::new(connections, parts.secrets.clone())
        .map_err(|error| CatalogueError::new(format!("services.sql.{}", error.key), error.problem))?;
    let settings = in_force(adapter_sql::NAME, &adapter.connections().collect())?;
    Ok(Made::new(Arc::new(adapter), settings))
}

fn webhook(section: &Json, parts: &Parts) -> Result<Made, CatalogueError> {
    let hooks: BTreeMap<String, adapter_webhook::HookSettings> = read(adapter_webhook::NAME, section)?;
    let adapter = WebhookAdapter::new(hooks, parts.secrets.clone())
        .map_err(|error| CatalogueError::new(format!("services.webhook.{}", error.key), error.problem))?;
    let settings = in_force(adapter_webhook::NAME, adapter.hooks())?;
    Ok(Made {
        inbounds: adapter.inbound().into_iter().collect(),
        webhooks: adapter.routes(),
        ..Made::new(Arc::new(adapter), settings)
    })
}

/// Settings as they are in force, null where nothing is configured.
fn in_force<K: Ord + serde::Serialize, T: serde::Serialize>(
    name: &str,
    connections: &BTreeMap<K, T>,
) -> Result<Json, CatalogueError> {
    if connections.is_empty() {
        return Ok(Json::Null);
    }
    serde_json::to_value(connections)
        .map_err(|error| CatalogueError::new(format!("services.{name}"), error.to_string()))
}

/// The section of an adapter that has no settings.
struct Nothing;

impl<'de> serde::Deserialize<'de> for Nothing {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(serde::de::Error::custom(
            "this adapter has no settings; take the section out",
        ))
    }
}

/// A section as an adapter's own type; no section is an empty one.
fn read<T: DeserializeOwned>(name: &str, section: &Json) -> Result<T, CatalogueError> {
    let empty = Json::Object(Map::new());
    let section = if section.is_null() { &empty } else { section };
    serde_path_to_error::deserialize(section).map_err(|error| {
        let key = match error.path().to_string() {
            path if path == "." => format!("services.{name}"),
            path => format!("services.{name}.{path}"),
        };
        // What stands there in the wrong form may be a password all the same.
        let is_secret = key.split('.').any(|part| {
            matches!(
                part,
                "api_key" | "auth" | "headers" | "password" | "signature" | "token" | "webhook_url"
            )
        });
        CatalogueError::new(key, said(&error.inner().to_string(), is_secret))
    })
}

/// What serde says, for people: with the nearest of the names that it lists, and without its own words for types. What was
/// found is not repeated where it `is_secret`.
fn said(message: &str, is_secret: bool) -> String {
    if let Some((name, known)) = message
        .strip_prefix("unknown field `")
        .or_else(|| message.strip_prefix("unknown variant `"))
        .and_then(|rest| rest.split_once("`, expected "))
    {
        let known: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
        let problem = CatalogueError::unknown("", "setting", name, known).problem;
        return if is_secret {
            problem.replacen(&format!(" `{name}`"), " of that name", 1)
        } else {
            problem
        };
    }
    if message.starts_with("relative URL without a base") {
        return format!("{message}; write a whole address such as https://api.example.com/v1");
    }
    let Some((found, expected)) = message.split_once(", expected ") else {
        return message.to_owned();
    };
    // Where text is expected it may be a password of digits alone.
    let found = if is_secret || expected == "a string" {
        found.split(['`', '"']).next().unwrap_or_default().trim_end()
    } else {
        found
    };
    let remedy = match expected {
        "a string" => "write text, in quotes",
        "a map" | "string or map" => "write a section of keys",
        _ if expected.starts_with("struct ") => "write a section of keys",
        _ => return format!("{found}, expected {expected}"),
    };
    format!("{found}; {remedy}")
}
