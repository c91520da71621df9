//! The phases of a kernel's life, and what leads from one to the next. No I/O here.

use std::fmt;

/// Where the kernel is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Takes the data directory and opens the engine's log.
    Logging,
    /// Checks what the engine needs: Java or Docker, files, disk, port.
    Validating,
    /// Starts the engine's process or container.
    Starting,
    /// Waits until the engine answers.
    Awaiting,
    /// Deploys the system processes.
    Deploying,
    /// Sees to it that the root process runs, once.
    Rooting,
    /// All is up; keeps it so.
    Watching,
    /// The engine has died; waits before it is started again.
    Restarting,
    /// Ends the engine.
    Stopping,
    /// All is ended.
    Stopped,
    /// The kernel could not go on.
    Failed,
}

/// What leads from a phase to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// What the phase is for is done.
    Done,
    /// The engine has died, and may be started again.
    EngineLost,
    /// The kernel is to stop.
    Stop,
    /// The kernel cannot go on.
    Fail,
}

impl Phase {
    /// The phase that a step leads to; none where the step cannot come in this phase.
    #[must_use]
    pub const fn after(self, step: Step) -> Option<Self> {
        use Phase::{
            Awaiting, Deploying, Failed, Logging, Restarting, Rooting, Starting, Stopped, Stopping,
            Validating, Watching,
        };
        match (self, step) {
            (Stopped | Failed, _) => None,
            (Stopping, Step::Done) => Some(Stopped),
            (Stopping, Step::Stop | Step::EngineLost) => Some(Stopping),
            (_, Step::Stop) => Some(Stopping),
            (_, Step::Fail) => Some(Failed),
            (Logging, Step::Done) => Some(Validating),
            (Validating, Step::Done) => Some(Starting),
            (Starting, Step::Done) => Some(Awaiting),
            (Awaiting, Step::Done) => Some(Deploying),
            (Deploying, Step::Done) => Some(Rooting),
            (Rooting, Step::Done) => Some(Watching),
            (Watching, Step::Done) => None,
            // A restart looks again at everything that may have changed: the port, the jar, the disk.
            (Restarting, Step::Done) => Some(Validating),
            (Logging, Step::EngineLost) => None,
            (
                Validating | Starting | Awaiting | Deploying | Rooting | Watching | Restarting,
                Step::EngineLost,
            ) => Some(Restarting),
        }
    }

    /// The phase's name in JSON and in logs. Never renamed.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Logging => "logging",
            Self::Validating => "validating",
            Self::Starting => "starting",
            Self::Awaiting => "awaiting",
            Self::Deploying => "deploying",
            Self::Rooting => "rooting",
            Self::Watching => "watching",
            Self::Restarting => "restarting",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        }
    }

    /// Whether the engine is up and has everything that the system needs.
    #[must_use]
    pub const fn is_ready(self) -> bool {
        matches!(self, Self::Watching)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Phase; 11] = [
        Phase::Logging,
        Phase::Validating,
        Phase::Starting,
        Phase::Awaiting,
        Phase::Deploying,
        Phase::Rooting,
        Phase::Watching,
        Phase::Restarting,
        Phase::Stopping,
        Phase::Stopped,
        Phase::Failed,
    ];

    fn walk(from: Phase, steps: &[Step]) -> Option<Phase> {
        steps.iter().try_fold(from, |phase, &step| phase.after(step))
    }

    #[test]
    fn a_boot_goes_through_every_phase_in_order() {
        let phases: Vec<_> =
            std::iter::successors(Some(Phase::Logging), |phase| phase.after(Step::Done)).collect();
        assert_eq!(phases, ALL[..7]);
    }

    #[test]
    fn a_lost_engine_is_booted_again_from_the_checks_on() {
        assert_eq!(
            walk(Phase::Watching, &[Step::EngineLost, Step::Done]),
            Some(Phase::Validating)
        );
        assert_eq!(walk(Phase::Validating, &[Step::Done; 5]), Some(Phase::Watching));
        assert_eq!(
            walk(Phase::Awaiting, &[Step::EngineLost, Step::Fail]),
            Some(Phase::Failed)
        );
    }

    #[test]
    fn a_stop_comes_through_from_everywhere_and_the_ends_are_final() {
        for phase in ALL {
            if matches!(phase, Phase::Stopped | Phase::Failed) {
                for step in [Step::Done, Step::EngineLost, Step::Stop, Step::Fail] {
                    assert_eq!(phase.after(step), None);
                }
            } else {
                assert_eq!(
                    walk(phase, &[Step::Stop, Step::Done]),
                    Some(Phase::Stopped),
                    "{phase}"
                );
                assert_eq!(phase.after(Step::Fail), Some(Phase::Failed), "{phase}");
            }
        }
    }

    #[test]
    fn a_second_stop_and_a_dying_engine_do_not_disturb_the_stop() {
        assert_eq!(
            walk(Phase::Stopping, &[Step::Stop, Step::EngineLost, Step::Done]),
            Some(Phase::Stopped)
        );
    }

    #[test]
    fn names_are_unique() {
        let names: std::collections::BTreeSet<_> = ALL.map(Phase::name).into();
        assert_eq!(names.len(), ALL.len());
    }
}
