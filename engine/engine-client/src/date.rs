//! The engine's one date format, `yyyy-MM-dd'T'HH:mm:ss.SSSZ`.

use jiff::{Timestamp, tz::TimeZone};

const FORMAT: &str = "%Y-%m-%dT%H:%M:%S%.3f%z";

pub(crate) fn format(date: Timestamp) -> String {
    date.to_zoned(TimeZone::UTC).strftime(FORMAT).to_string()
}

pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    jiff::fmt::strtime::parse("%Y-%m-%dT%H:%M:%S%.f%z", text)
        .ok()?
        .to_timestamp()
        .ok()
}

/// For serde: a date that may be absent.
pub(crate) mod optional {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{Timestamp, format, parse};

    pub(crate) fn serialize<S: Serializer>(
        date: &Option<Timestamp>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        date.map(format).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        let wrong = |text: &str| serde::de::Error::custom(format!("`{text}` is not a date of the engine"));
        text.map(|text| parse(&text).ok_or_else(|| wrong(&text)))
            .transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_go_both_ways() {
        let date = parse("2026-03-01T12:00:00.250+0200").unwrap();
        assert_eq!(format(date), "2026-03-01T10:00:00.250+0000");
        assert_eq!(parse(&format(date)), Some(date));
        assert_eq!(parse("yesterday"), None);
    }
}
