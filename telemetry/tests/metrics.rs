//! What Prometheus reads.
#![allow(clippy::expect_used, reason = "a helper of tests fails the test")]

use std::io::{ErrorKind, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use insta::assert_snapshot;
use telemetry::metrics::{MAX_SERIES, Metrics, Outcome};

fn busy() -> Metrics {
    let metrics = Metrics::new().expect("a registry");
    let worker = metrics.worker("generic", ["http_request"]);
    worker.started();
    for _ in 0..3 {
        worker.task_started();
    }
    worker.task_finished("http_request", Outcome::Completed, Duration::from_millis(3));
    worker.task_finished("surprise", Outcome::Incident, Duration::from_secs(301));
    worker.fetch_failed();
    metrics.engine_up(true);
    metrics.engine_restarted();
    metrics.backlog([("http_request", 7), ("gone", 1)]);
    metrics.backlog([("http_request", 2), ("http_request", 3)]);
    metrics.kernel_phase("starting");
    metrics.kernel_phase("watching");
    metrics
}

#[test]
fn every_metric_with_its_help() {
    let buckets =
        |line: &&str| !line.contains("_bucket{") || line.contains("le=\"0.005\"") || line.contains("+Inf");
    let text = busy().render();
    assert_snapshot!(text.lines().filter(buckets).collect::<Vec<_>>().join("\n"), @r#"
# HELP procos_active_workers Worker pools that are running, by worker type
# TYPE procos_active_workers gauge
procos_active_workers{worker_type="generic"} 1
# HELP procos_backlog_tasks External tasks that wait for a worker: not locked, with retries left
# TYPE procos_backlog_tasks gauge
procos_backlog_tasks{task_topic="http_request"} 5
# HELP procos_engine_restarts_total Times that the engine was started again after it had ended
# TYPE procos_engine_restarts_total counter
procos_engine_restarts_total 1
# HELP procos_engine_up Whether the engine answers: 1 yes, 0 no
# TYPE procos_engine_up gauge
procos_engine_up 1
# HELP procos_external_task_duration_seconds How long the work of an external task took, from its start in the worker to the outcome
# TYPE procos_external_task_duration_seconds histogram
procos_external_task_duration_seconds_bucket{task_topic="http_request",worker_type="generic",le="0.005"} 1
procos_external_task_duration_seconds_bucket{task_topic="http_request",worker_type="generic",le="+Inf"} 1
procos_external_task_duration_seconds_sum{task_topic="http_request",worker_type="generic"} 0.003
procos_external_task_duration_seconds_count{task_topic="http_request",worker_type="generic"} 1
procos_external_task_duration_seconds_bucket{task_topic="other",worker_type="generic",le="0.005"} 0
procos_external_task_duration_seconds_bucket{task_topic="other",worker_type="generic",le="+Inf"} 1
procos_external_task_duration_seconds_sum{task_topic="other",worker_type="generic"} 301
procos_external_task_duration_seconds_count{task_topic="other",worker_type="generic"} 1
# HELP procos_external_tasks_total Attempts at external tasks, by how they ended
# TYPE procos_external_tasks_total counter
procos_external_tasks_total{outcome="bpmn_error",task_topic="http_request",worker_type="generic"} 0
procos_external_tasks_total{outcome="bpmn_error",task_topic="other",worker_type="generic"} 0
procos_external_tasks_total{outcome="completed",task_topic="http_request",worker_type="generic"} 1
procos_external_tasks_total{outcome="completed",task_topic="other",worker_type="generic"} 0
procos_external_tasks_total{outcome="dropped",task_topic="http_request",worker_type="generic"} 0
procos_external_tasks_total{outcome="dropped",task_topic="other",worker_type="generic"} 0
procos_external_tasks_total{outcome="failed",task_topic="http_request",worker_type="generic"} 0
procos_external_tasks_total{outcome="failed",task_topic="other",worker_type="generic"} 0
procos_external_tasks_total{outcome="incident",task_topic="http_request",worker_type="generic"} 0
procos_external_tasks_total{outcome="incident",task_topic="other",worker_type="generic"} 1
# HELP procos_fetch_errors_total Times that the engine stopped answering a worker pool's fetches
# TYPE procos_fetch_errors_total counter
procos_fetch_errors_total{worker_type="generic"} 1
# HELP procos_kernel_phase The kernel's phase: 1 for the one that it is in
# TYPE procos_kernel_phase gauge
procos_kernel_phase{phase="starting"} 0
procos_kernel_phase{phase="watching"} 1
# HELP procos_tasks_in_flight External tasks that are being worked on now
# TYPE procos_tasks_in_flight gauge
procos_tasks_in_flight{worker_type="generic"} 1
"#);
}

#[test]
fn prometheus_own_checker_has_nothing_to_say() {
    let checker = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut checker = match checker {
        Err(error) if error.kind() == ErrorKind::NotFound && std::env::var_os("CI").is_none() => {
            eprintln!("skipped: promtool is not installed (Debian: apt-get install prometheus)");
            return;
        }
        checker => checker.expect("promtool"),
    };
    let mut input = checker.stdin.take().expect("its input");
    input
        .write_all(busy().render().as_bytes())
        .expect("promtool reads");
    drop(input);
    let output = checker.wait_with_output().expect("promtool ends");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn labels_from_outside_are_bounded() {
    let metrics = Metrics::new().expect("a registry");
    let names: Vec<String> = (0..MAX_SERIES + 50).map(|it| format!("name_{it}")).collect();
    metrics.backlog(names.iter().map(|it| (it.as_str(), 2)));
    let text = metrics.render();
    let series = |of: &str| text.lines().filter(|it| it.starts_with(of)).count();
    assert_eq!(series("procos_backlog_tasks{"), MAX_SERIES + 1);
    assert!(text.contains("procos_backlog_tasks{task_topic=\"other\"} 100"));
}

#[test]
fn two_sets_of_metrics_do_not_meet() {
    let first = busy();
    let second = Metrics::new().expect("a second registry");
    assert!(first.render().contains("procos_engine_up 1"));
    assert!(second.render().contains("procos_engine_up 0"));
}
