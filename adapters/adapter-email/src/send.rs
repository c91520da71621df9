//! Hands a mail over, step by step.

use std::time::Duration;

use lettre::address::Envelope;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::{Extension, MailBodyParameter, MailParameter};

use crate::problem::{Problem, Reason};

/// Hands it over. The server has taken it for all recipients, or for none. Each of its answers may take `patience`.
///
/// # Errors
/// Says how far it got.
pub(crate) async fn send(
    connection: &mut AsyncSmtpConnection,
    envelope: &Envelope,
    mail: &[u8],
    patience: Duration,
) -> Result<(), Problem> {
    let mut parameters = vec![MailParameter::Size(mail.len())];
    let info = connection.server_info();
    if info.supports_feature(Extension::EightBitMime) {
        parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
    }
    let is_beyond_ascii = envelope
        .to()
        .iter()
        .chain(envelope.from())
        .any(|address| !address.to_string().is_ascii());
    if is_beyond_ascii && info.supports_feature(Extension::SmtpUtfEight) {
        parameters.push(MailParameter::SmtpUtfEight);
    }
    let begin = Mail::new(envelope.from().cloned(), parameters);
    within(patience, connection.command(begin))
        .await
        .map_err(Problem::Before)?;
    let mut refused = Vec::new();
    for recipient in envelope.to() {
        let name = Rcpt::new(recipient.clone(), Vec::new());
        match within(patience, connection.command(name)).await {
            Ok(_) => {}
            Err(Reason::Smtp(error)) if error.is_permanent() => {
                refused.push((recipient.to_string(), said(&error)));
            }
            Err(reason) => return Err(Problem::Before(reason)),
        }
    }
    if !refused.is_empty() {
        // Another mail may follow on this connection; whether it can is seen when it does.
        let _ = within(patience, connection.command(Rset)).await;
        return Err(Problem::Recipients(refused));
    }
    within(patience, connection.command(Data))
        .await
        .map_err(Problem::Before)?;
    within(patience, connection.message(mail))
        .await
        .map_err(Problem::After)?;
    Ok(())
}

/// A step's answer; the library waits for one as long as it takes.
pub(crate) async fn within<T>(
    patience: Duration,
    step: impl Future<Output = Result<T, lettre::transport::smtp::Error>>,
) -> Result<T, Reason> {
    match tokio::time::timeout(patience, step).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Reason::Silent(patience)),
    }
}

/// What the server says, without the library's words before it.
fn said(error: &lettre::transport::smtp::Error) -> String {
    use std::error::Error as _;
    error
        .source()
        .map_or_else(|| error.to_string(), ToString::to_string)
}
