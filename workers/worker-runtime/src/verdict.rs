//! From an adapter's outcome to the report that the engine gets. Decisions alone, no I/O.

use std::time::Duration;

use engine_client::{FailureReport, LockedTask};
use worker_api::{
    Answer, Becomes, BpmnError, ErrorMap, Failure, Outcome, POLICY_REFUSED, Retry, RetryPolicy, TaskError,
};

use crate::details;

/// What the engine is to be told of an attempt.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// The task is done.
    Complete(Answer),
    /// The error is thrown in the process, if it is caught there.
    Throw(BpmnError),
    /// The attempt has failed.
    Fail(FailureReport),
    /// There was no attempt: the task is to be offered again after this long.
    Postpone(Duration),
}

/// How far a task has come in its retry policy, and what its model makes of what goes wrong.
#[derive(Clone, Debug)]
pub(crate) struct Attempts {
    policy: RetryPolicy,
    left: u32,
    errors: ErrorMap,
    task_id: String,
    /// Who tries what, for an operator.
    note: String,
}

impl Attempts {
    /// From the engine's count of attempts left, which is absent until the first failure.
    pub(crate) fn new(policy: RetryPolicy, task: &LockedTask) -> Self {
        let left = match task.retries {
            None => policy.attempts(),
            // A task is only handed out with attempts left.
            Some(retries) => u32::try_from(retries).unwrap_or(0).max(1),
        };
        Self {
            policy,
            left,
            errors: ErrorMap::default(),
            task_id: task.id.clone(),
            note: format!("topic {}, worker {}", task.topic_name, task.worker_id),
        }
    }

    /// Names the adapter, too.
    pub(crate) fn by(mut self, adapter: &str) -> Self {
        self.note = format!("{}, adapter {adapter}", self.note);
        self
    }

    /// Sets what errors and failures become.
    pub(crate) fn mapping(mut self, errors: ErrorMap) -> Self {
        self.errors = errors;
        self
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
            Retry::NotBefore(wait) => (self.left - 1, self.delay().max(wait.min(LONGEST_WAIT))),
        };
        let retry_timeout = if retries == 0 {
            Duration::ZERO
        } else {
            retry_timeout
        };
        let (number, all) = (self.number(), self.policy.attempts());
        FailureReport {
            message: details::message(failure),
            details: details::details(failure, &format!("attempt {number} of {all}, {}", self.note)),
            retries,
            retry_timeout,
            ..FailureReport::default()
        }
    }

    fn delay(&self) -> Duration {
        let delay = self.policy.delay_after(self.number(), &self.task_id);
        delay.unwrap_or_default()
    }

    /// What an error or failure becomes by the model's map, before anything else is decided.
    fn judge(&self, error: TaskError) -> Verdict {
        match error {
            TaskError::Bpmn(error) => match self.errors.of_error(&error) {
                None => Verdict::Throw(error),
                Some(Becomes::Error { code, .. }) => Verdict::Throw(BpmnError {
                    code: code.clone(),
                    general_code: None,
                    ..error
                }),
                Some(Becomes::Retry) => Verdict::Fail(self.fail(&failure_of(error, Retry::ByPolicy))),
                Some(Becomes::Incident) => Verdict::Fail(self.fail(&failure_of(error, Retry::Never))),
            },
            TaskError::Failure(failure) if is_refusal(&failure) => Verdict::Fail(self.fail(&failure)),
            TaskError::Failure(failure) => match self.errors.of_failure(&failure) {
                None => Verdict::Fail(self.fail(&failure)),
                Some(Becomes::Error { code, at_once }) => {
                    let report = self.fail(&failure);
                    if report.retries > 0 && !at_once {
                        return Verdict::Fail(report);
                    }
                    let error = BpmnError::new(code, failure.message);
                    Verdict::Throw(match failure.details {
                        Some(details) => error.with(DETAILS, details.as_str()).with_details(details),
                        None => error,
                    })
                }
                Some(Becomes::Retry) if failure.retry == Retry::Never => {
                    Verdict::Fail(self.fail(&failure.with_retry(Retry::ByPolicy)))
                }
                Some(Becomes::Retry) => Verdict::Fail(self.fail(&failure)),
                Some(Becomes::Incident) => Verdict::Fail(self.fail(&failure.with_retry(Retry::Never))),
            },
            TaskError::Postponed(postponed) => {
                tracing::debug!(%postponed, "a task is given back");
                Verdict::Postpone(postponed.after)
            }
        }
    }
}

/// Whether a policy has refused the task or a topic that it calls. No map of the model's makes anything else of it.
fn is_refusal(failure: &Failure) -> bool {
    failure.retry == Retry::Never && failure.codes.iter().any(|code| code == POLICY_REFUSED)
}

/// A business error that the model takes for a failure.
fn failure_of(error: BpmnError, retry: Retry) -> Failure {
    Failure {
        message: error.to_string(),
        details: error.details,
        retry,
        codes: Vec::new(),
        nothing_done: false,
    }
}

/// What a failure told, for whoever catches the BPMN error that it became.
const DETAILS: &str = "details";

/// A peer that asks for more is not believed; and the engine's clock would overflow at some.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// The verdict on an outcome, before it is known whether a BPMN error is caught.
pub(crate) fn judge(outcome: Outcome, attempts: &Attempts) -> Verdict {
    match outcome {
        Ok(answer) => Verdict::Complete(answer),
        Err(error) => attempts.judge(error),
    }
}

/// A BPMN error that nothing catches: an incident that names the code, since throwing it would end the process
/// in silence on an engine that allows that.
pub(crate) fn uncaught(error: &BpmnError, activity_id: &str) -> Failure {
    let codes = match &error.general_code {
        None => error.code.clone(),
        Some(general) => format!("{} (or {general})", error.code),
    };
    let told = error.details.as_ref().unwrap_or(&error.message);
    Failure::permanent(format!("BPMN error {}: {}", error.code, error.message)).with_details(format!(
        "{told}\n\nNothing in the process catches the BPMN error {codes}: add an error boundary event with this code \
         to {activity_id}, or an error event subprocess around it."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempts(policy: &str, retries: Option<i32>) -> Attempts {
        let task = LockedTask {
            id: "task-1".into(),
            topic_name: "http_request".into(),
            worker_id: "generic-1".into(),
            retries,
            ..LockedTask::default()
        };
        Attempts::new(format!("{policy}~0%").parse().unwrap(), &task).by("http")
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
    fn a_failure_says_who_tried_what_how_often() {
        let report = attempts("R3/PT1S", Some(2)).fail(&Failure::retryable("no").with_details("why"));
        assert_eq!(
            report.details,
            "why\n\nattempt 2 of 3, topic http_request, worker generic-1, adapter http"
        );
    }

    fn judged(map: &str, retries: Option<i32>, error: impl Into<TaskError>) -> String {
        let attempts = attempts("R3/PT1S", retries).mapping(map.parse().unwrap());
        match judge(Err(error.into()), &attempts) {
            Verdict::Throw(error) => format!("throw {} or {:?}", error.code, error.general_code),
            Verdict::Fail(report) => format!("{} left: {}", report.retries, report.message),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn a_mapped_failure_is_thrown_when_no_attempt_is_left_unless_it_says_at_once() {
        let failure = || Failure::retryable("no");
        assert_eq!(judged("failure -> DOWN", None, failure()), "2 left: no");
        assert_eq!(
            judged("failure -> DOWN", Some(1), failure()),
            "throw DOWN or None"
        );
        assert_eq!(
            judged("failure -> DOWN at once", None, failure()),
            "throw DOWN or None"
        );
        assert_eq!(
            judged("failure -> DOWN", None, Failure::permanent("no")),
            "throw DOWN or None"
        );
        assert_eq!(judged("TIMEOUT -> DOWN", Some(1), failure()), "0 left: no");
        let timeout = failure().with_code("TIMEOUT");
        assert_eq!(judged("TIMEOUT -> DOWN", Some(1), timeout), "throw DOWN or None");
    }

    #[test]
    fn failures_and_errors_become_retries_or_incidents() {
        let error = || BpmnError::new("HTTP_409", "busy").or("HTTP_4XX");
        assert_eq!(
            judged("HTTP_404 -> A", None, error()),
            "throw HTTP_409 or Some(\"HTTP_4XX\")"
        );
        assert_eq!(judged("HTTP_4XX -> GONE", None, error()), "throw GONE or None");
        assert_eq!(
            judged("HTTP_409 -> retry", None, error()),
            "2 left: HTTP_409: busy"
        );
        assert_eq!(
            judged("HTTP_409 -> retry", Some(1), error()),
            "0 left: HTTP_409: busy"
        );
        assert_eq!(judged("* -> incident", None, error()), "0 left: HTTP_409: busy");
        assert_eq!(
            judged("failure -> incident", None, Failure::retryable("no")),
            "0 left: no"
        );
        assert_eq!(
            judged("failure -> retry", None, Failure::permanent("no")),
            "2 left: no"
        );
    }

    #[test]
    fn no_map_hides_that_a_policy_refuses() {
        let refused = || Failure::permanent("no").with_code(POLICY_REFUSED);
        for map in [
            "* -> retry",
            "failure -> DOWN at once",
            "POLICY_REFUSED -> DOWN at once",
        ] {
            assert_eq!(judged(map, None, refused()), "0 left: no", "{map}");
        }
    }

    #[test]
    fn an_error_made_of_a_failure_keeps_what_the_failure_told() {
        let attempts = attempts("R1/PT1S", None).mapping("failure -> DOWN".parse().unwrap());
        let failure = Failure::retryable("no").with_details("why");
        let Verdict::Throw(error) = judge(Err(failure.into()), &attempts) else {
            panic!()
        };
        assert!(uncaught(&error, "pay").details.unwrap().starts_with("why\n"));
        assert_eq!(error.message, "no");
    }

    #[test]
    fn what_an_error_tells_beyond_its_message_reaches_the_operator_in_every_way() {
        let error = || BpmnError::new("SCRIPT_ERROR", "a.py:4: no").with_details("line 4, in <module>");
        let told = uncaught(&error(), "price").details.unwrap();
        assert!(
            told.starts_with("line 4, in <module>\n\nNothing in the process catches"),
            "{told}"
        );
        for map in ["SCRIPT_ERROR -> retry", "SCRIPT_ERROR -> incident"] {
            let attempts = attempts("R3/PT1S", None).mapping(map.parse().unwrap());
            let Verdict::Fail(report) = judge(Err(error().into()), &attempts) else {
                panic!()
            };
            assert_eq!(report.message, "SCRIPT_ERROR: a.py:4: no");
            assert!(
                report.details.starts_with("line 4, in <module>\n"),
                "{}",
                report.details
            );
        }
    }

    #[test]
    fn a_peer_cannot_put_a_task_off_for_good() {
        assert_eq!(
            failed("R3/PT1S", None, Retry::NotBefore(Duration::MAX)),
            (2, 86_400)
        );
    }

    #[test]
    fn retries_that_an_operator_added_are_used_up() {
        assert_eq!(attempts("R3/PT1S", Some(9)).number(), 1);
        assert_eq!(failed("R3/PT1S", Some(9), Retry::ByPolicy), (8, 1));
        assert_eq!(failed("R1/PT1S", Some(0), Retry::ByPolicy), (0, 0));
    }
}
