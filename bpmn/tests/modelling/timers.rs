//! Timers that never fire.

use crate::{NONE, flows, one};

#[test]
fn timers_that_never_fire() {
    let timer = |what: &str| {
        let (name, text) = what.split_once(' ').unwrap();
        one(&format!(
            "<startEvent id=\"s\"/><intermediateCatchEvent id=\"t\"><timerEventDefinition>\n<{name}>{text}</{name}></timerEventDefinition></intermediateCatchEvent><endEvent id=\"z\"/>{}",
            flows(&[("s", "t"), ("t", "z")])
        ))
    };
    for good in [
        "timeDate 2030-01-01T00:00:00Z",
        "timeDate 2026-01-01T02:00:00+01:00",
        // In some zone it is not past yet.
        "timeDate 2026-01-01T00:00:00",
        "timeDate 2026-02-01",
        "timeDate PT5M",
        "timeDate ${when}",
        "timeDuration PT15M",
        "timeDuration P1Y2M10DT2H30M",
        "timeDuration ${x}",
        "timeCycle R3/PT10S",
        "timeCycle R/2030-01-01T00:00:00Z/P1D",
        "timeCycle R/PT1H/2030-01-01T00:00:00Z",
        "timeCycle 0 0/5 * * * ?",
        "timeCycle 0 0 12 * * ? 2030",
        "timeCycle ${x}",
    ] {
        assert_eq!(timer(good), NONE, "{good}");
    }
    for past in [
        "timeDate 2025-12-31T23:59:59Z",
        "timeDate 2026-01-01T00:30:00+01:00",
        "timeDate 2025-12-30T00:00:00",
        "timeDate 2001-01-01",
        "timeCycle R3/PT1H/2020-01-01T00:00:00Z",
        "timeCycle R0/PT1H",
    ] {
        assert_eq!(timer(past), ["a:3 timer-in-the-past"], "{past}");
    }
    for bad in [
        "timeDate tomorrow",
        "timeDuration 5 minutes",
        "timeDuration PT",
        "timeCycle every day",
        "timeCycle R3",
        "timeCycle Rx/PT1H",
        "timeCycle 0 0 * * *",
    ] {
        assert_eq!(timer(bad), ["a:3 timer-syntax"], "{bad}");
    }
}
