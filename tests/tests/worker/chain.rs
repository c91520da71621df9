//! The middleware around every task, on the real engine.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use engine_client::Variables;
use worker_api::{
    Answer, Grant, Middleware, Next, Outcome, Policy, PolicyError, Postponed, TaskContext, async_trait,
};
use worker_runtime::{Chain, Concurrency, Ended};

use crate::bench::{Bench, SOON, extension, property, task_process};

#[derive(Debug)]
struct NotThisOne(String);

#[async_trait]
impl Policy for NotThisOne {
    fn name(&self) -> &'static str {
        "test"
    }

    async fn check(&self, context: &TaskContext) -> Result<Grant, PolicyError> {
        if context.task.process_definition_key == self.0 {
            return Err(PolicyError::Refused(format!(
                "{} does not allow {}; add it to its list",
                context.task.process_definition_id, context.task.topic
            )));
        }
        Ok(Grant::default())
    }
}

#[tokio::test]
async fn what_a_policy_refuses_is_an_incident_with_its_reason_and_never_runs() {
    let bench = Bench::new("chain-policy");
    let allowed = task_process("", "").replace("\"KEY\"", "\"KEY-allowed\"");
    bench.deploy_task("", "").await;
    bench.deploy(&allowed).await;
    let runs = Arc::new(AtomicUsize::new(0));
    let chain = Chain::builder().policy(NotThisOne(bench.key.clone())).build();
    let (pool, heard) = bench.pool(|settings| settings.chain = chain, {
        let runs = Arc::clone(&runs);
        move |_| {
            runs.fetch_add(1, Ordering::SeqCst);
            async { Ok(Answer::new()) }
        }
    });
    let refused = bench.start().await;
    let message = bench.incident(&refused).await.incident_message.unwrap();
    assert!(message.contains("the policy `test` refuses work"), "{message}");
    assert!(message.contains("add it to its list"), "{message}");
    assert_eq!(runs.load(Ordering::SeqCst), 0);

    let key = format!("{}-allowed", bench.key);
    let allowed = bench
        .engine
        .start_instance(&key, None, None, &Variables::new())
        .await
        .unwrap();
    bench.completed(&allowed.id).await;
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    pool.stop(SOON).await;
    assert_eq!(heard.ends(), [Ended::Incident, Ended::Completed]);
}

/// Puts tasks off, the given number of times.
struct PutsOff {
    left: AtomicUsize,
    after: Duration,
}

#[async_trait]
impl Middleware for PutsOff {
    fn name(&self) -> &'static str {
        "puts off"
    }

    async fn handle(&self, context: TaskContext, next: Next<'_>) -> Outcome {
        let left = self
            .left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if left.is_ok() {
            return Err(Postponed::new("not yet", self.after).into());
        }
        next.run(context).await
    }
}

#[tokio::test]
async fn a_postponed_task_returns_on_time_and_it_counts_as_no_attempt() {
    let bench = Bench::new("chain-later");
    bench.deploy_task("", "").await;
    let after = Duration::from_millis(1500);
    let chain = Chain::builder()
        .middleware(PutsOff {
            left: AtomicUsize::new(2),
            after,
        })
        .build();
    let seen = Arc::new(Mutex::new(None));
    // Nothing but the nudge at the right moment makes the engine look again in time.
    let (pool, heard) = bench.pool(
        |settings| {
            settings.chain = chain;
            settings.lock_duration = Duration::from_secs(600);
            settings.long_poll = Duration::from_secs(120);
        },
        {
            let seen = Arc::clone(&seen);
            move |context| {
                *seen.lock().unwrap() = Some(context.task.attempt);
                async { Ok(Answer::new()) }
            }
        },
    );
    let began = Instant::now();
    let instance = bench.start().await;
    bench.completed(&instance).await;
    assert!(began.elapsed() >= after * 2, "{:?}", began.elapsed());
    assert_eq!(*seen.lock().unwrap(), Some(1));
    pool.stop(SOON).await;
    assert_eq!(heard.ends(), [Ended::Dropped, Ended::Dropped, Ended::Completed]);
    let records = bench.engine.external_task_records(&instance).await.unwrap();
    assert!(records.iter().all(|record| !record.failure_log), "{records:?}");
}

#[tokio::test]
async fn tasks_of_one_key_run_one_at_a_time_and_hold_nobody_back() {
    let bench = Bench::new("chain-key");
    let plain = task_process("", "").replace("\"KEY\"", "\"KEY-plain\"");
    let keyed = task_process(&property("concurrencyKey", "register"), "");
    bench.deploy(&keyed).await;
    bench.deploy(&plain).await;
    let plain = format!("{}-plain", bench.key);
    let (busy, most, others) = (
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicUsize::new(0)),
    );
    // Two slots more than what one key may take.
    let (pool, _) = bench.pool(|settings| settings.capacity = 4, {
        let (busy, most, others) = (Arc::clone(&busy), Arc::clone(&most), Arc::clone(&others));
        move |context| {
            let (busy, most, others) = (Arc::clone(&busy), Arc::clone(&most), Arc::clone(&others));
            async move {
                if !context.properties.contains_key("concurrencyKey") {
                    others.fetch_add(1, Ordering::SeqCst);
                    return Ok(Answer::new());
                }
                most.fetch_max(busy.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(500)).await;
                busy.fetch_sub(1, Ordering::SeqCst);
                Ok(Answer::new())
            }
        }
    });
    let mut keyed = Vec::new();
    for _ in 0..8 {
        keyed.push(bench.start().await);
    }
    let mut plains = Vec::new();
    for _ in 0..8 {
        let instance = bench
            .engine
            .start_instance(&plain, None, None, &Variables::new())
            .await
            .unwrap();
        plains.push(instance.id);
    }
    for instance in &plains {
        bench.completed(instance).await;
    }
    let last = bench.engine.instance_record(&keyed[7]).await.unwrap();
    assert!(!last.state.is_over(), "the key's own work takes four seconds");
    for instance in &keyed {
        bench.completed(instance).await;
    }
    assert_eq!(most.load(Ordering::SeqCst), 1);
    assert_eq!(others.load(Ordering::SeqCst), 8);
    pool.stop(SOON).await;
}

#[tokio::test]
async fn pools_that_share_a_chain_share_its_limits() {
    let (one, two) = (Bench::new("chain-share-a"), Bench::new("chain-share-b"));
    let chain = Chain::builder()
        .concurrency(Concurrency::default().limit("shared", 1))
        .build();
    let (busy, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut pools = Vec::new();
    for bench in [&one, &two] {
        bench.deploy_task(&property("concurrencyKey", "shared"), "").await;
        let (busy, most) = (Arc::clone(&busy), Arc::clone(&most));
        let (pool, _) = bench.pool(
            |settings| settings.chain = chain.clone(),
            move |_| {
                let (busy, most) = (Arc::clone(&busy), Arc::clone(&most));
                async move {
                    most.fetch_max(busy.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_millis(300)).await;
                    busy.fetch_sub(1, Ordering::SeqCst);
                    Ok(Answer::new())
                }
            },
        );
        pools.push(pool);
    }
    let instances = [
        one.start().await,
        two.start().await,
        one.start().await,
        two.start().await,
    ];
    for (bench, instance) in [&one, &two, &one, &two].into_iter().zip(&instances) {
        bench.completed(instance).await;
    }
    assert_eq!(most.load(Ordering::SeqCst), 1);
    for pool in pools {
        pool.stop(SOON).await;
    }
}

#[tokio::test]
async fn time_spent_waiting_for_a_turn_is_not_the_tasks_own() {
    let bench = Bench::new("chain-turn");
    let properties = r#"<camunda:properties><camunda:property name="concurrencyKey" value="slow"/>
      <camunda:property name="timeout" value="PT2S"/><camunda:property name="retry" value="R1/PT0S"/></camunda:properties>"#;
    bench.deploy_task(&extension(properties), "").await;
    let (pool, heard) = bench.pool(
        |settings| settings.lock_duration = Duration::from_secs(1),
        async |_| {
            tokio::time::sleep(Duration::from_millis(1500)).await;
            Ok(Answer::new())
        },
    );
    let instances = [bench.start().await, bench.start().await];
    for instance in &instances {
        bench.completed(instance).await;
    }
    pool.stop(SOON).await;
    let failed = heard
        .ends()
        .iter()
        .any(|end| matches!(end, Ended::Failed | Ended::Incident));
    assert!(!failed, "{:?}", heard.ends());
}

struct Panics;

#[async_trait]
impl Middleware for Panics {
    fn name(&self) -> &'static str {
        "panics"
    }

    async fn handle(&self, context: TaskContext, next: Next<'_>) -> Outcome {
        assert_eq!(context.task.attempt, 2, "a loose screw");
        next.run(context).await
    }
}

#[tokio::test]
async fn a_layer_that_panics_costs_one_attempt_and_never_the_pool() {
    let bench = Bench::new("chain-panic");
    bench.deploy_task(&property("retry", "R3/PT0S"), "").await;
    let chain = Chain::builder().middleware(Panics).build();
    let (pool, heard) = bench.pool(|settings| settings.chain = chain, async |_| Ok(Answer::new()));
    for _ in 0..2 {
        let instance = bench.start().await;
        bench.completed(&instance).await;
    }
    pool.stop(SOON).await;
    let failed = heard.ends().iter().filter(|end| **end == Ended::Failed).count();
    assert_eq!(failed, 2, "{:?}", heard.ends());
}
