//! An engine in the same process, without a network between.

use std::pin::Pin;

use bytes::Bytes;
use url::Url;

/// An engine in this process that answers the REST API's calls, such as a fake one for tests.
pub trait InProcess: Send + Sync + 'static {
    /// Answers one call. The request's path begins with `/engine-rest`; its body is whole, multipart forms included.
    ///
    /// Cancellation: a call that takes longer than its time is dropped, as a closed connection would be.
    fn call(
        &self,
        request: http::Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = http::Response<Bytes>> + Send>>;
}

/// The address that calls of an engine in this process are made out to.
pub(crate) fn address() -> Url {
    #[allow(clippy::unwrap_used)] // a constant
    Url::parse("http://in-process/engine-rest").unwrap()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::{DeploymentRequest, EngineClient, EngineError, Resource};

    struct Engine<F>(F);

    impl<F, A> InProcess for Engine<F>
    where
        F: Fn(http::Request<Bytes>) -> A + Send + Sync + 'static,
        A: Future<Output = http::Response<Bytes>> + Send + 'static,
    {
        fn call(
            &self,
            request: http::Request<Bytes>,
        ) -> Pin<Box<dyn Future<Output = http::Response<Bytes>> + Send>> {
            Box::pin(self.0(request))
        }
    }

    fn answer(status: u16, body: &'static str) -> http::Response<Bytes> {
        let mut response = http::Response::new(Bytes::from_static(body.as_bytes()));
        *response.status_mut() = http::StatusCode::from_u16(status).unwrap();
        response
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_was_rolled_back_is_repeated() {
        let calls = AtomicU32::new(0);
        let engine = EngineClient::in_process(Arc::new(Engine(move |request: http::Request<Bytes>| {
            assert_eq!(request.uri().path(), "/engine-rest/version");
            let call = calls.fetch_add(1, Ordering::Relaxed);
            async move {
                match call {
                    0 => answer(
                        500,
                        r#"{"type": "OptimisticLockingException", "message": "", "code": 1}"#,
                    ),
                    _ => answer(200, r#"{"version": "7.24.0"}"#),
                }
            }
        })));
        assert_eq!(engine.version().await.unwrap(), "7.24.0");
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_ends_by_the_paused_clock() {
        let engine = EngineClient::in_process(Arc::new(Engine(|_| std::future::pending())));
        let begun = tokio::time::Instant::now();
        let error = engine.version().await.unwrap_err();
        assert!(
            matches!(error, EngineError::TimedOut { after, .. } if after == begun.elapsed()),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_form_arrives_as_bytes() {
        let engine = EngineClient::in_process(Arc::new(Engine(|request: http::Request<Bytes>| {
            let kind = request.headers()["content-type"].to_str().unwrap().to_owned();
            let body = String::from_utf8(request.into_body().to_vec()).unwrap();
            assert!(kind.starts_with("multipart/form-data; boundary="), "{kind}");
            assert!(
                body.contains("filename=\"a.bpmn\"") && body.contains("<definitions/>"),
                "{body}"
            );
            async { answer(200, r#"{"id": "1"}"#) }
        })));
        let request = DeploymentRequest {
            name: "n",
            source: "s",
            tenant_id: None,
            resources: vec![Resource {
                name: "a.bpmn".into(),
                content: Bytes::from_static(b"<definitions/>"),
            }],
            changed_only: true,
        };
        assert_eq!(engine.deploy(&request).await.unwrap().id, "1");
    }
}
