//! An adapter of its own with its tests, which need no engine. `stock.bpmn` is a process that gives it work.
//!
//! ```sh
//! cargo test -p stock
//! RUST_LOG=info cargo run -p stock     # ENGINE_URL, ENGINE_USERNAME, ENGINE_PASSWORD
//! ```

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use schemars::JsonSchema;
use serde::Deserialize;
use worker_runtime::{
    Adapter, AdapterDescription, Answer, BpmnError, Effect, Outcome, TaskContext, TopicDescription,
    async_trait, flexible,
};

/// What is in stock. One adapter serves all tasks at once.
pub struct Stock {
    shelves: Mutex<Shelves>,
}

struct Shelves {
    left: BTreeMap<String, u32>,
    /// What was reserved, by task: an attempt may be made twice.
    reserved: BTreeMap<String, u32>,
}

/// What the task is given.
#[derive(Deserialize, JsonSchema)]
struct Wish {
    /// The item's name.
    item: String,
    /// How many are wanted.
    #[serde(deserialize_with = "flexible")]
    #[schemars(with = "u32")]
    quantity: u32,
}

/// What it answers.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "it describes the answer")]
struct Reserved {
    /// How many are left.
    left: u32,
}

impl Stock {
    /// So many of each item.
    pub fn new(items: &[(&str, u32)]) -> Self {
        let left = items.iter().map(|(item, count)| ((*item).to_owned(), *count));
        Self {
            shelves: Mutex::new(Shelves {
                left: left.collect(),
                reserved: BTreeMap::new(),
            }),
        }
    }
}

#[async_trait]
impl Adapter for Stock {
    fn description(&self) -> AdapterDescription {
        AdapterDescription::new("stock", "Knows what is in stock").topic(
            TopicDescription::new::<Wish, Reserved>("stock_reserve", "Takes an item out of stock")
                .error("OUT_OF_STOCK", "There are fewer than wanted"),
        )
    }

    /// It knows a task that it has had already.
    fn effect(&self, _: &TaskContext) -> Effect {
        Effect::Repeatable
    }

    async fn execute(&self, context: TaskContext) -> Outcome {
        let wish: Wish = context.inputs()?;
        let mut shelves = self.shelves.lock().unwrap_or_else(PoisonError::into_inner);
        let left = shelves.left.get(&wish.item).copied().unwrap_or(0);
        let left = match left.checked_sub(wish.quantity) {
            _ if shelves.reserved.contains_key(&context.task.id) => left,
            Some(rest) => rest,
            None => {
                let error = BpmnError::new("OUT_OF_STOCK", format!("{left} of {} are left", wish.item));
                return Err(error.with("left", i64::from(left)).into());
            }
        };
        shelves.left.insert(wish.item, left);
        shelves.reserved.insert(context.task.id, wish.quantity);
        Ok(Answer::new().with("left", i64::from(left)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use engine_client::fake::{FakeEngine, Fault, LinearProcess, TaskStep};
    use engine_client::{InstanceState, Variable, Variables};
    use worker_runtime::{Task, TaskError, Value, Worker};

    use super::*;

    // The adapter alone: inputs in, outcome out.

    fn attempt(task_id: &str, item: &str, quantity: i64) -> TaskContext {
        let task = Task {
            id: task_id.into(),
            topic: "stock_reserve".into(),
            activity_id: "reserve_stock".into(),
            ..Task::default()
        };
        let variables = [("item", item.into()), ("quantity", Value::Integer(quantity))];
        TaskContext::new(task, Duration::from_secs(1))
            .with_variables(variables.map(|(name, value)| (name.to_owned(), value)).into())
    }

    #[tokio::test]
    async fn a_second_attempt_at_a_task_reserves_nothing_more() {
        let stock = Stock::new(&[("desk", 10)]);
        for (task, left) in [("a", 8), ("a", 8), ("b", 6)] {
            let answer = stock.execute(attempt(task, "desk", 2)).await;
            assert_eq!(answer, Ok(Answer::new().with("left", left)));
        }
    }

    #[tokio::test]
    async fn what_is_not_there_is_a_business_error() {
        let outcome = Stock::new(&[]).execute(attempt("a", "desk", 2)).await;
        let Err(TaskError::Bpmn(error)) = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(error.to_string(), "OUT_OF_STOCK: 0 of desk are left");
    }

    // The adapter in a process: the real worker on a fake engine, by a clock that does not make anybody wait.

    fn process() -> LinearProcess {
        let reserve = TaskStep::new("reserve_stock", "stock_reserve")
            .input("item", "${item}")
            .input("quantity", "${quantity}")
            .output("left", "${left}")
            .catches("OUT_OF_STOCK", "sold_out");
        LinearProcess::new("stock").then(reserve)
    }

    fn order(quantity: Variable) -> Variables {
        let item = Variable::String("desk".into());
        [("item".to_owned(), item), ("quantity".to_owned(), quantity)].into()
    }

    async fn start(fake: &FakeEngine, variables: &Variables) -> String {
        let started = fake.client().start_instance("stock", None, None, variables).await;
        started.unwrap().id
    }

    fn worker(fake: &FakeEngine) -> Worker {
        fake.deploy(process());
        let stock = Stock::new(&[("desk", 10)]);
        Worker::builder(fake.client()).adapter(stock).start().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn the_process_gets_what_is_left() {
        let fake = FakeEngine::new();
        let worker = worker(&fake);
        // As it is typed into a form: text.
        let instance = start(&fake, &order(Variable::String("2".into()))).await;
        assert_eq!(fake.ended(&instance).await, Some(InstanceState::Completed));
        assert_eq!(fake.variables(&instance)["left"], Variable::Integer(8));
        worker.stop().await;
    }

    #[tokio::test(start_paused = true)]
    async fn the_process_can_catch_that_something_is_sold_out() {
        let fake = FakeEngine::new();
        let worker = worker(&fake);
        let instance = start(&fake, &order(Variable::Integer(11))).await;
        fake.ended(&instance).await;
        assert!(fake.visited(&instance).contains(&"sold_out".to_owned()));
        worker.stop().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_wrong_input_stops_the_process_and_is_named() {
        let fake = FakeEngine::new();
        let worker = worker(&fake);
        let instance = start(&fake, &order(Variable::String("many".into()))).await;
        let incident = fake.has_incident(&instance).await.unwrap();
        let message = incident.incident_message.unwrap();
        assert!(
            message.contains("input `quantity` of task reserve_stock"),
            "{message}"
        );
        worker.stop().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_report_that_the_engine_misses_is_repeated() {
        let fake = FakeEngine::new();
        let worker = worker(&fake);
        fake.inject(Fault::on("/complete").times(3).answer(503, None));
        let instance = start(&fake, &order(Variable::Integer(2))).await;
        fake.ended(&instance).await;
        assert_eq!(fake.variables(&instance)["left"], Variable::Integer(8));
        worker.stop().await;
    }
}
