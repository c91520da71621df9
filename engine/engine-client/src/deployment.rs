//! Deployments and definitions.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use reqwest::multipart::{Form, Part};
use serde::{Deserialize, Serialize};

use crate::{EngineClient, EngineError};

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
pub struct Deployment {
    /// Its id.
    pub id: String,
    /// Its name.
    #[serde(default)]
    pub name: Option<String>,
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
    /// The file it came from.
    #[serde(default)]
    pub resource: Option<String>,
    /// The deployment it came with.
    #[serde(default)]
    pub deployment_id: Option<String>,
    /// Its tenant.
    #[serde(default)]
    pub tenant_id: Option<String>,
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
    /// `is_bad_request` where the engine refuses a file.
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

    /// The deployments of a name, newest first. May be repeated.
    ///
    /// # Errors
    /// As every call: see [`EngineError`].
    pub async fn deployments(&self, name: &str) -> Result<Vec<Deployment>, EngineError> {
        let query = [
            ("name", name),
            ("sortBy", "deploymentTime"),
            ("sortOrder", "desc"),
        ];
        self.get(&["deployment"]).query(&query).read().await
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

    /// The latest version of every process definition, of one key where one is given. May be repeated.
    ///
    /// # Errors
    /// As every call: see [`EngineError`].
    pub async fn latest_definitions(&self, key: Option<&str>) -> Result<Vec<ProcessDefinition>, EngineError> {
        let mut query = vec![("latestVersion", "true"), ("sortBy", "key"), ("sortOrder", "asc")];
        query.extend(key.map(|key| ("key", key)));
        self.get(&["process-definition"]).query(&query).read().await
    }

    /// One version of a definition. May be repeated.
    ///
    /// # Errors
    /// `is_not_found` where there is none of this id.
    pub async fn definition(&self, id: &str) -> Result<ProcessDefinition, EngineError> {
        self.get(&["process-definition", id]).read().await
    }

    /// The BPMN source of a definition. It never changes for an id. May be repeated.
    ///
    /// # Errors
    /// `is_not_found` where there is none of this id.
    pub async fn definition_xml(&self, id: &str) -> Result<String, EngineError> {
        #[derive(Deserialize)]
        struct Source {
            #[serde(rename = "bpmn20Xml")]
            xml: String,
        }
        Ok(self
            .get(&["process-definition", id, "xml"])
            .read::<Source>()
            .await?
            .xml)
    }
}
