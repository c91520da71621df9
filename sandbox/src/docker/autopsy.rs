//! What became of a container that gave no answer.

use std::time::Duration;

use bollard::query_parameters::{KillContainerOptions, StatsOptionsBuilder, WaitContainerOptionsBuilder};
use futures::StreamExt;
use tokio::time::timeout;

use super::innermost;
use super::remains::Container;
use crate::Limit;
use crate::cell::Autopsy;

/// How long to wait for one whose streams are closed to end by itself: its exit status would be lost by killing it.
const END: Duration = Duration::from_secs(1);

/// How long the daemon may take for each question.
const QUESTION: Duration = Duration::from_secs(5);

/// What ends a process that is killed, as Docker tells it.
const KILLED: i64 = 128 + 9;

/// Ends a container, whose streams may be `closed` already, and tells what is known of its end.
pub(super) async fn autopsy(container: &Container, closed: bool) -> Autopsy {
    let ended = closed && ends_within(container, END).await;
    // Only as long as it lives does anybody know how many processes it has.
    let full = !ended && is_full(container).await;
    if !ended {
        kill(container).await;
        ends_within(container, QUESTION).await;
    }
    let inspecting = container.docker().inspect_container(container.name(), None);
    let state = match timeout(QUESTION, inspecting).await {
        Ok(Ok(inspected)) => inspected.state.unwrap_or_default(),
        Ok(Err(error)) => {
            return Autopsy {
                hit: None,
                status: Some(innermost(&error)),
            };
        }
        Err(_) => return Autopsy::default(),
    };
    // Nothing in a namespace can kill its first process: it was the kernel, also where Docker has not heard of it yet.
    let killed_by_kernel = ended && state.exit_code == Some(KILLED);
    let hit = if state.oom_killed == Some(true) || killed_by_kernel {
        Some(Limit::Memory)
    } else {
        full.then_some(Limit::Processes)
    };
    Autopsy {
        hit,
        status: state.exit_code.map(told),
    }
}

/// Whether it has all the processes that it may have.
async fn is_full(container: &Container) -> bool {
    let options = StatsOptionsBuilder::default()
        .stream(false)
        .one_shot(true)
        .build();
    let mut stats = std::pin::pin!(container.docker().stats(container.name(), Some(options)));
    let Ok(Some(Ok(stats))) = timeout(QUESTION, stats.next()).await else {
        return false;
    };
    let pids = stats.pids_stats.unwrap_or_default();
    match (pids.current, pids.limit) {
        (Some(current), Some(limit)) => limit > 0 && current >= limit,
        _ => false,
    }
}

async fn ends_within(container: &Container, time: Duration) -> bool {
    let options = WaitContainerOptionsBuilder::default()
        .condition("not-running")
        .build();
    let mut wait = std::pin::pin!(container.docker().wait_container(container.name(), Some(options)));
    timeout(time, wait.next()).await.is_ok()
}

async fn kill(container: &Container) {
    let killing = container
        .docker()
        .kill_container(container.name(), None::<KillContainerOptions>);
    // One that has ended meanwhile is no error; one that cannot be killed is told of where it is removed.
    let _ = timeout(QUESTION, killing).await;
}

/// How a process ended, by the code that Docker has for it.
fn told(code: i64) -> String {
    match code {
        129..=192 => format!("signal {}", code - 128),
        code => format!("exit status {code}"),
    }
}
