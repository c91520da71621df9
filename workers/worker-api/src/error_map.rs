//! What a model makes of a task's errors and failures: the extension property `errorMap`.

use std::str::FromStr;

use crate::{BpmnError, Failure, OUTCOME_UNKNOWN};

/// Turns failures into BPMN errors and back: `HTTP_404 -> NOT_FOUND, failure -> PAYMENT_DOWN, VALIDATION_FAILED -> retry`.
///
/// Rules stand one behind the other, with commas or line breaks between; the first that matches counts, and what none
/// matches stays as it is. On the left:
/// - a code in `UPPER_SNAKE`, of a business error ([`BpmnError::code`], [`BpmnError::general_code`]) or of a failure
///   ([`Failure::codes`], such as `TIMEOUT`);
/// - `failure`: any technical failure;
/// - `*`: anything but success; `* -> retry` repeats nothing of which nobody knows whether it was done ([`OUTCOME_UNKNOWN`]).
///
/// On the right:
/// - an error code: thrown as a BPMN error. A failure is tried again first, as its retry policy says, and thrown when no
///   attempt is left; `PAYMENT_DOWN at once` throws it at the first failure.
/// - `retry` (or `failure`): a technical failure that is tried again as the retry policy says, then an incident.
/// - `incident`: an incident, without another attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrorMap {
    rules: Vec<(What, Becomes)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    Code(String),
    AnyFailure,
    Anything,
}

/// What an error or a failure becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Becomes {
    /// A BPMN error.
    Error {
        /// Its code.
        code: String,
        /// Whether a failure is thrown without waiting for its other attempts.
        at_once: bool,
    },
    /// A technical failure, tried again as the retry policy says.
    Retry,
    /// An incident, without another attempt.
    Incident,
}

/// Text that is no error map.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "rule {number}, `{rule}`: {reason}; write rules such as HTTP_404 -> NOT_FOUND, failure -> PAYMENT_DOWN"
)]
pub struct InvalidErrorMap {
    /// Which rule is wrong, from 1.
    pub number: usize,
    /// The rule as it is written.
    pub rule: String,
    /// What is wrong with it.
    pub reason: String,
}

impl ErrorMap {
    /// What a business error becomes, where a rule says so.
    #[must_use]
    pub fn of_error(&self, error: &BpmnError) -> Option<&Becomes> {
        let has = |code: &String| *code == error.code || error.general_code.as_ref() == Some(code);
        self.first(|what, becomes| match what {
            What::Code(code) => has(code),
            What::AnyFailure => false,
            // To do once more what may have been done takes more than a word for anything.
            What::Anything => error.code != OUTCOME_UNKNOWN || *becomes != Becomes::Retry,
        })
    }

    /// What a technical failure becomes, where a rule says so.
    #[must_use]
    pub fn of_failure(&self, failure: &Failure) -> Option<&Becomes> {
        self.first(|what, _| match what {
            What::Code(code) => failure.codes.contains(code),
            What::AnyFailure | What::Anything => true,
        })
    }

    fn first(&self, matches: impl Fn(&What, &Becomes) -> bool) -> Option<&Becomes> {
        let rule = self.rules.iter().find(|(what, becomes)| matches(what, becomes));
        rule.map(|(_, becomes)| becomes)
    }
}

impl FromStr for ErrorMap {
    type Err = InvalidErrorMap;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut map = Self::default();
        // A comma or line break at the end is no rule.
        let texts = text
            .split([',', '\n'])
            .map(str::trim)
            .filter(|rule| !rule.is_empty());
        for (index, text) in texts.enumerate() {
            let rule = rule(text).and_then(|rule| map.check(&rule).map(|()| rule));
            map.rules.push(rule.map_err(|reason| InvalidErrorMap {
                number: index + 1,
                rule: text.to_owned(),
                reason,
            })?);
        }
        if map.rules.is_empty() {
            return Err(InvalidErrorMap {
                number: 1,
                rule: String::new(),
                reason: "there is no rule".to_owned(),
            });
        }
        Ok(map)
    }
}

impl ErrorMap {
    /// Whether the rule can ever count behind those that are there.
    fn check(&self, (what, _): &(What, Becomes)) -> Result<(), String> {
        if self.rules.iter().any(|(earlier, _)| earlier == what) {
            return Err("an earlier rule has the same left side, and the first counts".to_owned());
        }
        if self.rules.iter().any(|(earlier, _)| *earlier == What::Anything) {
            return Err("the rule for `*` before it takes everything; put `*` last".to_owned());
        }
        Ok(())
    }
}

fn rule(text: &str) -> Result<(What, Becomes), String> {
    let (what, becomes) = text.split_once("->").ok_or("it has no `->`")?;
    Ok((read_what(what.trim())?, read_becomes(becomes.trim())?))
}

fn read_what(text: &str) -> Result<What, String> {
    let is_code = text.starts_with(|first: char| first.is_ascii_uppercase())
        && text
            .chars()
            .all(|each| each.is_ascii_uppercase() || each.is_ascii_digit() || each == '_');
    match text {
        "*" => Ok(What::Anything),
        "failure" => Ok(What::AnyFailure),
        code if is_code => Ok(What::Code(code.to_owned())),
        other => Err(format!(
            "`{other}` on the left is no code in UPPER_SNAKE, nor `failure`, nor `*`"
        )),
    }
}

fn read_becomes(text: &str) -> Result<Becomes, String> {
    let (code, at_once) = match text.strip_suffix("at once") {
        Some(code) if code.ends_with(char::is_whitespace) => (code.trim_end(), true),
        _ => (text, false),
    };
    match code {
        "retry" | "failure" | "incident" if at_once => {
            Err(format!("`at once` belongs to an error code, not to `{code}`"))
        }
        "retry" | "failure" => Ok(Becomes::Retry),
        "incident" => Ok(Becomes::Incident),
        "" => Err("nothing stands on the right".to_owned()),
        code if code.contains(|each: char| each.is_whitespace() || each.is_control())
            || code.contains("->") =>
        {
            Err(format!(
                "`{code}` on the right is no error code: it has blanks or arrows"
            ))
        }
        code => Ok(Becomes::Error {
            code: code.to_owned(),
            at_once,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(text: &str) -> ErrorMap {
        text.parse().unwrap()
    }

    fn thrown(code: &str) -> Option<Becomes> {
        Some(Becomes::Error {
            code: code.to_owned(),
            at_once: false,
        })
    }

    #[test]
    fn the_first_rule_that_matches_counts() {
        let map = map(
            "HTTP_404 -> NOT_FOUND, HTTP_4XX->incident,\n TIMEOUT -> too.slow at once\nfailure -> DOWN, * -> retry,",
        );
        let error = |code: &str| BpmnError::new(code, "").or("HTTP_4XX");
        assert_eq!(map.of_error(&error("HTTP_404")).cloned(), thrown("NOT_FOUND"));
        assert_eq!(map.of_error(&error("HTTP_409")), Some(&Becomes::Incident));
        assert_eq!(map.of_error(&BpmnError::new("OTHER", "")), Some(&Becomes::Retry));
        let failure = Failure::retryable("");
        assert_eq!(map.of_failure(&failure).cloned(), thrown("DOWN"));
        assert_eq!(
            map.of_failure(&failure.with_code("TIMEOUT")),
            Some(&Becomes::Error {
                code: "too.slow".into(),
                at_once: true
            })
        );
    }

    #[test]
    fn what_may_have_been_done_is_repeated_where_it_is_named_alone() {
        let unknown = BpmnError::new(OUTCOME_UNKNOWN, "");
        assert_eq!(map("* -> retry").of_error(&unknown), None);
        assert_eq!(
            map("OUTCOME_UNKNOWN -> retry").of_error(&unknown),
            Some(&Becomes::Retry)
        );
        assert_eq!(map("* -> incident").of_error(&unknown), Some(&Becomes::Incident));
    }

    #[test]
    fn what_no_rule_matches_stays_as_it_is() {
        let map = map("HTTP_404 -> NOT_FOUND");
        assert_eq!(map.of_error(&BpmnError::new("HTTP_409", "")), None);
        assert_eq!(map.of_failure(&Failure::permanent("")), None);
        assert_eq!(ErrorMap::default().of_failure(&Failure::permanent("")), None);
        let failures = tests::map("failure -> DOWN");
        assert_eq!(
            failures.of_error(&BpmnError::new("HTTP_409", "")),
            None,
            "a business error is no failure"
        );
    }

    #[test]
    fn a_map_that_makes_no_sense_is_refused_and_says_where() {
        for (text, number, reason) in [
            ("", 1, "no rule"),
            (" , ", 1, "no rule"),
            ("HTTP_404", 1, "no `->`"),
            ("HTTP_404 -> A, timeout -> B", 2, "`timeout` on the left"),
            ("HTTP_404 -> A, -> B", 2, "`` on the left"),
            ("A -> ", 1, "nothing stands on the right"),
            ("A -> B C", 1, "blanks"),
            ("A -> B -> C", 1, "arrows"),
            ("A -> incident at once", 1, "`at once` belongs"),
            ("A -> at once", 1, "blanks"),
            ("A -> B, B -> C, A -> D", 3, "an earlier rule"),
            ("* -> B, A -> C", 2, "put `*` last"),
        ] {
            let error = text.parse::<ErrorMap>().unwrap_err();
            assert_eq!(error.number, number, "{text}");
            assert!(error.reason.contains(reason), "{text}: {error}");
        }
    }
}
