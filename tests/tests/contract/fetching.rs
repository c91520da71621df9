//! What a fetch asks for and gets.

use engine_client::fake::{LinearProcess, TaskStep};
use serde_json::{Value as Json, json};

use crate::subject::Subject;

contract! {
    a_fetched_task_tells_all_that_a_worker_needs;
    retries_are_null_until_the_first_failure;
    without_a_list_all_variables_come_with_an_empty_one_none;
    local_variables_are_the_tasks_own;
    of_two_topics_with_one_name_the_last_counts;
    empty_topics_give_nothing;
    unknown_fields_are_ignored;
    what_is_missing_is_an_internal_error;
    a_poll_of_more_than_half_an_hour_is_a_bad_request;
    no_more_tasks_come_than_asked_for_of_all_topics_together;
    a_locked_task_is_not_fetched_again;
    a_worker_may_fetch_its_own_expired_task_again;
    higher_priorities_come_first_where_asked_for;
    newer_or_older_tasks_come_first_where_asked_for;
    only_the_topics_own_switch_brings_extension_properties;
    a_property_without_a_value_comes_as_null;
    a_property_without_a_name_locks_the_task_and_answers_with_an_error;
    fetches_can_ask_for_a_definition_business_key_or_variable;
    fetches_can_ask_for_tenants;
}

async fn a_fetched_task_tells_all_that_a_worker_needs(subject: Subject) {
    subject.deploy_task(|work| work.priority(7)).await;
    let instance = subject
        .start_with(json!({ "businessKey": "bk", "variables": { "n": { "value": 1 } } }))
        .await;
    let task = subject.fetch_one().await;
    for (field, expected) in [
        ("workerId", json!("w")),
        ("topicName", json!(subject.key)),
        ("activityId", json!("work")),
        ("processInstanceId", json!(instance)),
        ("processDefinitionKey", json!(subject.key)),
        ("businessKey", json!("bk")),
        ("priority", json!(7)),
        ("tenantId", Json::Null),
        ("errorMessage", Json::Null),
        (
            "variables",
            json!({ "n": { "type": "Integer", "value": 1, "valueInfo": {} } }),
        ),
    ] {
        assert_eq!(task[field], expected, "{field}");
    }
    for field in ["id", "executionId", "activityInstanceId", "processDefinitionId"] {
        assert!(task[field].as_str().is_some_and(|it| !it.is_empty()), "{field}");
    }
    assert_ne!(
        task["executionId"],
        json!(instance),
        "a task has a scope of its own"
    );
    let date = task["lockExpirationTime"].as_str().unwrap();
    assert!(date.len() == 28 && date.ends_with("+0000"), "{date}");
    // The typed client reads it, too.
    let locked = subject.client().locked_by("w").await.unwrap();
    assert!(locked.iter().any(|it| json!(it.id) == task["id"]), "{locked:?}");
}

async fn retries_are_null_until_the_first_failure(subject: Subject) {
    let (_, task) = subject.locked_task().await;
    assert_eq!(subject.task(&task).await["retries"], Json::Null);
    subject
        .report(&task, "failure", json!({ "retries": 2 }))
        .await
        .is_done();
    assert_eq!(subject.fetch_one().await["retries"], json!(2));
}

async fn without_a_list_all_variables_come_with_an_empty_one_none(subject: Subject) {
    subject.deploy_task(|work| work.input("own", "text")).await;
    let variables = json!({ "a": { "value": 1 }, "b": { "value": 2 } });
    subject.start(variables).await;
    for (list, expected) in [
        (json!({}), vec!["a", "b", "own"]),
        (json!({ "variables": null }), vec!["a", "b", "own"]),
        (json!({ "variables": [] }), vec![]),
        (json!({ "variables": ["b", "nobody"] }), vec!["b"]),
    ] {
        let task = subject.fetch_topic(list.clone()).await.remove(0);
        let mut names: Vec<_> = task["variables"].as_object().unwrap().keys().collect();
        names.sort();
        assert_eq!(names, expected, "{list}");
        subject.unlock(task["id"].as_str().unwrap()).await;
    }
}

async fn local_variables_are_the_tasks_own(subject: Subject) {
    let inputs = |work: TaskStep| work.input("copy", "${a}").input("b", "own");
    subject.deploy_task(inputs).await;
    subject
        .start(json!({ "a": { "value": 1 }, "b": { "value": "process" } }))
        .await;
    let task = subject
        .fetch_topic(json!({ "localVariables": true }))
        .await
        .remove(0);
    let names: Vec<_> = task["variables"].as_object().unwrap().keys().collect();
    assert!(names.len() == 2 && !names.contains(&&"a".to_owned()), "{names:?}");
    assert_eq!(task["variables"]["copy"]["value"], json!(1));
    // The inner one hides the process's.
    subject.unlock(task["id"].as_str().unwrap()).await;
    let task = subject.fetch_one().await;
    assert_eq!(task["variables"]["b"]["value"], json!("own"));
}

async fn of_two_topics_with_one_name_the_last_counts(subject: Subject) {
    subject.deploy_task(|work| work).await;
    subject.start(json!({ "a": { "value": 1 } })).await;
    let mut body = subject.fetch_body();
    body["topics"] = json!([
        { "topicName": subject.key, "lockDuration": 60_000, "businessKey": "nobody" },
        { "topicName": subject.key, "lockDuration": 60_000, "variables": [] },
    ]);
    let tasks = subject.fetch_with(body.clone()).await.items();
    assert_eq!(tasks[0]["variables"], json!({}));
    subject.unlock(tasks[0]["id"].as_str().unwrap()).await;
    body["topics"].as_array_mut().unwrap().reverse();
    assert_eq!(subject.fetch_with(body).await.items(), Vec::<Json>::new());
}

async fn empty_topics_give_nothing(subject: Subject) {
    subject.deploy_task(|work| work).await;
    subject.start(json!({})).await;
    let body = json!({ "workerId": "w", "maxTasks": 1, "topics": [] });
    assert!(subject.fetch_with(body).await.items().is_empty());
}

async fn unknown_fields_are_ignored(subject: Subject) {
    subject.deploy_task(|work| work).await;
    subject.start(json!({})).await;
    let mut body = subject.fetch_body();
    body["nonsense"] = json!(1);
    body["topics"][0]["nonsense"] = json!(1);
    assert_eq!(subject.fetch_with(body).await.items().len(), 1);
}

async fn what_is_missing_is_an_internal_error(subject: Subject) {
    for missing in ["workerId", "topicName", "lockDuration"] {
        let mut body = subject.fetch_body();
        body.as_object_mut().unwrap().remove(missing);
        body["topics"][0].as_object_mut().unwrap().remove(missing);
        subject.fetch_with(body).await.refuses_with(500, 0);
    }
    let mut body = subject.fetch_body();
    body["topics"][0]["lockDuration"] = json!(-1);
    subject.fetch_with(body).await.refuses_with(500, 0);
    let mut body = subject.fetch_body();
    body["maxTasks"] = json!("ten");
    subject.fetch_with(body).await.refuses_with(400, Json::Null);
    let mut body = subject.fetch_body();
    body.as_object_mut().unwrap().remove("maxTasks");
    assert!(
        subject.fetch_with(body).await.items().is_empty(),
        "no number is none"
    );
}

async fn a_poll_of_more_than_half_an_hour_is_a_bad_request(subject: Subject) {
    let mut body = subject.fetch_body();
    body["asyncResponseTimeout"] = json!(1_800_001);
    subject.fetch_with(body).await.refuses_with(400, Json::Null);
}

async fn no_more_tasks_come_than_asked_for_of_all_topics_together(subject: Subject) {
    let (hot, cold) = (subject.key.clone(), format!("{}-cold", subject.key));
    for topic in [&hot, &cold] {
        let process = LinearProcess::new(topic).then(TaskStep::new("work", topic));
        subject.deploy(process).await;
        for _ in 0..2 {
            subject
                .post(&format!("/process-definition/key/{topic}/start"), json!({}))
                .await;
        }
    }
    let topics = [&hot, &cold].map(|topic| json!({ "topicName": topic, "lockDuration": 60_000 }));
    let body = json!({ "workerId": "w", "maxTasks": 3, "topics": topics });
    assert_eq!(subject.fetch_with(body.clone()).await.items().len(), 3);
    assert_eq!(subject.fetch_with(body).await.items().len(), 1);
}

async fn a_locked_task_is_not_fetched_again(subject: Subject) {
    subject.locked_task().await;
    assert!(subject.fetch().await.is_empty(), "not by its owner");
    let mut body = subject.fetch_body();
    body["workerId"] = json!("other");
    assert!(subject.fetch_with(body).await.items().is_empty(), "by nobody");
}

async fn a_worker_may_fetch_its_own_expired_task_again(subject: Subject) {
    subject.deploy_task(|work| work).await;
    subject.start(json!({})).await;
    let first = subject
        .fetch_topic(json!({ "lockDuration": 100 }))
        .await
        .remove(0);
    subject.lock_ended(first["id"].as_str().unwrap()).await;
    let again = subject.fetch_one().await;
    assert_eq!(first["id"], again["id"]);
    assert_eq!(again["retries"], Json::Null, "expiry costs no retry");
}

async fn higher_priorities_come_first_where_asked_for(subject: Subject) {
    let topic = subject.key.clone();
    for priority in [1, 30, 20] {
        let key = format!("{topic}-{priority}");
        let step = TaskStep::new("work", &topic).priority(priority);
        subject.deploy(LinearProcess::new(&key).then(step)).await;
        subject
            .post(&format!("/process-definition/key/{key}/start"), json!({}))
            .await;
    }
    let mut body = subject.fetch_body();
    body["usePriority"] = json!(true);
    body["maxTasks"] = json!(1);
    for expected in [30, 20, 1] {
        let task = subject.fetch_with(body.clone()).await.items().remove(0);
        assert_eq!(task["priority"], json!(expected));
    }
}

async fn newer_or_older_tasks_come_first_where_asked_for(subject: Subject) {
    subject.deploy_task(|work| work).await;
    let mut instances = Vec::new();
    for number in 0..3 {
        // The engine's times are milliseconds: the next one must not have the same.
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        instances.push(
            subject
                .start_with(json!({ "businessKey": number.to_string() }))
                .await,
        );
    }
    let mut body = subject.fetch_body();
    body["maxTasks"] = json!(1);
    for (order, expected) in [("desc", &instances[2]), ("asc", &instances[0])] {
        body["sorting"] = json!([{ "sortBy": "createTime", "sortOrder": order }]);
        let task = subject.fetch_with(body.clone()).await.items().remove(0);
        assert_eq!(&task["processInstanceId"], expected, "{order}");
    }
    body["sorting"] = json!([{ "sortBy": "nonsense", "sortOrder": "asc" }]);
    subject.fetch_with(body).await.refuses_with(400, Json::Null);
}

async fn only_the_topics_own_switch_brings_extension_properties(subject: Subject) {
    subject
        .deploy_task(|work| work.property("retry", "R3/PT1M"))
        .await;
    subject.start(json!({})).await;
    let mut body = subject.fetch_body();
    body["includeExtensionProperties"] = json!(true);
    let task = subject.fetch_with(body).await.items().remove(0);
    assert_eq!(task["extensionProperties"], json!({}));
    subject.unlock(task["id"].as_str().unwrap()).await;
    let task = subject
        .fetch_topic(json!({ "includeExtensionProperties": true }))
        .await
        .remove(0);
    assert_eq!(task["extensionProperties"], json!({ "retry": "R3/PT1M" }));
}

async fn a_property_without_a_value_comes_as_null(subject: Subject) {
    subject
        .deploy_task(|work| work.property_without_value("note"))
        .await;
    subject.start(json!({})).await;
    let task = subject
        .fetch_topic(json!({ "includeExtensionProperties": true }))
        .await
        .remove(0);
    assert_eq!(task["extensionProperties"], json!({ "note": null }));
}

async fn a_property_without_a_name_locks_the_task_and_answers_with_an_error(subject: Subject) {
    subject.deploy_task(|work| work.property_without_name("1")).await;
    subject.start(json!({})).await;
    let mut body = subject.fetch_body();
    body["topics"][0]["includeExtensionProperties"] = json!(true);
    subject.fetch_with(body).await.refuses_with(400, Json::Null);
    assert!(subject.fetch().await.is_empty(), "it is locked");
    let list = format!("/external-task?topicName={}&locked=true", subject.key);
    assert_eq!(subject.get(&list).await.items()[0]["workerId"], json!("w"));
}

async fn fetches_can_ask_for_a_definition_business_key_or_variable(subject: Subject) {
    subject.deploy_task(|work| work).await;
    let wanted = subject
        .start_with(json!({ "businessKey": "mine", "variables": { "colour": { "value": "red" } } }))
        .await;
    subject
        .start_with(json!({ "businessKey": "other", "variables": { "colour": { "value": "blue" } } }))
        .await;
    for filter in [
        json!({ "businessKey": "mine" }),
        json!({ "processVariables": { "colour": "red" } }),
        json!({ "processDefinitionKey": subject.key, "businessKey": "mine" }),
        json!({ "processDefinitionKeyIn": [subject.key], "businessKey": "mine" }),
    ] {
        let tasks = subject.fetch_topic(filter.clone()).await;
        assert_eq!(tasks.len(), 1, "{filter}");
        assert_eq!(tasks[0]["processInstanceId"], json!(wanted), "{filter}");
        subject.unlock(tasks[0]["id"].as_str().unwrap()).await;
    }
    let none = json!({ "processDefinitionKey": "nobody" });
    assert!(subject.fetch_topic(none).await.is_empty());
}

async fn fetches_can_ask_for_tenants(subject: Subject) {
    let process = |tenant: Option<&str>| {
        let process = LinearProcess::new(&subject.key).then(TaskStep::new("work", &subject.key));
        match tenant {
            Some(tenant) => process.tenant(tenant),
            None => process,
        }
    };
    let tenant = &subject.key;
    subject.deploy(process(None)).await;
    subject.deploy(process(Some(tenant))).await;
    subject.start(json!({})).await;
    let start = format!("/process-definition/key/{tenant}/tenant-id/{tenant}/start");
    assert_eq!(subject.post(&start, json!({})).await.status, 200);
    for (filter, expected) in [
        (json!({ "tenantIdIn": [tenant] }), json!(tenant)),
        (json!({ "withoutTenantId": true }), Json::Null),
    ] {
        let tasks = subject.fetch_topic(filter.clone()).await;
        let tenants: Vec<_> = tasks.iter().map(|task| &task["tenantId"]).collect();
        assert_eq!(tenants, [&expected], "{filter}");
    }
    let unknown = format!("/process-definition/key/{tenant}/tenant-id/nobody/start");
    assert_eq!(subject.post(&unknown, json!({})).await.status, 404);
}
