//! What is spent: nothing goes out that could cost more than what is left of a budget.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use lru::LruCache;

use crate::conversation::Usage;
use crate::settings::{Budgets, Price};

/// Process instances whose spending is remembered.
const INSTANCES: NonZeroUsize = NonZeroUsize::MIN.saturating_add(9_999);

/// Fewer tokens than this are no answer.
const SHORTEST_ANSWER: u32 = 16;

/// What has been spent with one provider, or is about to be.
#[derive(Clone, Debug)]
pub(crate) struct Accounts(Arc<Mutex<Books>>);

#[derive(Debug)]
struct Books {
    day: (Date, f64),
    instances: LruCache<String, f64>,
}

/// A budget that what is asked does not fit into.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Exceeded {
    /// Whose budget: `task`, `instance` or `day`.
    pub(crate) whose: &'static str,
    pub(crate) budget: f64,
    pub(crate) spent: f64,
}

/// What may be spent, and by whom.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Purse<'a> {
    pub(crate) budgets: Budgets,
    pub(crate) instance: &'a str,
    /// What the attempt has spent so far.
    pub(crate) spent: f64,
}

/// Money that is set aside for one question.
#[derive(Debug)]
pub(crate) struct Reserved {
    accounts: Accounts,
    instance: String,
    price: Price,
    amount: f64,
    /// What is spent where nobody tells what the question has come to.
    unless_told: f64,
    /// Tokens that the answer may have.
    pub(crate) max_tokens: u32,
}

impl Accounts {
    pub(crate) fn new() -> Self {
        let books = Books {
            day: (today(), 0.0),
            instances: LruCache::new(INSTANCES),
        };
        Self(Arc::new(Mutex::new(books)))
    }

    /// Sets aside what a question of this many tokens can cost, with an answer of `max_tokens`, or of fewer where that is what
    /// the budgets leave.
    pub(crate) fn reserve(
        &self,
        purse: &Purse<'_>,
        price: Price,
        input_tokens: u64,
        max_tokens: u32,
    ) -> Result<Reserved, Exceeded> {
        let mut books = self.books();
        let of_instance = books.instances.get(purse.instance).copied().unwrap_or_default();
        let input = cost(price.input, input_tokens);
        let mut max_tokens = max_tokens;
        for (whose, budget, spent) in [
            ("task", purse.budgets.task, purse.spent),
            ("instance", purse.budgets.instance, of_instance),
            ("day", purse.budgets.day, books.day.1),
        ] {
            let Some(budget) = budget else { continue };
            let left = budget - spent - input;
            let affordable = if price.output > 0.0 {
                (left / price.output * 1e6).floor()
            } else if left >= 0.0 {
                f64::from(u32::MAX)
            } else {
                -1.0
            };
            if affordable < f64::from(SHORTEST_ANSWER.min(max_tokens)) {
                return Err(Exceeded { whose, budget, spent });
            }
            if affordable < f64::from(max_tokens) {
                #[allow(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "it is whole, and between SHORTEST_ANSWER and max_tokens"
                )]
                let fewer = affordable as u32;
                max_tokens = fewer;
            }
        }
        let amount = input + cost(price.output, u64::from(max_tokens));
        books.add(purse.instance, amount);
        Ok(Reserved {
            accounts: self.clone(),
            instance: purse.instance.to_owned(),
            price,
            amount,
            unless_told: input,
            max_tokens,
        })
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        // Nothing that holds the lock can panic half way through a change.
        let mut books = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if books.day.0 != today() {
            books.day = (today(), 0.0);
        }
        books
    }
}

impl Books {
    fn add(&mut self, instance: &str, amount: f64) {
        self.day.1 += amount;
        *self.instances.get_or_insert_mut(instance.to_owned(), || 0.0) += amount;
    }
}

impl Reserved {
    /// The question was answered with this usage; what it has cost.
    pub(crate) fn used(mut self, usage: Usage) -> f64 {
        self.unless_told = cost(self.price.input, usage.input) + cost(self.price.output, usage.output);
        self.unless_told
    }

    /// The provider has not taken the question on.
    pub(crate) fn free(mut self) {
        self.unless_told = 0.0;
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.accounts
            .books()
            .add(&self.instance, self.unless_told - self.amount);
    }
}

#[allow(clippy::cast_precision_loss, reason = "no question has 2^53 tokens")]
fn cost(per_million: f64, tokens: u64) -> f64 {
    per_million * tokens as f64 / 1e6
}

fn today() -> Date {
    Timestamp::now().to_zoned(TimeZone::UTC).date()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRICE: Price = Price {
        input: 1.0,
        output: 10.0,
    };

    fn purse(budgets: Budgets) -> Purse<'static> {
        Purse {
            budgets,
            instance: "i",
            spent: 0.0,
        }
    }

    fn of_day(day: f64) -> Budgets {
        Budgets {
            day: Some(day),
            ..Budgets::default()
        }
    }

    #[test]
    fn what_is_set_aside_counts_until_it_is_known_what_was_used() {
        let accounts = Accounts::new();
        let day = purse(of_day(0.025));
        let one = accounts.reserve(&day, PRICE, 1000, 1000).unwrap();
        assert_eq!(one.max_tokens, 1000);
        let two = accounts.reserve(&day, PRICE, 1000, 1000).unwrap();
        assert_eq!(two.max_tokens, 1000);
        let none = accounts.reserve(&day, PRICE, 3000, 1000).unwrap_err();
        assert_eq!((none.whose, none.budget), ("day", 0.025));
        let used = one.used(Usage {
            input: 1000,
            output: 100,
        });
        assert!((used - 0.002).abs() < 1e-12, "{used}");
        two.free();
        let left = accounts.reserve(&day, PRICE, 3000, 5000).unwrap();
        assert_eq!(left.max_tokens, 2000, "shortened to what is left");
    }

    #[test]
    fn a_question_without_an_end_has_cost_what_it_was_given() {
        let accounts = Accounts::new();
        drop(
            accounts
                .reserve(&purse(of_day(1.0)), PRICE, 1_000_000, 0)
                .unwrap(),
        );
        assert!(accounts.reserve(&purse(of_day(1.0)), PRICE, 1_000, 100).is_err());
    }

    #[test]
    fn each_budget_counts_for_itself() {
        let accounts = Accounts::new();
        let budgets = Budgets {
            task: Some(1.0),
            instance: Some(0.01),
            day: Some(1.0),
        };
        let all = accounts.reserve(&purse(budgets), PRICE, 0, 1000).unwrap();
        let whose = |purse: &Purse<'_>| {
            accounts
                .reserve(purse, PRICE, 0, 100)
                .map(|_| ())
                .map_err(|error| error.whose)
        };
        assert_eq!(whose(&purse(budgets)), Err("instance"));
        let other = Purse {
            instance: "other",
            ..purse(budgets)
        };
        assert_eq!(whose(&other), Ok(()));
        let poor = Purse { spent: 1.0, ..other };
        assert_eq!(whose(&poor), Err("task"));
        drop(all);
        let free = Price {
            input: 0.0,
            output: 0.0,
        };
        assert!(accounts.reserve(&purse(of_day(0.0)), free, 10, 10).is_ok());
    }
}
