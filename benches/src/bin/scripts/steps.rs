//! A script through engine and worker, as a process has it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use benches::{Setup, System};
use engine_client::{EngineClient, InstanceState, Variables};
use futures::stream::{self, StreamExt, TryStreamExt};
use tokio::time::{interval, timeout};

use crate::args::{Args, BackendName};
use crate::cells::FIBONACCI;
use crate::table::Figure;

/// How many steps one instance has.
const STEPS: u32 = 40;

/// Instances of scripts before those that count: for the worker's cache, and the shape of cell that shall wait.
const WARM_UP: u32 = 4;

/// How many instances count.
const COUNTED: u32 = 5;

/// How many instances at once warm the engine up.
const AT_ONCE: usize = 8;

/// The key of the process of scripts, and of the same with a task that only renders a text.
const SCRIPTS: &str = "forty_scripts";
const TEXTS: &str = "forty_texts";

/// How long a step takes, of many in a row: with a task of no weight, and with a script.
pub(crate) async fn measure(backend: BackendName, args: &Args) -> anyhow::Result<[Figure; 2]> {
    let setup = Setup::new(args.procos.clone(), args.jar.clone(), None, args.patience())?;
    let folder = tempfile::tempdir()?;
    let (warm, target) = match backend {
        BackendName::Bubblewrap => (8, "≤ 30 ms"),
        // A container takes far longer to make than a step; as many wait as there are steps.
        BackendName::Docker => (STEPS, "≤ 45 ms"),
    };
    fs::write(
        folder.path().join("procos.yml"),
        format!("sandbox: {{backend: {backend}, warm: {warm}}}\n"),
    )?;
    let mut system = System::start(&setup, folder.path(), &[])?;
    let measured = async {
        system.ready().await?;
        let bed = Bed {
            engine: system.engine()?,
            patience: args.patience(),
        };
        bed.deploy(folder.path()).await?;
        bed.warm(args.warm_up).await?;
        anyhow::Ok((bed.texts().await?, bed.scripts(backend).await?))
    }
    .await;
    system.stop().await?;
    let (texts, scripts) = measured.with_context(|| format!("{STEPS} steps on {backend}"))?;
    let figure = |name, times, target| Figure::times(name, times, target).context("no instance");
    Ok([
        figure(
            format!("{backend}: a step without a script, of {STEPS} in a row"),
            texts,
            "",
        )?,
        figure(
            format!("{backend} python, a step of {STEPS} in a row"),
            scripts,
            target,
        )?,
    ])
}

/// An engine with the two processes.
struct Bed {
    engine: EngineClient,
    patience: Duration,
}

impl Bed {
    async fn deploy(&self, folder: &Path) -> anyhow::Result<()> {
        let scripts = folder.join("scripts.bpmn");
        let source = FIBONACCI.replace('<', "&lt;");
        fs::write(&scripts, forty(SCRIPTS, "python_script", &[("script", &source)]))?;
        let texts = folder.join("texts.bpmn");
        let inputs = [("value", "done"), ("template", "{{ value }}")];
        fs::write(&texts, forty(TEXTS, "response_formatting", &inputs))?;
        let gate = deploy::GateContext::default();
        deploy::deploy(&self.engine, &deploy::load(&[scripts, texts])?, None, None, &gate).await?;
        Ok(())
    }

    /// Runs so many tasks through engine and worker: a JVM that has just started is several times slower than later.
    async fn warm(&self, tasks: u32) -> anyhow::Result<()> {
        stream::iter(0..tasks.div_ceil(STEPS))
            .map(|_| self.step(TEXTS))
            .buffer_unordered(AT_ONCE)
            .try_for_each(async |_| Ok(()))
            .await
    }

    async fn texts(&self) -> anyhow::Result<Vec<f64>> {
        let mut times = Vec::new();
        for _ in 0..COUNTED {
            times.push(self.step(TEXTS).await?);
        }
        Ok(times)
    }

    async fn scripts(&self, backend: BackendName) -> anyhow::Result<Vec<f64>> {
        let mut times = Vec::new();
        for round in 0..WARM_UP + COUNTED {
            // Time for as many cells as shall wait; procos does not tell how many do.
            let rest = match backend {
                BackendName::Bubblewrap => Duration::from_secs(1),
                BackendName::Docker => Duration::from_secs(25),
            };
            tokio::time::sleep(rest).await;
            let time = self.step(SCRIPTS).await?;
            if round >= WARM_UP {
                times.push(time);
            }
        }
        Ok(times)
    }

    /// How long a step of an instance takes, in seconds.
    async fn step(&self, key: &str) -> anyhow::Result<f64> {
        let instance = self
            .engine
            .start_instance(key, None, None, &Variables::new())
            .await?;
        let took = timeout(self.patience, self.over(&instance.id))
            .await
            .context("it does not end")??;
        Ok(took / f64::from(STEPS))
    }

    async fn over(&self, id: &str) -> anyhow::Result<f64> {
        let mut ticks = interval(Duration::from_millis(50));
        loop {
            ticks.tick().await;
            let record = self.engine.instance_record(id).await?;
            if record.state.is_over() {
                ensure!(
                    record.state == InstanceState::Completed,
                    "it ended as {:?}",
                    record.state
                );
                let end = record.end_time.context("its end")?;
                let start = record.start_time.context("its start")?;
                return Ok(end.duration_since(start).as_secs_f64());
            }
        }
    }
}

/// A process of one task that is done forty times, one after the other.
fn forty(key: &str, topic: &str, inputs: &[(&str, &str)]) -> String {
    let inputs: String = inputs
        .iter()
        .map(|(name, value)| {
            format!("<camunda:inputParameter name=\"{name}\">{value}</camunda:inputParameter>")
        })
        .collect();
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:camunda="http://camunda.org/schema/1.0/bpmn"
             xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" id="d" targetNamespace="http://procos.example">
  <process id="{key}" isExecutable="true" camunda:historyTimeToLive="P1D">
    <startEvent id="start"/>
    <sequenceFlow id="a" sourceRef="start" targetRef="step"/>
    <serviceTask id="step" camunda:type="external" camunda:topic="{topic}">
      <extensionElements>
        <camunda:inputOutput>{inputs}</camunda:inputOutput>
      </extensionElements>
      <multiInstanceLoopCharacteristics isSequential="true">
        <loopCardinality xsi:type="tFormalExpression">{STEPS}</loopCardinality>
      </multiInstanceLoopCharacteristics>
    </serviceTask>
    <sequenceFlow id="b" sourceRef="step" targetRef="end"/>
    <endEvent id="end"/>
  </process>
</definitions>
"#
    )
}
