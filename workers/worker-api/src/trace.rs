//! The trace that a task belongs to, for what an adapter asks of others (W3C Trace Context: <https://www.w3.org/TR/trace-context/>).

use std::fmt;

use crate::{TaskContext, Value};

/// The input by which a process hands a trace on.
const INPUT: &str = "traceparent";

/// A trace and a place in it. Written it is a `traceparent`: `00-TRACE-PARENT-01`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace's id.
    pub trace_id: u128,
    /// The id of the span that others' spans are below: that of the task's attempt.
    pub span_id: u64,
}

impl TraceContext {
    /// The trace of a task: that of its input `traceparent`, else one whose id is the process instance's, so that whatever the
    /// instance does meets in it. None where the engine's ids are none that could be a trace's.
    #[must_use]
    pub fn of(context: &TaskContext) -> Option<Self> {
        let given = match context.variables.get(INPUT) {
            Some(Value::String(text)) => trace_of(text),
            _ => None,
        };
        let task = hexadecimal(&context.task.id)?;
        let attempt = u64::from(context.task.attempt);
        // Each attempt is a span of its own.
        let span_id = ((task >> 64) as u64 ^ task as u64).wrapping_add(attempt).max(1);
        Some(Self {
            trace_id: given.or_else(|| hexadecimal(&context.task.process_instance_id))?,
            span_id,
        })
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "00-{:032x}-{:016x}-01", self.trace_id, self.span_id)
    }
}

/// The trace of a `traceparent`.
fn trace_of(text: &str) -> Option<u128> {
    let mut parts = text.trim().split('-');
    let (version, trace) = (parts.next()?, parts.next()?);
    let is_one = version.len() == 2 && version != "ff" && trace.len() == 32;
    hexadecimal(trace).filter(|_| is_one && parts.next().is_some_and(|span| span.len() == 16))
}

/// An id of the engine as a number: a UUID, or digits alone.
fn hexadecimal(id: &str) -> Option<u128> {
    let digits: String = id.chars().filter(|c| *c != '-').collect();
    u128::from_str_radix(&digits, 16).ok().filter(|id| *id != 0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Task, Variables};

    fn trace(instance: &str, task: &str, attempt: u32, given: Option<&str>) -> Option<String> {
        let task = Task {
            id: task.into(),
            process_instance_id: instance.into(),
            attempt,
            ..Task::default()
        };
        let mut variables = Variables::new();
        if let Some(given) = given {
            variables.insert("traceparent".into(), given.into());
        }
        let context = TaskContext::new(task, Duration::from_secs(1)).with_variables(variables);
        TraceContext::of(&context).map(|trace| trace.to_string())
    }

    const INSTANCE: &str = "4b25e367-ea0b-11f1-9a8b-0242498c20cb";
    const TASK: &str = "5c25e367-ea0b-11f1-0000-000000000001";

    #[test]
    fn an_instance_is_a_trace_and_each_attempt_a_span() {
        let first = trace(INSTANCE, TASK, 1, None).unwrap();
        assert_eq!(first, "00-4b25e367ea0b11f19a8b0242498c20cb-5c25e367ea0b11f1-01");
        let second = trace(INSTANCE, TASK, 2, None).unwrap();
        assert_eq!(first[..36], second[..36]);
        assert_ne!(first, second);
        // As engines with a counter for their ids have it.
        assert_eq!(
            trace("2501", "7", 1, None).unwrap(),
            "00-00000000000000000000000000002501-0000000000000008-01"
        );
    }

    #[test]
    fn a_trace_that_a_process_hands_on_goes_on() {
        let given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let goes_on = trace(INSTANCE, TASK, 1, Some(given)).unwrap();
        assert!(
            goes_on.starts_with("00-0af7651916cd43dd8448eb211c80319c-5c25"),
            "{goes_on}"
        );
        for none in [
            "",
            "nonsense",
            "00-0af7-b7ad6b7169203331-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert!(
                trace(INSTANCE, TASK, 1, Some(none))
                    .unwrap()
                    .starts_with("00-4b25"),
                "{none}"
            );
        }
    }

    #[test]
    fn ids_that_no_trace_can_have_make_none() {
        assert_eq!(trace("", "", 1, None), None);
        assert_eq!(trace("instance-1", TASK, 1, None), None);
        assert_eq!(trace("0", TASK, 1, None), None);
    }
}
