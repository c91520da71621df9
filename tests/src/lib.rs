//! What the end-to-end tests in `tests/` stand on: the real engine, the real `procos`, a real PostgreSQL, and a
//! receiver that knows what reached it.
//!
//! ```no_run
//! # async fn example() {
//! use std::time::Duration;
//! use tests::{Engine, Procos, Scratch, until};
//!
//! // One engine for all tests of a binary; an own business key keeps them apart.
//! let engine = Engine::shared();
//! let version = engine.client().version().await.unwrap();
//!
//! // The built binary in a folder of its own; whatever it leaves running ends with the value.
//! let scratch = Scratch::new("example");
//! let up = Procos::new(scratch.path()).args(["up", "--json"]).spawn();
//! up.wait_for_line("\"engine_url\"", Duration::from_secs(60));
//! let left = up.kill9();
//! left.wait_gone(Duration::from_secs(20)).await;
//!
//! // A condition with a deadline, never a pause.
//! until("the engine answers", Duration::from_secs(10), async || engine.client().version().await).await;
//! # }
//! ```
//!
//! Everything here panics where it cannot go on: it is test code, and the message is for whoever reads the
//! failed test. What runs as a child ends with the test, also with one that is killed. No port is fixed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test code: a failed expectation is a failed test"
)]

mod arrivals;
mod docker;
mod engine;
mod family;
mod folders;
mod language_models;
mod mail;
mod models;
mod open;
mod operaton;
mod postgres;
mod process;
mod procos;
mod proxy;
mod rabbitmq;
mod receiver;
mod running;
mod sdks;
mod served;
mod silent;
mod skip;
mod slack;
mod wait;

pub use arrivals::Arrivals;
pub use docker::docker_daemon;
pub use engine::{Engine, EngineSetup, JAVA_FLAGS};
pub use family::Family;
pub(crate) use folders::user;
pub use folders::{Scratch, engine_jar, example_binary, procos_binary, stock_binary, workspace};
pub use language_models::{Asked, ModelServer, Turn};
pub use mail::{LOGIN, MAILBOXES, MailServer};
pub use models::conditional_process;
pub use open::OpenEngine;
pub use operaton::Operaton;
pub use postgres::{Database, Postgres};
pub use process::{Process, boundary, extension, property, task_process};
pub use procos::{Finished, Procos};
pub use proxy::{Held, Proxy};
pub use rabbitmq::RabbitMq;
pub use receiver::{Receiver, Run};
pub use running::Running;
pub use sdks::python_with_sdks;
pub use silent::Silent;
pub use skip::skip;
pub use slack::{SlackFault, SlackServer};
pub use wait::{free_port, until};
