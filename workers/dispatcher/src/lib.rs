//! Stands between the engine and whoever should not have to ask it.
//!
//! A [`Dispatcher`] asks the engine which tasks wait and offers their ids ([`worker_api::Dispatch`]); it locks none. A worker
//! takes an offer and locks the task under its own id, so that hundreds of workers cost the engine one poll. [`Events`] reads
//! in the engine's history what has happened, and tells it ([`worker_api::EventSink`]).
//!
//! Both are run as what brings things in is: see [`worker_api::Inbound`].

mod book;
mod events;
mod history;
mod offer;

pub use events::Events;
pub use offer::{Dispatcher, DispatcherSettings};
