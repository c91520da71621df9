//! Services that answer at once, in a thread with a runtime of its own.

use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use serde_json::json;

/// What a language model streams in OpenAI's chat format: the whole answer in one part.
const CHAT: &str = "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":\
     {\"role\":\"assistant\",\"content\":\"Hello\"},\"finish_reason\":null}]}\n\n\
     data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{},\
     \"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":1,\"total_tokens\":4}}\n\n\
     data: [DONE]\n\n";

/// Starts them: their address.
pub(crate) fn start() -> anyhow::Result<String> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let url = format!("http://{}", listener.local_addr()?);
    let item = || async { axum::Json(json!({"item": "desk", "amount": 2})) };
    let chat = || async { ([(header::CONTENT_TYPE, "text/event-stream")], CHAT).into_response() };
    let posted = || async { axum::Json(json!({"ok": true, "channel": "C01", "ts": "1700000000.000100"})) };
    let router = Router::new()
        .route("/", get(item))
        .route("/v1/chat/completions", post(chat))
        .route("/api/chat.postMessage", post(posted));
    std::thread::spawn(move || -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            Ok(axum::serve(listener, router).await?)
        })
    });
    Ok(url)
}
