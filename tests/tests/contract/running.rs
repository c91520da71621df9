//! Instances while they run: which there are, and what can be done to them.

use engine_client::fake::{LinearProcess, TaskStep};
use engine_client::{Completion, EngineClient, InstanceQuery, InstanceState, TokenMove, Variables};
use serde_json::json;

use crate::models::{row, task};
use crate::subject::Subject;

contract! {
    running_instances_are_found_by_each_filter;
    a_caller_is_found_by_what_it_has_called on camunda operaton;
    a_suspended_instance_gives_no_work_and_takes_none on camunda operaton;
    suspending_what_does_not_run_is_no_error on camunda operaton;
    an_instance_is_cancelled_once;
    tokens_are_moved_back_and_forth on camunda operaton;
    mappings_are_left_out_on_the_way_where_asked_for on camunda operaton;
    moves_that_cannot_be_made_change_nothing on camunda operaton;
}

async fn running_instances_are_found_by_each_filter(subject: Subject) {
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
    let plain = start(None, None).await;
    let named = start(None, Some(key)).await;
    let tenants = start(Some(key), None).await;
    // One that has ended does not run.
    let ended = start(None, Some(key)).await;
    client.cancel_instance(&ended).await.unwrap();
    let of_key = InstanceQuery {
        process_definition_key: Some(key),
        ..InstanceQuery::default()
    };
    for (query, mut expected) in [
        (of_key.clone(), vec![&plain, &named, &tenants]),
        (
            InstanceQuery {
                process_definition_key: Some("none"),
                ..InstanceQuery::default()
            },
            vec![],
        ),
        (
            InstanceQuery {
                business_key: Some(key),
                ..InstanceQuery::default()
            },
            vec![&named],
        ),
        (
            InstanceQuery {
                tenant_id: Some(key),
                ..InstanceQuery::default()
            },
            vec![&tenants],
        ),
        (
            InstanceQuery {
                tenant_id: Some(key),
                ..of_key.clone()
            },
            vec![&tenants],
        ),
        (
            InstanceQuery {
                sub_process_instance: Some(&plain),
                ..of_key.clone()
            },
            vec![],
        ),
    ] {
        let found = client.instances(&query).await.unwrap();
        let mut ids: Vec<_> = found.iter().map(|it| &it.id).collect();
        ids.sort();
        expected.sort();
        assert_eq!(ids, expected, "{query:?}");
    }
}

async fn a_caller_is_found_by_what_it_has_called(subject: Subject) {
    let (caller, called) = call(&subject).await;
    let query = InstanceQuery {
        sub_process_instance: Some(&called),
        ..InstanceQuery::default()
    };
    let client = subject.client();
    let found = client.instances(&query).await.unwrap();
    let ids: Vec<_> = found.iter().map(|it| it.id.as_str()).collect();
    assert_eq!(ids, [caller.as_str()]);
    let query = InstanceQuery {
        sub_process_instance: Some(&caller),
        ..InstanceQuery::default()
    };
    assert!(client.instances(&query).await.unwrap().is_empty());
}

/// An instance that has called another, which stands at an external task: both.
pub(crate) async fn call(subject: &Subject) -> (String, String) {
    let called = format!("{}-called", subject.key);
    subject
        .deploy(LinearProcess::new(&called).then(TaskStep::new("work", &subject.key)))
        .await;
    let call = format!("<callActivity id=\"call\" calledElement=\"{called}\"/>\n");
    subject.deploy_model(row(&subject.key, &[("call", &call)])).await;
    let caller = subject.start(json!({})).await;
    let task = subject.fetch_one().await;
    (caller, task["processInstanceId"].as_str().unwrap().to_owned())
}

async fn a_suspended_instance_gives_no_work_and_takes_none(subject: Subject) {
    let (instance, task) = subject.locked_task().await;
    let client = subject.client();
    client.suspend_instance(&instance, true).await.unwrap();
    assert!(client.instance(&instance).await.unwrap().suspended);
    let record = client.instance_record(&instance).await.unwrap();
    assert_eq!(record.state, InstanceState::Suspended);
    assert!(client.external_task(&task).await.unwrap().suspended);
    let refused = client.complete(&task, "w", &Completion::default()).await;
    assert!(refused.unwrap_err().is_bad_request());
    client.unlock(&task).await.unwrap();
    assert!(subject.fetch().await.is_empty());
    client.suspend_instance(&instance, false).await.unwrap();
    client.suspend_instance(&instance, false).await.unwrap();
    let record = client.instance_record(&instance).await.unwrap();
    assert_eq!(record.state, InstanceState::Active);
    let task = subject.fetch_one().await;
    let task = task["id"].as_str().unwrap();
    client.complete(task, "w", &Completion::default()).await.unwrap();
}

async fn suspending_what_does_not_run_is_no_error(subject: Subject) {
    let (instance, task) = subject.locked_task().await;
    let client = subject.client();
    client.complete(&task, "w", &Completion::default()).await.unwrap();
    for id in [instance.as_str(), "none"] {
        client.suspend_instance(id, true).await.unwrap();
    }
    assert_eq!(subject.state(&instance).await, "COMPLETED");
}

async fn an_instance_is_cancelled_once(subject: Subject) {
    let (instance, task) = subject.locked_task().await;
    let client = subject.client();
    client.cancel_instance(&instance).await.unwrap();
    let record = client.instance_record(&instance).await.unwrap();
    assert_eq!(record.state, InstanceState::ExternallyTerminated);
    assert!(record.state.is_over() && record.end_time.is_some());
    for gone in [
        client.external_task(&task).await.map(drop),
        client.instance(&instance).await.map(drop),
        client.cancel_instance(&instance).await,
        client.cancel_instance("none").await,
    ] {
        assert!(gone.unwrap_err().is_not_found());
    }
}

/// `first` and then `second`, and an instance that stands at `first`.
async fn at_the_first(subject: &Subject) -> String {
    let step = |id: &str| TaskStep::new(id, &subject.key).input("own", "${given}");
    let process = LinearProcess::new(&subject.key)
        .then(TaskStep::new("first", &subject.key))
        .then(step("second"));
    subject.deploy(process).await;
    subject.start(json!({})).await
}

/// The steps at which an instance stands, and their activity instances.
async fn stands(client: &EngineClient, instance: &str) -> Vec<(String, String)> {
    let steps = client.current_activities(instance).await.unwrap();
    steps.into_iter().map(|it| (it.activity_id, it.id)).collect()
}

async fn tokens_are_moved_back_and_forth(subject: Subject) {
    let key = subject.key.as_str();
    let steps = [("first", task("first", key)), ("second", task("second", key))];
    let steps = steps.each_ref().map(|(id, step)| (*id, step.as_str()));
    subject.deploy_model(row(key, &steps)).await;
    let instance = subject.start(json!({})).await;
    let client = subject.client();
    for next in ["second", "first"] {
        let [(_, standing)] = &stands(&client, &instance).await[..] else {
            panic!("it stands at one step")
        };
        let moves = [
            TokenMove::Cancel {
                activity_instance_id: standing,
            },
            TokenMove::Start {
                activity_id: next,
                ancestor_activity_instance_id: &instance,
            },
        ];
        client.modify_instance(&instance, &moves, false).await.unwrap();
        let stands = stands(&client, &instance).await;
        assert_eq!(stands.len(), 1, "{stands:?}");
        assert_eq!(stands[0].0, next);
    }
    // A start alone is one more token, and so it is the second time.
    let more = [TokenMove::Start {
        activity_id: "second",
        ancestor_activity_instance_id: &instance,
    }];
    for _ in 0..2 {
        client.modify_instance(&instance, &more, false).await.unwrap();
    }
    assert_eq!(stands(&client, &instance).await.len(), 3);
}

async fn mappings_are_left_out_on_the_way_where_asked_for(subject: Subject) {
    let instance = at_the_first(&subject).await;
    let client = subject.client();
    let moves = [TokenMove::Start {
        activity_id: "second",
        ancestor_activity_instance_id: &instance,
    }];
    // Its input parameter cannot be computed.
    let refused = client.modify_instance(&instance, &moves, false).await;
    assert!(refused.unwrap_err().is_internal());
    assert_eq!(stands(&client, &instance).await.len(), 1);
    client.modify_instance(&instance, &moves, true).await.unwrap();
    assert_eq!(stands(&client, &instance).await.len(), 2);
}

async fn moves_that_cannot_be_made_change_nothing(subject: Subject) {
    let instance = at_the_first(&subject).await;
    let client = subject.client();
    let before = stands(&client, &instance).await;
    let cancel = TokenMove::Cancel {
        activity_instance_id: &before[0].1,
    };
    let start = |activity_id, ancestor_activity_instance_id| TokenMove::Start {
        activity_id,
        ancestor_activity_instance_id,
    };
    for moves in [
        vec![cancel, start("none", &instance)],
        vec![cancel, start("first", "none")],
        vec![
            start("first", &instance),
            TokenMove::Cancel {
                activity_instance_id: "none",
            },
        ],
    ] {
        let refused = client.modify_instance(&instance, &moves, false).await;
        assert!(refused.unwrap_err().is_bad_request(), "{moves:?}");
        assert_eq!(stands(&client, &instance).await, before, "{moves:?}");
    }
    let moves = [start("first", "none")];
    let missing = client.modify_instance("none", &moves, false).await;
    assert!(missing.unwrap_err().is_internal());
}
