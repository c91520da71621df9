//! The commands that stay: `up`, `kernel`, `worker` and `dispatcher`.

mod around;
mod boot;
mod catalogue;
mod dispatcher;
pub(crate) mod embedded;
mod example;
mod health;
mod http;
mod jar;
mod kernel;
mod launcher;
mod observe;
mod pools;
mod reporter;
pub(crate) mod scripts;
mod signals;
mod tell;
mod up;
mod worker;

pub(crate) use dispatcher::dispatcher;
pub(crate) use jar::find as find_jar;
pub(crate) use kernel::kernel;
pub(crate) use launcher::launcher;
pub(crate) use signals::Signals;
pub(crate) use up::up;
pub(crate) use worker::worker;
