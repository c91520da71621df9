//! Tenants.

use serde::{Deserialize, Serialize};

use crate::{EngineClient, EngineError};

/// A tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    /// Its id: letters and digits alone, unless the engine is set up for more (`tenantResourceWhitelistPattern`).
    pub id: String,
    /// What people call it.
    #[serde(default)]
    pub name: Option<String>,
}

impl EngineClient {
    /// The tenants that the engine has been told of and the login may see, by id. A deployment may belong to one that
    /// it was not told of. May be repeated.
    ///
    /// # Errors
    /// As every call: see [`EngineError`].
    pub async fn tenants(&self) -> Result<Vec<Tenant>, EngineError> {
        let query = [("sortBy", "id"), ("sortOrder", "asc")];
        self.get(&["tenant"]).query(&query).read().await
    }

    /// Tells the engine of a tenant. Not to be repeated blindly: the second time it is there already.
    ///
    /// # Errors
    /// `is_internal` where the id has characters that the engine does not allow, or is there already (Camunda; Operaton
    /// says `is_bad_request` then). `is_forbidden` where the login may not make any.
    pub async fn create_tenant(&self, tenant: &Tenant) -> Result<(), EngineError> {
        self.post(&["tenant", "create"]).json(tenant).done().await
    }

    /// Makes the engine forget a tenant; its deployments and instances stay. May be repeated: one that is not there is
    /// no error.
    ///
    /// # Errors
    /// As every call: see [`EngineError`].
    pub async fn delete_tenant(&self, id: &str) -> Result<(), EngineError> {
        self.delete(&["tenant", id]).done().await
    }
}
