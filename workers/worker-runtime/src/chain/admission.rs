//! Asks the policy before a task runs.

use std::sync::Arc;
use std::time::Duration;

use worker_api::{
    Failure, Middleware, Next, Outcome, POLICY_REFUSED, Policy, PolicyError, Postponed, TaskContext,
    async_trait,
};

/// How long a task waits whose policy cannot ask whom it has to.
const AGAIN: Duration = Duration::from_secs(10);

pub(super) struct Admission {
    policy: Arc<dyn Policy>,
    name: String,
}

impl Admission {
    pub(super) fn new(policy: Arc<dyn Policy>) -> Self {
        let name = format!("policy ({})", policy.name());
        Self { policy, name }
    }
}

#[async_trait]
impl Middleware for Admission {
    fn name(&self) -> &str {
        &self.name
    }

    async fn handle(&self, mut context: TaskContext, next: Next<'_>) -> Outcome {
        let error = match self.policy.check(&context).await {
            Ok(grant) => {
                context.sandbox_level = grant.sandbox_level;
                context.security = grant.security;
                return next.run(context).await;
            }
            Err(error) => error,
        };
        let (policy, task) = (self.policy.name(), &context.task);
        let what = format!("{} (topic {})", task.activity_id, task.topic);
        let failure = match error {
            PolicyError::Refused(reason) => {
                tracing::warn!(policy, reason, "a task is refused; it does not run");
                Failure::permanent(format!("the policy `{policy}` refuses {what}: {reason}"))
                    .with_code(POLICY_REFUSED)
            }
            PolicyError::Unavailable(reason) => {
                let reason =
                    format!("the policy `{policy}` cannot tell yet whether {what} may run: {reason}");
                return Err(Postponed::new(reason, AGAIN).into());
            }
            PolicyError::Undecided(reason) => Failure::retryable(format!(
                "the policy `{policy}` cannot tell whether {what} may run: {reason}"
            )),
        };
        Err(failure.into())
    }
}
