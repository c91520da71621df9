//! Answers that are given again without asking, where the operator says so and the task changes nothing.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lru::LruCache;
use serde_json::{Value as Json, json};
use tokio::time::Instant;
use worker_api::{Answer, Cache, Effect, Middleware, Next, Outcome, Router, TaskContext, Value, async_trait};

/// How many answers are kept, of all topics together.
const MOST: NonZeroUsize = NonZeroUsize::new(1000).unwrap();

/// Bytes that an answer, or what it is known by, may have as JSON to be kept.
const LARGEST: usize = 64 << 10;

pub(super) struct Cached {
    router: Arc<dyn Router>,
    answers: Mutex<LruCache<String, (Instant, Answer)>>,
}

impl Cached {
    pub(super) fn new(router: Arc<dyn Router>) -> Self {
        Self {
            router,
            answers: Mutex::new(LruCache::new(MOST)),
        }
    }

    fn answers(&self) -> MutexGuard<'_, LruCache<String, (Instant, Answer)>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Middleware for Cached {
    fn name(&self) -> &'static str {
        "cache"
    }

    async fn handle(&self, context: TaskContext, next: Next<'_>) -> Outcome {
        let route = self.router.route(&context.task.topic);
        let cache = route.and_then(|route| route.guards.cache.clone());
        let Some((cache, key)) = cache.and_then(|cache| Some((cache.lifetime, key(&cache, &context)?)))
        else {
            return next.run(context).await;
        };
        if next.effect(&context) == Effect::Once {
            return next.run(context).await;
        }
        let now = Instant::now();
        if let Some((until, answer)) = self.answers().get(&key)
            && *until > now
        {
            tracing::debug!("the answer is one that was kept");
            return Ok(answer.clone());
        }
        let answer = next.run(context).await?;
        if is_small(&answer) {
            self.answers().put(key, (now + cache, answer.clone()));
        }
        Ok(answer)
    }
}

/// What an answer is known by; none where an input is a file. Tenants share nothing.
fn key(cache: &Cache, context: &TaskContext) -> Option<String> {
    let mut inputs = Vec::new();
    for name in &cache.by {
        let value = match (context.settings.get(name), context.variables.get(name)) {
            (Some(fixed), _) => fixed.clone(),
            (None, Some(Value::File(_) | Value::Bytes(_))) => return None,
            (None, Some(value)) => value.to_json(),
            (None, None) => Json::Null,
        };
        inputs.push(value);
    }
    let key = json!([context.task.topic, context.task.tenant_id, inputs]).to_string();
    (key.len() <= LARGEST).then_some(key)
}

fn is_small(answer: &Answer) -> bool {
    let mut left = LARGEST;
    answer.fields().values().all(|value| {
        if matches!(value, Value::File(_) | Value::Bytes(_)) {
            return false;
        }
        let len = value.to_json().to_string().len();
        let fits = len <= left;
        left = left.saturating_sub(len);
        fits
    })
}
