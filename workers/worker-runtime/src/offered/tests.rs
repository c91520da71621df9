//! A pool that takes offers, on the fake engine. The offers are made by hand; the broker's are tried in `adapter-broker`.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use engine_client::fake::{FakeEngine, Fault, LinearProcess, TaskStep};
use engine_client::{InstanceState, Variables};
use serde_json::{Value as Json, json};
use tokio::sync::Notify;
use worker_api::{Dispatch, Failure, Lead, Offer, async_trait};

use crate::{HandlerError, Worker};

/// Offers in memory.
#[derive(Debug, Default)]
struct Offers {
    waiting: Mutex<Vec<Offer>>,
    offered: Notify,
    fails: Mutex<bool>,
}

impl Offers {
    fn offer(&self, id: &str) {
        let (topic, task_id) = ("a".to_owned(), id.to_owned());
        self.waiting().push(Offer { topic, task_id });
        self.offered.notify_one();
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Offer>> {
        self.waiting.lock().unwrap()
    }
}

#[async_trait]
impl Dispatch for Offers {
    async fn take(&self, topics: &[&str], at_most: usize, within: Duration) -> Result<Vec<Offer>, Failure> {
        assert_eq!(topics, ["a"]);
        if *self.fails.lock().unwrap() {
            return Err(Failure::retryable("the broker is away"));
        }
        let any = async {
            while self.waiting().is_empty() {
                self.offered.notified().await;
            }
        };
        let _ = tokio::time::timeout(within, any).await;
        let mut waiting = self.waiting();
        let count = waiting.len().min(at_most);
        Ok(waiting.drain(..count).collect())
    }

    async fn lead(&self) -> Result<Option<Box<dyn Lead>>, Failure> {
        Ok(None)
    }
}

struct World {
    fake: FakeEngine,
    offers: Arc<Offers>,
    worker: Worker,
    seen: Arc<Mutex<Vec<Json>>>,
}

impl World {
    fn new() -> Self {
        let fake = FakeEngine::new();
        let work = TaskStep::new("work", "a")
            .input("item", "desk")
            .property("resultVariable", "result")
            .property("retry", "R2/PT1S");
        fake.deploy(LinearProcess::new("p").then(work));
        let (offers, seen) = (Arc::new(Offers::default()), Arc::new(Mutex::new(Vec::new())));
        let (dispatch, log) = (Arc::clone(&offers) as Arc<dyn Dispatch>, Arc::clone(&seen));
        let handler = move |inputs: Json| {
            let first = {
                let mut log = log.lock().unwrap();
                log.push(inputs);
                log.len() == 1
            };
            async move {
                match first {
                    true => Err(HandlerError::from(Failure::retryable("once"))),
                    false => Ok(json!({"done": true})),
                }
            }
        };
        let worker = Worker::builder(fake.client())
            .topic("a", handler)
            .settings(move |settings| settings.offers = Some(dispatch))
            .start()
            .unwrap();
        Self {
            fake,
            offers,
            worker,
            seen,
        }
    }

    /// Waits until it holds, an hour at most, which passes at once on a paused clock.
    async fn until(&self, holds: impl Fn(&FakeEngine) -> bool) {
        let waiting = async {
            while !holds(&self.fake) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let held = tokio::time::timeout(Duration::from_secs(3600), waiting).await;
        held.expect("it holds within an hour");
    }

    /// Starts an instance: its id, and that of its task.
    async fn start(&self) -> (String, String) {
        let variables = Variables::new();
        let started = self
            .fake
            .client()
            .start_instance("p", None, None, &variables)
            .await;
        let instance = started.unwrap().id;
        let task = self.fake.external_task(&instance).unwrap().id;
        (instance, task)
    }

    async fn ends(&self, instance: &str) {
        let ended = tokio::time::timeout(Duration::from_secs(3600), self.fake.ended(instance)).await;
        assert_eq!(ended.unwrap(), Some(InstanceState::Completed));
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_is_offered_comes_as_by_a_poll_and_costs_no_poll() {
    let world = World::new();
    let (instance, task) = world.start().await;
    world.offers.offer(&task);
    // The first attempt fails, and the task waits a second, in which nobody gets it.
    world
        .until(|fake| {
            fake.external_task(&instance)
                .is_some_and(|task| task.retries == Some(1))
        })
        .await;
    world.offers.offer(&task);
    tokio::time::sleep(Duration::from_secs(2)).await;
    world.offers.offer(&task);
    world.ends(&instance).await;
    let given = json!({"item": "desk"});
    assert_eq!(*world.seen.lock().unwrap(), [given.clone(), given]);
    let result = &world.fake.variables(&instance)["result"];
    assert_eq!(result.to_json(), json!({"done": true}));
    assert_eq!(world.fake.calls("/fetchAndLock"), 0);
    world.worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn offers_of_what_is_gone_or_anothers_are_nothing() {
    let world = World::new();
    let (one, first) = world.start().await;
    world.offers.offer(&first);
    let (other, second) = world.start().await;
    let client = world.fake.client();
    client
        .lock(&second, "somebody", Duration::from_secs(60))
        .await
        .unwrap();
    world.offers.offer("nowhere");
    world.offers.offer(&second);
    tokio::time::sleep(Duration::from_secs(10)).await;
    world.offers.offer(&first);
    world.ends(&one).await;
    assert_eq!(
        world.seen.lock().unwrap().len(),
        2,
        "the other's task was not run"
    );
    let still = world.fake.external_task(&other).unwrap();
    assert_eq!(still.worker_id.as_deref(), Some("somebody"));
    assert!(world.worker.pool().is_ready());
    world.worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_task_without_attempts_left_is_let_go() {
    let world = World::new();
    let (instance, task) = world.start().await;
    world
        .fake
        .client()
        .set_external_task_retries(&task, 0)
        .await
        .unwrap();
    world.offers.offer(&task);
    world.until(|fake| fake.calls("/unlock") > 0).await;
    let let_go = world.fake.external_task(&instance).unwrap();
    assert_eq!((let_go.worker_id, let_go.retries), (None, Some(0)));
    assert!(world.seen.lock().unwrap().is_empty());
    world.worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_locked_when_the_engine_went_away_is_freed() {
    let world = World::new();
    let (instance, task) = world.start().await;
    let path = format!("/external-task/{task}");
    world.fake.inject(Fault::on(path).times(1).answer(503, None));
    world.offers.offer(&task);
    tokio::time::sleep(Duration::from_secs(30)).await;
    let freed = world.fake.external_task(&instance).unwrap();
    assert_eq!(freed.worker_id, None);
    world.worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_pool_whose_offers_cannot_be_reached_is_not_ready_until_they_can() {
    let world = World::new();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(world.worker.pool().is_ready());
    *world.offers.fails.lock().unwrap() = true;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(!world.worker.pool().is_ready());
    *world.offers.fails.lock().unwrap() = false;
    let (instance, task) = world.start().await;
    world.offers.offer(&task);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(world.worker.pool().is_ready());
    world.offers.offer(&task);
    world.ends(&instance).await;
    world.worker.stop().await;
}

#[tokio::test]
async fn filters_that_offers_know_nothing_of_are_refused() {
    let topic = crate::Topic::new("a", async |_: Json| Ok::<_, HandlerError>(json!({})));
    let fake = FakeEngine::new();
    let refused = Worker::builder(fake.client())
        .serve(topic.subscription(|own| own.request.without_tenant_id = true))
        .settings(|settings| settings.offers = Some(Arc::new(Offers::default())))
        .start()
        .unwrap_err();
    assert!(refused.to_string().contains("filters"), "{refused}");
}
