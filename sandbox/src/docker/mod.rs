//! The Docker backend: a container for each cell, made ahead, used once and removed.
//!
//! [`body`] says what a container may, [`cell`] is the cell, [`autopsy`] asks what became of one, and [`remains`] removes: what
//! is done with, and what a killed worker has left. Nothing is asked of the daemon between an order and its answer: both go over
//! the stream that was attached before the container started.

mod autopsy;
mod body;
mod cell;
mod remains;
#[cfg(feature = "weakened")]
mod weakened;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bollard::Docker;
use bollard::container::AttachContainerResults;
use bollard::errors::Error;
use bollard::query_parameters::{AttachContainerOptionsBuilder, CreateContainerOptionsBuilder};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use self::cell::DockerCell;
use self::remains::{Container, Remains};
use crate::cell::{Backend, Cell, Shape};
use crate::owner::Owner;
use crate::{SandboxError, Settings, seccomp};

/// The backend's name.
pub(crate) const NAME: &str = "docker";

/// How long the daemon may take to say who it is.
const CONNECT: Duration = Duration::from_secs(10);

/// How long an interpreter may take to start.
const START: Duration = Duration::from_secs(30);

/// Makes cells in a Docker daemon.
pub(crate) struct DockerBackend {
    maker: Arc<Maker>,
}

/// In an [`Arc`]: a container that is begun is finished, so that it can be removed, also where nobody waits for it any more.
struct Maker {
    docker: Docker,
    settings: Settings,
    /// What the daemon takes as a filter of system calls.
    seccomp: String,
    remains: Arc<Remains>,
}

impl DockerBackend {
    /// Connects to the daemon that the environment names (`DOCKER_HOST`), else to this machine's.
    pub(crate) async fn connect(settings: &Settings) -> Result<Self, SandboxError> {
        let unavailable = |said: String| {
            SandboxError::Refused(format!(
                "docker: the daemon cannot be used ({said}): start it, give this user access to its socket or name another in \
                 DOCKER_HOST"
            ))
        };
        let docker = Docker::connect_with_defaults().map_err(|error| unavailable(innermost(&error)))?;
        let docker = timeout(CONNECT, docker.negotiate_version())
            .await
            .map_err(|_| unavailable(format!("no answer within {} s", CONNECT.as_secs())))?
            .map_err(|error| unavailable(innermost(&error)))?;
        // Each backend has notes of its own: what is left of one is found by that one alone.
        let state_dir = settings.state_dir.join(NAME);
        let owner = Owner::register(&state_dir).map_err(|error| {
            SandboxError::Refused(format!(
                "docker: cannot note in {} that it runs: {error}; give this user access to that folder",
                state_dir.display()
            ))
        })?;
        Ok(Self {
            maker: Arc::new(Maker {
                remains: Remains::new(docker.clone(), owner, state_dir),
                docker,
                settings: settings.clone(),
                seccomp: seccomp::docker_profile().to_string(),
            }),
        })
    }
}

#[async_trait]
impl Backend for DockerBackend {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn make(&self, shape: &Shape) -> Result<Box<dyn Cell>, SandboxError> {
        let given_up = CancellationToken::new();
        let _given_up_with_us = given_up.clone().drop_guard();
        let (maker, shape) = (Arc::clone(&self.maker), shape.clone());
        let what = shape.to_string();
        let making = self
            .maker
            .remains
            .tasks()
            .spawn(async move { maker.make(&shape, &given_up).await });
        match making.await {
            Ok(made) => Ok(Box::new(made?)),
            Err(error) => Err(failed(what, error.to_string())),
        }
    }

    async fn clear(&self) -> Result<(), SandboxError> {
        self.maker.remains.of_the_dead().await?;
        self.maker.remains.long_ended().await
    }

    async fn settle(&self) {
        self.maker.remains.settle().await;
    }
}

impl Maker {
    /// The image by its name in the settings, looked at: an image may weaken its containers.
    async fn image(&self, shape: &Shape) -> Result<String, SandboxError> {
        let name = shape.image.as_deref().unwrap_or(shape.language.as_str());
        let Some(image) = self.settings.images.get(name) else {
            return Err(failed(
                name,
                format!("no image has this name: say which it is in procos.yml, in sandbox.images.{name}"),
            ));
        };
        let inspected = match self.docker.inspect_image(image).await {
            Ok(inspected) => inspected,
            Err(Error::DockerResponseServerError { status_code: 404, .. }) => {
                return Err(failed(
                    name,
                    format!(
                        "the image {image} is not here: make it (script/sandbox-images {name}), or name another in \
                         sandbox.images.{name} in procos.yml; it is never pulled unasked"
                    ),
                ));
            }
            Err(error) => return Err(failed(name, innermost(&error))),
        };
        let volumes = inspected
            .config
            .and_then(|config| config.volumes)
            .unwrap_or_default();
        if !volumes.is_empty() {
            return Err(failed(
                name,
                format!(
                    "the image {image} declares volumes ({}), which scripts could fill without a bound: make it without \
                     VOLUME",
                    volumes.join(", ")
                ),
            ));
        }
        // By its id: what was looked at is what is run. Older daemons always tell it.
        Ok(inspected.id.unwrap_or_else(|| image.clone()))
    }

    /// A container whose harness waits. Where it is given up, what was begun goes when this returns.
    async fn make(&self, shape: &Shape, given_up: &CancellationToken) -> Result<DockerCell, SandboxError> {
        let given_up_by_now = || failed(shape, "it was given up".to_owned());
        let image = given_up.run_until_cancelled(self.image(shape)).await;
        let image = image.ok_or_else(given_up_by_now)??;
        let body = body::body(&self.settings, shape, image, &self.seccomp, self.remains.owner());
        let mut container = self.remains.new_container();
        let options = CreateContainerOptionsBuilder::default()
            .name(container.name())
            .build();
        // Not given up half-way: only what is there can be removed.
        if let Err(error) = self.docker.create_container(Some(options), body).await {
            if let Error::DockerResponseServerError { .. } = error {
                container.is_not_there();
            }
            return Err(failed(shape, innermost(&error)));
        }
        let begun = timeout(START, self.start(shape, container));
        match given_up.run_until_cancelled(begun).await {
            Some(Ok(started)) => started,
            Some(Err(_)) => Err(failed(
                shape,
                format!("it is not ready within {} s", START.as_secs()),
            )),
            None => Err(given_up_by_now()),
        }
    }

    async fn start(&self, shape: &Shape, container: Container) -> Result<DockerCell, SandboxError> {
        let options = AttachContainerOptionsBuilder::default()
            .stdin(true)
            .stdout(true)
            .stderr(true)
            .stream(true)
            .build();
        let AttachContainerResults { output, input } = self
            .docker
            .attach_container(container.name(), Some(options))
            .await
            .map_err(|error| failed(shape, innermost(&error)))?;
        let start = self.docker.start_container(container.name(), None).await;
        start.map_err(|error| failed(shape, innermost(&error)))?;
        let mut cell = DockerCell::new(container, output, input);
        match cell.until_ready().await {
            Ok(()) => Ok(cell),
            Err(said) => Err(failed(shape, said)),
        }
    }
}

fn failed(what: impl ToString, said: String) -> SandboxError {
    SandboxError::Start {
        backend: NAME,
        what: what.to_string(),
        said,
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
