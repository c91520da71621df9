//! What a cell sees, as the arguments of `bwrap`.

use std::ffi::OsString;
use std::io::{self, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use command_fds::{CommandFdExt, FdMapping};
use rustix::fs::{MemfdFlags, memfd_create};

use super::limits;
use crate::Settings;
use crate::cell::Shape;

/// Who scripts run as, inside; and outside, where the worker is root.
pub(crate) const NOBODY: u32 = 65_534;

/// Where a script works.
pub(crate) const WORK: &str = "/work";

/// The file descriptor at which the first filter is handed over; they are the only ones besides the standard streams.
const FIRST_FILTER: i32 = 10;

/// What is seen as the system's root.
pub(crate) enum Root {
    /// This machine's `/usr`, and what of it is linked to from the root.
    Host,
    /// An unpacked system.
    Unpacked(PathBuf),
}

/// What the processes of an owner's cells are called, as far as they are bwrap's own.
pub(crate) fn name(owner: &str) -> String {
    format!("procos-sandbox-{owner}")
}

/// The command that makes a cell.
pub(crate) fn command(
    program: &Path,
    root: &Root,
    shape: &Shape,
    filters: &[Vec<u8>],
    in_cgroup: bool,
    owner: &str,
    settings: &Settings,
) -> io::Result<std::process::Command> {
    let barriers = Barriers::of(settings);
    let mut arguments = Arguments::default();
    arguments.namespaces(&barriers);
    arguments.root(root, &barriers)?;
    arguments.files(shape, &barriers);
    arguments.environment(&barriers);
    let mut fds = Vec::new();
    if barriers.seccomp {
        for (child_fd, filter) in (FIRST_FILTER..).zip(filters) {
            arguments.add(["--add-seccomp-fd", &child_fd.to_string()]);
            fds.push(FdMapping {
                parent_fd: in_memory(filter)?,
                child_fd,
            });
        }
    }
    arguments.add(["--"]);
    arguments.add(limits::bounds(shape, in_cgroup, settings));
    arguments.add(shape.language.command());

    let mut command = barriers.program(program, &name(owner));
    command
        .args(arguments.0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .current_dir("/");
    // The first process in the cell is bwrap's own: its environment can be read there.
    if barriers.environment {
        command.env_clear();
    }
    command
        .fd_mappings(fds)
        .map_err(|error| io::Error::other(error.to_string()))?;
    Ok(command)
}

/// A file without a name. It is read from its start by one reader alone, since readers share the place in it.
fn in_memory(content: &[u8]) -> io::Result<OwnedFd> {
    let mut file = std::fs::File::from(memfd_create("filter", MemfdFlags::CLOEXEC)?);
    file.write_all(content)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(file.into())
}

#[derive(Default)]
struct Arguments(Vec<OsString>);

impl Arguments {
    fn add<I: IntoIterator<Item = A>, A: Into<OsString>>(&mut self, arguments: I) {
        self.0.extend(arguments.into_iter().map(Into::into));
    }

    fn namespaces(&mut self, barriers: &Barriers) {
        self.add(["--die-with-parent", "--new-session"]);
        self.add([
            "--unshare-user",
            "--unshare-ipc",
            "--unshare-uts",
            "--unshare-cgroup-try",
        ]);
        self.add(["--hostname", "sandbox"]);
        if barriers.processes {
            self.add(["--unshare-pid"]);
        }
        if barriers.network {
            self.add(["--unshare-net"]);
        }
        if barriers.capabilities {
            let nobody = NOBODY.to_string();
            self.add([
                "--disable-userns",
                "--cap-drop",
                "ALL",
                "--uid",
                &nobody,
                "--gid",
                &nobody,
            ]);
        } else {
            self.add(["--cap-add", "ALL", "--uid", "0", "--gid", "0"]);
        }
    }

    fn root(&mut self, root: &Root, barriers: &Barriers) -> io::Result<()> {
        let bind = if barriers.root { "--ro-bind" } else { "--bind" };
        match root {
            Root::Host => {
                self.add([bind, "/usr", "/usr"]);
                for name in ["bin", "sbin", "lib", "lib32", "lib64", "libx32"] {
                    self.top(bind, Path::new("/"), name)?;
                }
            }
            Root::Unpacked(root) => {
                for entry in std::fs::read_dir(root)? {
                    let name = entry?.file_name();
                    if let Some(name) = name.to_str().filter(|name| !OURS.contains(name)) {
                        self.top(bind, root, name)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// An entry of the root: a link as a link, a folder bound.
    fn top(&mut self, bind: &str, root: &Path, name: &str) -> io::Result<()> {
        let (from, to) = (root.join(name), format!("/{name}"));
        match std::fs::symlink_metadata(&from) {
            Ok(about) if about.is_symlink() => {
                self.add([
                    "--symlink".into(),
                    std::fs::read_link(&from)?.into_os_string(),
                    to.into(),
                ]);
            }
            Ok(about) if about.is_dir() => self.add([bind.into(), from.into_os_string(), to.into()]),
            _ => {}
        }
        Ok(())
    }

    fn files(&mut self, shape: &Shape, barriers: &Barriers) {
        if barriers.processes {
            self.add(["--proc", "/proc"]);
        } else {
            self.add(["--ro-bind", "/proc", "/proc"]);
        }
        let size = shape.tmpfs.max(1).to_string();
        // Not bwrap's own /dev: that has terminals, of which the host has a number for all.
        self.add(["--tmpfs", "/dev"]);
        for device in ["null", "zero", "full", "random", "urandom"] {
            let device = format!("/dev/{device}");
            self.add(["--dev-bind", &device, &device]);
        }
        for (name, target) in [
            ("fd", "fd"),
            ("stdin", "fd/0"),
            ("stdout", "fd/1"),
            ("stderr", "fd/2"),
        ] {
            self.add([
                "--symlink",
                &format!("/proc/self/{target}"),
                &format!("/dev/{name}"),
            ]);
        }
        for folder in ["/dev/shm", WORK] {
            if barriers.size {
                self.add(["--size", &size]);
            }
            self.add(["--perms", "1777", "--tmpfs", folder]);
        }
        self.add(["--symlink", WORK, "/tmp", "--chdir", WORK]);
        for path in &barriers.binds {
            self.add([
                "--bind".into(),
                path.clone().into_os_string(),
                path.clone().into_os_string(),
            ]);
        }
        if barriers.root {
            self.add(["--remount-ro", "/dev", "--remount-ro", "/"]);
        }
    }

    fn environment(&mut self, barriers: &Barriers) {
        if barriers.environment {
            self.add(["--clearenv"]);
        }
        for (name, value) in crate::cell::ENVIRONMENT {
            self.add(["--setenv", name, value]);
        }
    }
}

/// What a cell has of its own at the root.
const OURS: [&str; 4] = ["proc", "dev", "work", "tmp"];

/// The barriers that stand.
#[expect(clippy::struct_excessive_bools, reason = "each is a barrier of its own")]
struct Barriers {
    seccomp: bool,
    network: bool,
    processes: bool,
    root: bool,
    capabilities: bool,
    environment: bool,
    size: bool,
    binds: Vec<PathBuf>,
    joined: Option<String>,
}

impl Barriers {
    #[cfg(not(feature = "weakened"))]
    fn of(_settings: &Settings) -> Self {
        Self::all()
    }

    #[cfg(feature = "weakened")]
    fn of(settings: &Settings) -> Self {
        let weakened = &settings.weakened;
        Self {
            seccomp: !weakened.seccomp,
            network: weakened.network.is_none(),
            processes: !weakened.processes,
            root: !weakened.root,
            capabilities: !weakened.capabilities,
            environment: !weakened.environment,
            size: !weakened.working_directory,
            binds: weakened.binds.clone(),
            joined: weakened.network.clone(),
        }
    }

    #[cfg(not(feature = "weakened"))]
    fn all() -> Self {
        Self {
            seccomp: true,
            network: true,
            processes: true,
            root: true,
            capabilities: true,
            environment: true,
            size: true,
            binds: Vec::new(),
            joined: None,
        }
    }

    /// The program; as somebody without rights, where we are root: the kernel asks who that is outside, too.
    fn program(&self, program: &Path, name: &str) -> std::process::Command {
        use std::os::unix::process::CommandExt as _;
        let is_root = rustix::process::geteuid().is_root();
        if let Some(network) = &self.joined {
            let mut command = std::process::Command::new("nsenter");
            command.arg(format!("--net={network}")).arg("setpriv");
            let nobody = NOBODY;
            command.args([
                format!("--reuid={nobody}"),
                format!("--regid={nobody}"),
                "--clear-groups".to_owned(),
            ]);
            command.arg(program);
            return command;
        }
        let mut command = std::process::Command::new(program);
        command.arg0(name);
        if is_root && self.capabilities {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }
}
