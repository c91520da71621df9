//! The sandbox: a backend that has passed the self-test, and cells that wait for scripts.

use std::fmt;
use std::sync::Arc;

use crate::cell::{Backend, Shape};
use crate::conduct::conduct;
use crate::launcher::Launched;
use crate::selftest::{self, SelfTest};
use crate::shelf::Shelf;
use crate::{
    BackendChoice, Limits, Report, SandboxError, Script, Settings, Tightened, docker::DockerBackend,
};

/// Runs scripts, each in a cell of its own. Cheap to clone.
///
/// [`Self::close`] removes what waits; dropped without it, cells end all the same, and what Docker keeps of them is removed
/// at the next start.
#[derive(Clone)]
pub struct Sandbox {
    inner: Inner,
    limits: Limits,
    self_test: Arc<SelfTest>,
}

#[derive(Clone)]
enum Inner {
    Here(Arc<Shelf>),
    Launched(Arc<Launched>),
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Sandbox")
            .field("self_test", &self.self_test)
            .finish_non_exhaustive()
    }
}

impl Sandbox {
    /// Finds the backend, removes what an earlier life has left, runs the self-test, and begins to make cells.
    ///
    /// # Errors
    /// [`SandboxError::Refused`] where no backend passes; it says of each why.
    pub async fn open(settings: &Settings) -> Result<Self, SandboxError> {
        let candidates = match settings.backend {
            BackendChoice::Auto if settings.launcher.exists() => vec![BackendChoice::Launcher],
            BackendChoice::Auto => vec![BackendChoice::Bubblewrap, BackendChoice::Docker],
            chosen => vec![chosen],
        };
        let mut refused = Vec::new();
        for candidate in candidates {
            match Self::open_one(settings, candidate).await {
                Ok(sandbox) => return Ok(sandbox),
                Err(error) => refused.push(error.to_string()),
            }
        }
        Err(SandboxError::Refused(format!(
            "no sandbox can be used, so scripts are not run: {}",
            refused.join("; ")
        )))
    }

    async fn open_one(settings: &Settings, choice: BackendChoice) -> Result<Self, SandboxError> {
        let backend: Arc<dyn Backend> = match choice {
            BackendChoice::Launcher => return Self::launched(settings).await,
            BackendChoice::Docker => Arc::new(DockerBackend::connect(settings).await?),
            BackendChoice::Bubblewrap | BackendChoice::Auto => bubblewrap(settings).await?,
        };
        backend.clear().await?;
        let self_test = self_test(backend.as_ref(), settings).await?;
        let shelf = Shelf::new(backend, settings.warm);
        for language in &settings.languages {
            shelf.refill(&Shape::new(*language, None, &settings.limits));
        }
        Ok(Self {
            inner: Inner::Here(shelf),
            limits: settings.limits,
            self_test: Arc::new(self_test),
        })
    }

    async fn launched(settings: &Settings) -> Result<Self, SandboxError> {
        let (launched, self_test) = Launched::connect(&settings.launcher).await?;
        Ok(Self {
            inner: Inner::Launched(Arc::new(launched)),
            limits: settings.limits,
            self_test: Arc::new(self_test),
        })
    }

    /// What the backend is, and what it has stopped.
    #[must_use]
    pub fn self_test(&self) -> &SelfTest {
        &self.self_test
    }

    /// What a run may use at most.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// How many cells wait for a run here.
    #[must_use]
    pub fn waiting(&self) -> usize {
        match &self.inner {
            Inner::Here(shelf) => shelf.waiting(),
            Inner::Launched(_) => 0,
        }
    }

    /// Runs a script within these limits, which are never more than the sandbox's own.
    ///
    /// Cancellation: dropped, the future ends the run and everything in it.
    ///
    /// # Errors
    /// What is no fault of the script's: it could not be handed over or no cell be made. How the script itself ended is in the
    /// report.
    pub async fn run(&self, script: &Script, limits: &Limits) -> Result<Report, SandboxError> {
        let limits = self.limits.tightened(&Tightened::from(limits));
        match &self.inner {
            Inner::Launched(launched) => launched.run(script, &limits).await,
            Inner::Here(shelf) => {
                let shape = Shape::new(script.language, script.image.clone(), &limits);
                let mut cell = shelf.take(&shape).await?;
                match conduct(cell.as_mut(), script, &limits).await {
                    // It died while it waited, before it has seen anything of the script.
                    Err(SandboxError::Lost { .. }) => {
                        let mut cell = shelf.take_new(&shape).await?;
                        conduct(cell.as_mut(), script, &limits).await
                    }
                    report => report,
                }
            }
        }
    }

    /// Ends and removes what waits. Runs that are under way go on.
    pub async fn close(&self) {
        if let Inner::Here(shelf) = &self.inner {
            shelf.close().await;
        }
    }
}

#[cfg(target_os = "linux")]
async fn bubblewrap(settings: &Settings) -> Result<Arc<dyn Backend>, SandboxError> {
    Ok(Arc::new(crate::bubblewrap::Bubblewrap::find(settings).await?))
}

#[cfg(not(target_os = "linux"))]
async fn bubblewrap(_: &Settings) -> Result<Arc<dyn Backend>, SandboxError> {
    Err(SandboxError::Refused(
        "bubblewrap: there is none but on Linux".to_owned(),
    ))
}

#[cfg(not(feature = "weakened"))]
async fn self_test(backend: &dyn Backend, settings: &Settings) -> Result<SelfTest, SandboxError> {
    selftest::run(backend, settings).await
}

#[cfg(feature = "weakened")]
async fn self_test(backend: &dyn Backend, settings: &Settings) -> Result<SelfTest, SandboxError> {
    if settings.weakened.unproved {
        return Ok(SelfTest {
            backend: backend.name().to_owned(),
            probes: Vec::new(),
        });
    }
    selftest::run(backend, settings).await
}
