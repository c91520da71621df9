//! What a container may: the whole of what is asked of the daemon for a cell.

use std::collections::HashMap;

use bollard::models::{
    ContainerCreateBody, HealthConfig, HostConfig, HostConfigCgroupnsModeEnum, HostConfigLogConfig,
    ResourcesUlimits,
};

use super::remains::{LABEL, OWNER_LABEL};
use crate::Settings;
use crate::cell::{ENVIRONMENT, Shape};

/// `nobody` and `nogroup`, whatever an image calls them.
const USER: &str = "65534:65534";

/// The length of a scheduling period, in microseconds: a share of the processors is a quota of it.
const PERIOD: i64 = 100_000;

/// The least memory that Docker can bound, in bytes. Zero would be no bound at all.
const LEAST_MEMORY: u64 = 6 << 20;

/// The least that a file system in memory can hold, in bytes: a page. Zero would be no bound at all.
const LEAST_TMPFS: u64 = 4096;

/// The container of a cell.
pub(super) fn body(
    settings: &Settings,
    shape: &Shape,
    image: String,
    seccomp: &str,
    owner: &str,
) -> ContainerCreateBody {
    let memory = signed(shape.memory.max(LEAST_MEMORY));
    let tmpfs = shape.tmpfs.max(LEAST_TMPFS);
    let mount = format!("rw,noexec,nosuid,nodev,size={tmpfs},mode=1777");
    let host_config = HostConfig {
        network_mode: Some("none".to_owned()),
        readonly_rootfs: Some(true),
        cap_drop: Some(vec!["ALL".to_owned()]),
        security_opt: Some(vec!["no-new-privileges".to_owned(), format!("seccomp={seccomp}")]),
        // Zero would be no bound at all.
        pids_limit: Some(i64::from(shape.pids.max(1))),
        memory: Some(memory),
        memory_swap: Some(memory),
        // Not nano_cpus, which is refused where the host has fewer processors.
        cpu_period: Some(PERIOD),
        cpu_quota: Some(signed(shape.milli_cpus).saturating_mul(PERIOD / 1000)),
        // Docker's own /dev/shm is executable. `none` leaves it out, and ours takes its place.
        ipc_mode: Some("none".to_owned()),
        tmpfs: Some(HashMap::from([
            ("/work".to_owned(), mount.clone()),
            ("/dev/shm".to_owned(), mount),
        ])),
        cgroupns_mode: Some(HostConfigCgroupnsModeEnum::PRIVATE),
        ulimits: Some(vec![
            ulimit("nofile", 256),
            ulimit("core", 0),
            // Where a worker is killed, nobody watches the time: what computes without end ends all the same.
            ulimit("cpu", most_seconds(settings)),
            // /dev/mqueue is writable to everybody, and its files are in the kernel's memory.
            ulimit("msgqueue", 0),
        ]),
        log_config: Some(HostConfigLogConfig {
            typ: Some("none".to_owned()),
            config: None,
        }),
        // Where the host itself is short of memory, scripts go first.
        oom_score_adj: Some(1000),
        ..HostConfig::default()
    };
    #[cfg_attr(not(feature = "weakened"), expect(unused_mut, reason = "weakened below"))]
    let mut body = ContainerCreateBody {
        image: Some(image),
        hostname: Some("sandbox".to_owned()),
        // Beside the mode `none`: the daemon then has nothing to set up in the empty namespace, which is most of a start.
        network_disabled: Some(true),
        user: Some(USER.to_owned()),
        working_dir: Some("/work".to_owned()),
        env: Some(
            ENVIRONMENT
                .map(|(name, value)| format!("{name}={value}"))
                .to_vec(),
        ),
        // Empty, not absent: the image's own is not used.
        entrypoint: Some(Vec::new()),
        cmd: Some(shape.language.command().into_iter().map(str::to_owned).collect()),
        healthcheck: Some(HealthConfig {
            test: Some(vec!["NONE".to_owned()]),
            ..HealthConfig::default()
        }),
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        open_stdin: Some(true),
        // The lifeline: the daemon closes it when the attached client goes, however it goes, and a harness that waits ends.
        stdin_once: Some(true),
        labels: Some(HashMap::from([
            (LABEL.to_owned(), "1".to_owned()),
            (OWNER_LABEL.to_owned(), owner.to_owned()),
        ])),
        host_config: Some(host_config),
        ..ContainerCreateBody::default()
    };
    #[cfg(feature = "weakened")]
    super::weakened::weaken(&mut body, &settings.weakened);
    body
}

/// Seconds of computing that no process of any run can come to, within its time and its processors.
#[expect(clippy::cast_possible_truncation, reason = "the cast saturates")]
fn most_seconds(settings: &Settings) -> i64 {
    let limits = &settings.limits;
    ((limits.timeout.as_secs_f64() * limits.cpus.max(1.0)).ceil() as i64).saturating_add(5)
}

fn ulimit(name: &str, most: i64) -> ResourcesUlimits {
    ResourcesUlimits {
        name: Some(name.to_owned()),
        soft: Some(most),
        hard: Some(most),
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Language, Level, Limits};

    fn host_config(limits: &Limits) -> HostConfig {
        let shape = Shape::new(Language::Python, None, limits);
        let settings = Settings::new("/nowhere");
        body(&settings, &shape, "image".to_owned(), "{}", "owner")
            .host_config
            .unwrap()
    }

    #[test]
    fn nothing_is_unbounded_however_little_is_asked_for() {
        // Docker and the kernel read zero as no bound.
        let got = host_config(&Limits {
            memory: 0,
            cpus: 0.0,
            pids: 0,
            tmpfs: 0,
            ..Level::High.limits()
        });
        assert_eq!(got.memory, Some(6 << 20));
        assert_eq!(got.memory_swap, got.memory);
        assert_eq!(got.cpu_quota, Some(1000));
        assert_eq!(got.pids_limit, Some(1));
        for options in got.tmpfs.unwrap().values() {
            assert!(options.contains("size=4096,"), "{options}");
        }
    }

    #[test]
    fn nothing_is_unbounded_however_much_is_asked_for() {
        let got = host_config(&Limits {
            memory: u64::MAX,
            cpus: f64::INFINITY,
            pids: u32::MAX,
            tmpfs: u64::MAX,
            ..Level::Low.limits()
        });
        let numbers = [got.memory, got.memory_swap, got.cpu_quota, got.pids_limit];
        assert!(numbers.iter().all(|number| number.unwrap() > 0), "{numbers:?}");
    }
}
