//! Requests as each scheme signs them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde_json::{Value as Json, json};
use sha2::Sha256;

pub(super) const SECRET: &str = "it-is-ours";

fn sign(key: &[u8], parts: &[&str]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    for part in parts {
        mac.update(part.as_bytes());
    }
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Headers that each scheme wants, with a time so many seconds from now.
pub(super) fn signed(scheme: &str, body: &str, away: i64) -> Vec<(&'static str, String)> {
    let time = (Timestamp::now().as_second() + away).to_string();
    let key = SECRET.as_bytes();
    match scheme {
        "github" => vec![(
            "x-hub-signature-256",
            format!("sha256={}", hex(&sign(key, &[body]))),
        )],
        "slack" => vec![
            ("x-slack-request-timestamp", time.clone()),
            (
                "x-slack-signature",
                format!("v0={}", hex(&sign(key, &["v0:", &time, ":", body]))),
            ),
        ],
        "stripe" => {
            let right = hex(&sign(key, &[&time, ".", body]));
            vec![(
                "stripe-signature",
                format!("t={time},v0=x,v1={},v1={right}", "0".repeat(64)),
            )]
        }
        "standard" => {
            let right = STANDARD.encode(sign(key, &["msg_1.", &time, ".", body]));
            vec![
                ("webhook-id", "msg_1".to_owned()),
                ("webhook-timestamp", time),
                ("webhook-signature", format!("v1a,xyz v1,{right}")),
            ]
        }
        "hmac" => vec![("x-sig", format!("b64:{}", STANDARD.encode(sign(key, &[body]))))],
        "bearer" => vec![("authorization", format!("Bearer {SECRET}"))],
        "basic" => vec![(
            "authorization",
            format!("Basic {}", STANDARD.encode(format!("ada:{SECRET}"))),
        )],
        _ => unreachable!(),
    }
}

pub(super) fn schemes() -> [(&'static str, Json); 7] {
    let standard = format!("whsec_{}", STANDARD.encode(SECRET));
    [
        ("github", json!({"github": SECRET})),
        ("slack", json!({"slack": SECRET})),
        ("stripe", json!({"stripe": SECRET})),
        ("standard", json!({"standard": standard})),
        (
            "hmac",
            json!({"hmac": {"header": "X-Sig", "prefix": "b64:", "encoding": "base64", "secret": SECRET}}),
        ),
        ("bearer", json!({"bearer": SECRET})),
        ("basic", json!({"basic": {"username": "ada", "password": SECRET}})),
    ]
}

pub(super) fn borrowed<'a>(headers: &'a [(&'static str, String)]) -> Vec<(&'static str, &'a str)> {
    headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect()
}
