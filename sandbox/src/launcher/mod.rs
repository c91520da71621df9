//! The launcher: a process of its own that runs scripts for workers, so that none of them needs the Docker socket, which is as
//! good as root.
//!
//! It answers HTTP on a Unix socket, and there are two things to ask ([`wire`]): `GET /` for what it is, `POST /runs` to run a
//! script within limits. No request names flags, mounts, networks or any image that the operator has not named, and none gets
//! more than the launcher's own limits. [`server`] serves, [`socket`] sees to it that one alone does, [`client`] asks.

mod client;
mod server;
mod socket;
mod wire;

pub(crate) use self::client::Launched;
pub use self::server::serve;
pub use self::socket::LauncherError;
