//! Slots, locks, and the end of a pool.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use engine_client::{EngineClient, InProcess};
use tests::{Engine, until};
use tokio::sync::Semaphore;
use worker_api::{Answer, Failure};
use worker_runtime::{Ended, PoolSettings, WorkerPool};

use crate::bench::{Bench, Heard, SOON, property};

#[tokio::test]
async fn no_more_is_locked_than_there_are_slots() {
    no_more_is_locked(0).await;
}

#[tokio::test]
async fn no_more_is_locked_ahead_than_was_said() {
    no_more_is_locked(2).await;
}

/// With three slots and so many tasks ahead of them.
async fn no_more_is_locked(prefetch: usize) {
    let bench = Bench::new("capacity");
    bench.deploy_task("", "").await;
    let gate = Arc::new(Semaphore::new(0));
    let running = Arc::new(AtomicUsize::new(0));
    let settings = |settings: &mut PoolSettings| {
        settings.capacity = 3;
        settings.prefetch = Some(prefetch);
    };
    let (pool, heard) = bench.pool(settings, {
        let (gate, running) = (gate.clone(), running.clone());
        move |_| {
            let (gate, running) = (gate.clone(), running.clone());
            async move {
                running.fetch_add(1, Ordering::SeqCst);
                gate.acquire().await.unwrap().forget();
                running.fetch_sub(1, Ordering::SeqCst);
                Ok(Answer::new())
            }
        }
    });
    for _ in 0..8 {
        bench.start().await;
    }
    until("three run", SOON, async || match running.load(Ordering::SeqCst) {
        3 => Ok(()),
        count => Err(format!("{count} run")),
    })
    .await;
    let most = 3 + prefetch;
    until("as many as may be are locked", SOON, async || {
        match (bench.locked().await, pool.in_flight()) {
            found if found == (most, most) => Ok(()),
            found => Err(format!("{found:?}")),
        }
    })
    .await;
    gate.add_permits(2);
    until("two are done and three more run", SOON, async || {
        match (heard.ends().len(), running.load(Ordering::SeqCst)) {
            (2, 3) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    let locked = bench.locked().await;
    assert!(locked <= most, "{locked} are locked");
    gate.add_permits(6);
    until("all are done", SOON, async || match heard.ends().len() {
        8 => Ok(()),
        count => Err(format!("{count} done")),
    })
    .await;
    pool.stop(SOON).await;
}

#[tokio::test]
async fn a_task_that_outlasts_its_lock_runs_once() {
    let bench = Bench::new("heartbeat");
    bench.deploy_task("", "").await;
    let runs = Arc::new(AtomicUsize::new(0));
    let lock = Duration::from_millis(1500);
    let (pool, heard) = bench.pool(|settings| settings.lock_duration = lock, {
        let runs = runs.clone();
        move |_| {
            runs.fetch_add(1, Ordering::SeqCst);
            async move {
                tokio::time::sleep(lock * 3).await;
                Ok(Answer::new())
            }
        }
    });
    let instance = bench.start().await;
    bench.completed(&instance).await;
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    pool.stop(SOON).await;
    assert_eq!(heard.ends(), [Ended::Completed]);
}

#[tokio::test]
async fn a_handler_whose_lock_is_lost_is_cancelled_and_never_reported() {
    struct TellsItsEnd(Arc<AtomicBool>);
    impl Drop for TellsItsEnd {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    let bench = Bench::new("lost-lock");
    bench.deploy_task("", "").await;
    let cancelled = Arc::new(AtomicBool::new(false));
    // One slot alone: while it is taken the pool does not poll, and cannot lock the task again by itself.
    let settings = |settings: &mut PoolSettings| {
        settings.lock_duration = Duration::from_secs(3);
        settings.capacity = 1;
        settings.prefetch = Some(0);
    };
    let (pool, heard) = bench.pool(settings, {
        let cancelled = cancelled.clone();
        move |_| {
            let ends = TellsItsEnd(cancelled.clone());
            async move {
                let _ends = ends;
                std::future::pending().await
            }
        }
    });
    let instance = bench.start().await;
    let task = until("the task is locked", SOON, async || {
        bench
            .engine
            .locked_by(pool.worker_id())
            .await
            .unwrap()
            .pop()
            .ok_or("not yet")
    })
    .await;
    // Somebody takes the lock away and locks the task for another worker.
    bench.engine.unlock(&task.id).await.unwrap();
    bench
        .engine
        .lock(&task.id, "somebody-else", Duration::from_secs(60))
        .await
        .unwrap();
    until("the handler is cancelled", SOON, async || {
        if cancelled.load(Ordering::SeqCst) {
            Ok(())
        } else {
            Err("it still runs")
        }
    })
    .await;
    until("the attempt is over", SOON, async || {
        match heard.ends().as_slice() {
            [Ended::Dropped] => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    let after = bench.engine.external_tasks(&instance).await.unwrap().remove(0);
    assert_eq!(
        after.worker_id.as_deref(),
        Some("somebody-else"),
        "the other's lock is left alone"
    );
    assert_eq!(after.retries, None, "nothing was reported");
    pool.stop(SOON).await;
}

/// The worker's way to the shared engine, counting the completions that the engine refuses.
struct CountsRefusals {
    http: reqwest::Client,
    refused: Arc<AtomicUsize>,
}

impl CountsRefusals {
    /// A client that goes this way, and the count.
    fn client() -> (EngineClient, Arc<AtomicUsize>) {
        // Fails where another test has done it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).build();
        let refused = Arc::new(AtomicUsize::new(0));
        let way = Self {
            http: http.unwrap(),
            refused: refused.clone(),
        };
        (EngineClient::in_process(Arc::new(way)), refused)
    }
}

impl InProcess for CountsRefusals {
    fn call(
        &self,
        request: http::Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = http::Response<Bytes>> + Send>> {
        let engine = Engine::shared();
        let (parts, body) = request.into_parts();
        let is_completion = parts.uri.path().ends_with("/complete");
        let url = format!("{}{}", engine.address(), parts.uri.path_and_query().unwrap());
        let call = self
            .http
            .request(parts.method, url)
            .headers(parts.headers)
            .basic_auth("worker", Some(engine.password("worker")))
            .body(body);
        let refused = self.refused.clone();
        Box::pin(async move {
            let answer = call.send().await.unwrap();
            if is_completion && answer.status().is_client_error() {
                refused.fetch_add(1, Ordering::SeqCst);
            }
            let mut response = http::Response::builder().status(answer.status());
            response.headers_mut().unwrap().extend(answer.headers().clone());
            response.body(answer.bytes().await.unwrap()).unwrap()
        })
    }
}

#[tokio::test]
async fn what_a_task_of_a_suspended_instance_has_come_to_is_kept_until_it_goes_on() {
    let bench = Bench::new("suspended");
    bench.deploy_task("", "").await;
    let (gate, runs) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
    let router = bench.router({
        let (gate, runs) = (gate.clone(), runs.clone());
        move |_| {
            let (gate, runs) = (gate.clone(), runs.clone());
            async move {
                runs.fetch_add(1, Ordering::SeqCst);
                gate.acquire().await.unwrap().forget();
                Ok(Answer::new())
            }
        }
    });
    let (engine, refused) = CountsRefusals::client();
    let heard = Arc::new(Heard::default());
    let settings = PoolSettings::new("test", [&bench.key]);
    let pool = WorkerPool::start(engine, settings, router, heard.clone(), None).unwrap();
    let instance = bench.start().await;
    until("it runs", SOON, async || match runs.load(Ordering::SeqCst) {
        1 => Ok(()),
        count => Err(format!("{count} run")),
    })
    .await;
    bench.engine.suspend_instance(&instance, true).await.unwrap();
    gate.add_permits(1);
    // A second one shows that the first was not the end of it.
    until("two completions are refused", SOON, async || {
        match refused.load(Ordering::SeqCst) {
            0 | 1 => Err(format!("{:?}", heard.ends())),
            _ => Ok(()),
        }
    })
    .await;
    assert_eq!(heard.ends(), [], "nothing is over");
    bench.engine.suspend_instance(&instance, false).await.unwrap();
    bench.completed(&instance).await;
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    pool.stop(SOON).await;
    assert_eq!(heard.ends(), [Ended::Completed]);
}

#[tokio::test]
async fn a_stop_lets_tasks_finish_and_frees_the_rest_for_others() {
    let bench = Bench::new("drain");
    bench.deploy_task("", "").await;
    let gate = Arc::new(Semaphore::new(0));
    let started = Arc::new(AtomicUsize::new(0));
    let (pool, heard) = bench.pool(|_| {}, {
        let (gate, started) = (gate.clone(), started.clone());
        move |context| {
            let (gate, started) = (gate.clone(), started.clone());
            async move {
                started.fetch_add(1, Ordering::SeqCst);
                match context.task.business_key.as_deref() {
                    Some("stuck") => std::future::pending().await,
                    _ => gate.acquire().await.unwrap().forget(),
                }
                Ok(Answer::new())
            }
        }
    });
    let none = engine_client::Variables::new();
    let stuck = bench
        .engine
        .start_instance(&bench.key, None, Some("stuck"), &none)
        .await
        .unwrap()
        .id;
    let quick = bench.start().await;
    until("both run", SOON, async || match started.load(Ordering::SeqCst) {
        2 => Ok(()),
        count => Err(format!("{count}")),
    })
    .await;
    let worker_id = pool.worker_id().to_owned();
    let stop = tokio::spawn(pool.stop(Duration::from_secs(2)));
    gate.add_permits(1);
    let report = stop.await.unwrap();
    assert_eq!((report.finished, report.given_up), (1, 1));
    bench.completed(&quick).await;
    assert!(
        bench.engine.locked_by(&worker_id).await.unwrap().is_empty(),
        "nothing stays locked"
    );
    let mut ends = heard.ends();
    ends.sort_by_key(|end| *end == Ended::Dropped);
    assert_eq!(ends, [Ended::Completed, Ended::Dropped]);

    // Another pool takes the freed task at once, although the lock of 60 s is far from over.
    let (other, _) = bench.pool(|_| {}, async |_| Ok(Answer::new()));
    bench.completed(&stuck).await;
    other.stop(SOON).await;
}

#[tokio::test]
async fn a_stopped_pool_locks_nothing_any_more() {
    let bench = Bench::new("no-ghost");
    bench.deploy_task("", "").await;
    let (pool, _) = bench.pool(|_| {}, async |_| Ok(Answer::new()));
    until("the pool polls", SOON, async || {
        // A first task shows that it does; after it, the next long poll is on its way or pending.
        let instance = bench.start().await;
        bench.completed(&instance).await;
        Ok::<_, String>(())
    })
    .await;
    let worker_id = pool.worker_id().to_owned();
    pool.stop(SOON).await;
    let instance = bench.start().await;
    let task = bench.engine.external_tasks(&instance).await.unwrap().remove(0);
    assert_eq!(
        task.worker_id, None,
        "the poll that was pending in the engine is gone"
    );
    assert!(bench.engine.locked_by(&worker_id).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_task_that_waits_for_its_retry_goes_on_waiting_when_its_worker_stops() {
    let bench = Bench::new("waits");
    bench.deploy_task(&property("retry", "R3/PT1H"), "").await;
    let (pool, heard) = bench.pool(|_| {}, async |_| Err(Failure::retryable("later").into()));
    let instance = bench.start().await;
    until("the first attempt has failed", SOON, async || {
        match heard.ends().as_slice() {
            [Ended::Failed] => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    let until_when = async || {
        bench
            .engine
            .external_tasks(&instance)
            .await
            .unwrap()
            .remove(0)
            .lock_expiration_time
    };
    let before = until_when().await;
    pool.stop(SOON).await;
    assert_eq!(
        until_when().await,
        before,
        "the delay is the engine's, not the worker's to end"
    );
}

#[tokio::test]
async fn a_retry_without_delay_is_not_lost_where_a_poll_brings_it_before_the_report_has_ended() {
    let bench = Bench::new("at-once");
    bench.deploy_task(&property("retry", "R9/PT0S"), "").await;
    let (pool, heard) = bench.pool(
        |_| {},
        async |context| {
            if context.task.attempt < 9 {
                Err(Failure::retryable("again").into())
            } else {
                Ok(Answer::new())
            }
        },
    );
    let instances: Vec<String> = futures::future::join_all((0..10).map(|_| bench.start())).await;
    // A swallowed task would wait for the end of its lock, a minute.
    for instance in &instances {
        bench.completed(instance).await;
    }
    pool.stop(SOON).await;
    assert_eq!(
        heard
            .ends()
            .iter()
            .filter(|end| **end == Ended::Completed)
            .count(),
        10
    );
}
