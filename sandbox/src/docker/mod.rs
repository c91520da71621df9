use crate::{SandboxError, Settings, cell::*};
pub(crate) struct DockerBackend;
impl DockerBackend { pub(crate) async fn connect(_: &Settings) -> Result<Self, SandboxError> { Err(SandboxError::Refused("docker: not yet".into())) } }
#[async_trait::async_trait]
impl Backend for DockerBackend { fn name(&self) -> &'static str { "docker" } async fn make(&self, _: &Shape) -> Result<Box<dyn Cell>, SandboxError> { Err(SandboxError::Refused("docker: not yet".into())) } }
