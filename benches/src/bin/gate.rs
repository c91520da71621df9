//! How long the deploy gate takes: a model of 1 MB, and 1,000 models together. See `--help`.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, ensure};
use benches::{Machine, Spread};
use clap::Parser;
use deploy::{Bundle, GateContext, Model};

/// Measures the deploy gate against what it may take, beside the machine that it was measured on.
#[derive(Debug, Parser)]
#[command(after_help = "\
Examples:
  cargo run --release -p benches --bin gate
  cargo run --release -p benches --bin gate -- --rounds 20")]
struct Args {
    /// How often each is measured
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// Measure a debug build, to try the benchmark itself
    #[arg(long)]
    allow_debug: bool,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gate: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> anyhow::Result<()> {
    ensure!(
        args.allow_debug || !cfg!(debug_assertions),
        "this is a debug build, whose figures say nothing; use `cargo run --release -p benches --bin gate`"
    );
    let large = Bundle::new("large", vec![model("large", 1 << 20)]);
    let many = (0..1000).map(|number| model(&format!("many-{number}"), 4 << 10));
    let many = Bundle::new("many", many.collect());
    let machine = Machine::here()?;
    let load = Machine::load()?;
    println!(
        "{} rounds, {} cores {}, load average {load:.1}\n",
        args.rounds, machine.cores, machine.processor
    );
    println!("{:<28}{:>12}{:>12}{:>12}   TARGET", "", "MIN", "MEDIAN", "MAX");
    for (bundle, what, target) in [
        (&large, "a model of 1 MB", "100 ms"),
        (&many, "1,000 models of 4 kB", "5 s"),
    ] {
        let spread = measure(bundle, args.rounds)?;
        println!(
            "{what:<28}{:>9.1} ms{:>9.1} ms{:>9.1} ms   {target}",
            spread.min, spread.median, spread.max
        );
    }
    Ok(())
}

/// In milliseconds.
fn measure(bundle: &Bundle, rounds: u32) -> anyhow::Result<Spread> {
    let gate = GateContext::default();
    let mut times = Vec::new();
    for _ in 0..rounds {
        let begun = Instant::now();
        let report = bundle.check(&gate);
        times.push(begun.elapsed().as_secs_f64() * 1e3);
        // A model that is given up early would be fast.
        ensure!(
            report.errors == 0,
            "the models are not clean: {:?}",
            report.diagnostics.first()
        );
    }
    Spread::of(times).context("no round")
}

/// A chain of external tasks with inputs and conditions, until it has so many bytes.
fn model(key: &str, bytes: usize) -> Model {
    let mut text = format!(
        r#"<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:camunda="http://camunda.org/schema/1.0/bpmn" targetNamespace="urn:bench">
  <process id="{key}" isExecutable="true" camunda:historyTimeToLive="P1D">
    <startEvent id="step-0"/>
"#
    );
    let mut step = 0;
    while text.len() < bytes {
        let before = step;
        step += 1;
        // Writing into a String does not fail.
        let _ = write!(
            text,
            r#"    <sequenceFlow id="flow-{step}" sourceRef="step-{before}" targetRef="step-{step}"/>
    <serviceTask id="step-{step}" name="Step {step}" camunda:type="external" camunda:topic="http_request">
      <extensionElements><camunda:inputOutput>
        <camunda:inputParameter name="url">${{base}}/orders/${{order.prop('id').value()}}</camunda:inputParameter>
        <camunda:inputParameter name="query"><camunda:map><camunda:entry key="page">${{page + {step}}}</camunda:entry></camunda:map></camunda:inputParameter>
        <camunda:outputParameter name="answer{step}">${{body}}</camunda:outputParameter>
      </camunda:inputOutput></extensionElements>
    </serviceTask>
"#
        );
    }
    let _ = write!(
        text,
        r#"    <sequenceFlow id="flow-end" sourceRef="step-{step}" targetRef="end"/>
    <endEvent id="end"/>
  </process>
</definitions>"#
    );
    let resource = format!("{key}.bpmn");
    Model {
        file: resource.clone(),
        resource,
        content: text.into(),
    }
}
