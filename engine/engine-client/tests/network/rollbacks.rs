//! Calls that the engine has rolled back for another transaction's sake: which are repeated, how often, and when. The
//! engine is in this process, so that the clock may jump from one repetition to the next.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use engine_client::{ClientSettings, EngineClient, InProcess, Variables};
use http::{Request, Response};
use tokio::time::Instant;

const OPTIMISTIC_LOCKING: &str = r#"{"type": "OptimisticLockingException", "message": "m", "code": 1}"#;
const DEADLOCK: &str = r#"{"type": "ProcessEngineException", "message": "m", "code": 10000}"#;

/// Refuses the first calls so many times, and takes `slowness` for each.
struct Engine {
    refusals: usize,
    status: u16,
    body: &'static str,
    slowness: Duration,
    calls: Mutex<Vec<(Instant, Request<Bytes>)>>,
}

impl Engine {
    fn refusing(refusals: usize, status: u16, body: &'static str) -> Arc<Self> {
        Arc::new(Self {
            refusals,
            status,
            body,
            slowness: Duration::ZERO,
            calls: Mutex::default(),
        })
    }

    fn client(self: &Arc<Self>) -> EngineClient {
        EngineClient::in_process(Arc::clone(self) as Arc<dyn InProcess>)
    }

    fn calls(&self) -> usize {
        self.calls.lock().unwrap().len()
    }

    /// The time from each call to the next.
    fn delays(&self) -> Vec<Duration> {
        let calls = self.calls.lock().unwrap();
        calls.windows(2).map(|two| two[1].0 - two[0].0).collect()
    }
}

impl InProcess for Engine {
    fn call(&self, request: Request<Bytes>) -> Pin<Box<dyn Future<Output = Response<Bytes>> + Send>> {
        let mut calls = self.calls.lock().unwrap();
        calls.push((Instant::now(), request));
        let (status, body) = match calls.len() <= self.refusals {
            true => (self.status, self.body),
            false => (200, r#"{"version": "7.24.0", "id": "1", "definitionId": "d"}"#),
        };
        let slowness = self.slowness;
        Box::pin(async move {
            tokio::time::sleep(slowness).await;
            let mut answer = Response::new(Bytes::from_static(body.as_bytes()));
            *answer.status_mut() = http::StatusCode::from_u16(status).unwrap();
            answer
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_rolled_back_is_repeated_until_it_succeeds() {
    for body in [OPTIMISTIC_LOCKING, DEADLOCK] {
        for refusals in [1, 8] {
            let engine = Engine::refusing(refusals, 500, body);
            assert_eq!(engine.client().version().await.unwrap(), "7.24.0");
            assert_eq!(engine.calls(), refusals + 1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_always_rolled_back_is_repeated_as_often_as_is_set() {
    for body in [OPTIMISTIC_LOCKING, DEADLOCK] {
        let engine = Engine::refusing(usize::MAX, 500, body);
        let error = engine.client().version().await.unwrap_err();
        assert!(error.is_rolled_back() && error.is_transient() && !error.is_ambiguous());
        assert_eq!(engine.calls(), 9);
        for times in [0, 3] {
            let engine = Engine::refusing(usize::MAX, 500, body);
            let settings = ClientSettings::new().rollback_repetitions(times);
            let client = settings.in_process(Arc::clone(&engine) as Arc<dyn InProcess>);
            assert!(client.version().await.unwrap_err().is_rolled_back());
            assert_eq!(engine.calls(), times + 1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn no_other_refusal_is_repeated() {
    let refusals = [
        (500, r#"{"message": "value too long", "code": 10002}"#),
        (500, r#"{"message": "foreign key", "code": 10001}"#),
        (500, r#"{"message": "other", "code": 0}"#),
        (500, r#"{"message": "OptimisticLockingException ENGINE-03005"}"#),
        (500, ""),
        (400, r#"{"message": "locked by another", "code": 0}"#),
        (429, ""),
        (503, "<h1>Away</h1>"),
    ];
    for (status, body) in refusals {
        let engine = Engine::refusing(1, status, body);
        let error = engine.client().version().await.unwrap_err();
        assert!(!error.is_rolled_back(), "{status} {body}");
        assert_eq!(engine.calls(), 1, "{status} {body}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_delays_grow_and_no_two_calls_have_the_same() {
    const STEPS: [u64; 8] = [5, 10, 20, 40, 80, 160, 200, 200];
    let mut seen = vec![BTreeSet::new(); STEPS.len()];
    for _ in 0..30 {
        let engine = Engine::refusing(8, 500, OPTIMISTIC_LOCKING);
        engine.client().version().await.unwrap();
        for (index, delay) in engine.delays().into_iter().enumerate() {
            let step = Duration::from_millis(STEPS[index]);
            // tokio's timers are exact to the millisecond, and never early.
            let latest = 2 * step + Duration::from_millis(2);
            assert!(step <= delay && delay <= latest, "{index}: {delay:?}");
            seen[index].insert(delay);
        }
    }
    for (step, seen) in STEPS.iter().zip(seen) {
        assert!(seen.len() > 1, "always {seen:?}");
        // Spread over the whole of it.
        let (least, most) = (*seen.first().unwrap(), *seen.last().unwrap());
        assert!(most - least > Duration::from_millis(step / 3), "{step}: {seen:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_repetition_is_the_same_call() {
    let engine = Engine::refusing(2, 500, DEADLOCK);
    let variables = Variables::default();
    let started = engine
        .client()
        .start_instance("order", None, Some("4711"), &variables)
        .await;
    assert_eq!(started.unwrap().id, "1");
    let calls = engine.calls.lock().unwrap();
    let (_, first) = &calls[0];
    assert!(first.body().windows(4).any(|part| part == b"4711"));
    for (_, call) in &calls[1..] {
        assert_eq!((call.method(), call.uri()), (first.method(), first.uri()));
        assert_eq!((call.headers(), call.body()), (first.headers(), first.body()));
    }
    assert_eq!(calls.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn each_repetition_has_the_whole_time_of_a_call() {
    let slow = |seconds| {
        let mut engine = Engine::refusing(2, 500, DEADLOCK);
        Arc::get_mut(&mut engine).unwrap().slowness = Duration::from_secs(seconds);
        engine
    };
    let engine = slow(29);
    engine.client().version().await.unwrap();
    assert_eq!(engine.calls(), 3);
    let engine = slow(31);
    assert!(engine.client().version().await.unwrap_err().is_ambiguous());
    assert_eq!(engine.calls(), 1);
}
