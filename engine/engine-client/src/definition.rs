//! Process definitions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::count::Count;
use crate::{DefinitionRef, EngineClient, EngineError};

/// A version of a process definition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProcessDefinition {
    /// Its id.
    pub id: String,
    /// Its key: the process's id in the model.
    pub key: String,
    /// Its name.
    #[serde(default)]
    pub name: Option<String>,
    /// Its version, from 1.
    pub version: u32,
    /// The tag that the model gives this version.
    #[serde(default)]
    pub version_tag: Option<String>,
    /// The file it came from.
    #[serde(default)]
    pub resource: Option<String>,
    /// The deployment it came with.
    #[serde(default)]
    pub deployment_id: Option<String>,
    /// Its tenant.
    #[serde(default)]
    pub tenant_id: Option<String>,
    /// Whether it is suspended: no instance of it can be started.
    #[serde(default)]
    pub suspended: bool,
    /// For how many days the engine keeps what an instance of it leaves in the history, once that has ended; none where
    /// for ever.
    #[serde(default)]
    pub history_time_to_live: Option<u32>,
}

/// Which definitions are meant: all that match every field that is set.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DefinitionQuery<'a> {
    /// Of this key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<&'a str>,
    /// Of this version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// With this version tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version_tag: Option<&'a str>,
    /// Only the latest version of each key and tenant.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub latest_version: bool,
    /// That came with this deployment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment_id: Option<&'a str>,
    /// Of this tenant.
    #[serde(rename = "tenantIdIn", skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<&'a str>,
    /// Of no tenant.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub without_tenant_id: bool,
    /// Only such as are suspended.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub suspended: bool,
    /// How many of them are passed over, by key (those of one key have no order of their own); for lists alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_result: Option<usize>,
    /// How many are answered at most; for lists alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_results: Option<usize>,
}

/// How much stands at a definition or a step.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Statistics {
    /// The definition's or the element's id.
    pub id: String,
    /// How many instances run, or stand at the step.
    pub instances: u64,
    /// How many of their jobs have no attempts left.
    #[serde(default)]
    pub failed_jobs: u64,
    /// The open incidents by kind.
    #[serde(default)]
    incidents: Vec<IncidentCount>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct IncidentCount {
    incident_type: String,
    incident_count: u64,
}

impl Statistics {
    /// How many incidents of each kind are open.
    #[must_use]
    pub fn incidents(&self) -> BTreeMap<&str, u64> {
        self.incidents
            .iter()
            .map(|count| (count.incident_type.as_str(), count.incident_count))
            .collect()
    }
}

/// How many definitions are asked for at a time.
const PAGE: usize = 500;

const COUNTS: &[(&str, &str)] = &[("failedJobs", "true"), ("incidents", "true")];

impl EngineClient {
    /// The latest version of every process definition, of one key where one is given. May be repeated.
    ///
    /// # Errors
    /// As every call: see [`EngineError`].
    pub async fn latest_definitions(&self, key: Option<&str>) -> Result<Vec<ProcessDefinition>, EngineError> {
        let query = DefinitionQuery {
            key,
            latest_version: true,
            ..DefinitionQuery::default()
        };
        self.find_definitions(&query).await
    }

    /// The definitions that match, by key. May be repeated.
    ///
    /// # Errors
    /// As every call: see [`EngineError`].
    pub async fn find_definitions(
        &self,
        query: &DefinitionQuery<'_>,
    ) -> Result<Vec<ProcessDefinition>, EngineError> {
        self.get(&["process-definition"])
            .query(&[("sortBy", "key"), ("sortOrder", "asc")])
            .query(query)
            .read()
            .await
    }

    /// Every version of every definition, asked for page by page in an order that stays while others are deployed. May
    /// be repeated.
    ///
    /// # Errors
    /// As every call: see [`EngineError`].
    pub async fn all_definitions(&self) -> Result<Vec<ProcessDefinition>, EngineError> {
        let mut all = Vec::new();
        loop {
            let (first, most) = (all.len().to_string(), PAGE.to_string());
            let page: Vec<ProcessDefinition> = self
                .get(&["process-definition"])
                .query(&[("sortBy", "id"), ("sortOrder", "asc")])
                .query(&[("firstResult", &first), ("maxResults", &most)])
                .read()
                .await?;
            let is_last = page.len() < PAGE;
            all.extend(page);
            if is_last {
                return Ok(all);
            }
        }
    }

    /// How many definitions match. May be repeated.
    ///
    /// # Errors
    /// As every call: see [`EngineError`].
    pub async fn count_definitions(&self, query: &DefinitionQuery<'_>) -> Result<u64, EngineError> {
        Count::of(self.get(&["process-definition", "count"]).query(query)).await
    }

    /// One version of a definition. May be repeated.
    ///
    /// # Errors
    /// `is_not_found` where there is none of this id.
    pub async fn definition(&self, id: &str) -> Result<ProcessDefinition, EngineError> {
        self.get(&["process-definition", id]).read().await
    }

    /// The latest version of a key, of a tenant's where one is given. May be repeated.
    ///
    /// # Errors
    /// `is_not_found` where there is none.
    pub async fn definition_by_key(
        &self,
        key: &str,
        tenant_id: Option<&str>,
    ) -> Result<ProcessDefinition, EngineError> {
        match tenant_id {
            None => self.get(&["process-definition", "key", key]).read().await,
            Some(tenant) => {
                let path = ["process-definition", "key", key, "tenant-id", tenant];
                self.get(&path).read().await
            }
        }
    }

    /// The BPMN source of a definition. It never changes for an id. May be repeated.
    ///
    /// # Errors
    /// `is_not_found` where there is none of this id.
    pub async fn definition_xml(&self, id: &str) -> Result<String, EngineError> {
        self.xml_of(DefinitionRef::Id(id)).await
    }

    /// The BPMN source of a definition. May be repeated.
    ///
    /// # Errors
    /// `is_not_found` where there is no such definition.
    pub async fn xml_of(&self, definition: DefinitionRef<'_>) -> Result<String, EngineError> {
        #[derive(Deserialize)]
        struct Source {
            #[serde(rename = "bpmn20Xml")]
            xml: String,
        }
        Ok(self.get(&definition.path("xml")).read::<Source>().await?.xml)
    }

    /// Suspends a definition, so that no instance of it can be started, or lets it go on; its running instances with
    /// it where asked for. May be repeated.
    ///
    /// # Errors
    /// `is_not_found` where no definition has the key. Of an id that is not there engines answer with `is_internal`
    /// (Camunda with authorization) or as if all was well (Operaton).
    pub async fn suspend_definition(
        &self,
        definition: DefinitionRef<'_>,
        suspended: bool,
        include_instances: bool,
    ) -> Result<(), EngineError> {
        let body =
            serde_json::json!({ "suspended": suspended, "includeProcessInstances": include_instances });
        self.put(&definition.path("suspended")).json(&body).done().await
    }

    /// How many instances run of each version of each definition, and how many troubles they have. May be repeated.
    ///
    /// # Errors
    /// As every call: see [`EngineError`].
    pub async fn statistics(&self) -> Result<Vec<Statistics>, EngineError> {
        let call = self.get(&["process-definition", "statistics"]);
        call.query(COUNTS).read().await
    }

    /// How many instances of a definition stand at each of its steps, and how many troubles they have; steps where
    /// none stands are left out. May be repeated.
    ///
    /// # Errors
    /// `is_not_found` where no definition has the key. Of an id that is not there engines answer with `is_internal`
    /// (Camunda with authorization) or with nothing (Operaton).
    pub async fn activity_statistics(
        &self,
        definition: DefinitionRef<'_>,
    ) -> Result<Vec<Statistics>, EngineError> {
        let call = self.get(&definition.path("statistics"));
        call.query(COUNTS).read().await
    }
}
