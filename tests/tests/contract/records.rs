//! Instances in the history, and how they hang together.

use engine_client::fake::{LinearProcess, TaskStep};
use engine_client::{InstanceState, RecordQuery, Variables};
use serde_json::json;

use crate::running::call;
use crate::subject::Subject;

contract! {
    records_are_found_by_each_filter;
    records_come_latest_first_and_in_pages;
    a_record_tells_who_called_it on camunda operaton;
    a_call_is_open_until_what_it_called_has_ended on camunda operaton;
    what_an_instance_has_called_is_cancelled_with_it on camunda operaton;
    details_are_kept_on_the_level_full on camunda operaton;
}

fn query<'a>() -> RecordQuery<'a> {
    RecordQuery {
        max_results: 10,
        ..RecordQuery::default()
    }
}

async fn records_are_found_by_each_filter(subject: Subject) {
    let key = subject.key.as_str();
    let process = || LinearProcess::new(key).then(TaskStep::new("work", key));
    subject.deploy(process()).await;
    subject.deploy(process().tenant(key)).await;
    let client = subject.client();
    let none = Variables::new();
    let start = async |tenant, business_key| {
        let started = client.start_instance(key, tenant, business_key, &none).await;
        started.unwrap().id
    };
    let ended = start(None, Some(key)).await;
    client.cancel_instance(&ended).await.unwrap();
    let named = start(None, Some(key)).await;
    let tenants = start(Some(key), None).await;
    let definition = client.definition_by_key(key, None).await.unwrap();
    let of_key = RecordQuery {
        process_definition_key: Some(key),
        ..query()
    };
    for (query, mut expected) in [
        (of_key.clone(), vec![&ended, &named, &tenants]),
        (
            RecordQuery {
                process_definition_key: Some("none"),
                ..query()
            },
            vec![],
        ),
        (
            RecordQuery {
                business_key: Some(key),
                ..query()
            },
            vec![&ended, &named],
        ),
        (
            RecordQuery {
                tenant_id: Some(key),
                ..query()
            },
            vec![&tenants],
        ),
        (
            RecordQuery {
                unfinished: true,
                ..of_key.clone()
            },
            vec![&named, &tenants],
        ),
        (
            RecordQuery {
                finished: true,
                ..of_key.clone()
            },
            vec![&ended],
        ),
        (
            RecordQuery {
                process_definition_id: Some(&definition.id),
                ..query()
            },
            vec![&ended, &named],
        ),
        (
            RecordQuery {
                super_process_instance_id: Some(&named),
                ..of_key.clone()
            },
            vec![],
        ),
    ] {
        let found = client.find_instance_records(&query).await.unwrap();
        let count = client.count_instance_records(&query).await.unwrap();
        assert_eq!(count, found.len() as u64, "{query:?}");
        let mut ids: Vec<_> = found.iter().map(|it| &it.id).collect();
        ids.sort();
        expected.sort();
        assert_eq!(ids, expected, "{query:?}");
    }
    for (running, count) in [(None, 3), (Some(true), 2), (Some(false), 1)] {
        let found = client.instance_records(Some(key), running, 10).await.unwrap();
        assert_eq!(found.len(), count, "{running:?}");
        let as_asked = |over| running.is_none_or(|running| over != running);
        assert!(found.iter().all(|it| as_asked(it.state.is_over())), "{found:?}");
    }
}

async fn records_come_latest_first_and_in_pages(subject: Subject) {
    subject.deploy_task(|work| work).await;
    let mut instances = Vec::new();
    for _ in 0..3 {
        // The engine's times are milliseconds: the next one must not have the same.
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        instances.insert(0, subject.start(json!({})).await);
    }
    let client = subject.client();
    for (first_result, max_results, expected) in [
        (0, 10, &instances[..]),
        (1, 10, &instances[1..]),
        (0, 2, &instances[..2]),
        (1, 1, &instances[1..2]),
    ] {
        let query = RecordQuery {
            process_definition_key: Some(&subject.key),
            first_result,
            max_results,
            ..RecordQuery::default()
        };
        let found = client.find_instance_records(&query).await.unwrap();
        let ids: Vec<_> = found.into_iter().map(|it| it.id).collect();
        assert_eq!(ids, expected, "{query:?}");
    }
    let latest = client
        .instance_records(Some(&subject.key), None, 2)
        .await
        .unwrap();
    let ids: Vec<_> = latest.into_iter().map(|it| it.id).collect();
    assert_eq!(ids, instances[..2]);
}

async fn a_record_tells_who_called_it(subject: Subject) {
    let (caller, called) = call(&subject).await;
    let client = subject.client();
    let query = RecordQuery {
        super_process_instance_id: Some(&caller),
        ..query()
    };
    let found = client.find_instance_records(&query).await.unwrap();
    let shown: Vec<_> = found
        .iter()
        .map(|it| (it.id.as_str(), it.super_process_instance_id.as_deref()))
        .collect();
    assert_eq!(shown, [(called.as_str(), Some(caller.as_str()))]);
    let caller = client.instance_record(&caller).await.unwrap();
    assert_eq!(caller.super_process_instance_id, None);
}

async fn a_call_is_open_until_what_it_called_has_ended(subject: Subject) {
    let (caller, called) = call(&subject).await;
    let client = subject.client();
    let open = client.open_call_activities(&caller).await.unwrap();
    let shown: Vec<_> = open
        .iter()
        .map(|it| (it.activity_id.as_str(), it.called_process_instance_id.as_deref()))
        .collect();
    assert_eq!(shown, [("call", Some(called.as_str()))]);
    // The other kinds of steps are none.
    assert!(client.open_call_activities(&called).await.unwrap().is_empty());
    let task = client.external_tasks(&called).await.unwrap().remove(0);
    subject.report(&task.id, "complete", json!({})).await.is_done();
    assert!(client.open_call_activities(&caller).await.unwrap().is_empty());
    assert_eq!(subject.state(&caller).await, "COMPLETED");
}

async fn what_an_instance_has_called_is_cancelled_with_it(subject: Subject) {
    let (caller, called) = call(&subject).await;
    let client = subject.client();
    client.cancel_instance(&caller).await.unwrap();
    for instance in [&caller, &called] {
        let record = client.instance_record(instance).await.unwrap();
        assert_eq!(record.state, InstanceState::ExternallyTerminated);
        assert!(record.end_time.is_some());
    }
    assert!(subject.fetch().await.is_empty());
}

async fn details_are_kept_on_the_level_full(subject: Subject) {
    subject.deploy_task(|work| work).await;
    subject.start(json!({ "n": { "value": 1 } })).await;
    // It is both engines' level unless somebody sets another.
    assert!(subject.client().keeps_details().await.unwrap());
}
