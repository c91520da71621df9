//! From an adapter's outcome to the report that the engine gets. Decisions alone, no I/O.

use std::time::Duration;

use engine_client::FailureReport;
use worker_api::{Answer, BpmnError, Failure, Outcome, Retry, RetryPolicy, TaskError};

/// What the engine is to be told of an attempt.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// The task is done.
    Complete(Answer),
    /// The error is thrown in the process, if it is caught there.
    Throw(BpmnError),
    /// The attempt has failed.
    Fail(FailureReport),
}

/// How far a task has come in its retry policy.
#[derive(Clone, Debug)]
pub(crate) struct Attempts {
    policy: RetryPolicy,
    left: u32,
}

impl Attempts {
    /// From the engine's count of attempts left, which is absent until the first failure.
    pub(crate) fn new(policy: RetryPolicy, retries: Option<i32>) -> Self {
        let left = match retries {
            None => policy.attempts(),
            // A task is only handed out with attempts left.
            Some(retries) => u32::try_from(retries).unwrap_or(0).max(1),
        };
        Self { policy, left }
    }

    /// Which attempt this is, from 1. Attempts that an operator has added count as the last one again.
    pub(crate) fn number(&self) -> u32 {
        self.policy.attempts().saturating_sub(self.left) + 1
    }

    /// The report of a failure of this attempt.
    pub(crate) fn fail(&self, failure: &Failure) -> FailureReport {
        let (retries, retry_timeout) = match failure.retry {
            Retry::Never => (0, Duration::ZERO),
            Retry::ByPolicy => (self.left - 1, self.delay()),
            Retry::NotBefore(wait) => (self.left - 1, self.delay().max(wait)),
        };
        let retry_timeout = if retries == 0 {
            Duration::ZERO
        } else {
            retry_timeout
        };
        FailureReport {
            message: failure.message.clone(),
            details: failure.details.clone().unwrap_or_else(|| failure.message.clone()),
            retries,
            retry_timeout,
        }
    }

    fn delay(&self) -> Duration {
        self.policy.delay_after(self.number(), "").unwrap_or_default()
    }
}

/// The verdict on an outcome, before it is known whether a BPMN error is caught.
pub(crate) fn judge(outcome: Outcome, attempts: &Attempts) -> Verdict {
    match outcome {
        Ok(answer) => Verdict::Complete(answer),
        Err(TaskError::Bpmn(error)) => Verdict::Throw(error),
        Err(TaskError::Failure(failure)) => Verdict::Fail(attempts.fail(&failure)),
        Err(TaskError::Postponed(postponed)) => {
            let failure = Failure::retryable(postponed.to_string());
            Verdict::Fail(attempts.fail(&failure.with_retry(Retry::NotBefore(postponed.after))))
        }
    }
}

/// A BPMN error that nothing catches: an incident that names the code, since throwing it would end the process
/// in silence on an engine that allows that.
pub(crate) fn uncaught(error: &BpmnError, activity_id: &str) -> Failure {
    let codes = match &error.general_code {
        None => error.code.clone(),
        Some(general) => format!("{} (or {general})", error.code),
    };
    Failure::permanent(format!("BPMN error {}: {}", error.code, error.message)).with_details(format!(
        "{}\n\nNothing in the process catches the BPMN error {codes}: add an error boundary event with this code \
         to {activity_id}, or an error event subprocess around it.",
        error.message
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempts(policy: &str, retries: Option<i32>) -> Attempts {
        Attempts::new(policy.parse().unwrap(), retries)
    }

    fn failed(policy: &str, retries: Option<i32>, retry: Retry) -> (u32, u64) {
        let failure = Failure::retryable("no").with_retry(retry);
        let report = attempts(policy, retries).fail(&failure);
        (report.retries, report.retry_timeout.as_secs())
    }

    #[test]
    fn retries_count_down_with_the_policys_delays() {
        assert_eq!(failed("PT5S,PT1M", None, Retry::ByPolicy), (2, 5));
        assert_eq!(failed("PT5S,PT1M", Some(2), Retry::ByPolicy), (1, 60));
        assert_eq!(failed("PT5S,PT1M", Some(1), Retry::ByPolicy), (0, 0));
    }

    #[test]
    fn a_permanent_failure_leaves_no_retries() {
        assert_eq!(failed("R3/PT1S", None, Retry::Never), (0, 0));
    }

    #[test]
    fn a_peers_wish_lengthens_a_delay_and_never_shortens_it() {
        assert_eq!(
            failed("R3/PT10S", None, Retry::NotBefore(Duration::from_secs(30))),
            (2, 30)
        );
        assert_eq!(
            failed("R3/PT10S", None, Retry::NotBefore(Duration::from_secs(3))),
            (2, 10)
        );
    }

    #[test]
    fn attempts_are_numbered_from_one() {
        assert_eq!(attempts("R3/PT1S", None).number(), 1);
        assert_eq!(attempts("R3/PT1S", Some(1)).number(), 3);
    }

    #[test]
    fn retries_that_an_operator_added_are_used_up() {
        assert_eq!(attempts("R3/PT1S", Some(9)).number(), 1);
        assert_eq!(failed("R3/PT1S", Some(9), Retry::ByPolicy), (8, 1));
        assert_eq!(failed("R1/PT1S", Some(0), Retry::ByPolicy), (0, 0));
    }
}
