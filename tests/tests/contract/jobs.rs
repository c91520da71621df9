//! Timers and asynchronous continuations.

use std::time::{Duration, SystemTime};

use engine_client::{EngineClient, Job, JobQuery};
use serde_json::json;
use tests::until;

use crate::models::{broken_flow, flow, model, row, task};
use crate::subject::{SOON, Subject};

contract! {
    a_timer_is_a_job_that_is_due_later on camunda operaton;
    a_timer_is_run_by_a_call_once on camunda operaton;
    jobs_are_found_by_each_filter on camunda operaton;
    jobs_come_by_id_and_in_pages on camunda operaton;
    a_job_that_fails_has_an_exception_and_an_incident on camunda operaton;
    a_failure_of_a_call_costs_an_attempt_and_looks_like_a_job_that_is_gone on camunda operaton;
    retries_end_a_jobs_incident on camunda operaton;
    a_suspended_job_is_run_by_a_call_alone on camunda operaton;
    a_job_that_is_let_go_on_is_run on camunda operaton;
    a_job_is_due_when_it_is_told_to_be on camunda operaton;
    the_dates_of_a_cycle_move_with_the_first_where_asked_for on camunda operaton;
    a_job_that_is_gone_is_told on camunda operaton;
    a_job_that_has_not_failed_has_an_empty_stack_trace on camunda operaton;
}

const HOUR: Duration = Duration::from_secs(3600);

/// An hour's wait, called `wait`.
const WAIT: &str = "<intermediateCatchEvent id=\"wait\"><timerEventDefinition><timeDuration>PT1H</timeDuration>\
                    </timerEventDefinition></intermediateCatchEvent>\n";

/// A step that begins by a job, and fails: `fail` has one attempt.
fn failing(key: &str) -> String {
    let fail = "<intermediateThrowEvent id=\"fail\" camunda:asyncBefore=\"true\"><extensionElements>\
                <camunda:failedJobRetryTimeCycle>R1/PT1H</camunda:failedJobRetryTimeCycle></extensionElements>\
                </intermediateThrowEvent>\n<startEvent id=\"start\"/>\n<endEvent id=\"end\"/>\n";
    let flows = flow("start", "fail") + &broken_flow("fail", "end");
    model(key, "", &(fail.to_owned() + &flows))
}

async fn waiting(subject: &Subject) -> (String, Job) {
    subject.deploy_model(row(&subject.key, &[("wait", WAIT)])).await;
    let instance = subject.start(json!({})).await;
    let job = only_job(&subject.client(), &instance).await;
    (instance, job)
}

async fn only_job(client: &EngineClient, instance: &str) -> Job {
    let mut jobs = client.jobs(instance).await.unwrap();
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    jobs.remove(0)
}

/// An instance with a job that has used up its attempts.
async fn failed(subject: &Subject) -> (String, Job) {
    subject.deploy_model(failing(&subject.key)).await;
    let instance = subject.start(json!({})).await;
    let client = subject.client();
    let job = until("the job has failed", SOON, async || {
        let job = only_job(&client, &instance).await;
        if job.retries == 0 {
            Ok(job)
        } else {
            Err(format!("{job:?}"))
        }
    })
    .await;
    (instance, job)
}

/// The engines run on the test's own machine, and so by its clock.
fn is_near(date: impl Into<SystemTime>, expected: SystemTime) -> bool {
    let date = date.into();
    let apart = date
        .duration_since(expected)
        .or_else(|_| expected.duration_since(date));
    apart.unwrap() < Duration::from_secs(60)
}

async fn a_timer_is_a_job_that_is_due_later(subject: Subject) {
    let (instance, job) = waiting(&subject).await;
    let now = SystemTime::now();
    assert!(is_near(job.due_date.unwrap(), now + HOUR), "{job:?}");
    assert!(is_near(job.create_time.unwrap(), now), "{job:?}");
    assert_eq!(job.process_instance_id, Some(instance));
    assert_eq!(job.process_definition_key.as_ref(), Some(&subject.key));
    assert_eq!((job.retries, job.suspended, job.priority), (3, false, 0));
    assert_eq!((&job.exception_message, &job.tenant_id), (&None, &None));
    let same = subject.client().job(&job.id).await.unwrap();
    assert_eq!((same.id, same.due_date), (job.id, job.due_date));
}

async fn a_timer_is_run_by_a_call_once(subject: Subject) {
    let (instance, job) = waiting(&subject).await;
    let client = subject.client();
    client.execute_job(&job.id).await.unwrap();
    assert_eq!(subject.state(&instance).await, "COMPLETED");
    let again = client.execute_job(&job.id).await;
    assert!(again.unwrap_err().is_not_found());
}

async fn jobs_are_found_by_each_filter(subject: Subject) {
    let client = subject.client();
    // A timer that is suspended, beside a job that has failed.
    let process = "<startEvent id=\"start\"/>\n<parallelGateway id=\"fork\"/>\n<endEvent id=\"end\"/>\n\
                   <intermediateThrowEvent id=\"fail\" camunda:asyncBefore=\"true\"><extensionElements>\
                   <camunda:failedJobRetryTimeCycle>R1/PT1H</camunda:failedJobRetryTimeCycle></extensionElements>\
                   </intermediateThrowEvent>\n"
        .to_owned()
        + WAIT
        + &flow("start", "fork")
        + &flow("fork", "wait")
        + &flow("fork", "fail")
        + &flow("wait", "end")
        + &broken_flow("fail", "end");
    subject.deploy_model(model(&subject.key, "", &process)).await;
    let instance = subject.start(json!({})).await;
    let other = subject.start(json!({})).await;
    let of = |id| JobQuery {
        process_instance_id: Some(id),
        ..JobQuery::default()
    };
    until("both have failed", SOON, async || {
        let query = JobQuery {
            process_definition_key: Some(&subject.key),
            no_retries_left: true,
            ..JobQuery::default()
        };
        match client.count_jobs(&query).await.unwrap() {
            2 => Ok(()),
            count => Err(format!("{count} have")),
        }
    })
    .await;
    let timers = JobQuery {
        timers: true,
        ..of(&instance)
    };
    let timer = client.find_jobs(&timers).await.unwrap().remove(0);
    client.suspend_job(&timer.id, true).await.unwrap();
    let definition = timer.process_definition_id.as_deref();
    let key = Some(subject.key.as_str());
    for (query, expected) in [
        (of(&instance), 2),
        (of(&other), 2),
        (timers, 1),
        (
            JobQuery {
                messages: true,
                ..of(&instance)
            },
            1,
        ),
        (
            JobQuery {
                activity_id: Some("wait"),
                ..of(&instance)
            },
            1,
        ),
        (
            JobQuery {
                activity_id: Some("start"),
                ..of(&instance)
            },
            0,
        ),
        (
            JobQuery {
                executable: true,
                ..of(&instance)
            },
            0,
        ),
        (
            JobQuery {
                with_exception: true,
                ..of(&instance)
            },
            1,
        ),
        (
            JobQuery {
                no_retries_left: true,
                ..of(&instance)
            },
            1,
        ),
        (
            JobQuery {
                suspended: true,
                ..of(&instance)
            },
            1,
        ),
        (
            JobQuery {
                suspended: true,
                ..of(&other)
            },
            0,
        ),
        (
            JobQuery {
                tenant_id: Some("nobody"),
                ..of(&instance)
            },
            0,
        ),
        (
            JobQuery {
                process_definition_key: key,
                ..JobQuery::default()
            },
            4,
        ),
        (
            JobQuery {
                process_definition_id: definition,
                ..JobQuery::default()
            },
            4,
        ),
        (
            JobQuery {
                process_definition_id: Some("none"),
                ..of(&instance)
            },
            0,
        ),
    ] {
        let found = client.find_jobs(&query).await.unwrap();
        assert_eq!(found.len(), expected, "{query:?}: {found:?}");
        let count = client.count_jobs(&query).await.unwrap();
        assert_eq!(count, expected as u64, "{query:?}");
    }
    // What is due and has attempts left; whether it is suspended does not matter.
    let overdue = (SystemTime::now() - HOUR).try_into().unwrap();
    client.set_job_due_date(&timer.id, overdue, false).await.unwrap();
    let executable = JobQuery {
        executable: true,
        ..of(&instance)
    };
    assert_eq!(client.find_jobs(&executable).await.unwrap()[0].id, timer.id);
}

async fn jobs_come_by_id_and_in_pages(subject: Subject) {
    subject.deploy_model(row(&subject.key, &[("wait", WAIT)])).await;
    for _ in 0..3 {
        subject.start(json!({})).await;
    }
    let client = subject.client();
    let page = async |first_result, max_results| {
        let query = JobQuery {
            process_definition_key: Some(&subject.key),
            first_result,
            max_results,
            ..JobQuery::default()
        };
        let jobs = client.find_jobs(&query).await.unwrap();
        jobs.into_iter().map(|job| job.id).collect::<Vec<_>>()
    };
    let all = page(None, None).await;
    assert!(all.len() == 3 && all.is_sorted(), "{all:?}");
    assert_eq!(page(Some(1), None).await, all[1..]);
    assert_eq!(page(None, Some(2)).await, all[..2]);
    assert_eq!(page(Some(1), Some(1)).await, all[1..2]);
}

async fn a_job_that_fails_has_an_exception_and_an_incident(subject: Subject) {
    let (instance, job) = failed(&subject).await;
    let client = subject.client();
    assert_eq!(job.failed_activity_id.as_deref(), Some("fail"));
    let message = job.exception_message.unwrap();
    assert!(message.contains("missing"), "{message}");
    let trace = client.job_stacktrace(&job.id).await.unwrap();
    assert!(trace.contains(&message) && trace.lines().count() > 5, "{trace}");
    let incidents = client.incidents(Some(&instance)).await.unwrap();
    let incident = &incidents[0];
    assert_eq!(incident.incident_type, "failedJob");
    assert_eq!(incident.configuration.as_ref(), Some(&job.id));
    assert_eq!(incident.failed_activity_id.as_deref(), Some("fail"));
}

async fn a_failure_of_a_call_costs_an_attempt_and_looks_like_a_job_that_is_gone(subject: Subject) {
    let (_, job) = failed(&subject).await;
    let client = subject.client();
    // Suspended, nobody else tries meanwhile.
    client.suspend_job(&job.id, true).await.unwrap();
    client.set_job_retries(&job.id, 5).await.unwrap();
    let refused = client.execute_job(&job.id).await;
    assert!(refused.unwrap_err().is_not_found());
    assert_eq!(client.job(&job.id).await.unwrap().retries, 4);
}

async fn retries_end_a_jobs_incident(subject: Subject) {
    let (instance, job) = failed(&subject).await;
    let client = subject.client();
    client.suspend_job(&job.id, true).await.unwrap();
    client.set_job_retries(&job.id, 2).await.unwrap();
    assert_eq!(client.job(&job.id).await.unwrap().retries, 2);
    assert!(client.incidents(Some(&instance)).await.unwrap().is_empty());
    client.set_job_retries(&job.id, 0).await.unwrap();
    assert_eq!(client.incidents(Some(&instance)).await.unwrap().len(), 1);
}

async fn a_suspended_job_is_run_by_a_call_alone(subject: Subject) {
    let (instance, job) = overdue_and_suspended(&subject).await;
    subject.client().execute_job(&job.id).await.unwrap();
    assert_eq!(subject.state(&instance).await, "COMPLETED");
}

async fn a_job_that_is_let_go_on_is_run(subject: Subject) {
    let (instance, job) = overdue_and_suspended(&subject).await;
    subject.client().suspend_job(&job.id, false).await.unwrap();
    went_off(&subject, &instance).await;
}

async fn overdue_and_suspended(subject: &Subject) -> (String, Job) {
    let (instance, job) = waiting(subject).await;
    let client = subject.client();
    client.suspend_job(&job.id, true).await.unwrap();
    let overdue = (SystemTime::now() - HOUR).try_into().unwrap();
    client.set_job_due_date(&job.id, overdue, false).await.unwrap();
    let job = client.job(&job.id).await.unwrap();
    assert!(job.suspended);
    (instance, job)
}

/// Operaton on its defaults looks for due jobs once a minute where it has found none for a while.
const LOOK: Duration = Duration::from_secs(90);

async fn went_off(subject: &Subject, instance: &str) {
    until("the timer has gone off", LOOK, async || {
        match subject.state(instance).await.as_str() {
            "COMPLETED" => Ok(()),
            state => Err(state.to_owned()),
        }
    })
    .await;
}

async fn a_job_is_due_when_it_is_told_to_be(subject: Subject) {
    let (instance, job) = waiting(&subject).await;
    let client = subject.client();
    let later = "2090-05-01T10:00:00.250Z".parse().unwrap();
    client.set_job_due_date(&job.id, later, false).await.unwrap();
    assert_eq!(client.job(&job.id).await.unwrap().due_date, Some(later));
    let now = SystemTime::now().try_into().unwrap();
    client.set_job_due_date(&job.id, now, false).await.unwrap();
    went_off(&subject, &instance).await;
}

async fn the_dates_of_a_cycle_move_with_the_first_where_asked_for(subject: Subject) {
    let cycle = "<startEvent id=\"start\"/>\n<endEvent id=\"end\"/>\n<endEvent id=\"reminded\"/>\n\
                 <boundaryEvent id=\"remind\" attachedToRef=\"work\" cancelActivity=\"false\">\
                 <timerEventDefinition><timeCycle>R5/PT1H</timeCycle></timerEventDefinition></boundaryEvent>\n"
        .to_owned()
        + &task("work", &subject.key)
        + &flow("start", "work")
        + &flow("work", "end")
        + &flow("remind", "reminded");
    subject.deploy_model(model(&subject.key, "", &cycle)).await;
    let client = subject.client();
    for (cascade, expected) in [(false, 60), (true, 30)] {
        let instance = subject.start(json!({})).await;
        let begun = SystemTime::now();
        let first = only_job(&client, &instance).await;
        // Suspended, nobody but the call runs it.
        client.suspend_job(&first.id, true).await.unwrap();
        let sooner = first.due_date.unwrap() - Duration::from_secs(90 * 60);
        client.set_job_due_date(&first.id, sooner, cascade).await.unwrap();
        client.execute_job(&first.id).await.unwrap();
        // After one hour as the model has it, or after two hours less those 90 minutes.
        let next = only_job(&client, &instance).await.due_date.unwrap();
        let expected = begun + Duration::from_secs(expected * 60);
        assert!(is_near(next, expected), "{cascade}: {next}");
    }
}

async fn a_job_that_is_gone_is_told(subject: Subject) {
    let client = subject.client();
    let missing = [
        client.job("none").await.map(drop),
        client.execute_job("none").await,
        client.job_stacktrace("none").await.map(drop),
    ];
    for missing in missing {
        assert!(missing.unwrap_err().is_not_found());
    }
    // Of those that change a job, each has its own opinion.
    let now = SystemTime::now().try_into().unwrap();
    let refused = client.set_job_retries("none", 1).await;
    assert!(refused.unwrap_err().is_internal());
    let refused = client.set_job_due_date("none", now, false).await;
    assert!(refused.unwrap_err().is_internal());
    client.suspend_job("none", true).await.unwrap();
}

async fn a_job_that_has_not_failed_has_an_empty_stack_trace(subject: Subject) {
    let (_, job) = waiting(&subject).await;
    assert_eq!(subject.client().job_stacktrace(&job.id).await.unwrap(), "");
}
