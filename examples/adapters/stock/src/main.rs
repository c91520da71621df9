//! A worker that has the adapter and nothing else.

use stock::Stock;
use worker_runtime::{EngineClient, Worker};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt::init();
    let stock = Stock::new(&[("desk", 10), ("lamp", 3)]);
    Ok(Worker::builder(EngineClient::from_env()?)
        .adapter(stock)
        .run()
        .await?)
}
