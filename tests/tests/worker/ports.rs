//! Tasks that start processes, correlate messages and call topics, on the real engine.

use std::sync::Arc;
use std::time::Duration;

use engine_client::{InstanceQuery, Scope, Variable, Variables as EngineVariables};
use tests::{Engine, until};
use worker_api::{
    Answer, Hit, Message, PortError, ProcessPort, Retry, Signal, StartProcess, TopicCall, Value, Variables,
};
use worker_runtime::{Chain, EnginePort};

use crate::bench::{Bench, SOON, task_process};

/// A port with the kernel's login.
fn port() -> EnginePort {
    EnginePort::new(Engine::shared().client())
}

fn variables(values: &[(&str, Value)]) -> Variables {
    let values = values
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()));
    values.collect()
}

/// A process that waits for the message `KEY-paid`, or begins with `KEY-ordered`; a signal `KEY-alarm` ends it, too.
const WAITING: &str = r#"<process id="KEY" isExecutable="true" camunda:historyTimeToLive="P1D">
  <startEvent id="start"/><sequenceFlow id="f1" sourceRef="start" targetRef="choice"/>
  <startEvent id="ordered"><outgoing>f0</outgoing><messageEventDefinition messageRef="m0"/></startEvent>
  <sequenceFlow id="f0" sourceRef="ordered" targetRef="choice"/>
  <eventBasedGateway id="choice"/>
  <sequenceFlow id="f2" sourceRef="choice" targetRef="paid"/>
  <intermediateCatchEvent id="paid"><incoming>f2</incoming><outgoing>f3</outgoing>
    <messageEventDefinition messageRef="m1"/></intermediateCatchEvent>
  <sequenceFlow id="f3" sourceRef="paid" targetRef="end"/>
  <sequenceFlow id="f4" sourceRef="choice" targetRef="alarm"/>
  <intermediateCatchEvent id="alarm"><incoming>f4</incoming><outgoing>f5</outgoing>
    <signalEventDefinition signalRef="s1"/></intermediateCatchEvent>
  <sequenceFlow id="f5" sourceRef="alarm" targetRef="end"/>
  <endEvent id="end"/></process>
  <message id="m0" name="KEY-ordered"/><message id="m1" name="KEY-paid"/><signal id="s1" name="KEY-alarm"/>"#;

async fn waiting(name: &str) -> Bench {
    let bench = Bench::new(name);
    bench.deploy(WAITING).await;
    bench
}

impl Bench {
    async fn running(&self) -> usize {
        let query = InstanceQuery {
            process_definition_key: Some(&self.key),
            ..InstanceQuery::default()
        };
        self.engine.instances(&query).await.unwrap().len()
    }

    fn message(&self, name: &str) -> Message {
        Message::new(format!("{}-{name}", self.key))
    }
}

#[tokio::test]
async fn a_process_is_started_with_its_variables_and_its_business_key() {
    let bench = waiting("port-start").await;
    let given = variables(&[
        ("text", "a".into()),
        ("count", Value::Integer(3)),
        ("order", serde_json::json!({"items": [1]}).into()),
    ]);
    let start = StartProcess::new(&bench.key)
        .business_key("4711")
        .variables(given);
    let started = port().start(start.clone()).await.unwrap();
    assert!(started.new);
    let instance = bench.engine.instance(&started.process_instance_id).await.unwrap();
    assert_eq!(instance.business_key.as_deref(), Some("4711"));
    let stored = bench
        .engine
        .variables(Scope::Instance(&instance.id))
        .await
        .unwrap();
    assert_eq!(stored["text"], Variable::String("a".into()));
    assert_eq!(stored["count"], Variable::Integer(3));
    assert_eq!(stored["order"], Variable::Json(serde_json::json!({"items": [1]})));
    assert!(port().start(start).await.unwrap().new, "once is not asked for");
    assert_eq!(bench.running().await, 2);
}

#[tokio::test]
async fn a_start_that_is_asked_for_once_finds_what_runs_and_what_has_ended() {
    let bench = waiting("port-once").await;
    let once = StartProcess::new(&bench.key).once_per("4711");
    // All at the same moment, through one port.
    let port = port();
    let starts = (0..8).map(|_| port.start(once.clone()));
    let starts = futures::future::try_join_all(starts).await.unwrap();
    assert_eq!(starts.iter().filter(|started| started.new).count(), 1);
    let first = &starts[0].process_instance_id;
    assert!(starts.iter().all(|started| &started.process_instance_id == first));
    assert_eq!(bench.running().await, 1);

    let paid = bench.message("paid").business_key("4711");
    port.correlate(paid).await.unwrap();
    bench.completed(first).await;
    let again = port.start(once).await.unwrap();
    assert_eq!((&again.process_instance_id, again.new), (first, false));
    let other = port
        .start(StartProcess::new(&bench.key).once_per("4712"))
        .await
        .unwrap();
    assert!(other.new);
}

#[tokio::test]
async fn a_process_that_is_not_deployed_is_named_with_the_remedy() {
    for start in [
        StartProcess::new("no-such-process"),
        StartProcess {
            tenant_id: Some("nobody".into()),
            ..StartProcess::new("no-such-process")
        },
    ] {
        let error = port().start(start).await.unwrap_err();
        assert!(matches!(error, PortError::UnknownProcess { .. }), "{error:?}");
        assert!(error.to_string().contains("no-such-process") && error.remedy().contains("deploy"));
    }
}

#[tokio::test]
async fn a_message_resumes_what_waits_or_starts_what_begins_with_it() {
    let bench = waiting("port-message").await;
    let ordered = bench.message("ordered").business_key("1");
    let hits = port().correlate(ordered).await.unwrap();
    let [
        Hit::Started {
            process_instance_id: instance,
        },
    ] = hits.as_slice()
    else {
        panic!("{hits:?}")
    };
    let paid = bench
        .message("paid")
        .business_key("1")
        .variables(variables(&[("amount", Value::Double(9.5))]));
    let hits = port().correlate(paid).await.unwrap();
    assert_eq!(
        hits,
        [Hit::Resumed {
            process_instance_id: instance.clone()
        }]
    );
    bench.completed(instance).await;
    assert_eq!(bench.process_variables(instance).await["amount"], 9.5);
}

#[tokio::test]
async fn a_message_that_nothing_waits_for_and_one_that_several_wait_for_are_told_apart() {
    let bench = waiting("port-match").await;
    let error = port().correlate(bench.message("paid")).await.unwrap_err();
    assert!(error.is_no_match(), "{error:?}");
    let start = |key: &str, number: i64| {
        StartProcess::new(&bench.key)
            .business_key(key)
            .variables(variables(&[("number", Value::Integer(number))]))
    };
    let one = port().start(start("a", 1)).await.unwrap().process_instance_id;
    let two = port().start(start("a", 2)).await.unwrap().process_instance_id;
    port().start(start("b", 3)).await.unwrap();

    for message in [bench.message("paid"), bench.message("paid").business_key("a")] {
        let error = port().correlate(message).await.unwrap_err();
        assert!(matches!(error, PortError::Ambiguous { .. }), "{error:?}");
    }
    let error = port()
        .correlate(bench.message("paid").business_key("nobody"))
        .await
        .unwrap_err();
    assert!(
        error.is_no_match() && error.to_string().contains("business key `nobody`"),
        "{error:?}"
    );
    let keyed = |number| Message {
        correlation_keys: variables(&[("number", Value::Integer(number))]),
        ..bench.message("paid")
    };
    let error = port().correlate(keyed(9)).await.unwrap_err();
    assert!(
        error.is_no_match() && error.to_string().contains("number = 9"),
        "{error:?}"
    );
    assert_eq!(bench.running().await, 3, "nothing has happened so far");

    let hits = port().correlate(keyed(2)).await.unwrap();
    assert_eq!(
        hits,
        [Hit::Resumed {
            process_instance_id: two.clone()
        }]
    );
    let of_instance = |id: &str| Message {
        process_instance_id: Some(id.to_owned()),
        ..bench.message("paid")
    };
    let error = port().correlate(of_instance(&two)).await.unwrap_err();
    assert!(error.is_no_match(), "{error:?}");
    let hits = port().correlate(of_instance(&one)).await.unwrap();
    assert_eq!(hits[0].process_instance_id(), one);
    let port = port();
    let error = port.correlate(Message {
        process_instance_id: Some(one.clone()),
        ..bench.message("ordered")
    });
    let error = error.await.unwrap_err();
    assert!(
        error.is_no_match(),
        "one instance is meant, so nothing is started: {error:?}"
    );
}

#[tokio::test]
async fn a_message_that_comes_again_reaches_nobody_again() {
    let bench = waiting("port-once").await;
    let started = async |key: &str| {
        let start = StartProcess::new(&bench.key).business_key(key);
        port().start(start).await.unwrap().process_instance_id
    };
    let one = started("a").await;
    let paid = |id: &str| bench.message("paid").once_per(id);
    // What reached nobody is not known.
    assert!(
        port()
            .correlate(paid("1").business_key("nobody"))
            .await
            .unwrap_err()
            .is_no_match()
    );
    assert_eq!(port().correlate(paid("1")).await.unwrap().len(), 1);
    bench.engine.instance(&one).await.unwrap_err();
    // Another worker, while somebody else waits for it.
    let two = started("b").await;
    assert_eq!(port().correlate(paid("1")).await.unwrap(), []);
    assert_eq!(bench.running().await, 1);
    assert_eq!(port().correlate(paid("2")).await.unwrap().len(), 1);
    bench.engine.instance(&two).await.unwrap_err();
    // The same id of another message is another; two at once are one.
    let ordered = bench.message("ordered").once_per("1");
    let port = port();
    let (first, second) = tokio::join!(port.correlate(ordered.clone()), port.correlate(ordered));
    assert_eq!(first.unwrap().len() + second.unwrap().len(), 1);
    // And no task sees how it is known.
    let query = InstanceQuery {
        process_definition_key: Some(&bench.key),
        ..InstanceQuery::default()
    };
    let running = bench.engine.instances(&query).await.unwrap();
    let scope = Scope::Instance(&running[0].id);
    let stored = bench.engine.variables(scope).await.unwrap();
    assert!(
        !stored.is_empty() && stored.keys().all(|name| worker_runtime::is_effect_note(name)),
        "{stored:?}"
    );
}

#[tokio::test]
async fn everyone_who_waits_gets_a_message_for_everyone_and_nobody_is_an_error() {
    let bench = waiting("port-everyone").await;
    let everyone = || Message {
        everyone: true,
        ..bench.message("paid")
    };
    let error = port().correlate(everyone()).await.unwrap_err();
    assert!(error.is_no_match(), "{error:?}");
    for key in ["a", "b", "c"] {
        port()
            .start(StartProcess::new(&bench.key).business_key(key))
            .await
            .unwrap();
    }
    assert_eq!(port().correlate(everyone()).await.unwrap().len(), 3);
    assert_eq!(bench.running().await, 0);
}

#[tokio::test]
async fn a_signal_reaches_all_and_none_is_no_error() {
    let bench = waiting("port-signal").await;
    let alarm = || Signal {
        name: format!("{}-alarm", bench.key),
        variables: variables(&[("why", "fire".into())]),
        ..Signal::default()
    };
    port().signal(alarm()).await.unwrap();
    let mut instances = Vec::new();
    for _ in 0..2 {
        instances.push(
            port()
                .start(StartProcess::new(&bench.key))
                .await
                .unwrap()
                .process_instance_id,
        );
    }
    port().signal(alarm()).await.unwrap();
    for instance in instances {
        bench.completed(&instance).await;
        assert_eq!(bench.process_variables(&instance).await["why"], "fire");
    }
}

#[tokio::test]
async fn a_workers_login_may_do_none_of_it_and_the_error_says_what_to_configure() {
    let bench = waiting("port-login").await;
    let port = EnginePort::new(Engine::shared().client_as("worker"));
    let start = port.start(StartProcess::new(&bench.key)).await.unwrap_err();
    let message = port.correlate(bench.message("paid")).await.unwrap_err();
    let signal = port.signal(Signal::default()).await.unwrap_err();
    for error in [start, message, signal] {
        assert!(error.is_not_permitted(), "{error:?}");
        assert!(error.remedy().contains("engine.auth"), "{error:?}");
    }
    assert_eq!(bench.running().await, 0);
}

#[tokio::test]
async fn what_the_engine_cannot_keep_is_rejected_for_good() {
    let bench = waiting("port-wrong").await;
    let nonsense = variables(&[("number", Value::Double(f64::NAN))]);
    let error = port()
        .start(StartProcess::new(&bench.key).variables(nonsense))
        .await
        .unwrap_err();
    assert!(matches!(error, PortError::Rejected { .. }), "{error:?}");
    assert!(error.to_string().contains("number"), "{error}");
    let failure = worker_api::Failure::from(error);
    assert_eq!(failure.retry, Retry::Never);
}

#[tokio::test]
async fn a_task_starts_a_process_and_tells_another_about_it() {
    let bench = Bench::new("port-task");
    let child = task_process("", "")
        .replace("TOPIC", "nobody-serves-this")
        .replace("\"KEY\"", "\"KEY-child\"");
    bench.deploy_task("", "").await;
    bench.deploy(&child).await;
    let key = bench.key.clone();
    let (pool, _) = bench.pool(
        |settings| settings.processes = Arc::new(port()),
        move |context| {
            let start = StartProcess::new(format!("{key}-child")).once_per(context.idempotency_key());
            async move {
                let child = context.processes().start(start).await?;
                Ok(Answer::new().with("child", child.process_instance_id))
            }
        },
    );
    let instance = bench.start().await;
    bench.completed(&instance).await;
    let query = InstanceQuery {
        process_definition_key: Some(&format!("{}-child", bench.key)),
        ..InstanceQuery::default()
    };
    assert_eq!(bench.engine.instances(&query).await.unwrap().len(), 1);
    pool.stop(SOON).await;
}

#[tokio::test]
async fn a_task_without_a_port_says_so_in_an_incident() {
    let bench = Bench::new("port-none");
    bench.deploy_task("", "").await;
    let (pool, _) = bench.pool(
        |_| {},
        async |context| {
            context.processes().start(StartProcess::new("other")).await?;
            Ok(Answer::new())
        },
    );
    let instance = bench.start().await;
    let message = bench.incident(&instance).await.incident_message.unwrap();
    assert!(
        message.contains("start the process `other`") && message.contains("no process engine"),
        "{message}"
    );
    pool.stop(SOON).await;
}

#[tokio::test]
async fn a_task_calls_a_topic_of_its_worker_and_no_external_task_is_made_of_it() {
    let bench = Bench::new("port-call");
    bench
        .deploy_task(&crate::bench::property("resultVariable", "result"), "")
        .await;
    let chain = Chain::default();
    let router = bench.router(async |context| {
        // The same adapter serves both: what has a number is the called one.
        if let Some(Value::Integer(number)) = context.variables.get("number") {
            return Ok(Answer::new().with("doubled", number * 2));
        }
        let inputs = variables(&[("number", Value::Integer(21))]);
        let call = TopicCall::new(&context.task.topic, "tool-1").inputs(inputs);
        let answer = context.processes().call_topic(&context, call).await??;
        Ok(Answer::new().with("answer", answer.fields()["doubled"].clone()))
    });
    let processes = port().with_topics(router.clone(), chain.clone());
    let (pool, heard) = bench.pool_of(router, |settings| {
        settings.processes = Arc::new(processes);
        settings.chain = chain;
    });
    let none = EngineVariables::new();
    let instance = bench.start_with(&none).await;
    bench.completed(&instance).await;
    assert_eq!(bench.process_variables(&instance).await["result"]["answer"], 42);
    until(
        "the pool has told of it",
        Duration::from_secs(5),
        async || match heard.ends().len() {
            1 => Ok(()),
            other => Err(format!("{other} ends")),
        },
    )
    .await;
    pool.stop(SOON).await;
}
