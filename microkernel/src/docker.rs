//! The engine in a container of this machine's Docker daemon.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use bollard::Docker;
use bollard::container::{AttachContainerResults, LogOutput};
use bollard::errors::Error;
use bollard::models::{ContainerCreateBody, HostConfig, Mount, MountType, PortBinding};
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, CreateContainerOptionsBuilder, CreateImageOptionsBuilder,
    ListContainersOptionsBuilder, RemoveContainerOptionsBuilder, StopContainerOptionsBuilder,
    WaitContainerOptionsBuilder,
};
use futures::{Stream, StreamExt};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::engine_log::EngineLog;
use crate::exit::Exit;
use crate::settings::DockerSettings;
use crate::{BootError, Event, Observer};

/// The label that says of which data directory a container or volume is.
const LABEL: &str = "procos.engine";

/// Where the engine keeps its files in the container.
pub(crate) const DIRECTORY: &str = "/var/lib/procos";

/// Where it listens in the container.
pub(crate) const PORT: u16 = 8080;

/// How long an engine may take to stop in order, in seconds: it gives itself 10.
const STOP: i32 = 12;

/// How long to wait for the last of its output once it has ended.
const OUTPUT: Duration = Duration::from_secs(1);

/// The daemon, and the identity under which it keeps our containers.
#[derive(Clone)]
pub(crate) struct Daemon {
    docker: Docker,
    id: String,
}

impl Daemon {
    /// Connects; `id` is the data directory's.
    pub(crate) async fn connect(id: &str) -> Result<Self, BootError> {
        let unavailable = |error: Error| BootError::DockerUnavailable {
            said: innermost(&error),
        };
        let docker = Docker::connect_with_defaults().map_err(unavailable)?;
        let docker = docker.negotiate_version().await.map_err(unavailable)?;
        Ok(Self {
            docker,
            id: id.to_owned(),
        })
    }

    /// Sees to it that the image is here.
    pub(crate) async fn image(&self, image: &str, observer: &Observer) -> Result<(), BootError> {
        match self.docker.inspect_image(image).await {
            Ok(_) => return Ok(()),
            Err(Error::DockerResponseServerError { status_code: 404, .. }) => {}
            Err(error) => return Err(failed("look for the image")(error)),
        }
        // Without a tag the daemon would pull all of them.
        let name = image.rsplit('/').next().unwrap_or(image);
        let tagged = if name.contains([':', '@']) {
            image.to_owned()
        } else {
            format!("{image}:latest")
        };
        let options = CreateImageOptionsBuilder::default().from_image(&tagged).build();
        let mut pull = std::pin::pin!(self.docker.create_image(Some(options), None, None));
        while let Some(step) = pull.next().await {
            let step = step.map_err(|error| BootError::ImageMissing {
                image: image.to_owned(),
                said: innermost(&error),
            })?;
            let parts = [step.id, step.status];
            observer(&Event::Pulling {
                image: image.to_owned(),
                detail: parts.into_iter().flatten().collect::<Vec<_>>().join(" "),
            });
        }
        Ok(())
    }

    /// Ends and removes the containers of an earlier kernel, or of a start that was broken off.
    pub(crate) async fn reap(&self, observer: &Observer) -> Result<(), BootError> {
        let filters = HashMap::from([("label", vec![format!("{LABEL}={}", self.id)])]);
        let options = ListContainersOptionsBuilder::default()
            .all(true)
            .filters(&filters)
            .build();
        let found = self
            .docker
            .list_containers(Some(options))
            .await
            .map_err(failed("list containers"))?;
        for container in found.into_iter().filter_map(|it| it.id) {
            observer(&Event::Orphan {
                what: format!("container {}", short(&container)),
            });
            self.end(&container).await?;
        }
        Ok(())
    }

    /// Starts a container: attached first, so that nothing of its output is lost and it gets its settings.
    pub(crate) async fn start(
        &self,
        settings: &DockerSettings,
        address: SocketAddr,
        log: &EngineLog,
    ) -> Result<Container, BootError> {
        let name = format!("procos-engine-{}", short(&self.id));
        let options = CreateContainerOptionsBuilder::default().name(&name).build();
        let create = self
            .docker
            .create_container(Some(options), self.body(settings, address))
            .await;
        let id = create.map_err(failed("create the engine's container"))?.id;
        let options = AttachContainerOptionsBuilder::default()
            .stdin(true)
            .stdout(true)
            .stderr(true)
            .stream(true)
            .build();
        let attach = self.docker.attach_container(&id, Some(options)).await;
        let AttachContainerResults { output, input } =
            attach.map_err(failed("attach to the engine's container"))?;
        let output = tokio::spawn(follow(output, log.clone()));
        let start = self.docker.start_container(&id, None).await;
        start.map_err(failed("start the engine's container"))?;
        Ok(Container {
            daemon: self.clone(),
            id,
            input: Some(Mutex::new(input)),
            output,
            exit: None,
        })
    }

    fn body(&self, settings: &DockerSettings, address: SocketAddr) -> ContainerCreateBody {
        let labels = HashMap::from([(LABEL.to_owned(), self.id.clone())]);
        let port = format!("{PORT}/tcp");
        let binding = PortBinding {
            host_ip: Some(address.ip().to_string()),
            host_port: Some(address.port().to_string()),
        };
        let volume = Mount {
            typ: Some(MountType::VOLUME),
            source: Some(format!("procos-engine-{}", self.id)),
            target: Some(DIRECTORY.to_owned()),
            ..Mount::default()
        };
        ContainerCreateBody {
            image: Some(settings.image.clone()),
            cmd: Some(vec!["--settings=-".to_owned()]),
            labels: Some(labels),
            exposed_ports: Some(vec![port.clone()]),
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            open_stdin: Some(true),
            // The lifeline: the daemon closes it when the attached client goes, however it goes.
            stdin_once: Some(true),
            host_config: Some(HostConfig {
                port_bindings: Some(HashMap::from([(port, Some(vec![binding]))])),
                mounts: Some(vec![volume]),
                memory: settings.memory.and_then(|bytes| i64::try_from(bytes).ok()),
                cap_drop: Some(vec!["ALL".to_owned()]),
                security_opt: Some(vec!["no-new-privileges".to_owned()]),
                // For a database on the host.
                extra_hosts: Some(vec!["host.docker.internal:host-gateway".to_owned()]),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        }
    }

    async fn end(&self, container: &str) -> Result<(), BootError> {
        let stop = StopContainerOptionsBuilder::default().t(STOP).build();
        gone_is_fine(self.docker.stop_container(container, Some(stop)).await)
            .map_err(failed("stop a container"))?;
        let remove = RemoveContainerOptionsBuilder::default().force(true).build();
        gone_is_fine(self.docker.remove_container(container, Some(remove)).await)
            .map_err(failed("remove a container"))
    }
}

/// A running engine. Dropped, its lifeline closes, and it stops.
pub(crate) struct Container {
    daemon: Daemon,
    id: String,
    /// In a mutex that nobody waits for, only so that a kernel can be shared.
    input: Option<Mutex<Pin<Box<dyn AsyncWrite + Send>>>>,
    output: JoinHandle<()>,
    exit: Option<Exit>,
}

impl Container {
    /// Tells it its settings. One that has ended already says so by its exit.
    pub(crate) async fn tell(&mut self, settings_line: &str) {
        if let Some(input) = &mut self.input {
            let input = input.get_mut();
            let _ = input.write_all(settings_line.as_bytes()).await;
            let _ = input.flush().await;
        }
    }

    /// Waits until it ends, and for the last of its output. May be dropped and called again.
    pub(crate) async fn exited(&mut self) -> Exit {
        if let Some(exit) = &self.exit {
            return exit.clone();
        }
        let options = WaitContainerOptionsBuilder::default()
            .condition("not-running")
            .build();
        let mut wait = std::pin::pin!(self.daemon.docker.wait_container(&self.id, Some(options)));
        let exit = match wait.next().await {
            Some(Ok(end)) => Exit::of_container(end.status_code),
            Some(Err(Error::DockerContainerWaitError { code, .. })) => Exit::of_container(code),
            Some(Err(error)) => Exit {
                code: None,
                status: format!("Docker lost it: {}", innermost(&error)),
            },
            None => Exit {
                code: None,
                status: "Docker lost it".to_owned(),
            },
        };
        let _ = timeout(OUTPUT, &mut self.output).await;
        self.exit.insert(exit).clone()
    }

    /// Ends it in order, or after some seconds without, and removes it; its volume stays.
    pub(crate) async fn stop(mut self) -> Result<(), BootError> {
        if let Some(mut input) = self.input.take() {
            let _ = input.get_mut().shutdown().await;
        }
        self.daemon.end(&self.id).await
    }
}

impl Exit {
    fn of_container(code: i64) -> Self {
        Self {
            code: i32::try_from(code).ok(),
            status: format!("exit status: {code}"),
        }
    }
}

async fn follow(mut output: Pin<Box<dyn Stream<Item = Result<LogOutput, Error>> + Send>>, log: EngineLog) {
    let mut rest = Vec::new();
    while let Some(Ok(part)) = output.next().await {
        rest.extend_from_slice(part.as_ref());
        while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            log.line(String::from_utf8_lossy(&line).trim_end());
        }
    }
    if !rest.is_empty() {
        log.line(&String::from_utf8_lossy(&rest));
    }
}

fn gone_is_fine(answer: Result<(), Error>) -> Result<(), Error> {
    match answer {
        // 304: it has stopped already; 404: it is gone; 409: it is being removed.
        Err(Error::DockerResponseServerError {
            status_code: 304 | 404 | 409,
            ..
        }) => Ok(()),
        other => other,
    }
}

fn failed(action: &'static str) -> impl FnOnce(Error) -> BootError {
    move |error| BootError::Docker {
        action,
        said: innermost(&error),
    }
}

/// What the daemon or the system says, without the layers above.
fn innermost(error: &Error) -> String {
    if let Error::DockerResponseServerError { message, .. } = error {
        return message.clone();
    }
    let chain = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    chain.last().map(ToString::to_string).unwrap_or_default()
}

fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

/// Where the engine's H2 lies in the container.
pub(crate) fn directory() -> &'static Path {
    Path::new(DIRECTORY)
}
