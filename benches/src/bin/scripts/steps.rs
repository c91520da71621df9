//! A script through engine and worker, as a process has it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use benches::{Setup, System};
use engine_client::{EngineClient, InstanceState, Variables};
use tokio::time::{interval, timeout};

use crate::args::{Args, BackendName};
use crate::cells::FIBONACCI;
use crate::table::Figure;

/// How many steps one instance has.
const STEPS: u32 = 40;

/// Instances before those that count.
const WARM_UP: u32 = 6;

const KEY: &str = "forty_scripts";

/// How long a step takes, of many in a row: the middle of three instances.
pub(crate) async fn measure(backend: BackendName, args: &Args) -> anyhow::Result<Figure> {
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
        steps(&system.engine()?, folder.path(), args).await
    }
    .await;
    system.stop().await?;
    let times = measured.with_context(|| format!("{KEY} on {backend}"))?;
    Figure::times(
        format!("{backend} python, a step of {STEPS} in a row"),
        times,
        target,
    )
    .context("no instance")
}

async fn steps(engine: &EngineClient, folder: &Path, args: &Args) -> anyhow::Result<Vec<f64>> {
    let model = folder.join("forty.bpmn");
    fs::write(&model, forty())?;
    let gate = deploy::GateContext::default();
    deploy::deploy(engine, &deploy::load(&[model])?, None, None, &gate).await?;
    let mut times = Vec::new();
    // The first are to warm up: the engine's compiler, the worker, and the cells that wait for this shape.
    for round in 0..WARM_UP + 3 {
        if round >= WARM_UP {
            // Time for as many cells as shall wait.
            tokio::time::sleep(Duration::from_secs(
                if args.backends.contains(&BackendName::Docker) {
                    25
                } else {
                    2
                },
            ))
            .await;
        }
        let instance = engine.start_instance(KEY, None, None, &Variables::new()).await?;
        let record = timeout(args.patience(), over(engine, &instance.id))
            .await
            .context("it does not end")??;
        if round >= WARM_UP {
            times.push(record / f64::from(STEPS));
        }
    }
    Ok(times)
}

async fn over(engine: &EngineClient, id: &str) -> anyhow::Result<f64> {
    let mut ticks = interval(Duration::from_millis(50));
    loop {
        ticks.tick().await;
        let record = engine.instance_record(id).await?;
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

fn forty() -> String {
    let source = FIBONACCI.replace('<', "&lt;");
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:camunda="http://camunda.org/schema/1.0/bpmn"
             xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" id="d" targetNamespace="http://procos.example">
  <process id="{KEY}" isExecutable="true" camunda:historyTimeToLive="P1D">
    <startEvent id="start"/>
    <sequenceFlow id="a" sourceRef="start" targetRef="fib"/>
    <serviceTask id="fib" name="fib(10)" camunda:type="external" camunda:topic="python_script">
      <extensionElements>
        <camunda:inputOutput>
          <camunda:inputParameter name="script">{source}</camunda:inputParameter>
        </camunda:inputOutput>
      </extensionElements>
      <multiInstanceLoopCharacteristics isSequential="true">
        <loopCardinality xsi:type="tFormalExpression">{STEPS}</loopCardinality>
      </multiInstanceLoopCharacteristics>
    </serviceTask>
    <sequenceFlow id="b" sourceRef="fib" targetRef="end"/>
    <endEvent id="end"/>
  </process>
</definitions>
"#
    )
}
