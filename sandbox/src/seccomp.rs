//! Which system calls a sandbox allows: one list for both backends, tighter than Docker's own profile.
//!
//! It is a list of what is allowed, so that what a newer kernel brings is refused until somebody has looked at it. Not on it are:
//! namespaces and mounts, tracing and other processes' memory, keys, BPF and performance counters, `io_uring`, `userfaultfd`,
//! modules, clocks, quotas, watching files (`inotify` tells what the host runs), sockets that others wait to connect to (what they
//! send is counted nowhere), executable memory files, and every socket but local ones (`AF_VSOCK` and `AF_ALG` are in no
//! network namespace, so that an empty one alone does not keep them out).

use serde_json::{Value as Json, json};

/// System calls that are always allowed, by their names. Those that an architecture does not have are left out there.
const ALLOWED: &str = "
    accept accept4 access alarm arch_prctl bind brk capget chdir chmod clock_getres clock_gettime clock_nanosleep close
    close_range connect copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait
    epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 execve exit exit_group faccessat faccessat2 fadvise64 fallocate
    fchdir fchmod fchmodat fcntl fdatasync fgetxattr flistxattr flock fork fstat fstatfs fsync
    ftruncate futex futex_waitv get_robust_list get_thread_area getcpu getcwd getdents getdents64 getegid geteuid getgid
    getgroups getitimer getpeername getpgid getpgrp getpid getppid getpriority getrandom getresgid getresuid getrlimit
    getrusage getsid getsockname getsockopt gettid gettimeofday getuid getxattr
    ioprio_get kill lgetxattr link linkat listxattr llistxattr lseek lstat madvise membarrier
    mincore mkdir mkdirat mlock mlock2 mmap mprotect mremap msync munlock munmap nanosleep newfstatat
    open openat pause pidfd_open pidfd_send_signal pipe pipe2 poll ppoll pread64 preadv preadv2 prlimit64 pselect6
    pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv recvfrom recvmmsg recvmsg rename
    renameat renameat2 restart_syscall rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn
    rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min sched_getaffinity
    sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval sched_yield
    select sendfile sendmmsg sendmsg sendto set_robust_list set_tid_address setitimer setpgid setpriority
    setrlimit setsid setsockopt shutdown sigaltstack signalfd signalfd4 splice stat statfs statx
    symlink symlinkat sync_file_range sysinfo tee tgkill time timer_create timer_delete timer_getoverrun timer_gettime
    timer_settime timerfd_create timerfd_gettime timerfd_settime times tkill truncate umask uname unlink unlinkat utime
    utimensat utimes vfork wait4 waitid write writev
";

/// `CLONE_NEWNS | NEWCGROUP | NEWUTS | NEWIPC | NEWUSER | NEWPID | NEWNET | NEWTIME`.
const NEW_NAMESPACES: u64 =
    0x0002_0000 | 0x0200_0000 | 0x0400_0000 | 0x0800_0000 | 0x1000_0000 | 0x2000_0000 | 0x4000_0000 | 0x80;

/// `S_IFMT` and `S_IFIFO`: of what `mknod` makes, pipes with a name alone.
const FILE_TYPE: u64 = 0o170_000;
const FIFO: u64 = 0o010_000;

const AF_UNIX: u64 = 1;

/// Calls that make sockets, allowed for local ones.
const SOCKETS: [&str; 2] = ["socket", "socketpair"];

/// Calls that are answered as an older kernel would: libraries then use others, whose arguments a filter can see.
const UNKNOWN: [&str; 2] = ["clone3", "openat2"];

/// The request of `prctl` by which bwrap's first process would outlive its parent: a script can write into its memory.
const PR_SET_PDEATHSIG: u64 = 1;

const ENOSYS: u32 = 38;
const EPERM: u32 = 1;
const EAFNOSUPPORT: u32 = 97;
/// The requests of `ioctl` that put characters into a terminal's input, as if somebody had typed them.
const TERMINAL_INJECTION: [u64; 2] = [0x5412, 0x541C];

fn allowed() -> impl Iterator<Item = &'static str> {
    ALLOWED.split_whitespace()
}

/// The profile for Docker, as the JSON that its API takes.
pub(crate) fn docker_profile() -> Json {
    let names: Vec<&str> = allowed().collect();
    let mut profile = json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": EPERM,
        "archMap": [
            {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": []},
            {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": []},
        ],
        "syscalls": [
            {"names": names, "action": "SCMP_ACT_ALLOW"},
            {"names": UNKNOWN, "action": "SCMP_ACT_ERRNO", "errnoRet": ENOSYS},
            {"names": ["clone"], "action": "SCMP_ACT_ALLOW",
             "args": [{"index": 0, "value": NEW_NAMESPACES, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}]},
            {"names": ["mknod"], "action": "SCMP_ACT_ALLOW",
             "args": [{"index": 1, "value": FILE_TYPE, "valueTwo": FIFO, "op": "SCMP_CMP_MASKED_EQ"}]},
            {"names": ["mknodat"], "action": "SCMP_ACT_ALLOW",
             "args": [{"index": 2, "value": FILE_TYPE, "valueTwo": FIFO, "op": "SCMP_CMP_MASKED_EQ"}]},
            // A container does not end by what its first process has asked for, as bwrap's does.
            {"names": ["prctl"], "action": "SCMP_ACT_ALLOW"},
            {"names": SOCKETS, "action": "SCMP_ACT_ALLOW",
             "args": [{"index": 0, "value": AF_UNIX, "valueTwo": 0, "op": "SCMP_CMP_EQ"}]},
            {"names": SOCKETS, "action": "SCMP_ACT_ERRNO", "errnoRet": EAFNOSUPPORT,
             "args": [{"index": 0, "value": AF_UNIX, "valueTwo": 0, "op": "SCMP_CMP_NE"}]},
        ],
    });
    if let Some(rules) = profile["syscalls"].as_array_mut() {
        rules.extend(neither(TERMINAL_INJECTION).map(|(mask, value)| {
            json!({"names": ["ioctl"], "action": "SCMP_ACT_ALLOW",
                "args": [{"index": 1, "value": mask, "valueTwo": value, "op": "SCMP_CMP_MASKED_EQ"}]})
        }));
    }
    profile
}

/// Masks and values, one of which everything but these two 32-bit numbers matches. Docker takes conditions on one argument as
/// alternatives, so that two of "not this" would allow both; and it compares 64 bits, of which the kernel looks at 32.
fn neither([a, b]: [u64; 2]) -> impl Iterator<Item = (u64, u64)> {
    let differing = a ^ b;
    let common = (0..32)
        .map(|bit| 1 << bit)
        .filter(move |bit| differing & bit == 0);
    // Some bit is in neither as it is in both, or those in which they differ are mixed.
    let by_common = common.map(move |bit: u64| (bit, !a & bit));
    let mixed = (0..=differing).filter(move |value| value & !differing == 0);
    let mixed = mixed.filter(move |value| *value != a & differing && *value != b & differing);
    by_common.chain(mixed.map(move |value| (differing, value)))
}

/// The filters for bubblewrap: programs of the kernel's packet filter, in the form it takes from a file. They are all asked;
/// of those that refuse, the one installed last tells the error.
#[cfg(target_os = "linux")]
pub(crate) fn filters() -> Result<Vec<Vec<u8>>, String> {
    let arch =
        seccompiler::TargetArch::try_from(std::env::consts::ARCH).map_err(|error| error.to_string())?;
    let compile = |filter: Json| -> Result<Vec<u8>, String> {
        let filter = json!({ "filter": filter }).to_string();
        let mut compiled =
            seccompiler::compile_from_json(filter.as_bytes(), arch).map_err(|error| error.to_string())?;
        let program = compiled.remove("filter").ok_or("no filter was compiled")?;
        // struct sock_filter: u16, u8, u8, u32 in the machine's own order.
        let bytes = program.iter().flat_map(|step| {
            let [a, b] = step.code.to_ne_bytes();
            let [c, d, e, f] = step.k.to_ne_bytes();
            [a, b, step.jt, step.jf, c, d, e, f]
        });
        Ok(bytes.collect())
    };
    let is =
        |index: u8, op: Json, value: u64| json!({"index": index, "type": "dword", "op": op, "val": value});
    let mut rules: Vec<Json> = allowed()
        .filter(|name| seccompiler_knows(name, arch))
        .map(|name| json!({ "syscall": name }))
        .collect();
    rules.extend(UNKNOWN.map(|name| json!({"syscall": name})));
    rules.push(json!({"syscall": "clone", "args": [is(0, json!({"masked_eq": NEW_NAMESPACES}), 0)]}));
    // The older call is missing on newer architectures.
    if seccompiler_knows("mknod", arch) {
        rules.push(json!({"syscall": "mknod", "args": [is(1, json!({"masked_eq": FILE_TYPE}), FIFO)]}));
    }
    rules.push(json!({"syscall": "mknodat", "args": [is(2, json!({"masked_eq": FILE_TYPE}), FIFO)]}));
    rules.push(json!({"syscall": "prctl", "args": [is(0, json!("ne"), PR_SET_PDEATHSIG)]}));
    rules.extend(SOCKETS.map(|name| json!({"syscall": name})));
    rules.push(
        json!({"syscall": "ioctl", "args": TERMINAL_INJECTION.map(|request| is(1, json!("ne"), request))}),
    );
    Ok(vec![
        compile(json!({"mismatch_action": {"errno": EPERM}, "match_action": "allow", "filter": rules}))?,
        compile(
            json!({"mismatch_action": "allow", "match_action": {"errno": ENOSYS}, "filter": UNKNOWN.map(|name| json!({"syscall": name}))}),
        )?,
        compile(
            json!({"mismatch_action": "allow", "match_action": {"errno": EAFNOSUPPORT}, "filter": SOCKETS.map(
                |name| json!({"syscall": name, "args": [is(0, json!("ne"), AF_UNIX)]})
            )}),
        )?,
    ])
}

/// Whether a call exists here: old ones are missing on newer architectures.
#[cfg(target_os = "linux")]
fn seccompiler_knows(name: &str, arch: seccompiler::TargetArch) -> bool {
    let filter = json!({"filter": {"mismatch_action": "allow", "match_action": {"errno": EPERM}, "filter": [{"syscall": name}]}});
    seccompiler::compile_from_json(filter.to_string().as_bytes(), arch).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_matches_all_but_two() {
        let allows = |number: u64| neither(TERMINAL_INJECTION).any(|(mask, value)| number & mask == value);
        for number in (0..0x1_0000)
            .chain((0..32).flat_map(|bit| TERMINAL_INJECTION.map(|refused| refused ^ (1 << bit))))
        {
            assert_eq!(
                allows(number),
                !TERMINAL_INJECTION.contains(&number),
                "{number:#x}"
            );
        }
        // The kernel does not see the upper half.
        for refused in TERMINAL_INJECTION {
            assert!(!allows(refused | 1 << 32));
        }
    }
}
