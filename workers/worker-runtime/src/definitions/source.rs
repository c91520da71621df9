//! The bytes of a definition's model, as they were deployed.

use bytes::Bytes;
use engine_client::{EngineClient, EngineError};

/// A model of more bytes is read by nobody.
const LARGEST: u64 = bpmn::MAX_BYTES as u64;

/// What the engine has read. It hands models out as if they were UTF-8, whatever encoding it has read them in: where
/// nothing of that was replaced these are the bytes, else they are fetched from the deployment.
///
/// # Errors
/// Those of the engine. For the deployment the login has to be allowed to read deployments.
pub(super) async fn bytes(engine: &EngineClient, definition_id: &str) -> Result<Bytes, EngineError> {
    let handed_out = engine.definition_xml(definition_id).await?;
    if !handed_out.contains(char::REPLACEMENT_CHARACTER) {
        return Ok(handed_out.into());
    }
    let definition = engine.definition(definition_id).await?;
    let (Some(deployment), Some(resource)) = (definition.deployment_id, definition.resource) else {
        return Ok(handed_out.into());
    };
    let files = engine.deployment_resources(&deployment).await?;
    match files.into_iter().find(|file| file.name == resource) {
        Some(file) => {
            let download = engine.deployment_resource(&deployment, &file.id, LARGEST).await?;
            download.whole().await
        }
        None => Ok(handed_out.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::sync::Arc;

    use engine_client::InProcess;

    use super::*;

    /// An engine with one definition.
    struct Engine {
        model: &'static [u8],
    }

    impl InProcess for Engine {
        fn call(
            &self,
            request: http::Request<Bytes>,
        ) -> Pin<Box<dyn Future<Output = http::Response<Bytes>> + Send>> {
            let json = |value: serde_json::Value| http::Response::new(Bytes::from(value.to_string()));
            let mut response = match request.uri().path().trim_start_matches("/engine-rest") {
                "/process-definition/d/xml" => json(serde_json::json!({
                    "id": "d",
                    "bpmn20Xml": String::from_utf8_lossy(self.model),
                })),
                "/process-definition/d" => json(serde_json::json!({
                    "id": "d", "key": "d", "version": 1, "suspended": false,
                    "deploymentId": "o", "resource": "d.bpmn",
                })),
                "/deployment/o/resources" => json(serde_json::json!([
                    {"id": "1", "name": "other.bpmn", "deploymentId": "o"},
                    {"id": "2", "name": "d.bpmn", "deploymentId": "o"},
                ])),
                "/deployment/o/resources/2/data" => http::Response::new(Bytes::from_static(self.model)),
                other => panic!("{other}"),
            };
            let headers = response.headers_mut();
            headers.insert("content-type", http::HeaderValue::from_static("application/json"));
            Box::pin(std::future::ready(response))
        }
    }

    #[tokio::test]
    async fn what_the_engine_mangles_comes_from_the_deployment() {
        for model in [
            b"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a b=\"\xe9\xe8\"/>".as_slice(),
            b"\xff\xfe<\0a\0/\0>\0",
            b"<a/>",
            "\u{feff}<a b=\"é\"/>".as_bytes(),
        ] {
            let engine = EngineClient::in_process(Arc::new(Engine { model }));
            assert_eq!(bytes(&engine, "d").await.unwrap(), model);
        }
    }
}
