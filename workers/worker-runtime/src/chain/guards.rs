//! What an operator puts before a topic: a cache, a circuit breaker and a rate. Each is a layer of its own and looks its
//! settings up at the task's route, so that it stands before whichever adapter there is.

mod breaker;
mod cache;
mod rate;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use worker_api::{Guards, Middleware, Router};

/// The layers that at least one route asks for, from outside in.
pub(super) fn layers(router: &Arc<dyn Router>) -> Vec<Arc<dyn Middleware>> {
    let topics = router.topics();
    let all: Vec<Guards> = topics
        .iter()
        .filter_map(|topic| Some(router.route(topic)?.guards.clone()))
        .collect();
    let mut layers: Vec<Arc<dyn Middleware>> = Vec::new();
    if all.iter().any(|guards| guards.cache.is_some()) {
        layers.push(Arc::new(cache::Cached::new(Arc::clone(router))));
    }
    if all.iter().any(|guards| guards.breaker.is_some()) {
        layers.push(Arc::new(breaker::Breakers::new(Arc::clone(router))));
    }
    if all.iter().any(|guards| guards.rate.is_some()) {
        layers.push(Arc::new(rate::Rates::new(Arc::clone(router))));
    }
    layers
}

/// Something for each topic that has a guard, made when it is first needed. Topics with guards are as many as the routes.
struct PerTopic<T>(Mutex<HashMap<String, Arc<T>>>);

impl<T> PerTopic<T> {
    fn new() -> Self {
        Self(Mutex::default())
    }

    fn get(&self, topic: &str, make: impl FnOnce() -> T) -> Arc<T> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match all.get(topic) {
            Some(known) => Arc::clone(known),
            None => {
                let made = Arc::new(make());
                all.insert(topic.to_owned(), Arc::clone(&made));
                made
            }
        }
    }
}

#[cfg(test)]
mod tests;
