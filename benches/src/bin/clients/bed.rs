//! The engine that all clients work on, and the work that it gives them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use benches::{Rest, Setup, System, Usage};
use engine_client::{DeploymentRequest, EngineClient, Login, Resource};
use futures::stream::{self, StreamExt, TryStreamExt};
use jiff::Timestamp;
use microkernel::Credentials;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::json;
use tempfile::TempDir;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::job::Job;

/// How many instances are started at once.
const AT_ONCE: usize = 8;

/// How long a poll that somebody has left behind may take to lock a new task: it takes a few milliseconds.
const LEFT_BEHIND: Duration = Duration::from_millis(300);

/// An engine with a login for the driver and one for the clients.
#[derive(Debug)]
pub(crate) struct Bed {
    system: Option<System>,
    jvm: u32,
    client: EngineClient,
    rest: Rest,
    url: String,
    worker_password: String,
    folder: TempDir,
    number: u32,
}

/// A deployment of processes of one external task each: start, task, end. Process and topic share a name.
#[derive(Debug)]
pub(crate) struct Work {
    deployment: String,
    /// The names of the processes.
    pub(crate) names: Vec<String>,
}

/// When an instance began and ended, by the engine's clock, which is this machine's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Life {
    pub(crate) began: Timestamp,
    pub(crate) ended: Timestamp,
}

impl Life {
    /// From beginning to end, in milliseconds.
    pub(crate) fn millis(self) -> f64 {
        self.ended.duration_since(self.began).as_secs_f64() * 1000.0
    }
}

impl Bed {
    /// Boots an engine as `procos` boots it, without workers.
    pub(crate) async fn boot(setup: &Setup) -> anyhow::Result<Self> {
        let folder = folder()?;
        let mut system = System::start(setup, folder.path(), &["--no-workers"])?;
        system.ready().await?;
        let data = system.data().to_owned();
        Self::new(setup.engine_url()?.as_str(), &data, Some(system), folder)
    }

    /// The engine of a `procos up --no-workers` that runs already.
    pub(crate) fn attach(url: &str, data: &Path) -> anyhow::Result<Self> {
        Self::new(url, data, None, folder()?)
    }

    fn new(url: &str, data: &Path, system: Option<System>, folder: TempDir) -> anyhow::Result<Self> {
        let credentials = Credentials::load(data)?;
        let note = data.join("engine.pid");
        let jvm = std::fs::read_to_string(&note).with_context(|| note.display().to_string())?;
        let url = url.trim_end_matches('/');
        let login = Login::Basic {
            username: "kernel".to_owned(),
            password: credentials.kernel.clone(),
        };
        Ok(Self {
            system,
            jvm: jvm.trim().parse().with_context(|| note.display().to_string())?,
            client: EngineClient::new(url.parse()?, login)?,
            rest: Rest::new(url, "kernel", credentials.kernel.expose_secret())?,
            url: url.to_owned(),
            worker_password: credentials.worker.expose_secret().to_owned(),
            folder,
            // Names differ between runs on one engine, too.
            number: std::process::id() * 1000,
        })
    }

    /// The engine's version.
    pub(crate) async fn version(&self) -> anyhow::Result<String> {
        Ok(self.client.version().await?)
    }

    /// What the engine uses.
    pub(crate) fn usage(&self) -> anyhow::Result<Usage> {
        Usage::of(self.jvm)
    }

    /// A new folder for a client.
    pub(crate) fn folder(&mut self) -> anyhow::Result<PathBuf> {
        self.number += 1;
        let folder = self.folder.path().join(format!("client-{}", self.number));
        std::fs::create_dir(&folder)?;
        Ok(folder)
    }

    /// A job on this engine: these topics, and how long their handlers sleep.
    pub(crate) fn job<'a>(
        &self,
        topics: impl IntoIterator<Item = (&'a String, Duration)>,
        slots: usize,
    ) -> Job {
        let topics = topics.into_iter().map(|(topic, sleep)| (topic.clone(), sleep));
        Job {
            url: self.url.clone(),
            username: "worker".to_owned(),
            password: self.worker_password.clone(),
            topics: topics.collect(),
            slots,
        }
    }

    /// Deploys so many processes under names that nobody has used before: no poll that a client has left behind
    /// asks for their tasks.
    pub(crate) async fn deploy(&mut self, processes: usize) -> anyhow::Result<Work> {
        self.number += 1;
        let names = Vec::from_iter((0..processes).map(|index| format!("bench-{}-{index}", self.number)));
        let model: String = names.iter().map(|name| process(name)).collect();
        let resource = Resource {
            name: "bench.bpmn".to_owned(),
            content: format!(
                "<definitions xmlns=\"http://www.omg.org/spec/BPMN/20100524/MODEL\" \
                 xmlns:camunda=\"http://camunda.org/schema/1.0/bpmn\" \
                 targetNamespace=\"urn:bench\">{model}</definitions>"
            )
            .into(),
        };
        let request = DeploymentRequest {
            name: &names[0],
            changed_only: false,
            source: "benches",
            tenant_id: None,
            resources: vec![resource],
        };
        let deployed = self.client.deploy(&request).await?;
        Ok(Work {
            deployment: deployed.id,
            names,
        })
    }

    /// Starts so many instances of a process, several at once.
    pub(crate) async fn feed(&self, name: &str, instances: usize) -> anyhow::Result<()> {
        stream::iter(0..instances)
            .map(|_| self.start(name))
            .buffer_unordered(AT_ONCE)
            .try_for_each(async |()| Ok(()))
            .await
    }

    /// Starts an instance.
    pub(crate) async fn start(&self, name: &str) -> anyhow::Result<()> {
        let path = format!("/process-definition/key/{name}/start");
        let _: serde_json::Value = self.rest.post(&path, &json!({})).await?;
        Ok(())
    }

    /// How many tasks of a topic are not done, or only how many of those are locked.
    pub(crate) async fn left(&self, topic: &str, locked: bool) -> anyhow::Result<usize> {
        #[derive(Deserialize)]
        struct Count {
            count: usize,
        }
        let locked = if locked { "&locked=true" } else { "" };
        let path = format!("/external-task/count?topicName={topic}{locked}");
        Ok(self.rest.get::<Count>(&path).await?.count)
    }

    /// Waits until no task of the topics is left, asking each so often.
    pub(crate) async fn drained(
        &self,
        topics: &[String],
        every: Duration,
        patience: Duration,
    ) -> anyhow::Result<()> {
        let deadline = Instant::now() + patience;
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for topic in topics {
            loop {
                ticks.tick().await;
                let left = self.left(topic, false).await?;
                if left == 0 {
                    break;
                }
                if Instant::now() > deadline {
                    bail!("{left} tasks are not done after {patience:?}");
                }
            }
        }
        Ok(())
    }

    /// When the instances of a process began and ended, the first to end first.
    pub(crate) async fn lives(&self, name: &str) -> anyhow::Result<Vec<Life>> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Record {
            start_time: String,
            end_time: String,
        }
        let path = format!(
            "/history/process-instance?processDefinitionKey={name}&finished=true&sortBy=endTime&sortOrder=asc"
        );
        let records: Vec<Record> = self.rest.get(&path).await?;
        let read = |text: &str| Timestamp::strptime("%Y-%m-%dT%H:%M:%S%.f%z", text);
        let lives = records.iter().map(|record| {
            Ok(Life {
                began: read(&record.start_time)?,
                ended: read(&record.end_time)?,
            })
        });
        lives.collect()
    }

    /// Lets polls that an ended client has left behind run into tasks of this topic until none is left: each would
    /// cost the engine time at whatever the next client does. Gives how many there were.
    pub(crate) async fn flush(&self, topic: &str) -> anyhow::Result<usize> {
        let mut polls = 0;
        loop {
            let before = self.left(topic, true).await?;
            self.start(topic).await?;
            let deadline = Instant::now() + LEFT_BEHIND;
            let mut ticks = interval(Duration::from_millis(20));
            loop {
                ticks.tick().await;
                if self.left(topic, true).await? > before {
                    polls += 1;
                    break;
                }
                if Instant::now() > deadline {
                    return Ok(polls);
                }
            }
        }
    }

    /// Takes the processes out with their instances and their history.
    pub(crate) async fn drop(&self, work: Work) -> anyhow::Result<()> {
        Ok(self.client.delete_deployment(&work.deployment).await?)
    }

    /// Stops the engine, where this booted it.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        match self.system {
            Some(system) => system.stop().await,
            None => Ok(()),
        }
    }
}

fn process(name: &str) -> String {
    format!(
        "<process id=\"{name}\" isExecutable=\"true\" camunda:historyTimeToLive=\"P1D\">\
         <startEvent id=\"start-{name}\"/>\
         <sequenceFlow id=\"f1-{name}\" sourceRef=\"start-{name}\" targetRef=\"work-{name}\"/>\
         <serviceTask id=\"work-{name}\" camunda:type=\"external\" camunda:topic=\"{name}\"/>\
         <sequenceFlow id=\"f2-{name}\" sourceRef=\"work-{name}\" targetRef=\"end-{name}\"/>\
         <endEvent id=\"end-{name}\"/></process>"
    )
}

fn folder() -> anyhow::Result<TempDir> {
    tempfile::Builder::new()
        .prefix("procos-clients-")
        .tempdir()
        .context("a temporary folder")
}
