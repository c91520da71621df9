//! What a request that has no answer, or is told to wait, means for a task.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::RETRY_AFTER;
use worker_api::Failure;

use crate::client::{SendError, find_cause};
use crate::connect::ConnectError;
use crate::redirect::RedirectError;
use crate::tls::TlsError;

/// The longest that a service may ask to wait.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// The failure of a request that was not answered.
///
/// `request` names it, and `place` is where its connection stands in the configuration, such as `services.http.billing`.
#[must_use]
pub fn failure(error: &SendError, request: &str, place: &str) -> Failure {
    let refused = find_cause::<ConnectError>(error);
    let certificate = find_cause::<rustls::Error>(error).filter(|error| {
        matches!(
            error,
            rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented
        )
    });
    let failure = match (error, refused) {
        (_, Some(ConnectError::Refused { address, .. })) => Failure::permanent(format!(
            "{request} is not sent: {}; if that is meant, add {address} to `allow` of {place}",
            refused.map(ToString::to_string).unwrap_or_default(),
        )),
        (SendError::Redirect(error @ RedirectError::TooMany), _) => {
            Failure::permanent(format!("{request} is given up: {error}; check the address"))
        }
        (SendError::Redirect(error), _) => Failure::permanent(format!("{request} is given up: {error}")),
        (SendError::TooLarge(limit), _) => Failure::permanent(format!(
            "{request} is given up: the answer has more than {limit} bytes; ask for less, or raise `max_bytes` of {place} and of the task"
        )),
        (SendError::Timeout(_) | SendError::Body(_), _) => Failure::retryable(format!("{request}: {error}")),
        (SendError::Client(_) | SendError::Redirected(_), Some(error)) => {
            Failure::retryable(format!("{request}: {error}"))
        }
        (SendError::Client(_) | SendError::Redirected(_), None) => {
            match (certificate, find_cause::<TlsError>(error)) {
                (Some(certificate), _) => Failure::permanent(format!(
                    "{request} is not sent: the service's certificate is not trusted ({certificate}); for a private authority set `ca_file` of {place}"
                )),
                (None, Some(error)) => Failure::permanent(format!("{request} is not sent: {error}")),
                (None, None) => Failure::retryable(format!(
                    "{request}: the connection broke before the answer was there"
                )),
            }
        }
    };
    let failure = if error.is_unsent() {
        failure.nothing_done()
    } else {
        failure
    };
    failure.caused_by(error)
}

/// How long the service asks to wait, an hour at the most.
#[must_use]
pub fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => httpdate::parse_http_date(text)
            .ok()?
            .duration_since(now)
            .unwrap_or_default(),
    };
    Some(wait.min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date_and_capped() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        for (text, wait) in [
            ("7", Some(7)),
            ("0", Some(0)),
            ("99999999", Some(3600)),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
            assert_eq!(
                retry_after(&headers, now),
                wait.map(Duration::from_secs),
                "{text}"
            );
        }
    }
}
