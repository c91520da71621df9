//! What the engine counts: instances, steps, jobs.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{EngineClient, EngineError, date};

/// Which figures of a metric are meant: all that match every field that is set.
#[derive(Clone, Copy, Debug, Default)]
pub struct MetricQuery {
    /// From this moment on.
    pub start: Option<Timestamp>,
    /// Before this moment.
    pub end: Option<Timestamp>,
}

/// What a metric has counted in one interval.
#[derive(Clone, Debug, Deserialize)]
pub struct MetricInterval {
    /// When the interval begins.
    #[serde(default, deserialize_with = "date::optional::deserialize")]
    pub timestamp: Option<Timestamp>,
    /// The metric's name.
    pub name: String,
    /// Who counted; absent where the figures of all are added up.
    #[serde(default)]
    pub reporter: Option<String>,
    /// How many.
    pub value: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Parameters<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    interval: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_results: Option<usize>,
}

impl MetricQuery {
    fn parameters<'a>(&self) -> Parameters<'a> {
        Parameters {
            name: None,
            start_date: self.start.map(date::format),
            end_date: self.end.map(date::format),
            interval: None,
            max_results: None,
        }
    }
}

impl EngineClient {
    /// What a metric has counted in all, such as `process-instances`, `activity-instance-start`, `job-failed` or
    /// `executed-decision-instances`. The engine writes its counts down every 15 minutes, and when it stops. May be
    /// repeated.
    ///
    /// # Errors
    /// As every call: see [`EngineError`]. A name that the engine does not know counts nothing.
    pub async fn metric_sum(&self, name: &str, query: MetricQuery) -> Result<i64, EngineError> {
        #[derive(Deserialize)]
        struct Sum {
            result: i64,
        }
        let call = self.get(&["metrics", name, "sum"]);
        Ok(call.query(&query.parameters()).read::<Sum>().await?.result)
    }

    /// What a metric has counted in each interval of this length (whole seconds, 15 minutes where none is given), the
    /// latest first, each node's figures apart; at most 200 figures, or `limit` of them. May be repeated.
    ///
    /// # Errors
    /// `is_internal` where the limit is more than 200.
    pub async fn metric_intervals(
        &self,
        name: &str,
        query: MetricQuery,
        interval: Option<Duration>,
        limit: Option<usize>,
    ) -> Result<Vec<MetricInterval>, EngineError> {
        let parameters = Parameters {
            name: Some(name),
            interval: interval.map(|interval| interval.as_secs()),
            max_results: limit,
            ..query.parameters()
        };
        self.get(&["metrics"]).query(&parameters).read().await
    }
}
