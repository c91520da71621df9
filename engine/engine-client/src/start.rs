//! Starting instances.

use serde::{Deserialize, Serialize};

use crate::{Encoded, EngineClient, EngineError, ProcessInstance, Variables, encode};

/// Which definition is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefinitionRef<'a> {
    /// The latest version of a key that belongs to no tenant.
    Key(&'a str),
    /// The latest version of a tenant's key.
    TenantKey {
        /// The key.
        key: &'a str,
        /// The tenant's id.
        tenant_id: &'a str,
    },
    /// The version of this id.
    Id(&'a str),
}

impl<'a> DefinitionRef<'a> {
    /// The latest version of a key, of a tenant's where one is given.
    #[must_use]
    pub fn latest(key: &'a str, tenant_id: Option<&'a str>) -> Self {
        match tenant_id {
            None => Self::Key(key),
            Some(tenant_id) => Self::TenantKey { key, tenant_id },
        }
    }

    pub(crate) fn path<'b>(self, last: &'b str) -> Vec<&'b str>
    where
        'a: 'b,
    {
        let mut path = vec!["process-definition"];
        match self {
            Self::Key(key) => path.extend(["key", key]),
            Self::TenantKey { key, tenant_id } => path.extend(["key", key, "tenant-id", tenant_id]),
            Self::Id(id) => path.push(id),
        }
        path.push(last);
        path
    }
}

/// How an instance is to start.
#[derive(Clone, Debug, Default)]
pub struct StartRequest<'a> {
    /// What it is called in the business.
    pub business_key: Option<&'a str>,
    /// Its first variables.
    pub variables: Variables,
    /// Where it begins; at its start event where there is none.
    pub instructions: Vec<StartInstruction<'a>>,
    /// Whether listeners of the first steps are left out; only with instructions.
    pub skip_custom_listeners: bool,
    /// Whether input and output parameters of the first steps are left out; only with instructions.
    pub skip_io_mappings: bool,
}

/// Where an instance begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum StartInstruction<'a> {
    /// At a step.
    #[serde(rename = "startBeforeActivity")]
    Before {
        /// The element's id.
        activity_id: &'a str,
    },
    /// Behind a step that has one way out.
    #[serde(rename = "startAfterActivity")]
    After {
        /// The element's id.
        activity_id: &'a str,
    },
    /// On a sequence flow.
    #[serde(rename = "startTransition")]
    Transition {
        /// The flow's id.
        transition_id: &'a str,
    },
}

/// An instance that was started, and its variables when the engine answered.
#[derive(Clone, Debug, Deserialize)]
pub struct StartedInstance {
    /// The instance; it may have ended already.
    #[serde(flatten)]
    pub instance: ProcessInstance,
    /// Its process variables: those it was given, and what the steps up to its first wait left there.
    #[serde(default)]
    pub variables: Variables,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StartBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    business_key: Option<&'a str>,
    variables: Encoded<'a>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    start_instructions: &'a [StartInstruction<'a>],
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    skip_custom_listeners: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    skip_io_mappings: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    with_variables_in_return: bool,
}

impl EngineClient {
    /// Starts an instance of the latest version of a definition. Not to be repeated blindly: an answer that got
    /// lost may belong to an instance that has started.
    ///
    /// # Errors
    /// `is_not_found` where no definition has the key, `is_internal` where it is suspended.
    pub async fn start_instance(
        &self,
        key: &str,
        tenant_id: Option<&str>,
        business_key: Option<&str>,
        variables: &Variables,
    ) -> Result<ProcessInstance, EngineError> {
        let body = StartBody {
            business_key,
            variables: encode(variables)?,
            start_instructions: &[],
            skip_custom_listeners: false,
            skip_io_mappings: false,
            with_variables_in_return: false,
        };
        let definition = DefinitionRef::latest(key, tenant_id);
        self.post(&definition.path("start")).json(&body).read().await
    }

    /// Starts an instance as asked, and answers with its variables. Not to be repeated blindly: an answer that got
    /// lost may belong to an instance that has started.
    ///
    /// # Errors
    /// `is_not_found` where no definition has the key. `is_internal` where none has the id, where it is suspended, and
    /// where an instruction cannot be carried out; nothing has started then.
    pub async fn start(
        &self,
        definition: DefinitionRef<'_>,
        request: &StartRequest<'_>,
    ) -> Result<StartedInstance, EngineError> {
        let body = StartBody {
            business_key: request.business_key,
            variables: encode(&request.variables)?,
            start_instructions: &request.instructions,
            skip_custom_listeners: request.skip_custom_listeners,
            skip_io_mappings: request.skip_io_mappings,
            with_variables_in_return: true,
        };
        self.post(&definition.path("start")).json(&body).read().await
    }
}
