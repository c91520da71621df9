//! Whether everything runs, as the HTTP port tells it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use microkernel::Phase;
use serde::Serialize;
use worker_runtime::InboundState;

use super::pools::{PoolHealth, Pools};

/// What is known of this process's parts. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Health(Arc<Mutex<Parts>>);

#[derive(Default)]
struct Parts {
    phase: Option<Phase>,
    engine: Option<String>,
    pools: Option<Arc<Pools>>,
    draining: bool,
    violations: usize,
}

/// Readiness, with its parts.
#[derive(Debug, Serialize)]
pub(super) struct Readiness {
    /// Whether all parts work.
    pub(super) ready: bool,
    /// Whether a stop is under way.
    draining: bool,
    /// The kernel's phase, where a kernel runs here.
    #[serde(skip_serializing_if = "Option::is_none")]
    kernel: Option<&'static str>,
    /// The engine's version, once it has answered the kernel.
    #[serde(skip_serializing_if = "Option::is_none")]
    engine: Option<String>,
    /// How many deployments the kernel has found that came around the gate and that it refuses, where there are any.
    #[serde(skip_serializing_if = "is_zero")]
    violations: usize,
    /// The worker pools, where any run here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pools: Option<Vec<PoolHealth>>,
    /// What brings things in from outside, where anything does.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    inbounds: Vec<Incoming>,
}

/// How something is that brings things in from outside.
#[derive(Debug, Serialize)]
struct Incoming {
    name: String,
    state: InboundState,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_failure: Option<String>,
}

impl Health {
    /// The kernel is in another phase.
    pub(super) fn phase(&self, phase: Phase) {
        self.parts().phase = Some(phase);
    }

    /// The engine has answered, with its version.
    pub(super) fn engine(&self, version: &str) {
        self.parts().engine = Some(version.to_owned());
    }

    /// Pools belong to it from now on: it is ready only when they are.
    pub(super) fn pools(&self, pools: Arc<Pools>) {
        self.parts().pools = Some(pools);
    }

    /// A deployment came around the gate, which refuses it.
    pub(super) fn violation(&self) {
        self.parts().violations += 1;
    }

    /// A stop is under way: not ready any more, so that nobody sends new work.
    pub(super) fn draining(&self) {
        self.parts().draining = true;
    }

    /// The state of all parts.
    pub(super) fn readiness(&self) -> Readiness {
        let parts = self.parts();
        let pools = parts.pools.as_ref().map(|pools| pools.health());
        let kernel_ready = parts.phase.is_none_or(Phase::is_ready);
        let pools_ready = pools.iter().flatten().all(|pool| pool.ready);
        let inbounds = parts.pools.as_ref().map(|pools| pools.inbounds());
        let inbounds: Vec<Incoming> = inbounds
            .into_iter()
            .flatten()
            .map(|one| Incoming {
                name: one.name,
                state: one.state,
                last_failure: one.last_failure,
            })
            .collect();
        let inbounds_ready = inbounds.iter().all(|one| one.state == InboundState::Ready);
        let has_parts = parts.phase.is_some() || pools.is_some();
        Readiness {
            ready: has_parts && kernel_ready && pools_ready && inbounds_ready && !parts.draining,
            draining: parts.draining,
            kernel: parts.phase.map(Phase::name),
            engine: parts.engine.clone(),
            violations: parts.violations,
            pools,
            inbounds,
        }
    }

    fn parts(&self) -> MutexGuard<'_, Parts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_ready_only_when_every_part_is_and_never_while_draining() {
        let health = Health::default();
        assert!(!health.readiness().ready, "nothing runs yet");
        health.phase(Phase::Starting);
        assert!(!health.readiness().ready);
        health.phase(Phase::Watching);
        assert!(health.readiness().ready);
        health.phase(Phase::Restarting);
        assert!(!health.readiness().ready);
        health.phase(Phase::Watching);
        health.draining();
        assert!(!health.readiness().ready);
    }
}
