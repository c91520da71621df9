//! Sizes in bytes as people write them: `64Ki`, `10Mi`. For settings and inputs, in
//! `#[serde(with = "worker_api::size")]`.

use bytesize::ByteSize;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serializer};

/// A size in bytes out of a number or text such as `10Mi`.
///
/// # Errors
/// Where it is none; the text says what one looks like.
pub fn parse_size(text: &str) -> Result<u64, String> {
    text.trim()
        .parse::<ByteSize>()
        .map(|size| size.as_u64())
        .map_err(|_| {
            format!("`{text}` is no size: write bytes, or a number with a unit such as 64Ki or 10Mi")
        })
}

/// Reads a number of bytes, or text such as `10Mi`.
///
/// # Errors
/// Where it is neither.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a size such as 10Mi")]
    enum Given {
        Bytes(u64),
        Text(String),
    }
    match Given::deserialize(deserializer)? {
        Given::Bytes(bytes) => Ok(bytes),
        Given::Text(text) => parse_size(&text).map_err(D::Error::custom),
    }
}

/// Writes it so that it reads back: with the largest unit that leaves a whole number.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(bytes: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    // `iec_short` would write 10 MiB as `10.0M`, which is read as ten million.
    let units = [("Gi", 1_u64 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)];
    match units
        .iter()
        .find(|(_, size)| *bytes > 0 && bytes.is_multiple_of(*size))
    {
        Some((unit, size)) => serializer.collect_str(&format_args!("{}{unit}", bytes / size)),
        None => serializer.serialize_u64(*bytes),
    }
}
