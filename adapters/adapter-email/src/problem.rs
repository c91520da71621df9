//! What can go wrong with a mail, and what that is to the process.

use std::error::Error;
use std::io;
use std::time::Duration;

use lettre::transport::smtp;
use worker_api::{BpmnError, Failure, TaskError};

use crate::inputs::refused;

/// The server does not take it for one of the recipients.
pub(crate) const REFUSED_RECIPIENT: &str = "EMAIL_RECIPIENT_REFUSED";
/// The server does not take what is in it.
pub(crate) const REFUSED: &str = "EMAIL_REFUSED";
/// It is larger than the connection or the server allows.
pub(crate) const TOO_LARGE: &str = "EMAIL_TOO_LARGE";

/// The mailbox is not there.
pub(crate) const NO_MAILBOX: &str = "EMAIL_MAILBOX_NOT_FOUND";

/// Why a step was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Reason {
    /// The server says no, or the connection broke.
    #[error(transparent)]
    Smtp(#[from] smtp::Error),
    /// The server says nothing.
    #[error("no answer within {0:?}")]
    Silent(Duration),
}

impl Reason {
    /// The server's own no; none where it has not said anything that can be understood.
    fn refusal(&self) -> Option<&smtp::Error> {
        match self {
            Self::Smtp(error) if error.status().is_some() => Some(error),
            _ => None,
        }
    }
}

/// How far a mail got.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    /// There is no connection that could be used.
    #[error("the server cannot be reached: {}", chain(.0))]
    Connect(Reason),
    /// The login is refused.
    #[error("the login is refused: {}", chain(.0))]
    Login(Reason),
    /// The server has said no, or nothing, before the mail was handed over.
    #[error("the mail is refused: {}", chain(.0))]
    Before(Reason),
    /// Recipients that are refused, with the server's words.
    #[error("recipients are refused")]
    Recipients(Vec<(String, String)>),
    /// The server has said no to the mail, or nothing after it was handed over.
    #[error("the mail is refused: {}", chain(.0))]
    After(Reason),
    /// A setting that cannot be used.
    #[error("{0}")]
    Setting(String),
}

impl Problem {
    /// As the process has it.
    pub(crate) fn outcome(self, place: &str) -> TaskError {
        let permanent = |message: String| Failure::permanent(message).nothing_done().into();
        match self {
            Self::Setting(problem) => permanent(format!("{place}: {problem}")),
            Self::Recipients(all) => {
                let words: Vec<String> = all
                    .iter()
                    .map(|(address, why)| format!("{address}: {why}"))
                    .collect();
                BpmnError::new(
                    REFUSED_RECIPIENT,
                    format!(
                        "the server of {place} takes the mail for nobody: {}",
                        words.join("; ")
                    ),
                )
                .with("refused", refused(&all))
                .into()
            }
            Self::Login(reason)
                if reason.refusal().is_none_or(smtp::Error::is_permanent) && !is_broken(&reason) =>
            {
                permanent(format!(
                    "the server of {place} refuses the login ({}); check username and password",
                    chain(&reason)
                ))
            }
            Self::Connect(reason) if is_untrusted(&reason) => permanent(format!(
                "the server of {place} is not trusted ({}); check host, tls and ca_file",
                chain(&reason)
            )),
            Self::Connect(reason) | Self::Login(reason) => Failure::retryable(format!(
                "the server of {place} cannot be reached: {}",
                chain(&reason)
            ))
            .nothing_done()
            .into(),
            // An answer says that it has not taken it; no answer leaves that open once it was handed over.
            Self::After(reason) if reason.refusal().is_none() => Failure::retryable(format!(
                "the server of {place} has not said whether it has taken the mail: {}",
                chain(&reason)
            ))
            .into(),
            Self::Before(reason) | Self::After(reason) => {
                let message = format!("the server of {place} does not take the mail: {}", chain(&reason));
                match reason.refusal() {
                    Some(error) if error.status().is_some_and(|code| u16::from(code) == 552) => {
                        BpmnError::new(TOO_LARGE, message).into()
                    }
                    Some(error) if error.is_permanent() => BpmnError::new(REFUSED, message).into(),
                    _ => Failure::retryable(message).nothing_done().into(),
                }
            }
        }
    }
}

/// Whether the connection itself is what failed.
fn is_broken(reason: &Reason) -> bool {
    match reason {
        Reason::Silent(_) => true,
        // What the library finds wrong by itself is no login that this server takes.
        Reason::Smtp(error) => error.status().is_none() && !error.is_client(),
    }
}

/// Whether it is the server's certificate that is wrong.
fn is_untrusted(reason: &Reason) -> bool {
    let mut next: Option<&(dyn Error + 'static)> = Some(reason);
    while let Some(error) = next {
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if error.is::<rustls::Error>() || wrapped.is_some_and(|wrapped| wrapped.is::<rustls::Error>()) {
            return true;
        }
        next = error.source();
    }
    matches!(reason, Reason::Smtp(error) if error.is_tls())
}

/// An error with its causes, in one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
