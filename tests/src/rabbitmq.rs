//! A RabbitMQ broker of the tests' own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::{Family, Running, free_port};

const SERVER: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";

/// Runs the broker and Erlang's port mapper until standard input closes, which it also does when the test is killed,
/// then removes the folder. The mapper has to be there first: the broker would else start one that outlives it.
const LIFELINE: &str = r#"
epmd -port "$ERL_EPMD_PORT" -address 127.0.0.1 &
mapper=$!
broker=
trap 'kill $broker; wait $broker; kill $mapper; wait; rm -rf "$HOME"' EXIT
until epmd -port "$ERL_EPMD_PORT" -names >/dev/null 2>&1; do kill -0 $mapper || exit 1; done
"$1" &
broker=$!
read -r _
"#;

/// A RabbitMQ broker from the system's packages, without plugins, on loopback and free ports, with its data in a
/// temporary folder. It ends with the value, and with the test process however that ends.
#[derive(Debug)]
pub struct RabbitMq {
    ports: Ports,
    process: Running,
    folder: TempDir,
}

/// The ports of one broker, the same after a restart.
#[derive(Clone, Copy, Debug)]
struct Ports {
    amqp: u16,
    amqps: u16,
    distribution: u16,
    mapper: u16,
}

impl RabbitMq {
    /// A broker of a test's own, or why there is none.
    ///
    /// # Errors
    /// Where RabbitMQ is not installed.
    ///
    /// # Panics
    /// Where it is and does not run.
    pub fn start() -> Result<Self, &'static str> {
        if !Path::new(SERVER).is_file() {
            return Err(
                "RabbitMQ is not installed: no /usr/lib/rabbitmq/bin (apt-get install rabbitmq-server)",
            );
        }
        let folder = tempfile::Builder::new()
            .prefix("procos-rabbitmq-")
            .tempdir()
            .expect("a folder");
        let ports = Ports {
            amqp: free_port(),
            amqps: free_port(),
            distribution: free_port(),
            mapper: free_port(),
        };
        configure(folder.path(), ports);
        let process = run(folder.path(), ports);
        Ok(Self {
            ports,
            process,
            folder,
        })
    }

    /// Its port for AMQP 0-9-1 on loopback; the user `guest` has the password `guest`.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.ports.amqp
    }

    /// Its encrypted port on loopback, which wants to see a certificate of its authority, such as
    /// [`certificate_file`](Self::certificate_file).
    #[must_use]
    pub fn encrypted_port(&self) -> u16 {
        self.ports.amqps
    }

    /// The file of the authority that has signed its certificate, which is for `localhost`.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }

    /// The file of its certificate, which may be anybody's.
    #[must_use]
    pub fn certificate_file(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }

    /// The file of that certificate's key.
    #[must_use]
    pub fn key_file(&self) -> PathBuf {
        self.folder.path().join("key.pem")
    }

    /// Its queues and how many messages each has, those in somebody's hand included, by name.
    ///
    /// # Panics
    /// Where the broker does not say.
    #[must_use]
    pub fn queues(&self) -> Vec<(String, u64)> {
        let arguments = [
            "--quiet",
            "--formatter",
            "json",
            "list_queues",
            "name",
            "messages",
        ];
        let output = command(
            "/usr/lib/rabbitmq/bin/rabbitmqctl",
            self.folder.path(),
            self.ports,
        )
        .args(arguments)
        .output()
        .expect("rabbitmqctl runs");
        let listed: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
        let mut queues: Vec<(String, u64)> = listed
            .iter()
            .map(|queue| {
                (
                    queue["name"].as_str().expect("a name").to_owned(),
                    queue["messages"].as_u64().expect("a number"),
                )
            })
            .collect();
        queues.sort();
        queues
    }

    /// The broker's processes: to see that they end.
    #[must_use]
    pub fn process(&self) -> &Running {
        &self.process
    }

    /// Its folder; the data is in `data`.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Stops the broker, as the end of the test process does.
    pub fn cut_lifeline(&mut self) {
        drop(self.process.stdin().take());
    }

    /// Kills the broker at once, as a power cut does. Its data stays for [`restart`](Self::restart), which has to wait
    /// until the returned processes are gone.
    #[must_use]
    pub fn kill9(&self) -> Family {
        // The shell first: it would else tidy up.
        let family = self.process.kill9();
        for pid in family.with_command("") {
            if let Some(pid) = Pid::from_raw(pid.cast_signed()) {
                // One that has ended meanwhile is what was wanted.
                let _ = kill_process(pid, Signal::KILL);
            }
        }
        family
    }

    /// Starts the broker again after [`kill9`](Self::kill9), on its data and its ports.
    ///
    /// # Panics
    /// Where it does not run.
    pub fn restart(&mut self) {
        self.process = run(self.folder.path(), self.ports);
    }
}

impl Drop for RabbitMq {
    fn drop(&mut self) {
        self.cut_lifeline();
        let _ = self.process.ends_within(Duration::from_secs(20));
    }
}

fn configure(folder: &Path, ports: Ports) {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    // Whose name is its issuer's signs itself, to Erlang.
    authority
        .distinguished_name
        .push(DnType::CommonName, "The broker's authority");
    let key = KeyPair::generate().expect("a key");
    let authority = CertifiedIssuer::self_signed(authority, key).expect("an authority");
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(["localhost".to_owned()]).expect("a name");
    let certificate = params.signed_by(&key, &authority).expect("a certificate");
    let files = [
        ("authority.pem", authority.pem()),
        ("certificate.pem", certificate.pem()),
        ("key.pem", key.serialize_pem()),
        (
            "rabbitmq.conf",
            format!(
                "listeners.ssl.1 = 127.0.0.1:{}\n\
                 ssl_options.cacertfile = {folder}/authority.pem\n\
                 ssl_options.certfile = {folder}/certificate.pem\n\
                 ssl_options.keyfile = {folder}/key.pem\n\
                 ssl_options.verify = verify_peer\n\
                 ssl_options.fail_if_no_peer_cert = true\n",
                ports.amqps,
                folder = folder.display()
            ),
        ),
    ];
    for (name, content) in files {
        fs::write(folder.join(name), content).expect("a file");
    }
}

fn run(folder: &Path, ports: Ports) -> Running {
    let process = Running::start(
        "RabbitMQ",
        command("/bin/sh", folder, ports).args(["-c", LIFELINE, "rabbitmq", SERVER]),
    );
    process.wait_for_line("Server startup complete", Duration::from_secs(90));
    process
}

/// A program in the broker's environment.
fn command(program: &str, folder: &Path, ports: Ports) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(folder)
        .env("HOME", folder)
        .env("RABBITMQ_MNESIA_BASE", folder.join("data"))
        .env("RABBITMQ_LOG_BASE", folder.join("log"))
        .env("RABBITMQ_LOGS", "-")
        .env("RABBITMQ_ENABLED_PLUGINS_FILE", folder.join("plugins"))
        .env("RABBITMQ_CONF_ENV_FILE", folder.join("environment"))
        .env("RABBITMQ_CONFIG_FILE", folder.join("rabbitmq"))
        .env("RABBITMQ_NODENAME", format!("procos{}@localhost", ports.amqp))
        .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
        .env("RABBITMQ_NODE_PORT", ports.amqp.to_string())
        .env("RABBITMQ_DIST_PORT", ports.distribution.to_string())
        .env("ERL_EPMD_PORT", ports.mapper.to_string())
        .env("ERL_EPMD_ADDRESS", "127.0.0.1")
        .env(
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
            "-kernel inet_dist_use_interface {127,0,0,1}",
        );
    command
}
