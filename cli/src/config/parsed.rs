//! Values that are text of a certain form.

use std::fmt;
use std::net::SocketAddr;

use bytesize::ByteSize;
use serde::Deserializer;
use serde::de::{Error, Unexpected, Visitor};
use url::Url;

/// Reads text and parses it; `expected` says what it should be, with an example.
pub(super) fn parsed<'de, D: Deserializer<'de>, T>(
    expected: &'static str,
    parse: fn(&str) -> Option<T>,
    deserializer: D,
) -> Result<T, D::Error> {
    deserializer.deserialize_str(Parse { expected, parse })
}

/// An address to listen at.
pub(super) fn listen<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let expected = "an address and a port such as 127.0.0.1:8099";
    parsed(expected, |text| text.parse().ok(), deserializer)
}

/// A size in bytes.
pub(super) fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    deserializer.deserialize_any(Size)
}

struct Size;

impl Visitor<'_> for Size {
    type Value = u64;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a size such as 256Mi, or a number of bytes")
    }

    fn visit_u64<E: Error>(self, bytes: u64) -> Result<u64, E> {
        Ok(bytes)
    }

    fn visit_i64<E: Error>(self, bytes: i64) -> Result<u64, E> {
        u64::try_from(bytes).map_err(|_| E::invalid_value(Unexpected::Signed(bytes), &self))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<u64, E> {
        let size = text.trim().parse::<ByteSize>();
        size.map(|size| size.as_u64())
            .map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
    }
}

/// The address of a web service.
pub(super) fn url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Url, D::Error> {
    let parse = |text: &str| {
        let url = Url::parse(text).ok()?;
        (matches!(url.scheme(), "http" | "https") && url.has_host()).then_some(url)
    };
    parsed(
        "an address such as http://127.0.0.1:8080/engine-rest",
        parse,
        deserializer,
    )
}

struct Parse<T> {
    expected: &'static str,
    parse: fn(&str) -> Option<T>,
}

impl<T> Visitor<'_> for Parse<T> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(self.expected)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.parse)(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}
