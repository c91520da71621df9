//! Messages and signals, and what waits for them.

use engine_client::{CorrelationHit, EngineClient, MessageCorrelation, Variable, Variables};
use serde_json::json;

use crate::models::{flow, message, model, receive, row_of};
use crate::subject::Subject;

contract! {
    a_message_goes_on_with_what_waits_for_it on camunda operaton;
    a_message_starts_what_begins_with_it on camunda operaton;
    a_message_is_for_its_business_key on camunda operaton;
    a_message_is_for_those_with_its_values on camunda operaton;
    a_message_is_for_its_instance on camunda operaton;
    a_message_is_for_its_tenant on camunda operaton;
    of_several_that_wait_none_is_hit_unless_all_are_meant on camunda operaton;
    a_message_that_nothing_waits_for_is_a_bad_request on camunda operaton;
    a_message_may_bring_variables_for_the_scope_it_opens on camunda operaton;
    a_message_is_given_to_one_execution_alone on camunda operaton;
    a_signal_reaches_everything_that_waits_for_it on camunda operaton;
    what_waits_for_events_is_listed on camunda operaton;
}

fn value(name: &str, value: i64) -> Variables {
    Variables::from([(name.to_owned(), Variable::Integer(value))])
}

/// A process of the case's key that waits for the message of that name.
async fn deploy_waiting(subject: &Subject) {
    let key = subject.key.as_str();
    let process = row_of(&[("wait", &receive("wait"))]);
    subject.deploy_model(model(key, &message(key), &process)).await;
}

async fn waiting(subject: &Subject) -> String {
    deploy_waiting(subject).await;
    subject.start(json!({})).await
}

/// Correlates, and gives the instances that were waiting.
async fn hits(client: &EngineClient, message: &MessageCorrelation<'_>) -> Vec<String> {
    let hits = client.correlate(message).await.unwrap();
    let instance = |hit| match hit {
        CorrelationHit::Waiting { process_instance_id } => process_instance_id,
        CorrelationHit::Started { .. } => panic!("{hit:?}"),
    };
    hits.into_iter().map(instance).collect()
}

async fn a_message_goes_on_with_what_waits_for_it(subject: Subject) {
    let instance = waiting(&subject).await;
    let client = subject.client();
    let message = MessageCorrelation {
        name: &subject.key,
        variables: value("brought", 7),
        ..MessageCorrelation::default()
    };
    assert_eq!(client.waiting_for(&message).await.unwrap(), 1);
    let waiting = client.waiting_executions(&message).await.unwrap();
    assert_eq!(waiting[0].process_instance_id, instance);
    assert_eq!(hits(&client, &message).await, [instance.as_str()]);
    assert_eq!(subject.state(&instance).await, "COMPLETED");
    let brought = subject.variable(&instance, "brought").await.unwrap();
    assert_eq!(brought, ("Integer".to_owned(), json!(7)));
    assert_eq!(client.waiting_for(&message).await.unwrap(), 0);
}

/// A process that a message of its key's name starts, and that then waits for a message `KEY-more`.
async fn deploy_started(subject: &Subject, key: &str) {
    let beside = format!("{}<message id=\"more\" name=\"{key}-more\"/>\n", message(key));
    let process = "<startEvent id=\"start\"><messageEventDefinition messageRef=\"message\"/></startEvent>\n\
                   <receiveTask id=\"wait\" messageRef=\"more\"/>\n<endEvent id=\"end\"/>\n"
        .to_owned()
        + &flow("start", "wait")
        + &flow("wait", "end");
    let bpmn = model(key, &beside, &process);
    subject.deploy_as(key, None, bpmn).await;
}

async fn a_message_starts_what_begins_with_it(subject: Subject) {
    deploy_started(&subject, &subject.key).await;
    let client = subject.client();
    let message = MessageCorrelation {
        name: &subject.key,
        business_key: Some("bk"),
        variables: value("brought", 7),
        ..MessageCorrelation::default()
    };
    // A start waits for nothing.
    assert_eq!(client.waiting_for(&message).await.unwrap(), 0);
    let hits = client.correlate(&message).await.unwrap();
    let [CorrelationHit::Started { process_instance_id }] = hits.as_slice() else {
        panic!("{hits:?}")
    };
    let started = client.instance(process_instance_id).await.unwrap();
    assert_eq!(started.business_key.as_deref(), Some("bk"));
    assert!(subject.variable(process_instance_id, "brought").await.is_some());
}

async fn a_message_is_for_its_business_key(subject: Subject) {
    deploy_waiting(&subject).await;
    let client = subject.client();
    let mine = subject.start_with(json!({ "businessKey": "mine" })).await;
    let other = subject.start_with(json!({ "businessKey": "other" })).await;
    let message = MessageCorrelation {
        name: &subject.key,
        business_key: Some("mine"),
        ..MessageCorrelation::default()
    };
    assert_eq!(client.waiting_for(&message).await.unwrap(), 1);
    assert_eq!(hits(&client, &message).await, [mine]);
    assert_eq!(subject.state(&other).await, "ACTIVE");
    assert!(client.correlate(&message).await.unwrap_err().is_bad_request());
}

async fn a_message_is_for_those_with_its_values(subject: Subject) {
    deploy_waiting(&subject).await;
    let client = subject.client();
    let order = |number: i64| json!({ "order": { "value": number }, "kind": { "value": "desk" } });
    let first = subject.start(order(1)).await;
    let second = subject.start(order(2)).await;
    let message = |number| {
        let mut keys = value("order", number);
        keys.insert("kind".to_owned(), Variable::String("desk".to_owned()));
        MessageCorrelation {
            name: &subject.key,
            correlation_keys: keys,
            ..MessageCorrelation::default()
        }
    };
    assert_eq!(client.waiting_for(&message(3)).await.unwrap(), 0);
    assert!(client.correlate(&message(3)).await.unwrap_err().is_bad_request());
    assert_eq!(client.waiting_for(&message(2)).await.unwrap(), 1);
    assert_eq!(hits(&client, &message(2)).await, [second]);
    assert_eq!(hits(&client, &message(1)).await, [first]);
}

async fn a_message_is_for_its_instance(subject: Subject) {
    deploy_waiting(&subject).await;
    let client = subject.client();
    let first = subject.start(json!({})).await;
    let second = subject.start(json!({})).await;
    let message = MessageCorrelation {
        name: &subject.key,
        process_instance_id: Some(&second),
        ..MessageCorrelation::default()
    };
    assert_eq!(client.waiting_for(&message).await.unwrap(), 1);
    assert_eq!(hits(&client, &message).await, [second.as_str()]);
    assert_eq!(subject.state(&first).await, "ACTIVE");
    assert!(client.correlate(&message).await.unwrap_err().is_bad_request());
    // What begins with the message is started all the same, whichever instance is named.
    let other = format!("{}-start", subject.key);
    deploy_started(&subject, &other).await;
    let message = MessageCorrelation {
        name: &other,
        process_instance_id: Some(&first),
        ..MessageCorrelation::default()
    };
    let hits = client.correlate(&message).await.unwrap();
    assert!(
        matches!(hits.as_slice(), [CorrelationHit::Started { .. }]),
        "{hits:?}"
    );
}

async fn a_message_is_for_its_tenant(subject: Subject) {
    let key = subject.key.as_str();
    let client = subject.client();
    let bpmn = model(key, &message(key), &row_of(&[("wait", &receive("wait"))]));
    let mut instances = Vec::new();
    for tenant in ["one", "two"] {
        subject.deploy_as(key, Some(tenant), bpmn.clone()).await;
        let started = client
            .start_instance(key, Some(tenant), None, &Variables::new())
            .await;
        instances.push(started.unwrap().id);
    }
    let message = |tenant_id| MessageCorrelation {
        name: key,
        tenant_id,
        ..MessageCorrelation::default()
    };
    assert_eq!(client.waiting_for(&message(None)).await.unwrap(), 2);
    assert!(
        client
            .correlate(&message(None))
            .await
            .unwrap_err()
            .is_bad_request()
    );
    let waiting = client.waiting_executions(&message(Some("two"))).await.unwrap();
    let shown: Vec<_> = waiting
        .iter()
        .map(|it| (it.process_instance_id.as_str(), it.tenant_id.as_deref()))
        .collect();
    assert_eq!(shown, [(instances[1].as_str(), Some("two"))]);
    assert_eq!(
        hits(&client, &message(Some("two"))).await,
        [instances[1].as_str()]
    );
    assert_eq!(subject.state(&instances[0]).await, "ACTIVE");
}

async fn of_several_that_wait_none_is_hit_unless_all_are_meant(subject: Subject) {
    deploy_waiting(&subject).await;
    let client = subject.client();
    let mut instances = Vec::new();
    for _ in 0..2 {
        instances.push(subject.start(json!({})).await);
    }
    instances.sort();
    let mut message = MessageCorrelation {
        name: &subject.key,
        ..MessageCorrelation::default()
    };
    assert!(client.correlate(&message).await.unwrap_err().is_bad_request());
    assert_eq!(client.waiting_for(&message).await.unwrap(), 2);
    message.all = true;
    let mut hit = hits(&client, &message).await;
    hit.sort();
    assert_eq!(hit, instances);
    // Nobody is all, too.
    assert!(client.correlate(&message).await.unwrap().is_empty());
}

async fn a_message_that_nothing_waits_for_is_a_bad_request(subject: Subject) {
    let message = MessageCorrelation {
        name: &subject.key,
        ..MessageCorrelation::default()
    };
    let client = subject.client();
    assert!(client.correlate(&message).await.unwrap_err().is_bad_request());
    assert!(client.waiting_executions(&message).await.unwrap().is_empty());
}

async fn a_message_may_bring_variables_for_the_scope_it_opens(subject: Subject) {
    let key = subject.key.as_str();
    let process = row_of(&[("wait", &crate::models::task("wait", key))])
        + "<subProcess id=\"asked\" triggeredByEvent=\"true\"><startEvent id=\"ask\" isInterrupting=\"false\">\
           <messageEventDefinition messageRef=\"message\"/></startEvent>\n"
        + &crate::models::task("answer", &format!("{key}-answer"))
        + "<endEvent id=\"answered\"/>\n"
        + &flow("ask", "answer")
        + &flow("answer", "answered")
        + "</subProcess>\n";
    subject.deploy_model(model(key, &message(key), &process)).await;
    let instance = subject.start(json!({})).await;
    let client = subject.client();
    let message = MessageCorrelation {
        name: key,
        variables: value("of_the_process", 1),
        scope_variables: value("of_the_scope", 2),
        ..MessageCorrelation::default()
    };
    assert_eq!(hits(&client, &message).await, [instance.as_str()]);
    let records = client.variable_records(&instance).await.unwrap();
    let is_processes = |name: &str| {
        let record = records.iter().find(|it| it.name == name).unwrap();
        record.activity_instance_id == instance
    };
    assert!(is_processes("of_the_process"), "{records:?}");
    assert!(!is_processes("of_the_scope"), "{records:?}");
}

async fn a_message_is_given_to_one_execution_alone(subject: Subject) {
    deploy_waiting(&subject).await;
    let client = subject.client();
    let first = subject.start(json!({})).await;
    let second = subject.start(json!({})).await;
    let name = subject.key.as_str();
    let message = MessageCorrelation {
        name,
        process_instance_id: Some(&second),
        ..MessageCorrelation::default()
    };
    let execution = client.waiting_executions(&message).await.unwrap().remove(0).id;
    let other = client
        .trigger_message(&execution, "other", &Variables::new())
        .await;
    assert!(other.unwrap_err().is_internal());
    client
        .trigger_message(&execution, name, &value("brought", 7))
        .await
        .unwrap();
    assert_eq!(subject.state(&second).await, "COMPLETED");
    assert!(subject.variable(&second, "brought").await.is_some());
    assert_eq!(subject.state(&first).await, "ACTIVE");
    let again = client.trigger_message(&execution, name, &Variables::new()).await;
    assert!(again.unwrap_err().is_internal());
}

/// A process that waits for a signal of the case's key.
fn signalled(key: &str) -> String {
    let wait = "<intermediateCatchEvent id=\"wait\"><signalEventDefinition signalRef=\"signal\"/>\
                </intermediateCatchEvent>\n";
    let beside = format!("<signal id=\"signal\" name=\"{key}\"/>\n");
    model(key, &beside, &row_of(&[("wait", wait)]))
}

async fn a_signal_reaches_everything_that_waits_for_it(subject: Subject) {
    let key = subject.key.as_str();
    let client = subject.client();
    // Nobody hears it, which is no error.
    client.signal(key, None, &Variables::new()).await.unwrap();
    subject.deploy_model(signalled(key)).await;
    subject.deploy_as(key, Some("one"), signalled(key)).await;
    let none = Variables::new();
    let first = subject.start(json!({})).await;
    let second = subject.start(json!({})).await;
    let start = async || {
        client
            .start_instance(key, Some("one"), None, &none)
            .await
            .unwrap()
            .id
    };
    let tenants = start().await;
    client
        .signal(key, Some("one"), &value("brought", 7))
        .await
        .unwrap();
    assert_eq!(subject.state(&tenants).await, "COMPLETED");
    assert_eq!(subject.state(&first).await, "ACTIVE");
    let tenants = start().await;
    // Without a tenant it is for everybody's, not for those alone that belong to none.
    client.signal(key, None, &value("brought", 7)).await.unwrap();
    for instance in [&first, &second, &tenants] {
        assert_eq!(subject.state(instance).await, "COMPLETED");
        assert!(subject.variable(instance, "brought").await.is_some());
    }
}

async fn what_waits_for_events_is_listed(subject: Subject) {
    let key = subject.key.as_str();
    let client = subject.client();
    let instance = waiting(&subject).await;
    let own = client.subscriptions_of(&instance).await.unwrap();
    let named = client.event_subscriptions("message", key).await.unwrap();
    let all = client.all_event_subscriptions("message").await.unwrap();
    let all: Vec<_> = all
        .into_iter()
        .filter(|it| it.process_instance_id.as_ref() == Some(&instance))
        .collect();
    for found in [own, named, all] {
        let [found] = found.as_slice() else {
            panic!("{found:?}")
        };
        assert_eq!(found.event_type, "message");
        assert_eq!(found.event_name.as_deref(), Some(key));
        assert_eq!(found.process_instance_id.as_ref(), Some(&instance));
        assert_eq!(found.activity_id.as_deref(), Some("wait"));
        assert_eq!(found.tenant_id, None);
    }
    assert!(
        client
            .event_subscriptions("signal", key)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        client
            .event_subscriptions("message", "nobody")
            .await
            .unwrap()
            .is_empty()
    );
    assert!(client.subscriptions_of("none").await.unwrap().is_empty());
    let signals = client.all_event_subscriptions("signal").await.unwrap();
    assert!(signals.iter().all(|it| it.event_type == "signal"));
}
