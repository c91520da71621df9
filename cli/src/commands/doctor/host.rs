//! This machine: Java, the jar, the data directory, disk, ports, Docker.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::Check;
use crate::commands::http_port;
use crate::config::model::EngineKind;
use crate::context::Context;

const OLDEST_JAVA: u32 = 17;

const MEBI: u64 = 1 << 20;
/// Below this the engine's database may not be able to write any more.
const LEAST_DISK: u64 = 200 * MEBI;
/// Below this it is time to look.
const LITTLE_DISK: u64 = 1024 * MEBI;

pub(super) async fn checks(context: &Context, engine_answers: bool) -> Vec<Check> {
    let settings = context.config.settings();
    let mut checks = Vec::new();
    if settings.engine.kind == EngineKind::Java {
        checks.push(java(context).await);
        checks.push(jar(context));
    }
    checks.extend(data_dir(&settings.data_dir));
    checks.push(disk(&settings.data_dir));
    if settings.engine.kind != EngineKind::Attached && !engine_answers {
        checks.push(engine_port(context));
    }
    checks.push(own_port(context).await);
    checks.push(docker(settings.engine.kind).await);
    checks
}

async fn java(context: &Context) -> Check {
    let configured = context.config.settings().engine.java.clone();
    let home = || std::env::var_os("JAVA_HOME").map(|home| Path::new(&home).join("bin/java"));
    let program = configured
        .or_else(|| home().filter(|java| java.is_file()))
        .unwrap_or_else(|| PathBuf::from("java"));
    let install = "install Java 17 or later (Debian: apt-get install openjdk-17-jre-headless), or name one in engine.java";
    let output = match tokio::process::Command::new(&program)
        .arg("-version")
        .output()
        .await
    {
        Ok(output) => output,
        Err(error) => {
            return Check::trouble(
                "java",
                format!("{} cannot be run: {error}", program.display()),
                install,
            );
        }
    };
    // `openjdk version "17.0.17" 2025-10-21`; of Java 8, `"1.8.0_442"`.
    let said = String::from_utf8_lossy(&output.stderr);
    let version = said.split('"').nth(1).unwrap_or_default();
    let major = version
        .trim_start_matches("1.")
        .split(['.', '-', '+'])
        .next()
        .and_then(|major| major.parse::<u32>().ok());
    match major {
        Some(major) if major >= OLDEST_JAVA => {
            Check::ok("java", format!("{version} ({})", program.display()))
        }
        Some(_) => Check::trouble(
            "java",
            format!("{} is Java {version}; the engine needs 17", program.display()),
            install,
        ),
        None => Check::trouble(
            "java",
            format!("{} does not tell its version", program.display()),
            install,
        ),
    }
}

fn jar(context: &Context) -> Check {
    match crate::run::find_jar(&context.config) {
        Ok(jar) => Check::ok("jar", jar.display().to_string()),
        Err(trouble) => Check::trouble(
            "jar",
            trouble.message,
            "build it with script/up, or name it in engine.jar",
        ),
    }
}

fn data_dir(path: &Path) -> Vec<Check> {
    let secrets = path.join("secrets");
    let mut checks = vec![match std::fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Check::info(
            "data",
            format!(
                "{} is not there yet; the first `procos up` makes it",
                path.display()
            ),
        ),
        Err(error) => Check::trouble(
            "data",
            format!("{}: {error}", path.display()),
            "give your user access to it",
        ),
        Ok(about) if !about.is_dir() => Check::trouble(
            "data",
            format!("{} is no directory", path.display()),
            "move it away, or choose another --data-dir",
        ),
        Ok(_) => match rustix::fs::access(path, rustix::fs::Access::WRITE_OK) {
            Ok(()) => Check::ok("data", path.display().to_string()),
            Err(error) => Check::trouble(
                "data",
                format!("{} cannot be written to: {error}", path.display()),
                format!("chown it to your user: sudo chown -R $(id -u) {}", path.display()),
            ),
        },
    }];
    let files = std::fs::read_dir(&secrets)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()));
    let open: Vec<_> = files
        .filter(|file| is_open(file))
        .map(|file| file.display().to_string())
        .collect();
    if !open.is_empty() {
        let message = format!("others can read {}", open.join(", "));
        checks.push(Check::warning(
            "passwords",
            message,
            format!("chmod 600 {}", open.join(" ")),
        ));
    }
    checks
}

fn is_open(file: &Path) -> bool {
    std::fs::metadata(file).is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o077 != 0)
}

fn disk(data_dir: &Path) -> Check {
    let existing = data_dir
        .ancestors()
        .find(|path| path.exists())
        .unwrap_or(Path::new("."));
    let existing = if existing.as_os_str().is_empty() {
        Path::new(".")
    } else {
        existing
    };
    let about = match rustix::fs::statvfs(existing) {
        Ok(about) => about,
        Err(error) => {
            return Check::warning(
                "disk",
                format!("cannot be told: {error}"),
                "check it by hand: df -h",
            );
        }
    };
    let free = about.f_bavail.saturating_mul(about.f_frsize);
    let message = format!("{} MiB are free where {} lies", free / MEBI, data_dir.display());
    let fix = "make room, or choose another --data-dir";
    match free {
        ..LEAST_DISK => Check::trouble("disk", message, fix),
        LEAST_DISK..LITTLE_DISK => Check::warning("disk", message, fix),
        _ => Check::ok("disk", message),
    }
}

/// The engine does not answer: whether it could be booted where it is to listen.
fn engine_port(context: &Context) -> Check {
    let url = &context.config.settings().engine.url;
    let port = url.port_or_known_default().unwrap_or(8080);
    let addresses = url.socket_addrs(|| None).unwrap_or_default();
    match addresses.first() {
        None => Check::trouble(
            "engine port",
            format!("{url} names no address of this machine"),
            "correct engine.url",
        ),
        Some(address) => free(
            "engine port",
            *address,
            &format!("give engine.url another port than {port}"),
        ),
    }
}

fn free(name: &'static str, address: SocketAddr, fix: &str) -> Check {
    match TcpListener::bind(address) {
        Ok(_) => Check::ok(name, format!("{address} is free")),
        Err(error) if error.kind() == ErrorKind::AddrInUse => Check::trouble(
            name,
            format!("something else listens at {address}"),
            format!("stop it, or {fix}"),
        ),
        Err(error) => Check::trouble(name, format!("cannot listen at {address}: {error}"), fix),
    }
}

async fn own_port(context: &Context) -> Check {
    let address = http_port::address(context);
    match http_port::readiness(context).await {
        Ok(readiness) if readiness.ready => {
            Check::ok("http port", format!("procos answers at {address} and is ready"))
        }
        Ok(readiness) => {
            let phase = readiness.kernel.unwrap_or_else(|| "its pools".to_owned());
            Check::trouble(
                "http port",
                format!("procos answers at {address} and is not ready ({phase})"),
                "look at its log, or wait: `procos status --wait 60s`",
            )
        }
        Err(trouble) => match free("http port", address, "give http.listen another port") {
            check if check.state == super::State::Ok => Check::warning(
                "http port",
                format!("{trouble}: no kernel or worker of this configuration runs"),
                "start them with `procos up`",
            ),
            check => check,
        },
    }
}

async fn docker(kind: EngineKind) -> Check {
    let host = std::env::var("DOCKER_HOST").unwrap_or_else(|_| "unix:///var/run/docker.sock".to_owned());
    let Some(socket) = host.strip_prefix("unix://") else {
        return Check::info("docker", format!("DOCKER_HOST names {host}; not tried"));
    };
    match (tokio::net::UnixStream::connect(socket).await, kind) {
        (Ok(_), _) => Check::ok("docker", format!("a daemon listens at {socket}")),
        (Err(error), EngineKind::Docker) => Check::trouble(
            "docker",
            format!("no daemon at {socket}: {error}"),
            "start Docker, give your user access to its socket, or use engine.kind: java",
        ),
        (Err(_), _) => Check::info(
            "docker",
            format!("no daemon at {socket}; only `engine.kind: docker` needs one"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn a_port_that_is_taken_is_trouble() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        assert_eq!(free("port", address, "take another").state, State::Trouble);
        drop(taken);
        assert_eq!(free("port", address, "take another").state, State::Ok);
    }

    #[test]
    fn a_password_that_others_can_read_is_found() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("secrets")).unwrap();
        let file = directory.path().join("secrets/x-password");
        std::fs::write(&file, "x").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(data_dir(directory.path()).len(), 1);
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(
            data_dir(directory.path())[1]
                .fix
                .as_ref()
                .is_some_and(|fix| fix.starts_with("chmod 600"))
        );
    }
}
