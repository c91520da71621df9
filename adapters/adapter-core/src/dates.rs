//! `date_calculate`: a date and what is some time before or after it, with business days.

use std::collections::BTreeSet;

use jiff::civil::{Date, DateTime, Weekday};
use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, Unit, Zoned};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use worker_api::{Answer, BpmnError, Failure, Outcome, TaskError, Value};

/// The topic.
pub(crate) const TOPIC: &str = "date_calculate";

/// The BPMN error of what is no date.
pub(crate) const ERROR: &str = "DATE_INVALID";

/// How many business days are counted at most: about forty years.
const MOST_DAYS: i64 = 10_000;

/// With all of them free, nobody ever works.
const DAYS_OF_A_WEEK: usize = 7;

/// What the task is given.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Inputs {
    /// The date: `2026-11-27`, `2026-11-27T14:30`, with an offset or `Z`, or a process variable of the type Date; now unless
    /// given.
    date: Option<String>,
    /// Where a date without an offset is meant, and in which the answer is told: a name such as `Europe/Berlin`.
    timezone: String,
    /// What is added: `P1M2DT3H`, or `1 month 2 days 3h`; what begins with a minus is taken off.
    add: Option<String>,
    /// How many business days are added after that; negative ones are taken off.
    #[serde(deserialize_with = "worker_api::flexible")]
    business_days: Option<i64>,
    /// Days that are no business days, such as `["2026-12-25"]`.
    #[serde(deserialize_with = "worker_api::flexible")]
    holidays: Vec<String>,
    /// The days of the week that are no business days.
    #[serde(deserialize_with = "worker_api::flexible")]
    weekend: Vec<Day>,
    /// Another date: how long it is until then.
    until: Option<String>,
    /// How the answer's `text` is written, as strftime has it: `%d.%m.%Y`.
    format: String,
}

impl Default for Inputs {
    fn default() -> Self {
        Self {
            date: None,
            timezone: "UTC".to_owned(),
            add: None,
            business_days: None,
            holidays: Vec::new(),
            weekend: vec![Day::Saturday, Day::Sunday],
            until: None,
            format: "%Y-%m-%d".to_owned(),
        }
    }
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Day {
    /// Monday.
    Monday,
    /// Tuesday.
    Tuesday,
    /// Wednesday.
    Wednesday,
    /// Thursday.
    Thursday,
    /// Friday.
    Friday,
    /// Saturday.
    Saturday,
    /// Sunday.
    Sunday,
}

/// The answer.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Calculated {
    /// The date as a point in time, for timers and comparisons: a process variable of the type Date.
    date: String,
    /// The date as `format` has it.
    text: String,
    /// The date with its offset, as ISO 8601 has it.
    iso: String,
    /// The day of the week.
    weekday: Day,
    /// Whether it is a business day.
    is_business_day: bool,
    /// With `until`: how many days it is until then; negative where that is before.
    days: Option<i64>,
    /// With `until`: how many of these days are business days, the first not counted and the last counted.
    business_days: Option<i64>,
    /// With `until`: how long it is, as ISO 8601 has it.
    duration: Option<String>,
}

/// Calculates.
pub(crate) fn calculate(inputs: &Inputs) -> Outcome {
    let zone = TimeZone::get(&inputs.timezone).map_err(|_| {
        wrong(
            "timezone",
            &inputs.timezone,
            "write a name such as Europe/Berlin, or UTC",
        )
    })?;
    let business = Business::new(inputs)?;
    let mut date = match inputs.date.as_deref().filter(|text| !text.is_empty()) {
        Some(text) => read("date", text, &zone)?,
        None => Timestamp::now().to_zoned(zone.clone()),
    };
    if let Some(add) = inputs.add.as_deref().filter(|text| !text.is_empty()) {
        let span: Span = add
            .parse()
            .map_err(|_| wrong("add", add, "write P1M2DT3H, or 1 month 2 days 3h"))?;
        date = date.checked_add(span).map_err(|_| out_of_range(add))?;
    }
    if let Some(days) = inputs.business_days {
        date = business.step(&date, days)?;
    }
    let text = strtime::format(&inputs.format, &date)
        .map_err(|error| Failure::permanent(format!("the input `format` cannot be meant: {error}")))?;
    let mut answer = Answer::new()
        .with("date", Value::Date(date.timestamp()))
        .with("text", text)
        .with("iso", date.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string())
        .with(
            "weekday",
            serde_json::to_value(day(date.weekday())).unwrap_or_default(),
        )
        .with("is_business_day", business.is_one(date.date()));
    if let Some(until) = inputs.until.as_deref().filter(|text| !text.is_empty()) {
        let other = read("until", until, &zone)?;
        let apart = |unit| date.until((unit, &other)).map_err(|_| out_of_range(until));
        let days = date
            .date()
            .until((Unit::Day, other.date()))
            .map_err(|_| out_of_range(until))?;
        answer = answer
            .with("days", i64::from(days.get_days()))
            .with("business_days", business.between(date.date(), other.date())?)
            .with("duration", apart(Unit::Day)?.to_string());
    }
    Ok(answer)
}

/// Which days are business days.
struct Business {
    holidays: BTreeSet<Date>,
    weekend: Vec<Day>,
}

impl Business {
    fn new(inputs: &Inputs) -> Result<Self, TaskError> {
        let holidays = inputs.holidays.iter().map(|text| {
            text.parse::<Date>()
                .map_err(|_| TaskError::from(invalid("holidays", text)))
        });
        if distinct(&inputs.weekend) == DAYS_OF_A_WEEK {
            return Err(Failure::permanent("the input `weekend` leaves no business day").into());
        }
        Ok(Self {
            holidays: holidays.collect::<Result<_, _>>()?,
            weekend: inputs.weekend.clone(),
        })
    }

    fn is_one(&self, date: Date) -> bool {
        !self.weekend.contains(&day(date.weekday())) && !self.holidays.contains(&date)
    }

    /// So many business days on, or back. None from a day that is none leads to the next one.
    fn step(&self, from: &Zoned, days: i64) -> Result<Zoned, TaskError> {
        if days.abs() > MOST_DAYS {
            return Err(Failure::permanent(format!(
                "the input `business_days` is {days}, and {MOST_DAYS} are the most that are counted"
            ))
            .into());
        }
        let step = Span::new().days(if days < 0 { -1 } else { 1 });
        let (mut date, mut left) = (from.clone(), days.abs());
        while left > 0 || !self.is_one(date.date()) {
            date = date
                .checked_add(step)
                .map_err(|_| out_of_range("business_days"))?;
            left -= i64::from(left > 0 && self.is_one(date.date()));
        }
        Ok(date)
    }

    fn between(&self, from: Date, to: Date) -> Result<i64, TaskError> {
        let (first, last, sign) = if from <= to { (from, to, 1) } else { (to, from, -1) };
        if first
            .until(last)
            .is_ok_and(|span| i64::from(span.get_days()) > 4 * MOST_DAYS)
        {
            return Err(out_of_range("until"));
        }
        let counted = first
            .series(Span::new().days(1))
            .skip(1)
            .take_while(|date| *date <= last);
        let counted = counted.filter(|date| self.is_one(*date)).count();
        Ok(sign * i64::try_from(counted).unwrap_or(i64::MAX))
    }
}

fn distinct(days: &[Day]) -> usize {
    days.iter()
        .map(|day| *day as usize)
        .collect::<BTreeSet<_>>()
        .len()
}

/// A date in one of the forms that people and programs write.
fn read(input: &str, text: &str, zone: &TimeZone) -> Result<Zoned, TaskError> {
    let text = text.trim();
    // With a zone in brackets, with an offset or `Z`, without either, and the day alone.
    let zoned = text
        .parse::<Zoned>()
        .map(|zoned| zoned.with_time_zone(zone.clone()));
    let read = zoned
        .or_else(|_| text.parse::<Timestamp>().map(|at| at.to_zoned(zone.clone())))
        .or_else(|_| text.parse::<DateTime>()?.to_zoned(zone.clone()));
    read.map_err(|_| invalid(input, text).into())
}

fn day(weekday: Weekday) -> Day {
    match weekday {
        Weekday::Monday => Day::Monday,
        Weekday::Tuesday => Day::Tuesday,
        Weekday::Wednesday => Day::Wednesday,
        Weekday::Thursday => Day::Thursday,
        Weekday::Friday => Day::Friday,
        Weekday::Saturday => Day::Saturday,
        Weekday::Sunday => Day::Sunday,
    }
}

fn invalid(input: &str, text: &str) -> BpmnError {
    let message = format!(
        "the input `{input}` is `{text}`, which is no date; write 2026-11-27 or 2026-11-27T14:30:00+01:00"
    );
    BpmnError::new(ERROR, message).with("input", Json::from(input))
}

fn wrong(input: &str, text: &str, remedy: &str) -> TaskError {
    Failure::permanent(format!("the input `{input}` is `{text}`: {remedy}")).into()
}

fn out_of_range(what: &str) -> TaskError {
    Failure::permanent(format!("`{what}` leads to a date that no calendar here has")).into()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "test code")]
mod tests {
    use serde_json::json;

    use super::*;

    fn run(inputs: Json) -> Outcome {
        calculate(&serde_json::from_value(inputs).unwrap())
    }

    fn field(inputs: Json, name: &str) -> Json {
        run(inputs).unwrap().fields()[name].to_json()
    }

    #[test]
    fn a_date_is_read_in_the_forms_that_people_write() {
        for (text, zone, wanted) in [
            ("2026-11-27", "UTC", "2026-11-27T00:00:00+00:00"),
            ("2026-11-27", "Europe/Berlin", "2026-11-27T00:00:00+01:00"),
            ("2026-07-01T09:30", "Europe/Berlin", "2026-07-01T09:30:00+02:00"),
            (
                "2026-11-27T23:30:00Z",
                "Europe/Berlin",
                "2026-11-28T00:30:00+01:00",
            ),
            ("2026-11-27T10:00:00+05:00", "UTC", "2026-11-27T05:00:00+00:00"),
            (
                "2026-11-27T10:00[America/New_York]",
                "UTC",
                "2026-11-27T15:00:00+00:00",
            ),
            // As the engine writes its dates.
            ("2026-11-27T10:00:00.000+0100", "UTC", "2026-11-27T09:00:00+00:00"),
        ] {
            assert_eq!(
                field(json!({"date": text, "timezone": zone}), "iso"),
                wanted,
                "{text}"
            );
        }
    }

    #[test]
    fn times_are_added_by_the_calendar_and_the_clock() {
        for (date, add, zone, wanted) in [
            ("2026-01-31", "P1M", "UTC", "2026-02-28"),
            ("2026-01-31", "1 month 2 days", "UTC", "2026-03-02"),
            ("2026-11-27", "-P2W", "UTC", "2026-11-13"),
            ("2026-11-27T23:00", "PT2H", "UTC", "2026-11-28"),
            // The night of the change to summer time has 23 hours, and a day is a day all the same.
            ("2026-03-28T12:00", "P1D", "Europe/Berlin", "2026-03-29"),
        ] {
            let inputs = json!({"date": date, "add": add, "timezone": zone});
            assert_eq!(field(inputs, "text"), wanted, "{date} {add}");
        }
        let inputs = json!({"date": "2026-03-28T12:00", "add": "P1D", "timezone": "Europe/Berlin"});
        assert_eq!(field(inputs, "iso"), "2026-03-29T12:00:00+02:00");
    }

    #[test]
    fn business_days_leave_weekends_and_holidays_out() {
        let due = |date: &str, days: i64| {
            let inputs =
                json!({"date": date, "business_days": days, "holidays": ["2026-12-25", "2027-01-01"]});
            field(inputs, "text")
        };
        // The 24th is a Thursday.
        assert_eq!(due("2026-12-24", 1), "2026-12-28");
        assert_eq!(due("2026-12-24", 5), "2027-01-04");
        assert_eq!(due("2026-12-28", -1), "2026-12-24");
        assert_eq!(due("2026-12-26", 0), "2026-12-28");
        assert_eq!(due("2026-12-24", 0), "2026-12-24");
        let inputs = json!({"date": "2026-11-26", "business_days": "1", "weekend": "[\"friday\"]"});
        assert_eq!(field(inputs, "text"), "2026-11-28");
        assert_eq!(field(json!({"date": "2026-12-25"}), "is_business_day"), true);
        assert_eq!(
            field(
                json!({"date": "2026-12-25", "holidays": ["2026-12-25"]}),
                "is_business_day"
            ),
            false
        );
    }

    #[test]
    fn how_long_it_is_until_another_date() {
        let inputs = json!({"date": "2026-12-24", "until": "2027-01-04T12:00", "holidays": ["2026-12-25"]});
        assert_eq!(field(inputs.clone(), "days"), 11);
        assert_eq!(field(inputs.clone(), "business_days"), 6);
        assert_eq!(field(inputs, "duration"), "P11DT12H");
        let back = json!({"date": "2026-11-27", "until": "2026-11-20"});
        assert_eq!(field(back.clone(), "days"), -7);
        assert_eq!(field(back, "business_days"), -5);
    }

    #[test]
    fn it_is_told_as_wished_and_as_a_point_in_time() {
        let inputs =
            json!({"date": "2026-11-27T14:30Z", "timezone": "Europe/Berlin", "format": "%d.%m.%Y %H:%M"});
        let answer = run(inputs).unwrap();
        assert_eq!(answer.fields()["text"].to_json(), "27.11.2026 15:30");
        assert_eq!(answer.fields()["weekday"].to_json(), "friday");
        assert_eq!(
            answer.fields()["date"],
            Value::Date("2026-11-27T14:30:00Z".parse().unwrap())
        );
        let before = Timestamp::now();
        let Value::Date(now) = run(json!({})).unwrap().fields()["date"] else {
            panic!()
        };
        assert!((before..=Timestamp::now()).contains(&now));
    }

    #[test]
    fn what_cannot_be_meant_is_told() {
        let bpmn = |inputs: Json| match run(inputs).unwrap_err() {
            TaskError::Bpmn(error) => (error.code, error.message),
            other => panic!("{other}"),
        };
        for (inputs, part) in [
            (json!({"date": "27.11.2026"}), "`27.11.2026`, which is no date"),
            (json!({"date": "2026-02-30"}), "`date`"),
            (json!({"until": "soon"}), "`until`"),
            (json!({"holidays": ["christmas"]}), "`holidays`"),
        ] {
            let (code, message) = bpmn(inputs);
            assert_eq!(code, ERROR);
            assert!(message.contains(part), "{message}");
        }
        for (inputs, part) in [
            (json!({"timezone": "Mars/Olympus"}), "`timezone`"),
            (json!({"add": "a while"}), "`add`"),
            (json!({"format": "%!"}), "`format`"),
            (json!({"business_days": 20_000}), "10000 are the most"),
            (json!({"date": "9999-12-30", "add": "P1Y"}), "no calendar"),
            (json!({"date": "9999-12-30", "business_days": 1}), "no calendar"),
            (
                json!({"date": "1000-01-01", "until": "9999-01-01"}),
                "no calendar",
            ),
            (
                json!({"weekend": ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]}),
                "no business day",
            ),
        ] {
            let error = run(inputs).unwrap_err();
            assert!(matches!(error, TaskError::Failure(_)), "{error}");
            assert!(error.to_string().contains(part), "{error}");
        }
    }
}
