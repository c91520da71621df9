//! Single barriers taken away, for tests that show that an attack bites without them. Never in a release.

use std::collections::HashMap;

use bollard::models::ContainerCreateBody;

use crate::Limit;
use crate::settings::Weakened;

/// Takes away what is asked for, and leaves the rest as it is.
pub(super) fn weaken(body: &mut ContainerCreateBody, weakened: &Weakened) {
    let mut host = body.host_config.take().unwrap_or_default();
    let mut security: Vec<String> = host.security_opt.take().unwrap_or_default();
    if weakened.seccomp {
        security.retain(|option| !option.starts_with("seccomp="));
        security.push("seccomp=unconfined".to_owned());
    }
    if let Some(network) = &weakened.network {
        body.network_disabled = None;
        host.network_mode = Some(network.clone());
        if network.starts_with("container:") || network == "host" {
            // Docker refuses a name of one's own in somebody else's network.
            body.hostname = None;
        }
    }
    if weakened.processes {
        host.pid_mode = Some("host".to_owned());
    }
    if weakened.root {
        host.readonly_rootfs = Some(false);
    }
    if weakened.capabilities {
        security.retain(|option| option != "no-new-privileges");
        body.user = Some("0:0".to_owned());
        host.cap_drop = None;
        // Not all: a daemon cannot give what it lacks itself, as in a container.
        let some = ["SYS_ADMIN", "SYS_PTRACE", "MKNOD"];
        host.cap_add = Some(some.map(str::to_owned).into());
    }
    if weakened.environment {
        let worker = std::env::vars().map(|(name, value)| format!("{name}={value}"));
        // Of two, the last counts: the interpreter still finds its own.
        let own = body.env.take().unwrap_or_default();
        body.env = Some(worker.chain(own).collect());
    }
    if !weakened.binds.is_empty() {
        let binds = weakened.binds.iter().map(|path| path.display());
        host.binds = Some(binds.map(|path| format!("{path}:{path}:rw")).collect());
    }
    for limit in &weakened.limits {
        match limit {
            Limit::Memory => {
                host.memory = None;
                host.memory_swap = None;
            }
            Limit::Processes => host.pids_limit = None,
            Limit::Cpu => {
                host.cpu_period = None;
                host.cpu_quota = None;
            }
            // These are held by who watches the run.
            Limit::Time | Limit::Output => {}
        }
    }
    if weakened.working_directory {
        let unbounded = "rw,noexec,nosuid,nodev,mode=1777".to_owned();
        host.tmpfs = Some(HashMap::from([
            ("/work".to_owned(), unbounded.clone()),
            ("/dev/shm".to_owned(), unbounded),
        ]));
    }
    host.security_opt = Some(security);
    body.host_config = Some(host);
}
