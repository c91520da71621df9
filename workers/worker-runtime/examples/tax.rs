//! A worker of its own: computes the tax of an order. `tax.bpmn` is a process that gives it work.
//!
//! ```sh
//! RUST_LOG=info cargo run -p worker-runtime --example tax       # ENGINE_URL, ENGINE_USERNAME, ENGINE_PASSWORD
//! ```

use worker_runtime::{EngineClient, Worker};

// What the task is given: its input parameters by name.
#[derive(serde::Deserialize)]
struct Order {
    net: f64,
    rate: f64,
}

// What it answers: for its output parameters, by name.
#[derive(serde::Serialize)]
struct Bill {
    tax: f64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt::init();
    let engine = EngineClient::from_env()?;
    let tax = async |Order { net, rate }: Order| Ok(Bill { tax: net * rate });
    Ok(Worker::builder(engine).topic("tax", tax).run().await?)
}
