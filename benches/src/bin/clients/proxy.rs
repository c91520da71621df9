//! Counts requests on their way to the engine.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;
use url::Url;

/// Forwards every request and counts it. Dropped, it ends.
#[derive(Debug)]
pub(crate) struct Proxy {
    /// The REST API's address by way of this.
    pub(crate) url: String,
    inner: Arc<Inner>,
    _serving: AbortOnDropHandle<std::io::Result<()>>,
}

#[derive(Debug)]
struct Inner {
    count: AtomicU64,
    authority: String,
    client: Client<HttpConnector, Body>,
}

impl Proxy {
    /// One before the engine at this address, on a port that is free.
    pub(crate) async fn start(engine: &str) -> anyhow::Result<Self> {
        let engine: Url = engine.parse().context("the engine's address")?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}{}", listener.local_addr()?, engine.path());
        let inner = Arc::new(Inner {
            count: AtomicU64::new(0),
            authority: engine.authority().to_owned(),
            client: Client::builder(TokioExecutor::new()).build_http(),
        });
        let router = Router::new().fallback(forward).with_state(Arc::clone(&inner));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self {
            url,
            inner,
            _serving: AbortOnDropHandle::new(serving),
        })
    }

    /// How many requests have come so far.
    pub(crate) fn count(&self) -> u64 {
        self.inner.count.load(Ordering::Relaxed)
    }
}

async fn forward(State(inner): State<Arc<Inner>>, mut request: Request) -> Response {
    inner.count.fetch_add(1, Ordering::Relaxed);
    let path = request.uri().path_and_query().map_or("/", |it| it.as_str());
    let answer = match format!("http://{}{path}", inner.authority).parse::<Uri>() {
        Ok(uri) => {
            *request.uri_mut() = uri;
            inner
                .client
                .request(request)
                .await
                .map_err(|error| error.to_string())
        }
        Err(error) => Err(error.to_string()),
    };
    match answer {
        Ok(answer) => answer.into_response(),
        Err(error) => (StatusCode::BAD_GATEWAY, error).into_response(),
    }
}
