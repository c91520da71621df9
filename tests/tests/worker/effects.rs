//! What must not be done twice: kill -9 of a real `procos worker` between every two of its steps, and what a process and
//! an operator make of an outcome that nobody knows.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use tests::{Engine, Finished, Held, Procos, Proxy, Receiver, Running, Scratch, until};
use worker_api::{Answer, BpmnError, Failure, TaskError};

use crate::bench::{Bench, SOON, boundary, extension, property};

/// What comes of a task whose worker is killed at some moment, when another worker gets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// It is completed.
    Completed,
    /// It is an incident that says that its outcome is unknown.
    Unknown,
}

/// Where the worker is killed.
enum Moment {
    /// While its request to the engine with these words is held.
    Engine(&'static [&'static str], Held),
    /// While the service has its request and has not answered.
    Service,
    /// When the service has refused the request, before the engine hears of it.
    Refused,
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_any_two_steps_a_worker_leaves_nothing_that_is_sent_twice() {
    use Held::{Before, Behind};
    use Then::{Completed, Unknown};
    let bed = Bed::new();
    for (what, moment, sent, then) in [
        (
            "the task is fetched",
            Moment::Engine(&["/localVariables", "intent"], Before),
            1,
            Completed,
        ),
        (
            "the intent is written",
            Moment::Engine(&["/localVariables", "intent"], Behind),
            0,
            Unknown,
        ),
        // By its duration: what a killed worker had locked is freed by an extension, too.
        (
            "the lock is about to be confirmed",
            Moment::Engine(&["/extendLock", ":60000"], Before),
            0,
            Unknown,
        ),
        (
            "the lock is confirmed",
            Moment::Engine(&["/extendLock", ":60000"], Behind),
            0,
            Unknown,
        ),
        ("the request is sent", Moment::Service, 1, Unknown),
        ("the service has refused it", Moment::Refused, 0, Unknown),
        (
            "the service has answered",
            Moment::Engine(&["/localVariables", "receipt"], Before),
            1,
            Unknown,
        ),
        (
            "the receipt is written",
            Moment::Engine(&["/localVariables", "receipt"], Behind),
            1,
            Completed,
        ),
        (
            "the completion is about to be sent",
            Moment::Engine(&["/complete"], Before),
            1,
            Completed,
        ),
        (
            "the task is completed",
            Moment::Engine(&["/complete"], Behind),
            1,
            Completed,
        ),
    ] {
        let (sent_then, then_really) = bed.killed_at(&moment).await;
        assert_eq!(
            (sent_then, then_really),
            (sent, then),
            "killed when {what}: how often it was sent, and what came of it"
        );
    }
}

/// A worker on the shared engine, behind a proxy, with a service for its requests.
struct Bed {
    proxy: Proxy,
    receiver: Receiver,
    scratch: Scratch,
    bench: Bench,
}

impl Bed {
    fn new() -> Self {
        let engine = Engine::shared();
        let bed = Self {
            proxy: Proxy::before(engine.address()),
            receiver: Receiver::start(),
            scratch: Scratch::new("effects"),
            bench: Bench::new("effects"),
        };
        let login = json!({"basic": {"username": "worker", "password": engine.password("worker")}});
        let configuration = format!(
            "engine: {{kind: attached, url: \"{}/engine-rest\", auth: {login}}}
http: {{listen: \"127.0.0.1:0\"}}
routes: {{{topic}: {{adapter: http, topic: http_request}}}}
services: {{http: {{default: {{allow: [\"{}\"]}}}}}}
workers: {{pools: [{{name: own, capacity: 4, topics: [{topic}]}}]}}
",
            bed.proxy.address(),
            bed.receiver.address().trim_start_matches("http://"),
            topic = bed.bench.key,
        );
        std::fs::write(bed.scratch.path().join("procos.yml"), configuration).unwrap();
        bed
    }

    fn worker(&self) -> Running {
        let worker = Procos::new(self.scratch.path()).args(["worker"]).spawn();
        worker.wait_for_line("pool starts", Duration::from_secs(60));
        worker
    }

    /// How often the request was sent, and what came of the task.
    async fn killed_at(&self, moment: &Moment) -> (usize, Then) {
        let path = match moment {
            Moment::Service => "run/${execution.processInstanceId}/60000",
            Moment::Engine(..) => "run/${execution.processInstanceId}",
            Moment::Refused => "nowhere",
        };
        self.deploy_post(path, "${status}").await;
        match moment {
            Moment::Engine(words, held) => self.proxy.hold(words, *held),
            Moment::Refused => self.proxy.hold(&["/failure"], Held::Before),
            Moment::Service => {}
        }
        let worker = self.worker();
        let instance = self.bench.start().await;
        match moment {
            Moment::Engine(..) | Moment::Refused => self.proxy.holds().await,
            Moment::Service => {
                until("the service has the request", SOON, async || {
                    match self.sent(&instance) {
                        0 => Err("not yet"),
                        _ => Ok(()),
                    }
                })
                .await;
            }
        }
        worker.kill9().wait_gone(Duration::from_secs(30)).await;

        let next = self.worker();
        let then = until("the task is over", SOON, async || {
            if let Some(incident) = self.bench.engine.incidents(Some(&instance)).await.unwrap().pop() {
                let message = incident.incident_message.unwrap_or_default();
                assert!(message.contains("OUTCOME_UNKNOWN"), "{message}");
                return Ok(Then::Unknown);
            }
            let record = self.bench.engine.instance_record(&instance).await.unwrap();
            if record.state.is_over() {
                Ok(Then::Completed)
            } else {
                Err("it is not")
            }
        })
        .await;
        let sent = self.sent(&instance);
        match then {
            // What the service said is the answer, whoever has heard it.
            Then::Completed => {
                assert_eq!(
                    self.bench.process_variables(&instance).await["status"],
                    json!(200)
                );
            }
            Then::Unknown => {
                let details = self.bench.details(&instance).await;
                assert!(
                    details.contains("gives the task a new attempt, which does it"),
                    "{details}"
                );
                self.bench.engine.cancel_instance(&instance).await.unwrap();
            }
        }
        next.kill9().wait_gone(Duration::from_secs(30)).await;
        (sent, then)
    }

    /// A process of one POST, whose output `status` is computed so.
    async fn deploy_post(&self, path: &str, status: &str) {
        let address = self.receiver.address();
        // Far shorter than what the service takes, and long enough for a busy machine to send it.
        let timeout = if path.ends_with("/59999") { "3s" } else { "90s" };
        let inside = format!(
            r#"<camunda:inputOutput><camunda:inputParameter name="method">POST</camunda:inputParameter>
    <camunda:inputParameter name="url">{address}/{path}</camunda:inputParameter>
    <camunda:inputParameter name="timeout">{timeout}</camunda:inputParameter>
    <camunda:outputParameter name="status">{status}</camunda:outputParameter></camunda:inputOutput>"#
        );
        self.bench.deploy_task(&extension(&inside), "").await;
    }

    /// `procos retry`, with the kernel's login.
    fn retry(&self, instance: &str, arguments: &[&str]) -> Finished {
        let engine = Engine::shared();
        let login = json!({"basic": {"username": "kernel", "password": engine.password("kernel")}});
        let configuration = format!(
            "engine: {{kind: attached, url: \"{}\", auth: {login}}}\n",
            engine.rest_url()
        );
        let file = self.scratch.path().join("kernel.yml");
        std::fs::write(&file, configuration).unwrap();
        let config = ["--config", file.to_str().unwrap(), "retry", instance];
        Procos::new(self.scratch.path())
            .args(config)
            .args(arguments)
            .run()
    }

    fn sent(&self, instance: &str) -> usize {
        self.receiver
            .runs()
            .iter()
            .filter(|run| run.id == instance)
            .count()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn retry_goes_on_with_what_was_done_and_asks_before_it_does_what_may_have_been() {
    let bed = Bed::new();
    let worker = bed.worker();
    // It was done, and the process cannot go on with it.
    bed.deploy_post("run/${execution.processInstanceId}", "${remark}")
        .await;
    let instance = bed.bench.start().await;
    bed.bench.incident(&instance).await;
    // What it was given it had.
    let refused = bed.retry(&instance, &["--var", "method=\"PUT\""]);
    assert!(
        refused
            .stderr
            .contains("leave out --var, and it goes on with the answer that it had"),
        "{refused:?}"
    );
    let retried = bed.retry(&instance, &["--var", "remark=\"mended\""]);
    assert!(
        retried
            .stdout
            .contains("was done already, and goes on with the answer that it had"),
        "{retried:?}"
    );
    bed.bench.completed(&instance).await;
    assert_eq!(bed.sent(&instance), 1);
    assert_eq!(bed.bench.process_variables(&instance).await["status"], "mended");

    // Nobody knows whether it was done.
    bed.deploy_post("run/${execution.processInstanceId}/59999", "${status}")
        .await;
    let instance = bed.bench.start().await;
    bed.bench.incident(&instance).await;
    for arguments in [&[][..], &["--var", "other=1"]] {
        let refused = bed.retry(&instance, arguments);
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(refused.stderr.contains("--again` does it"), "{refused:?}");
    }
    assert_eq!(bed.sent(&instance), 1);
    assert_eq!(bed.retry(&instance, &["--again"]).code, Some(0));
    until("it is sent again", SOON, async || match bed.sent(&instance) {
        2 => Ok(()),
        sent => Err(format!("{sent} times")),
    })
    .await;
    worker.kill9().wait_gone(Duration::from_secs(30)).await;
}

/// A handler that counts its runs and fails once, without saying that nothing was done.
fn fails_once(runs: &Arc<AtomicUsize>) -> impl Fn() -> Result<Answer, TaskError> + Send + Sync + 'static {
    let runs = Arc::clone(runs);
    move || match runs.fetch_add(1, Ordering::SeqCst) {
        0 => Err(Failure::retryable("the line went dead").into()),
        _ => Ok(Answer::new()),
    }
}

#[tokio::test]
async fn an_attempt_that_an_operator_gives_is_made() {
    let bench = Bench::new("given");
    bench.deploy_task("", "").await;
    let runs = Arc::default();
    let (pool, _) = bench.pool_once(fails_once(&runs));
    let instance = bench.start().await;
    let incident = bench.incident(&instance).await;
    let message = incident.incident_message.unwrap();
    assert!(
        message.contains("whether work was done is not known: the line went dead"),
        "{message}"
    );
    assert_eq!(runs.load(Ordering::SeqCst), 1, "it is not tried again by itself");
    let task = bench.engine.external_tasks(&instance).await.unwrap().remove(0);
    bench.engine.set_external_task_retries(&task.id, 1).await.unwrap();
    bench.completed(&instance).await;
    assert_eq!(runs.load(Ordering::SeqCst), 2);
    pool.stop(SOON).await;
}

#[tokio::test]
async fn a_process_takes_over_where_it_catches_the_error() {
    let bench = Bench::new("takes-over");
    bench
        .deploy_task(
            &property("resultVariable", "problem"),
            &boundary("OUTCOME_UNKNOWN"),
        )
        .await;
    let runs = Arc::default();
    let (pool, _) = bench.pool_once(fails_once(&runs));
    let instance = bench.start().await;
    bench.rescued(&instance).await;
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    let problem = &bench.process_variables(&instance).await["problem"];
    assert_eq!(problem["code"], "OUTCOME_UNKNOWN");
    assert!(problem["idempotencyKey"].is_string(), "{problem}");
    pool.stop(SOON).await;
}

#[tokio::test]
async fn a_model_may_say_that_twice_is_no_harm() {
    let bench = Bench::new("no-harm");
    let twice = "<camunda:properties><camunda:property name=\"errorMap\" value=\"OUTCOME_UNKNOWN -&gt; retry\"/>\
                 <camunda:property name=\"retry\" value=\"R3/PT0.1S\"/></camunda:properties>";
    bench.deploy_task(&extension(twice), "").await;
    let runs = Arc::default();
    let (pool, _) = bench.pool_once(fails_once(&runs));
    let instance = bench.start().await;
    bench.completed(&instance).await;
    assert_eq!(runs.load(Ordering::SeqCst), 2);
    pool.stop(SOON).await;
}

/// What is sure to have done nothing is tried again as any failure, and an error of the business is one.
#[tokio::test]
async fn what_has_done_nothing_is_tried_again() {
    let bench = Bench::new("nothing-done");
    bench
        .deploy_task(&property("retry", "R3/PT0.1S"), &boundary("OUT_OF_STOCK"))
        .await;
    let runs = Arc::new(AtomicUsize::new(0));
    let (pool, _) = bench.pool_once({
        let runs = Arc::clone(&runs);
        move || match runs.fetch_add(1, Ordering::SeqCst) {
            0 => Err(Failure::retryable("no line").nothing_done().into()),
            _ => Err(BpmnError::new("OUT_OF_STOCK", "none left").into()),
        }
    });
    let instance = bench.start().await;
    bench.rescued(&instance).await;
    assert_eq!(runs.load(Ordering::SeqCst), 2);
    pool.stop(SOON).await;
}

/// Where a task has no scope of its own, the note stands among the process's variables, and is not the next task's.
#[tokio::test]
async fn the_next_task_in_the_same_scope_is_its_own() {
    let bench = Bench::new("same-scope");
    let flows = r#"<process id="KEY" isExecutable="true" camunda:historyTimeToLive="P1D">
  <startEvent id="start"/><sequenceFlow id="f1" sourceRef="start" targetRef="work"/>
  <serviceTask id="work" camunda:type="external" camunda:topic="TOPIC"/>
  <sequenceFlow id="f2" sourceRef="work" targetRef="again"/>
  <serviceTask id="again" camunda:type="external" camunda:topic="TOPIC"/>
  <sequenceFlow id="f3" sourceRef="again" targetRef="end"/><endEvent id="end"/>
</process>"#;
    bench.deploy(flows).await;
    let runs = Arc::new(AtomicUsize::new(0));
    let (pool, _) = bench.pool_once({
        let runs = Arc::clone(&runs);
        move || {
            runs.fetch_add(1, Ordering::SeqCst);
            Ok(Answer::new())
        }
    });
    let instance = bench.start().await;
    bench.completed(&instance).await;
    assert_eq!(runs.load(Ordering::SeqCst), 2);
    pool.stop(SOON).await;
}
