//! A worker's own calls through the typed client: fetching, reporting, locking.

use std::collections::BTreeMap;
use std::time::Duration;

use engine_client::fake::{LinearProcess, TaskStep};
use engine_client::{
    BpmnErrorReport, Completion, EngineClient, FailureReport, FetchOrder, FetchRequest, FetchTopic,
    LockedTask, Variable, Variables,
};
use serde_json::json;

use crate::subject::Subject;

contract! {
    a_fetched_task_is_read_whole;
    a_fetch_takes_the_oldest_or_newest_first;
    a_fetch_of_a_topic_meets_each_of_its_conditions;
    a_fetch_brings_the_variables_asked_for;
    a_long_fetch_waits_for_a_task;
    a_failed_task_comes_again_with_what_its_failure_brought;
    a_long_message_of_a_failure_is_cut_by_the_client;
    a_thrown_error_is_caught_with_its_variables;
    an_error_that_nothing_catches_is_told_where_the_engine_enables_that on camunda fake;
    a_task_is_locked_by_its_id;
    reports_on_a_task_that_is_gone_or_anothers_are_told_apart;
}

const MINUTE: Duration = Duration::from_secs(60);

fn number(name: &str, value: i64) -> Variables {
    Variables::from([(name.to_owned(), Variable::Integer(value))])
}

async fn fetch(client: &EngineClient, topic: FetchTopic) -> Vec<LockedTask> {
    let request = FetchRequest::new("w", 10, [topic]);
    client.fetch_and_lock(&request).await.unwrap()
}

async fn fetch_one(subject: &Subject) -> LockedTask {
    let mut tasks = fetch(&subject.client(), FetchTopic::new(&subject.key, MINUTE)).await;
    assert_eq!(tasks.len(), 1, "{tasks:?}");
    tasks.remove(0)
}

async fn a_fetched_task_is_read_whole(subject: Subject) {
    subject
        .deploy_task(|work| work.priority(7).property("retry", "R3/PT1M").input("own", "${n}"))
        .await;
    let client = subject.client();
    let instance = client
        .start_instance(&subject.key, None, Some("bk"), &number("n", 1))
        .await
        .unwrap();
    let task = fetch_one(&subject).await;
    assert_eq!(task.topic_name, subject.key);
    assert_eq!(
        (task.worker_id.as_str(), task.activity_id.as_str()),
        ("w", "work")
    );
    assert_eq!(task.process_instance_id, instance.id);
    assert_eq!(task.process_definition_id, instance.definition_id);
    assert_eq!(task.process_definition_key, subject.key);
    assert_eq!(task.business_key.as_deref(), Some("bk"));
    assert_eq!((task.priority, task.retries, &task.tenant_id), (7, None, &None));
    assert_eq!(task.variables, number("own", 1));
    assert_eq!(task.extension_properties["retry"], "R3/PT1M");
    assert_eq!(task.unreadable, None);
    let shown = client.external_task(&task.id).await.unwrap();
    assert_eq!(shown.lock_expiration_time, task.lock_expiration_time);
    assert_eq!(shown.execution_id, task.execution_id);
    assert_eq!(shown.activity_instance_id, task.activity_instance_id);
}

async fn a_fetch_takes_the_oldest_or_newest_first(subject: Subject) {
    subject.deploy_task(|work| work).await;
    let mut instances = Vec::new();
    for _ in 0..3 {
        // The engine's times are milliseconds: the next one must not have the same.
        tokio::time::sleep(Duration::from_millis(5)).await;
        instances.push(subject.start(json!({})).await);
    }
    for (order, expected) in [
        (FetchOrder::NewestFirst, &instances[2]),
        (FetchOrder::OldestFirst, &instances[0]),
    ] {
        let request = FetchRequest {
            order: Some(order),
            ..FetchRequest::new("w", 1, [FetchTopic::new(&subject.key, MINUTE)])
        };
        let tasks = subject.client().fetch_and_lock(&request).await.unwrap();
        let instances: Vec<_> = tasks.iter().map(|it| &it.process_instance_id).collect();
        assert_eq!(instances, [expected], "{order:?}");
    }
}

async fn a_fetch_of_a_topic_meets_each_of_its_conditions(subject: Subject) {
    let (key, other) = (subject.key.as_str(), format!("{}-other", subject.key));
    let process = |key: &str| LinearProcess::new(key).then(TaskStep::new("work", &subject.key));
    subject.deploy(process(key).version_tag("tagged")).await;
    subject.deploy(process(&other)).await;
    subject.deploy(process(&other).tenant(key)).await;
    let client = subject.client();
    let start = async |of: &str, tenant, business_key, n| {
        let started = client
            .start_instance(of, tenant, business_key, &number("n", n))
            .await;
        started.unwrap()
    };
    let one = start(key, None, Some("bk"), 1).await;
    let two = start(&other, None, None, 2).await;
    let three = start(&other, Some(key), None, 3).await;
    let topic = || FetchTopic::new(key, MINUTE);
    let values = |n: i64| BTreeMap::from([("n".to_owned(), json!(n))]);
    for (topic, mut expected) in [
        (topic(), vec![&one, &two, &three]),
        (
            FetchTopic {
                business_key: Some("bk".to_owned()),
                ..topic()
            },
            vec![&one],
        ),
        (
            FetchTopic {
                process_definition_ids: vec![one.definition_id.clone(), three.definition_id.clone()],
                ..topic()
            },
            vec![&one, &three],
        ),
        (
            FetchTopic {
                process_definition_keys: vec![other.clone(), "nobody".to_owned()],
                ..topic()
            },
            vec![&two, &three],
        ),
        (
            FetchTopic {
                process_definition_version_tag: Some("tagged".to_owned()),
                ..topic()
            },
            vec![&one],
        ),
        (
            FetchTopic {
                without_tenant_id: true,
                ..topic()
            },
            vec![&one, &two],
        ),
        (
            FetchTopic {
                tenant_ids: vec![key.to_owned(), "nobody".to_owned()],
                ..topic()
            },
            vec![&three],
        ),
        (
            FetchTopic {
                process_variables: values(2),
                ..topic()
            },
            vec![&two],
        ),
        (
            FetchTopic {
                process_variables: values(2),
                without_tenant_id: true,
                business_key: Some("bk".to_owned()),
                ..topic()
            },
            vec![],
        ),
    ] {
        let tasks = fetch(&client, topic.clone()).await;
        let mut found: Vec<_> = tasks.iter().map(|it| it.process_instance_id.as_str()).collect();
        found.sort_unstable();
        expected.sort_by_key(|it| &it.id);
        let expected: Vec<_> = expected.iter().map(|it| it.id.as_str()).collect();
        assert_eq!(found, expected, "{topic:?}");
        for task in tasks {
            client.unlock(&task.id).await.unwrap();
        }
    }
}

async fn a_fetch_brings_the_variables_asked_for(subject: Subject) {
    subject
        .deploy_task(|work| work.input("own", "text").property("p", "1"))
        .await;
    subject
        .start(json!({ "a": { "value": 1 }, "b": { "value": 2 } }))
        .await;
    let topic = || FetchTopic::new(&subject.key, MINUTE);
    let some = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
    for (topic, names) in [
        (topic(), vec!["own"]),
        (
            FetchTopic {
                local_variables: false,
                ..topic()
            },
            vec!["a", "b", "own"],
        ),
        (
            FetchTopic {
                local_variables: false,
                variables: some(&["b", "own", "nobody"]),
                ..topic()
            },
            vec!["b", "own"],
        ),
        (
            FetchTopic {
                variables: some(&[]),
                ..topic()
            },
            vec![],
        ),
    ] {
        let task = fetch(&subject.client(), topic.clone()).await.remove(0);
        assert_eq!(task.variables.keys().collect::<Vec<_>>(), names, "{topic:?}");
        assert_eq!(task.extension_properties.len(), 1);
        subject.unlock(&task.id).await;
    }
    let bare = FetchTopic {
        include_extension_properties: false,
        ..topic()
    };
    let task = fetch(&subject.client(), bare).await.remove(0);
    assert!(task.extension_properties.is_empty());
}

async fn a_long_fetch_waits_for_a_task(subject: Subject) {
    subject.deploy_task(|work| work).await;
    let request = FetchRequest {
        long_poll: Duration::from_secs(25),
        ..FetchRequest::new(&subject.key, 1, [FetchTopic::new(&subject.key, MINUTE)])
    };
    let client = subject.client();
    let fetching = async { client.fetch_and_lock(&request).await.unwrap() };
    let (tasks, instance) = tokio::join!(fetching, subject.start(json!({})));
    assert_eq!(tasks[0].process_instance_id, instance);
}

async fn a_failed_task_comes_again_with_what_its_failure_brought(subject: Subject) {
    subject.deploy_task(|work| work).await;
    let instance = subject.start(json!({})).await;
    let client = subject.client();
    let first = fetch_one(&subject).await;
    let report = FailureReport {
        message: "no luck".to_owned(),
        details: "why".to_owned(),
        retries: 3,
        retry_timeout: Duration::from_millis(100),
        variables: number("seen", 1),
        local_variables: number("own", 2),
    };
    client.fail(&first.id, "w", &report).await.unwrap();
    subject.lock_ended(&first.id).await;
    let again = fetch_one(&subject).await;
    assert_eq!((&again.id, again.retries), (&first.id, Some(3)));
    assert_eq!(again.variables, number("own", 2));
    assert!(subject.variable(&instance, "seen").await.is_some());
    client
        .complete(&again.id, "w", &Completion::default())
        .await
        .unwrap();
    assert_eq!(subject.state(&instance).await, "COMPLETED");
}

async fn a_long_message_of_a_failure_is_cut_by_the_client(subject: Subject) {
    let (_, task) = subject.locked_task().await;
    let client = subject.client();
    let report = FailureReport {
        // The engine would cut through the middle of a character.
        message: "x".to_owned() + &"\u{1F600}".repeat(400),
        retries: 1,
        ..FailureReport::default()
    };
    client.fail(&task, "w", &report).await.unwrap();
    let kept = client.external_task(&task).await.unwrap().error_message.unwrap();
    assert!(kept.encode_utf16().count() <= 666, "{kept}");
    assert!(kept.starts_with("x\u{1F600}\u{1F600}"), "{kept}");
}

fn error(code: &str) -> BpmnErrorReport {
    BpmnErrorReport {
        code: code.to_owned(),
        message: "no desks".to_owned(),
        variables: number("left", 0),
    }
}

async fn a_thrown_error_is_caught_with_its_variables(subject: Subject) {
    subject
        .deploy_task(|work| work.catches("OUT_OF_STOCK", "rejected"))
        .await;
    let instance = subject.start(json!({})).await;
    let task = fetch_one(&subject).await;
    let client = subject.client();
    client
        .throw_bpmn_error(&task.id, "w", &error("OUT_OF_STOCK"))
        .await
        .unwrap();
    assert_eq!(subject.visited(&instance).await.last().unwrap(), "rejected");
    let left = subject.variable(&instance, "left").await.unwrap();
    assert_eq!(left, ("Integer".to_owned(), json!(0)));
    let again = client
        .throw_bpmn_error(&task.id, "w", &error("OUT_OF_STOCK"))
        .await;
    assert!(again.unwrap_err().is_not_found());
}

async fn an_error_that_nothing_catches_is_told_where_the_engine_enables_that(subject: Subject) {
    let (instance, task) = subject.locked_task().await;
    let refused = subject
        .client()
        .throw_bpmn_error(&task, "w", &error("NOBODY"))
        .await
        .unwrap_err();
    assert!(refused.is_internal() && !refused.is_transient(), "{refused:?}");
    assert_eq!(subject.state(&instance).await, "ACTIVE");
}

async fn a_task_is_locked_by_its_id(subject: Subject) {
    subject.deploy_task(|work| work).await;
    let instance = subject.start(json!({})).await;
    let client = subject.client();
    let task = client.external_tasks(&instance).await.unwrap().remove(0).id;
    client.lock(&task, "w", MINUTE).await.unwrap();
    let first = client.external_task(&task).await.unwrap();
    assert_eq!(first.worker_id.as_deref(), Some("w"));
    assert!(subject.fetch().await.is_empty(), "nobody else gets it");
    client.lock(&task, "w", MINUTE * 2).await.unwrap();
    let renewed = client.external_task(&task).await.unwrap();
    assert!(renewed.lock_expiration_time > first.lock_expiration_time);
    let other = client.lock(&task, "other", MINUTE).await.unwrap_err();
    assert!(other.is_bad_request() && other.is_not_owner());
    client.unlock(&task).await.unwrap();
    client.lock(&task, "other", MINUTE).await.unwrap();
}

async fn reports_on_a_task_that_is_gone_or_anothers_are_told_apart(subject: Subject) {
    let (_, task) = subject.locked_task().await;
    let client = subject.client();
    let (done, failed) = (Completion::default(), FailureReport::default());
    for refused in [
        client.complete(&task, "other", &done).await,
        client.fail(&task, "other", &failed).await,
        client.throw_bpmn_error(&task, "other", &error("E")).await,
        client.extend_lock(&task, "other", MINUTE).await,
        client.lock(&task, "other", MINUTE).await,
    ] {
        let refused = refused.unwrap_err();
        assert!(refused.is_not_owner() && !refused.is_not_found(), "{refused:?}");
    }
    client.complete(&task, "w", &done).await.unwrap();
    for refused in [
        client.complete(&task, "w", &done).await,
        client.fail(&task, "w", &failed).await,
        client.throw_bpmn_error(&task, "w", &error("E")).await,
        client.extend_lock(&task, "w", MINUTE).await,
        client.lock(&task, "w", MINUTE).await,
        client.unlock(&task).await,
    ] {
        let refused = refused.unwrap_err();
        assert!(refused.is_not_found() && !refused.is_not_owner(), "{refused:?}");
    }
}
