//! Times and durations for people.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::Theme;

/// A duration in the unit that fits: `4 ms`, `9.8 s`, `2m 41s`, `3h 5m`, `2d 4h`.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0 => format!("{} ms", duration.as_millis()),
        // Cut, not rounded: 59.96 s must not read 60.0 s.
        1..60 => format!("{seconds}.{} s", duration.subsec_millis() / 100),
        60..3600 => format!("{minutes}m {}s", seconds % 60),
        3600..86_400 => format!("{hours}h {}m", minutes % 60),
        _ => format!("{days}d {}h", hours % 24),
    }
}

/// How long ago it was, by the theme's clock. What lies ahead, as clocks differ, is `just now`.
pub(crate) fn ago(then: Timestamp, theme: &Theme) -> String {
    match Duration::try_from(theme.now.duration_since(then)) {
        Ok(passed) if passed >= Duration::from_secs(1) => {
            format!(
                "{} ago",
                duration(Duration::from_secs(passed.as_secs())).replace(".0 s", " s")
            )
        }
        _ => "just now".to_owned(),
    }
}

impl Theme {
    /// The local time: of day where it is today, else with the date.
    pub(crate) fn local(&self, time: Timestamp) -> String {
        let local = time.to_zoned(self.zone.clone());
        let today = self.now.to_zoned(self.zone.clone()).date();
        let format = if local.date() == today {
            "%H:%M:%S"
        } else {
            "%Y-%m-%d %H:%M:%S"
        };
        local.strftime(format).to_string()
    }
}

/// How much time lies between two moments; none where the second comes first or is unknown.
pub(crate) fn between(start: Option<Timestamp>, end: Option<Timestamp>) -> Option<Duration> {
    let passed: SignedDuration = end?.duration_since(start?);
    Duration::try_from(passed).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_take_the_unit_that_fits() {
        let told: Vec<_> = [0, 999, 1_000, 9_860, 59_990, 161_000, 11_100_000, 187_200_000]
            .map(|millis| duration(Duration::from_millis(millis)))
            .into();
        assert_eq!(
            told,
            [
                "0 ms", "999 ms", "1.0 s", "9.8 s", "59.9 s", "2m 41s", "3h 5m", "2d 4h"
            ]
        );
    }

    #[test]
    fn times_are_local_and_name_the_day_where_it_is_another() {
        let theme = Theme::plain();
        let before = |seconds| theme.now - SignedDuration::from_secs(seconds);
        assert_eq!(theme.local(before(60)), "21:25:40");
        assert_eq!(theme.local(before(86_400)), "2026-05-27 21:26:40");
        assert_eq!(ago(before(2), &theme), "2 s ago");
        assert_eq!(ago(before(-5), &theme), "just now");
    }
}
