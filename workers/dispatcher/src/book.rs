//! What has been offered, and what is to be offered again.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use engine_client::ExternalTask;
use jiff::Timestamp;
use worker_api::Offer;

/// Where nothing of a topic is on offer any more, how long a task that was taken may not be locked until it counts as let go.
const TAKEN: Duration = Duration::from_secs(5);

/// The tasks that were offered, by id.
#[derive(Debug)]
pub(crate) struct Book {
    lifetime: Duration,
    offered: HashMap<String, Entry>,
}

#[derive(Debug)]
struct Entry {
    at: Instant,
    attempt: Attempt,
}

/// What changes when somebody has had the task in between.
#[derive(Debug, PartialEq, Eq)]
struct Attempt {
    retries: Option<i32>,
    last_lock: Option<Timestamp>,
    worker_id: Option<String>,
}

impl Book {
    pub(crate) fn new(lifetime: Duration) -> Self {
        Self {
            lifetime,
            offered: HashMap::new(),
        }
    }

    /// Which of a topic's tasks, none of which is locked, are to be offered, where so many offers of it wait.
    pub(crate) fn choose(&mut self, tasks: Vec<ExternalTask>, waiting: usize, now: Instant) -> Vec<Offer> {
        let mut offers = Vec::new();
        for task in tasks {
            let attempt = Attempt {
                retries: task.retries,
                last_lock: task.lock_expiration_time,
                worker_id: task.worker_id,
            };
            let patience = if waiting == 0 { TAKEN } else { self.lifetime };
            let is_on_offer = self.offered.get(&task.id).is_some_and(|entry| {
                entry.attempt == attempt && now.saturating_duration_since(entry.at) < patience
            });
            if is_on_offer {
                continue;
            }
            self.offered.insert(task.id.clone(), Entry { at: now, attempt });
            offers.push(Offer {
                topic: task.topic_name,
                task_id: task.id,
            });
        }
        offers
    }

    /// Forgets what is on offer no longer.
    pub(crate) fn forget(&mut self, now: Instant) {
        let lifetime = self.lifetime;
        self.offered
            .retain(|_, entry| now.saturating_duration_since(entry.at) < lifetime);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(id: &str, retries: Option<i32>) -> ExternalTask {
        let task = serde_json::json!({ "id": id, "topicName": "t", "retries": retries });
        serde_json::from_value(task).unwrap()
    }

    fn ids(offers: Vec<Offer>) -> Vec<String> {
        offers.into_iter().map(|offer| offer.task_id).collect()
    }

    #[test]
    fn what_is_on_offer_is_not_offered_again_until_its_lifetime_is_over() {
        let (mut book, now) = (Book::new(Duration::from_secs(30)), Instant::now());
        let listed = || vec![task("a", None), task("b", None)];
        assert_eq!(ids(book.choose(listed(), 0, now)), ["a", "b"]);
        let later = |seconds| now + Duration::from_secs(seconds);
        assert!(book.choose(listed(), 2, later(29)).is_empty());
        assert_eq!(ids(book.choose(listed(), 2, later(30))), ["a", "b"]);
    }

    #[test]
    fn what_was_taken_and_not_locked_is_offered_again_soon() {
        let (mut book, now) = (Book::new(Duration::from_secs(30)), Instant::now());
        book.choose(vec![task("a", None)], 0, now);
        let later = |seconds| now + Duration::from_secs(seconds);
        assert!(book.choose(vec![task("a", None)], 0, later(4)).is_empty());
        assert_eq!(ids(book.choose(vec![task("a", None)], 0, later(5))), ["a"]);
    }

    #[test]
    fn a_task_that_somebody_has_had_is_offered_at_once() {
        let (mut book, now) = (Book::new(Duration::from_secs(30)), Instant::now());
        book.choose(vec![task("a", None)], 0, now);
        assert_eq!(ids(book.choose(vec![task("a", Some(2))], 1, now)), ["a"]);
        assert!(book.choose(vec![task("a", Some(2))], 1, now).is_empty());
    }

    #[test]
    fn it_keeps_nothing_for_longer_than_an_offer_lives() {
        let (mut book, now) = (Book::new(Duration::from_secs(30)), Instant::now());
        book.choose(vec![task("a", None)], 0, now);
        book.forget(now + Duration::from_secs(29));
        assert_eq!(book.offered.len(), 1);
        book.forget(now + Duration::from_secs(30));
        assert!(book.offered.is_empty());
    }
}
