//! Looking for external tasks, and steering them from outside.

use engine_client::fake::{LinearProcess, TaskStep};
use engine_client::{EngineClient, ExternalTaskQuery, FailureReport, FetchRequest, FetchTopic};
use serde_json::json;

use crate::subject::Subject;

contract! {
    tasks_are_found_by_each_filter;
    tasks_come_by_id_and_in_pages;
    a_task_tells_how_it_stands;
    a_tenants_tasks_are_found;
    topics_wait_for_workers_while_a_task_of_them_does;
    those_that_a_worker_could_lock_are_found_by_priority;
    the_tasks_that_a_worker_holds_are_found;
    a_priority_counts_for_the_next_fetch;
    retries_are_given_to_one_task;
    retries_are_given_to_many_tasks_and_instances;
    the_details_of_a_failure_are_found;
    steering_a_task_that_is_gone_is_refused;
}

fn of_topic(topic: &str) -> ExternalTaskQuery<'_> {
    ExternalTaskQuery {
        topic_name: Some(topic),
        ..ExternalTaskQuery::default()
    }
}

/// Locks as many tasks of the case's topic, for a worker called like it.
async fn lock(subject: &Subject, count: usize) -> Vec<engine_client::LockedTask> {
    let topic = FetchTopic::new(&subject.key, std::time::Duration::from_secs(60));
    let request = FetchRequest::new(&subject.key, count, [topic]);
    subject.client().fetch_and_lock(&request).await.unwrap()
}

async fn fail(client: &EngineClient, task: &str, worker: &str, retries: u32) {
    let report = FailureReport {
        message: "no luck".to_owned(),
        details: "why".to_owned(),
        retries,
        ..FailureReport::default()
    };
    client.fail(task, worker, &report).await.unwrap();
}

async fn tasks_are_found_by_each_filter(subject: Subject) {
    subject.deploy_task(|work| work).await;
    for _ in 0..3 {
        subject.start(json!({})).await;
    }
    let client = subject.client();
    let key = subject.key.as_str();
    // One is locked, one has failed for good, one is free.
    let locked = lock(&subject, 2).await;
    fail(&client, &locked[1].id, key, 0).await;
    let (locked, failed) = (&locked[0], &locked[1].id);
    let all = client.find_external_tasks(&of_topic(key)).await.unwrap();
    let ids = [&locked.id, failed];
    let free = &all.iter().find(|it| !ids.contains(&&it.id)).unwrap().id;
    let here = of_topic(key);
    for (query, mut expected) in [
        (here.clone(), vec![&locked.id, failed, free]),
        (of_topic("none"), vec![]),
        (
            ExternalTaskQuery {
                worker_id: Some(key),
                ..ExternalTaskQuery::default()
            },
            vec![&locked.id, failed],
        ),
        (
            ExternalTaskQuery {
                locked: true,
                ..here.clone()
            },
            vec![&locked.id],
        ),
        (
            ExternalTaskQuery {
                not_locked: true,
                ..here.clone()
            },
            vec![failed, free],
        ),
        (
            ExternalTaskQuery {
                with_retries_left: true,
                ..here.clone()
            },
            vec![&locked.id, free],
        ),
        (
            ExternalTaskQuery {
                no_retries_left: true,
                ..here.clone()
            },
            vec![failed],
        ),
        (
            ExternalTaskQuery {
                suspended: true,
                ..here.clone()
            },
            vec![],
        ),
        (
            ExternalTaskQuery {
                activity_id: Some("work"),
                ..here.clone()
            },
            vec![&locked.id, failed, free],
        ),
        (
            ExternalTaskQuery {
                activity_id: Some("start"),
                ..here.clone()
            },
            vec![],
        ),
        (
            ExternalTaskQuery {
                execution_id: Some(&locked.execution_id),
                ..ExternalTaskQuery::default()
            },
            vec![&locked.id],
        ),
        (
            ExternalTaskQuery {
                process_instance_id: Some(&locked.process_instance_id),
                ..ExternalTaskQuery::default()
            },
            vec![&locked.id],
        ),
        (
            ExternalTaskQuery {
                process_definition_id: Some(&locked.process_definition_id),
                ..ExternalTaskQuery::default()
            },
            vec![&locked.id, failed, free],
        ),
        (
            // All that is asked for counts.
            ExternalTaskQuery {
                not_locked: true,
                with_retries_left: true,
                ..here.clone()
            },
            vec![free],
        ),
    ] {
        let found = client.find_external_tasks(&query).await.unwrap();
        let mut ids: Vec<_> = found.iter().map(|it| &it.id).collect();
        ids.sort();
        expected.sort();
        assert_eq!(ids, expected, "{query:?}");
        let count = client.count_external_tasks(&query).await.unwrap();
        assert_eq!(count, expected.len() as u64, "{query:?}");
    }
}

async fn tasks_come_by_id_and_in_pages(subject: Subject) {
    subject.deploy_task(|work| work).await;
    for _ in 0..3 {
        subject.start(json!({})).await;
    }
    let client = subject.client();
    let page = async |first_result, max_results| {
        let query = ExternalTaskQuery {
            first_result,
            max_results,
            ..of_topic(&subject.key)
        };
        let tasks = client.find_external_tasks(&query).await.unwrap();
        tasks.into_iter().map(|task| task.id).collect::<Vec<_>>()
    };
    let all = page(None, None).await;
    assert!(all.len() == 3 && all.is_sorted(), "{all:?}");
    assert_eq!(page(Some(1), None).await, all[1..]);
    assert_eq!(page(None, Some(2)).await, all[..2]);
    assert_eq!(page(Some(1), Some(1)).await, all[1..2]);
}

async fn a_task_tells_how_it_stands(subject: Subject) {
    subject.deploy_task(|work| work.priority(7)).await;
    let instance = subject.start_with(json!({ "businessKey": "bk" })).await;
    let client = subject.client();
    let task = client.external_tasks(&instance).await.unwrap().remove(0);
    assert_eq!((&task.worker_id, task.lock_expiration_time), (&None, None));
    assert_eq!((task.retries, &task.error_message), (None, &None));
    assert_eq!((task.priority, task.suspended), (7, false));
    assert_eq!(task.activity_id, "work");
    assert_eq!(task.process_definition_key, subject.key);
    assert_eq!(task.business_key.as_deref(), Some("bk"));
    // Operaton of this version tells it, too.
    assert!(task.create_time.is_some());
    let locked = lock(&subject, 1).await.remove(0);
    fail(&client, &locked.id, &subject.key, 2).await;
    let task = client.external_task(&task.id).await.unwrap();
    assert_eq!(task.worker_id.as_ref(), Some(&subject.key));
    assert_eq!(task.retries, Some(2));
    assert_eq!(task.error_message.as_deref(), Some("no luck"));
    assert_eq!(task.activity_instance_id, locked.activity_instance_id);
    assert_eq!(task.execution_id, locked.execution_id);
    assert!(task.lock_expiration_time.is_some());
}

async fn a_tenants_tasks_are_found(subject: Subject) {
    let key = subject.key.as_str();
    let process = || LinearProcess::new(key).then(TaskStep::new("work", key));
    subject.deploy(process()).await;
    subject.deploy(process().tenant(key)).await;
    let client = subject.client();
    let none = engine_client::Variables::new();
    for tenant in [None, Some(key)] {
        client.start_instance(key, tenant, None, &none).await.unwrap();
    }
    let query = ExternalTaskQuery {
        tenant_id: Some(key),
        ..ExternalTaskQuery::default()
    };
    let found = client.find_external_tasks(&query).await.unwrap();
    let tenants: Vec<_> = found.iter().map(|it| it.tenant_id.as_deref()).collect();
    assert_eq!(tenants, [Some(key)]);
    assert_eq!(client.count_external_tasks(&of_topic(key)).await.unwrap(), 2);
}

async fn topics_wait_for_workers_while_a_task_of_them_does(subject: Subject) {
    subject.deploy_task(|work| work).await;
    let client = subject.client();
    let times = async || {
        let topics = client.waiting_topics().await.unwrap();
        topics.iter().filter(|topic| **topic == subject.key).count()
    };
    assert_eq!(times().await, 0);
    for _ in 0..2 {
        subject.start(json!({})).await;
    }
    assert_eq!(times().await, 1, "once for all its tasks");
    let locked = lock(&subject, 2).await;
    assert_eq!(times().await, 0, "both are locked");
    fail(&client, &locked[0].id, &subject.key, 0).await;
    assert_eq!(times().await, 0, "nobody may run it");
    client.unlock(&locked[1].id).await.unwrap();
    assert_eq!(times().await, 1);
}

async fn the_tasks_that_a_worker_holds_are_found(subject: Subject) {
    subject.deploy_task(|work| work).await;
    for _ in 0..2 {
        subject.start(json!({})).await;
    }
    let client = subject.client();
    let held = lock(&subject, 1).await.remove(0);
    let found = client.locked_by(&subject.key).await.unwrap();
    let ids: Vec<_> = found.iter().map(|it| &it.id).collect();
    assert_eq!(ids, [&held.id]);
    client.unlock(&held.id).await.unwrap();
    assert!(client.locked_by(&subject.key).await.unwrap().is_empty());
}

async fn those_that_a_worker_could_lock_are_found_by_priority(subject: Subject) {
    subject.deploy_task(|work| work).await;
    for _ in 0..5 {
        subject.start(json!({})).await;
    }
    let client = subject.client();
    let key = subject.key.as_str();
    let locked = lock(&subject, 2).await;
    fail(&client, &locked[1].id, key, 0).await;
    let listed = client.waiting_tasks(key, 10).await.unwrap();
    let mut ids: Vec<String> = listed.into_iter().map(|task| task.id).collect();
    assert_eq!(ids.len(), 3);
    for (id, priority) in ids.iter().zip([7, 9, 8]) {
        client.set_external_task_priority(id, priority).await.unwrap();
    }
    ids.swap(0, 1);
    ids.swap(1, 2);
    let listed = client.waiting_tasks(key, 2).await.unwrap();
    let listed: Vec<&String> = listed.iter().map(|task| &task.id).collect();
    assert_eq!(listed, [&ids[0], &ids[1]]);
    assert!(client.waiting_tasks("none", 10).await.unwrap().is_empty());
}

async fn a_priority_counts_for_the_next_fetch(subject: Subject) {
    subject.deploy_task(|work| work.priority(5)).await;
    let client = subject.client();
    let mut tasks = Vec::new();
    for _ in 0..3 {
        let instance = subject.start(json!({})).await;
        tasks.push(client.external_tasks(&instance).await.unwrap().remove(0).id);
    }
    for (task, priority) in [(&tasks[1], 9), (&tasks[2], -1)] {
        client.set_external_task_priority(task, priority).await.unwrap();
        assert_eq!(client.external_task(task).await.unwrap().priority, priority);
    }
    let topic = FetchTopic::new(&subject.key, std::time::Duration::from_secs(60));
    let request = FetchRequest {
        use_priority: true,
        ..FetchRequest::new("w", 1, [topic])
    };
    for (expected, priority) in [(&tasks[1], 9), (&tasks[0], 5), (&tasks[2], -1)] {
        let task = client.fetch_and_lock(&request).await.unwrap().remove(0);
        assert_eq!((&task.id, task.priority), (expected, priority));
    }
}

async fn retries_are_given_to_one_task(subject: Subject) {
    subject.deploy_task(|work| work).await;
    let instance = subject.start(json!({})).await;
    let client = subject.client();
    let task = lock(&subject, 1).await.remove(0).id;
    fail(&client, &task, &subject.key, 0).await;
    assert_eq!(client.incidents(Some(&instance)).await.unwrap().len(), 1);
    client.set_external_task_retries(&task, 2).await.unwrap();
    assert!(client.incidents(Some(&instance)).await.unwrap().is_empty());
    assert_eq!(lock(&subject, 1).await[0].retries, Some(2));
    client.set_external_task_retries(&task, 0).await.unwrap();
    assert_eq!(client.incidents(Some(&instance)).await.unwrap().len(), 1);
}

async fn retries_are_given_to_many_tasks_and_instances(subject: Subject) {
    subject.deploy_task(|work| work).await;
    for _ in 0..3 {
        subject.start(json!({})).await;
    }
    let client = subject.client();
    let tasks = lock(&subject, 3).await;
    for task in &tasks {
        fail(&client, &task.id, &subject.key, 0).await;
    }
    let (task, instance) = (tasks[0].id.as_str(), tasks[1].process_instance_id.as_str());
    let left = async || {
        let mut left = Vec::new();
        for task in &tasks {
            left.push(client.external_task(&task.id).await.unwrap().retries);
        }
        left
    };
    client
        .set_many_external_task_retries(&[task], &[instance], 3)
        .await
        .unwrap();
    assert_eq!(left().await, [Some(3), Some(3), Some(0)]);
    client
        .set_many_external_task_retries(&[], &[instance], 4)
        .await
        .unwrap();
    assert_eq!(left().await, [Some(3), Some(4), Some(0)]);
    // One that is gone, and nothing changes.
    let refused = client
        .set_many_external_task_retries(&[task, "none"], &[], 5)
        .await;
    assert!(refused.unwrap_err().is_not_found());
    let refused = client.set_many_external_task_retries(&[], &[], 5).await;
    assert!(refused.unwrap_err().is_bad_request());
    assert_eq!(left().await, [Some(3), Some(4), Some(0)]);
    // An instance that is gone has no tasks.
    let refused = client.set_many_external_task_retries(&[], &["none"], 5).await;
    assert!(refused.unwrap_err().is_bad_request());
    client
        .set_many_external_task_retries(&[task], &["none"], 6)
        .await
        .unwrap();
    assert_eq!(left().await[0], Some(6));
}

async fn the_details_of_a_failure_are_found(subject: Subject) {
    subject.deploy_task(|work| work).await;
    let instance = subject.start(json!({})).await;
    let client = subject.client();
    let task = lock(&subject, 1).await.remove(0).id;
    assert_eq!(client.error_details(&task).await.unwrap(), "");
    fail(&client, &task, &subject.key, 1).await;
    assert_eq!(client.error_details(&task).await.unwrap(), "why");
    let records = client.external_task_records(&instance).await.unwrap();
    let details = client.failure_details(&records[1].id).await.unwrap();
    assert_eq!(details, "why");
    assert_eq!(client.failure_details(&records[0].id).await.unwrap(), "");
    let missing = client.failure_details("none").await;
    assert!(missing.unwrap_err().is_not_found());
}

async fn steering_a_task_that_is_gone_is_refused(subject: Subject) {
    let client = subject.client();
    for refused in [
        client.external_task("none").await.map(drop),
        client.set_external_task_priority("none", 1).await,
        client.set_external_task_retries("none", 1).await,
        client.unlock("none").await,
    ] {
        assert!(refused.unwrap_err().is_not_found());
    }
    assert!(client.error_details("none").await.unwrap_err().is_internal());
}
