//! Deployments: files brought to the engine together.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use reqwest::multipart::{Form, Part};
use serde::{Deserialize, Serialize};

use crate::{Download, EngineClient, EngineError, ProcessDefinition, date};

/// How long a deployment may take: the engine parses every model in it.
const DEPLOY_TIMEOUT: Duration = Duration::from_secs(300);

/// One file of a deployment.
#[derive(Clone, Debug)]
pub struct Resource {
    /// Its name: the engine tells by the suffix what it is, and by the name whether it has changed.
    pub name: String,
    /// Its content.
    pub content: Bytes,
}

/// A deployment to be made.
#[derive(Clone, Debug)]
pub struct DeploymentRequest<'a> {
    /// The deployment's name: duplicates are found among deployments of the same name.
    pub name: &'a str,
    /// Where it comes from.
    pub source: &'a str,
    /// The tenant it belongs to.
    pub tenant_id: Option<&'a str>,
    /// The files.
    pub resources: Vec<Resource>,
    /// Whether unchanged files are left out. Where not, one changed file brings all of them anew, as models need
    /// that refer to others of their own deployment.
    pub changed_only: bool,
}

/// A deployment in the engine.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deployment {
    /// Its id.
    pub id: String,
    /// Its name.
    #[serde(default)]
    pub name: Option<String>,
    /// Where it came from.
    #[serde(default)]
    pub source: Option<String>,
    /// When it was made.
    #[serde(default, deserialize_with = "date::optional::deserialize")]
    pub deployment_time: Option<Timestamp>,
    /// Its tenant.
    #[serde(default)]
    pub tenant_id: Option<String>,
}

/// The record of a deployment that was made.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentMade {
    /// The deployment's id.
    #[serde(default)]
    pub deployment_id: Option<String>,
    /// Who made it.
    #[serde(default)]
    pub user_id: Option<String>,
    /// When.
    #[serde(default, deserialize_with = "date::optional::deserialize")]
    pub timestamp: Option<Timestamp>,
}

/// Which deployments are meant: all that match every field that is set.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentQuery<'a> {
    /// Of this name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'a str>,
    /// From this source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<&'a str>,
    /// Made after this moment, itself not included.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "date::optional::serialize"
    )]
    pub after: Option<Timestamp>,
    /// Of this tenant.
    #[serde(rename = "tenantIdIn", skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<&'a str>,
    /// How many of them are passed over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_result: Option<usize>,
    /// How many are answered at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_results: Option<usize>,
}

/// A file in a deployment.
#[derive(Clone, Debug, Deserialize)]
pub struct DeployedResource {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// What a deployment brought. Where nothing had changed it is an earlier deployment, without new definitions.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deployed {
    /// The deployment's id.
    pub id: String,
    /// The process definitions that are new, by id.
    #[serde(default, deserialize_with = "or_default")]
    pub deployed_process_definitions: BTreeMap<String, ProcessDefinition>,
}

fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl EngineClient {
    /// Deploys files in one transaction: all of them or none. May be repeated: where all files are the same as in
    /// the last deployment of that name, nothing new is made.
    ///
    /// # Errors
    /// [`EngineError::ModelsRefused`] where the engine refuses a model; `is_internal` where a file that should be one
    /// is no XML at all.
    pub async fn deploy(&self, request: &DeploymentRequest<'_>) -> Result<Deployed, EngineError> {
        let mut form = Form::new()
            .text("deployment-name", request.name.to_owned())
            .text("deployment-source", request.source.to_owned())
            .text("enable-duplicate-filtering", "true")
            .text("deploy-changed-only", request.changed_only.to_string());
        if let Some(tenant) = request.tenant_id {
            form = form.text("tenant-id", tenant.to_owned());
        }
        for resource in &request.resources {
            let part = Part::stream(resource.content.clone()).file_name(resource.name.clone());
            form = form.part(resource.name.clone(), part);
        }
        self.post(&["deployment", "create"])
            .timeout(DEPLOY_TIMEOUT)
            .form(form)
            .await
            .read()
            .await
    }

    /// The deployments that match, newest first. May be repeated.
    ///
    /// # Errors
    /// As every call: see [`EngineError`].
    pub async fn deployments(&self, query: &DeploymentQuery<'_>) -> Result<Vec<Deployment>, EngineError> {
        self.get(&["deployment"])
            .query(&[("sortBy", "deploymentTime"), ("sortOrder", "desc")])
            .query(query)
            .read()
            .await
    }

    /// A deployment. May be repeated.
    ///
    /// # Errors
    /// `is_not_found` where there is none of this id.
    pub async fn deployment(&self, id: &str) -> Result<Deployment, EngineError> {
        self.get(&["deployment", id]).read().await
    }

    /// Who made deployments after a moment, also such as have been deleted since. Empty where the engine keeps no such
    /// record, where the login may not read it, and of what was made without a login. May be repeated.
    ///
    /// # Errors
    /// As every call: see [`EngineError`].
    pub async fn deployments_made(
        &self,
        after: Option<Timestamp>,
    ) -> Result<Vec<DeploymentMade>, EngineError> {
        let mut query = vec![
            ("entityType", "Deployment".to_owned()),
            ("operationType", "Create".to_owned()),
            ("sortBy", "timestamp".to_owned()),
            ("sortOrder", "asc".to_owned()),
        ];
        query.extend(after.map(|after| ("afterTimestamp", date::format(after))));
        let call = self.get(&["history", "user-operation"]).query(&query);
        match call.read().await {
            Err(error) if error.is_forbidden() => Ok(Vec::new()),
            answer => answer,
        }
    }

    /// The files of a deployment. May be repeated.
    ///
    /// # Errors
    /// `is_not_found` where there is no such deployment.
    pub async fn deployment_resources(&self, id: &str) -> Result<Vec<DeployedResource>, EngineError> {
        self.get(&["deployment", id, "resources"]).read().await
    }

    /// The content of a file of a deployment, bit by bit: at most `limit` bytes. May be repeated.
    ///
    /// # Errors
    /// `is_internal` where there is no such file (the engines have no 404 for it), [`EngineError::TooLarge`] where it
    /// has more bytes.
    pub async fn deployment_resource(
        &self,
        deployment_id: &str,
        resource_id: &str,
        limit: u64,
    ) -> Result<Download, EngineError> {
        let path = ["deployment", deployment_id, "resources", resource_id, "data"];
        self.get(&path).download(limit).await
    }

    /// Takes a deployment out of the engine with its instances and their history. May be repeated.
    ///
    /// # Errors
    /// `is_not_found` where there is no such deployment.
    pub async fn delete_deployment(&self, id: &str) -> Result<(), EngineError> {
        self.delete(&["deployment", id])
            .query(&[("cascade", "true")])
            .done()
            .await
    }
}
