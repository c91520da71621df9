//! Whether a request comes from who it should.
//!
//! The schemes are documented by GitHub ("Validating webhook deliveries"), Slack ("Verifying requests from Slack"), Stripe
//! ("Check the webhook signatures") and standardwebhooks.com. All are compared in constant time.

use std::time::Duration;

use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::settings::{Encoding, Signature};

/// Why a request is not believed. What a sender is told names no more than that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Doubt {
    #[error("the signature is missing or wrong")]
    Signature,
    #[error("the signed time is too far from now")]
    Time,
}

/// Whether the request is signed with the secret.
pub(crate) fn verify(
    scheme: &Signature,
    secret: &str,
    headers: &HeaderMap,
    body: &[u8],
    tolerance: Duration,
    now: Timestamp,
) -> Result<(), Doubt> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let needed = |name: &str| header(name).ok_or(Doubt::Signature);
    match scheme {
        Signature::Github(_) => {
            let given = needed("x-hub-signature-256")?;
            let given = given.strip_prefix("sha256=").ok_or(Doubt::Signature)?;
            is_signed(secret.as_bytes(), &[body], &bytes(given, Encoding::Hex)?)
        }
        Signature::Slack(_) => {
            let time = needed("x-slack-request-timestamp")?;
            let given = needed("x-slack-signature")?;
            let given = given.strip_prefix("v0=").ok_or(Doubt::Signature)?;
            let parts: [&[u8]; 4] = [b"v0:", time.as_bytes(), b":", body];
            is_signed(secret.as_bytes(), &parts, &bytes(given, Encoding::Hex)?)?;
            is_recent(time, tolerance, now)
        }
        Signature::Stripe(_) => {
            let pairs: Vec<(&str, &str)> = needed("stripe-signature")?
                .split(',')
                .filter_map(|pair| pair.trim().split_once('='))
                .collect();
            let find = |wanted: &'static str| {
                pairs
                    .iter()
                    .filter(move |(name, _)| *name == wanted)
                    .map(|(_, value)| *value)
            };
            let time = find("t").next().ok_or(Doubt::Signature)?;
            let parts: [&[u8]; 3] = [time.as_bytes(), b".", body];
            any_signed(
                secret.as_bytes(),
                &parts,
                find("v1").map(|given| bytes(given, Encoding::Hex)),
            )?;
            is_recent(time, tolerance, now)
        }
        Signature::Standard(_) => {
            let (id, time) = (needed("webhook-id")?, needed("webhook-timestamp")?);
            let key = secret.strip_prefix("whsec_").unwrap_or(secret);
            let key = STANDARD.decode(key).map_err(|_| Doubt::Signature)?;
            let parts: [&[u8]; 5] = [id.as_bytes(), b".", time.as_bytes(), b".", body];
            let given = needed("webhook-signature")?
                .split(' ')
                .filter_map(|one| one.strip_prefix("v1,"))
                .map(|given| bytes(given, Encoding::Base64));
            any_signed(&key, &parts, given)?;
            is_recent(time, tolerance, now)
        }
        Signature::Hmac {
            header: name,
            prefix,
            encoding,
            ..
        } => {
            let given = needed(name)?
                .strip_prefix(prefix.as_str())
                .ok_or(Doubt::Signature)?;
            is_signed(secret.as_bytes(), &[body], &bytes(given, *encoding)?)
        }
        Signature::Bearer(_) => is_same(authorization(header("authorization"), "bearer")?, secret),
        Signature::Basic { username, .. } => {
            let given = bytes(authorization(header("authorization"), "basic")?, Encoding::Base64)?;
            let given = std::str::from_utf8(&given).map_err(|_| Doubt::Signature)?;
            is_same(given, &format!("{username}:{secret}"))
        }
    }
}

fn authorization<'a>(header: Option<&'a str>, scheme: &str) -> Result<&'a str, Doubt> {
    header
        .and_then(|value| value.split_once(' '))
        .filter(|(given, _)| given.eq_ignore_ascii_case(scheme))
        .map(|(_, value)| value.trim())
        .ok_or(Doubt::Signature)
}

fn bytes(text: &str, encoding: Encoding) -> Result<Vec<u8>, Doubt> {
    let read = match encoding {
        Encoding::Base64 => STANDARD.decode(text).ok(),
        Encoding::Hex => {
            let digits = text.as_bytes().chunks(2);
            digits
                .map(|pair| {
                    u8::from_str_radix(std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?, 16)
                        .ok()
                })
                .collect()
        }
    };
    read.ok_or(Doubt::Signature)
}

fn is_signed(key: &[u8], parts: &[&[u8]], given: &[u8]) -> Result<(), Doubt> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| Doubt::Signature)?;
    for part in parts {
        mac.update(part);
    }
    mac.verify_slice(given).map_err(|_| Doubt::Signature)
}

/// Where secrets are being changed, a sender signs with the old and the new one.
fn any_signed(
    key: &[u8],
    parts: &[&[u8]],
    mut given: impl Iterator<Item = Result<Vec<u8>, Doubt>>,
) -> Result<(), Doubt> {
    given
        .any(|given| given.is_ok_and(|given| is_signed(key, parts, &given).is_ok()))
        .then_some(())
        .ok_or(Doubt::Signature)
}

/// Compared by their digests: not even the length is told by the time that it takes.
fn is_same(given: &str, expected: &str) -> Result<(), Doubt> {
    let (given, expected) = (Sha256::digest(given), Sha256::digest(expected));
    bool::from(given.as_slice().ct_eq(expected.as_slice()))
        .then_some(())
        .ok_or(Doubt::Signature)
}

fn is_recent(time: &str, tolerance: Duration, now: Timestamp) -> Result<(), Doubt> {
    let time: i64 = time.trim().parse().map_err(|_| Doubt::Time)?;
    let distance = now.as_second().abs_diff(time);
    (distance <= tolerance.as_secs()).then_some(()).ok_or(Doubt::Time)
}
