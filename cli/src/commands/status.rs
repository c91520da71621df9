//! `procos status`: whether everything runs.

use std::time::Duration;

use engine_client::{EngineClient, EngineError};
use serde::Serialize;

use super::http_port::{self, Pool};
use super::story::is_cause;
use crate::args::StatusArgs;
use crate::context::{Context, connect};
use crate::exit::{Status, Trouble};
use crate::output::{Progress, Theme, say, say_json};

/// The time between two looks while waiting.
const INTERVAL: Duration = Duration::from_millis(250);

/// The answer of `procos status --json`.
#[derive(Debug, Serialize)]
struct Answer {
    /// Whether all parts work. Incidents are trouble of instances, and do not count.
    ready: bool,
    engine: EngineStatus,
    /// The kernel's phase; none where none is known to run.
    kernel: Option<String>,
    pools: Vec<Pool>,
    /// How many open incidents there are; none where the engine cannot be asked.
    incidents: Option<usize>,
    /// How many deployments the kernel has found since its start that came around the gate and that it refuses. As
    /// incidents, they do not count.
    violations: usize,
    /// What is wrong, in words.
    trouble: Vec<String>,
}

#[derive(Debug, Serialize)]
struct EngineStatus {
    url: String,
    version: Option<String>,
}

pub(super) async fn run(args: &StatusArgs, context: &Context) -> Result<Status, Trouble> {
    let (answer, status) = match args.wait {
        None => look(context).await,
        Some(at_most) => wait(context, at_most).await,
    };
    if context.json {
        say_json(&answer)?;
    } else {
        say(&text(&answer, &Theme::stdout()))?;
    }
    Ok(status)
}

async fn wait(context: &Context, at_most: Duration) -> (Answer, Status) {
    let progress = Progress::start("waiting until everything is ready");
    let deadline = tokio::time::Instant::now() + at_most;
    loop {
        let (answer, status) = look(context).await;
        if status == Status::Done || tokio::time::Instant::now() + INTERVAL > deadline {
            return (answer, status);
        }
        if let Some(trouble) = answer.trouble.first() {
            progress.say(trouble.clone());
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

async fn look(context: &Context) -> (Answer, Status) {
    let mut answer = Answer {
        ready: false,
        engine: EngineStatus {
            url: context.config.settings().engine.url.to_string(),
            version: None,
        },
        kernel: None,
        pools: Vec::new(),
        incidents: None,
        violations: 0,
        trouble: Vec::new(),
    };
    let mut status = Status::Done;
    // Anew each time: the login appears with the first boot.
    let asked = match connect(&context.config) {
        Ok(engine) => ask(&engine, &mut answer).await.map_err(Trouble::from),
        Err(trouble) => Err(trouble),
    };
    if let Err(trouble) = asked {
        status = trouble.status;
        answer.trouble.push(trouble.message);
    }
    match http_port::readiness(context).await {
        Ok(readiness) => {
            if !readiness.ready {
                let phase = readiness.kernel.as_deref().unwrap_or("its pools");
                answer.trouble.push(match readiness.draining {
                    true => "procos is about to stop".to_owned(),
                    false => format!("procos is not ready yet ({phase})"),
                });
            }
            let unready = readiness.pools.iter().filter(|pool| !pool.ready);
            answer
                .trouble
                .extend(unready.map(|pool| format!("the pool {} takes no tasks", pool.name)));
            answer.kernel = readiness.kernel;
            answer.pools = readiness.pools;
            answer.violations = readiness.violations;
        }
        Err(trouble) => answer.trouble.push(format!(
            "{trouble}: neither a kernel nor workers of this configuration run; start them with `procos up`"
        )),
    }
    answer.ready = answer.trouble.is_empty();
    if status == Status::Done && !answer.ready {
        status = Status::No;
    }
    (answer, status)
}

async fn ask(engine: &EngineClient, answer: &mut Answer) -> Result<(), EngineError> {
    let version = engine.version().await?;
    answer.engine.version = Some(version);
    let incidents = engine.incidents(None).await?;
    answer.incidents = Some(incidents.iter().filter(|incident| is_cause(incident)).count());
    Ok(())
}

fn text(answer: &Answer, theme: &Theme) -> String {
    let mark = |good: bool| if good { theme.good("✓") } else { theme.bad("✗") };
    let mut lines = vec![match &answer.engine.version {
        Some(version) => format!(
            "{} engine     Camunda {version} at {}",
            mark(true),
            answer.engine.url
        ),
        None => format!("{} engine     at {}", mark(false), answer.engine.url),
    }];
    if let Some(phase) = &answer.kernel {
        lines.push(format!("{} kernel     {phase}", mark(phase == "watching")));
    }
    for pool in &answer.pools {
        let busy = format!("{} of {} busy", pool.in_flight, pool.capacity);
        lines.push(format!(
            "{} workers    pool {}: {busy}",
            mark(pool.ready),
            pool.name
        ));
    }
    match answer.incidents {
        Some(0) => lines.push(format!("{} incidents  none", mark(true))),
        Some(number) => lines.push(format!(
            "{} incidents  {number}; `procos incidents` lists them",
            theme.warn("!")
        )),
        None => {}
    }
    if answer.violations > 0 {
        let deployments = match answer.violations {
            1 => "1 deployment",
            several => &format!("{several} deployments"),
        };
        lines.push(format!(
            "{} gate       {deployments} came around it and would be refused; the kernel's log says which, and what ran",
            theme.warn("!")
        ));
    }
    lines.extend(
        answer
            .trouble
            .iter()
            .map(|trouble| format!("{} {trouble}", mark(false))),
    );
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer() -> Answer {
        Answer {
            ready: true,
            engine: EngineStatus {
                url: "http://127.0.0.1:8080/engine-rest".into(),
                version: Some("7.24.0".into()),
            },
            kernel: Some("watching".into()),
            pools: vec![Pool {
                name: "generic".into(),
                ready: true,
                capacity: 64,
                in_flight: 3,
            }],
            incidents: Some(2),
            violations: 1,
            trouble: Vec::new(),
        }
    }

    #[test]
    fn each_part_has_a_line_and_each_trouble_a_remedy() {
        insta::assert_snapshot!("ready", text(&answer(), &Theme::plain()));
        let mut down = Answer {
            ready: false,
            kernel: None,
            pools: Vec::new(),
            incidents: None,
            violations: 0,
            ..answer()
        };
        down.engine.version = None;
        down.trouble
            .push("the engine cannot be reached; start it with `procos up`".into());
        insta::assert_snapshot!("down", text(&down, &Theme::plain()));
    }

    #[test]
    fn scripts_get_the_same() {
        insta::assert_snapshot!(serde_json::to_string_pretty(&answer()).unwrap());
    }
}
